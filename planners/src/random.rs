//! Random search, the planner every other one has to beat.

use crate::design;
use crate::frame::Frame;
use crate::memo::Memo;
use crate::planner::{MAX_COUNT, PlanError, Planner, Reason, Recommendation, Suggestion};
use crate::problem::{Measure, Outcome, Problem, Row};
use crate::rng;

/// Proposes uniformly random points that satisfy the known regions; of a pool, random points not tried yet.
///
/// Recommends by readings alone: the best reading among the rows whose constraints read `<= 0`, or else the least
/// total violation. With several objectives it is their sum that counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Planner for Random {
    fn suggest(
        &self,
        problem: &Problem,
        rows: &[Row],
        memo: &Memo,
        seed: u64,
        count: usize,
    ) -> Result<(Vec<Suggestion>, Memo), PlanError> {
        problem.check(rows)?;
        memo.check()?;
        if count > MAX_COUNT {
            return Err(PlanError::Count { count });
        }
        let mut source = rng::Source::new(seed, rng::Stream::Random, rows.len() as u64);
        let spread = |point| Suggestion::unmodelled(point, Reason::Spread);
        let mut left = design::untried(&problem.space, rows);
        if problem.space.pool.is_some() {
            if left.is_empty() && count > 0 {
                return Err(PlanError::Exhausted);
            }
            let picks = (0..count.min(left.len())).map(|_| left.swap_remove(source.below(left.len())));
            return Ok((picks.map(spread).collect(), memo.clone()));
        }
        let frame = Frame::new(&problem.space);
        let points: Result<Vec<_>, _> = (0..count).map(|_| design::random_point(&frame, &mut source)).collect();
        Ok((points?.into_iter().map(spread).collect(), memo.clone()))
    }

    fn recommend(&self, problem: &Problem, rows: &[Row], memo: &Memo, _seed: u64) -> Result<Recommendation, PlanError> {
        problem.check(rows)?;
        memo.check()?;
        let scored = rows.iter().enumerate().filter_map(|(index, row)| score(row).map(|score| (index, score)));
        // Of equal scores the first row wins, so that a repeat changes nothing.
        let best = scored.reduce(|best, next| {
            let ahead = next.1.0.total_cmp(&best.1.0).reverse().then(next.1.1.total_cmp(&best.1.1));
            if ahead.is_gt() { next } else { best }
        });
        best.map(|(row, _)| Recommendation::unmodelled(row)).ok_or(PlanError::NothingObserved)
    }
}

/// The total violation of a row's constraints and the sum of its objectives, if all of them are finite.
fn score(row: &Row) -> Option<(f64, f64)> {
    match &row.outcome {
        Outcome::Observed { objectives, constraints } => {
            let finite = |measures: &[Measure]| measures.iter().all(|measure| measure.value.is_finite());
            let violation = constraints.iter().map(|measure| measure.value.max(0.0)).sum();
            let value = objectives.iter().map(|measure| measure.value).sum();
            (finite(objectives) && finite(constraints)).then_some((violation, value))
        }
        Outcome::Pending | Outcome::Failed => None,
    }
}

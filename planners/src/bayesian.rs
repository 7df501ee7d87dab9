//! Bayesian optimisation: a space-filling start, then the points that promise the most by a model of all outcomes.

use crate::call::Call;
use crate::explain::{self, Explanation};
use crate::frame::Frame;
use crate::front::undominated;
use crate::memo::{MEMO_VERSION, Memo};
use crate::model::{Care, Expected, FEASIBLE, Model, Order, Outlook};
use crate::part::Without;
use crate::planner::{MAX_COUNT, PlanError, Planner, Reason, Recommendation, Suggestion};
use crate::problem::{Measure, Outcome, Problem, Row};
use crate::remaining::{self, Remaining, StopQuestion};

/// A call places no more points than this by the model; any further ones fill gaps.
const MODELLED_MAX: usize = 64;
/// With fewer readings of the real experiment nobody can tell what another fidelity is worth.
const REAL_MIN: usize = 4;
/// With several objectives, how many points of the front are looked around at.
const FRONT_HINTS: usize = 6;

/// Gaussian processes over several sets of hyperparameters, and the expected improvement over what is known to be
/// feasible, for real, integer and categorical parameters, with known regions and measured constraints.
///
/// Starts with scrambled Sobol points, or a spread-out part of a pool. Recommends the tried point with the best
/// posterior mean among those that hold every constraint with a probability of one half or more; where there is none,
/// the one that is the most likely to.
///
/// Several objectives: up to four are led by the volume that a point adds to their front, more by random weights; the
/// recommended point is the one with the best sum of standardised objectives.
///
/// Where an outcome has fewer than two readings, or a covariance stays singular, it goes on filling the space.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bayesian {
    /// What of it is left out.
    pub without: Without,
    /// What a point is chosen by.
    pub strategy: Strategy,
}

/// What a point is chosen by, once there is a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The improvement that is expected.
    #[default]
    Improvement,
    /// Thompson sampling: the maximum of a function drawn from the model. Explores more, and cares for no cost. With several
    /// objectives it is as [`Strategy::Improvement`].
    ///
    /// Source: W. Thompson, Biometrika 25 (1933); D. Russo et al., "A tutorial on Thompson sampling", 2018.
    Thompson,
}

impl Planner for Bayesian {
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
        let frame = Frame::new(&problem.space);
        let mut call = Call::new(problem, &frame, rows, seed)?;
        let initial = problem.initial_size().saturating_sub(rows.len()).min(count);
        call.warm(problem, initial);
        call.fill(initial - call.suggestions.len(), Reason::Initial)?;
        let mut next = memo.clone();
        if call.missing(count)
            && let Some(Modelled { model, alike }) = self.model(problem, &frame, &call.rows, memo, Care::Plan, seed)
        {
            call.alike = alike;
            let last = match call.improve(&model, memo, self.strategy, count.min(MODELLED_MAX)) {
                Ok(last) => last,
                Err(PlanError::Singular { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            next = model.memo(last);
        }
        call.fill(count - call.suggestions.len(), Reason::Spread)?;
        next.version = MEMO_VERSION;
        Ok((call.suggestions, next))
    }

    fn recommend(&self, problem: &Problem, rows: &[Row], memo: &Memo, seed: u64) -> Result<Recommendation, PlanError> {
        problem.check(rows)?;
        memo.check()?;
        let frame = Frame::new(&problem.space);
        let by_readings = || crate::Random.recommend(problem, &real_alone(&frame, rows), memo, seed);
        let modelled = self.model(problem, &frame, rows, memo, Care::Plan, seed);
        let Some(Modelled { model, .. }) = modelled else { return by_readings() };
        let Ok(outlook) = model.outlook() else { return by_readings() };
        let Some((row, at)) = best_tried(&outlook, &frame, rows) else { return Err(PlanError::NothingObserved) };
        Ok(recommended(problem, row, at))
    }

    fn front(&self, problem: &Problem, rows: &[Row], memo: &Memo, seed: u64) -> Result<Vec<Recommendation>, PlanError> {
        problem.check(rows)?;
        memo.check()?;
        let frame = Frame::new(&problem.space);
        let by_readings = || crate::Random.front(problem, &real_alone(&frame, rows), memo, seed);
        let modelled = self.model(problem, &frame, rows, memo, Care::Plan, seed);
        let Some(Modelled { model, .. }) = modelled else { return by_readings() };
        let Ok(outlook) = model.outlook() else { return by_readings() };
        let mut seen: Vec<Vec<f64>> = Vec::new();
        let judged = judged(&outlook, &frame, rows).filter(|(index, at)| {
            let unit = rows.get(*index).map(|row| frame.unit(&row.point)).unwrap_or_default();
            let new = at.p_feasible >= FEASIBLE && !seen.contains(&unit);
            if new {
                seen.push(unit);
            }
            new
        });
        let judged: Vec<(usize, Expected)> = judged.collect();
        let means = |(_, at): &(usize, Expected)| Some(at.objectives.iter().map(|it| it.mean).collect::<Vec<f64>>());
        let ahead = undominated(&judged.iter().map(means).collect::<Vec<_>>());
        let on_front = judged.into_iter().enumerate().filter(|(place, _)| ahead.binary_search(place).is_ok());
        Ok(on_front.map(|(_, (row, at))| recommended(problem, row, at)).collect())
    }
}

fn recommended(problem: &Problem, row: usize, at: Expected) -> Recommendation {
    let p_feasible = (problem.constraints > 0).then_some(at.p_feasible);
    Recommendation { row, objectives: at.objectives, constraints: at.constraints, p_feasible }
}

impl Bayesian {
    /// How much is left to gain over the tried point that is the best by the model, and whether that is enough evidence to
    /// stop: if the model is right, a campaign that stops by it is wrong with one minus the confidence at most, however
    /// often it asks.
    ///
    /// # Errors
    /// [`PlanError::OneObjective`]; [`PlanError::Question`]; [`PlanError::NothingObserved`] where an outcome has fewer than
    /// two readings; else as [`Planner::suggest`].
    pub fn remaining(
        &self,
        problem: &Problem,
        rows: &[Row],
        memo: &Memo,
        seed: u64,
        question: &StopQuestion,
    ) -> Result<Remaining, PlanError> {
        problem.check(rows)?;
        memo.check()?;
        question.check()?;
        if problem.objectives != 1 {
            return Err(PlanError::OneObjective);
        }
        let frame = Frame::new(&problem.space);
        let modelled = self.model(problem, &frame, rows, memo, Care::Stop, seed);
        let Modelled { model, .. } = modelled.ok_or(PlanError::NothingObserved)?;
        remaining::remaining(problem, &model.outlook()?, rows, memo, seed, question)
    }

    /// What the model has learnt: which parameters matter and how, how well it predicts, and what was reached.
    ///
    /// # Errors
    /// [`PlanError::NothingObserved`] where an outcome has fewer than two readings; else as [`Planner::suggest`].
    pub fn explain(&self, problem: &Problem, rows: &[Row], memo: &Memo, seed: u64) -> Result<Explanation, PlanError> {
        problem.check(rows)?;
        memo.check()?;
        let frame = Frame::new(&problem.space);
        let modelled = self.model(problem, &frame, rows, memo, Care::Plan, seed);
        let Modelled { model, .. } = modelled.ok_or(PlanError::NothingObserved)?;
        Ok(explain::explain(problem, &model.outlook()?, rows, seed))
    }
}

/// A model, and whether other fidelities than the real one are part of it.
struct Modelled<'a> {
    model: Model<'a>,
    alike: bool,
}

impl Bayesian {
    /// The model of all rows; where there are fidelities, that of the real ones alone if it foretells them better. Other
    /// fidelities that tell nothing would only blur it.
    fn model<'a>(
        &self,
        problem: &Problem,
        frame: &'a Frame<'a>,
        rows: &[Row],
        memo: &Memo,
        care: Care,
        seed: u64,
    ) -> Option<Modelled<'a>> {
        let without = self.without;
        let fit = |rows: &[Row], memo: &Memo| {
            Model::fit(&Order { problem, rows, without, care, seed, beside: None }, frame, memo)
        };
        if problem.space.fidelity.is_none() {
            let order = Order { problem, rows, without, care, seed, beside: None };
            let model = Model::fit(&order, frame, memo)?.or_together(&order, frame, memo);
            return Some(Modelled { model, alike: false });
        }
        // Fits of other rows are no start for these.
        let memo = Memo::default();
        let all = fit(rows, &memo)?;
        let real = real_alone(frame, rows);
        let observed = real.iter().filter(|row| matches!(row.outcome, Outcome::Observed { .. })).count();
        let alone = if observed >= REAL_MIN { fit(&real, &memo) } else { None };
        let foretells = |model: &Model<'_>| model.outlook().map_or(f64::NEG_INFINITY, |it| it.foretells(rows));
        match alone {
            Some(alone) if foretells(&alone) > foretells(&all) => Some(Modelled { model: alone, alike: false }),
            Some(_) | None => Some(Modelled { model: all, alike: true }),
        }
    }
}

/// The rows with those of other fidelities than the real one as pending: all keep their places.
fn real_alone(frame: &Frame<'_>, rows: &[Row]) -> Vec<Row> {
    let apart = |row: &Row| {
        let real = frame.is_real(&frame.unit(&row.point));
        Row { outcome: if real { row.outcome.clone() } else { Outcome::Pending }, point: row.point.clone() }
    };
    rows.iter().map(apart).collect()
}

/// What the search is led by, all objectives alike.
fn balanced(at: &Expected) -> f64 {
    at.leads.iter().map(|(mean, _)| mean).sum()
}

/// The tried point of [`Planner::recommend`], and what is expected there. Of equals the first wins.
pub(crate) fn best_tried(outlook: &Outlook<'_>, frame: &Frame<'_>, rows: &[Row]) -> Option<(usize, Expected)> {
    let ahead = |next: &Expected, best: &Expected| match (next.p_feasible >= FEASIBLE, best.p_feasible >= FEASIBLE) {
        (true, true) => balanced(next) > balanced(best),
        (false, false) => next.ln_feasible > best.ln_feasible,
        (next, _) => next,
    };
    judged(outlook, frame, rows).reduce(|best, next| if ahead(&next.1, &best.1) { next } else { best })
}

/// The tried points that may be recommended, and what is expected of each: those of the real experiment, where there are any.
fn judged<'a>(
    outlook: &'a Outlook<'_>,
    frame: &'a Frame<'_>,
    rows: &'a [Row],
) -> impl Iterator<Item = (usize, Expected)> + 'a {
    let usable = |outcome: &Outcome| match outcome {
        Outcome::Observed { objectives, .. } => objectives.iter().all(|Measure { value, .. }| value.is_finite()),
        Outcome::Pending | Outcome::Failed => false,
    };
    let real = move |row: &Row| frame.is_real(&frame.unit(&row.point));
    let any = rows.iter().any(|row| usable(&row.outcome) && real(row));
    let tried = rows.iter().enumerate().filter(move |(_, row)| usable(&row.outcome) && (real(row) || !any));
    tried.map(|(index, row)| (index, outlook.expected_of_tried(&frame.aim(&frame.unit(&row.point)))))
}

/// A few tried points spread along the front of what is expected, as far as it is feasible.
pub(crate) fn front(outlook: &Outlook<'_>, frame: &Frame<'_>, rows: &[Row]) -> Vec<Vec<f64>> {
    let tried = rows.iter().enumerate().filter(|(_, row)| matches!(row.outcome, Outcome::Observed { .. }));
    let judged = tried.map(|(index, row)| (index, outlook.expected_of_tried(&frame.unit(&row.point))));
    let judged: Vec<(usize, Expected)> = judged.collect();
    let most = judged.iter().map(|(_, at)| at.p_feasible).fold(0.0, f64::max);
    let hopeful = judged.iter().filter(|(_, at)| at.p_feasible >= FEASIBLE.min(most));
    let hopeful: Vec<&(usize, Expected)> = hopeful.collect();
    let better = |a: &Expected, b: &Expected| a.leads.iter().zip(&b.leads).all(|(a, b)| a.0 > b.0);
    let mut front: Vec<_> =
        hopeful.iter().filter(|(_, at)| !hopeful.iter().any(|(_, other)| better(other, at))).collect();
    let first = |at: &Expected| at.leads.first().map_or(0.0, |(mean, _)| *mean);
    front.sort_by(|a, b| first(&a.1).total_cmp(&first(&b.1)));
    let count = FRONT_HINTS.min(front.len());
    let spread = (0..count).filter_map(|index| front.get(index * front.len() / count));
    spread.filter_map(|(index, _)| rows.get(*index)).map(|row| frame.unit(&row.point)).collect()
}

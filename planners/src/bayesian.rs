//! Bayesian optimisation: a space-filling start, then the points that promise the most by a model of all outcomes.

use crate::design;
use crate::frame::Frame;
use crate::memo::{MEMO_VERSION, Memo};
use crate::model::{Expected, FEASIBLE, Model, Outlook};
use crate::part::Without;
use crate::planner::{MAX_COUNT, PlanError, Planner, Reason, Recommendation, Suggestion};
use crate::problem::{Measure, Outcome, Problem, Row};
use crate::remaining::{self, Remaining, StopQuestion};
use crate::rng;
use crate::search::{self, Bounds};

/// A call places no more points than this by the model; any further ones fill gaps.
const MODELLED_MAX: usize = 64;
/// With several objectives, how many points of the front are looked around at.
const FRONT_HINTS: usize = 6;
/// Every so-many-th pick may be anywhere, even where the others stay near to the best point.
const FAR_EVERY: u64 = 4;
/// Where most of so many last rows have nearly the same value of a parameter, a pick that may be anywhere takes another one.
const LAST: usize = 8;
/// See [`LAST`].
const MOST: usize = 6;
/// How far (in unit coordinates) nearly the same values are from their median.
const ALIKE: f64 = 0.05;
/// How far from there another value is.
const OTHER: f64 = 0.15;
/// A proposal nearer than this to a point already tried (in unit coordinates) measures it again.
const SAME: f64 = 1e-4;

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
        call.fill(initial, Reason::Initial)?;
        let mut next = memo.clone();
        if let Some(model) =
            Model::fit(problem, &frame, &call.rows, memo, self.without, seed).filter(|_| call.missing(count))
        {
            let last = match call.improve(&model, memo, count.min(MODELLED_MAX)) {
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
        let by_readings = || crate::Random.recommend(problem, rows, memo, seed);
        let Some(model) = Model::fit(problem, &frame, rows, memo, self.without, seed) else { return by_readings() };
        let Ok(outlook) = model.outlook() else { return by_readings() };
        let Some((row, at)) = best_tried(&outlook, &frame, rows) else { return Err(PlanError::NothingObserved) };
        Ok(Recommendation {
            row,
            objectives: at.objectives,
            constraints: at.constraints,
            p_feasible: (problem.constraints > 0).then_some(at.p_feasible),
        })
    }
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
        let model = Model::with_sets(problem, &frame, rows, memo, self.without, remaining::SETS, seed);
        let model = model.ok_or(PlanError::NothingObserved)?;
        remaining::remaining(problem, &model.outlook()?, rows, memo, seed, question)
    }
}

/// What the search is led by, all objectives alike.
fn balanced(at: &Expected) -> f64 {
    at.leads.iter().map(|(mean, _)| mean).sum()
}

/// The tried point of [`Planner::recommend`], and what is expected there. Of equals the first wins.
pub(crate) fn best_tried(outlook: &Outlook<'_>, frame: &Frame<'_>, rows: &[Row]) -> Option<(usize, Expected)> {
    let usable = |outcome: &Outcome| match outcome {
        Outcome::Observed { objectives, .. } => objectives.iter().all(|Measure { value, .. }| value.is_finite()),
        Outcome::Pending | Outcome::Failed => false,
    };
    let tried = rows.iter().enumerate().filter(|(_, row)| usable(&row.outcome));
    let judged = tried.map(|(index, row)| (index, outlook.expected(&frame.unit(&row.point))));
    let ahead = |next: &Expected, best: &Expected| match (next.p_feasible >= FEASIBLE, best.p_feasible >= FEASIBLE) {
        (true, true) => balanced(next) > balanced(best),
        (false, false) => next.p_feasible > best.p_feasible,
        (next, _) => next,
    };
    judged.reduce(|best, next| if ahead(&next.1, &best.1) { next } else { best })
}

/// A few tried points spread along the front of what is expected, as far as it is feasible.
fn front(outlook: &Outlook<'_>, frame: &Frame<'_>, rows: &[Row]) -> Vec<usize> {
    let tried = rows.iter().enumerate().filter(|(_, row)| matches!(row.outcome, Outcome::Observed { .. }));
    let judged = tried.map(|(index, row)| (index, outlook.expected(&frame.unit(&row.point))));
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
    (0..count).filter_map(|index| front.get(index * front.len() / count)).map(|(index, _)| *index).collect()
}

/// One call of [`Planner::suggest`].
struct Call<'a> {
    frame: &'a Frame<'a>,
    seed: u64,
    /// The rows given.
    given: usize,
    /// The rows, and after them the suggestions as pending ones.
    rows: Vec<Row>,
    /// What is left of the pool, if there is one, in unit coordinates.
    pool: Option<Vec<Vec<f64>>>,
    suggestions: Vec<Suggestion>,
}

impl<'a> Call<'a> {
    fn new(problem: &Problem, frame: &'a Frame<'a>, rows: &[Row], seed: u64) -> Result<Self, PlanError> {
        let left = || design::untried(&problem.space, rows).iter().map(|point| frame.unit(point)).collect::<Vec<_>>();
        let pool = problem.space.pool.is_some().then(left);
        if pool.as_ref().is_some_and(Vec::is_empty) {
            return Err(PlanError::Exhausted);
        }
        Ok(Self { frame, seed, given: rows.len(), rows: rows.to_vec(), pool, suggestions: Vec::new() })
    }

    /// Whether there are points yet to be suggested.
    fn missing(&self, count: usize) -> bool {
        self.suggestions.len() < count && self.pool.as_ref().is_none_or(|pool| !pool.is_empty())
    }

    fn push(&mut self, suggestion: Suggestion) {
        self.rows.push(Row { point: suggestion.point.clone(), outcome: Outcome::Pending });
        self.suggestions.push(suggestion);
    }

    /// Adds points that fill the space: of a pool as far as it goes.
    fn fill(&mut self, count: usize, reason: Reason) -> Result<(), PlanError> {
        if self.pool.is_none() {
            let from = self.given + self.suggestions.len();
            for unit in design::initial(self.frame, self.seed, from, count)? {
                self.push(Suggestion::unmodelled(self.frame.point(&unit), reason));
            }
            return Ok(());
        }
        for _ in 0..count {
            let taken: Vec<Vec<f64>> = self.rows.iter().map(|row| self.frame.unit(&row.point)).collect();
            let pool = self.pool.as_deref().unwrap_or_default();
            let Some(unit) = design::farthest(self.frame, pool, &taken, self.seed).map(|index| self.take(index)) else {
                break;
            };
            self.push(Suggestion::unmodelled(self.frame.point(&unit), reason));
        }
        Ok(())
    }

    fn take(&mut self, index: usize) -> Vec<f64> {
        self.pool.as_mut().map(|pool| pool.remove(index)).unwrap_or_default()
    }

    /// Adds the points that promise the most, up to `count` suggestions in all; returns the last one in unit coordinates.
    fn improve(&mut self, model: &Model<'_>, memo: &Memo, count: usize) -> Result<Vec<f64>, PlanError> {
        let outlook = model.outlook()?;
        let further = count.saturating_sub(self.suggestions.len());
        let mut promise = outlook.promise(&self.rows, self.seed, further)?;
        let best = best_tried(&outlook, self.frame, &self.rows);
        let feasible = best.as_ref().is_some_and(|(_, at)| at.p_feasible >= FEASIBLE);
        let best: Vec<usize> = if outlook.has_front() {
            front(&outlook, self.frame, &self.rows)
        } else {
            best.into_iter().map(|(row, _)| row).collect()
        };
        let best: Vec<Vec<f64>> =
            best.iter().filter_map(|row| self.rows.get(*row)).map(|row| self.frame.unit(&row.point)).collect();
        let mut last = memo.last.clone();
        while self.missing(count) {
            let number = self.rows.len() as u64;
            let seed = rng::derive(self.seed, rng::Stream::Search, number);
            let unit = match &self.pool {
                Some(pool) => search::best_of(&promise, pool).map(|index| self.take(index)),
                None => {
                    let known = last.len() == self.frame.dimension();
                    let hints: Vec<Vec<f64>> =
                        best.iter().chain(known.then_some(&last)).map(|unit| self.frame.snap(unit)).collect();
                    let near = best.first().filter(|_| self.is_one_valley(model));
                    let bounds = match near {
                        Some(best) if !number.is_multiple_of(FAR_EVERY) => Bounds::near(best),
                        Some(_) if model.goes_elsewhere() => self.elsewhere(seed),
                        Some(_) | None => Bounds::whole(self.frame),
                    };
                    search::search(self.frame, &promise, &hints, &bounds, seed)
                }
            };
            let Some(unit) = unit else { break };
            promise.condition(&unit);
            let at = outlook.expected(&unit);
            let reason = self.reason(&unit, feasible);
            last.clone_from(&unit);
            self.push(Suggestion {
                point: self.frame.point(&unit),
                reason,
                objectives: at.objectives,
                constraints: at.constraints,
                p_feasible: Some(at.p_feasible),
            });
        }
        Ok(last)
    }

    /// Whether picks, all but one of [`FAR_EVERY`], stay near to the best point.
    ///
    /// Expected improvement averaged over hyperparameters goes on exploring while a valley that has been found is not
    /// followed to its end. Not with constraints, several objectives or categories, where what is good may lie in places
    /// that don't hang together, and leaving the first of them is what the budget is for.
    fn is_one_valley(&self, model: &Model<'_>) -> bool {
        model.is_plain() && self.frame.numeric().iter().all(|it| *it)
    }

    /// The space without what the last rows have in common in one of the parameters, if they have.
    ///
    /// A model that is wrong about one parameter, by a lengthscale that is too short, finds nothing worth trying at any
    /// other value of it, and so never learns that it is wrong. Exact readings soon tell it all the same, noise hides it.
    fn elsewhere(&self, seed: u64) -> Bounds {
        let last = self.rows.iter().rev().take(LAST).map(|row| self.frame.unit(&row.point)).collect::<Vec<_>>();
        let stretch = |(parameter, moves): (usize, &bool)| {
            let mut values: Vec<f64> = last.iter().filter_map(|unit| unit.get(parameter).copied()).collect();
            values.sort_by(f64::total_cmp);
            let median = *values.get(values.len() / 2).filter(|_| *moves)?;
            let alike = values.iter().filter(|value| (*value - median).abs() <= ALIKE).count();
            (alike >= MOST).then_some((parameter, (median - OTHER, median + OTHER)))
        };
        let alike: Vec<_> = self.frame.continuous().iter().enumerate().filter_map(stretch).collect();
        let mut source = rng::Source::new(seed, rng::Stream::Search, 2);
        match alike.get(source.below(alike.len())) {
            Some((parameter, stretch)) => Bounds::beyond(self.frame, *parameter, *stretch, source.unit()),
            None => Bounds::whole(self.frame),
        }
    }

    fn reason(&self, unit: &[f64], feasible: bool) -> Reason {
        let same = |row: &Row| {
            matches!(row.outcome, Outcome::Observed { .. })
                && self.frame.distance2(&self.frame.unit(&row.point), unit).sqrt() < SAME
        };
        if self.rows.iter().any(same) {
            Reason::Remeasure
        } else if feasible {
            Reason::Improve
        } else {
            Reason::Feasibility
        }
    }
}

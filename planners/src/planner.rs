//! The trait every planner implements, and what goes in and out of it.

use serde::{Deserialize, Serialize};

use crate::front;
use crate::memo::Memo;
use crate::problem::{MAX_PAST, Point, Problem, Row};
use crate::remaining::CONFIDENCES;

/// The version of every planner here. It changes whenever the same arguments could give other points.
pub const PLANNER_VERSION: &str = concat!("eutectic-planners/", env!("CARGO_PKG_VERSION"), "/8");

/// No call proposes more points than this.
pub const MAX_COUNT: usize = 1000;

/// Proposes points and names the best tried one: a pure function of its arguments.
///
/// Determinism: the same arguments give the same answer, bit for bit. No clock, no thread and no hidden state is
/// involved; what a planner wants to remember goes into the [`Memo`], which the caller stores with the proposals and
/// hands back with the next call. Budgets are iterations. `seed` is the campaign's and stays the same from call to
/// call; the number of rows is mixed into it.
///
/// ```
/// use eutectic_planners::{
///     Memo, Outcome, PlanError, Planner, Point, Problem, Reason, Recommendation, Row, Suggestion,
/// };
///
/// /// Walks through a pool in the order given.
/// struct InOrder;
///
/// impl Planner for InOrder {
///     fn suggest(
///         &self, problem: &Problem, rows: &[Row], memo: &Memo, _seed: u64, count: usize,
///     ) -> Result<(Vec<Suggestion>, Memo), PlanError> {
///         problem.check(rows)?;
///         let pool = problem.space.pool.as_deref().unwrap_or_default();
///         let next: Vec<_> = pool.iter().filter(|point| problem.space.holds(point)).skip(rows.len()).take(count)
///             .map(|point| Suggestion::unmodelled(point.clone(), Reason::Spread))
///             .collect();
///         if next.is_empty() { Err(PlanError::Exhausted) } else { Ok((next, memo.clone())) }
///     }
///
///     fn recommend(
///         &self, problem: &Problem, rows: &[Row], _memo: &Memo, _seed: u64,
///     ) -> Result<Recommendation, PlanError> {
///         problem.check(rows)?;
///         let row = rows.iter().position(|row| matches!(row.outcome, Outcome::Observed { .. }));
///         row.map(Recommendation::unmodelled).ok_or(PlanError::NothingObserved)
///     }
/// }
/// # let _ = InOrder;
/// ```
pub trait Planner {
    /// Returns up to `count` points to try next, and the memo to hand back with the next call.
    ///
    /// At most [`MAX_COUNT`]; fewer than `count` only where a finite space has no more. Pending rows are taken into
    /// account, and so are the points of this call that come before.
    ///
    /// # Errors
    /// A [`PlanError`] if the problem or a row makes no sense, or no point can be proposed.
    fn suggest(
        &self,
        problem: &Problem,
        rows: &[Row],
        memo: &Memo,
        seed: u64,
        count: usize,
    ) -> Result<(Vec<Suggestion>, Memo), PlanError>;

    /// Returns the tried point that is best by all that is known, which need not be the one with the best reading.
    ///
    /// # Errors
    /// [`PlanError::NothingObserved`] if no row has a usable outcome; else as [`Planner::suggest`].
    fn recommend(&self, problem: &Problem, rows: &[Row], memo: &Memo, seed: u64) -> Result<Recommendation, PlanError>;

    /// Returns the tried points that no other is better than in all objectives, in the order of the rows; each point once,
    /// and none where nothing feasible is known. A planner that has no model of its own goes by the readings.
    ///
    /// # Errors
    /// As [`Planner::suggest`].
    fn front(
        &self,
        problem: &Problem,
        rows: &[Row],
        memo: &Memo,
        _seed: u64,
    ) -> Result<Vec<Recommendation>, PlanError> {
        problem.check(rows)?;
        memo.check()?;
        Ok(front::undominated(&front::readings(rows)).into_iter().map(Recommendation::unmodelled).collect())
    }
}

/// A point to try next, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// Where.
    pub point: Point,
    /// Why.
    pub reason: Reason,
    /// What the model expects of each objective; empty where there is no model yet.
    pub objectives: Vec<Estimate>,
    /// What the model expects of each constraint; empty where there is no model yet.
    pub constraints: Vec<Estimate>,
    /// The probability that every measured constraint holds and the recipe doesn't fail, where there is a model.
    pub p_feasible: Option<f64>,
    /// Where its promise comes from, where there is a model.
    #[serde(default)]
    pub because: Option<Because>,
}

/// Where a suggestion's promise comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Because {
    /// Of the improvement expected over the best tried point, the share that is there because the mean is better; the rest
    /// is there because little is known. `None` with several objectives.
    pub from_mean: Option<f64>,
    /// The row of the nearest observed point, and how far it is in the unit cube; a category that differs counts 1.
    pub nearest: Option<(usize, f64)>,
}

impl Suggestion {
    /// A point that no model stands behind.
    pub fn unmodelled(point: Point, reason: Reason) -> Self {
        Self { point, reason, objectives: Vec::new(), constraints: Vec::new(), p_feasible: None, because: None }
    }
}

/// Why a point was proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// It belongs to the initial, space-filling design.
    Initial,
    /// It promises an improvement.
    Improve,
    /// Nothing feasible is known yet, and it may be feasible.
    Feasibility,
    /// It was good in a past campaign.
    Past,
    /// The model has nothing to say, so it fills a gap.
    Spread,
    /// It repeats a point already tried, because a second reading there is worth more than a new point.
    Remeasure,
}

/// A predicted value of an outcome (the outcome itself, not a further reading of it), in the outcome's own scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The predicted mean.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
}

/// A tried point that is the best by all that is known, or one of the front.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// The index of its row.
    pub row: usize,
    /// What the model thinks each objective is there; empty without a model.
    pub objectives: Vec<Estimate>,
    /// What the model thinks each constraint is there; empty without a model.
    pub constraints: Vec<Estimate>,
    /// The probability that every constraint holds there, where there is a model.
    pub p_feasible: Option<f64>,
}

impl Recommendation {
    /// A row that no model stands behind.
    pub fn unmodelled(row: usize) -> Self {
        Self { row, objectives: Vec::new(), constraints: Vec::new(), p_feasible: None }
    }
}

/// Why nothing could be planned.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum PlanError {
    /// The problem has no objective.
    #[error("a problem needs at least one objective")]
    Objectives,
    /// The reference point doesn't fit the objectives.
    #[error("the reference point needs {expected} finite values, or none")]
    Reference {
        /// How many values it needs.
        expected: usize,
    },
    /// A parameter makes no sense.
    #[error("parameter {parameter}: {why}")]
    Parameter {
        /// Its index.
        parameter: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// A mixture makes no sense.
    #[error("mixture {mixture}: {why}")]
    Mixture {
        /// Its index.
        mixture: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// A point of the pool doesn't fit the parameters.
    #[error("point {entry} of the pool doesn't fit the parameters")]
    Pool {
        /// Its index.
        entry: usize,
    },
    /// There are too many past campaigns.
    #[error("{count} past campaigns; the limit is {MAX_PAST}")]
    Past {
        /// How many there are.
        count: usize,
    },
    /// A row doesn't fit the problem.
    #[error("row {row}: {why}")]
    Row {
        /// Its index.
        row: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// More points were asked for than a call gives.
    #[error("{count} points were asked for, and a call gives at most {MAX_COUNT}")]
    Count {
        /// How many were asked for.
        count: usize,
    },
    /// The memo was written by a later version.
    #[error("the memo has version {found}, and this planner reads up to {known}")]
    MemoVersion {
        /// Its version.
        found: u32,
        /// The latest version this planner reads.
        known: u32,
    },
    /// No point was found that satisfies the known regions.
    #[error("no point was found that satisfies the known constraints on the parameters")]
    NoFeasiblePoint,
    /// Every point of a finite space has been proposed.
    #[error("every point of the pool has been proposed")]
    Exhausted,
    /// What was asked about stopping makes no sense.
    #[error("a tolerance above 0 and a confidence between {} and {} can be asked for", CONFIDENCES.0, CONFIDENCES.1)]
    Question,
    /// What is left to gain is known for one objective only.
    #[error("what is left to gain is known for one objective only")]
    OneObjective,
    /// No row has a usable outcome.
    #[error("nothing has been observed yet")]
    NothingObserved,
    /// A kernel matrix could not be factorised, with all the jitter that is allowed.
    #[error("the kernel matrix of {rows} rows is singular, even with jitter")]
    Singular {
        /// How many rows it has.
        rows: usize,
    },
    /// An optimiser gave up.
    #[error("an optimiser failed: {0}")]
    Optimiser(String),
}

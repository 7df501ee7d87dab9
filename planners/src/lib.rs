#![doc = include_str!("../README.md")]

mod bayesian;
mod binomial;
mod call;
mod design;
mod drawn;
mod explain;
mod frame;
mod front;
mod memo;
mod mixture;
mod model;
mod normal;
mod optimise;
mod part;
mod planner;
mod priced;
mod problem;
mod promise;
mod random;
mod remaining;
mod rng;
mod search;
pub mod stdio;
mod surrogate;

pub use bayesian::{Bayesian, Strategy};
pub use explain::{Dependence, Explanation, LeftOut, OutcomeExplanation, Sensitivity};
pub use memo::{ExactMemo, MEMO_MAX_BYTES, MEMO_VERSION, Memo, SumMemo, SurrogateMemo};
pub use mixture::Mixture;
pub use part::{Part, Without};
pub use planner::{
    Because, Estimate, MAX_COUNT, PLANNER_VERSION, PlanError, Planner, Reason, Recommendation, Suggestion,
};
pub use problem::{
    Cost, Fidelity, INITIAL_MAX, INITIAL_MIN, Linear, MAX_PAST, Measure, Outcome, Parameter, Point, Problem, Region,
    Row, Space,
};
pub use random::Random;
pub use remaining::{CONFIDENCES, COVERAGE, PATHS, Remaining, SETTLED, StopQuestion, StopVerdict};
pub use surrogate::Warp;

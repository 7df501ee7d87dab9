//! Tables and figures derived from the journal: for people, never part of a decision.

mod line;
mod waiting;

pub use line::{kind, line, stop};
pub use waiting::{doubted, waiting_for};

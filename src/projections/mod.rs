//! Tables and figures derived from the journal: for people, never part of a decision.

mod line;
mod pages;
mod waiting;

pub use line::{end, kind, line, remaining, stop};
pub use pages::{Page, pages};
pub use waiting::{doubted, waiting_for};

//! The lab: from `lab.toml` to drivers that answer.

mod keeper;
mod simulated;
mod summary;

pub use keeper::{Keeper, Visit};

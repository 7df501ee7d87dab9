//! The lab: from `lab.toml` to drivers that answer.

mod keeper;
mod recovery;
mod simulated;
mod summary;

pub use keeper::{Keeper, Visit};

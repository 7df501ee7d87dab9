//! The lab: from `lab.toml` to drivers that answer.

mod guard;
mod halt;
mod keeper;
mod recovery;
mod simulated;
mod summary;

pub use halt::{Halted, halt};
pub use keeper::{Keeper, Visit};

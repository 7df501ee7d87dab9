//! The decisions of Eutectic, as pure functions over sorted maps.
//!
//! Nothing here can reach a clock, a random source or the outside world: the manifest names no crate that could, and
//! `clippy.toml` bans what the standard library offers. Time, ids and seeds are arguments. That is why the same log gives
//! the same state on every machine, and why a simulator can run this very code through thousands of crashes.

mod digest;
mod ids;
pub mod model;
mod rejection;
mod time;

pub use ids::{CampaignName, ExperimentNumber, InstrumentId, OperationId, RequestId, StepName, Ticket};
pub use rejection::Rejection;
pub use time::Time;

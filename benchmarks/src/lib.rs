//! An orchestrator without files, and a driver that costs next to nothing, or lies: for figures, and for tests over sockets.

mod rig;
mod stub;

pub use rig::{Rig, campaign, names};
pub use stub::{CAPABILITY, Lie, Stub};

/// Whatever ends it early.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

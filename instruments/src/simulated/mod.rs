//! Instruments without hardware: a flow reactor and an HPLC that share a bench of vials.
//!
//! The chemistry is a published one ([`snar`]), the noise is drawn from the campaign's seed, and the hardware is apart from
//! the driver: it writes one line a physical start that knows no operation, and goes on when its driver dies.

mod flow_reactor;
mod hplc;
mod instrument;
mod noise;
mod serve;
pub mod snar;
mod world;

pub use serve::{Kind, SimulatedError, SimulatedOptions, serve};
pub use world::WorldError;

/// Seconds of the instrument that pass in one of ours, unless told otherwise: an experiment takes about a second.
pub const SPEED_DEFAULT: f64 = 600.0;

//! Instruments without hardware that share a bench: what one fills, another measures.
//!
//! The physics is published (each file says where), the noise is drawn from the campaign's seed, and the hardware is apart from
//! the driver: it writes one line a physical start that knows no operation, and goes on when its driver dies.

mod balance;
mod conditions;
mod defect;
mod flow_reactor;
mod furnace;
mod hplc;
mod instrument;
mod liquid_handler;
mod measure;
mod noise;
mod replica;
mod robot_arm;
mod serve;
mod service;
pub mod snar;
mod spectrometer;
mod world;

pub use serve::{Kind, SimulatedError, SimulatedOptions, serve};
pub use world::WorldError;

/// Seconds of the instrument that pass in one of ours, unless told otherwise: an experiment takes about a second.
pub const SPEED_DEFAULT: f64 = 600.0;
/// Virtual time is the instrument's own.
const SPEED_VIRTUAL: f64 = 1.0;

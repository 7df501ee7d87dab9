//! The instrument side of Eutectic: what stands between an orchestrator and hardware.
//!
//! - [`machine`]: the driver's guarantees (start or attach, fencing, tombstones, recovery, halt) as a state machine
//!   without IO, clock or threads. A simulator can drive it, crashes included.
//! - [`journal`]: where the machine's records become durable.
//! - [`sdk`]: the [`sdk::Driver`] trait that a vendor writes, and [`sdk::serve`], the gRPC shell around the machine.
//! - [`child`]: a driver in any language, as a child process behind the same shell.
//! - [`conformance`]: the kit that a vendor accepts a driver by.
//! - [`simulated`]: a flow reactor and an HPLC without hardware, for examples, tests and first steps.
//!
//! The contract itself is `proto/eutectic/instrument/v1/instrument.proto`.

pub mod child;
pub mod conformance;
pub mod journal;
pub mod machine;
pub mod sdk;
pub mod simulated;

/// The contract's generated messages, under a short name.
pub use eutectic_proto::instrument::v1 as wire;

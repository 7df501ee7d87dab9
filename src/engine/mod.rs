//! The engine: the only writer of the journal and the only reader of the clock.
//!
//! [`Step`] is the ring itself, synchronous and without tokio, so that a simulator can drive it: requests in, one durable
//! append, replies and changed obligations out. Around it stand a thread ([`Engine`]) that feeds it and a task that does
//! what is owed and brings whatever comes back in by the same door.

mod clock;
mod inbox;
mod large;
pub mod perform;
mod performing;
mod step;

pub use clock::now;
pub use inbox::{Engine, EngineError, Handle};
pub use performing::{Change, Performing};
pub use step::{Batch, Step, StepError};

//! What a vendor writes, and the gRPC shell that keeps the guarantees around it.
//!
//! A vendor implements [`Driver`] and calls [`serve`]. Journal, leases, validation, start-or-attach, watching, halt, health and
//! reflection come with it: [`crate::machine`] decides, this module carries out.

mod artifacts;
mod call;
mod clock;
mod describe;
mod handle;
mod keeper;
mod options;
mod serve;
mod service;
mod status;
#[cfg(test)]
mod tests;
mod tls;

pub use call::Call;
pub use clock::Clock;
pub use describe::{CapabilityBuilder, InstrumentBuilder, Literal, capability, instrument};
pub use handle::{Handle, HandleError};
pub use options::Options;
pub use serve::{ServeError, serve, serve_with};
/// Makes a trait's functions async; [`Driver`] is implemented under it.
pub use tonic::async_trait;

pub use crate::machine::{Arguments, Manifest, ManifestError, Outcome, Probe, StatusReport, StopReason};
pub use crate::wire::{Fault, Operation, SampleEffect};

/// An instrument, in its vendor's code.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// What it is and what it can do. Pure: the same at every call, without asking the hardware.
    ///
    /// # Errors
    /// What [`instrument`] finds wrong with it: the driver is not served then.
    fn manifest(&self) -> Result<Manifest, ManifestError>;

    /// Its state now. Asked for once a second; the default is ready.
    async fn status(&self) -> StatusReport {
        StatusReport::default()
    }

    /// Rules across parameters that the declared bounds can't say. Pure.
    ///
    /// # Errors
    /// A fault with a reason of the vendor's own and words that say how to mend it.
    fn check(&self, _capability: &str, _arguments: &Arguments) -> Result<(), Fault> {
        Ok(())
    }

    /// Does it. Called at most once for one operation, for ever; its arguments are checked. What returns a result counts
    /// as done, told to stop or not; what stops early returns [`Call::cut_short`].
    ///
    /// # Errors
    /// The fault as data: category, advice, and what became of the sample.
    async fn run(&self, call: Call) -> Result<Outcome, Fault>;

    /// Brings the hardware to its safe state. Idempotent and quick: nothing new begins meanwhile, for up to 10 s. What runs is
    /// told to stop at the same time. Also called at a start whose journal can't tell whether the hardware moves.
    async fn safe_state(&self, why: StopReason);

    /// After a crash of this driver: what the instrument itself knows of an operation that was running.
    async fn probe(&self, _operation: &Operation) -> Probe {
        Probe::Unknown
    }
}

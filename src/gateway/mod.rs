//! The way to drivers: what is owed towards instruments becomes calls, and what drivers answer becomes facts.
//!
//! `session` decides, without IO, what to ask a driver next; `convert` holds the table of what its answers mean;
//! `fleet` carries both out over gRPC, one task an instrument.

mod call;
mod client;
mod convert;
mod fleet;
mod member;
mod plausible;
mod session;
#[cfg(test)]
mod session_tests;
mod watch;
mod work;

pub use call::{Answer, Call, CallError, CallId};
pub use fleet::{Fleet, Options, Refusal};
pub use member::{AddressSource, InstrumentView, Member, Tls, View};
pub use session::{Action, LEASE_TTL_MS, Session};

use eutectic_core::model::InstrumentDescription;
use eutectic_core::{Command, InstrumentId, OperationId, Report};

/// A fact from a driver.
#[derive(Clone, Debug, PartialEq)]
pub enum GatewayReport {
    /// What an instrument can do.
    Described {
        /// The instrument.
        instrument: InstrumentId,
        /// What it can do.
        description: InstrumentDescription,
    },
    /// The driver gave its instrument to this epoch.
    Leased {
        /// The instrument.
        instrument: InstrumentId,
        /// The epoch for which it was asked.
        epoch: u64,
        /// The driver's journal.
        journal_id: String,
        /// The driver's fencing token.
        token: i64,
    },
    /// What became of an operation.
    Operation {
        /// The operation.
        operation: OperationId,
        /// What.
        report: Report,
    },
    /// The driver has not answered for a while.
    Silent {
        /// The instrument.
        instrument: InstrumentId,
        /// What is seen of it.
        reason: String,
    },
    /// The driver answers: at first, and after every silence.
    Heard {
        /// The instrument.
        instrument: InstrumentId,
    },
    /// The driver has seen a later epoch of this workcell.
    Ahead {
        /// The instrument.
        instrument: InstrumentId,
        /// The highest epoch that it has seen.
        epoch: u64,
    },
    /// The driver works on an operation under our name that nobody here attends.
    Foreign {
        /// The instrument.
        instrument: InstrumentId,
        /// The operation.
        operation: OperationId,
    },
}

/// What drivers report goes through the engine's one door, like everything else.
impl From<GatewayReport> for Command {
    fn from(report: GatewayReport) -> Self {
        match report {
            GatewayReport::Described { instrument, description } => {
                Self::DescribeInstrument { instrument, description }
            }
            GatewayReport::Leased { instrument, epoch, journal_id, token } => {
                Self::TakeLease { instrument, epoch, journal_id, token }
            }
            GatewayReport::Operation { operation, report } => Self::ReportOperation { operation, report },
            GatewayReport::Silent { instrument, reason } => Self::ReportSilence { instrument, reason },
            GatewayReport::Heard { instrument } => Self::ReportHeard { instrument },
            GatewayReport::Ahead { instrument, epoch } => Self::DoubtJournal { instrument, epoch, operation: None },
            GatewayReport::Foreign { instrument, operation } => {
                Self::DoubtJournal { instrument, epoch: 0, operation: Some(operation) }
            }
        }
    }
}

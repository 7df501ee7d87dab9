//! The calls of a session and what comes back, in the contract's own messages.

use eutectic_proto::instrument::v1 as wire;

/// A call's number within its session. Later calls have higher numbers.
pub type CallId = u64;

/// What a session asks of a driver.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// GetInstrument
    Describe(wire::GetInstrumentRequest),
    /// AcquireLease: also renews, and tells whether the driver's journal is still the same.
    Lease(wire::AcquireLeaseRequest),
    /// ListOperations
    List(wire::ListOperationsRequest),
    /// Execute
    Execute(wire::ExecuteRequest),
    /// GetOperation
    Get(wire::GetOperationRequest),
    /// AbortOperation
    Abort(wire::AbortOperationRequest),
}

impl Call {
    /// The operation that it is about, if it is about one.
    pub(super) fn operation(&self) -> Option<&str> {
        match self {
            Self::Execute(it) => Some(&it.operation_id),
            Self::Get(it) => Some(&it.operation_id),
            Self::Abort(it) => Some(&it.operation_id),
            Self::Describe(_) | Self::Lease(_) | Self::List(_) => None,
        }
    }

    /// Why an answer is none to this call: it is of another kind, or speaks of something else.
    pub(super) fn mismatch(&self, answer: &Answer) -> Option<String> {
        let other = |what: &str, wanted: &str, told: &str| {
            (wanted != told)
                .then(|| format!("the driver was asked about {what} '{wanted}' and answered about '{told}'"))
        };
        match (self, answer) {
            (Self::Describe(call), Answer::Instrument(it)) => other("instrument", &call.instrument, &it.id),
            (Self::Lease(_), Answer::Lease(_)) | (Self::List(_), Answer::Operations(_)) => None,
            (Self::Execute(_) | Self::Get(_) | Self::Abort(_), Answer::Operation(it)) => {
                self.operation().and_then(|operation| other("operation", operation, &it.id))
            }
            _ => Some("the driver answered another question".to_owned()),
        }
    }
}

/// What a driver answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To Describe.
    Instrument(Box<wire::Instrument>),
    /// To Lease.
    Lease(wire::Lease),
    /// To List.
    Operations(Vec<wire::Operation>),
    /// To Execute, Get and Abort.
    Operation(Box<wire::Operation>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The driver refused by the contract's own words: nothing was accepted and nothing will move.
    #[error("{}: {}", .0.reason, .0.message)]
    Refused(Box<wire::Fault>),
    /// AcquireLease was refused because the driver has seen this later epoch of ours.
    #[error("the driver has seen epoch {0} of this workcell, which its journal does not know")]
    Overtaken(u64),
    /// An answer that is none: it speaks of something else, or is too large to be read.
    #[error("{0}")]
    Unusable(String),
    /// Anything else: nobody can tell whether the driver heard it.
    #[error("{0}")]
    Unknown(String),
}

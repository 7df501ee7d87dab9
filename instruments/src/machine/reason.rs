//! Every reason by which a driver refuses a call or ends an operation, in one place.
//!
//! The strings are part of the contract: an orchestrator decides by them, so they never change their meaning.

use crate::wire::fault::{Category, Retry};
use crate::wire::{Fault, SampleEffect};

/// Why a call was refused or an operation did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The request itself is malformed.
    InvalidRequest,
    /// This driver has no instrument of that id.
    UnknownInstrument,
    /// This id was never accepted by this journal.
    OperationNotFound,
    /// The id is known with another request hash.
    OperationIdReused,
    /// Another holder has the lease, or its operation still runs.
    LeaseHeld,
    /// A higher epoch of the same holder was seen.
    StaleEpoch,
    /// The fencing token is not the current one.
    StaleToken,
    /// The lease is past its time, or none is held.
    LeaseExpired,
    /// More holders than the driver keeps epochs for.
    TooManyHolders,
    /// The instrument is halted.
    Halted,
    /// The instrument can't take work now.
    NotReady,
    /// The queue is full.
    Busy,
    /// The driver is going down.
    ShuttingDown,
    /// No such capability.
    UnknownCapability,
    /// The capability's major version is another.
    CapabilityVersion,
    /// An argument that the capability doesn't have.
    UnknownArgument,
    /// An argument given twice.
    DuplicateArgument,
    /// A required argument is missing.
    MissingArgument,
    /// An argument's value is of another kind than declared.
    WrongType,
    /// An argument's unit is not exactly the declared one.
    WrongUnit,
    /// NaN or infinity.
    NotFinite,
    /// Outside the declared bounds.
    OutOfRange,
    /// Not one of the declared choices.
    UnknownChoice,
    /// A rule across parameters, enforced by the driver's own code.
    RuleViolated,
    /// A calibration is INVALID.
    CalibrationInvalid,
    /// Less is left of a consumable than the operation needs.
    ConsumableExhausted,
    /// The capability can't be aborted while it runs.
    NotAbortable,
    /// The capability can't be held.
    NotHoldable,
    /// It has not started.
    NotRunning,
    /// The instrument has no such consumable.
    UnknownConsumable,
    /// The operation has no such artifact.
    ArtifactNotFound,
    /// The instrument isn't halted.
    NotHalted,
    /// A newer halt than the named one is in force.
    StaleHalt,
    /// A hardware interlock is open.
    InterlockOpen,
    /// A person has to reset the instrument on site.
    NeedsOnSiteReset,
    /// Operations stopped by the halt have not ended yet.
    StillStopping,
    /// Accepted, never started.
    NeverStarted,
    /// Aborted by request.
    Aborted,
    /// Aborted to the safe state because the lease was lost.
    LeaseLost,
    /// Ran past the capability's declared limit.
    MaxDurationExceeded,
    /// The driver restarted while it ran, and can't tell the outcome.
    Interrupted,
    /// The driver's own code went wrong.
    DriverBug,
    /// The driver's code returned something other than it declared.
    OutputNotAsDeclared,
}

/// The gRPC status code of a refusal, named here so that the machine needs no gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCode {
    /// INVALID_ARGUMENT
    InvalidArgument,
    /// NOT_FOUND
    NotFound,
    /// ALREADY_EXISTS
    AlreadyExists,
    /// FAILED_PRECONDITION
    FailedPrecondition,
    /// RESOURCE_EXHAUSTED
    ResourceExhausted,
    /// OUT_OF_RANGE
    OutOfRange,
}

/// A call that was not accepted: nothing was journaled and nothing will move.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Decides the status code.
    pub reason: Reason,
    /// What a caller is told; its `reason` is the vendor's own for a violated rule, else the same as `reason`.
    pub fault: Box<Fault>,
    /// Facts a program may want beside the words, such as the highest epoch seen.
    pub metadata: Vec<(String, String)>,
}

impl Refusal {
    /// Adds a fact for programs.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Refusal {
        self.metadata.push((key.to_owned(), value.to_string()));
        self
    }
}

impl Reason {
    /// The stable UPPER_SNAKE name, as it travels.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// The status code if a call is refused for this reason.
    #[must_use]
    pub fn code(self) -> RefusalCode {
        self.facts().1
    }

    /// The fault as data, with this reason's category and retry advice; the sample effect is NONE where nothing ran.
    #[must_use]
    pub fn fault(self, message: impl Into<String>) -> Fault {
        let (name, _, category, retry) = self.facts();
        Fault {
            reason: name.to_owned(),
            message: message.into(),
            category: category.into(),
            retry: retry.into(),
            sample_effect: self.sample_effect().into(),
            needs_person: retry == Retry::AfterPerson,
            ..Fault::default()
        }
    }

    /// A refused call.
    #[must_use]
    pub fn refuse(self, message: impl Into<String>) -> Refusal {
        Refusal { reason: self, fault: Box::new(self.fault(message)), metadata: Vec::new() }
    }

    fn sample_effect(self) -> SampleEffect {
        match self.ran() {
            true => SampleEffect::Unknown,
            false => SampleEffect::None,
        }
    }

    /// Whether the hardware may have moved when this reason is given.
    fn ran(self) -> bool {
        matches!(
            self,
            Reason::Aborted
                | Reason::LeaseLost
                | Reason::MaxDurationExceeded
                | Reason::Interrupted
                | Reason::DriverBug
                | Reason::OutputNotAsDeclared
        )
    }

    #[rustfmt::skip]
    fn facts(self) -> (&'static str, RefusalCode, Category, Retry) {
        use Category::{BadRequest, DriverBug, Precondition, Process, Safety};
        use RefusalCode::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, OutOfRange, ResourceExhausted};
        use Retry::{AfterPerson, Never, NewId, SameId};
        match self {
            Reason::InvalidRequest => ("INVALID_REQUEST", InvalidArgument, BadRequest, Never),
            Reason::UnknownInstrument => ("UNKNOWN_INSTRUMENT", NotFound, BadRequest, Never),
            Reason::OperationNotFound => ("OPERATION_NOT_FOUND", NotFound, Precondition, SameId),
            Reason::OperationIdReused => ("OPERATION_ID_REUSED", AlreadyExists, BadRequest, Never),
            Reason::LeaseHeld => ("LEASE_HELD", FailedPrecondition, Precondition, SameId),
            Reason::StaleEpoch => ("STALE_EPOCH", FailedPrecondition, Precondition, Never),
            Reason::StaleToken => ("STALE_TOKEN", FailedPrecondition, Precondition, SameId),
            Reason::LeaseExpired => ("LEASE_EXPIRED", FailedPrecondition, Precondition, SameId),
            Reason::TooManyHolders => ("TOO_MANY_HOLDERS", ResourceExhausted, Precondition, AfterPerson),
            Reason::Halted => ("HALTED", FailedPrecondition, Safety, AfterPerson),
            Reason::NotReady => ("NOT_READY", FailedPrecondition, Precondition, SameId),
            Reason::Busy => ("BUSY", ResourceExhausted, Precondition, SameId),
            Reason::ShuttingDown => ("SHUTTING_DOWN", FailedPrecondition, Precondition, SameId),
            Reason::UnknownCapability => ("UNKNOWN_CAPABILITY", NotFound, BadRequest, Never),
            Reason::CapabilityVersion => ("CAPABILITY_VERSION", FailedPrecondition, BadRequest, Never),
            Reason::UnknownArgument => ("UNKNOWN_ARGUMENT", InvalidArgument, BadRequest, Never),
            Reason::DuplicateArgument => ("DUPLICATE_ARGUMENT", InvalidArgument, BadRequest, Never),
            Reason::MissingArgument => ("MISSING_ARGUMENT", InvalidArgument, BadRequest, Never),
            Reason::WrongType => ("WRONG_TYPE", InvalidArgument, BadRequest, Never),
            Reason::WrongUnit => ("WRONG_UNIT", InvalidArgument, BadRequest, Never),
            Reason::NotFinite => ("NOT_FINITE", InvalidArgument, BadRequest, Never),
            Reason::OutOfRange => ("OUT_OF_RANGE", OutOfRange, BadRequest, Never),
            Reason::UnknownChoice => ("UNKNOWN_CHOICE", InvalidArgument, BadRequest, Never),
            Reason::RuleViolated => ("RULE_VIOLATED", OutOfRange, BadRequest, Never),
            Reason::CalibrationInvalid => ("CALIBRATION_INVALID", FailedPrecondition, Precondition, AfterPerson),
            Reason::ConsumableExhausted => ("CONSUMABLE_EXHAUSTED", FailedPrecondition, Precondition, AfterPerson),
            Reason::NotAbortable => ("NOT_ABORTABLE", FailedPrecondition, Precondition, Never),
            Reason::NotHoldable => ("NOT_HOLDABLE", FailedPrecondition, Precondition, Never),
            Reason::NotRunning => ("NOT_RUNNING", FailedPrecondition, Precondition, SameId),
            Reason::UnknownConsumable => ("UNKNOWN_CONSUMABLE", NotFound, BadRequest, Never),
            Reason::ArtifactNotFound => ("ARTIFACT_NOT_FOUND", NotFound, BadRequest, Never),
            Reason::NotHalted => ("NOT_HALTED", FailedPrecondition, Precondition, Never),
            Reason::StaleHalt => ("STALE_HALT", FailedPrecondition, Safety, AfterPerson),
            Reason::InterlockOpen => ("INTERLOCK_OPEN", FailedPrecondition, Safety, AfterPerson),
            Reason::NeedsOnSiteReset => ("NEEDS_ON_SITE_RESET", FailedPrecondition, Safety, AfterPerson),
            Reason::StillStopping => ("STILL_STOPPING", FailedPrecondition, Safety, SameId),
            Reason::NeverStarted => ("NEVER_STARTED", FailedPrecondition, Precondition, NewId),
            Reason::Aborted => ("ABORTED", FailedPrecondition, Process, NewId),
            Reason::LeaseLost => ("LEASE_LOST", FailedPrecondition, Precondition, NewId),
            Reason::MaxDurationExceeded => ("MAX_DURATION_EXCEEDED", FailedPrecondition, Process, NewId),
            Reason::Interrupted => ("INTERRUPTED", FailedPrecondition, Precondition, AfterPerson),
            Reason::DriverBug => ("DRIVER_BUG", FailedPrecondition, DriverBug, AfterPerson),
            Reason::OutputNotAsDeclared => ("OUTPUT_NOT_AS_DECLARED", FailedPrecondition, DriverBug, Never),
        }
    }
}

//! What goes into the machine and what comes out of it.

use super::reason::Refusal;
use super::record::Record;
use crate::wire;
use std::time::Duration;

/// The two clocks, read by whoever drives the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Now {
    /// Since an arbitrary start; leases and limits are measured by it.
    pub monotonic: Duration,
    /// For stamps that people read; no decision is drawn from it.
    pub utc: prost_types::Timestamp,
}

/// Names a call until it is answered; the driver of the machine makes it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// A call of the contract.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// GetStatus
    Status,
    /// AcquireLease
    AcquireLease(wire::AcquireLeaseRequest),
    /// RenewLease
    RenewLease(wire::RenewLeaseRequest),
    /// ReleaseLease
    ReleaseLease(wire::ReleaseLeaseRequest),
    /// ValidateOperation
    Validate(Box<wire::ExecuteRequest>),
    /// Execute
    Execute(Box<wire::ExecuteRequest>),
    /// GetOperation; the answer may come later.
    Get(wire::GetOperationRequest),
    /// ListOperations
    List(wire::ListOperationsRequest),
    /// AbortOperation
    Abort(wire::AbortOperationRequest),
    /// HoldOperation
    Hold(wire::HoldOperationRequest),
    /// ResumeOperation
    Resume(wire::ResumeOperationRequest),
    /// Halt
    Halt(wire::HaltRequest),
    /// ClearHalt
    ClearHalt(wire::ClearHaltRequest),
    /// UpdateConsumable
    UpdateConsumable(wire::UpdateConsumableRequest),
    /// WatchInstrument: the answer is what was missed, every later event follows.
    Watch(wire::WatchInstrumentRequest),
}

/// The answer to a call that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To Status, Halt, ClearHalt.
    Status(Box<wire::InstrumentStatus>),
    /// To AcquireLease and RenewLease.
    Lease(wire::Lease),
    /// To ReleaseLease.
    Released,
    /// To Validate.
    Validated(Box<wire::ValidateOperationResponse>),
    /// To Execute.
    Executed(Box<wire::ExecuteResponse>),
    /// To Get, Abort, Hold and Resume.
    Operation(Box<wire::Operation>),
    /// To List.
    Operations(wire::ListOperationsResponse),
    /// To UpdateConsumable.
    Consumable(wire::Consumable),
    /// To Watch: the status, then the missed events in order.
    Watching(Vec<wire::InstrumentEvent>),
}

/// What the hardware side tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// How far an operation is, 0 to 1.
    Progress {
        /// Which.
        operation_id: String,
        /// 0 to 1; a lower one than before is ignored.
        fraction: f64,
        /// A word for people.
        stage: String,
    },
    /// A value measured on the way.
    Intermediate {
        /// Which.
        operation_id: String,
        /// The value.
        measurement: Box<wire::Measurement>,
    },
    /// From here on the sample is affected so; [`Effect::Proceed`] follows once that is durable.
    PointOfNoReturn {
        /// Which.
        operation_id: String,
        /// What is about to be done.
        effect: wire::SampleEffect,
    },
    /// It waits at a safe point, as it was asked to.
    Held(String),
    /// It goes on.
    Resumed(String),
    /// The driver's code has come back.
    Finished {
        /// Which.
        operation_id: String,
        /// With what.
        result: Result<Outcome, Box<wire::Fault>>,
    },
    /// The instrument's own knowledge of an operation that ran when the driver died.
    Probed {
        /// Which.
        operation_id: String,
        /// What it said.
        probe: Probe,
    },
    /// The instrument's state, asked for from time to time.
    Status(StatusReport),
}

/// What an operation brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The declared outputs.
    pub measurements: Vec<wire::Measurement>,
    /// Larger results, by reference.
    pub artifacts: Vec<wire::Artifact>,
    /// What became of the sample; UNSPECIFIED is told as UNKNOWN.
    pub sample_effect: wire::SampleEffect,
    /// Where samples fared differently.
    pub sample_outcomes: Vec<wire::SampleOutcome>,
}

/// What an instrument itself knows of an operation after the driver has crashed.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// Nothing.
    Unknown,
    /// It never started.
    NeverStarted,
    /// It still runs; ask again.
    Running,
    /// It has ended, with this.
    Ended(Result<Outcome, Box<wire::Fault>>),
}

/// The instrument's own state, as its driver reports it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusReport {
    /// UNSPECIFIED is taken as READY.
    pub readiness: wire::instrument_status::Readiness,
    /// For people.
    pub message: String,
    /// The bound of the clock's error, where it is synchronised.
    pub clock_error: Option<Duration>,
    /// In force.
    pub calibrations: Vec<wire::Calibration>,
    /// What is there. Of those that are not measured the machine counts what remains, from what is stated first.
    pub consumables: Vec<wire::Consumable>,
    /// Hardware interlocks.
    pub interlocks: Vec<wire::Interlock>,
    /// A person has to come.
    pub needs_on_site_reset: bool,
}

/// Why the hardware is to go to its safe state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// AbortOperation.
    Abort,
    /// Halt.
    Halt,
    /// The lease was lost and the operation asked for the dead man's handle.
    LeaseLost,
    /// The capability's limit has passed.
    MaxDuration,
    /// The driver goes down.
    Shutdown,
    /// The driver has lost sight of it, and the hardware may move still.
    Interrupted,
}

/// An order to the hardware side.
#[derive(Clone, Debug, PartialEq)]
pub enum Hardware {
    /// Start it. Given at most once for one operation id.
    Start {
        /// As journaled, RUNNING.
        operation: Box<wire::Operation>,
        /// For whom; never part of a decision.
        context: wire::Context,
    },
    /// Stop this operation and go to the safe state; its `Finished` is awaited.
    Stop {
        /// Which.
        operation_id: String,
        /// Why.
        reason: StopReason,
    },
    /// Stop everything and go to the safe state.
    StopAll(StopReason),
    /// Wait at the next safe point; `Report::Held` tells that it does.
    Hold(String),
    /// Go on; `Report::Resumed` tells that it does.
    Resume(String),
    /// Ask the instrument what became of this operation.
    Probe(Box<wire::Operation>),
}

/// Something to do once the records of its [`Step`] are durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Answer a call.
    Reply(CallId, Result<Answer, Refusal>),
    /// Tell the watchers.
    Event(Box<wire::InstrumentEvent>),
    /// Order the hardware.
    Hardware(Hardware),
    /// A point of no return is durable: the driver's code may go on.
    Proceed(String),
    /// The results of this operation are past their time: its artifacts may be removed.
    Forget(String),
}

/// What one input asks for, in this order: stop at once, make the records durable, then the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Stops, which wait for no disk.
    pub at_once: Vec<Hardware>,
    /// To be synced, all of them, before anything of `after` is done.
    pub records: Vec<Record>,
    /// Released by the sync.
    pub after: Vec<Effect>,
}

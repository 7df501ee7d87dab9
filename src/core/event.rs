//! What happened: the only thing that the journal holds and the only thing that changes the state.

use crate::ids::{
    CampaignName, ExperimentNumber, InstrumentId, InterventionNumber, OperationId, RequestId, StepName, Ticket,
};
use crate::model::{
    Answer, CampaignSpec, Decision, Failure, InstrumentDescription, Observation, Origin, PastRow, Policy,
    RemainingGain, RepeatEffect, SampleEffect, Setting, StopReason, Value, Why,
};
use crate::rejection::Rejection;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the events that this build writes. A reader accepts this one and every earlier one.
pub const FORMAT_VERSION: u32 = 1;

/// An event as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// [`FORMAT_VERSION`] of the build that wrote it.
    pub v: u32,
    /// When it was decided.
    pub at: Time,
    /// The request that it answers; `None` where it follows from the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A process became the owner of this workcell: older owners are fenced.
    EpochTaken {
        /// The process, in words.
        owner: String,
        /// The workcell's name towards drivers: a UUID.
        workcell: String,
        /// One more than every earlier one.
        epoch: u64,
    },
    /// An instrument belongs to the workcell from now on.
    InstrumentAdded {
        /// Its name.
        instrument: InstrumentId,
    },
    /// An instrument left the workcell.
    InstrumentRemoved {
        /// Its name.
        instrument: InstrumentId,
    },
    /// A driver said what its instrument can do, and it differs from what was known.
    InstrumentDescribed {
        /// The instrument.
        instrument: InstrumentId,
        /// What it can do.
        description: InstrumentDescription,
    },
    /// A driver gave us its instrument: from now on operations may be dispatched to it under this token.
    LeaseTaken {
        /// The instrument.
        instrument: InstrumentId,
        /// The epoch for which it was taken.
        epoch: u64,
        /// The identity of the driver's journal: another one means that the driver has forgotten.
        journal_id: String,
        /// The driver's fencing token.
        token: i64,
    },
    /// A driver has not answered for a while. Nothing new is dispatched to it; what it was given stays open.
    InstrumentSilent {
        /// The instrument.
        instrument: InstrumentId,
        /// What is seen of it.
        reason: String,
    },
    /// A silent driver answers again.
    InstrumentHeard {
        /// The instrument.
        instrument: InstrumentId,
    },
    /// What may be done to this instrument in a person's place.
    PolicySet {
        /// The instrument.
        instrument: InstrumentId,
        /// `None`: nothing.
        policy: Option<Policy>,
    },
    /// A person is asked, and nothing is dispatched to this instrument until there is an answer. Comes before the operation's
    /// end.
    InstrumentQuarantined {
        /// The question's number; 0 in journals that were written before there were numbers.
        #[serde(default, skip_serializing_if = "is_zero")]
        intervention: InterventionNumber,
        /// The instrument.
        instrument: InstrumentId,
        /// Why.
        reason: String,
        /// The operation of which nobody knows what became.
        operation: Option<OperationId>,
    },
    /// The driver said after all how an operation had ended that had been given up.
    EvidenceFound {
        /// The intervention.
        intervention: InterventionNumber,
        /// How.
        ended: Ended,
    },
    /// Somebody has decided. To repeat is done when [`Event::OperationBuried`] follows.
    InterventionResolved {
        /// The intervention.
        intervention: InterventionNumber,
        /// What.
        decision: Decision,
        /// Who.
        by: String,
    },
    /// The driver can't begin this operation any more: its step may be repeated.
    OperationBuried {
        /// The operation.
        operation: OperationId,
    },
    /// It was to be repeated, and its driver says that it ran: the question is open again.
    InterventionReopened {
        /// The intervention.
        intervention: InterventionNumber,
        /// How it ended.
        ended: Ended,
    },
    /// Nobody came, or nobody is to be waited for: the instrument recovers by its policy.
    RecoveryStarted {
        /// The intervention.
        intervention: InterventionNumber,
        /// The capabilities that are run, in this order.
        capabilities: Vec<String>,
    },
    /// The instrument could not recover: a person is waited for.
    RecoveryFailed {
        /// The intervention.
        intervention: InterventionNumber,
        /// Why.
        reason: String,
    },
    /// A person has looked at the instrument and takes it back into service: everything open about it is discarded.
    InstrumentReleased {
        /// The instrument.
        instrument: InstrumentId,
        /// Who.
        by: String,
    },
    /// A driver has seen more of this workcell than the journal holds: acknowledged events are lost. Nothing is dispatched
    /// until a person adopts the journal.
    JournalDoubted {
        /// The instrument.
        instrument: InstrumentId,
        /// The highest epoch that its driver has seen; 0 if it did not say.
        epoch: u64,
        /// An operation of ours that its driver works on and the journal never had.
        operation: Option<OperationId>,
    },
    /// A person takes the journal as it is for the truth. The owner goes on in an epoch above every one that was seen.
    JournalAdopted {
        /// Who.
        by: String,
        /// The owner's new number.
        epoch: u64,
    },
    /// Nothing new is dispatched until what holds it is over; what runs goes on, and its results are kept.
    DispatchSuspended {
        /// What holds it: `disk`.
        cause: String,
        /// In words.
        reason: String,
    },
    /// What held dispatch is over: by itself, without a person.
    DispatchResumed {
        /// What held it.
        cause: String,
    },
    /// A person knows: this page isn't sent again.
    PageAcknowledged {
        /// The page, as it names itself.
        page: String,
        /// Who.
        by: String,
    },
    /// A campaign was added; it runs from now on.
    CampaignCreated {
        /// What it is; its past data follow as [`Event::PastAdded`].
        spec: Box<CampaignSpec>,
        /// SHA-256 of its file and of the files that it names, in hexadecimal.
        digest: String,
        /// Its file, to show what was changed.
        source: String,
        /// The seed from which every other is derived.
        seed: u64,
    },
    /// Observations made before the campaign.
    PastAdded {
        /// The campaign.
        campaign: CampaignName,
        /// They, at most [`PAST_ROWS_PER_EVENT`] at once.
        rows: Vec<PastRow>,
    },
    /// Rows of a past campaign that this one may learn from.
    PriorAdded {
        /// The campaign.
        campaign: CampaignName,
        /// What the past one is called.
        prior: String,
        /// They, at most [`PAST_ROWS_PER_EVENT`] at once.
        rows: Vec<PastRow>,
    },
    /// Points of the pool: only these may be proposed.
    PoolAdded {
        /// The campaign.
        campaign: CampaignName,
        /// They, at most [`PAST_ROWS_PER_EVENT`] at once.
        settings: Vec<Setting>,
    },
    /// No new experiment is started; those that run finish.
    CampaignPaused {
        /// The campaign.
        campaign: CampaignName,
        /// Who, or what.
        by: String,
        /// Why.
        reason: String,
    },
    /// Experiments are started again.
    CampaignResumed {
        /// The campaign.
        campaign: CampaignName,
        /// Who.
        by: String,
    },
    /// The campaign ends when what runs has finished.
    CampaignStopping {
        /// The campaign.
        campaign: CampaignName,
        /// Why.
        reason: StopReason,
    },
    /// The campaign ends when what runs has been aborted.
    CampaignAborting {
        /// The campaign.
        campaign: CampaignName,
        /// Who.
        by: String,
    },
    /// The campaign is over.
    CampaignEnded {
        /// The campaign.
        campaign: CampaignName,
        /// Why.
        reason: StopReason,
        /// What it found; `None` without a single observation.
        answer: Option<Box<Answer>>,
    },
    /// A plan is owed: everything that its planner may use is fixed here.
    PlanRequested {
        /// The campaign.
        campaign: CampaignName,
        /// Its number.
        ticket: Ticket,
        /// What is asked.
        purpose: Purpose,
        /// The planner may see experiments up to this one.
        through: ExperimentNumber,
        /// Those among them whose outcome it must not use, whether it has arrived or not.
        pending: Vec<ExperimentNumber>,
        /// The planner's seed.
        seed: u64,
    },
    /// The planner answered with points.
    ProposalsAdded {
        /// The campaign.
        campaign: CampaignName,
        /// The plan that was asked for.
        ticket: Ticket,
        /// The version of the planner.
        planner: String,
        /// What the planner must remember, as JSON text.
        memo: String,
        /// Milliseconds that it took: a figure for people, never part of a decision.
        took_ms: u64,
    },
    /// The planner said what is left to gain, before its points; where that is enough to stop, there are none.
    GainEstimated {
        /// The campaign.
        campaign: CampaignName,
        /// The plan that was asked for.
        ticket: Ticket,
        /// What is left.
        gain: Box<RemainingGain>,
    },
    /// The planner could not answer.
    PlanFailed {
        /// The campaign.
        campaign: CampaignName,
        /// The plan that was asked for.
        ticket: Ticket,
        /// Why.
        message: String,
    },
    /// A point will be tried.
    ExperimentAdded {
        /// The campaign.
        campaign: CampaignName,
        /// Its number: one more than the last one's.
        experiment: ExperimentNumber,
        /// Where the point comes from.
        origin: Origin,
        /// The point.
        setting: Setting,
        /// Why this one.
        why: Option<Why>,
    },
    /// The first step may begin.
    ExperimentStarted {
        /// The campaign.
        campaign: CampaignName,
        /// The experiment.
        experiment: ExperimentNumber,
    },
    /// The intent to call a driver. Durable before the driver hears of it.
    OperationDispatched(Box<Dispatch>),
    /// The driver says that the hardware has begun.
    OperationStarted {
        /// The operation.
        operation: OperationId,
    },
    /// It takes longer than declared. Says nothing about how it will end.
    OperationOverdue {
        /// The operation.
        operation: OperationId,
    },
    /// A person wants the operation stopped.
    AbortRequested {
        /// The operation.
        operation: OperationId,
        /// Why.
        reason: String,
    },
    /// What became of the operation: exactly once.
    OperationEnded {
        /// The operation.
        operation: OperationId,
        /// How.
        ended: Ended,
    },
    /// An experiment has its outcomes.
    ObservationRecorded {
        /// The campaign.
        campaign: CampaignName,
        /// The experiment.
        experiment: ExperimentNumber,
        /// They.
        observation: Observation,
    },
    /// An experiment ends without outcomes.
    ExperimentFailed {
        /// The campaign.
        campaign: CampaignName,
        /// The experiment.
        experiment: ExperimentNumber,
        /// Why.
        failure: Failure,
    },
    /// A request that made no sense, kept so that a repeat gets the same verdict and an auditor sees it.
    RequestRejected {
        /// The request, in a word.
        command: String,
        /// The verdict.
        rejection: Rejection,
    },
}

/// The most rows of past data, or points of a pool, in one event.
pub const PAST_ROWS_PER_EVENT: usize = 100;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Points to try.
    Propose {
        /// How many.
        count: u32,
    },
    /// The answer of the campaign.
    Answer,
}

/// Everything that a driver is told of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// The one id that this attempt of this step can ever have.
    pub operation: OperationId,
    /// The campaign.
    pub campaign: CampaignName,
    /// The experiment.
    pub experiment: ExperimentNumber,
    /// The step.
    pub step: StepName,
    /// 1 for the first.
    pub attempt: u32,
    /// Who does it.
    pub instrument: InstrumentId,
    /// What it does.
    pub capability: String,
    /// The capability's version.
    pub version: String,
    /// With what.
    pub arguments: BTreeMap<String, Value>,
    /// SHA-256 over capability, version and arguments, in hexadecimal.
    pub hash: String,
    /// The workcell's epoch.
    pub epoch: u64,
    /// The driver's journal under whose lease it was decided.
    pub journal_id: String,
    /// What a second execution would do.
    pub effect: RepeatEffect,
    /// When it is overdue; `None` if the driver declares no limit.
    pub deadline: Option<Time>,
    /// The intervention for which the instrument recovers; `None` for a step of an experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<InterventionNumber>,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Ended {
    /// With outputs.
    Succeeded {
        /// By name.
        outputs: BTreeMap<String, Value>,
    },
    /// With a fault; also when the driver refused it.
    Failed {
        /// The fault.
        fault: Fault,
        /// What became of the sample.
        sample: SampleEffect,
    },
    /// Because it was asked to stop.
    Aborted {
        /// What became of the sample; [`SampleEffect::None`] proves that it never started.
        sample: SampleEffect,
    },
    /// The driver restarted while it ran and can't tell.
    Interrupted,
    /// The driver has forgotten it, or its memory is another one: nobody can tell.
    Unknown {
        /// Why nobody can.
        reason: String,
    },
}

/// A fault, as the driver states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// `OUT_OF_RANGE`
    pub reason: String,
    /// For people.
    pub message: String,
    /// Who is to blame.
    pub category: FaultCategory,
    /// Whether a new attempt may help.
    pub retry: bool,
    /// Whether somebody has to see to the instrument first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub person: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(it: &bool) -> bool {
    !it
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(it: &InterventionNumber) -> bool {
    *it == 0
}

/// Who is to blame for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCategory {
    /// The instrument, its connection or its driver.
    Equipment,
    /// The call: these arguments can't work.
    Request,
    /// A gate: interlock, halt, calibration, consumable.
    Safety,
    /// It ran, but no usable result came of it.
    Measurement,
    /// The recipe itself fails here.
    Process,
}

impl Event {
    /// The campaign that the event belongs to, where it names one.
    #[must_use]
    pub fn campaign(&self) -> Option<&CampaignName> {
        match self {
            Self::CampaignCreated { spec, .. } => Some(&spec.name),
            Self::OperationDispatched(dispatch) => Some(&dispatch.campaign),
            Self::PastAdded { campaign, .. }
            | Self::PoolAdded { campaign, .. }
            | Self::PriorAdded { campaign, .. }
            | Self::CampaignPaused { campaign, .. }
            | Self::CampaignResumed { campaign, .. }
            | Self::CampaignStopping { campaign, .. }
            | Self::CampaignAborting { campaign, .. }
            | Self::CampaignEnded { campaign, .. }
            | Self::PlanRequested { campaign, .. }
            | Self::ProposalsAdded { campaign, .. }
            | Self::GainEstimated { campaign, .. }
            | Self::PlanFailed { campaign, .. }
            | Self::ExperimentAdded { campaign, .. }
            | Self::ExperimentStarted { campaign, .. }
            | Self::ObservationRecorded { campaign, .. }
            | Self::ExperimentFailed { campaign, .. } => Some(campaign),
            Self::EpochTaken { .. }
            | Self::InstrumentAdded { .. }
            | Self::InstrumentRemoved { .. }
            | Self::InstrumentDescribed { .. }
            | Self::LeaseTaken { .. }
            | Self::InstrumentSilent { .. }
            | Self::InstrumentHeard { .. }
            | Self::PolicySet { .. }
            | Self::InstrumentQuarantined { .. }
            | Self::EvidenceFound { .. }
            | Self::InterventionResolved { .. }
            | Self::InterventionReopened { .. }
            | Self::OperationBuried { .. }
            | Self::RecoveryStarted { .. }
            | Self::RecoveryFailed { .. }
            | Self::PageAcknowledged { .. }
            | Self::InstrumentReleased { .. }
            | Self::JournalDoubted { .. }
            | Self::JournalAdopted { .. }
            | Self::DispatchSuspended { .. }
            | Self::DispatchResumed { .. }
            | Self::OperationStarted { .. }
            | Self::OperationOverdue { .. }
            | Self::AbortRequested { .. }
            | Self::OperationEnded { .. }
            | Self::RequestRejected { .. } => None,
        }
    }
}

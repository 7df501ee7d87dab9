//! What the outside asks of the core: the imperative half of the ring.

use crate::event::Ended;
use crate::ids::{CampaignName, ExperimentNumber, InstrumentId, InterventionNumber, OperationId, RequestId, Ticket};
use crate::model::{
    Answer, CampaignSpec, Decision, InstrumentDescription, Observation, Policy, Proposal, RemainingGain, Setting,
};
use std::collections::BTreeMap;

/// A command and its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `None` for what the engine's own effects report: those are idempotent by their content.
    pub id: Option<RequestId>,
    /// What is asked.
    pub command: Command,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A process opens the workcell. The first command of every process.
    TakeEpoch {
        /// The process, in words.
        owner: String,
        /// The journal's identity.
        workcell: String,
    },
    /// These instruments, and no others, are the lab.
    SetLab {
        /// Each with what may be done in a person's place.
        instruments: BTreeMap<InstrumentId, Option<Policy>>,
    },
    /// A driver said what its instrument can do.
    DescribeInstrument {
        /// The instrument.
        instrument: InstrumentId,
        /// What it can do.
        description: InstrumentDescription,
    },
    /// A driver gave its instrument to this epoch.
    TakeLease {
        /// The instrument.
        instrument: InstrumentId,
        /// The epoch for which it was asked.
        epoch: u64,
        /// The driver's journal.
        journal_id: String,
        /// The driver's fencing token.
        token: i64,
    },
    /// A driver has not answered for a while.
    ReportSilence {
        /// The instrument.
        instrument: InstrumentId,
        /// What is seen of it.
        reason: String,
    },
    /// A driver answers.
    ReportHeard {
        /// The instrument.
        instrument: InstrumentId,
    },
    /// A person takes a quarantined instrument back into service.
    ReleaseInstrument {
        /// The instrument.
        instrument: InstrumentId,
        /// Who.
        by: String,
    },
    /// Somebody decides what an instrument waits for.
    ResolveIntervention {
        /// The intervention.
        intervention: InterventionNumber,
        /// What they had seen of it: [`Intervention::revision`](crate::Intervention::revision).
        revision: u32,
        /// What.
        decision: Decision,
        /// Who.
        by: String,
    },
    /// A person knows of these pages.
    AcknowledgePages {
        /// As they name themselves.
        pages: Vec<String>,
        /// Who.
        by: String,
    },
    /// A driver has seen more of this workcell than the journal holds.
    DoubtJournal {
        /// The instrument.
        instrument: InstrumentId,
        /// The highest epoch that its driver has seen; 0 if it did not say.
        epoch: u64,
        /// An operation of ours that its driver works on.
        operation: Option<OperationId>,
    },
    /// A person takes the journal as it is for the truth, although drivers have seen more.
    AdoptJournal {
        /// Who.
        by: String,
    },
    /// Nothing new is dispatched while this lasts; what runs goes on.
    SuspendDispatch {
        /// What holds it: `disk`.
        cause: String,
        /// In words.
        reason: String,
    },
    /// What held dispatch is over.
    ResumeDispatch {
        /// What held it.
        cause: String,
    },
    /// A new campaign.
    AddCampaign {
        /// What it is, checked.
        spec: Box<CampaignSpec>,
        /// SHA-256 of its files.
        digest: String,
        /// Its file.
        source: String,
        /// Its seed.
        seed: u64,
    },
    /// Start nothing new.
    PauseCampaign {
        /// The campaign.
        campaign: CampaignName,
        /// Who.
        by: String,
    },
    /// Go on.
    ResumeCampaign {
        /// The campaign.
        campaign: CampaignName,
        /// Who.
        by: String,
    },
    /// Finish what runs, then end.
    StopCampaign {
        /// The campaign.
        campaign: CampaignName,
        /// Who.
        by: String,
    },
    /// Abort what runs, then end.
    AbortCampaign {
        /// The campaign.
        campaign: CampaignName,
        /// Who.
        by: String,
    },
    /// Points of a person's own, before the planner's.
    EnqueueExperiments {
        /// The campaign.
        campaign: CampaignName,
        /// The points.
        settings: Vec<Setting>,
    },
    /// The next points of a campaign that is done by hand.
    SuggestExperiments {
        /// The campaign.
        campaign: CampaignName,
        /// How many.
        count: u32,
    },
    /// What people measured.
    RecordObservations {
        /// The campaign.
        campaign: CampaignName,
        /// One row an experiment.
        rows: Vec<RecordedRow>,
    },
    /// The planner answered with points.
    AddProposals {
        /// The campaign.
        campaign: CampaignName,
        /// The plan that was asked for.
        ticket: Ticket,
        /// The planner's answer.
        answer: PlanAnswer,
    },
    /// The planner could not answer.
    FailPlan {
        /// The campaign.
        campaign: CampaignName,
        /// The plan that was asked for.
        ticket: Ticket,
        /// Why.
        message: String,
    },
    /// A driver said what became of an operation.
    ReportOperation {
        /// The operation.
        operation: OperationId,
        /// What.
        report: Report,
    },
    /// Time has passed.
    Tick,
}

impl Command {
    /// The command's name, in words.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::TakeEpoch { .. } => "take epoch",
            Self::SetLab { .. } => "set lab",
            Self::DescribeInstrument { .. } => "describe instrument",
            Self::TakeLease { .. } => "take lease",
            Self::ReportSilence { .. } => "report silence",
            Self::ReportHeard { .. } => "report heard",
            Self::ReleaseInstrument { .. } => "release instrument",
            Self::ResolveIntervention { .. } => "resolve",
            Self::AcknowledgePages { .. } => "acknowledge",
            Self::DoubtJournal { .. } => "doubt journal",
            Self::AdoptJournal { .. } => "adopt journal",
            Self::SuspendDispatch { .. } => "suspend dispatch",
            Self::ResumeDispatch { .. } => "resume dispatch",
            Self::AddCampaign { .. } => "add campaign",
            Self::PauseCampaign { .. } => "pause",
            Self::ResumeCampaign { .. } => "resume",
            Self::StopCampaign { .. } => "stop",
            Self::AbortCampaign { .. } => "abort",
            Self::EnqueueExperiments { .. } => "enqueue",
            Self::SuggestExperiments { .. } => "suggest",
            Self::RecordObservations { .. } => "record",
            Self::AddProposals { .. } => "add proposals",
            Self::FailPlan { .. } => "fail plan",
            Self::ReportOperation { .. } => "report operation",
            Self::Tick => "tick",
        }
    }
}

/// A row of `record`.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedRow {
    /// The experiment that was suggested; `None` for a point of the person's own.
    pub experiment: Option<ExperimentNumber>,
    /// The point; may be left out of a suggested one.
    pub setting: Option<Setting>,
    /// What came of it.
    pub result: RowResult,
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowResult {
    /// Every outcome.
    Observed(Observation),
    /// The recipe fails here, in the person's words.
    Failed(String),
}

/// What a planner gives back.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanAnswer {
    /// Points to try.
    Proposals {
        /// The points and their reasons.
        proposals: Vec<Proposal>,
        /// What the planner must remember, as JSON text.
        memo: String,
        /// The planner's version.
        planner: String,
        /// Milliseconds that it took.
        took_ms: u64,
        /// What is left to gain, where the stop rule asks for it.
        gain: Option<Box<RemainingGain>>,
    },
    /// No points, for what is left to gain is too little.
    Enough(Box<RemainingGain>),
    /// What the campaign found.
    Answer(Option<Box<Answer>>),
}

/// What a driver says of an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The hardware has begun.
    Started,
    /// It is over.
    Ended(Ended),
}

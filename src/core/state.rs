//! The state: everything that decisions look at, rebuilt from the events alone.

use crate::effect::{Effect, EffectKey};
use crate::event::{Dispatch, Fault, Purpose};
use crate::ids::{
    CampaignName, ExperimentNumber, InstrumentId, InterventionNumber, OperationId, RequestId, StepName, Ticket,
};
use crate::intervention::Intervention;
use crate::model::{
    Answer, CampaignSpec, Failure, InstrumentDescription, Observation, Origin, PastRow, Policy, RemainingGain,
    SampleEffect, Setting, StopReason, Value, Why,
};
use crate::rejection::Rejection;
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The request ids that are remembered; a repeat of an older one is decided anew.
pub const MAX_REMEMBERED_REQUESTS: usize = 10_000;

/// A set of instruments that are scheduled together, and their campaigns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workcell {
    /// Its name towards drivers; empty before the first epoch.
    pub id: String,
    /// The owner's number; 0 before the first.
    pub epoch: u64,
    /// The time of the last event.
    pub now: Time,
    /// By name.
    pub instruments: BTreeMap<InstrumentId, Instrument>,
    /// By name.
    pub campaigns: BTreeMap<CampaignName, Campaign>,
    /// Those that have not ended.
    pub operations: BTreeMap<OperationId, Operation>,
    /// What people were asked, answered or not.
    pub interventions: BTreeMap<InterventionNumber, Intervention>,
    /// Pages that somebody knows of, and since when.
    pub acknowledged: BTreeMap<String, Time>,
    /// Drivers have seen more than the journal holds: nothing is dispatched until a person adopts it.
    pub doubt: Option<Doubt>,
    /// What holds dispatch until it is over by itself: why in words, and since when.
    pub suspended: BTreeMap<String, (String, Time)>,
    /// Operations that drivers know under our name, the journal does not, and a person has accepted so.
    pub adopted: BTreeSet<OperationId>,
    /// When operations are overdue that aren't yet, in their order.
    pub(crate) deadlines: BTreeSet<(Time, OperationId)>,
    /// Instruments that could do another operation beside what they do.
    pub(crate) roomy: BTreeSet<InstrumentId>,
    /// The verdicts on requests.
    pub(crate) requests: BTreeMap<RequestId, Reply>,
    pub(crate) request_order: VecDeque<RequestId>,
    pub(crate) owed: BTreeMap<EffectKey, Effect>,
}

/// What a request got.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The experiments that it added.
    pub experiments: Vec<ExperimentNumber>,
    /// The plan that it asked for.
    pub ticket: Option<Ticket>,
    /// Why it changed nothing.
    pub rejection: Option<Rejection>,
}

/// An instrument.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Instrument {
    /// What it can do; `None` until its driver has said so.
    pub description: Option<InstrumentDescription>,
    /// The last lease that was taken.
    pub lease: Option<Lease>,
    /// What may be done in a person's place.
    pub policy: Option<Policy>,
    /// Why nothing is dispatched to it: the oldest of its open interventions.
    pub quarantined: Option<String>,
    /// Its driver doesn't answer: what is seen of it, and since when.
    pub silent: Option<(String, Time)>,
    /// What it does now.
    pub running: BTreeSet<OperationId>,
}

/// What drivers have seen and the journal does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Whose drivers.
    pub instruments: BTreeSet<InstrumentId>,
    /// The highest epoch that they have seen.
    pub epoch: u64,
    /// Operations that they work on.
    pub operations: BTreeSet<OperationId>,
    /// Since when.
    pub since: Time,
}

/// A lease that a driver gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The owner's number for which it was taken.
    pub epoch: u64,
    /// The driver's journal.
    pub journal_id: String,
    /// The driver's fencing token.
    pub token: i64,
}

/// An operation that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// What was dispatched.
    pub dispatch: Dispatch,
    /// When.
    pub dispatched_at: Time,
    /// When the hardware began, if it has.
    pub started_at: Option<Time>,
    /// Why it is to be stopped.
    pub abort: Option<String>,
    /// It takes longer than declared.
    pub overdue: bool,
    /// It had ended without anybody knowing how, and a person has decided to repeat its step: before that its driver must
    /// be unable to begin it.
    pub burying: Option<InterventionNumber>,
}

/// A campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// What it is; its past data stand in [`Campaign::past`].
    pub spec: CampaignSpec,
    /// SHA-256 of its files.
    pub digest: String,
    /// Its file.
    pub source: String,
    /// Its seed.
    pub seed: u64,
    /// When it was added.
    pub created_at: Time,
    /// Where it stands.
    pub phase: Phase,
    /// Since when.
    pub phase_since: Time,
    /// Observations made before it.
    pub past: Vec<PastRow>,
    /// The only points that may be proposed; none: any.
    pub pool: Vec<Setting>,
    /// Past campaigns that it may learn from: their names and rows.
    pub priors: Vec<(String, Vec<PastRow>)>,
    /// Number n stands at place n - 1.
    pub experiments: Vec<Experiment>,
    /// Those that are added and not started.
    pub waiting: BTreeSet<ExperimentNumber>,
    /// Those that run.
    pub live: BTreeSet<ExperimentNumber>,
    /// Those among them from which something may follow; the others wait for what is open.
    pub active: BTreeSet<ExperimentNumber>,
    /// The plan that is owed.
    pub plan: Option<Plan>,
    /// The number of the last plan.
    pub last_ticket: Ticket,
    /// What the planner must remember, as JSON text; empty before its first answer.
    pub memo: String,
    /// Milliseconds that the planner took in all.
    pub planner_ms: u64,
    /// Operations dispatched.
    pub operations: u64,
    /// Experiments of the budget that are used or spoken for.
    pub used: u32,
    /// What they cost by the campaign's own words.
    pub spent: f64,
    /// Failures of equipment since the last observation.
    pub equipment_failures: u32,
    /// The best feasible experiment so far and its objective, where there is one objective.
    pub best: Option<(ExperimentNumber, f64)>,
    /// With several objectives, the feasible experiments that no other is better than in all of them by its readings, each
    /// with its objectives, larger is better.
    pub front: BTreeMap<ExperimentNumber, Vec<f64>>,
    /// Observations since the objective last gained what counts, or since the front last grew.
    pub since_gain: u32,
    /// What the model last said of the gain that is left.
    pub gain: Option<Box<RemainingGain>>,
    /// How often that was tested.
    pub gain_tests: u32,
    /// What was found.
    pub answer: Option<Box<Answer>>,
    /// When it ended.
    pub ended_at: Option<Time>,
}

/// Where a campaign stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Experiments are proposed and started.
    Running,
    /// Nothing new is started.
    Paused {
        /// Who, or what.
        by: String,
        /// Why.
        reason: String,
    },
    /// It ends when what runs has finished.
    Stopping(StopReason),
    /// It ends when what runs has been aborted.
    Aborting {
        /// Who.
        by: String,
    },
    /// It is over.
    Ended(StopReason),
}

impl Phase {
    /// The phase in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Stopping(_) => "stopping",
            Self::Aborting { .. } => "aborting",
            Self::Ended(_) => "ended",
        }
    }
}

/// A plan that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its number.
    pub ticket: Ticket,
    /// What is asked.
    pub purpose: Purpose,
}

/// A point and its execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// From 1.
    pub number: ExperimentNumber,
    /// Where the point comes from.
    pub origin: Origin,
    /// The point.
    pub setting: Setting,
    /// Why this one.
    pub why: Option<Why>,
    /// Where it stands.
    pub phase: ExperimentPhase,
    /// Its steps while it runs.
    pub steps: BTreeMap<StepName, StepState>,
    /// Where the result of each step that succeeded lies.
    pub done: BTreeMap<StepName, (InstrumentId, OperationId)>,
    /// When it started.
    pub started_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
}

/// Where an experiment stands.
#[derive(Clone, Debug, PartialEq)]
pub enum ExperimentPhase {
    /// Added, not started.
    Waiting,
    /// Under way.
    Running,
    /// It has its outcomes.
    Observed(Observation),
    /// It ended without.
    Failed(Failure),
}

impl ExperimentPhase {
    /// Whether nothing more will come of it.
    #[must_use]
    pub fn ended(&self) -> bool {
        match self {
            Self::Waiting | Self::Running => false,
            Self::Observed(_) | Self::Failed(_) => true,
        }
    }
}

/// Where a step stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepState {
    /// Operations so far.
    pub attempts: u32,
    /// Whether a second execution of the last one would be harmless.
    pub repeatable: bool,
    /// The operation that is open, or how the last one ended.
    pub phase: StepPhase,
}

/// Where a step stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum StepPhase {
    /// Not dispatched.
    #[default]
    Pending,
    /// Its operation is open.
    Open(OperationId),
    /// With outputs.
    Succeeded(BTreeMap<String, Value>),
    /// Its last operation failed.
    Failed {
        /// The fault.
        fault: Fault,
        /// What became of the sample.
        sample: SampleEffect,
    },
    /// It was aborted.
    Aborted,
    /// Nobody knows what became of it.
    Unknown(String),
    /// Nobody knows what became of it, and a person is asked.
    Asked(InterventionNumber),
    /// A person decided to repeat it, and its last operation can't begin any more.
    Buried,
}

impl Workcell {
    /// What the world is owed now.
    #[must_use]
    pub fn owed(&self) -> &BTreeMap<EffectKey, Effect> {
        &self.owed
    }

    /// When a [`Tick`](crate::Command::Tick) is due next.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Time> {
        let late = self.deadlines.first().map(|(deadline, _)| *deadline).into_iter();
        let recoveries = self.open_interventions().filter_map(|it| self.policy_for(it)).map(|(_, due)| due);
        late.chain(recoveries.filter(|due| *due > self.now)).min()
    }

    /// The first verdict on this request.
    #[must_use]
    pub fn verdict(&self, request: &RequestId) -> Option<&Reply> {
        self.requests.get(request)
    }

    pub(crate) fn campaign(&self, name: &CampaignName) -> Result<&Campaign, Rejection> {
        self.campaigns.get(name).ok_or_else(|| Rejection::unknown_campaign(name))
    }

    /// Whether this instrument may be given operations: its lease of this epoch is durable, nobody forbids it, nothing
    /// suspends it, and the journal is not in doubt.
    #[must_use]
    pub fn held(&self, instrument: &Instrument) -> bool {
        instrument.quarantined.is_none() && self.at_hand(instrument)
    }

    /// As [`Workcell::held`], but a quarantined instrument may recover.
    pub(crate) fn at_hand(&self, instrument: &Instrument) -> bool {
        self.doubt.is_none()
            && self.suspended.is_empty()
            && instrument.silent.is_none()
            && instrument.lease.as_ref().is_some_and(|lease| lease.epoch == self.epoch)
    }
}

impl Campaign {
    /// The experiment of this number.
    #[must_use]
    pub fn experiment(&self, number: ExperimentNumber) -> Option<&Experiment> {
        self.experiments.get((number as usize).checked_sub(1)?)
    }

    pub(crate) fn experiment_mut(&mut self, number: ExperimentNumber) -> Option<&mut Experiment> {
        self.experiments.get_mut((number as usize).checked_sub(1)?)
    }

    /// The number that the next experiment gets.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "budgets are u32, and each experiment is counted")]
    pub fn next_number(&self) -> ExperimentNumber {
        self.experiments.len() as ExperimentNumber + 1
    }

    /// Whether nothing more will happen in it.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }
}

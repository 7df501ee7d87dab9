//! One arm an event: how the state changes, and what is owed after it.

mod intervention;

use crate::effect::{Attend, Effect, EffectKey, PlanOrder};
use crate::event::{Dispatch, Ended, Event, Recorded};
use crate::gain::dominates;
use crate::ids::{CampaignName, ExperimentNumber, InstrumentId, OperationId, RequestId};
use crate::model::{
    Answer, CampaignSpec, Failure, FailureKind, GainVerdict, Observation, Origin, RepeatEffect, Setting, StopReason,
    Why,
};
use crate::state::{
    Campaign, Doubt, Experiment, ExperimentPhase, Instrument, Lease, MAX_REMEMBERED_REQUESTS, Operation, Phase, Plan,
    StepPhase, StepState, Workcell,
};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Applies one event. Total: an event that refers to nothing known changes nothing.
pub fn evolve(workcell: &mut Workcell, recorded: &Recorded) {
    workcell.now = workcell.now.max(recorded.at);
    if let Some(request) = &recorded.request {
        remember(workcell, request, &recorded.event);
    }
    apply(workcell, recorded.at, &recorded.event);
}

fn remember(workcell: &mut Workcell, request: &RequestId, event: &Event) {
    if !workcell.requests.contains_key(request) {
        workcell.request_order.push_back(request.clone());
        if workcell.request_order.len() > MAX_REMEMBERED_REQUESTS
            && let Some(oldest) = workcell.request_order.pop_front()
        {
            workcell.requests.remove(&oldest);
        }
    }
    let reply = workcell.requests.entry(request.clone()).or_default();
    if let Event::ExperimentAdded { experiment, .. } = event {
        reply.experiments.push(*experiment);
    } else if let Event::PlanRequested { ticket, .. } = event {
        reply.ticket = Some(*ticket);
    } else if let Event::RequestRejected { rejection, .. } = event {
        reply.rejection = Some(rejection.clone());
    }
}

fn apply(workcell: &mut Workcell, at: Time, event: &Event) {
    match event {
        Event::EpochTaken { workcell: id, epoch, .. } => epoch_taken(workcell, id, *epoch),
        Event::InstrumentAdded { instrument } => {
            workcell.instruments.entry(instrument.clone()).or_default();
            owe_hold(workcell, instrument);
        }
        Event::InstrumentRemoved { instrument } => {
            workcell.instruments.remove(instrument);
            workcell.roomy.remove(instrument);
            workcell.owed.remove(&EffectKey::Hold(instrument.clone()));
        }
        Event::InstrumentDescribed { instrument, description } => {
            with_instrument(workcell, instrument, |it| it.description = Some(description.clone()));
        }
        Event::LeaseTaken { instrument, epoch, journal_id, token } => {
            let lease = Lease { epoch: *epoch, journal_id: journal_id.clone(), token: *token };
            with_instrument(workcell, instrument, |it| it.lease = Some(lease));
            owe_running(workcell, instrument);
        }
        Event::InstrumentSilent { instrument, reason } => {
            with_instrument(workcell, instrument, |it| it.silent = Some((reason.clone(), at)));
        }
        Event::InstrumentHeard { instrument } => with_instrument(workcell, instrument, |it| it.silent = None),
        Event::PolicySet { instrument, policy } => {
            with_instrument(workcell, instrument, |it| it.policy.clone_from(policy));
        }
        Event::InstrumentQuarantined { instrument, reason, operation, .. } => {
            intervention::opened(workcell, at, instrument, reason, operation.as_ref());
        }
        Event::EvidenceFound { intervention, ended } => intervention::found(workcell, *intervention, at, ended),
        Event::InterventionResolved { intervention, decision, by } => {
            intervention::resolved(workcell, *intervention, at, *decision, by);
        }
        Event::OperationBuried { operation } => intervention::buried(workcell, operation),
        Event::InterventionReopened { intervention, ended } => {
            intervention::reopened(workcell, *intervention, at, ended);
        }
        Event::RecoveryStarted { intervention, capabilities } => {
            intervention::recovery_started(workcell, *intervention, at, capabilities);
        }
        Event::RecoveryFailed { intervention, reason } => {
            intervention::recovery_failed(workcell, *intervention, reason);
        }
        Event::InstrumentReleased { instrument, by } => intervention::released(workcell, instrument, at, by),
        Event::PageAcknowledged { page, .. } => {
            workcell.acknowledged.insert(page.clone(), at);
        }
        Event::JournalDoubted { instrument, epoch, operation } => {
            let doubt = workcell.doubt.get_or_insert_with(|| Doubt { since: at, ..Doubt::default() });
            doubt.instruments.insert(instrument.clone());
            doubt.epoch = doubt.epoch.max(*epoch);
            doubt.operations.extend(operation.clone());
        }
        Event::JournalAdopted { epoch, .. } => {
            let doubt = workcell.doubt.take().unwrap_or_default();
            workcell.adopted.extend(doubt.operations);
            let id = workcell.id.clone();
            epoch_taken(workcell, &id, *epoch);
        }
        Event::DispatchSuspended { cause, reason } => {
            workcell.suspended.insert(cause.clone(), (reason.clone(), at));
        }
        Event::DispatchResumed { cause } => {
            workcell.suspended.remove(cause);
        }
        Event::CampaignCreated { spec, digest, source, seed } => {
            let campaign = new_campaign(spec, digest, source, *seed, at);
            workcell.campaigns.insert(spec.name.clone(), campaign);
        }
        Event::PastAdded { campaign, rows } => {
            with_campaign(workcell, campaign, |it| it.past.extend(rows.iter().cloned()));
        }
        Event::PriorAdded { campaign, prior, rows } => {
            with_campaign(workcell, campaign, |it| match it.priors.iter_mut().find(|(name, _)| name == prior) {
                Some((_, known)) => known.extend(rows.iter().cloned()),
                None => it.priors.push((prior.clone(), rows.clone())),
            })
        }
        Event::PoolAdded { campaign, settings } => {
            with_campaign(workcell, campaign, |it| it.pool.extend(settings.iter().cloned()));
        }
        Event::CampaignPaused { campaign, by, reason } => {
            let phase = Phase::Paused { by: by.clone(), reason: reason.clone() };
            set_phase(workcell, campaign, at, phase);
        }
        Event::CampaignResumed { campaign, .. } => with_campaign(workcell, campaign, |it| {
            (it.phase, it.phase_since) = (Phase::Running, at);
            it.equipment_failures = 0;
        }),
        Event::CampaignStopping { campaign, reason } => {
            set_phase(workcell, campaign, at, Phase::Stopping(reason.clone()));
            void_plan(workcell, campaign);
        }
        Event::CampaignAborting { campaign, by } => {
            set_phase(workcell, campaign, at, Phase::Aborting { by: by.clone() });
            void_plan(workcell, campaign);
        }
        Event::CampaignEnded { campaign, reason, answer } => {
            void_plan(workcell, campaign);
            campaign_ended(workcell, campaign, at, reason, answer.clone());
        }
        Event::PlanRequested { campaign, ticket, purpose, through, pending, seed } => {
            let order = PlanOrder {
                campaign: campaign.clone(),
                ticket: *ticket,
                purpose: *purpose,
                through: *through,
                pending: pending.clone(),
                seed: *seed,
            };
            with_campaign(workcell, campaign, |it| {
                it.plan = Some(Plan { ticket: *ticket, purpose: *purpose });
                it.last_ticket = *ticket;
            });
            workcell.owed.insert(EffectKey::Plan(campaign.clone(), *ticket), Effect::Plan(Box::new(order)));
        }
        Event::ProposalsAdded { campaign, memo, took_ms, .. } => {
            void_plan(workcell, campaign);
            with_campaign(workcell, campaign, |it| {
                it.memo.clone_from(memo);
                it.planner_ms = it.planner_ms.saturating_add(*took_ms);
            });
        }
        Event::GainEstimated { campaign, gain, .. } => {
            if gain.verdict == GainVerdict::Enough {
                void_plan(workcell, campaign);
            }
            with_campaign(workcell, campaign, |it| {
                it.gain_tests = it.gain_tests.saturating_add(u32::from(gain.tested));
                it.gain = Some(gain.clone());
            });
        }
        Event::PlanFailed { campaign, .. } => void_plan(workcell, campaign),
        Event::ExperimentAdded { campaign, experiment, origin, setting, why } => {
            with_campaign(workcell, campaign, |it| add_experiment(it, *experiment, origin, setting, why.clone()));
        }
        Event::ExperimentStarted { campaign, experiment } => {
            with_campaign(workcell, campaign, |it| start_experiment(it, *experiment, at));
        }
        Event::OperationDispatched(dispatch) => dispatched(workcell, at, dispatch),
        Event::OperationStarted { operation } => {
            with_operation(workcell, operation, |it| it.started_at = Some(at));
        }
        Event::OperationOverdue { operation } => {
            forget_deadline(workcell, operation);
            with_operation(workcell, operation, |it| it.overdue = true);
        }
        Event::AbortRequested { operation, reason } => {
            with_operation(workcell, operation, |it| it.abort = Some(reason.clone()));
            owe_attend(workcell, operation);
        }
        Event::OperationEnded { operation, ended } => operation_ended(workcell, operation, ended),
        Event::ObservationRecorded { campaign, experiment, observation } => {
            with_campaign(workcell, campaign, |it| observed(it, *experiment, at, observation));
        }
        Event::ExperimentFailed { campaign, experiment, failure } => {
            with_campaign(workcell, campaign, |it| failed(it, *experiment, at, failure));
        }
        Event::RequestRejected { .. } => {}
    }
}

fn with_instrument(workcell: &mut Workcell, name: &InstrumentId, change: impl FnOnce(&mut Instrument)) {
    let Some(instrument) = workcell.instruments.get_mut(name) else { return };
    change(instrument);
    let most = instrument.description.as_ref().map_or(0, |it| it.max_concurrency.max(1) as usize);
    if instrument.running.len() < most {
        workcell.roomy.insert(name.clone());
    } else {
        workcell.roomy.remove(name);
    }
}

fn with_campaign(workcell: &mut Workcell, name: &CampaignName, change: impl FnOnce(&mut Campaign)) {
    if let Some(campaign) = workcell.campaigns.get_mut(name) {
        change(campaign);
    }
}

fn set_phase(workcell: &mut Workcell, name: &CampaignName, at: Time, phase: Phase) {
    with_campaign(workcell, name, |it| {
        (it.phase, it.phase_since) = (phase, at);
        // What follows for an experiment depends on it.
        it.active.clone_from(&it.live);
    });
}

fn with_operation(workcell: &mut Workcell, id: &OperationId, change: impl FnOnce(&mut Operation)) {
    if let Some(operation) = workcell.operations.get_mut(id) {
        change(operation);
    }
}

fn epoch_taken(workcell: &mut Workcell, id: &str, epoch: u64) {
    workcell.id = id.into();
    workcell.epoch = epoch;
    // Every lease is of an older epoch now: nobody hears anything until it is taken again.
    for name in workcell.instruments.keys().cloned().collect::<Vec<_>>() {
        owe_hold(workcell, &name);
        owe_running(workcell, &name);
    }
}

fn owe_hold(workcell: &mut Workcell, instrument: &InstrumentId) {
    let lease = workcell.instruments.get(instrument).and_then(|it| it.lease.as_ref());
    let known = lease.map(|it| (it.journal_id.clone(), it.token));
    let effect = Effect::Hold { instrument: instrument.clone(), epoch: workcell.epoch, known };
    workcell.owed.insert(EffectKey::Hold(instrument.clone()), effect);
}

fn owe_running(workcell: &mut Workcell, instrument: &InstrumentId) {
    let running = workcell.instruments.get(instrument).map(|it| it.running.clone()).unwrap_or_default();
    for operation in &running {
        owe_attend(workcell, operation);
    }
    intervention::owe_inquiries(workcell, instrument);
}

fn owe_attend(workcell: &mut Workcell, id: &OperationId) {
    if let Some(operation) = workcell.operations.get(id) {
        owe(workcell, operation.clone(), false);
    }
}

fn owe(workcell: &mut Workcell, operation: Operation, inquire: bool) {
    let lease = workcell.instruments.get(&operation.dispatch.instrument).and_then(|it| it.lease.as_ref());
    let attend = Attend {
        seed: workcell.campaigns.get(&operation.dispatch.campaign).map_or(0, |campaign| campaign.seed),
        epoch: workcell.epoch,
        lease: lease.filter(|it| it.epoch == workcell.epoch).map(|it| (it.token, it.journal_id.clone())),
        started: operation.started_at.is_some(),
        abort: operation.abort,
        inquire,
        dispatch: operation.dispatch,
    };
    workcell.owed.insert(EffectKey::Attend(attend.dispatch.operation.clone()), Effect::Attend(Box::new(attend)));
}

fn void_plan(workcell: &mut Workcell, name: &CampaignName) {
    let Some(campaign) = workcell.campaigns.get_mut(name) else { return };
    if let Some(plan) = campaign.plan.take() {
        workcell.owed.remove(&EffectKey::Plan(name.clone(), plan.ticket));
    }
}

fn new_campaign(spec: &CampaignSpec, digest: &str, source: &str, seed: u64, at: Time) -> Campaign {
    Campaign {
        spec: spec.clone(),
        digest: digest.into(),
        source: source.into(),
        seed,
        created_at: at,
        phase: Phase::Running,
        phase_since: at,
        past: Vec::new(),
        pool: Vec::new(),
        priors: Vec::new(),
        experiments: Vec::new(),
        waiting: BTreeSet::new(),
        live: BTreeSet::new(),
        active: BTreeSet::new(),
        plan: None,
        last_ticket: 0,
        memo: String::new(),
        planner_ms: 0,
        operations: 0,
        used: 0,
        spent: 0.0,
        equipment_failures: 0,
        best: None,
        front: BTreeMap::new(),
        since_gain: 0,
        gain: None,
        gain_tests: 0,
        answer: None,
        ended_at: None,
    }
}

fn campaign_ended(
    workcell: &mut Workcell,
    name: &CampaignName,
    at: Time,
    reason: &StopReason,
    answer: Option<Box<Answer>>,
) {
    set_phase(workcell, name, at, Phase::Ended(reason.clone()));
    with_campaign(workcell, name, |it| {
        it.answer = answer;
        it.ended_at = Some(at);
    });
}

fn add_experiment(
    campaign: &mut Campaign,
    number: ExperimentNumber,
    origin: &Origin,
    setting: &Setting,
    why: Option<Why>,
) {
    let previous = campaign.experiments.last().map(|it| &it.setting);
    campaign.spent += campaign.spec.cost_of(setting, previous);
    campaign.experiments.push(Experiment {
        number,
        origin: origin.clone(),
        setting: setting.clone(),
        why,
        phase: ExperimentPhase::Waiting,
        steps: BTreeMap::new(),
        done: BTreeMap::new(),
        started_at: None,
        ended_at: None,
    });
    campaign.waiting.insert(number);
    campaign.used += 1;
}

fn start_experiment(campaign: &mut Campaign, number: ExperimentNumber, at: Time) {
    let steps = campaign.spec.steps.iter().map(|step| (step.name.clone(), StepState::default())).collect();
    if let Some(experiment) = campaign.experiment_mut(number) {
        experiment.phase = ExperimentPhase::Running;
        experiment.started_at = Some(at);
        experiment.steps = steps;
        campaign.waiting.remove(&number);
        campaign.live.insert(number);
        campaign.active.insert(number);
    }
}

fn dispatched(workcell: &mut Workcell, at: Time, dispatch: &Dispatch) {
    let id = dispatch.operation.clone();
    with_instrument(workcell, &dispatch.instrument, |it| {
        it.running.insert(id.clone());
    });
    with_campaign(workcell, &dispatch.campaign, |it| {
        it.operations += 1;
        let step = it.experiment_mut(dispatch.experiment).and_then(|it| it.steps.get_mut(&dispatch.step));
        if let Some(step) = step {
            *step = StepState {
                attempts: dispatch.attempt,
                repeatable: dispatch.effect == RepeatEffect::Repeatable,
                phase: StepPhase::Open(id.clone()),
            };
        }
        if it.experiment(dispatch.experiment).is_some_and(|experiment| waits(&it.spec, experiment)) {
            it.active.remove(&dispatch.experiment);
        }
    });
    workcell.deadlines.extend(dispatch.deadline.map(|deadline| (deadline, id.clone())));
    let operation = Operation {
        dispatch: dispatch.clone(),
        dispatched_at: at,
        started_at: None,
        abort: None,
        overdue: false,
        burying: None,
    };
    intervention::recovers(workcell, dispatch);
    // One that was lost from the journal has come back by the same id.
    workcell.adopted.remove(&id);
    workcell.operations.insert(id.clone(), operation);
    owe_attend(workcell, &id);
}

/// Whether nothing follows for it before something that is open has ended.
fn waits(spec: &CampaignSpec, experiment: &Experiment) -> bool {
    let succeeded = |name| matches!(experiment.steps.get(name).map(|it| &it.phase), Some(StepPhase::Succeeded(_)));
    spec.steps.iter().all(|step| match experiment.steps.get(&step.name).map(|it| &it.phase) {
        Some(StepPhase::Open(_) | StepPhase::Succeeded(_)) => true,
        Some(StepPhase::Pending) => !step.after.iter().all(succeeded),
        Some(
            StepPhase::Failed { .. }
            | StepPhase::Aborted
            | StepPhase::Unknown(_)
            | StepPhase::Asked(_)
            | StepPhase::Buried,
        )
        | None => false,
    })
}

fn forget_deadline(workcell: &mut Workcell, id: &OperationId) {
    let deadline = workcell.operations.get(id).and_then(|it| it.dispatch.deadline);
    if let Some(deadline) = deadline {
        workcell.deadlines.remove(&(deadline, id.clone()));
    }
}

fn operation_ended(workcell: &mut Workcell, id: &OperationId, ended: &Ended) {
    forget_deadline(workcell, id);
    let Some(operation) = workcell.operations.remove(id) else { return };
    workcell.owed.remove(&EffectKey::Attend(id.clone()));
    let dispatch = &operation.dispatch;
    with_instrument(workcell, &dispatch.instrument, |it| {
        it.running.remove(id);
    });
    if dispatch.recovery.is_some() {
        return intervention::recovered(workcell, dispatch, ended);
    }
    let phase = intervention::asked(workcell, &operation, ended).map_or_else(|| phase_of(ended), StepPhase::Asked);
    set_step(workcell, dispatch, phase);
}

fn phase_of(ended: &Ended) -> StepPhase {
    match ended {
        Ended::Succeeded { outputs } => StepPhase::Succeeded(outputs.clone()),
        Ended::Failed { fault, sample } => StepPhase::Failed { fault: fault.clone(), sample: *sample },
        Ended::Aborted { .. } => StepPhase::Aborted,
        Ended::Interrupted => StepPhase::Unknown("the driver restarted while it ran and can't tell".into()),
        Ended::Unknown { reason } => StepPhase::Unknown(reason.clone()),
    }
}

fn set_step(workcell: &mut Workcell, dispatch: &Dispatch, phase: StepPhase) {
    with_campaign(workcell, &dispatch.campaign, |it| {
        let Some(experiment) = it.experiment_mut(dispatch.experiment) else { return };
        if matches!(phase, StepPhase::Succeeded(_)) {
            let place = (dispatch.instrument.clone(), dispatch.operation.clone());
            experiment.done.insert(dispatch.step.clone(), place);
        }
        if let Some(step) = experiment.steps.get_mut(&dispatch.step) {
            step.phase = phase;
            it.active.insert(dispatch.experiment);
        }
    });
}

fn end_experiment(campaign: &mut Campaign, number: ExperimentNumber, at: Time, phase: ExperimentPhase) {
    campaign.waiting.remove(&number);
    campaign.live.remove(&number);
    campaign.active.remove(&number);
    if let Some(experiment) = campaign.experiment_mut(number) {
        experiment.phase = phase;
        experiment.ended_at = Some(at);
        // The journal keeps the outputs; decisions need the outcomes alone.
        experiment.steps = BTreeMap::new();
    }
}

fn observed(campaign: &mut Campaign, number: ExperimentNumber, at: Time, observation: &Observation) {
    end_experiment(campaign, number, at, ExperimentPhase::Observed(observation.clone()));
    campaign.equipment_failures = 0;
    let real = campaign.experiment(number).is_none_or(|it| campaign.spec.is_real(&it.setting));
    if !real {
        return;
    }
    let enough = if campaign.spec.objectives.len() == 1 {
        let gained = campaign.spec.gained(campaign.best.map(|(_, value)| value), observation);
        if let Some(value) = gained.better {
            campaign.best = Some((number, value));
        }
        gained.enough
    } else {
        joins_front(campaign, number, observation)
    };
    campaign.since_gain = if enough { 0 } else { campaign.since_gain + 1 };
}

/// Whether no other is better in all objectives; those that this one is better than leave.
fn joins_front(campaign: &mut Campaign, number: ExperimentNumber, observation: &Observation) -> bool {
    let Some(worth) = campaign.spec.worth(observation) else { return false };
    if campaign.front.values().any(|other| dominates(other, &worth)) {
        return false;
    }
    campaign.front.retain(|_, other| !dominates(&worth, other));
    campaign.front.insert(number, worth);
    true
}

fn failed(campaign: &mut Campaign, number: ExperimentNumber, at: Time, failure: &Failure) {
    end_experiment(campaign, number, at, ExperimentPhase::Failed(failure.clone()));
    match failure.kind {
        FailureKind::Equipment => {
            campaign.equipment_failures += 1;
            campaign.used = campaign.used.saturating_sub(1);
        }
        FailureKind::Cancelled => campaign.used = campaign.used.saturating_sub(1),
        FailureKind::Recipe | FailureKind::Measurement | FailureKind::Unknown => {
            campaign.since_gain += 1;
        }
    }
}

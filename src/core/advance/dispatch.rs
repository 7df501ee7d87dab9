//! Which instrument does a step, and with what: the intent that becomes durable before the driver hears of it.

use crate::digest::Digest;
use crate::event::{Dispatch, Event};
use crate::ids::{InstrumentId, OperationId, StepName};
use crate::intervention::Intervention;
use crate::model::{Binding, CapabilityDescription, Step, Value};
use crate::state::{Campaign, Experiment, StepPhase, Workcell};
use crate::time::Time;
use std::collections::BTreeMap;

/// Added to a capability's own limit before its operation counts as overdue: the way there and back.
pub(super) const OVERDUE_GRACE_MS: i64 = 10_000;

/// The event that dispatches this step, if an instrument is free for it.
pub(super) fn dispatch(
    workcell: &Workcell,
    campaign: &Campaign,
    experiment: &Experiment,
    step: &Step,
    attempt: u32,
    now: Time,
) -> Option<Event> {
    let (instrument, capability) = free(workcell, step)?;
    let arguments = arguments(campaign, experiment, step)?;
    let lease = workcell.instruments.get(instrument)?.lease.as_ref()?;
    let name = &campaign.spec.name;
    Some(Event::OperationDispatched(Box::new(Dispatch {
        operation: OperationId::derive(&workcell.id, name, experiment.number, &step.name, attempt),
        campaign: name.clone(),
        experiment: experiment.number,
        step: step.name.clone(),
        attempt,
        instrument: instrument.clone(),
        capability: step.capability.clone(),
        version: capability.version.clone(),
        hash: hash(&step.capability, &capability.version, &arguments),
        arguments,
        epoch: workcell.epoch,
        journal_id: lease.journal_id.clone(),
        effect: capability.effect,
        deadline: deadline(capability, now),
        recovery: None,
    })))
}

fn deadline(capability: &CapabilityDescription, now: Time) -> Option<Time> {
    capability.max_duration_ms.map(|limit| now.plus_ms(limit.saturating_add(OVERDUE_GRACE_MS)))
}

/// The event that dispatches the next step of a recovery, if its instrument is at hand. It belongs to the experiment whose
/// operation is in question, under a name that no step of a campaign can have.
pub(super) fn recover(
    workcell: &Workcell,
    it: &Intervention,
    capability: &str,
    offered: &CapabilityDescription,
    now: Time,
) -> Option<Event> {
    let instrument = workcell.instruments.get(&it.instrument).filter(|it| workcell.at_hand(it))?;
    let lease = instrument.lease.as_ref()?;
    let of = &it.operation.as_ref()?.dispatch;
    let place = it.recovery.as_ref().map_or(0, |it| it.operations.len()) + 1;
    let step = StepName::new(format!("recovery:{}:{place}", it.number));
    let arguments = BTreeMap::new();
    Some(Event::OperationDispatched(Box::new(Dispatch {
        operation: OperationId::derive(&workcell.id, &of.campaign, of.experiment, &step, 1),
        campaign: of.campaign.clone(),
        experiment: of.experiment,
        step,
        attempt: 1,
        instrument: it.instrument.clone(),
        capability: capability.to_owned(),
        version: offered.version.clone(),
        hash: hash(capability, &offered.version, &arguments),
        arguments,
        epoch: workcell.epoch,
        journal_id: lease.journal_id.clone(),
        effect: offered.effect,
        deadline: deadline(offered, now),
        recovery: Some(it.number),
    })))
}

fn free<'a>(workcell: &'a Workcell, step: &Step) -> Option<(&'a InstrumentId, &'a CapabilityDescription)> {
    let offers = |name: &'a InstrumentId| {
        let instrument = workcell.instruments.get(name)?;
        let capability = instrument.description.as_ref()?.capabilities.get(&step.capability)?;
        workcell.held(instrument).then_some((name, capability))
    };
    let wanted = workcell.roomy.iter().filter(|name| step.instrument.as_ref().is_none_or(|wanted| wanted == *name));
    wanted.filter_map(offers).next()
}

fn arguments(campaign: &Campaign, experiment: &Experiment, step: &Step) -> Option<BTreeMap<String, Value>> {
    let bound = |binding: &Binding| match binding {
        Binding::Literal(value) => Some(value.clone()),
        Binding::Parameter(name) => Some(campaign.spec.parameter(name)?.argument(experiment.setting.get(name)?)),
        Binding::Output { step, output } => match &experiment.steps.get(step)?.phase {
            StepPhase::Succeeded(outputs) => outputs.get(output).cloned(),
            StepPhase::Pending
            | StepPhase::Open(_)
            | StepPhase::Failed { .. }
            | StepPhase::Aborted
            | StepPhase::Unknown(_)
            | StepPhase::Asked(_)
            | StepPhase::Buried => None,
        },
    };
    step.with.iter().map(|(name, binding)| Some((name.clone(), bound(binding)?))).collect()
}

fn hash(capability: &str, version: &str, arguments: &BTreeMap<String, Value>) -> String {
    let mut digest = Digest::new("request");
    digest.text(capability).text(version);
    for (name, value) in arguments {
        // Sorted maps and shortest round-trip numbers: the same arguments always give the same text.
        digest.text(name).text(&serde_json::to_string(value).unwrap_or_default());
    }
    digest.hex()
}

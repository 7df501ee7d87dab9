//! Why nothing moves, for whoever looks at a campaign that stands still.

use eutectic_core::model::Step;
use eutectic_core::{Campaign, Doubt, Instrument, InstrumentId, Intervention, Phase, StepPhase, Workcell};

/// What a campaign waits for, in words; empty where it moves by itself.
#[must_use]
pub fn waiting_for(workcell: &Workcell, campaign: &Campaign) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Phase::Paused { by, reason } = &campaign.phase {
        reasons.push(format!("paused by {by}: {reason}; `eutectic resume {}` goes on", campaign.spec.name));
    }
    if let Some(doubt) = &workcell.doubt {
        reasons.push(doubted(doubt));
        return reasons;
    }
    if !workcell.suspended.is_empty() {
        reasons.extend(workcell.suspended.values().map(|(reason, _)| format!("{reason}; it goes on by itself")));
        return reasons;
    }
    reasons.extend(workcell.open_interventions().filter(|it| asks_for(workcell, campaign, it)).map(asked));
    let steps = campaign.spec.steps.iter().filter(|step| pending(campaign, step));
    for step in steps {
        if let Some(reason) = held_up(workcell, step) {
            reasons.push(reason);
        }
    }
    reasons
}

fn asks_for(workcell: &Workcell, campaign: &Campaign, it: &Intervention) -> bool {
    workcell.waits_for(it) && it.operation.as_ref().is_some_and(|it| it.dispatch.campaign == campaign.spec.name)
}

fn asked(it: &Intervention) -> String {
    let (number, name) = (it.number, &it.instrument);
    match &it.recovery {
        Some(recovery) if recovery.failed.is_none() => format!("{name} recovers by its policy: {}", it.reason),
        Some(_) | None => format!("{name}: {}; `eutectic intervention show {number}` says what can be done", it.reason),
    }
}

/// Why nothing is dispatched while drivers have seen more than the journal holds, in words.
#[must_use]
pub fn doubted(doubt: &Doubt) -> String {
    let drivers = doubt.instruments.iter().map(InstrumentId::as_str).collect::<Vec<_>>().join(", ");
    format!(
        "the journal has lost its end: the driver of {drivers} has seen more of this workcell than it holds. Put the newer \
         journal back, or, if this one is all there is, look at the instruments and then `eutectic doctor adopt`"
    )
}

/// Whether an experiment that runs stands before this step.
fn pending(campaign: &Campaign, step: &Step) -> bool {
    campaign.live.iter().filter_map(|number| campaign.experiment(*number)).any(|experiment| {
        let ready = |name| matches!(experiment.steps.get(name).map(|it| &it.phase), Some(StepPhase::Succeeded(_)));
        let state = experiment.steps.get(&step.name).map(|it| &it.phase);
        matches!(state, Some(StepPhase::Pending)) && step.after.iter().all(ready)
    })
}

fn held_up(workcell: &Workcell, step: &Step) -> Option<String> {
    let wanted = workcell.instruments.iter().filter(|(name, _)| step.instrument.as_ref().is_none_or(|it| it == *name));
    let mut able = wanted.filter(|(_, instrument)| offers(instrument, step)).peekable();
    if able.peek().is_none() {
        let silent: Vec<_> = workcell
            .instruments
            .iter()
            .filter(|(_, it)| it.description.is_none())
            .map(|(name, _)| name.as_str())
            .collect();
        return Some(if silent.is_empty() {
            format!("step '{}': no instrument of the lab offers {}", step.name, step.capability)
        } else {
            format!("step '{}': {} has not answered yet", step.name, silent.join(", "))
        });
    }
    let mut reasons = Vec::new();
    for (name, instrument) in able {
        if let Some(why) = &instrument.quarantined {
            reasons
                .push(format!("{name} is quarantined: {why}; look at it, then `eutectic instrument release {name}`"));
        } else if let Some((why, _)) = &instrument.silent {
            reasons.push(format!("{name}'s driver does not answer: {why}"));
        } else if !workcell.held(instrument) {
            reasons.push(format!("{name}'s driver has not given us its lease yet"));
        } else {
            // It is held and merely busy: the step will come.
            return None;
        }
    }
    Some(format!("step '{}': {}", step.name, reasons.join("; ")))
}

fn offers(instrument: &Instrument, step: &Step) -> bool {
    instrument.description.as_ref().is_some_and(|it| it.capabilities.contains_key(&step.capability))
}

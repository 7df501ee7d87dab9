//! What is done in a person's place: an instrument recovers by its policy.

use super::dispatch::recover;
use crate::event::Event;
use crate::intervention::{Intervention, Recovery};
use crate::model::Decision;
use crate::state::Workcell;
use crate::time::Time;

/// Who decides where nobody is there.
const POLICY: &str = "the unattended policy";

/// What follows for the instruments that are out of service.
pub(super) fn next(workcell: &Workcell, now: Time) -> Vec<Event> {
    let of = |it| match workcell.policy_for(it) {
        Some((policy, due)) if due <= now => {
            Some(Event::RecoveryStarted { intervention: it.number, capabilities: policy.recover.clone() })
        }
        Some(_) => None,
        None => {
            it.recovery.as_ref().filter(|it| it.failed.is_none()).and_then(|recovery| step(workcell, it, recovery, now))
        }
    };
    workcell.open_interventions().find_map(of).into_iter().collect()
}

fn step(workcell: &Workcell, it: &Intervention, recovery: &Recovery, now: Time) -> Option<Event> {
    let under_way = recovery.operations.iter().any(|id| workcell.operations.contains_key(id));
    if under_way {
        return None;
    }
    let Some(capability) = recovery.capabilities.get(recovery.done) else {
        let by = POLICY.to_owned();
        return Some(Event::InterventionResolved { intervention: it.number, decision: Decision::Discard, by });
    };
    let instrument = workcell.instruments.get(&it.instrument)?;
    let description = instrument.description.as_ref()?;
    match description.capabilities.get(capability) {
        None => Some(Event::RecoveryFailed {
            intervention: it.number,
            reason: format!("its driver offers no '{capability}'"),
        }),
        // Whatever still runs on it is seen through first.
        Some(_) if !instrument.running.is_empty() => None,
        Some(offered) => recover(workcell, it, capability, offered, now),
    }
}

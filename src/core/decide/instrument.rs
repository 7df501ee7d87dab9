//! What comes from instruments and their drivers, and the epoch under which they are held.

use crate::command::Report;
use crate::event::{Ended, Event};
use crate::ids::{InstrumentId, OperationId};
use crate::model::{InstrumentDescription, RepeatEffect, SampleEffect};
use crate::rejection::Rejection;
use crate::state::{Instrument, Workcell};

pub(super) fn take_epoch(workcell: &Workcell, owner: String, id: String) -> Vec<Event> {
    vec![Event::EpochTaken { owner, workcell: id, epoch: workcell.epoch + 1 }]
}

pub(super) fn set_lab(workcell: &Workcell, instruments: &[InstrumentId]) -> Result<Vec<Event>, Rejection> {
    let mut events = Vec::new();
    for (name, instrument) in &workcell.instruments {
        if !instruments.contains(name) {
            if !instrument.running.is_empty() {
                return Err(Rejection::new(
                    format!("instrument '{name}' has an operation that has not ended: it can't leave the lab"),
                    "keep it in lab.toml until the operation has ended",
                ));
            }
            if instrument.quarantined.is_some() {
                return Err(Rejection::new(
                    format!("instrument '{name}' is out of service: leaving the lab would forget why"),
                    format!("look at it and `eutectic instrument release {name}` first, or keep it in lab.toml"),
                ));
            }
            events.push(Event::InstrumentRemoved { instrument: name.clone() });
        }
    }
    let new = instruments.iter().filter(|name| !workcell.instruments.contains_key(*name));
    events.extend(new.map(|name| Event::InstrumentAdded { instrument: name.clone() }));
    Ok(events)
}

pub(super) fn describe(
    workcell: &Workcell,
    name: InstrumentId,
    description: InstrumentDescription,
) -> Result<Vec<Event>, Rejection> {
    let known = known(workcell, &name)?;
    if known.description.as_ref() == Some(&description) {
        return Ok(Vec::new());
    }
    Ok(vec![Event::InstrumentDescribed { instrument: name, description }])
}

pub(super) fn take_lease(
    workcell: &Workcell,
    name: InstrumentId,
    epoch: u64,
    journal_id: String,
    token: i64,
) -> Result<Vec<Event>, Rejection> {
    let known = known(workcell, &name)?;
    if epoch != workcell.epoch {
        return Err(Rejection::new(format!("a lease of epoch {epoch} came late"), ""));
    }
    let unchanged = known
        .lease
        .as_ref()
        .is_some_and(|lease| lease.epoch == epoch && lease.token == token && lease.journal_id == journal_id);
    if unchanged {
        return Ok(Vec::new());
    }
    Ok(vec![Event::LeaseTaken { instrument: name, epoch, journal_id, token }])
}

pub(super) fn release(workcell: &Workcell, name: InstrumentId, by: String) -> Result<Vec<Event>, Rejection> {
    let known = known(workcell, &name)?;
    if known.quarantined.is_none() {
        return Err(Rejection::new(
            format!("instrument '{name}' is neither quarantined nor halted"),
            "`eutectic status` shows which are",
        ));
    }
    Ok(vec![Event::InstrumentReleased { instrument: name, by }])
}

pub(super) fn report(workcell: &Workcell, id: OperationId, report: Report) -> Result<Vec<Event>, Rejection> {
    let operation = workcell
        .operations
        .get(&id)
        .ok_or_else(|| Rejection::new(format!("operation {id} has ended, or was never ours"), ""))?;
    match report {
        Report::Started if operation.started_at.is_some() => Ok(Vec::new()),
        Report::Started => Ok(vec![Event::OperationStarted { operation: id }]),
        Report::Ended(ended) => {
            let quarantine = quarantine(&ended, operation.dispatch.effect);
            let instrument = operation.dispatch.instrument.clone();
            let mut events = vec![Event::OperationEnded { operation: id.clone(), ended }];
            if let Some(reason) = quarantine {
                events.push(Event::InstrumentQuarantined { instrument, reason, operation: Some(id) });
            }
            Ok(events)
        }
    }
}

/// Why an instrument is taken out of service after this end: nobody can say what it did, and again would do harm.
fn quarantine(ended: &Ended, effect: RepeatEffect) -> Option<String> {
    match (ended, effect) {
        (Ended::Interrupted, RepeatEffect::Once) => {
            Some("its driver restarted in the middle of an operation and can't say what became of it".into())
        }
        (Ended::Unknown { reason }, RepeatEffect::Once) => Some(reason.clone()),
        (Ended::Aborted { sample: SampleEffect::Unknown }, RepeatEffect::Once) => {
            Some("an aborted operation left it in a state that its driver can't tell".into())
        }
        (
            Ended::Succeeded { .. }
            | Ended::Failed { .. }
            | Ended::Aborted { .. }
            | Ended::Interrupted
            | Ended::Unknown { .. },
            RepeatEffect::Once | RepeatEffect::Repeatable,
        ) => None,
    }
}

fn known<'a>(workcell: &'a Workcell, name: &InstrumentId) -> Result<&'a Instrument, Rejection> {
    workcell.instruments.get(name).ok_or_else(|| {
        Rejection::new(format!("there is no instrument '{name}' in the lab"), "lab.toml lists the instruments")
    })
}

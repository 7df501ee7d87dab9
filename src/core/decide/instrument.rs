//! What comes from instruments and their drivers, and the epoch under which they are held.

use crate::event::Event;
use crate::ids::InstrumentId;
use crate::model::{InstrumentDescription, Policy};
use crate::rejection::Rejection;
use crate::state::{Instrument, Workcell};
use std::collections::BTreeMap;

pub(super) fn take_epoch(workcell: &Workcell, owner: String, id: String) -> Vec<Event> {
    vec![Event::EpochTaken { owner, workcell: id, epoch: workcell.epoch + 1 }]
}

pub(super) fn set_lab(
    workcell: &Workcell,
    instruments: BTreeMap<InstrumentId, Option<Policy>>,
) -> Result<Vec<Event>, Rejection> {
    let mut events = Vec::new();
    for (name, instrument) in &workcell.instruments {
        if !instruments.contains_key(name) {
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
    for (instrument, policy) in instruments {
        let known = workcell.instruments.get(&instrument);
        if known.is_none() {
            events.push(Event::InstrumentAdded { instrument: instrument.clone() });
        }
        if known.and_then(|it| it.policy.as_ref()) != policy.as_ref() {
            events.push(Event::PolicySet { instrument, policy });
        }
    }
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

/// Told once, until it is heard again.
pub(super) fn silent(workcell: &Workcell, name: InstrumentId, reason: String) -> Result<Vec<Event>, Rejection> {
    Ok(match known(workcell, &name)?.silent {
        Some(_) => Vec::new(),
        None => vec![Event::InstrumentSilent { instrument: name, reason }],
    })
}

pub(super) fn heard(workcell: &Workcell, name: InstrumentId) -> Result<Vec<Event>, Rejection> {
    Ok(match known(workcell, &name)?.silent {
        Some(_) => vec![Event::InstrumentHeard { instrument: name }],
        None => Vec::new(),
    })
}

pub(super) fn known<'a>(workcell: &'a Workcell, name: &InstrumentId) -> Result<&'a Instrument, Rejection> {
    workcell.instruments.get(name).ok_or_else(|| {
        Rejection::new(format!("there is no instrument '{name}' in the lab"), "lab.toml lists the instruments")
    })
}

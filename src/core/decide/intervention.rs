//! What people decide about instruments that wait for them.

use super::instrument::known;
use crate::event::{Ended, Event};
use crate::ids::{InstrumentId, InterventionNumber};
use crate::intervention::{Intervention, Standing};
use crate::model::Decision;
use crate::rejection::Rejection;
use crate::state::Workcell;

pub(super) fn resolve(
    workcell: &Workcell,
    number: InterventionNumber,
    revision: u32,
    decision: Decision,
    by: String,
) -> Result<Vec<Event>, Rejection> {
    let it = workcell.interventions.get(&number).ok_or_else(|| {
        Rejection::new(format!("there is no intervention {number}"), "`eutectic intervention list` shows what is open")
    })?;
    if let Some((decided, by, _)) = &it.decision {
        return Err(Rejection::new(
            format!("intervention {number} is resolved: {decided}, says {by}"),
            "`eutectic intervention list` shows what is open",
        ));
    }
    if revision != it.revision {
        return Err(Rejection::new(
            format!("intervention {number} has news that this answer did not know of"),
            format!("`eutectic intervention show {number}` shows them; then answer again"),
        ));
    }
    if workcell.standing(it) == Standing::Recovering {
        return Err(Rejection::new(
            format!("{} is recovering by its policy", it.instrument),
            format!("wait for its end, or `eutectic halt {}` stops it at once", it.instrument),
        ));
    }
    match decision {
        Decision::Discard => {}
        Decision::Repeat => repeatable(workcell, it)?,
        Decision::Accept => acceptable(workcell, it)?,
    }
    Ok(vec![Event::InterventionResolved { intervention: number, decision, by }])
}

fn repeatable(workcell: &Workcell, it: &Intervention) -> Result<(), Rejection> {
    if workcell.waits_for(it) {
        return Ok(());
    }
    Err(Rejection::new(
        format!("no experiment waits for intervention {}: its operation has ended", it.number),
        format!("once you have looked: `eutectic intervention resolve {} discard`", it.number),
    ))
}

fn acceptable(workcell: &Workcell, it: &Intervention) -> Result<(), Rejection> {
    repeatable(workcell, it)?;
    let told = it.evidence.last().filter(|it| !matches!(it.ended, Ended::Interrupted | Ended::Unknown { .. }));
    told.map(|_| ()).ok_or_else(|| {
        Rejection::new(
            format!("the driver has not said how the operation of intervention {} ended", it.number),
            "discard the sample, or repeat the step on it",
        )
    })
}

pub(super) fn release(workcell: &Workcell, name: InstrumentId, by: String) -> Result<Vec<Event>, Rejection> {
    let known = known(workcell, &name)?;
    if known.quarantined.is_none() {
        return Err(Rejection::new(
            format!("instrument '{name}' is neither quarantined nor halted"),
            "`eutectic status` shows which are",
        ));
    }
    let mut about = workcell.open_interventions().filter(|it| it.instrument == name);
    if let Some(it) = about.find(|it| !it.evidence.is_empty()) {
        return Err(Rejection::new(
            format!("the driver of '{name}' has said meanwhile what became of its operation"),
            format!("`eutectic intervention show {}` shows it", it.number),
        ));
    }
    Ok(vec![Event::InstrumentReleased { instrument: name, by }])
}

/// Somebody knows of these pages. A page may have gone by itself meanwhile.
pub(super) fn acknowledge(pages: Vec<String>, by: &str) -> Vec<Event> {
    pages.into_iter().map(|page| Event::PageAcknowledged { page, by: by.to_owned() }).collect()
}

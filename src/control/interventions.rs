//! What waits for people, as the control protocol shows it.

use super::invalid;
use crate::paging::Deliveries;
use crate::projections::{self, Page, end};
use eutectic_core::model::Decision;
use eutectic_core::{Evidence, Intervention, Standing, Workcell};
use eutectic_proto::control::v1 as wire;
use tonic::Status;

/// Those that are open, or all.
pub(super) fn list(workcell: &Workcell, all: bool) -> Vec<wire::Intervention> {
    let shown = |it: &&Intervention| all || workcell.standing(it) != Standing::Resolved;
    workcell.interventions.values().filter(shown).map(|it| shown_as(workcell, it)).collect()
}

pub(super) fn one(workcell: &Workcell, number: u32) -> Option<wire::Intervention> {
    workcell.interventions.get(&number).map(|it| shown_as(workcell, it))
}

fn shown_as(workcell: &Workcell, it: &Intervention) -> wire::Intervention {
    let standing = workcell.standing(it);
    let dispatch = it.operation.as_ref().map(|it| &it.dispatch);
    let text = |of: &dyn Fn(&eutectic_core::Dispatch) -> String| dispatch.map(of).unwrap_or_default();
    let (word, due_ms) = match standing {
        Standing::Waits => ("waits", 0),
        Standing::Due(at) => ("due", at.0),
        Standing::Recovering => ("recovering", 0),
        Standing::Burying => ("repeating", 0),
        Standing::Resolved => ("resolved", 0),
    };
    let evidence = |it: &Evidence| wire::intervention::Evidence {
        at_ms: it.at.0,
        text: format!("the operation {}", end(&it.ended)),
    };
    let recovery = it.recovery.as_ref();
    let (decision, decided_by, decided_ms) = match &it.decision {
        Some((decision, by, at)) => (decision.to_string(), by.clone(), at.0),
        None => Default::default(),
    };
    wire::Intervention {
        number: it.number,
        instrument: it.instrument.to_string(),
        reason: it.reason.clone(),
        opened_ms: it.opened_at.0,
        operation: text(&|it| it.operation.to_string()),
        campaign: text(&|it| it.campaign.to_string()),
        experiment: dispatch.map_or(0, |it| it.experiment),
        step: text(&|it| it.step.to_string()),
        asked: workcell.waits_for(it),
        revision: it.revision,
        standing: word.to_owned(),
        due_ms,
        evidence: it.evidence.iter().map(evidence).collect(),
        recovery: recovery.map(|it| it.capabilities.clone()).unwrap_or_default(),
        recovered: recovery.map_or(0, |it| u32::try_from(it.done).unwrap_or(u32::MAX)),
        recovery_failed: recovery.and_then(|it| it.failed.clone()).unwrap_or_default(),
        decision,
        decided_by,
        decided_ms,
    }
}

/// A decision by its word.
pub(super) fn decision(word: &str) -> Result<Decision, Status> {
    let all = [Decision::Discard, Decision::Repeat, Decision::Accept];
    let found = all.into_iter().find(|it| it.to_string() == word);
    found.ok_or_else(|| invalid(format!("'{word}' is no decision"), "discard, repeat or accept"))
}

/// What people are called for, and what became of it.
pub(super) fn pages(workcell: &Workcell, deliveries: &Deliveries) -> Vec<wire::Page> {
    let page = |it: Page| wire::Page {
        delivery: deliveries.get(&it.id).cloned().unwrap_or_default(),
        id: it.id,
        urgent: it.urgent,
        since_ms: it.since.0,
        text: it.text,
        hint: it.hint,
        acknowledged: it.acknowledged,
    };
    projections::pages(workcell).into_iter().map(page).collect()
}

/// The pages that are meant: those named, or all that nobody has acknowledged.
pub(super) fn chosen(open: &[Page], ids: Vec<String>) -> Result<Vec<String>, Status> {
    if ids.is_empty() {
        return Ok(open.iter().filter(|it| !it.acknowledged).map(|it| it.id.clone()).collect());
    }
    match ids.iter().find(|id| open.iter().all(|it| it.id != **id)) {
        Some(unknown) => Err(invalid(format!("there is no page '{unknown}'"), "`eutectic page list` shows them")),
        None => Ok(ids),
    }
}

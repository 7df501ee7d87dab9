//! What people are asked and what comes of it.

use super::{owe, owe_attend, phase_of, set_step, with_instrument};
use crate::effect::EffectKey;
use crate::event::{Dispatch, Ended};
use crate::ids::{InstrumentId, InterventionNumber, OperationId};
use crate::intervention::{Evidence, Intervention, Recovery};
use crate::model::Decision;
use crate::state::{Operation, StepPhase, Workcell};
use crate::time::Time;

/// A person is asked.
pub(super) fn opened(
    workcell: &mut Workcell,
    at: Time,
    instrument: &InstrumentId,
    reason: &str,
    operation: Option<&OperationId>,
) {
    let number = workcell.next_intervention();
    let intervention = Intervention {
        number,
        instrument: instrument.clone(),
        reason: reason.to_owned(),
        opened_at: at,
        operation: operation.and_then(|id| workcell.operations.get(id)).cloned(),
        asked: false,
        revision: 0,
        evidence: Vec::new(),
        recovery: None,
        decision: None,
    };
    workcell.interventions.insert(number, intervention);
    set_quarantine(workcell, instrument);
}

/// Out of service as long as anything about it is open.
fn set_quarantine(workcell: &mut Workcell, instrument: &InstrumentId) {
    let burying = |it: &Intervention| {
        it.operation.as_ref().and_then(|it| workcell.operations.get(&it.dispatch.operation)).and_then(|it| it.burying)
            == Some(it.number)
    };
    let mut about = workcell.interventions.values().filter(|it| it.instrument == *instrument);
    let reason = about.find(|it| it.decision.is_none() || burying(it)).map(|it| it.reason.clone());
    with_instrument(workcell, instrument, |it| it.quarantined = reason);
}

/// The question that an experiment waits for, if this end of its operation is one that nobody knows.
pub(super) fn asked(workcell: &mut Workcell, operation: &Operation, ended: &Ended) -> Option<InterventionNumber> {
    if !matches!(ended, Ended::Interrupted | Ended::Unknown { .. }) {
        return None;
    }
    let id = &operation.dispatch.operation;
    let about = |it: &&mut Intervention| it.operation.as_ref().is_some_and(|it| it.dispatch.operation == *id);
    let intervention = workcell.interventions.values_mut().filter(|it| it.decision.is_none()).find(about)?;
    intervention.asked = true;
    let number = intervention.number;
    owe(workcell, operation.clone(), true);
    Some(number)
}

/// As long as an experiment waits, its driver may still come to know.
pub(super) fn owe_inquiries(workcell: &mut Workcell, instrument: &InstrumentId) {
    let waiting = workcell.open_interventions().filter(|it| it.asked && it.instrument == *instrument);
    let operations: Vec<_> = waiting.filter_map(|it| it.operation.clone()).collect();
    for operation in operations {
        owe(workcell, operation, true);
    }
}

pub(super) fn found(workcell: &mut Workcell, number: InterventionNumber, at: Time, ended: &Ended) {
    if let Some(it) = workcell.interventions.get_mut(&number) {
        it.evidence.push(Evidence { at, ended: ended.clone() });
        it.revision += 1;
    }
}

/// Decided.
pub(super) fn resolved(workcell: &mut Workcell, number: InterventionNumber, at: Time, decision: Decision, by: &str) {
    let Some(it) = workcell.interventions.get_mut(&number) else { return };
    it.decision = Some((decision, by.to_owned(), at));
    let (instrument, asked) = (it.instrument.clone(), it.asked);
    let (operation, reason) = (it.operation.clone(), it.reason.clone());
    let evidence = it.evidence.last().map(|it| phase_of(&it.ended));
    if let Some(operation) = operation.filter(|_| asked) {
        let dispatch = &operation.dispatch;
        workcell.owed.remove(&EffectKey::Attend(dispatch.operation.clone()));
        match decision {
            Decision::Discard => set_step(workcell, dispatch, StepPhase::Unknown(reason)),
            Decision::Accept => set_step(workcell, dispatch, evidence.unwrap_or(StepPhase::Unknown(reason))),
            Decision::Repeat => bury(workcell, number, operation),
        }
    }
    set_quarantine(workcell, &instrument);
}

/// The operation is owed again: its driver must say that it can't begin.
fn bury(workcell: &mut Workcell, number: InterventionNumber, operation: Operation) {
    let id = operation.dispatch.operation.clone();
    set_step(workcell, &operation.dispatch, StepPhase::Open(id.clone()));
    with_instrument(workcell, &operation.dispatch.instrument, |it| {
        it.running.insert(id.clone());
    });
    let operation = Operation {
        started_at: None,
        abort: Some("a person decided to repeat it".to_owned()),
        // Its limit is long past, and says nothing any more.
        overdue: true,
        burying: Some(number),
        ..operation
    };
    workcell.operations.insert(id.clone(), operation);
    owe_attend(workcell, &id);
}

/// No longer owed, and no longer the instrument's.
fn lay_down(workcell: &mut Workcell, id: &OperationId) -> Option<Operation> {
    let operation = workcell.operations.remove(id)?;
    workcell.owed.remove(&EffectKey::Attend(id.clone()));
    with_instrument(workcell, &operation.dispatch.instrument, |it| {
        it.running.remove(id);
    });
    Some(operation)
}

pub(super) fn buried(workcell: &mut Workcell, id: &OperationId) {
    let Some(operation) = lay_down(workcell, id) else { return };
    set_step(workcell, &operation.dispatch, StepPhase::Buried);
    set_quarantine(workcell, &operation.dispatch.instrument);
}

pub(super) fn reopened(workcell: &mut Workcell, number: InterventionNumber, at: Time, ended: &Ended) {
    found(workcell, number, at, ended);
    let Some(it) = workcell.interventions.get_mut(&number) else { return };
    it.decision = None;
    let (instrument, operation) = (it.instrument.clone(), it.operation.clone());
    if let Some(operation) = operation {
        lay_down(workcell, &operation.dispatch.operation);
        set_step(workcell, &operation.dispatch, StepPhase::Asked(number));
        owe(workcell, operation, true);
    }
    set_quarantine(workcell, &instrument);
}

pub(super) fn recovery_started(workcell: &mut Workcell, number: InterventionNumber, at: Time, capabilities: &[String]) {
    if let Some(it) = workcell.interventions.get_mut(&number) {
        it.recovery = Some(Recovery {
            started_at: at,
            capabilities: capabilities.to_vec(),
            done: 0,
            operations: Vec::new(),
            failed: None,
        });
    }
}

/// An operation of a recovery was dispatched.
pub(super) fn recovers(workcell: &mut Workcell, dispatch: &Dispatch) {
    let of = dispatch.recovery.and_then(|number| workcell.interventions.get_mut(&number));
    if let Some(recovery) = of.and_then(|it| it.recovery.as_mut()) {
        recovery.operations.push(dispatch.operation.clone());
    }
}

/// An operation of a recovery has ended.
pub(super) fn recovered(workcell: &mut Workcell, dispatch: &Dispatch, ended: &Ended) {
    let of = dispatch.recovery.and_then(|number| workcell.interventions.get_mut(&number));
    if let Some(recovery) = of.and_then(|it| it.recovery.as_mut())
        && matches!(ended, Ended::Succeeded { .. })
    {
        recovery.done += 1;
    }
}

pub(super) fn recovery_failed(workcell: &mut Workcell, number: InterventionNumber, reason: &str) {
    if let Some(it) = workcell.interventions.get_mut(&number) {
        it.revision += 1;
        if let Some(recovery) = &mut it.recovery {
            recovery.failed = Some(reason.to_owned());
        }
    }
}

/// Everything that is open about this instrument is discarded.
pub(super) fn released(workcell: &mut Workcell, instrument: &InstrumentId, at: Time, by: &str) {
    let open: Vec<_> =
        workcell.open_interventions().filter(|it| it.instrument == *instrument).map(|it| it.number).collect();
    for number in open {
        resolved(workcell, number, at, Decision::Discard, by);
    }
    // Journals that were written before there were numbers may hold a quarantine that nobody asked about.
    set_quarantine(workcell, instrument);
}

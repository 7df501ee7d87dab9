//! What drivers say of operations, in time and too late.

use crate::command::Report;
use crate::event::{Ended, Event, Fault, FaultCategory};
use crate::ids::OperationId;
use crate::model::{RepeatEffect, SampleEffect};
use crate::rejection::Rejection;
use crate::state::{Operation, Workcell};

pub(super) fn report(workcell: &Workcell, id: OperationId, report: Report) -> Result<Vec<Event>, Rejection> {
    let Some(operation) = workcell.operations.get(&id) else {
        return late(workcell, &id, report);
    };
    match report {
        Report::Started if operation.started_at.is_some() => Ok(Vec::new()),
        Report::Started => Ok(vec![Event::OperationStarted { operation: id }]),
        Report::Ended(ended) => Ok(self::ended(workcell, id, operation, ended)),
    }
}

fn ended(workcell: &Workcell, id: OperationId, operation: &Operation, ended: Ended) -> Vec<Event> {
    if let Some(intervention) = operation.burying {
        return vec![match harmless(&ended) {
            true => Event::OperationBuried { operation: id },
            false => Event::InterventionReopened { intervention, ended },
        }];
    }
    if let Some(intervention) = operation.dispatch.recovery {
        let failed = why_not(&ended).map(|why| Event::RecoveryFailed {
            intervention,
            reason: format!("{}: {why}", operation.dispatch.capability),
        });
        let mut events = vec![Event::OperationEnded { operation: id, ended }];
        events.extend(failed);
        return events;
    }
    let mut events = Vec::new();
    if let Some(reason) = question(&ended, operation.dispatch.effect) {
        events.push(Event::InstrumentQuarantined {
            intervention: workcell.next_intervention(),
            instrument: operation.dispatch.instrument.clone(),
            reason,
            operation: Some(id.clone()),
        });
    }
    events.push(Event::OperationEnded { operation: id, ended });
    events
}

/// What had been given up may be told after all, as long as somebody has to decide about it.
fn late(workcell: &Workcell, id: &OperationId, report: Report) -> Result<Vec<Event>, Rejection> {
    let over = || Rejection::new(format!("operation {id} has ended, or was never ours"), "");
    let Report::Ended(ended) = report else { return Err(over()) };
    let mut open = workcell.open_interventions().filter(|it| it.asked);
    let about =
        open.find(|it| it.operation.as_ref().is_some_and(|it| it.dispatch.operation == *id)).ok_or_else(over)?;
    let known = about.evidence.last().is_some_and(|it| it.ended == ended);
    Ok(if known { Vec::new() } else { vec![Event::EvidenceFound { intervention: about.number, ended }] })
}

/// Whether this end of an operation that is to be repeated leaves nothing to ask: it did nothing, or nobody knows more than
/// the person who decided.
fn harmless(ended: &Ended) -> bool {
    match ended {
        Ended::Interrupted | Ended::Unknown { .. } | Ended::Aborted { sample: SampleEffect::None } => true,
        Ended::Failed { sample, .. } => *sample == SampleEffect::None,
        Ended::Aborted { .. } | Ended::Succeeded { .. } => false,
    }
}

/// Why an operation of a recovery is no success.
fn why_not(ended: &Ended) -> Option<String> {
    match ended {
        Ended::Succeeded { .. } => None,
        Ended::Failed { fault, .. } => Some(format!("{} ({})", fault.message, fault.reason)),
        Ended::Aborted { .. } => Some("it was aborted".into()),
        Ended::Interrupted => Some("its driver restarted meanwhile and can't tell what became of it".into()),
        Ended::Unknown { reason } => Some(reason.clone()),
    }
}

/// Why a person is asked after this end: nobody can say what the instrument did and again would do harm, or its driver
/// says that somebody has to see to it.
fn question(ended: &Ended, effect: RepeatEffect) -> Option<String> {
    match (ended, effect) {
        (Ended::Interrupted, RepeatEffect::Once) => {
            Some("its driver restarted in the middle of an operation and can't say what became of it".into())
        }
        (Ended::Unknown { reason }, RepeatEffect::Once) => Some(reason.clone()),
        (Ended::Aborted { sample: SampleEffect::Unknown }, RepeatEffect::Once) => {
            Some("an aborted operation left it in a state that its driver can't tell".into())
        }
        (
            Ended::Failed {
                fault: Fault { person: true, category: FaultCategory::Equipment, message, reason, .. },
                ..
            },
            _,
        ) => Some(format!("{message} ({reason})")),
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

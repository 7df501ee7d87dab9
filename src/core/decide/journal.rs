//! Whether the journal still holds everything that happened: a driver may have seen more of this workcell.

use crate::event::Event;
use crate::ids::{InstrumentId, OperationId};
use crate::rejection::Rejection;
use crate::state::Workcell;

/// A driver knows an operation of ours, or an epoch, that the journal doesn't: acknowledged events are lost.
pub(super) fn doubt(
    workcell: &Workcell,
    instrument: InstrumentId,
    epoch: u64,
    operation: Option<OperationId>,
) -> Vec<Event> {
    let known = workcell.doubt.as_ref();
    let new_epoch = epoch > workcell.epoch.max(known.map_or(0, |it| it.epoch));
    let new_operation = operation.as_ref().is_some_and(|id| {
        !known.is_some_and(|it| it.operations.contains(id))
            && !workcell.adopted.contains(id)
            && !ever_ours(workcell, id)
    });
    match new_epoch || new_operation {
        true => vec![Event::JournalDoubted { instrument, epoch, operation }],
        false => Vec::new(),
    }
}

/// Whether the journal has ever had this operation. Its end is no longer in the state, but its id follows from what is.
fn ever_ours(workcell: &Workcell, id: &OperationId) -> bool {
    let derived = |campaign: &crate::state::Campaign, number, step, attempts: u32| {
        (1..=attempts)
            .any(|attempt| OperationId::derive(&workcell.id, &campaign.spec.name, number, step, attempt) == *id)
    };
    workcell.operations.contains_key(id)
        || workcell.interventions.values().filter_map(|it| it.recovery.as_ref()).any(|it| it.operations.contains(id))
        || workcell.campaigns.values().any(|campaign| {
            campaign.experiments.iter().filter(|it| it.started_at.is_some()).any(|experiment| {
                let steps = &campaign.spec.steps;
                steps.iter().any(|step| derived(campaign, experiment.number, &step.name, crate::advance::MAX_ATTEMPTS))
            })
        })
}

/// Dispatch waits for this; said once.
pub(super) fn suspend(workcell: &Workcell, cause: String, reason: String) -> Vec<Event> {
    match workcell.suspended.contains_key(&cause) {
        true => Vec::new(),
        false => vec![Event::DispatchSuspended { cause, reason }],
    }
}

/// Dispatch waits for this no longer.
pub(super) fn resume(workcell: &Workcell, cause: String) -> Vec<Event> {
    match workcell.suspended.contains_key(&cause) {
        true => vec![Event::DispatchResumed { cause }],
        false => Vec::new(),
    }
}

/// A person takes the journal as it is for the truth.
pub(super) fn adopt(workcell: &Workcell, by: String) -> Result<Vec<Event>, Rejection> {
    let doubt = workcell
        .doubt
        .as_ref()
        .ok_or_else(|| Rejection::new("no driver has seen more than the journal holds", "there is nothing to adopt"))?;
    Ok(vec![Event::JournalAdopted { by, epoch: workcell.epoch.max(doubt.epoch) + 1 }])
}

//! What follows from the state by itself: dispatch, completion, planning, stopping.
//!
//! [`advance`] is called until it returns nothing. Each rule looks at the state alone, so that it makes no difference
//! which command, or which restart, brought the state about.

mod campaign;
mod dispatch;
mod experiment;
mod intervention;

pub(crate) use experiment::MAX_ATTEMPTS;

use crate::event::Event;
use crate::state::{Phase, Workcell};
use crate::time::Time;

/// The next events, or none: the state is at rest.
pub(crate) fn advance(workcell: &Workcell, now: Time) -> Vec<Event> {
    let overdue = overdue(workcell, now);
    if !overdue.is_empty() {
        return overdue;
    }
    let recovering = intervention::next(workcell, now);
    if !recovering.is_empty() {
        return recovering;
    }
    for campaign in workcell.campaigns.values() {
        if matches!(campaign.phase, Phase::Ended(_)) {
            continue;
        }
        debug_assert!(
            campaign.live.difference(&campaign.active).all(|number| {
                campaign.experiment(*number).is_none_or(|it| experiment::next(workcell, campaign, it, now).is_empty())
            }),
            "something follows from an experiment that seems to wait"
        );
        for number in &campaign.active {
            let events = campaign.experiment(*number).map(|it| experiment::next(workcell, campaign, it, now));
            if let Some(events) = events.filter(|events| !events.is_empty()) {
                return events;
            }
        }
        let events = campaign::next(campaign);
        if !events.is_empty() {
            return events;
        }
    }
    Vec::new()
}

fn overdue(workcell: &Workcell, now: Time) -> Vec<Event> {
    let late = workcell.deadlines.iter().take_while(|(deadline, _)| *deadline <= now);
    late.map(|(_, id)| Event::OperationOverdue { operation: id.clone() }).collect()
}

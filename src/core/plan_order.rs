//! What a planner may see: fixed when the plan is asked for, so that a replay shows it the same.

use crate::digest::Digest;
use crate::event::{Event, Purpose};
use crate::model::Admission;
use crate::state::Campaign;

/// The event that asks for a plan.
pub(crate) fn request(campaign: &Campaign, purpose: Purpose) -> Event {
    let through = campaign.next_number() - 1;
    let pending = match (campaign.spec.budget.admission, purpose) {
        (Admission::InOrder, Purpose::Propose { .. }) => {
            // Proposal m uses exactly the outcomes 1..m-q, whatever else has arrived.
            let known = (through + 1).saturating_sub(campaign.spec.budget.in_flight);
            (known + 1..=through).collect()
        }
        (Admission::AsArrived, _) | (Admission::InOrder, Purpose::Answer) => {
            campaign.waiting.union(&campaign.live).copied().collect()
        }
    };
    let ticket = campaign.last_ticket + 1;
    let seed = seed(campaign.seed);
    Event::PlanRequested { campaign: campaign.spec.name.clone(), ticket, purpose, through, pending, seed }
}

/// Whether the planner may be asked for the next point yet.
pub(crate) fn admitted(campaign: &Campaign) -> bool {
    match campaign.spec.budget.admission {
        Admission::AsArrived => true,
        Admission::InOrder => {
            let known = campaign.next_number().saturating_sub(campaign.spec.budget.in_flight);
            let open = campaign.waiting.iter().chain(&campaign.live).min();
            open.is_none_or(|first| *first > known)
        }
    }
}

/// The planner's seed stays the same from plan to plan: it mixes the number of rows in by itself, and a scrambled
/// sequence must go on where it left off.
fn seed(campaign: u64) -> u64 {
    let mut digest = Digest::new("plan seed");
    digest.number(campaign);
    digest.seed()
}

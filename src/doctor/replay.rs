//! The log's plans, made again: the same build and the same log give the same proposals, bit for bit.

use super::{DoctorError, look};
use crate::engine::StepError;
use crate::planning;
use eutectic_core::model::{Origin, Proposal};
use eutectic_core::{Effect, Event, PlanAnswer, PlanOrder, Purpose, Recorded, Ticket, Workcell, evolve};
use std::collections::BTreeMap;
use std::path::Path;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replayed {
    /// Entries read.
    pub entries: u64,
    /// Plans made again.
    pub plans: u64,
    /// Plans by a planner of one's own: it alone could make them again.
    pub elsewhere: u64,
    /// Those that came out otherwise, or couldn't be made: campaign, ticket, and why.
    pub other: Vec<String>,
}

/// A plan of the log: by its campaign and ticket.
type Key = (String, Ticket);
/// A plan that was made again: its proposals and the memo; else why not.
type Made = Result<(Vec<Proposal>, String), String>;

/// Makes every plan of the log again from what the log says its planner could see. Changes nothing.
///
/// # Errors
/// [`DoctorError`] where the log can't be read.
pub fn replay(journal: &Path) -> Result<Replayed, DoctorError> {
    let mut log = Vec::new();
    look(journal, |entry| log.push(entry))?;
    let mut workcell = Workcell::default();
    let mut replayed = Replayed { entries: log.len() as u64, ..Replayed::default() };
    let mut made: BTreeMap<Key, Option<Made>> = BTreeMap::new();
    let mut recorded: BTreeMap<Key, (Vec<Proposal>, String)> = BTreeMap::new();
    for entry in log {
        let event: Recorded =
            serde_json::from_slice(&entry.payload).map_err(|source| StepError::Entry { seq: entry.seq, source })?;
        #[expect(clippy::wildcard_enum_match_arm, reason = "only proposals are compared")]
        match &event.event {
            Event::ProposalsAdded { campaign, ticket, memo, .. } => {
                recorded.insert((campaign.to_string(), *ticket), (Vec::new(), memo.clone()));
            }
            Event::ExperimentAdded { campaign, origin: Origin::Proposed(ticket), setting, why: Some(why), .. } => {
                let proposal = Proposal { setting: setting.clone(), why: why.clone() };
                if let Some(plan) = recorded.get_mut(&(campaign.to_string(), *ticket)) {
                    plan.0.push(proposal);
                }
            }
            _ => {}
        }
        evolve(&mut workcell, &event);
        if let Event::PlanRequested { ticket, campaign, purpose: Purpose::Propose { .. }, .. } = &event.event {
            let elsewhere = workcell.campaigns.get(campaign).is_some_and(|it| it.spec.planner.address.is_some());
            let plan = (!elsewhere).then(|| again(&workcell, *ticket));
            made.insert((campaign.to_string(), *ticket), plan);
        }
    }
    for (key, plan) in recorded {
        if made.get(&key) == Some(&None) {
            replayed.elsewhere += 1;
            continue;
        }
        replayed.plans += 1;
        let why = match made.get(&key) {
            Some(Some(Ok(again))) if *again == plan => continue,
            Some(Some(Ok(_))) => "comes out otherwise",
            Some(Some(Err(words))) => words,
            Some(None) | None => "was never asked for",
        };
        replayed.other.push(format!("plan {} of '{}' {why}", key.1, key.0));
    }
    Ok(replayed)
}

fn again(workcell: &Workcell, ticket: Ticket) -> Made {
    let wanted = |effect: &Effect| match effect {
        Effect::Plan(order) if order.ticket == ticket => Some((**order).clone()),
        Effect::Plan(_) | Effect::Hold { .. } | Effect::Attend(_) => None,
    };
    let order: PlanOrder = workcell.owed().values().find_map(wanted).ok_or("is not owed")?;
    let campaign = workcell.campaigns.get(&order.campaign).ok_or("has no campaign")?;
    let input = planning::prepare(campaign, &order);
    match planning::plan_here(&input).map_err(|error| error.to_string())? {
        PlanAnswer::Proposals { proposals, memo, .. } => Ok((proposals, memo)),
        PlanAnswer::Answer(_) | PlanAnswer::Enough(_) => Err("gives no proposals".to_owned()),
    }
}

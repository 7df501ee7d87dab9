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
    /// Those that came out otherwise, or couldn't be made: campaign, ticket, and why.
    pub other: Vec<String>,
}

/// A plan of the log: by its campaign and ticket.
type Key = (String, Ticket);

/// Makes every plan of the log again from what the log says its planner could see. Changes nothing.
///
/// # Errors
/// [`DoctorError`] where the log can't be read.
pub fn replay(journal: &Path) -> Result<Replayed, DoctorError> {
    let mut log = Vec::new();
    look(journal, |entry| log.push(entry))?;
    let mut workcell = Workcell::default();
    let mut replayed = Replayed { entries: log.len() as u64, ..Replayed::default() };
    let mut made: BTreeMap<Key, Result<(Vec<Proposal>, String), String>> = BTreeMap::new();
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
            made.insert((campaign.to_string(), *ticket), again(&workcell, *ticket));
        }
    }
    for (key, plan) in recorded {
        replayed.plans += 1;
        let why = match made.get(&key) {
            Some(Ok(again)) if *again == plan => continue,
            Some(Ok(_)) => "comes out otherwise",
            Some(Err(words)) => words,
            None => "was never asked for",
        };
        replayed.other.push(format!("plan {} of '{}' {why}", key.1, key.0));
    }
    Ok(replayed)
}

fn again(workcell: &Workcell, ticket: Ticket) -> Result<(Vec<Proposal>, String), String> {
    let wanted = |effect: &Effect| match effect {
        Effect::Plan(order) if order.ticket == ticket => Some((**order).clone()),
        Effect::Plan(_) | Effect::Hold { .. } | Effect::Attend(_) => None,
    };
    let order: PlanOrder = workcell.owed().values().find_map(wanted).ok_or("is not owed")?;
    let campaign = workcell.campaigns.get(&order.campaign).ok_or("has no campaign")?;
    let input = planning::prepare(campaign, &order).map_err(|error| error.to_string())?;
    match planning::plan(&input).map_err(|error| error.to_string())? {
        PlanAnswer::Proposals { proposals, memo, .. } => Ok((proposals, memo)),
        PlanAnswer::Answer(_) => Err("gives an answer and no proposals".to_owned()),
    }
}

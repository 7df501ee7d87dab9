//! The planner's answers.

use super::experiment::check_setting;
use crate::command::PlanAnswer;
use crate::event::{Event, Purpose};
use crate::ids::{CampaignName, Ticket};
use crate::model::{Origin, StopReason};
use crate::rejection::Rejection;
use crate::state::{Campaign, Phase, Plan, Workcell};

pub(super) fn answered(
    workcell: &Workcell,
    name: CampaignName,
    ticket: Ticket,
    answer: PlanAnswer,
) -> Result<Vec<Event>, Rejection> {
    let (campaign, plan) = owed(workcell, &name, ticket)?;
    match (plan.purpose, answer) {
        (Purpose::Propose { .. }, PlanAnswer::Enough(gain)) => {
            Ok(vec![Event::GainEstimated { campaign: name, ticket, gain }])
        }
        (Purpose::Propose { count }, PlanAnswer::Proposals { proposals, memo, planner, took_ms, gain }) => {
            let wanted = proposals.len() == count as usize;
            let sound = proposals.iter().try_for_each(|it| check_setting(&campaign.spec, &it.setting));
            if let Some(fault) = (!wanted).then(|| format!("{} points for {count} asked", proposals.len())) {
                return failed(workcell, name, ticket, fault);
            }
            if let Err(violated) = sound {
                return failed(workcell, name, ticket, format!("a proposal that can't be tried: {violated}"));
            }
            let mut events = Vec::new();
            events.extend(gain.map(|gain| Event::GainEstimated { campaign: name.clone(), ticket, gain }));
            events.push(Event::ProposalsAdded { campaign: name.clone(), ticket, planner, memo, took_ms });
            events.extend((campaign.next_number()..).zip(proposals).map(|(experiment, proposal)| {
                Event::ExperimentAdded {
                    campaign: name.clone(),
                    experiment,
                    origin: Origin::Proposed(ticket),
                    setting: proposal.setting,
                    why: Some(proposal.why),
                }
            }));
            Ok(events)
        }
        (Purpose::Answer, PlanAnswer::Answer(answer)) => {
            Ok(vec![Event::CampaignEnded { reason: reason(campaign), campaign: name, answer }])
        }
        (Purpose::Propose { .. }, PlanAnswer::Answer(_))
        | (Purpose::Answer, PlanAnswer::Proposals { .. } | PlanAnswer::Enough(_)) => {
            Err(Rejection::new(format!("plan {ticket} of '{name}' asked for something else"), ""))
        }
    }
}

pub(super) fn failed(
    workcell: &Workcell,
    name: CampaignName,
    ticket: Ticket,
    message: String,
) -> Result<Vec<Event>, Rejection> {
    let (campaign, plan) = owed(workcell, &name, ticket)?;
    let failed = Event::PlanFailed { campaign: name.clone(), ticket, message: message.clone() };
    Ok(match plan.purpose {
        Purpose::Propose { .. } => {
            let mut events = vec![failed];
            if campaign.phase == Phase::Running {
                events.push(Event::CampaignPaused { campaign: name, by: "the planner".into(), reason: message });
            }
            events
        }
        // Without a model there is no answer, but the campaign is over all the same.
        Purpose::Answer => {
            vec![failed, Event::CampaignEnded { reason: reason(campaign), campaign: name, answer: None }]
        }
    })
}

fn owed<'a>(
    workcell: &'a Workcell,
    name: &CampaignName,
    ticket: Ticket,
) -> Result<(&'a Campaign, &'a Plan), Rejection> {
    let campaign = workcell.campaign(name)?;
    let plan = campaign.plan.as_ref().filter(|plan| plan.ticket == ticket);
    plan.map(|plan| (campaign, plan)).ok_or_else(|| Rejection::new(format!("plan {ticket} of '{name}' is void"), ""))
}

/// Why the campaign ends, from the phase it is in.
pub(super) fn reason(campaign: &Campaign) -> StopReason {
    match &campaign.phase {
        Phase::Stopping(reason) | Phase::Ended(reason) => reason.clone(),
        Phase::Aborting { by } => StopReason::Aborted { by: by.clone() },
        Phase::Running | Phase::Paused { .. } => StopReason::Budget { experiments: campaign.used },
    }
}

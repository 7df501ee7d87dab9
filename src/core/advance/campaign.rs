//! Starting what waits, asking for plans, stopping.

use crate::event::{Event, Purpose};
use crate::model::{Failure, FailureKind, GainVerdict, StopReason};
use crate::plan_order::{admitted, request};
use crate::state::{Campaign, ExperimentPhase, Phase};

/// Failures of equipment in a row after which a campaign waits for a person.
pub(super) const MAX_EQUIPMENT_FAILURES: u32 = 3;

/// What follows from where the campaign stands.
pub(super) fn next(campaign: &Campaign) -> Vec<Event> {
    match &campaign.phase {
        Phase::Running => running(campaign),
        Phase::Paused { .. } | Phase::Ended(_) => Vec::new(),
        Phase::Stopping(reason) => ending(campaign, reason.clone()),
        Phase::Aborting { by } => ending(campaign, StopReason::Aborted { by: by.clone() }),
    }
}

fn running(campaign: &Campaign) -> Vec<Event> {
    let name = campaign.spec.name.clone();
    if campaign.equipment_failures >= MAX_EQUIPMENT_FAILURES {
        return vec![Event::CampaignPaused {
            campaign: name,
            by: "the scheduler".into(),
            reason: format!("{MAX_EQUIPMENT_FAILURES} failures of equipment in a row"),
        }];
    }
    if let Some(reason) = stop_reason(campaign) {
        return vec![Event::CampaignStopping { campaign: name, reason }];
    }
    if campaign.spec.by_hand() {
        return Vec::new();
    }
    let budget = &campaign.spec.budget;
    let busy = u32::try_from(campaign.live.len()).unwrap_or(u32::MAX);
    if busy >= budget.in_flight {
        return Vec::new();
    }
    if let Some(experiment) = campaign.waiting.first() {
        return vec![Event::ExperimentStarted { campaign: name, experiment: *experiment }];
    }
    let left = budget.experiments.saturating_sub(campaign.used);
    if left > 0 && !is_spent(campaign) && campaign.plan.is_none() && admitted(campaign) {
        let count = match budget.admission {
            crate::model::Admission::AsArrived => left.min(budget.in_flight - busy),
            crate::model::Admission::InOrder => 1,
        };
        return vec![request(campaign, Purpose::Propose { count })];
    }
    Vec::new()
}

fn ending(campaign: &Campaign, reason: StopReason) -> Vec<Event> {
    let name = campaign.spec.name.clone();
    if let Some(experiment) = campaign.waiting.first() {
        let failure = Failure { kind: FailureKind::Cancelled, message: "the campaign ends".into() };
        return vec![Event::ExperimentFailed { campaign: name, experiment: *experiment, failure }];
    }
    if !campaign.live.is_empty() || campaign.plan.is_some() {
        return Vec::new();
    }
    let observed = campaign.experiments.iter().any(|it| matches!(it.phase, ExperimentPhase::Observed(_)));
    if observed {
        vec![request(campaign, Purpose::Answer)]
    } else {
        vec![Event::CampaignEnded { campaign: name, reason, answer: None }]
    }
}

fn stop_reason(campaign: &Campaign) -> Option<StopReason> {
    let stop = &campaign.spec.stop;
    if let (Some(target), Some((experiment, best)), [objective]) =
        (stop.target, campaign.best, campaign.spec.objectives.as_slice())
    {
        let sign = objective.goal.sign();
        if sign * best >= sign * target {
            return Some(StopReason::Target { experiment, target });
        }
    }
    if let Some(gain) = campaign.gain.as_ref().filter(|gain| gain.verdict == GainVerdict::Enough) {
        return Some(StopReason::Evidence { tolerance: gain.tolerance, confidence: gain.confidence });
    }
    if let Some(patience) = stop.patience.filter(|patience| campaign.since_gain >= *patience) {
        return Some(StopReason::Stagnation { experiments: patience, gain: stop.gain });
    }
    let spent = campaign.used >= campaign.spec.budget.experiments;
    let idle = campaign.waiting.is_empty() && campaign.live.is_empty();
    match campaign.spec.budget.cost {
        Some(budget) if is_spent(campaign) && idle => Some(StopReason::Cost { spent: campaign.spent, budget }),
        Some(_) | None => (spent && idle).then_some(StopReason::Budget { experiments: campaign.used }),
    }
}

/// Whether no further experiment may be paid for.
fn is_spent(campaign: &Campaign) -> bool {
    campaign.spec.budget.cost.is_some_and(|budget| campaign.spent >= budget)
}

//! What people are called for: a function of the state alone, so that no crash loses a call.

use super::waiting::doubted;
use eutectic_core::{Campaign, Instrument, InstrumentId, Intervention, Operation, Phase, Standing, Time, Workcell};

/// For how long something that needs nobody is news: a day.
const NEWS_MS: i64 = 24 * 3_600_000;
/// The campaigns' pausing by a person is no news to people.
const OURS: [&str; 2] = ["the scheduler", "the planner"];

/// A call for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it is about: the same thing has the same name.
    pub id: String,
    /// Whether it wakes people, and again until somebody acknowledges it. Otherwise it is said once, and not in quiet hours.
    pub urgent: bool,
    /// Since when.
    pub since: Time,
    /// In words.
    pub text: String,
    /// What to do.
    pub hint: String,
    /// Whether somebody knows.
    pub acknowledged: bool,
}

/// Everything that people are called for now.
#[must_use]
pub fn pages(workcell: &Workcell) -> Vec<Page> {
    let mut pages = Vec::new();
    if let Some(doubt) = &workcell.doubt {
        let hint = "eutectic status".to_owned();
        pages.push(page("journal", true, doubt.since, doubted(doubt), hint));
    }
    for (cause, (reason, since)) in &workcell.suspended {
        let text = format!("nothing new is dispatched: {reason}");
        // A door is opened by somebody who is there.
        let urgent = !cause.starts_with("guard-");
        pages.push(page(&format!("suspended-{cause}"), urgent, *since, text, "it goes on by itself".to_owned()));
    }
    pages.extend(workcell.instruments.iter().filter_map(|(name, it)| silence(name, it)));
    pages.extend(workcell.operations.values().filter(|it| it.overdue && it.burying.is_none()).map(overdue));
    pages.extend(workcell.interventions.values().filter_map(|it| about(workcell, it)));
    pages.extend(workcell.campaigns.values().filter_map(of_campaign));
    for page in &mut pages {
        page.acknowledged = workcell.acknowledged.get(&page.id).is_some_and(|at| *at >= page.since);
    }
    // News grow old, questions don't.
    let news = |it: &Page| !it.acknowledged && workcell.now.since(it.since) < NEWS_MS;
    pages.retain(|it| it.urgent || news(it));
    pages
}

fn page(id: &str, urgent: bool, since: Time, text: String, hint: String) -> Page {
    Page { id: id.to_owned(), urgent, since, text, hint, acknowledged: false }
}

/// What it was given may go on or not: people are woken only where something is under way.
fn silence(name: &InstrumentId, it: &Instrument) -> Option<Page> {
    let (why, since) = it.silent.as_ref()?;
    let under_way = it.running.len();
    let text = format!("the driver of {name} does not answer: {why}; operations under way: {under_way}");
    let hint = "it goes on by itself once the driver answers".to_owned();
    Some(page(&format!("silent-{name}"), under_way > 0, *since, text, hint))
}

fn overdue(it: &Operation) -> Page {
    let dispatch = &it.dispatch;
    let name = &dispatch.instrument;
    let text =
        format!("{name} takes longer than it declares for {}: nobody knows yet how it ends", dispatch.capability);
    let id = format!("overdue-{}", dispatch.operation);
    let hint = format!("look at it; `eutectic halt {name}` stops it");
    page(&id, true, dispatch.deadline.unwrap_or(it.dispatched_at), text, hint)
}

fn about(workcell: &Workcell, it: &Intervention) -> Option<Page> {
    let name = &it.instrument;
    let show = format!("eutectic intervention show {}", it.number);
    let id = format!("intervention-{}", it.number);
    let news = it.evidence.last().map(|it| it.at);
    match workcell.standing(it) {
        Standing::Waits => {
            let failed = it.recovery.as_ref().and_then(|it| it.failed.as_ref());
            let tried = failed.map(|why| format!("; it tried to recover: {why}")).unwrap_or_default();
            let text = format!("{name} waits for a person: {}{tried}", it.reason);
            Some(page(&id, true, news.unwrap_or(it.opened_at), text, show))
        }
        Standing::Due(_) => {
            let text = format!("{name} is out of service, and will recover by its policy: {}", it.reason);
            Some(page(&id, false, it.opened_at, text, show))
        }
        Standing::Recovering => {
            let text = format!("{name} recovers by its policy: {}", it.reason);
            Some(page(&id, false, it.opened_at, text, show))
        }
        Standing::Resolved if it.recovery.is_some() => {
            let at = it.decision.as_ref().map_or(it.opened_at, |(_, _, at)| *at);
            let text =
                format!("{name} has recovered by its policy and is back in service; what had happened: {}", it.reason);
            Some(page(&format!("recovered-{}", it.number), false, at, text, show))
        }
        Standing::Burying | Standing::Resolved => None,
    }
}

fn of_campaign(campaign: &Campaign) -> Option<Page> {
    let name = &campaign.spec.name;
    match &campaign.phase {
        Phase::Paused { by, reason } if OURS.contains(&by.as_str()) => {
            let text = format!("campaign {name} is paused by {by}: {reason}");
            Some(page(&format!("paused-{name}"), true, campaign.phase_since, text, format!("eutectic resume {name}")))
        }
        Phase::Ended(reason) => {
            let text = format!("campaign {name} has ended: {}", super::stop(reason));
            Some(page(&format!("ended-{name}"), false, campaign.phase_since, text, format!("eutectic result {name}")))
        }
        Phase::Running | Phase::Paused { .. } | Phase::Stopping(_) | Phase::Aborting { .. } => None,
    }
}

//! The life of a campaign: added, paused, resumed, stopped, aborted.

use super::experiment::check_setting;
use crate::event::{Event, PAST_ROWS_PER_EVENT};
use crate::ids::CampaignName;
use crate::model::{CampaignSpec, Origin, StopReason};
use crate::rejection::Rejection;
use crate::state::{Campaign, Phase, Workcell};

pub(super) fn add(
    workcell: &Workcell,
    mut spec: CampaignSpec,
    digest: String,
    source: String,
    seed: u64,
) -> Result<Vec<Event>, Rejection> {
    if workcell.campaigns.contains_key(&spec.name) {
        return Err(Rejection::new(
            format!("there is a campaign '{}' already", spec.name),
            "run the same file to go on with it, or give the new one another name with `--as NAME`",
        ));
    }
    for setting in &spec.experiments {
        check_setting(&spec, setting)?;
    }
    let name = spec.name.clone();
    let past = std::mem::take(&mut spec.past);
    let pool = std::mem::take(&mut spec.pool);
    let own = spec.experiments.clone();
    let mut events = vec![Event::CampaignCreated { spec: Box::new(spec), digest, source, seed }];
    events.extend(
        past.chunks(PAST_ROWS_PER_EVENT).map(|rows| Event::PastAdded { campaign: name.clone(), rows: rows.to_vec() }),
    );
    events.extend(
        pool.chunks(PAST_ROWS_PER_EVENT)
            .map(|settings| Event::PoolAdded { campaign: name.clone(), settings: settings.to_vec() }),
    );
    events.extend((1..).zip(own).map(|(experiment, setting)| Event::ExperimentAdded {
        campaign: name.clone(),
        experiment,
        origin: Origin::Own,
        setting,
        why: None,
    }));
    Ok(events)
}

pub(super) fn pause(workcell: &Workcell, name: CampaignName, by: String) -> Result<Vec<Event>, Rejection> {
    let campaign = workcell.campaign(&name)?;
    match &campaign.phase {
        Phase::Running => Ok(vec![Event::CampaignPaused { campaign: name, by, reason: "asked to".into() }]),
        Phase::Paused { by, .. } => Err(Rejection::new(
            format!("campaign '{name}' is paused already, by {by}"),
            format!("`eutectic resume {name}` lets it go on"),
        )),
        Phase::Stopping(_) | Phase::Aborting { .. } | Phase::Ended(_) => Err(no_longer(campaign, "paused")),
    }
}

pub(super) fn resume(workcell: &Workcell, name: CampaignName, by: String) -> Result<Vec<Event>, Rejection> {
    let campaign = workcell.campaign(&name)?;
    match &campaign.phase {
        Phase::Paused { .. } => Ok(vec![Event::CampaignResumed { campaign: name, by }]),
        Phase::Running => Err(Rejection::new(
            format!("campaign '{name}' is not paused"),
            format!("`eutectic watch {name}` shows what it does"),
        )),
        Phase::Stopping(_) | Phase::Aborting { .. } | Phase::Ended(_) => Err(no_longer(campaign, "resumed")),
    }
}

pub(super) fn stop(workcell: &Workcell, name: CampaignName, by: String) -> Result<Vec<Event>, Rejection> {
    let campaign = workcell.campaign(&name)?;
    match &campaign.phase {
        Phase::Running | Phase::Paused { .. } => {
            Ok(vec![Event::CampaignStopping { campaign: name, reason: StopReason::Stopped { by } }])
        }
        Phase::Stopping(_) => Err(Rejection::new(
            format!("campaign '{name}' is stopping already; it waits for what runs"),
            format!("`eutectic abort {name}` does not wait"),
        )),
        Phase::Aborting { .. } | Phase::Ended(_) => Err(no_longer(campaign, "stopped")),
    }
}

pub(super) fn abort(workcell: &Workcell, name: CampaignName, by: String) -> Result<Vec<Event>, Rejection> {
    let campaign = workcell.campaign(&name)?;
    match &campaign.phase {
        Phase::Running | Phase::Paused { .. } | Phase::Stopping(_) => {
            Ok(vec![Event::CampaignAborting { campaign: name, by }])
        }
        Phase::Aborting { .. } => Err(Rejection::new(
            format!("campaign '{name}' is aborting already"),
            "`eutectic halt` stops the instruments themselves, at once",
        )),
        Phase::Ended(_) => Err(no_longer(campaign, "aborted")),
    }
}

/// What is said where the campaign is past the point at which a verb made sense.
pub(super) fn no_longer(campaign: &Campaign, verb: &str) -> Rejection {
    let name = &campaign.spec.name;
    let (state, hint) = match &campaign.phase {
        Phase::Ended(_) => ("has ended", format!("`eutectic result {name}` shows what it found")),
        Phase::Stopping(_) => ("is stopping", format!("`eutectic watch {name}` shows what still runs")),
        Phase::Aborting { .. } => ("is aborting", format!("`eutectic watch {name}` shows what still runs")),
        Phase::Running | Phase::Paused { .. } => ("is under way", String::new()),
    };
    Rejection::new(format!("campaign '{name}' {state}: it can't be {verb}"), hint)
}

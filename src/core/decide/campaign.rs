//! The life of a campaign: added, paused, resumed, stopped, aborted.

use super::experiment::{check_setting, inside};
use crate::event::{Event, PAST_ROWS_PER_EVENT};
use crate::ids::CampaignName;
use crate::model::{CampaignSpec, Domain, Level, Measured, Origin, Parameter, PastRow, Setting, StopReason};
use crate::rejection::Rejection;
use crate::state::{Campaign, ExperimentPhase, Phase, Workcell};
use std::collections::BTreeMap;

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
    let mut priors = Vec::new();
    for prior in &spec.priors {
        let rows = if prior.campaign { experience(workcell, &spec, &prior.name)? } else { prior.rows.clone() };
        priors.push((prior.name.clone(), rows));
    }
    spec.priors.iter_mut().for_each(|prior| prior.rows.clear());
    let own = spec.experiments.clone();
    let mut events = vec![Event::CampaignCreated { spec: Box::new(spec), digest, source, seed }];
    events.extend(
        past.chunks(PAST_ROWS_PER_EVENT).map(|rows| Event::PastAdded { campaign: name.clone(), rows: rows.to_vec() }),
    );
    for (prior, rows) in priors {
        events.extend(rows.chunks(PAST_ROWS_PER_EVENT).map(|rows| Event::PriorAdded {
            campaign: name.clone(),
            prior: prior.clone(),
            rows: rows.to_vec(),
        }));
    }
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

/// What a campaign of this workcell has observed, as far as it tells something of a new one.
fn experience(workcell: &Workcell, spec: &CampaignSpec, name: &str) -> Result<Vec<PastRow>, Rejection> {
    let Some(earlier) = workcell.campaigns.get(&CampaignName::new(name)) else {
        let known: Vec<&str> = workcell.campaigns.keys().map(CampaignName::as_str).collect();
        let hint =
            if known.is_empty() { "there is none yet".into() } else { format!("there are {}", known.join(", ")) };
        return Err(Rejection::new(format!("there is no campaign '{name}' here to learn from"), hint));
    };
    let observed = earlier.experiments.iter().filter_map(|experiment| match &experiment.phase {
        ExperimentPhase::Observed(observation) => Some((&experiment.setting, &observation.outcomes)),
        ExperimentPhase::Waiting | ExperimentPhase::Running | ExperimentPhase::Failed(_) => None,
    });
    let past = earlier.past.iter().map(|row| (&row.setting, &row.outcomes));
    let rows: Vec<PastRow> =
        past.chain(observed).filter_map(|(setting, outcomes)| told(spec, setting, outcomes)).collect();
    if rows.is_empty() {
        return Err(Rejection::new(
            format!("nothing that '{name}' has observed tells of this campaign"),
            "it needs every parameter of this one, and one of its outcomes, by the same names",
        ));
    }
    Ok(rows)
}

/// An observation of another campaign in the parameters and outcomes of this one; `None` where it has not all parameters.
fn told(spec: &CampaignSpec, setting: &Setting, outcomes: &BTreeMap<String, Measured>) -> Option<PastRow> {
    let level = |parameter: &Parameter| {
        let level = setting.get(&parameter.name)?;
        let usable = match (&parameter.domain, level) {
            // A number outside the range still tells something of what is inside.
            (Domain::Real { log, .. }, Level::Real(value)) => !log || *value > 0.0,
            (domain, level) => inside(domain, level),
        };
        usable.then(|| (parameter.name.clone(), level.clone()))
    };
    let setting: Setting = spec.parameters.iter().map(level).collect::<Option<_>>()?;
    let known = |(name, _): &(&String, &Measured)| spec.outcome(name).is_some();
    let outcomes: BTreeMap<String, Measured> =
        outcomes.iter().filter(known).map(|(name, measured)| (name.clone(), *measured)).collect();
    (!outcomes.is_empty()).then_some(PastRow { setting, outcomes })
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

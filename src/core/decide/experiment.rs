//! Points of people's own, and campaigns done by hand.

use super::campaign::no_longer;
use crate::command::{RecordedRow, RowResult};
use crate::event::{Event, Purpose};
use crate::ids::{CampaignName, ExperimentNumber};
use crate::model::{CampaignSpec, Datum, Domain, Failure, FailureKind, Leaf, Level, Observation, Origin, Setting};
use crate::plan_order::request;
use crate::rejection::Rejection;
use crate::state::{Campaign, Phase, Workcell};

pub(super) fn enqueue(
    workcell: &Workcell,
    name: &CampaignName,
    settings: Vec<Setting>,
) -> Result<Vec<Event>, Rejection> {
    let campaign = open(workcell, name, "given more points")?;
    let left = campaign.spec.budget.experiments.saturating_sub(campaign.used);
    if settings.len() > left as usize {
        return Err(Rejection::new(
            format!("{} points, and the budget of '{name}' has room for {left}", settings.len()),
            "enqueue fewer, or raise the budget in a new campaign",
        ));
    }
    for setting in &settings {
        check_setting(&campaign.spec, setting)?;
    }
    let numbered = (campaign.next_number()..).zip(settings);
    Ok(numbered.map(|(number, setting)| own(name, number, setting)).collect())
}

fn own(name: &CampaignName, experiment: ExperimentNumber, setting: Setting) -> Event {
    Event::ExperimentAdded { campaign: name.clone(), experiment, origin: Origin::Own, setting, why: None }
}

pub(super) fn suggest(workcell: &Workcell, name: CampaignName, count: u32) -> Result<Vec<Event>, Rejection> {
    let campaign = open(workcell, &name, "given suggestions")?;
    if !campaign.spec.by_hand() {
        return Err(Rejection::new(
            format!("campaign '{name}' has a protocol: its instruments are given the points"),
            "only a campaign without steps is done by hand",
        ));
    }
    if campaign.plan.is_some() {
        return Err(Rejection::new(format!("the planner of '{name}' is busy"), "ask again when it has answered"));
    }
    let left = campaign.spec.budget.experiments.saturating_sub(campaign.used);
    if count == 0 || count > left {
        return Err(Rejection::new(
            format!("{count} points, and the budget of '{name}' has room for {left}"),
            format!("ask for 1 to {left}, or record what was suggested before"),
        ));
    }
    Ok(vec![request(campaign, Purpose::Propose { count })])
}

pub(super) fn record(
    workcell: &Workcell,
    name: &CampaignName,
    rows: Vec<RecordedRow>,
) -> Result<Vec<Event>, Rejection> {
    let campaign = open(workcell, name, "given results")?;
    if !campaign.spec.by_hand() {
        return Err(Rejection::new(
            format!("campaign '{name}' has a protocol: its instruments give the results"),
            "bring past data in with [[data]] in the campaign file",
        ));
    }
    let mut events = Vec::new();
    let mut next = campaign.next_number();
    let mut seen = std::collections::BTreeSet::new();
    for (place, row) in (1..).zip(rows) {
        let number = match row.experiment {
            Some(number) => suggested(campaign, number, place)?,
            None => {
                let setting = row.setting.ok_or_else(|| {
                    Rejection::new(
                        format!("row {place} names neither an experiment nor a point"),
                        "keep the column 'experiment' of the suggested plate, or give every parameter",
                    )
                })?;
                check_setting(&campaign.spec, &setting)?;
                events.push(own(name, next, setting));
                next += 1;
                next - 1
            }
        };
        if !seen.insert(number) {
            return Err(Rejection::new(format!("row {place}: experiment {number} stands twice"), "keep one of them"));
        }
        events.push(result(campaign, name, number, place, row.result)?);
    }
    Ok(events)
}

fn suggested(campaign: &Campaign, number: ExperimentNumber, place: u32) -> Result<ExperimentNumber, Rejection> {
    let name = &campaign.spec.name;
    let experiment = campaign.experiment(number).ok_or_else(|| {
        Rejection::new(
            format!("row {place}: '{name}' has no experiment {number}"),
            "leave the column 'experiment' empty for a point of your own",
        )
    })?;
    if experiment.phase.ended() {
        return Err(Rejection::new(
            format!("row {place}: experiment {number} has its result already"),
            "a second measurement of it is a point of your own: leave the column 'experiment' empty",
        ));
    }
    Ok(number)
}

fn result(
    campaign: &Campaign,
    name: &CampaignName,
    experiment: ExperimentNumber,
    place: u32,
    result: RowResult,
) -> Result<Event, Rejection> {
    match result {
        RowResult::Observed(observation) => {
            check_observation(&campaign.spec, &observation, place)?;
            Ok(Event::ObservationRecorded { campaign: name.clone(), experiment, observation })
        }
        RowResult::Failed(message) => {
            let failure = Failure { kind: FailureKind::Recipe, message };
            Ok(Event::ExperimentFailed { campaign: name.clone(), experiment, failure })
        }
    }
}

fn check_observation(spec: &CampaignSpec, observation: &Observation, place: u32) -> Result<(), Rejection> {
    for outcome in &spec.outcomes {
        let finite = observation
            .outcomes
            .get(&outcome.name)
            .is_some_and(|it| it.value.is_finite() && it.sd.is_none_or(|sd| sd.is_finite() && sd >= 0.0));
        if !finite {
            return Err(Rejection::new(
                format!("row {place}: '{}' has no finite value", outcome.name),
                "give a number for every outcome, or say in the column 'failed' why there is none",
            ));
        }
    }
    Ok(())
}

fn open<'a>(workcell: &'a Workcell, name: &CampaignName, verb: &str) -> Result<&'a Campaign, Rejection> {
    let campaign = workcell.campaign(name)?;
    match &campaign.phase {
        Phase::Running | Phase::Paused { .. } => Ok(campaign),
        Phase::Stopping(_) | Phase::Aborting { .. } | Phase::Ended(_) => Err(no_longer(campaign, verb)),
    }
}

/// Whether a point names a level of every parameter, within bounds and known constraints.
pub(super) fn check_setting(spec: &CampaignSpec, setting: &Setting) -> Result<(), Rejection> {
    for parameter in &spec.parameters {
        let level = setting.get(&parameter.name).ok_or_else(|| {
            Rejection::new(format!("the point has no '{}'", parameter.name), "give every parameter a value")
        })?;
        if !inside(&parameter.domain, level) {
            return Err(Rejection::new(
                format!("'{}' = {level} is outside {}", parameter.name, parameter.domain),
                "choose a value inside, or widen the parameter in the campaign file",
            ));
        }
    }
    if let Some(unknown) = setting.keys().find(|name| spec.parameter(name).is_none()) {
        let known: Vec<_> = spec.parameters.iter().map(|it| it.name.as_str()).collect();
        return Err(Rejection::new(
            format!("there is no parameter '{unknown}'"),
            format!("the parameters are {}", known.join(", ")),
        ));
    }
    if let Some(missed) = spec.mixtures.iter().find(|it| !it.holds(setting)) {
        let most = missed.at_most.map_or_else(String::new, |most| format!(", at most {most} of them above 0"));
        return Err(Rejection::new(
            format!("{} don't sum to {}{most}", missed.parameters.join(", "), missed.total),
            "a mixture has its total at every point, a person's own included",
        ));
    }
    match spec
        .parameter_constraints
        .iter()
        .find(|it| !it.holds.holds(&|leaf: &Leaf| level_of(setting, leaf)).unwrap_or(false))
    {
        None => Ok(()),
        Some(violated) => Err(Rejection::new(
            format!("the point violates the constraint '{}'", violated.text),
            "a known constraint holds for every point, a person's own included",
        )),
    }
}

fn level_of(setting: &Setting, leaf: &Leaf) -> Option<Datum> {
    match leaf {
        Leaf::Parameter(name) => setting.get(name).map(Level::datum),
        Leaf::Outcome(_) | Leaf::Output { .. } => None,
    }
}

pub(super) fn inside(domain: &Domain, level: &Level) -> bool {
    match (domain, level) {
        (Domain::Real { low, high, .. }, Level::Real(value)) => (*low..=*high).contains(value),
        (Domain::Integer { low, high, .. }, Level::Integer(value)) => (*low..=*high).contains(value),
        (Domain::Levels { values, .. }, Level::Real(value)) => values.contains(value),
        (Domain::Categorical { choices }, Level::Choice(choice)) => choices.contains(choice),
        (
            Domain::Real { .. } | Domain::Integer { .. } | Domain::Levels { .. } | Domain::Categorical { .. },
            Level::Real(_) | Level::Integer(_) | Level::Choice(_),
        ) => false,
    }
}

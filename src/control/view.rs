//! The state as the control protocol shows it.

use crate::gateway::InstrumentView;
use crate::projections::{self, stop, waiting_for};
use eutectic_core::model::{
    Domain, FailureKind, Goal, Level as CoreLevel, Measured, Observation, Origin, Predicted, StopReason, WhyKind,
};
use eutectic_core::{self as core, Campaign, ExperimentPhase, Phase, Workcell};
use eutectic_proto::control::v1 as wire;
use std::collections::BTreeMap;

pub(super) fn summary(campaign: &Campaign) -> wire::CampaignSummary {
    let ended = campaign.experiments.len() - campaign.waiting.len() - campaign.live.len();
    let reason = match &campaign.phase {
        Phase::Running => String::new(),
        Phase::Paused { by, reason } => format!("by {by}: {reason}"),
        Phase::Stopping(reason) | Phase::Ended(reason) => stop(reason),
        Phase::Aborting { by } => format!("asked by {by}"),
    };
    wire::CampaignSummary {
        name: campaign.spec.name.to_string(),
        phase: campaign.phase.word().into(),
        phase_reason: reason,
        experiments: count(ended),
        running: count(campaign.live.len()),
        waiting: count(campaign.waiting.len()),
        budget: campaign.spec.budget.experiments,
        seed: campaign.seed,
        digest: campaign.digest.clone(),
        planning: campaign.plan.is_some(),
        used: campaign.used,
        by_hand: campaign.spec.by_hand(),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The campaign without its experiments.
pub(super) fn campaign(workcell: &Workcell, campaign: &Campaign) -> wire::Campaign {
    let mut shown = specification(&campaign.spec);
    shown.summary = Some(summary(campaign));
    shown.source = campaign.source.clone();
    shown.past = count(campaign.past.len());
    shown.waiting_for = waiting_for(workcell, campaign);
    shown
}

/// What a campaign file says.
pub(super) fn specification(spec: &core::model::CampaignSpec) -> wire::Campaign {
    let parameter = |it: &core::model::Parameter| {
        let scale = matches!(it.domain, Domain::Real { log: true, .. } | Domain::Integer { log: true, .. });
        wire::Parameter {
            name: it.name.clone(),
            unit: it.unit.written.clone(),
            domain: format!("{}{}", it.domain, if scale { ", log scale" } else { "" }),
        }
    };
    let outcome = |it: &core::model::Outcome| wire::Column { name: it.name.clone(), unit: it.unit.written.clone() };
    let objective = |it: &core::model::Objective| match it.goal {
        Goal::Maximize => format!("maximize {}", it.outcome),
        Goal::Minimize => format!("minimize {}", it.outcome),
    };
    let known = spec.parameter_constraints.iter().map(|it| it.text.clone());
    let measured = spec.outcome_constraints.iter().map(|it| it.text.clone());
    wire::Campaign {
        parameters: spec.parameters.iter().map(parameter).collect(),
        outcomes: spec.outcomes.iter().map(outcome).collect(),
        objectives: spec.objectives.iter().map(objective).collect(),
        constraints: known.chain(measured).collect(),
        ..wire::Campaign::default()
    }
}

pub(super) fn experiment(campaign: &Campaign, it: &core::Experiment) -> wire::Experiment {
    let setting = campaign
        .spec
        .parameters
        .iter()
        .filter_map(|parameter| it.setting.get(&parameter.name).map(|level| self::level(&parameter.name, level)));
    let mut shown = wire::Experiment {
        number: it.number,
        origin: origin(&it.origin).into(),
        setting: setting.collect(),
        started_ms: it.started_at.map_or(0, |at| at.0),
        ended_ms: it.ended_at.map_or(0, |at| at.0),
        best: campaign.best.is_some_and(|(best, _)| best == it.number) || campaign.front.contains_key(&it.number),
        ..wire::Experiment::default()
    };
    match &it.why {
        Some(why) => {
            shown.why.clone_from(&why.text);
            shown.why_kind = why_kind(why.kind).into();
            shown.predicted = predictions(&why.predicted);
            shown.has_p_feasible = why.p_feasible.is_some();
            shown.p_feasible = why.p_feasible.unwrap_or_default();
            shown.has_from_mean = why.from_mean.is_some();
            shown.from_mean = why.from_mean.unwrap_or_default();
            shown.nearest = why.nearest.unwrap_or_default();
        }
        None => {
            shown.why = "a point of your own".into();
            shown.why_kind = "own".into();
        }
    }
    let state = match &it.phase {
        ExperimentPhase::Waiting => wire::experiment::State::Waiting,
        ExperimentPhase::Running => wire::experiment::State::Running,
        ExperimentPhase::Observed(observation) => {
            shown.outcomes = outcomes(campaign, observation);
            shown.feasible = campaign.spec.feasible(observation);
            wire::experiment::State::Observed
        }
        ExperimentPhase::Failed(failure) => {
            shown.failure.clone_from(&failure.message);
            shown.failure_kind = failure_kind(failure.kind).into();
            match failure.kind {
                FailureKind::Cancelled => wire::experiment::State::Cancelled,
                FailureKind::Recipe | FailureKind::Equipment | FailureKind::Measurement | FailureKind::Unknown => {
                    wire::experiment::State::Failed
                }
            }
        }
    };
    shown.state = state.into();
    shown
}

pub(super) fn level(name: &str, level: &CoreLevel) -> wire::Level {
    wire::Level {
        parameter: name.into(),
        text: level.to_string(),
        numeric: level.number().is_some(),
        number: level.number().unwrap_or_default(),
    }
}

/// In the order of the campaign's outcomes.
pub(super) fn outcomes(campaign: &Campaign, observation: &Observation) -> Vec<wire::Outcome> {
    let one = |it: &core::model::Outcome| {
        let Measured { value, sd, limit } = observation.outcomes.get(&it.name)?;
        let limit = match limit {
            None => "",
            Some(core::model::Limit::Below) => "below",
            Some(core::model::Limit::Above) => "above",
        };
        Some(wire::Outcome {
            name: it.name.clone(),
            value: *value,
            has_sd: sd.is_some(),
            sd: sd.unwrap_or_default(),
            limit: limit.to_owned(),
        })
    };
    campaign.spec.outcomes.iter().filter_map(one).collect()
}

pub(super) fn predictions(predicted: &BTreeMap<String, Predicted>) -> Vec<wire::Prediction> {
    predicted.iter().map(|(name, it)| wire::Prediction { name: name.clone(), mean: it.mean, sd: it.sd }).collect()
}

fn origin(origin: &Origin) -> &'static str {
    match origin {
        Origin::Proposed(_) => "proposed",
        Origin::Own => "own",
        Origin::Again(_) => "again",
    }
}

fn why_kind(kind: WhyKind) -> &'static str {
    match kind {
        WhyKind::Initial => "initial",
        WhyKind::Improve => "improve",
        WhyKind::Feasibility => "feasibility",
        WhyKind::Past => "past",
        WhyKind::Spread => "spread",
        WhyKind::Remeasure => "remeasure",
    }
}

fn failure_kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Recipe => "recipe",
        FailureKind::Equipment => "equipment",
        FailureKind::Measurement => "measurement",
        FailureKind::Unknown => "unknown",
        FailureKind::Cancelled => "cancelled",
    }
}

pub(super) fn stop_reason(reason: &StopReason) -> wire::Stop {
    let word = match reason {
        StopReason::Budget { .. } => "budget",
        StopReason::Cost { .. } => "cost",
        StopReason::Target { .. } => "target",
        StopReason::Stagnation { .. } => "stagnation",
        StopReason::Evidence { .. } => "evidence",
        StopReason::Stopped { .. } => "stopped",
        StopReason::Aborted { .. } => "aborted",
    };
    wire::Stop { reason: word.into(), message: stop(reason) }
}

pub(super) fn remaining(gain: &core::model::RemainingGain) -> wire::RemainingGain {
    use core::model::GainVerdict;
    let [half, nine_tenths, most] = gain.quantiles;
    let verdict = match gain.verdict {
        GainVerdict::Enough => "enough",
        GainVerdict::MoreToGain => "more_to_gain",
        GainVerdict::Uncalibrated => "uncalibrated",
        GainVerdict::Unsettled => "unsettled",
        GainVerdict::Noisy => "noisy",
    };
    wire::RemainingGain {
        experiment: gain.experiment.unwrap_or_default(),
        tolerance: gain.tolerance,
        confidence: gain.confidence,
        paths: gain.paths,
        within: gain.within,
        expected: gain.expected,
        half,
        nine_tenths,
        most,
        at_least: gain.at_least,
        wanted: gain.wanted,
        coverage: gain.coverage,
        verdict: verdict.into(),
        message: projections::remaining(gain),
    }
}

/// Operations that have not ended, of one campaign or of all.
pub(super) fn operations(
    workcell: &Workcell,
    progress: &BTreeMap<core::OperationId, (f64, String)>,
    only: Option<&core::CampaignName>,
) -> Vec<wire::Operation> {
    let open = workcell.operations.values().filter(|it| only.is_none_or(|name| it.dispatch.campaign == *name));
    open.map(|operation| {
        let dispatch = &operation.dispatch;
        let (fraction, stage) = progress.get(&dispatch.operation).cloned().unwrap_or_default();
        wire::Operation {
            id: dispatch.operation.to_string(),
            campaign: dispatch.campaign.to_string(),
            experiment: dispatch.experiment,
            step: dispatch.step.to_string(),
            attempt: dispatch.attempt,
            instrument: dispatch.instrument.to_string(),
            capability: dispatch.capability.clone(),
            dispatched_ms: operation.dispatched_at.0,
            started: operation.started_at.is_some(),
            overdue: operation.overdue,
            progress: fraction,
            stage,
        }
    })
    .collect()
}

/// The lab: what the log knows of each instrument, and how it looks now.
pub(super) fn instruments(
    workcell: &Workcell,
    fleet: &BTreeMap<core::InstrumentId, InstrumentView>,
) -> Vec<wire::Instrument> {
    let one = |(name, known): (&core::InstrumentId, &core::Instrument)| {
        let view = fleet.get(name).cloned().unwrap_or_default();
        let description = known.description.as_ref();
        wire::Instrument {
            name: name.to_string(),
            display_name: description.map_or_else(String::new, |it| it.display_name.clone()),
            address: view.address,
            pid: view.pid,
            connected: view.connected,
            leased: view.leased,
            quarantined: known.quarantined.clone().unwrap_or_default(),
            capabilities: description.map_or_else(Vec::new, |it| it.capabilities.keys().cloned().collect()),
            readiness: if view.problem.is_empty() { view.readiness } else { view.problem },
        }
    };
    workcell.instruments.iter().map(one).collect()
}

//! Answers as JSON, one object a line.

use eutectic_proto::control::v1 as wire;
use serde_json::{Map, Value, json};

pub(super) fn line(value: &Value) {
    super::output::line(&value.to_string());
}

pub(super) fn setting(levels: &[wire::Level]) -> Value {
    let one = |it: &wire::Level| {
        let value = if it.numeric { json!(it.number) } else { json!(it.text) };
        (it.parameter.clone(), value)
    };
    Value::Object(levels.iter().map(one).collect())
}

/// By name: the value, and NAME_sd where its uncertainty is known.
pub(super) fn outcomes(outcomes: &[wire::Outcome]) -> Value {
    let mut map = Map::new();
    for it in outcomes {
        map.insert(it.name.clone(), json!(it.value));
        if it.has_sd {
            map.insert(format!("{}_sd", it.name), json!(it.sd));
        }
        if !it.limit.is_empty() {
            map.insert(format!("{}_limit", it.name), json!(it.limit));
        }
    }
    Value::Object(map)
}

pub(super) fn predictions(predictions: &[wire::Prediction]) -> Value {
    let one = |it: &wire::Prediction| (it.name.clone(), json!({"mean": it.mean, "sd": it.sd}));
    Value::Object(predictions.iter().map(one).collect())
}

pub(super) fn state(state: wire::experiment::State) -> &'static str {
    match state {
        wire::experiment::State::Unspecified => "unknown",
        wire::experiment::State::Waiting => "waiting",
        wire::experiment::State::Running => "running",
        wire::experiment::State::Observed => "observed",
        wire::experiment::State::Failed => "failed",
        wire::experiment::State::Cancelled => "cancelled",
    }
}

pub(super) fn experiment(it: &wire::Experiment) -> Value {
    json!({
        "experiment": it.number,
        "state": state(it.state()),
        "origin": it.origin,
        "parameters": setting(&it.setting),
        "outcomes": outcomes(&it.outcomes),
        "feasible": (it.state() == wire::experiment::State::Observed).then_some(it.feasible),
        "best": it.best,
        "why": it.why,
        "why_kind": it.why_kind,
        "predicted": predictions(&it.predicted),
        "p_feasible": it.has_p_feasible.then_some(it.p_feasible),
        "failure": (!it.failure.is_empty()).then_some(&it.failure),
        "failure_kind": (!it.failure_kind.is_empty()).then_some(&it.failure_kind),
        "started_ms": (it.started_ms > 0).then_some(it.started_ms),
        "ended_ms": (it.ended_ms > 0).then_some(it.ended_ms),
    })
}

pub(super) fn summary(it: &wire::CampaignSummary) -> Value {
    json!({
        "campaign": it.name,
        "phase": it.phase,
        "reason": it.phase_reason,
        "experiments": it.experiments,
        "running": it.running,
        "waiting": it.waiting,
        "used": it.used,
        "budget": it.budget,
        "seed": it.seed,
        "digest": it.digest,
        "by_hand": it.by_hand,
    })
}

pub(super) fn instrument(it: &wire::Instrument) -> Value {
    json!({
        "instrument": it.name,
        "display_name": it.display_name,
        "address": it.address,
        "pid": (it.pid > 0).then_some(it.pid),
        "connected": it.connected,
        "leased": it.leased,
        "quarantined": (!it.quarantined.is_empty()).then_some(&it.quarantined),
        "capabilities": it.capabilities,
        "readiness": it.readiness,
    })
}

pub(super) fn result(it: &wire::Result) -> Value {
    let best = it.best.as_ref().filter(|_| it.has_best).map(|best| {
        json!({
            "experiment": best.number,
            "parameters": setting(&best.setting),
            "outcomes": outcomes(&best.outcomes),
            "estimates": predictions(&it.estimates),
            "p_feasible": it.p_feasible,
        })
    });
    json!({
        "campaign": it.summary.as_ref().map(|it| &it.name),
        "seed": it.seed,
        "digest": it.digest,
        "phase": it.summary.as_ref().map(|it| &it.phase),
        "experiments": it.experiments,
        "operations": it.operations,
        "starts": it.has_starts.then_some(it.starts),
        "best": best,
        "front": (!it.front.is_empty()).then(|| it.front.iter().map(front_point).collect::<Vec<_>>()),
        "true_best": it.has_truth.then(|| outcomes(&it.true_best)),
        "true_feasible": it.has_truth.then_some(it.true_feasible),
        "stop": it.stop.as_ref().map(|it| json!({"reason": it.reason, "message": it.message})),
        "remaining_gain": it.remaining_gain.as_ref().map(remaining_gain),
        "wall_s": it.wall_s,
        "planner_s": it.planner_s,
    })
}

fn front_point(it: &wire::FrontPoint) -> Value {
    let experiment = it.experiment.as_ref();
    json!({
        "experiment": experiment.map(|it| it.number),
        "parameters": experiment.map(|it| setting(&it.setting)),
        "outcomes": experiment.map(|it| outcomes(&it.outcomes)),
        "estimates": predictions(&it.estimates),
        "p_feasible": it.has_p_feasible.then_some(it.p_feasible),
    })
}

/// A result with what the model has learnt.
pub(super) fn explained(it: &wire::Result, explanation: &wire::Explanation) -> Value {
    let mut whole = result(it);
    if let Value::Object(entries) = &mut whole {
        entries.insert("explanation".to_owned(), self::explanation(explanation));
    }
    whole
}

fn explanation(it: &wire::Explanation) -> Value {
    let at = |at: &wire::parameter_explanation::At| {
        let level = at.level.clone().unwrap_or_default();
        let level = if level.numeric { json!(level.number) } else { json!(level.text) };
        json!({"level": level, "mean": at.mean, "low": at.low, "high": at.high})
    };
    let parameter = |it: &wire::ParameterExplanation| {
        let at: Vec<Value> = it.at.iter().map(at).collect();
        json!({"name": it.name, "unit": it.unit, "first": it.first, "total": it.total, "at": at})
    };
    let reading = |it: &wire::outcome_explanation::Reading| {
        let experiment = (it.experiment > 0).then_some(it.experiment);
        json!({"experiment": experiment, "value": it.value, "expected": it.expected, "low": it.low, "high": it.high})
    };
    let outcome = |it: &wire::OutcomeExplanation| {
        json!({
            "name": it.name,
            "constraint": it.constraint,
            "unit": it.unit,
            "parameters": it.parameters.iter().map(parameter).collect::<Vec<_>>(),
            "readings": it.readings.iter().map(reading).collect::<Vec<_>>(),
            "coverage": it.coverage,
            "skill": it.skill,
        })
    };
    let reached = |it: &wire::explanation::Reached| json!({"experiment": it.experiment, "value": it.value});
    json!({
        "outcomes": it.outcomes.iter().map(outcome).collect::<Vec<_>>(),
        "front": it.front,
        "priors": it.priors.iter().map(|it| json!({"name": it.name, "weights": it.weights})).collect::<Vec<_>>(),
        "reached": it.reached.iter().map(reached).collect::<Vec<_>>(),
    })
}

fn remaining_gain(it: &wire::RemainingGain) -> Value {
    json!({
        "verdict": it.verdict,
        "message": it.message,
        "expected": it.expected,
        "half": it.half,
        "nine_tenths": it.nine_tenths,
        "most": it.most,
        "tolerance": it.tolerance,
        "confidence": it.confidence,
        "paths": it.paths,
        "within": it.within,
        "at_least": it.at_least,
        "wanted": it.wanted,
        "coverage": it.coverage,
    })
}

pub(super) fn intervention(it: &wire::Intervention) -> Value {
    let evidence = |it: &wire::intervention::Evidence| json!({"at_ms": it.at_ms, "text": it.text});
    json!({
        "intervention": it.number,
        "instrument": it.instrument,
        "reason": it.reason,
        "opened_ms": it.opened_ms,
        "operation": (!it.operation.is_empty()).then_some(&it.operation),
        "campaign": (!it.campaign.is_empty()).then_some(&it.campaign),
        "experiment": it.experiment,
        "step": it.step,
        "asked": it.asked,
        "revision": it.revision,
        "standing": it.standing,
        "due_ms": (it.due_ms > 0).then_some(it.due_ms),
        "evidence": it.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "recovery": it.recovery,
        "recovered": it.recovered,
        "recovery_failed": (!it.recovery_failed.is_empty()).then_some(&it.recovery_failed),
        "decision": (!it.decision.is_empty()).then_some(&it.decision),
        "decided_by": (!it.decided_by.is_empty()).then_some(&it.decided_by),
        "decided_ms": (it.decided_ms > 0).then_some(it.decided_ms),
    })
}

pub(super) fn page(it: &wire::Page) -> Value {
    json!({
        "page": it.id,
        "urgent": it.urgent,
        "since_ms": it.since_ms,
        "text": it.text,
        "hint": it.hint,
        "acknowledged": it.acknowledged,
        "delivery": (!it.delivery.is_empty()).then_some(&it.delivery),
    })
}

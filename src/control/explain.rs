//! What a campaign's model has learnt, on the wire.

use super::view;
use crate::planning::{Explained, OutcomeExplained, ParameterExplained};
use eutectic_core::model::{CampaignSpec, Unit};
use eutectic_proto::control::v1 as wire;

pub(super) fn explanation(spec: &CampaignSpec, explained: &Explained) -> wire::Explanation {
    let reached =
        |(experiment, value): &(u32, f64)| wire::explanation::Reached { experiment: *experiment, value: *value };
    wire::Explanation {
        outcomes: explained.outcomes.iter().map(|it| outcome(spec, it)).collect(),
        priors: explained.priors.iter().map(prior).collect(),
        front: explained.front.clone(),
        reached: explained.reached.iter().map(reached).collect(),
    }
}

fn prior((name, weights): &(String, Vec<f64>)) -> wire::explanation::Prior {
    wire::explanation::Prior { name: name.clone(), weights: weights.clone() }
}

fn outcome(spec: &CampaignSpec, it: &OutcomeExplained) -> wire::OutcomeExplanation {
    let unit = spec.outcome(&it.name).filter(|_| !it.constraint).map(|it| shown(&it.unit));
    let reading = |reading: &crate::planning::ReadingExplained| wire::outcome_explanation::Reading {
        experiment: reading.experiment.unwrap_or_default(),
        value: reading.value,
        expected: reading.expected,
        low: reading.low,
        high: reading.high,
    };
    wire::OutcomeExplanation {
        name: it.name.clone(),
        constraint: it.constraint,
        unit: unit.unwrap_or_default(),
        parameters: it.parameters.iter().map(|it| parameter(spec, it)).collect(),
        readings: it.readings.iter().map(reading).collect(),
        coverage: it.coverage,
        skill: it.skill,
    }
}

fn parameter(spec: &CampaignSpec, it: &ParameterExplained) -> wire::ParameterExplanation {
    let points = it.levels.iter().zip(&it.mean).zip(it.low.iter().zip(&it.high));
    let at = |((level, mean), (low, high)): ((&_, &f64), (&f64, &f64))| wire::parameter_explanation::At {
        level: Some(view::level(&it.name, level)),
        mean: *mean,
        low: *low,
        high: *high,
    };
    wire::ParameterExplanation {
        name: it.name.clone(),
        unit: spec.parameter(&it.name).map(|it| shown(&it.unit)).unwrap_or_default(),
        first: it.first,
        total: it.total,
        at: points.map(at).collect(),
    }
}

/// A unit as people read it; nothing for a bare number.
fn shown(unit: &Unit) -> String {
    if unit.ucum == "1" { String::new() } else { unit.written.clone() }
}

//! Problems, rows and suggestions as other planners exchange them.

use super::encode::{Encoded, space};
use super::terms;
use eutectic_core::model::{Domain, Expr, Parameter, Unit};
use eutectic_planners::{
    Because, Estimate, INITIAL_MAX, Measure, Mixture, Outcome, Point, Problem, Reason, Recommendation, Row, Suggestion,
};
use eutectic_proto::planner::v1 as wire;
use std::sync::Arc;
use wire::parameter::Domain as WireDomain;
use wire::row::Outcome as WireOutcome;

pub(super) fn problem(encoded: &Encoded) -> wire::Problem {
    let known = |it: &eutectic_core::model::ParameterConstraint| wire::Known {
        text: it.text.clone(),
        terms: terms::terms(&it.holds, &encoded.parameters).unwrap_or_default(),
    };
    let space = &encoded.problem.space;
    let parameter = |(place, it): (usize, &Parameter)| parameter(it, space.descriptors.get(&place));
    let initial = encoded.problem.initial;
    wire::Problem {
        parameters: encoded.parameters.iter().enumerate().map(parameter).collect(),
        mixtures: space.mixtures.iter().map(mixture).collect(),
        past: encoded.problem.past.iter().map(|rows| wire::Past { rows: rows.iter().map(row).collect() }).collect(),
        pool: space.pool.iter().flatten().map(|it| wire::Point { coordinates: it.0.clone() }).collect(),
        shared: encoded.problem.shared.iter().map(|it| index(*it)).collect(),
        known: encoded.known.iter().map(known).collect(),
        objectives: encoded.objectives.iter().map(|(name, _)| name.clone()).collect(),
        reference: encoded.problem.reference.clone(),
        constraints: encoded.constraints.clone(),
        has_initial: initial.is_some(),
        initial: initial.and_then(|it| u32::try_from(it).ok()).unwrap_or_default(),
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn place(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn mixture(it: &Mixture) -> wire::Mixture {
    wire::Mixture {
        parameters: it.parameters.iter().map(|it| index(*it)).collect(),
        total: it.total,
        at_most: it.at_most.map_or(0, index),
    }
}

fn read_mixture(it: &wire::Mixture) -> Mixture {
    Mixture {
        parameters: it.parameters.iter().map(|it| place(*it)).collect(),
        total: it.total,
        at_most: (it.at_most > 0).then(|| place(it.at_most)),
    }
}

fn parameter(it: &Parameter, described: Option<&Vec<Vec<f64>>>) -> wire::Parameter {
    let domain = match &it.domain {
        Domain::Real { low, high, log } => {
            WireDomain::Real(wire::parameter::Real { low: *low, high: *high, log: *log })
        }
        Domain::Integer { low, high, log } => {
            WireDomain::Integer(wire::parameter::Integer { low: *low, high: *high, log: *log })
        }
        Domain::Levels { values, log } => {
            WireDomain::Levels(wire::parameter::Levels { values: values.clone(), log: *log })
        }
        Domain::Categorical { choices } => {
            let rows = described.into_iter().flatten();
            let descriptors = rows.map(|row| wire::Point { coordinates: row.clone() }).collect();
            WireDomain::Categorical(wire::parameter::Categorical { choices: choices.clone(), descriptors })
        }
    };
    wire::Parameter { name: it.name.clone(), unit: it.unit.ucum.clone(), domain: Some(domain) }
}

pub(super) fn row(row: &Row) -> wire::Row {
    let outcome = match &row.outcome {
        Outcome::Pending => WireOutcome::Pending(wire::row::Pending {}),
        Outcome::Failed => WireOutcome::Failed(wire::row::Failed {}),
        Outcome::Observed { objectives, constraints } => WireOutcome::Observed(wire::row::Observed {
            objectives: objectives.iter().map(measure).collect(),
            constraints: constraints.iter().map(measure).collect(),
        }),
    };
    wire::Row { point: row.point.0.clone(), outcome: Some(outcome) }
}

fn measure(it: &Measure) -> wire::Measure {
    let measured = it.value.is_finite();
    wire::Measure {
        measured,
        value: if measured { it.value } else { 0.0 },
        has_sd: it.sd.is_some(),
        sd: it.sd.unwrap_or_default(),
    }
}

/// The problem that a request states; else what is wrong with it.
pub(super) fn read_problem(from: &wire::Problem) -> Result<Problem, String> {
    let parameters: Arc<[Parameter]> =
        from.parameters.iter().enumerate().map(read_parameter).collect::<Result<_, _>>()?;
    let known = |(index, it): (usize, &wire::Known)| {
        terms::expression(&it.terms, &parameters).map_err(|why| format!("known constraint {index}: {why}"))
    };
    let known: Vec<Expr> = from.known.iter().enumerate().map(known).collect::<Result<_, _>>()?;
    let mut space = space(&parameters, known.iter());
    space.mixtures = from.mixtures.iter().map(read_mixture).collect();
    let pool: Vec<Point> = from.pool.iter().map(|it| Point(it.coordinates.clone())).collect();
    space.pool = (!pool.is_empty()).then_some(pool);
    for (place, it) in from.parameters.iter().enumerate() {
        if let Some(WireDomain::Categorical(it)) = &it.domain
            && !it.descriptors.is_empty()
        {
            space.descriptors.insert(place, it.descriptors.iter().map(|row| row.coordinates.clone()).collect());
        }
    }
    let past = |past: &wire::Past| past.rows.iter().enumerate().map(read_row).collect::<Result<Vec<Row>, String>>();
    Ok(Problem {
        constraints: from.constraints.len(),
        initial: from.has_initial.then(|| usize::try_from(from.initial).unwrap_or(INITIAL_MAX)),
        reference: from.reference.clone(),
        shared: from.shared.iter().map(|it| place(*it)).collect(),
        past: from.past.iter().map(past).collect::<Result<_, _>>()?,
        ..Problem::new(space, from.objectives.len())
    })
}

fn read_parameter((index, it): (usize, &wire::Parameter)) -> Result<Parameter, String> {
    let domain = match it.domain.clone() {
        None => return Err(format!("parameter {index} has no domain")),
        Some(WireDomain::Real(it)) => Domain::Real { low: it.low, high: it.high, log: it.log },
        Some(WireDomain::Integer(it)) => Domain::Integer { low: it.low, high: it.high, log: it.log },
        Some(WireDomain::Levels(it)) => Domain::Levels { values: it.values, log: it.log },
        Some(WireDomain::Categorical(it)) => Domain::Categorical { choices: it.choices },
    };
    // Names tell parameters apart in expressions; whoever sends none goes by places all the same.
    let name = format!("{index} {}", it.name);
    Ok(Parameter { name, domain, unit: Unit { ucum: it.unit.clone(), ..Unit::one() } })
}

pub(super) fn read_row((index, it): (usize, &wire::Row)) -> Result<Row, String> {
    let outcome = match it.outcome.as_ref() {
        None => return Err(format!("row {index} says nothing of what came of it")),
        Some(WireOutcome::Pending(_)) => Outcome::Pending,
        Some(WireOutcome::Failed(_)) => Outcome::Failed,
        Some(WireOutcome::Observed(it)) => Outcome::Observed {
            objectives: it.objectives.iter().map(read_measure).collect(),
            constraints: it.constraints.iter().map(read_measure).collect(),
        },
    };
    Ok(Row { point: Point(it.point.clone()), outcome })
}

fn read_measure(it: &wire::Measure) -> Measure {
    Measure { value: if it.measured { it.value } else { f64::NAN }, sd: it.has_sd.then_some(it.sd) }
}

pub(super) fn suggestion(it: &Suggestion) -> wire::Suggestion {
    let reason = match it.reason {
        Reason::Initial => wire::Reason::Initial,
        Reason::Improve => wire::Reason::Improve,
        Reason::Feasibility => wire::Reason::Feasibility,
        Reason::Past => wire::Reason::Past,
        Reason::Spread => wire::Reason::Spread,
        Reason::Remeasure => wire::Reason::Remeasure,
    };
    let nearest = it.because.and_then(|it| it.nearest);
    wire::Suggestion {
        point: it.point.0.clone(),
        reason: reason.into(),
        text: String::new(),
        objectives: it.objectives.iter().map(estimate).collect(),
        constraints: it.constraints.iter().map(estimate).collect(),
        has_p_feasible: it.p_feasible.is_some(),
        p_feasible: it.p_feasible.unwrap_or_default(),
        has_from_mean: it.because.is_some_and(|it| it.from_mean.is_some()),
        from_mean: it.because.and_then(|it| it.from_mean).unwrap_or_default(),
        has_nearest: nearest.is_some(),
        nearest: nearest.and_then(|(row, _)| u32::try_from(row).ok()).unwrap_or_default(),
        distance: nearest.map(|(_, distance)| distance).unwrap_or_default(),
    }
}

fn estimate(it: &Estimate) -> wire::Estimate {
    wire::Estimate { mean: it.mean, sd: it.sd }
}

/// A suggestion for this problem, and the planner's words; else why it can't be one.
pub(super) fn read_suggestion(problem: &Problem, it: &wire::Suggestion) -> Result<(Suggestion, String), String> {
    let point = Point(it.point.clone());
    if !problem.space.admits(&point) {
        return Err(format!("{:?} is no point: one coordinate a parameter, whole where it counts", it.point));
    }
    let reason = match it.reason() {
        wire::Reason::Initial => Reason::Initial,
        wire::Reason::Unspecified | wire::Reason::Improve => Reason::Improve,
        wire::Reason::Feasibility => Reason::Feasibility,
        wire::Reason::Past => Reason::Past,
        wire::Reason::Spread => Reason::Spread,
        wire::Reason::Remeasure => Reason::Remeasure,
    };
    let suggestion = Suggestion {
        point,
        reason,
        objectives: read_estimates(&it.objectives),
        constraints: read_estimates(&it.constraints),
        p_feasible: read_probability(it.has_p_feasible, it.p_feasible),
        because: (it.has_from_mean || it.has_nearest).then(|| Because {
            from_mean: read_probability(it.has_from_mean, it.from_mean),
            nearest: it.has_nearest.then(|| (usize::try_from(it.nearest).unwrap_or(usize::MAX), it.distance)),
        }),
    };
    Ok((suggestion, it.text.clone()))
}

/// Estimates, where all of them are numbers: what is told for people never stands in the way of an experiment.
fn read_estimates(from: &[wire::Estimate]) -> Vec<Estimate> {
    let sound = from.iter().all(|it| it.mean.is_finite() && it.sd.is_finite() && it.sd >= 0.0);
    from.iter().filter(|_| sound).map(|it| Estimate { mean: it.mean, sd: it.sd }).collect()
}

fn read_probability(stated: bool, p: f64) -> Option<f64> {
    (stated && (0.0..=1.0).contains(&p)).then_some(p)
}

pub(super) fn recommendation(it: &Recommendation, front: &[Recommendation]) -> wire::RecommendResponse {
    let tried = |it: &Recommendation| wire::Tried {
        row: index(it.row),
        objectives: it.objectives.iter().map(estimate).collect(),
        constraints: it.constraints.iter().map(estimate).collect(),
        has_p_feasible: it.p_feasible.is_some(),
        p_feasible: it.p_feasible.unwrap_or_default(),
    };
    wire::RecommendResponse {
        front: front.iter().map(tried).collect(),
        row: index(it.row),
        objectives: it.objectives.iter().map(estimate).collect(),
        constraints: it.constraints.iter().map(estimate).collect(),
        has_p_feasible: it.p_feasible.is_some(),
        p_feasible: it.p_feasible.unwrap_or_default(),
    }
}

pub(super) fn read_front(it: &wire::RecommendResponse) -> Vec<Recommendation> {
    let tried = |it: &wire::Tried| Recommendation {
        row: place(it.row),
        objectives: read_estimates(&it.objectives),
        constraints: read_estimates(&it.constraints),
        p_feasible: read_probability(it.has_p_feasible, it.p_feasible),
    };
    it.front.iter().map(tried).collect()
}

pub(super) fn read_recommendation(it: &wire::RecommendResponse) -> Recommendation {
    Recommendation {
        row: place(it.row),
        objectives: read_estimates(&it.objectives),
        constraints: read_estimates(&it.constraints),
        p_feasible: read_probability(it.has_p_feasible, it.p_feasible),
    }
}

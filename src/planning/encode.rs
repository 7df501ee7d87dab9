//! Names and units to numbers and back: the only file that knows both sides.

use super::predicted;
use eutectic_core::model::{
    CampaignSpec, CostSpec, Datum, Domain, Expr, FailureKind, FidelitySpec, Leaf, Level, Measured, Mixture, Parameter,
    ParameterConstraint, Predicted, Setting, Strategy,
};
use eutectic_core::{Campaign, Experiment, ExperimentPhase, PlanOrder};
use eutectic_planners as planners;
use eutectic_planners::{Estimate, Measure, Outcome, Point, Problem, Row, Space};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A campaign as numbers.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) problem: Problem,
    pub(super) rows: Vec<Row>,
    /// The experiment of each row; `None` for past data.
    pub(super) numbers: Vec<Option<u32>>,
    pub(super) parameters: Arc<[Parameter]>,
    pub(super) known: Vec<ParameterConstraint>,
    /// What points are chosen by.
    pub(super) strategy: planners::Strategy,
    /// The names of the past campaigns.
    pub(super) priors: Vec<String>,
    /// Name and sign of each objective.
    pub(super) objectives: Vec<(String, f64)>,
    pub(super) constraints: Vec<String>,
}

pub(super) fn encode(campaign: &Campaign, order: &PlanOrder) -> Encoded {
    let spec = &campaign.spec;
    let parameters: Arc<[Parameter]> = spec.parameters.clone().into();
    let spreads = spreads(campaign);
    let mut rows = Vec::new();
    let mut numbers = Vec::new();
    for past in &campaign.past {
        rows.push(Row { point: point(&parameters, &past.setting), outcome: observed(spec, &past.outcomes, &spreads) });
        numbers.push(None);
    }
    for experiment in campaign.experiments.iter().take(order.through as usize) {
        let pending = order.pending.contains(&experiment.number);
        if let Some(outcome) = outcome(spec, experiment, pending, &spreads) {
            rows.push(Row { point: point(&parameters, &experiment.setting), outcome });
            numbers.push(Some(experiment.number));
        }
    }
    let past = |(_, rows): &(String, Vec<eutectic_core::model::PastRow>)| {
        let row = |row: &eutectic_core::model::PastRow| Row {
            point: point(&parameters, &row.setting),
            outcome: observed(spec, &row.outcomes, &spreads),
        };
        rows.iter().map(row).collect()
    };
    let mut problem = problem(spec, &campaign.pool, &parameters);
    problem.past = campaign.priors.iter().map(past).collect();
    let costs = |spec: &CostSpec| -> Arc<dyn planners::Cost> {
        Arc::new(Costs { spec: spec.clone(), parameters: Arc::clone(&parameters) })
    };
    problem.cost = spec.cost.as_ref().map(costs);
    let signed = |it: &eutectic_core::model::Objective| (it.outcome.clone(), it.goal.sign());
    Encoded {
        problem,
        priors: campaign.priors.iter().map(|(name, _)| name.clone()).collect(),
        rows,
        numbers,
        strategy: match spec.planner.strategy {
            Some(Strategy::Thompson) => planners::Strategy::Thompson,
            Some(Strategy::Improvement) | None => planners::Strategy::Improvement,
        },
        known: spec.parameter_constraints.clone(),
        objectives: spec.objectives.iter().map(signed).collect(),
        constraints: spec.outcome_constraints.iter().map(|it| it.text.clone()).collect(),
        parameters,
    }
}

impl Encoded {
    pub(super) fn setting(&self, point: &Point) -> Setting {
        let named = self.parameters.iter().zip(&point.0);
        named.map(|(parameter, value)| (parameter.name.clone(), level(&parameter.domain, *value))).collect()
    }

    /// The model's view by name of outcome and text of constraint (there: its margin, at most 0 where it holds).
    pub(super) fn predicted(&self, objectives: &[Estimate], constraints: &[Estimate]) -> BTreeMap<String, Predicted> {
        let of_objectives =
            self.objectives.iter().zip(objectives).map(|((name, sign), it)| (name.clone(), predicted(it, *sign)));
        let of_constraints =
            self.constraints.iter().zip(constraints).map(|(text, it)| (text.clone(), predicted(it, 1.0)));
        of_objectives.chain(of_constraints).collect()
    }
}

/// The space of these parameters, cut by what must hold of them.
pub(super) fn space<'a>(parameters: &Arc<[Parameter]>, known: impl Iterator<Item = &'a Expr>) -> Space {
    let region = |holds: &Expr| -> Arc<dyn planners::Region> {
        Arc::new(Known { holds: holds.clone(), parameters: Arc::clone(parameters) })
    };
    Space {
        parameters: parameters.iter().map(|it| range(&it.domain)).collect(),
        regions: known.map(region).collect(),
        ..Space::default()
    }
}

fn problem(spec: &CampaignSpec, pool: &[Setting], parameters: &Arc<[Parameter]>) -> Problem {
    let place = |name: &String| parameters.iter().position(|it| it.name == *name);
    let mixture = |it: &Mixture| planners::Mixture {
        parameters: it.parameters.iter().filter_map(place).collect(),
        total: it.total,
        at_most: it.at_most,
    };
    let mut space = space(parameters, spec.parameter_constraints.iter().map(|it| &it.holds));
    space.mixtures = spec.mixtures.iter().map(mixture).collect();
    let fidelity = |it: &FidelitySpec| {
        let parameter = place(&it.parameter)?;
        let real = coordinate(parameters.get(parameter)?, Some(&it.real))?;
        Some(planners::Fidelity { parameter, real })
    };
    space.fidelity = spec.fidelity.as_ref().and_then(fidelity);
    let described = spec.descriptors.iter().filter_map(|(name, table)| Some((place(name)?, table.clone())));
    space.descriptors = described.collect();
    let reference = spec.objectives.iter().map(|it| it.reference.map(|value| it.goal.sign() * value));
    let reference: Option<Vec<f64>> = reference.filter(|_| spec.objectives.len() > 1).collect();
    space.pool = (!pool.is_empty()).then(|| pool.iter().map(|setting| point(parameters, setting)).collect());
    Problem {
        constraints: spec.outcome_constraints.len(),
        initial: spec.planner.initial.map(|initial| initial as usize),
        reference: reference.unwrap_or_default(),
        shared: spec.shared.iter().filter_map(place).collect(),
        ..Problem::new(space, spec.objectives.len())
    }
}

fn range(domain: &Domain) -> planners::Parameter {
    match domain {
        Domain::Real { low, high, log } => planners::Parameter::Real { low: *low, high: *high, log: *log },
        Domain::Integer { low, high, log } => planners::Parameter::Integer { low: *low, high: *high, log: *log },
        Domain::Levels { values, log } => planners::Parameter::Levels { values: values.clone(), log: *log },
        Domain::Categorical { choices } => planners::Parameter::Categorical { choices: choices.len() },
    }
}

/// What the campaign file says of costs.
#[derive(Debug)]
struct Costs {
    spec: CostSpec,
    parameters: Arc<[Parameter]>,
}

impl planners::Cost for Costs {
    fn cost(&self, point: &Point, previous: Option<&Point>) -> f64 {
        let place = |name: &String| self.parameters.iter().position(|it| it.name == *name);
        let scope = |leaf: &Leaf| match leaf {
            Leaf::Parameter(name) => {
                let place = place(name)?;
                Some(level(&self.parameters.get(place)?.domain, *point.0.get(place)?).datum())
            }
            Leaf::Outcome(_) | Leaf::Output { .. } => None,
        };
        let own = self.spec.value.as_ref().map_or(1.0, |value| value.number(&scope).map_or(f64::NAN, |it| it.value));
        let changed = |(name, _): &(&String, &f64)| {
            let at = |point: &Point| place(name).and_then(|place| point.0.get(place).copied());
            previous.is_some_and(|previous| at(previous) != at(point))
        };
        own + self.spec.changeover.iter().filter(changed).map(|(_, cost)| cost).sum::<f64>()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a campaign has far fewer than 2^53 choices")]
fn coordinate(parameter: &Parameter, level: Option<&Level>) -> Option<f64> {
    match (level?, &parameter.domain) {
        (Level::Choice(choice), Domain::Categorical { choices }) => {
            choices.iter().position(|it| it == choice).map(|place| place as f64)
        }
        (level, _) => level.number(),
    }
}

fn point(parameters: &[Parameter], setting: &Setting) -> Point {
    // Settings are checked at the door, so nothing is missing; the planner refuses what is not a number.
    Point(parameters.iter().map(|it| coordinate(it, setting.get(&it.name)).unwrap_or(f64::NAN)).collect())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within the domain's bounds")]
pub(super) fn level(domain: &Domain, value: f64) -> Level {
    match domain {
        Domain::Real { .. } | Domain::Levels { .. } => Level::Real(value),
        Domain::Integer { .. } => Level::Integer(value as i64),
        Domain::Categorical { choices } => Level::Choice(choices.get(value as usize).cloned().unwrap_or_default()),
    }
}

/// How widely each outcome's readings scatter over the campaign.
type Spreads = BTreeMap<String, f64>;

/// Beyond a limit nobody knows how far: as far as the readings that are known lie apart.
fn spreads(campaign: &Campaign) -> Spreads {
    let measured = campaign.experiments.iter().filter_map(|it| match &it.phase {
        ExperimentPhase::Observed(observation) => Some(&observation.outcomes),
        ExperimentPhase::Waiting | ExperimentPhase::Running | ExperimentPhase::Failed(_) => None,
    });
    let rows: Vec<_> = measured.chain(campaign.past.iter().map(|it| &it.outcomes)).collect();
    let spread = |name: &String| {
        let values: Vec<f64> = rows.iter().filter_map(|it| it.get(name)).map(|it| it.value).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (name.clone(), (high - low).max(0.0) / 2.0)
    };
    campaign.spec.outcomes.iter().map(|it| spread(&it.name)).collect()
}

/// The standard uncertainty by which the planner takes a reading: of a limit as wide as the readings scatter, so that it
/// draws the model there and holds it nowhere.
fn sd(name: &str, measured: &Measured, spreads: &Spreads) -> Option<f64> {
    match measured.limit {
        None => measured.sd,
        Some(_) => Some(spreads.get(name).copied().unwrap_or_default().max(measured.sd.unwrap_or_default())),
    }
}

fn outcome(spec: &CampaignSpec, experiment: &Experiment, pending: bool, spreads: &Spreads) -> Option<Outcome> {
    if pending {
        return Some(Outcome::Pending);
    }
    match &experiment.phase {
        ExperimentPhase::Waiting | ExperimentPhase::Running => Some(Outcome::Pending),
        ExperimentPhase::Observed(observation) => Some(observed(spec, &observation.outcomes, spreads)),
        ExperimentPhase::Failed(failure) => match failure.kind {
            FailureKind::Recipe => Some(Outcome::Failed),
            // These say nothing about the point.
            FailureKind::Equipment | FailureKind::Measurement | FailureKind::Unknown | FailureKind::Cancelled => None,
        },
    }
}

fn observed(spec: &CampaignSpec, outcomes: &BTreeMap<String, Measured>, spreads: &Spreads) -> Outcome {
    let objective = |it: &eutectic_core::model::Objective| match outcomes.get(&it.outcome) {
        Some(measured) => Measure { value: it.goal.sign() * measured.value, sd: sd(&it.outcome, measured, spreads) },
        None => Measure::new(f64::NAN),
    };
    let scope = |leaf: &Leaf| match leaf {
        Leaf::Outcome(name) => {
            outcomes.get(name).map(|it| Datum::Number(it.value, sd(name, it, spreads).unwrap_or(0.0)))
        }
        Leaf::Parameter(_) | Leaf::Output { .. } => None,
    };
    let stated = |leaf: &Leaf| match leaf {
        Leaf::Outcome(name) => outcomes.get(name).is_some_and(|it| it.sd.is_some() || it.limit.is_some()),
        Leaf::Parameter(_) | Leaf::Output { .. } => false,
    };
    let constraint = |margin: &Expr| {
        let mut all_stated = true;
        margin.leaves(&mut |leaf| all_stated &= stated(leaf));
        margin
            .number(&scope)
            .map_or(Measure::new(f64::NAN), |it| Measure { value: it.value, sd: all_stated.then(|| it.sd()) })
    };
    Outcome::Observed {
        objectives: spec.objectives.iter().map(objective).collect(),
        constraints: spec.outcome_constraints.iter().map(|it| constraint(&it.margin)).collect(),
    }
}

/// A known constraint of the campaign file.
#[derive(Debug)]
struct Known {
    holds: Expr,
    parameters: Arc<[Parameter]>,
}

impl planners::Region for Known {
    fn margin(&self, point: &Point) -> f64 {
        let scope = |leaf: &Leaf| match leaf {
            Leaf::Parameter(name) => {
                let place = self.parameters.iter().position(|it| it.name == *name)?;
                Some(level(&self.parameters.get(place)?.domain, *point.0.get(place)?).datum())
            }
            Leaf::Outcome(_) | Leaf::Output { .. } => None,
        };
        let margin = self.holds.margin(&scope).unwrap_or(f64::NAN);
        match self.holds.holds(&scope) {
            // A strict bound is violated where it is met exactly.
            Ok(false) => margin.max(f64::MIN_POSITIVE),
            Ok(true) => margin.min(0.0),
            Err(_) => f64::NAN,
        }
    }
}

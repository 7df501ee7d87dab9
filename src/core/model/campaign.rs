//! A campaign: search space, objectives, constraints, protocol, budget, stop rule.

use super::expr::{Expr, Leaf};
use super::value::{Level, Measured, Quantity, Setting, Unit, Value};
use crate::ids::{CampaignName, InstrumentId, StepName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that a campaign file says, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignSpec {
    /// Its name.
    pub name: CampaignName,
    /// What is varied, in the file's order; names are unique.
    pub parameters: Vec<Parameter>,
    /// What is measured, in the file's order.
    pub outcomes: Vec<Outcome>,
    /// What is optimised; at least one.
    pub objectives: Vec<Objective>,
    /// Known bounds: never violated by a proposal.
    pub parameter_constraints: Vec<ParameterConstraint>,
    /// Measured bounds: learnt as the campaign goes.
    pub outcome_constraints: Vec<OutcomeConstraint>,
    /// The protocol, in an order in which every step follows what it needs; empty for a campaign by hand.
    pub steps: Vec<Step>,
    /// The scientist's own points, tried first.
    pub experiments: Vec<Setting>,
    /// Past data: observations that cost nothing.
    pub past: Vec<PastRow>,
    /// Past campaigns that this one may learn from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priors: Vec<Prior>,
    /// Parameters that share a total.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixtures: Vec<Mixture>,
    /// What is known of a parameter's choices, by its name: a row of numbers a choice.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub descriptors: BTreeMap<String, Vec<Vec<f64>>>,
    /// The only points that may be proposed; none: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pool: Vec<Setting>,
    /// Parameters that all points of one plan have in common.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
    /// A parameter by which experiments are more or less like the real one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<FidelitySpec>,
    /// What an experiment costs, where costs differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostSpec>,
    /// How much may be spent.
    pub budget: Budget,
    /// When to stop before the budget is spent.
    pub stop: StopRule,
    /// How to plan.
    pub planner: PlannerSpec,
}

impl CampaignSpec {
    /// A campaign by hand, without constraints and with nothing else out of the ordinary.
    #[must_use]
    pub fn new(
        name: CampaignName,
        parameters: Vec<Parameter>,
        outcomes: Vec<Outcome>,
        objectives: Vec<Objective>,
        budget: Budget,
    ) -> Self {
        Self {
            name,
            parameters,
            outcomes,
            objectives,
            parameter_constraints: Vec::new(),
            outcome_constraints: Vec::new(),
            steps: Vec::new(),
            experiments: Vec::new(),
            past: Vec::new(),
            priors: Vec::new(),
            mixtures: Vec::new(),
            descriptors: BTreeMap::new(),
            pool: Vec::new(),
            shared: Vec::new(),
            fidelity: None,
            cost: None,
            budget,
            stop: StopRule::default(),
            planner: PlannerSpec::default(),
        }
    }
}

/// Something that is varied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its values.
    pub domain: Domain,
    /// Its unit; a bare number's is `1`.
    pub unit: Unit,
}

/// The values of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Every number between two bounds, both included.
    Real {
        /// Lower bound.
        low: f64,
        /// Upper bound, above `low`.
        high: f64,
        /// Searched on a logarithmic scale; then `low` is above 0.
        log: bool,
    },
    /// Every whole number between two bounds, both included.
    Integer {
        /// Lower bound.
        low: i64,
        /// Upper bound, above `low`.
        high: i64,
        /// Searched on a logarithmic scale; then `low` is above 0.
        log: bool,
    },
    /// One of several numbers.
    Levels {
        /// They, ascending.
        values: Vec<f64>,
        /// Searched on a logarithmic scale; then all are above 0.
        log: bool,
    },
    /// One of several names.
    Categorical {
        /// At least two, unique.
        choices: Vec<String>,
    },
}

/// Parameters that share a total.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// Their names; each is real, on a linear scale.
    pub parameters: Vec<String>,
    /// What they sum to.
    pub total: f64,
    /// How many of them may differ from 0; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<usize>,
}

/// How far the total of a mixture may be missed, beside its size: rounding.
const MIXTURE_ROUNDING: f64 = 1e-9;

impl Mixture {
    /// Whether a point's values sum to the total, with no more of them than may be.
    #[must_use]
    pub fn holds(&self, setting: &Setting) -> bool {
        let values = || self.parameters.iter().filter_map(|name| setting.get(name)?.number());
        let present = values().filter(|value| *value != 0.0).count();
        let missed = (values().sum::<f64>() - self.total).abs();
        missed <= MIXTURE_ROUNDING * self.total.abs().max(1.0) && self.at_most.is_none_or(|most| present <= most)
    }
}

/// Something that is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// How it is calculated; `None` where a person records it.
    pub value: Option<Expr>,
    /// Its unit.
    pub unit: Unit,
}

/// Something that is optimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// The outcome.
    pub outcome: String,
    /// Which way.
    pub goal: Goal,
    /// With several objectives: what a point has to be better than to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
}

impl Objective {
    /// An outcome to make as large as may be.
    #[must_use]
    pub fn maximize(outcome: impl Into<String>) -> Self {
        Self { outcome: outcome.into(), goal: Goal::Maximize, reference: None }
    }
}

/// Which way an objective is optimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Larger is better.
    Maximize,
    /// Smaller is better.
    Minimize,
}

impl Goal {
    /// What a value is multiplied by so that larger is better.
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Self::Maximize => 1.0,
            Self::Minimize => -1.0,
        }
    }
}

/// A bound on parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterConstraint {
    /// True where it holds.
    pub holds: Expr,
    /// As the file has it.
    pub text: String,
}

/// A bound on outcomes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeConstraint {
    /// Holds where this is at most 0.
    pub margin: Expr,
    /// As the file has it.
    pub text: String,
}

/// One node of the protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: StepName,
    /// The capability it calls.
    pub capability: String,
    /// The instrument that must do it; `None`: any that can.
    pub instrument: Option<InstrumentId>,
    /// Steps that must have succeeded before, those whose outputs it uses included.
    pub after: Vec<StepName>,
    /// Its arguments.
    pub with: BTreeMap<String, Binding>,
}

/// Where an argument comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// The file itself.
    Literal(Value),
    /// A parameter: `$temperature`.
    Parameter(String),
    /// An earlier step's output: `@react.sample`.
    Output {
        /// The step.
        step: StepName,
        /// Its output.
        output: String,
    },
}

/// An observation made before the campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastRow {
    /// The point.
    pub setting: Setting,
    /// Outcomes by name.
    pub outcomes: BTreeMap<String, Measured>,
}

/// A past campaign: perhaps of another truth, so its rows are no observations of this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// What it is called: its file, or the campaign of this workcell whose experiments it is.
    pub name: String,
    /// Whether it is a campaign of this workcell; its rows are taken when the campaign is added.
    pub campaign: bool,
    /// Its rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<PastRow>,
}

/// A parameter by which experiments are more or less like the real one: only real ones are answers, and count as gains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FidelitySpec {
    /// Its name.
    pub parameter: String,
    /// Its level in the real experiment.
    pub real: Level,
}

/// What an experiment costs, in any unit: of what promises as much, the cheaper is tried first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostSpec {
    /// By its parameters; `None`: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Expr>,
    /// What is added where a parameter has another level than in the experiment before, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changeover: BTreeMap<String, f64>,
}

/// How much may be spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Experiments, the person's own among them, past data not.
    pub experiments: u32,
    /// What all of them may cost by [`CampaignSpec::cost`]; `None`: whatever they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Experiments at once, at least 1.
    pub in_flight: u32,
    /// Whether a proposal may use whatever has arrived.
    pub admission: Admission,
}

/// Which outcomes a proposal may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// All that have arrived.
    #[default]
    AsArrived,
    /// Proposal m uses exactly outcomes 1..m-q: reproducible whatever the timing.
    InOrder,
}

/// When to stop before the budget is spent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StopRule {
    /// Stop when a feasible observation of the objective is at least as good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Stop after so many experiments without a gain of `gain`, or, with several objectives, that none joined the front in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// The gain in the objective that counts, in its unit.
    #[serde(default)]
    pub gain: f64,
    /// Stop when the model says that no more than this is left to gain, in the objective's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_gain: Option<f64>,
    /// How probable that has to be; `None`: [`super::STOP_CONFIDENCE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

/// How to plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannerSpec {
    /// Size of the space-filling start; `None`: the planner's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<u32>,
    /// What points are chosen by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Where a planner of one's own listens; `None`: the one that is built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// What the planner chooses points by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The improvement that is expected.
    Improvement,
    /// The maximum of a function drawn from the model.
    Thompson,
}

impl CampaignSpec {
    /// What an experiment costs by the campaign's own words: 1 where it says nothing, or nothing that can be calculated.
    #[must_use]
    pub fn cost_of(&self, setting: &Setting, previous: Option<&Setting>) -> f64 {
        let Some(spec) = &self.cost else { return 1.0 };
        let scope = |leaf: &Leaf| match leaf {
            Leaf::Parameter(name) => setting.get(name).map(Level::datum),
            Leaf::Outcome(_) | Leaf::Output { .. } => None,
        };
        let own = spec.value.as_ref().and_then(|value| value.number(&scope).ok()).map_or(1.0, |it| it.value);
        let changed = |(name, _): &(&String, &f64)| previous.is_some_and(|it| it.get(*name) != setting.get(*name));
        own.max(0.0) + spec.changeover.iter().filter(changed).map(|(_, cost)| cost).sum::<f64>()
    }

    /// Whether a point is one of the real experiment.
    #[must_use]
    pub fn is_real(&self, setting: &Setting) -> bool {
        self.fidelity.as_ref().is_none_or(|it| setting.get(&it.parameter) == Some(&it.real))
    }

    /// Done by people, without instruments.
    #[must_use]
    pub fn by_hand(&self) -> bool {
        self.steps.is_empty()
    }

    /// The parameter of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The outcome of this name.
    #[must_use]
    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.name == name)
    }

    /// The step of this name.
    #[must_use]
    pub fn step(&self, name: &StepName) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == *name)
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Real { low, high, .. } => write!(f, "{low}..{high}"),
            Self::Integer { low, high, .. } => write!(f, "{low}..{high}, whole numbers"),
            Self::Levels { values, .. } => {
                f.write_str(&values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Categorical { choices } => f.write_str(&choices.join(", ")),
        }
    }
}

impl Parameter {
    /// A level as a step's argument. A whole number without a unit stays whole; with one it is a quantity.
    #[must_use]
    pub fn argument(&self, level: &Level) -> Value {
        let unit = self.unit.ucum.clone();
        match level {
            Level::Integer(value) if unit == "1" => Value::Integer(*value),
            Level::Choice(choice) => Value::Choice(choice.clone()),
            Level::Real(_) | Level::Integer(_) => {
                Value::Quantity(Quantity { value: level.number().unwrap_or_default(), unit, sd: None, limit: None })
            }
        }
    }
}

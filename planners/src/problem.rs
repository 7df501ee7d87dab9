//! What is to be planned: the space, the known regions, and what has been seen so far.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::mixture::Mixture;
use crate::planner::PlanError;

/// Initial designs have at least this many points: fewer tell a surrogate nothing about its lengthscales.
pub const INITIAL_MIN: usize = 5;
/// Initial designs have at most this many points unless the problem asks for more: beyond about twenty, a model
/// spends each further point better than a space-filling set does.
pub const INITIAL_MAX: usize = 20;

/// The most past campaigns of a problem.
pub const MAX_PAST: usize = 8;

/// One planning problem: a space, what is optimised in it, and what must hold.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Where to look.
    pub space: Space,
    /// How many objectives an experiment yields, at least one; larger is better in all of them.
    pub objectives: usize,
    /// How many measured constraints an experiment yields; each holds where its value is `<= 0`.
    pub constraints: usize,
    /// The size of the initial design; `None` takes [`Problem::default_initial`]. Rows already there count toward it.
    pub initial: Option<usize>,
    /// The hypervolume's reference point, one value an objective; empty lets the planner infer it from the rows.
    pub reference: Vec<f64>,
    /// The parameters, by their places, that all points of one call have in common: the temperature of a plate, say. Rows
    /// that are pending don't count.
    pub shared: Vec<usize>,
    /// What an experiment costs, where costs differ; what promises as much for less is tried first.
    pub cost: Option<Arc<dyn Cost>>,
    /// The rows of past campaigns, each over the same parameters and with the same outcomes, though perhaps not the same
    /// truth: another batch, another instrument. What they say is used as far as this campaign's readings bear it out.
    pub past: Vec<Vec<Row>>,
}

/// The search space: a box of parameters, cut by known regions, or a finite pool of points.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// The parameters, in the order of a point's coordinates.
    pub parameters: Vec<Parameter>,
    /// Known constraints on the parameters. No proposal violates one.
    pub regions: Vec<Arc<dyn Region>>,
    /// If given, only these points may be proposed, and each once.
    pub pool: Option<Vec<Point>>,
    /// Parameters that share a total.
    pub mixtures: Vec<Mixture>,
    /// A parameter by which experiments are more or less like the real one.
    pub fidelity: Option<Fidelity>,
    /// What is known of a category's choices, by the parameter's place: one row of numbers a choice, such as properties of
    /// a solvent. Choices with like numbers are then taken to act alike, as far as the outcomes bear it out.
    pub descriptors: BTreeMap<usize, Vec<Vec<f64>>>,
}

/// One parameter and the values it may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Parameter {
    /// A real number in `[low, high]`; `log` models and samples its logarithm (`low > 0` then).
    Real {
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
        /// Whether the parameter acts by its logarithm.
        log: bool,
    },
    /// A whole number in `[low, high]`; `log` as for a real one.
    Integer {
        /// The least value.
        low: i64,
        /// The greatest value.
        high: i64,
        /// Whether the parameter acts by its logarithm.
        log: bool,
    },
    /// One of a list of numbers, which acts by its size; `log` as for a real one.
    Levels {
        /// The numbers, ascending.
        values: Vec<f64>,
        /// Whether the parameter acts by its logarithm.
        log: bool,
    },
    /// One of `choices` unordered alternatives; its coordinate is the alternative's index.
    Categorical {
        /// How many alternatives there are.
        choices: usize,
    },
}

/// A known constraint on the parameters.
///
/// The margin is also used to search along the border, so it should vary continuously where it can and be finite.
pub trait Region: Send + Sync + fmt::Debug {
    /// Returns a number that is `<= 0` where the constraint holds; NaN counts as violated.
    fn margin(&self, point: &Point) -> f64;
}

/// A parameter by which experiments are more or less like the real one: a simulator and the reactor, a short assay and the
/// long one. Objectives and constraints are those of the real one; the others are tried where they tell enough of it for
/// what they cost ([`Problem::cost`]; without it they never are).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// Its place among the parameters; a category, or a number of a lattice.
    pub parameter: usize,
    /// Its value in the real experiment.
    pub real: f64,
}

/// What an experiment costs.
pub trait Cost: Send + Sync + fmt::Debug {
    /// The cost at a point, in any unit, given the point that was proposed before it (to clean a vessel, to heat a bath).
    /// What isn't a finite number above 0 counts as the least cost there is.
    fn cost(&self, point: &Point, previous: Option<&Point>) -> f64;
}

/// A weighted sum of the parameters that is bounded: `weights . x <= most`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// One weight a parameter, 0 for those that don't matter (and for categories).
    pub weights: Vec<f64>,
    /// What the sum may be at most.
    pub most: f64,
}

impl Region for Linear {
    fn margin(&self, point: &Point) -> f64 {
        self.weights.iter().zip(&point.0).map(|(weight, value)| weight * value).sum::<f64>() - self.most
    }
}

/// A point of the space, in the parameters' own scales (a category by its index).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point(pub Vec<f64>);

/// One experiment as the planner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Where it was (or is being) made. A real coordinate may lie outside its range: an achieved value, say.
    pub point: Point,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is under way.
    Pending,
    /// It was measured. A value that isn't finite counts as not measured; the row's other values are still used.
    Observed {
        /// One measure an objective.
        objectives: Vec<Measure>,
        /// One measure a constraint.
        constraints: Vec<Measure>,
    },
    /// The recipe itself fails here: a fact about the point, not a fault of the equipment.
    Failed,
}

impl Outcome {
    /// The measure of an objective or, after all of those, of a constraint.
    pub(crate) fn measure(&self, index: usize) -> Option<Measure> {
        match self {
            Self::Observed { objectives, constraints } => objectives.iter().chain(constraints).nth(index).copied(),
            Self::Pending | Self::Failed => None,
        }
    }
}

/// A measured value and, where known, its standard uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The value.
    pub value: f64,
    /// Its standard deviation; anything but a finite number `>= 0` counts as not stated.
    pub sd: Option<f64>,
}

impl Measure {
    /// A value whose uncertainty isn't stated.
    pub fn new(value: f64) -> Self {
        Self { value, sd: None }
    }

    /// A value with its standard deviation.
    pub fn with_sd(value: f64, sd: f64) -> Self {
        Self { value, sd: Some(sd) }
    }

    /// The standard deviation, if one is stated that makes sense.
    pub(crate) fn known_sd(&self) -> Option<f64> {
        self.sd.filter(|sd| sd.is_finite() && *sd >= 0.0)
    }
}

impl Parameter {
    /// Whether only one value is possible.
    pub fn is_fixed(&self) -> bool {
        match self {
            Self::Real { low, high, .. } => low >= high,
            Self::Integer { low, high, .. } => low >= high,
            Self::Levels { values, .. } => values.len() <= 1,
            Self::Categorical { choices } => *choices <= 1,
        }
    }

    fn check(&self, parameter: usize) -> Result<(), PlanError> {
        let wrong = |why| Err(PlanError::Parameter { parameter, why });
        match self {
            Self::Real { low, high, .. } if !low.is_finite() || !high.is_finite() => wrong("its bounds must be finite"),
            Self::Real { low, high, .. } if low > high => wrong("its lower bound is above its upper one"),
            Self::Integer { low, high, .. } if low > high => wrong("its lower bound is above its upper one"),
            Self::Integer { low, high, .. } if low.unsigned_abs().max(high.unsigned_abs()) > LARGEST_INTEGER => {
                wrong("its bounds must be whole numbers that a double holds exactly")
            }
            Self::Real { low, log: true, .. } if *low <= 0.0 => {
                wrong("a logarithmic scale needs a positive lower bound")
            }
            Self::Integer { low, log: true, .. } if *low <= 0 => {
                wrong("a logarithmic scale needs a positive lower bound")
            }
            Self::Levels { values, .. } if values.is_empty() || values.iter().any(|value| !value.is_finite()) => {
                wrong("it needs at least one level, and all of them finite")
            }
            Self::Levels { values, .. } if values.windows(2).any(|pair| pair.first() >= pair.last()) => {
                wrong("its levels must ascend")
            }
            Self::Levels { values, log: true } if values.iter().any(|value| *value <= 0.0) => {
                wrong("a logarithmic scale needs positive levels")
            }
            Self::Categorical { choices: 0 } => wrong("it needs at least one choice"),
            Self::Real { .. } | Self::Integer { .. } | Self::Levels { .. } | Self::Categorical { .. } => Ok(()),
        }
    }

    /// Whether a coordinate can be modelled at all. Reals may lie outside their range, lattices may not.
    fn admits(&self, value: f64) -> bool {
        match self {
            Self::Real { log, .. } => value.is_finite() && (!log || value > 0.0),
            Self::Integer { low, high, .. } => {
                value.is_finite() && value.fract().abs() == 0.0 && value >= *low as f64 && value <= *high as f64
            }
            Self::Levels { values, .. } => values.contains(&value),
            Self::Categorical { choices } => value >= 0.0 && value < *choices as f64 && value.fract().abs() == 0.0,
        }
    }
}

/// Whole numbers up to this are exact in a double.
const LARGEST_INTEGER: u64 = 1 << 53;

impl Space {
    /// The worst margin of the known regions at a point: `<= 0` where all hold, infinite where one is NaN.
    pub fn margin(&self, point: &Point) -> f64 {
        let mut worst = f64::NEG_INFINITY;
        for region in &self.regions {
            let margin = region.margin(point);
            worst = worst.max(if margin.is_nan() { f64::INFINITY } else { margin });
        }
        worst
    }

    /// Whether all known regions hold at a point.
    pub fn holds(&self, point: &Point) -> bool {
        self.margin(point) <= 0.0
    }

    /// Whether a point is one that may be proposed: inside every range, on every lattice, in every region.
    pub fn contains(&self, point: &Point) -> bool {
        let inside = |(parameter, value): (&Parameter, &f64)| match parameter {
            Parameter::Real { low, high, .. } => value >= low && value <= high,
            Parameter::Integer { .. } | Parameter::Levels { .. } | Parameter::Categorical { .. } => {
                parameter.admits(*value)
            }
        };
        point.0.len() == self.parameters.len()
            && self.parameters.iter().zip(&point.0).all(inside)
            && self.mixtures.iter().all(|mixture| mixture.contains(&point.0))
            && self.holds(point)
    }

    /// Whether a point can be modelled: one coordinate a parameter, whole numbers and categories among their values. Reals
    /// may lie outside their range.
    #[must_use]
    pub fn admits(&self, point: &Point) -> bool {
        point.0.len() == self.parameters.len()
            && self.parameters.iter().zip(&point.0).all(|(parameter, value)| parameter.admits(*value))
    }
}

fn check_descriptors(parameter: Option<&Parameter>, index: usize, table: &[Vec<f64>]) -> Result<(), PlanError> {
    let wrong = |why| Err(PlanError::Parameter { parameter: index, why });
    let Some(Parameter::Categorical { choices }) = parameter else { return wrong("only a category has descriptors") };
    let width = table.first().map_or(0, Vec::len);
    if table.len() != *choices || width == 0 || table.iter().any(|row| row.len() != width) {
        return wrong("its descriptors need one row a choice, all of the same length");
    }
    if table.iter().flatten().any(|value| !value.is_finite()) {
        return wrong("its descriptors must be finite");
    }
    Ok(())
}

impl Problem {
    /// How many outcomes are measured.
    pub(crate) fn outcomes(&self) -> usize {
        self.objectives + self.constraints
    }

    /// A problem without measured constraints, and nothing else out of the ordinary.
    ///
    /// ```
    /// use eutectic_planners::{Parameter, Problem, Space};
    ///
    /// let parameters = vec![Parameter::Real { low: 20.0, high: 120.0, log: false }];
    /// let space = Space { parameters, ..Space::default() };
    /// let _one_constraint = Problem { constraints: 1, ..Problem::new(space, 1) };
    /// ```
    #[must_use]
    pub fn new(space: Space, objectives: usize) -> Self {
        Self {
            space,
            objectives,
            constraints: 0,
            initial: None,
            reference: Vec::new(),
            shared: Vec::new(),
            cost: None,
            past: Vec::new(),
        }
    }

    /// Twice the number of parameters that can vary, between [`INITIAL_MIN`] and [`INITIAL_MAX`].
    ///
    /// About two points a dimension is where added space-filling points stop paying for themselves once the
    /// hyperparameters are averaged over rather than trusted (the default of BoTorch and Ax, too).
    pub fn default_initial(&self) -> usize {
        let free = self.space.parameters.iter().filter(|parameter| !parameter.is_fixed()).count();
        // A total leaves one direction less.
        let free = free.saturating_sub(self.space.mixtures.len());
        (2 * free).clamp(INITIAL_MIN, INITIAL_MAX)
    }

    /// The size of the initial design in force.
    pub fn initial_size(&self) -> usize {
        self.initial.unwrap_or_else(|| self.default_initial())
    }

    /// Checks the problem and the rows against it.
    ///
    /// # Errors
    /// [`PlanError::Objectives`], [`PlanError::Reference`], [`PlanError::Parameter`] or [`PlanError::Pool`] if the
    /// problem makes no sense, [`PlanError::Row`] if a row doesn't fit it.
    pub fn check(&self, rows: &[Row]) -> Result<(), PlanError> {
        if self.objectives == 0 {
            return Err(PlanError::Objectives);
        }
        if !self.reference.is_empty()
            && (self.reference.len() != self.objectives || self.reference.iter().any(|value| !value.is_finite()))
        {
            return Err(PlanError::Reference { expected: self.objectives });
        }
        for (index, parameter) in self.space.parameters.iter().enumerate() {
            parameter.check(index)?;
        }
        for (index, mixture) in self.space.mixtures.iter().enumerate() {
            mixture.check(index, &self.space.parameters)?;
        }
        let mut mixed: Vec<usize> = self.space.mixtures.iter().flat_map(|it| it.parameters.iter().copied()).collect();
        mixed.sort_unstable();
        if let Some(pair) = mixed.windows(2).find(|pair| pair.first() == pair.last()) {
            let parameter = pair.first().copied().unwrap_or(0);
            return Err(PlanError::Parameter { parameter, why: "it is in two mixtures" });
        }
        for (parameter, table) in &self.space.descriptors {
            check_descriptors(self.space.parameters.get(*parameter), *parameter, table)?;
        }
        if let Some(fidelity) = &self.space.fidelity {
            let wrong = |why| Err(PlanError::Parameter { parameter: fidelity.parameter, why });
            match self.space.parameters.get(fidelity.parameter) {
                Some(Parameter::Real { .. }) => return wrong("a fidelity is a category or a number of a lattice"),
                Some(parameter) if !parameter.admits(fidelity.real) => {
                    return wrong("the real experiment's value is none of its values");
                }
                None => return wrong("it is to be the fidelity and isn't there"),
                Some(_) => {}
            }
        }
        if let Some(shared) = self.shared.iter().find(|index| **index >= self.space.parameters.len()) {
            return Err(PlanError::Parameter {
                parameter: *shared,
                why: "it is shared within a batch and isn't there",
            });
        }
        if let Some(both) = self.shared.iter().find(|index| mixed.contains(index)) {
            return Err(PlanError::Parameter { parameter: *both, why: "it is in a mixture and can't be shared" });
        }
        if let Some(pool) = &self.space.pool
            && let Some(entry) = pool.iter().position(|point| !self.space.admits(point))
        {
            return Err(PlanError::Pool { entry });
        }
        if self.past.len() > MAX_PAST {
            return Err(PlanError::Past { count: self.past.len() });
        }
        for past in &self.past {
            past.iter().enumerate().try_for_each(|(index, row)| self.check_row(index, row))?;
        }
        rows.iter().enumerate().try_for_each(|(index, row)| self.check_row(index, row))
    }

    fn check_row(&self, index: usize, row: &Row) -> Result<(), PlanError> {
        let wrong = |why| Err(PlanError::Row { row: index, why });
        if !self.space.admits(&row.point) {
            return wrong("its point has a coordinate too many or too few, or one that its parameter can't have");
        }
        match &row.outcome {
            Outcome::Pending | Outcome::Failed => Ok(()),
            Outcome::Observed { objectives, .. } if objectives.len() != self.objectives => {
                wrong("it has not one value an objective")
            }
            Outcome::Observed { constraints, .. } if constraints.len() != self.constraints => {
                wrong("it has not one value a constraint")
            }
            Outcome::Observed { .. } => Ok(()),
        }
    }
}

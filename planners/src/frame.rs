//! The unit frame: the scale in which models and searches see the space.
//!
//! A *unit* point has one coordinate a parameter: reals and integers in `[0, 1]` (of the logarithm, if they act by
//! it), a category by its index. A *feature* vector is what kernels see: the same, with each category expanded to a
//! one-hot code over sqrt 2, so that two different choices lie at distance 1.

use crate::problem::{Parameter, Point, Space};

/// A space seen in unit coordinates.
#[derive(Clone, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) space: &'a Space,
    /// For each feature, the parameter it belongs to: one lengthscale a parameter.
    pub(crate) groups: Vec<usize>,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(space: &'a Space) -> Self {
        let width = |parameter: &Parameter| match parameter {
            Parameter::Real { .. } | Parameter::Integer { .. } => 1,
            Parameter::Categorical { choices } => *choices,
        };
        let groups = space.parameters.iter().enumerate();
        let groups = groups.flat_map(|(index, parameter)| vec![index; width(parameter)]).collect();
        Self { space, groups }
    }

    /// How many parameters there are.
    pub(crate) fn dimension(&self) -> usize {
        self.space.parameters.len()
    }

    /// Which coordinates an ascent may move: the reals that have room.
    pub(crate) fn continuous(&self) -> Vec<bool> {
        let moves = |parameter: &Parameter| matches!(parameter, Parameter::Real { .. }) && !parameter.is_fixed();
        self.space.parameters.iter().map(moves).collect()
    }

    /// Which features are numbers, and not parts of a category.
    pub(crate) fn numeric(&self) -> Vec<bool> {
        let number = |group: &usize| !matches!(self.space.parameters.get(*group), Some(Parameter::Categorical { .. }));
        self.groups.iter().map(number).collect()
    }

    /// The unit coordinates of a point; outside `[0, 1]` where a real lies outside its range.
    pub(crate) fn unit(&self, point: &Point) -> Vec<f64> {
        self.space.parameters.iter().zip(&point.0).map(|(parameter, value)| to_unit(parameter, *value)).collect()
    }

    /// The point at unit coordinates: inside every range, and on every lattice (the nearest value).
    pub(crate) fn point(&self, unit: &[f64]) -> Point {
        Point(self.space.parameters.iter().zip(unit).map(|(parameter, u)| from_unit(parameter, *u)).collect())
    }

    /// The unit coordinates of the nearest point on every lattice and in every range.
    pub(crate) fn snap(&self, unit: &[f64]) -> Vec<f64> {
        let snap = |(parameter, u): (&Parameter, &f64)| match parameter {
            Parameter::Real { .. } => {
                if u.is_nan() || parameter.is_fixed() {
                    0.0
                } else {
                    u.clamp(0.0, 1.0)
                }
            }
            Parameter::Integer { .. } | Parameter::Categorical { .. } => to_unit(parameter, from_unit(parameter, *u)),
        };
        self.space.parameters.iter().zip(unit).map(snap).collect()
    }

    /// A unit point from uniform numbers, one a parameter; each lattice value gets an equal share of the interval.
    pub(crate) fn spread(&self, uniform: &[f64]) -> Vec<f64> {
        let spread = |(parameter, u): (&Parameter, &f64)| match parameter {
            Parameter::Real { .. } => *u,
            Parameter::Categorical { choices } => (u * *choices as f64).floor().min(*choices as f64 - 1.0),
            Parameter::Integer { low, high, log: false } => {
                let count = (*high - *low) as f64 + 1.0;
                to_unit(parameter, *low as f64 + (u * count).floor().min(count - 1.0))
            }
            Parameter::Integer { log: true, .. } => *u,
        };
        let unit: Vec<f64> = self.space.parameters.iter().zip(uniform).map(spread).collect();
        self.snap(&unit)
    }

    /// The features of a unit point.
    pub(crate) fn features(&self, unit: &[f64]) -> Vec<f64> {
        let mut features = Vec::with_capacity(self.groups.len());
        for (parameter, u) in self.space.parameters.iter().zip(unit) {
            match parameter {
                Parameter::Real { .. } | Parameter::Integer { .. } => features.push(*u),
                Parameter::Categorical { choices } => {
                    let hot = |choice: usize| if (choice as f64 - u).abs() < 0.5 { ONE_HOT } else { 0.0 };
                    features.extend((0..*choices).map(hot));
                }
            }
        }
        features
    }

    /// A gradient in features as one in the parameters that may move by themselves; 0 for the others.
    pub(crate) fn gradient(&self, slope: &[f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; self.dimension()];
        let continuous = self.continuous();
        for (group, slope) in self.groups.iter().zip(slope) {
            if let (Some(entry), Some(true)) = (gradient.get_mut(*group), continuous.get(*group)) {
                *entry += slope;
            }
        }
        gradient
    }

    /// The worst margin of the known regions at a unit point.
    pub(crate) fn margin(&self, unit: &[f64]) -> f64 {
        if self.space.regions.is_empty() { f64::NEG_INFINITY } else { self.space.margin(&self.point(unit)) }
    }

    /// Whether the known regions hold at a unit point.
    pub(crate) fn holds(&self, unit: &[f64]) -> bool {
        self.margin(unit) <= 0.0
    }

    /// The squared distance of two unit points, each differing category counting 1.
    pub(crate) fn distance2(&self, a: &[f64], b: &[f64]) -> f64 {
        let each = |((parameter, a), b): ((&Parameter, &f64), &f64)| match parameter {
            Parameter::Real { .. } | Parameter::Integer { .. } => (a - b) * (a - b),
            Parameter::Categorical { .. } => {
                if (a - b).abs() < 0.5 {
                    0.0
                } else {
                    1.0
                }
            }
        };
        self.space.parameters.iter().zip(a).zip(b).map(each).sum()
    }
}

/// The value of a chosen category's feature.
const ONE_HOT: f64 = std::f64::consts::FRAC_1_SQRT_2;

fn to_unit(parameter: &Parameter, value: f64) -> f64 {
    // Halves keep the difference of two huge bounds finite.
    let linear = |low: f64, high: f64, value: f64| {
        let width = high / 2.0 - low / 2.0;
        if width > 0.0 { (value / 2.0 - low / 2.0) / width } else { 0.0 }
    };
    let scaled = |low: f64, high: f64, log: bool| {
        if log { linear(libm::log(low), libm::log(high), libm::log(value)) } else { linear(low, high, value) }
    };
    match parameter {
        Parameter::Real { low, high, log } => scaled(*low, *high, *log),
        Parameter::Integer { low, high, log } => scaled(*low as f64, *high as f64, *log),
        Parameter::Categorical { .. } => value,
    }
}

fn from_unit(parameter: &Parameter, u: f64) -> f64 {
    let u = if u.is_nan() { 0.0 } else { u };
    let scaled = |low: f64, high: f64, log: bool| {
        let value = match u {
            u if u <= 0.0 => low,
            u if u >= 1.0 => high,
            u if log => libm::exp(libm::log(low) * (1.0 - u) + libm::log(high) * u),
            u => low * (1.0 - u) + high * u,
        };
        // Rounding must not carry a value over its bound.
        value.clamp(low, high)
    };
    match parameter {
        Parameter::Real { low, high, log } => scaled(*low, *high, *log),
        Parameter::Integer { low, high, log } => scaled(*low as f64, *high as f64, *log).round(),
        Parameter::Categorical { choices } => u.round().clamp(0.0, *choices as f64 - 1.0),
    }
}

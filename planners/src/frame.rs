//! The unit frame: the scale in which models and searches see the space.
//!
//! A *unit* point has one coordinate a parameter: reals and integers in `[0, 1]` (of the logarithm, if they act by
//! it), a category by its index. A *feature* vector is what kernels see: the same, with each category expanded to a
//! one-hot code over sqrt 2, so that two different choices lie at distance 1.

use crate::mixture;
use crate::problem::{Parameter, Point, Space};
use crate::surrogate::{Warp, lengthscales};

/// A whole number with more values than this has its least one as the only other fidelity.
const MOST_FIDELITIES: i64 = 20;

/// A space seen in unit coordinates.
#[derive(Clone, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) space: &'a Space,
    /// For each feature, its lengthscale: one a parameter, and after those one for each parameter's descriptors.
    pub(crate) groups: Vec<usize>,
    /// For each lengthscale, whether outcomes may turn along it, as along a number; not from one category, fidelity or campaign
    /// to another.
    pub(crate) turns: Vec<bool>,
    /// For each feature, the parameter it belongs to.
    owners: Vec<usize>,
    /// The descriptors of each parameter's choices as features; empty for parameters without.
    descriptors: Vec<Vec<Vec<f64>>>,
    /// The bend that each parameter acts by; empty where all act evenly.
    warps: Vec<Warp>,
    /// How many past campaigns there are beside this one, each with a feature by which it differs.
    beside: usize,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(space: &'a Space) -> Self {
        let width = |parameter: &Parameter| match parameter {
            Parameter::Real { .. } | Parameter::Integer { .. } | Parameter::Levels { .. } => 1,
            Parameter::Categorical { choices } => *choices,
        };
        let (mut groups, mut owners) = (Vec::new(), Vec::new());
        let mut descriptors = vec![Vec::new(); space.parameters.len()];
        let mut next = space.parameters.len();
        let fidelity = space.fidelity.map(|it| it.parameter);
        let number = |it: &Parameter| !matches!(it, Parameter::Categorical { .. });
        let numbers = space.parameters.iter().enumerate();
        let mut turns: Vec<bool> = numbers.map(|(index, it)| number(it) && Some(index) != fidelity).collect();
        for (index, (parameter, described)) in space.parameters.iter().zip(&mut descriptors).enumerate() {
            groups.extend(vec![index; width(parameter)]);
            owners.extend(vec![index; width(parameter)]);
            if let Some(table) = space.descriptors.get(&index) {
                *described = described_by(table);
            }
            let columns = described.first().map_or(0, Vec::len);
            if columns > 0 {
                groups.extend(vec![next; columns]);
                owners.extend(vec![index; columns]);
                turns.push(true);
                next += 1;
            }
        }
        Self { space, groups, turns, owners, descriptors, warps: Vec::new(), beside: 0 }
    }

    /// The same with parameters bent by these maps, where there is one for each.
    pub(crate) fn bent(&self, warps: &[Warp]) -> Self {
        let warps = if warps.len() == self.dimension() { warps.to_vec() } else { Vec::new() };
        Self { warps, ..self.clone() }
    }

    /// The same with so many past campaigns beside this one.
    pub(crate) fn beside(&self, campaigns: usize) -> Self {
        let mut groups = self.groups.clone();
        let next = self.lengthscales();
        groups.extend(next..next + campaigns);
        let mut turns = self.turns.clone();
        turns.resize(next + campaigns, false);
        Self { groups, turns, beside: campaigns, ..self.clone() }
    }

    /// How many past campaigns are beside this one.
    pub(crate) fn campaigns(&self) -> usize {
        self.beside
    }

    /// Whether features are those of a past campaign.
    pub(crate) fn is_in_campaign(&self, features: &[f64], campaign: usize) -> bool {
        features.get(features.len().saturating_sub(self.beside) + campaign).is_some_and(|feature| *feature > 0.0)
    }

    /// Features of this campaign as those of a past one.
    pub(crate) fn in_campaign(&self, mut features: Vec<f64>, campaign: usize) -> Vec<f64> {
        let first = features.len().saturating_sub(self.beside);
        if let Some(entry) = features.get_mut(first + campaign) {
            *entry = 1.0;
        }
        features
    }

    /// The bend that each parameter acts by; empty where all act evenly.
    pub(crate) fn warps(&self) -> &[Warp] {
        &self.warps
    }

    /// The bends of parameters from those of their features.
    pub(crate) fn of_features(&self, warps: &[Warp]) -> Vec<Warp> {
        let of = |parameter: usize| {
            let feature = self.owners.iter().position(|owner| *owner == parameter);
            feature.and_then(|feature| warps.get(feature)).copied().unwrap_or(Warp::STRAIGHT)
        };
        (0..self.dimension()).map(of).collect()
    }

    fn warp(&self, parameter: usize) -> Warp {
        self.warps.get(parameter).copied().unwrap_or(Warp::STRAIGHT)
    }

    /// How many lengthscales there are.
    pub(crate) fn lengthscales(&self) -> usize {
        lengthscales(&self.groups)
    }

    /// How many parameters there are.
    pub(crate) fn dimension(&self) -> usize {
        self.space.parameters.len()
    }

    /// The coordinate of the fidelity and its value in the real experiment.
    pub(crate) fn real(&self) -> Option<(usize, f64)> {
        let fidelity = self.space.fidelity.as_ref()?;
        let parameter = self.space.parameters.get(fidelity.parameter)?;
        Some((fidelity.parameter, to_unit(parameter, fidelity.real)))
    }

    /// The same point in the real experiment.
    pub(crate) fn aim(&self, unit: &[f64]) -> Vec<f64> {
        let mut aimed = unit.to_vec();
        if let Some((parameter, real)) = self.real()
            && let Some(entry) = aimed.get_mut(parameter)
        {
            *entry = real;
        }
        aimed
    }

    /// Whether a unit point is one of the real experiment.
    pub(crate) fn is_real(&self, unit: &[f64]) -> bool {
        self.real().is_none_or(|(parameter, real)| unit.get(parameter).is_some_and(|u| (u - real).abs() < 1e-9))
    }

    /// The same point in every other fidelity.
    pub(crate) fn others(&self, unit: &[f64]) -> Vec<Vec<f64>> {
        let Some((index, _)) = self.real() else { return Vec::new() };
        let levels: Vec<f64> = match self.space.parameters.get(index) {
            Some(Parameter::Categorical { choices }) => (0..*choices).map(|choice| choice as f64).collect(),
            Some(Parameter::Levels { values, .. }) => values.clone(),
            Some(Parameter::Integer { low, high, .. }) if high - low < MOST_FIDELITIES => {
                (*low..=*high).map(|level| level as f64).collect()
            }
            Some(Parameter::Integer { low, .. }) => vec![*low as f64],
            Some(Parameter::Real { .. }) | None => Vec::new(),
        };
        let at = |level: f64| {
            let mut moved = unit.to_vec();
            if let (Some(entry), Some(parameter)) = (moved.get_mut(index), self.space.parameters.get(index)) {
                *entry = to_unit(parameter, level);
            }
            moved
        };
        levels.into_iter().map(at).filter(|moved| !self.is_real(moved)).collect()
    }

    /// Which coordinates an ascent may move: the reals that have room.
    pub(crate) fn continuous(&self) -> Vec<bool> {
        let moves = |parameter: &Parameter| matches!(parameter, Parameter::Real { .. }) && !parameter.is_fixed();
        self.space.parameters.iter().map(moves).collect()
    }

    /// Which features are numbers that vary.
    pub(crate) fn varied(&self) -> Vec<bool> {
        let fixed = |owner: &usize| self.space.parameters.get(*owner).is_some_and(Parameter::is_fixed);
        self.numeric().iter().zip(&self.owners).map(|(number, owner)| *number && !fixed(owner)).collect()
    }

    /// Which features are numbers, and not parts of a category.
    pub(crate) fn numeric(&self) -> Vec<bool> {
        let number = |owner: &usize| !matches!(self.space.parameters.get(*owner), Some(Parameter::Categorical { .. }));
        self.owners.iter().map(number).collect()
    }

    /// Whether all parameters are numbers, but for the fidelity.
    pub(crate) fn is_numeric(&self) -> bool {
        let fidelity = self.space.fidelity.map(|it| it.parameter);
        self.owners.iter().zip(self.numeric()).all(|(owner, numeric)| numeric || Some(*owner) == fidelity)
    }

    /// The unit coordinates of a point; outside `[0, 1]` where a real lies outside its range.
    pub(crate) fn unit(&self, point: &Point) -> Vec<f64> {
        self.space.parameters.iter().zip(&point.0).map(|(parameter, value)| to_unit(parameter, *value)).collect()
    }

    /// The point at unit coordinates: inside every range, and on every lattice (the nearest value).
    pub(crate) fn point(&self, unit: &[f64]) -> Point {
        let mut point: Vec<f64> =
            self.space.parameters.iter().zip(unit).map(|(parameter, u)| from_unit(parameter, *u)).collect();
        for mixture in &self.space.mixtures {
            mixture.project(&self.space.parameters, &mut point);
        }
        Point(point)
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
            Parameter::Integer { .. } | Parameter::Levels { .. } | Parameter::Categorical { .. } => {
                to_unit(parameter, from_unit(parameter, *u))
            }
        };
        let snapped: Vec<f64> = self.space.parameters.iter().zip(unit).map(snap).collect();
        if self.space.mixtures.is_empty() {
            return snapped;
        }
        // Only what is mixed is moved: the others stay as they are to the last bit.
        let mixed = self.unit(&self.point(&snapped));
        let moves = |index: &usize| self.space.mixtures.iter().any(|mixture| mixture.parameters.contains(index));
        let pairs = snapped.iter().zip(mixed).enumerate();
        pairs.map(|(index, (own, mixed))| if moves(&index) { mixed.clamp(0.0, 1.0) } else { *own }).collect()
    }

    /// The gradient of what is evaluated at snapped points, from the gradient there.
    pub(crate) fn along_mixtures(&self, unit: &[f64], mut gradient: Vec<f64>) -> Vec<f64> {
        if self.space.mixtures.is_empty() {
            return gradient;
        }
        let point = self.point(unit);
        let widths: Vec<f64> = self.space.parameters.iter().map(width).collect();
        for mixture in &self.space.mixtures {
            mixture.tangent(&self.space.parameters, &point.0, &widths, &mut gradient);
        }
        gradient
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
            Parameter::Levels { values, .. } => {
                let place = (0..values.len()).find(|place| *u < (place + 1) as f64 / values.len() as f64);
                let value = place.and_then(|place| values.get(place)).or(values.last());
                value.map_or(0.0, |value| to_unit(parameter, *value))
            }
        };
        let mut unit: Vec<f64> = self.space.parameters.iter().zip(uniform).map(spread).collect();
        for mixture in &self.space.mixtures {
            let drawn: Vec<f64> =
                mixture.parameters.iter().map(|index| uniform.get(*index).copied().unwrap_or(0.5)).collect();
            for (index, share) in mixture.parameters.iter().zip(mixture::shares(&drawn)) {
                if let (Some(entry), Some(parameter)) = (unit.get_mut(*index), self.space.parameters.get(*index)) {
                    *entry = to_unit(parameter, share * mixture.total);
                }
            }
        }
        self.snap(&unit)
    }

    /// The features of a unit point.
    pub(crate) fn features(&self, unit: &[f64]) -> Vec<f64> {
        let mut features = Vec::with_capacity(self.groups.len());
        for (index, ((parameter, u), described)) in
            self.space.parameters.iter().zip(unit).zip(&self.descriptors).enumerate()
        {
            match parameter {
                Parameter::Real { .. } | Parameter::Integer { .. } | Parameter::Levels { .. } => {
                    features.push(self.warp(index).value(*u));
                }
                Parameter::Categorical { choices } => {
                    let hot = |choice: usize| if (choice as f64 - u).abs() < 0.5 { ONE_HOT } else { 0.0 };
                    features.extend((0..*choices).map(hot));
                    let row = described.iter().enumerate().find(|(choice, _)| (*choice as f64 - u).abs() < 0.5);
                    features.extend(row.into_iter().flat_map(|(_, row)| row));
                }
            }
        }
        features.resize(features.len() + self.beside, 0.0);
        features
    }

    /// A gradient in a unit point's features as one in the parameters that may move by themselves; 0 for the others.
    pub(crate) fn gradient(&self, unit: &[f64], slope: &[f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; self.dimension()];
        let continuous = self.continuous();
        for (owner, slope) in self.owners.iter().zip(slope) {
            if let (Some(entry), Some(true), Some(u)) =
                (gradient.get_mut(*owner), continuous.get(*owner), unit.get(*owner))
            {
                *entry += slope * self.warp(*owner).slope(*u);
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
            Parameter::Real { .. } | Parameter::Integer { .. } | Parameter::Levels { .. } => (a - b) * (a - b),
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
        Parameter::Levels { values, log } => match (values.first(), values.last()) {
            (Some(low), Some(high)) => scaled(*low, *high, *log),
            _ => 0.0,
        },
        Parameter::Categorical { .. } => value,
    }
}

/// By how much a value moves with its coordinate; 0 where it doesn't, or not evenly.
fn width(parameter: &Parameter) -> f64 {
    match parameter {
        Parameter::Real { low, high, log: false } => high - low,
        Parameter::Real { .. }
        | Parameter::Integer { .. }
        | Parameter::Levels { .. }
        | Parameter::Categorical { .. } => 0.0,
    }
}

/// Descriptors that are as wide as one category: each column standardised, those that follow another one left out, and
/// all of them together with a mean square distance between choices of 1.
fn described_by(table: &[Vec<f64>]) -> Vec<Vec<f64>> {
    /// Columns that are correlated by more than this say the same.
    const SAME: f64 = 0.7;
    let count = table.len() as f64;
    let mut kept: Vec<Vec<f64>> = Vec::new();
    for index in 0..table.first().map_or(0, Vec::len) {
        let column: Vec<f64> = table.iter().map(|row| row.get(index).copied().unwrap_or(0.0)).collect();
        let most = column.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        // Scaled first, so that squares of huge values stay finite.
        let scaled: Vec<f64> = column.iter().map(|value| if most > 0.0 { value / most } else { 0.0 }).collect();
        let mean = scaled.iter().sum::<f64>() / count;
        let sd = (scaled.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        if sd <= 1e-12 {
            continue;
        }
        let standard: Vec<f64> = scaled.iter().map(|value| (value - mean) / sd).collect();
        let correlation = |other: &Vec<f64>| other.iter().zip(&standard).map(|(a, b)| a * b).sum::<f64>() / count;
        if kept.iter().all(|other| correlation(other).abs() <= SAME) {
            kept.push(standard);
        }
    }
    // Standardised columns lie sqrt 2 apart, each, on the mean.
    let scale = (2.0 * kept.len().max(1) as f64).sqrt();
    let row = |choice: usize| kept.iter().map(|column| column.get(choice).copied().unwrap_or(0.0) / scale).collect();
    (0..table.len()).map(row).collect()
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
        Parameter::Levels { values, .. } => {
            let distance = |value: &f64| (to_unit(parameter, *value) - u).abs();
            let nearest = values.iter().reduce(|best, next| if distance(next) < distance(best) { next } else { best });
            nearest.copied().unwrap_or(0.0)
        }
        Parameter::Categorical { choices } => u.round().clamp(0.0, *choices as f64 - 1.0),
    }
}

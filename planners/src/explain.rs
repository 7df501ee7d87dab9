//! What the model has learnt, as data: which parameters matter, how, how well it predicts, and what was reached.

use serde::{Deserialize, Serialize};

use crate::design::Sobol;
use crate::frame::Frame;
use crate::front::{self, Front};
use crate::model::{Outlook, Studied};
use crate::problem::{Parameter, Problem, Row};
use crate::rng::{self, Source, Stream};
use crate::surrogate::{Path, Paths};

/// Base points of the sensitivities; each takes as many predictions as there are parameters, and two more.
const SENSITIVITY_POINTS: u64 = 512;
/// Base points that a dependence is averaged over.
const DEPENDENCE_POINTS: u64 = 64;
/// Levels of a dependence along a real parameter, or along a lattice with more values.
const LEVELS: usize = 21;
/// Functions drawn for the bands of a dependence.
const PATHS: usize = 48;
/// One in so many of the drawn functions lies below a band, and one above it.
const OUTSIDE: usize = 20;
/// Half of the 95 % interval of a normal, in standard deviations.
const TWO_SIDED: f64 = 1.959_963_984_540_054;
/// Volumes are traced up to so many objectives.
const VOLUME_OBJECTIVES: usize = 4;

/// What the model has learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Each objective; larger is better.
    pub objectives: Vec<OutcomeExplanation>,
    /// Each measured constraint; it holds where its value is at most 0.
    pub constraints: Vec<OutcomeExplanation>,
    /// The rows that no other is better than in all objectives, by their readings, among those whose constraints hold.
    pub front: Vec<usize>,
    /// What had been reached after each row: the best feasible objective, or the volume of the front above `reference`.
    /// `None` before anything feasible, and with more than four objectives.
    pub reached: Vec<Option<f64>>,
    /// The point that volumes count from; empty with one objective.
    pub reference: Vec<f64>,
    /// For each past campaign, what it counts in each objective and constraint: the weight of its model's mean or, where its
    /// readings are part of one process with this campaign's, the correlation of the two; 0 where it is left out.
    pub past: Vec<Vec<f64>>,
}

/// What the model has learnt of one outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeExplanation {
    /// How much of its variance over the space each parameter makes.
    pub sensitivities: Vec<Sensitivity>,
    /// How it depends on each parameter, on the mean over all others.
    pub dependences: Vec<Dependence>,
    /// Each reading, beside what was expected of it without it.
    pub left_out: Vec<LeftOut>,
    /// The share of the readings within their intervals, of which 95 % should be.
    pub coverage: f64,
    /// The share of the readings' variance that is explained without them (below 0 where their mean would do better).
    pub skill: f64,
}

/// Shares of an outcome's variance over the space; all of it is 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// What the parameter makes by itself.
    pub first: f64,
    /// What it makes together with all others.
    pub total: f64,
}

/// An outcome along one parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dependence {
    /// The parameter's values, in its own scale.
    pub levels: Vec<f64>,
    /// The outcome, on the mean over all other parameters.
    pub mean: Vec<f64>,
    /// Where nine tenths of the functions that may be the truth begin.
    pub low: Vec<f64>,
    /// Where they end.
    pub high: Vec<f64>,
}

/// A reading, beside what was expected of it without it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its row.
    pub row: usize,
    /// What was read.
    pub value: f64,
    /// What was expected.
    pub expected: f64,
    /// The least that was expected with 95 %.
    pub low: f64,
    /// The most.
    pub high: f64,
}

/// See [`crate::Bayesian::explain`].
pub(crate) fn explain(problem: &Problem, outlook: &Outlook<'_>, rows: &[Row], seed: u64) -> Explanation {
    let seed = rng::derive(seed, Stream::Paths, rows.len() as u64);
    let outcome = |studied: Studied<'_>| OutcomeExplanation::new(outlook.frame(), &studied, seed);
    let constraints = outlook.studied_constraints().into_iter().map(outcome).collect();
    let (front, reached, reference) = reached(problem, rows, outlook.reference());
    Explanation {
        objectives: outlook.studied_objectives().into_iter().map(outcome).collect(),
        constraints,
        front,
        reached,
        reference,
        past: outlook.weights(),
    }
}

impl OutcomeExplanation {
    fn new(frame: &Frame<'_>, studied: &Studied<'_>, seed: u64) -> Self {
        let readings = studied.left_out();
        let left_out = readings.iter().map(|(row, value, mean, sd)| LeftOut {
            row: *row,
            value: studied.value(*value),
            expected: studied.value(*mean),
            low: studied.value(mean - TWO_SIDED * sd),
            high: studied.value(mean + TWO_SIDED * sd),
        });
        let left_out: Vec<LeftOut> = left_out.collect();
        let inside = left_out.iter().filter(|it| (it.low..=it.high).contains(&it.value)).count();
        let count = readings.len().max(1) as f64;
        let mean = readings.iter().map(|(_, value, ..)| value).sum::<f64>() / count;
        let spread: f64 = readings.iter().map(|(_, value, ..)| (value - mean).powi(2)).sum();
        let missed: f64 = readings.iter().map(|(_, value, expected, _)| (value - expected).powi(2)).sum();
        Self {
            sensitivities: sensitivities(frame, studied, seed),
            dependences: dependences(frame, studied, seed),
            coverage: inside as f64 / count,
            skill: if spread > 0.0 { 1.0 - missed / spread } else { 0.0 },
            left_out,
        }
    }
}

/// Which share of the variance each parameter makes, all of them independent and uniform over the space.
///
/// Source: M. Jansen, "Analysis of variance designs for model output", Comput. Phys. Commun. 117 (1999).
fn sensitivities(frame: &Frame<'_>, studied: &Studied<'_>, seed: u64) -> Vec<Sensitivity> {
    let d = frame.dimension();
    let sobol = Sobol::new(2 * d, Some(rng::derive(seed, Stream::Paths, 0)));
    let value = |unit: &[f64]| studied.value(studied.mean(&frame.features(unit)));
    let (mut firsts, mut totals) = (vec![0.0; d], vec![0.0; d]);
    let mut values = Vec::new();
    for index in 0..SENSITIVITY_POINTS {
        let point = sobol.point(index);
        let half = |from: usize| frame.spread(point.get(from..from + d).unwrap_or_default());
        let (a, b) = (half(0), half(d));
        let (at_a, at_b) = (value(&a), value(&b));
        values.extend([at_a, at_b]);
        for (parameter, (first, total)) in firsts.iter_mut().zip(&mut totals).enumerate() {
            let at = value(&with(&a, parameter, b.get(parameter).copied().unwrap_or(0.0)));
            *first += (at_b - at).powi(2);
            *total += (at_a - at).powi(2);
        }
    }
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
    let share = |sum: f64| sum / (2.0 * variance * SENSITIVITY_POINTS as f64);
    let each = |(first, total): (f64, f64)| {
        if variance > 0.0 {
            Sensitivity { first: (1.0 - share(first)).clamp(0.0, 1.0), total: share(total).clamp(0.0, 1.0) }
        } else {
            Sensitivity { first: 0.0, total: 0.0 }
        }
    };
    firsts.into_iter().zip(totals).map(each).collect()
}

/// The values of a parameter that a dependence is shown at, as unit coordinates.
fn levels(parameter: &Parameter) -> Vec<f64> {
    let even = |count: usize| (0..count).map(|index| index as f64 / (count.max(2) - 1) as f64).collect::<Vec<f64>>();
    match parameter {
        Parameter::Categorical { choices } => (0..*choices).map(|choice| choice as f64).collect(),
        Parameter::Levels { values, .. } => even(values.len().min(LEVELS)),
        Parameter::Real { .. } | Parameter::Integer { .. } if parameter.is_fixed() => vec![0.0],
        Parameter::Real { .. } => even(LEVELS),
        Parameter::Integer { low, high, .. } => {
            even(usize::try_from(high - low).map_or(LEVELS, |span| (span + 1).min(LEVELS)))
        }
    }
}

/// How an outcome depends on each parameter, with bands from functions that may be the truth.
fn dependences(frame: &Frame<'_>, studied: &Studied<'_>, seed: u64) -> Vec<Dependence> {
    let sobol = Sobol::new(frame.dimension(), Some(rng::derive(seed, Stream::Paths, 1)));
    let base: Vec<Vec<f64>> = (0..DEPENDENCE_POINTS).map(|index| frame.spread(&sobol.point(index))).collect();
    let mut source = Source::new(seed, Stream::Paths, 2);
    let paths: Vec<Paths<'_>> = studied.members().iter().map(|member| Paths::new(member, &mut source)).collect();
    let each = PATHS.div_ceil(paths.len().max(1));
    let drawn: Vec<Vec<Path>> = paths.iter().map(|it| (0..each).map(|_| it.draw(&mut source)).collect()).collect();
    let along = |(index, parameter): (usize, &Parameter)| {
        let mut units: Vec<Vec<f64>> = Vec::new();
        for level in levels(parameter) {
            let unit = frame.snap(&with(&vec![0.0; frame.dimension()], index, level));
            if units.last() != Some(&unit) {
                units.push(unit);
            }
        }
        let at = |unit: &Vec<f64>| unit.get(index).copied().unwrap_or(0.0);
        let points = units.iter().flat_map(|unit| base.iter().map(move |point| with(point, index, at(unit))));
        let points: Vec<Vec<f64>> = points.map(|point| frame.features(&point)).collect();
        let mut curves: Vec<Vec<f64>> = Vec::with_capacity(PATHS);
        for (paths, drawn) in paths.iter().zip(&drawn) {
            let sites = paths.sites(&points);
            for path in drawn {
                let values: Vec<f64> = paths.values(path, &sites).into_iter().map(|it| studied.value(it)).collect();
                curves.push(values.chunks(base.len()).map(|at| at.iter().sum::<f64>() / at.len() as f64).collect());
            }
        }
        let own = units.iter().map(|unit| frame.point(unit).0.get(index).copied().unwrap_or(0.0));
        Dependence::new(own.collect(), &curves)
    };
    frame.space.parameters.iter().enumerate().map(along).collect()
}

/// A point with another value of one parameter.
fn with(point: &[f64], parameter: usize, value: f64) -> Vec<f64> {
    let mut moved = point.to_vec();
    if let Some(entry) = moved.get_mut(parameter) {
        *entry = value;
    }
    moved
}

impl Dependence {
    fn new(levels: Vec<f64>, curves: &[Vec<f64>]) -> Self {
        let (mut mean, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
        for level in 0..levels.len() {
            let mut at: Vec<f64> = curves.iter().filter_map(|curve| curve.get(level).copied()).collect();
            at.sort_by(f64::total_cmp);
            mean.push(at.iter().sum::<f64>() / at.len().max(1) as f64);
            let outside = at.len() / OUTSIDE;
            low.push(at.get(outside).copied().unwrap_or(0.0));
            high.push(at.iter().rev().nth(outside).copied().unwrap_or(0.0));
        }
        Self { levels, mean, low, high }
    }
}

/// The front by its rows, what had been reached after each row, and the point that volumes count from.
fn reached(problem: &Problem, rows: &[Row], reference: Vec<f64>) -> (Vec<usize>, Vec<Option<f64>>, Vec<f64>) {
    let read = front::readings(rows);
    let front = front::undominated(&read);
    let mut seen: Vec<Vec<f64>> = Vec::new();
    let mut last: Option<f64> = None;
    let mut trace = Vec::with_capacity(rows.len());
    for values in read {
        if let Some(values) = values {
            last = match values.as_slice() {
                [only] => Some(last.map_or(*only, |best: f64| best.max(*only))),
                _ if problem.objectives > VOLUME_OBJECTIVES => None,
                _ => {
                    seen.push(values);
                    Some(Front::new(&seen, &reference).volume())
                }
            };
        }
        trace.push(last);
    }
    (front, trace, reference)
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;

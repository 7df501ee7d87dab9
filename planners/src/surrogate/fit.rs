//! Hyperparameters from observations: the most plausible ones, and several sets drawn around them.
//!
//! One set alone is overconfident: a single lengthscale taken too long is the usual reason for a search that is stuck.
//! Sets are drawn from a normal approximation at the mode and resampled by importance (Rubin's sampling importance
//! resampling, 1987), with the weights truncated after Ionides, J. Comput. Graph. Stat. 17 (2008).

use ndarray::{Array2, ArrayView1};

use super::dense::eigen;
use super::learned::Normal;
use super::likelihood::{self, Data, Hyper};
use crate::memo::ExactMemo;
use crate::normal::ln_sum_exp;
use crate::optimise;
use crate::part::{Part, Without};
use crate::rng::Source;

/// How many sets of hyperparameters are averaged over, for up to [`SETS_ROWS`] rows.
const SETS: usize = 8;
/// Beyond so many rows there are fewer sets: the more is known, the less they differ, and the more each one costs.
const SETS_ROWS: usize = 100;
/// How many sets are drawn for each that is kept.
const DRAWS_EACH: usize = 8;
/// How many are drawn at least.
const DRAWS_MIN: usize = 32;
/// Steps of one climb to the mode.
const STEPS: u64 = 60;
/// The step of the differences that the curvature at the mode is taken from.
const DIFFERENCE: f64 = 1e-3;
/// The least curvature believed: draws lie within a few of these standard deviations, 3 in each logarithm.
const CURVATURE_MIN: f64 = 1.0 / 9.0;

/// How many sets of hyperparameters are averaged over with so many rows.
pub(crate) fn count(rows: usize) -> usize {
    (SETS * SETS_ROWS / rows.max(1)).clamp(1, SETS)
}

/// What is known of the hyperparameters: with noise to be found, or with exact readings.
#[derive(Clone, Copy)]
struct Posterior<'a> {
    data: &'a Data,
    exact: bool,
}

impl Posterior<'_> {
    /// How many hyperparameters are free: the noise is the last one.
    fn dimension(&self) -> usize {
        self.data.parameters + if self.exact { 1 } else { 2 }
    }

    fn hyper(&self, theta: &[f64]) -> Hyper {
        let mut theta = theta.to_vec();
        if self.exact {
            theta.push(likelihood::ln_exact());
        }
        Hyper(theta)
    }

    fn theta(&self, hyper: &Hyper) -> Vec<f64> {
        hyper.0.get(..self.dimension()).unwrap_or_default().to_vec()
    }

    fn bounds(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut lower, mut upper) = likelihood::bounds(self.data.parameters);
        lower.truncate(self.dimension());
        upper.truncate(self.dimension());
        (lower, upper)
    }

    fn density_gradient(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let (value, mut gradient) = likelihood::density_gradient(self.data, &self.hyper(theta));
        gradient.truncate(self.dimension());
        (value, gradient)
    }

    /// The best hyperparameters within so many steps, and their density.
    fn climb(&self, start: &Hyper, steps: u64) -> Option<(Hyper, f64)> {
        let (lower, upper) = self.bounds();
        let density = |theta: &[f64]| self.density_gradient(theta);
        let found = optimise::maximise(&density, &self.theta(start), &lower, &upper, steps);
        found.map(|(theta, value)| (self.hyper(&theta), value))
    }

    /// The negated second derivatives of the density, by differences of its gradient.
    fn curvature(&self, mode: &Hyper) -> Option<Array2<f64>> {
        let mode = self.theta(mode);
        let n = mode.len();
        let (density, here) = self.density_gradient(&mode);
        if !density.is_finite() {
            return None;
        }
        let mut matrix = Array2::zeros((n, n));
        for (i, mut column) in matrix.columns_mut().into_iter().enumerate() {
            let theta = mode.iter().enumerate().map(|(j, value)| if i == j { value + DIFFERENCE } else { *value });
            let (density, beside) = self.density_gradient(&theta.collect::<Vec<f64>>());
            if !density.is_finite() {
                return None;
            }
            for ((entry, here), beside) in column.iter_mut().zip(&here).zip(beside) {
                *entry = (here - beside) / DIFFERENCE;
            }
        }
        Some((&matrix + &matrix.t()) * 0.5)
    }

    /// The normal density that is nearly the posterior around a mode of it.
    fn around(&self, mode: &Hyper) -> Option<Around> {
        let (curvatures, directions) = self.curvature(mode).and_then(|matrix| eigen(&matrix))?;
        let spread = curvatures.iter().map(|value| 1.0 / value.max(CURVATURE_MIN).sqrt()).collect();
        Some(Around { mode: self.theta(mode), directions, spread })
    }

    /// So many sets of hyperparameters, distributed as the observations and the priors have it, nearly: it is as likely as not
    /// beforehand that outcomes turn within a short way, and what the observations don't contradict is believed.
    ///
    /// Draws from around the modes of both beliefs are weighted as if each were from both at once (A. Owen and Y. Zhou, "Safe
    /// and effective importance sampling", J. Am. Stat. Assoc. 95 (2000)). The mode of the second one is left in `turning`, and
    /// taken from there if it is there.
    fn draw(&self, mode: &Hyper, turning: &mut Vec<f64>, count: usize, source: &mut Source) -> Vec<Hyper> {
        let alone = || vec![mode.clone(); count];
        let short = Data { short: true, ..self.data.clone() };
        let other = Posterior { data: &short, exact: self.exact };
        if turning.is_empty() {
            *turning = other.peak().map(|(mode, _)| mode.0).unwrap_or_default();
        }
        let Some(around) = self.around(mode) else { return alone() };
        let Some(turning) = other.around(&Hyper(turning.clone())) else { return alone() };
        let draw = |index: usize| {
            let theta = if index.is_multiple_of(2) { &around } else { &turning }.draw(source);
            let hyper = self.inside(&theta);
            // Draws that end on a bound have the weight of where they came from. More of them are kept than is due; they are
            // what saves a search whose other sets all agree on what is wrong.
            let drawn = ln_sum_exp([around.ln_density(&theta), turning.ln_density(&theta)].into_iter());
            let density = likelihood::density(self.data, &hyper);
            let turned = density + likelihood::ln_shorter(self.data, &short, &hyper);
            (hyper, ln_sum_exp([density, turned].into_iter()) - drawn)
        };
        let draws: Vec<(Hyper, f64)> = (0..DRAWS_MIN.max(DRAWS_EACH * count)).map(draw).collect();
        resample(&draws, count, source.unit()).unwrap_or_else(alone)
    }

    /// The best hyperparameters, from where the priors have them, and their density.
    fn peak(&self) -> Option<(Hyper, f64)> {
        let start = Hyper(likelihood::priors(self.data).iter().map(|(mean, _)| *mean).collect());
        self.climb(&start, STEPS)
    }

    /// Hyperparameters within their bounds.
    fn inside(&self, theta: &[f64]) -> Hyper {
        let (lower, upper) = self.bounds();
        let inside = theta.iter().zip(lower.iter().zip(&upper)).map(|(value, (low, high))| value.clamp(*low, *high));
        self.hyper(&inside.collect::<Vec<f64>>())
    }
}

/// A normal density of hyperparameters.
struct Around {
    mode: Vec<f64>,
    /// Orthogonal directions, one a column, and the standard deviation along each.
    directions: Array2<f64>,
    spread: Vec<f64>,
}

impl Around {
    fn draw(&self, source: &mut Source) -> Vec<f64> {
        let steps: Vec<f64> = self.spread.iter().map(|sd| sd * source.normal()).collect();
        let moved = self.directions.rows().into_iter().zip(&self.mode);
        moved.map(|(row, mode)| mode + row.iter().zip(&steps).map(|(v, step)| v * step).sum::<f64>()).collect()
    }

    /// But for a constant that is the same for all.
    fn ln_density(&self, theta: &[f64]) -> f64 {
        let along = self.directions.columns().into_iter().zip(&self.spread);
        along
            .map(|(direction, sd)| {
                let from = theta.iter().zip(&self.mode).map(|(x, mode)| x - mode);
                let z = direction.iter().zip(from).map(|(v, from)| v * from).sum::<f64>() / sd;
                -0.5 * z * z - libm::log(*sd)
            })
            .sum()
    }
}

/// The most plausible hyperparameters, looked for from `warm`, if given, and from short lengthscales.
pub(crate) fn mode(data: &Data, warm: Option<&Hyper>) -> Hyper {
    let posterior = Posterior { data, exact: false };
    let short = Hyper::short(data.parameters);
    let told = data.learned.as_ref().map(|learned| {
        let mut told = Hyper::modes(data.parameters);
        learned.over(&mut told.0);
        told
    });
    let starts = warm.filter(|warm| warm.0.len() == short.0.len()).into_iter().chain([&short]).chain(&told);
    let climbs = starts.filter_map(|start| posterior.climb(start, STEPS));
    let best = climbs.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or_else(|| Hyper::modes(data.parameters), |(hyper, _)| hyper)
}

/// The best hyperparameters if outcomes turn within a short way, and their density.
pub(crate) fn turning(data: &Data) -> Option<(Hyper, f64)> {
    Posterior { data: &Data { short: true, ..data.clone() }, exact: false }.peak()
}

/// A short climb from hyperparameters that are nearly right; with the density it comes to.
pub(crate) fn refine(data: &Data, start: &Hyper, steps: u64) -> Option<(Hyper, f64)> {
    Posterior { data, exact: false }.climb(start, steps)
}

/// The logarithm of each lengthscale at the mode, and how well it is known; nothing where that can't be told.
pub(crate) fn knows(data: &Data, mode: &Hyper) -> Vec<Normal> {
    let posterior = Posterior { data, exact: mode.ln_noise() <= likelihood::ln_exact() };
    let Some(around) = posterior.around(mode) else { return Vec::new() };
    let sd =
        |row: ArrayView1<'_, f64>| row.iter().zip(&around.spread).map(|(v, sd)| v * v * sd * sd).sum::<f64>().sqrt();
    mode.ln_lengthscales().iter().copied().zip(around.directions.rows().into_iter().map(sd)).collect()
}

/// So many sets of hyperparameters: as many with exact readings as that is plausible beside noise.
pub(crate) fn sets(
    data: &Data,
    (mode, turning): (&Hyper, &mut Vec<f64>),
    exact: Option<&mut ExactMemo>,
    count: usize,
    without: Without,
    source: &mut Source,
) -> Vec<Hyper> {
    if count == 1 || !without.has(Part::Sets) {
        let sharp = exact.filter(|exact| exact.probability > 0.5).map(|exact| Hyper(exact.theta.clone()));
        return vec![sharp.unwrap_or_else(|| mode.clone()); count];
    }
    let share = exact.as_ref().map_or(0.0, |exact| exact.probability);
    let sharps = (0..count).filter(|index| (*index as f64 + 0.5) < share * count as f64).count();
    let mut sets = Vec::with_capacity(count);
    if let Some(exact) = exact.filter(|_| sharps > 0) {
        let mode = Hyper(exact.theta.clone());
        sets = Posterior { data, exact: true }.draw(&mode, &mut exact.turning, sharps, source);
    }
    if sharps < count {
        sets.extend(Posterior { data, exact: false }.draw(mode, turning, count - sharps, source));
    }
    sets
}

/// The best hyperparameters with exact readings, and the probability that readings are exact, even odds beforehand; `None`
/// where readings state their noise.
///
/// The evidence of the two, not the density at their modes: noise has a hyperparameter more, over which it is integrated by
/// Laplace's approximation. (The rest of the hyperparameters is taken to be known as well under one as under the other.)
pub(crate) fn exactness(data: &Data, mode: &Hyper) -> Option<ExactMemo> {
    let (noisy, exact) = (Posterior { data, exact: false }, Posterior { data, exact: true });
    if data.known.iter().any(|variance| *variance > 0.0) {
        return None;
    }
    let last = noisy.dimension() - 1;
    let (above, below) = (beside(mode, last, DIFFERENCE), beside(mode, last, -DIFFERENCE));
    let slope = |hyper: &Hyper| noisy.density_gradient(&hyper.0).1.last().copied().unwrap_or(0.0);
    let curvature = (slope(&below) - slope(&above)) / (2.0 * DIFFERENCE);
    let spread = likelihood::NOISE.1;
    let with_noise =
        likelihood::density(data, mode) - libm::log(spread) - 0.5 * libm::log(curvature.max(1.0 / (spread * spread)));
    let (sharp, without) = exact.climb(mode, STEPS)?;
    let probability = 1.0 / (1.0 + libm::exp(with_noise - without));
    probability.is_finite().then_some(ExactMemo { probability, theta: sharp.0, turning: Vec::new() })
}

fn beside(hyper: &Hyper, index: usize, step: f64) -> Hyper {
    let mut moved = hyper.clone();
    if let Some(entry) = moved.0.get_mut(index) {
        *entry += step;
    }
    moved
}

/// Draws `count` of weighted draws, evenly spaced along their cumulated weights from `offset` in `[0, 1)`.
fn resample(draws: &[(Hyper, f64)], wanted: usize, offset: f64) -> Option<Vec<Hyper>> {
    let top = draws.iter().map(|(_, excess)| *excess).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = draws.iter().map(|(_, excess)| libm::exp(excess - top)).collect();
    let count = draws.len() as f64;
    // No draw weighs more than the mean weight times the root of their number.
    let most = weights.iter().sum::<f64>() / count.sqrt();
    let weights: Vec<f64> = weights.iter().map(|weight| weight.min(most)).collect();
    let total: f64 = weights.iter().sum();
    if !total.is_finite() || total <= 0.0 {
        return None;
    }
    let mut kept = Vec::with_capacity(wanted);
    let mut cumulated = 0.0;
    for ((hyper, _), weight) in draws.iter().zip(weights) {
        cumulated += weight / total * wanted as f64;
        while kept.len() < wanted && (kept.len() as f64 + offset) < cumulated {
            kept.push(hyper.clone());
        }
    }
    let last = draws.last().map(|(hyper, _)| hyper.clone())?;
    kept.resize(wanted, last);
    Some(kept)
}

//! Hyperparameters from observations: the most plausible ones, and several sets drawn around them.
//!
//! One set alone is overconfident: a single lengthscale taken too long is the usual reason for a search that is stuck.
//! Sets are drawn from a normal approximation at the mode and resampled by importance (Rubin's sampling importance
//! resampling, 1987), with the weights truncated after Ionides, J. Comput. Graph. Stat. 17 (2008).

use ndarray::Array2;

use super::dense::{dot, eigen};
use super::likelihood::{self, Data, Hyper};
use crate::optimise;
use crate::rng::Source;

/// How many sets of hyperparameters are averaged over.
pub(crate) const SETS: usize = 8;
/// How many sets are drawn for the ones that are kept.
const DRAWS: usize = 32;
/// Steps of one climb to the mode.
const STEPS: u64 = 60;
/// The step of the differences that the curvature at the mode is taken from.
const DIFFERENCE: f64 = 1e-3;
/// The least curvature believed: draws lie within a few of these standard deviations, 3 in each logarithm.
const CURVATURE_MIN: f64 = 1.0 / 9.0;

/// The most plausible hyperparameters, looked for from `warm`, if given, and from short lengthscales.
pub(crate) fn mode(data: &Data, warm: Option<&Hyper>) -> Hyper {
    let (lower, upper) = likelihood::bounds(data.parameters);
    let density = |theta: &[f64]| likelihood::density_gradient(data, &Hyper(theta.to_vec()));
    let short = Hyper::short(data.parameters);
    let starts = warm.filter(|warm| warm.0.len() == short.0.len()).into_iter().chain([&short]);
    let climbs = starts.filter_map(|start| optimise::maximise(&density, &start.0, &lower, &upper, STEPS));
    let best = climbs.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or_else(|| Hyper::modes(data.parameters), |(theta, _)| Hyper(theta))
}

/// A short climb from hyperparameters that are nearly right; with the density it comes to.
pub(crate) fn refine(data: &Data, start: &Hyper, steps: u64) -> Option<(Hyper, f64)> {
    let (lower, upper) = likelihood::bounds(data.parameters);
    let density = |theta: &[f64]| likelihood::density_gradient(data, &Hyper(theta.to_vec()));
    optimise::maximise(&density, &start.0, &lower, &upper, steps).map(|(theta, value)| (Hyper(theta), value))
}

/// [`SETS`] sets of hyperparameters, distributed as the observations and the priors have it, nearly.
pub(crate) fn sets(data: &Data, mode: &Hyper, source: &mut Source) -> Vec<Hyper> {
    let alone = || vec![mode.clone(); SETS];
    let Some((spread, directions)) = curvature(data, mode).and_then(|matrix| eigen(&matrix)) else {
        return alone();
    };
    if crate::tune::t("sets", 8.0) < 2.0 { return alone(); }
    let (lower, upper) = likelihood::bounds(data.parameters);
    let spread: Vec<f64> = spread.iter().map(|value| 1.0 / value.max(CURVATURE_MIN).sqrt()).collect();
    let draw = |_| {
        let normals: Vec<f64> = spread.iter().map(|_| source.normal()).collect();
        let steps: Vec<f64> = normals.iter().zip(&spread).map(|(z, sd)| z * sd).collect();
        let moved = directions.rows().into_iter().zip(&mode.0);
        let moved = moved.map(|(row, centre)| centre + row.iter().zip(&steps).map(|(v, step)| v * step).sum::<f64>());
        let inside = moved.zip(lower.iter().zip(&upper)).map(|(value, (low, high))| value.clamp(*low, *high));
        let hyper = Hyper(inside.collect());
        let excess = likelihood::density(data, &hyper) + 0.5 * dot(&normals, &normals);
        (hyper, excess)
    };
    let draws: Vec<(Hyper, f64)> = (0..DRAWS).map(draw).collect();
    resample(&draws, source.unit()).unwrap_or_else(alone)
}

/// The negated second derivatives of the density at the mode, by differences of its gradient.
fn curvature(data: &Data, mode: &Hyper) -> Option<Array2<f64>> {
    let n = mode.0.len();
    let mut matrix = Array2::zeros((n, n));
    for (i, mut column) in matrix.columns_mut().into_iter().enumerate() {
        let beside = |step: f64| {
            let theta = mode.0.iter().enumerate().map(|(j, value)| if i == j { value + step } else { *value });
            likelihood::density_gradient(data, &Hyper(theta.collect()))
        };
        let (above, below) = (beside(DIFFERENCE), beside(-DIFFERENCE));
        if !above.0.is_finite() || !below.0.is_finite() {
            return None;
        }
        for ((entry, above), below) in column.iter_mut().zip(above.1).zip(below.1) {
            *entry = (below - above) / (2.0 * DIFFERENCE);
        }
    }
    Some((&matrix + &matrix.t()) * 0.5)
}

/// Draws [`SETS`] of weighted draws, evenly spaced along their cumulated weights from `offset` in `[0, 1)`.
fn resample(draws: &[(Hyper, f64)], offset: f64) -> Option<Vec<Hyper>> {
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
    let mut kept = Vec::with_capacity(SETS);
    let mut cumulated = 0.0;
    for ((hyper, _), weight) in draws.iter().zip(weights) {
        cumulated += weight / total * SETS as f64;
        while kept.len() < SETS && (kept.len() as f64 + offset) < cumulated {
            kept.push(hyper.clone());
        }
    }
    let last = draws.last().map(|(hyper, _)| hyper.clone())?;
    kept.resize(SETS, last);
    Some(kept)
}

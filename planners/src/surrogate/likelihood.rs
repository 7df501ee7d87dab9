//! How plausible hyperparameters are: the marginal likelihood of the observations times the priors, with gradients.
//!
//! Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 5.4; the lengthscales' prior
//! grows with the dimension after Hvarfner et al., "Vanilla Bayesian optimization performs great in high dimensions",
//! ICML 2024.

use std::sync::Arc;

use ndarray::Array2;

use super::dense::{self, Factor, dot};
use super::kernel::Kernel;
use super::learned::{Learned, Normal};
use super::prior::Prior;

/// The least and the greatest lengthscale, in units of the unit cube.
const LENGTHSCALES: (f64, f64) = (0.025, 1000.0);
/// The least and the greatest signal variance, in standardised outcomes.
const SIGNALS: (f64, f64) = (0.01, 100.0);
/// The least and the greatest noise variance, in standardised outcomes. The least one keeps the matrix definite.
const NOISES: (f64, f64) = (1e-7, 10.0);
/// The noise variance of exact readings: what keeps the matrix definite.
const EXACT: f64 = 1e-8;
/// The standard deviation of the logarithm of a lengthscale: the root of 3.
const LENGTHSCALE_SPREAD: f64 = 1.732_050_807_568_877_2;
/// The same for outcomes that turn within a short way: the median of a lengthscale, for each root of the number of parameters, and
/// the standard deviation of its logarithm among up to [`UNLIKE`] parameters.
const SHORT: (f64, f64) = (0.25, 0.75);
/// Among more parameters the squared deviations of all of them together are as among so many. If each deviated as much as in a few
/// parameters, some of many would always be so short that no two points had anything to do with each other.
const UNLIKE: f64 = 6.0;
/// The mean and the standard deviation of the logarithm of their signal variance: readings that were taken where it is good lie
/// closer together than the whole.
const SHORT_SIGNAL: (f64, f64) = (0.7, 1.0);
/// The standard deviation of the logarithm of the signal variance around 0.
const SIGNAL_SPREAD: f64 = 0.5;
/// The mean and the standard deviation of the logarithm of the noise variance: wide, so that a noiseless outcome is
/// learnt as closely as one that is all noise.
pub(super) const NOISE: (f64, f64) = (-6.0, 3.0);
/// The same where every reading states its uncertainty: there is little beyond it, unless the readings say otherwise.
const NOISE_BEYOND_STATED: (f64, f64) = (-10.0, 3.0);
/// ln sqrt(2 pi).
const LN_SQRT_TAU: f64 = 0.918_938_533_204_672_8;

/// The observations of one outcome, as a model sees them.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    /// The row of each observation.
    pub(crate) numbers: Vec<usize>,
    /// The features of each observation.
    pub(crate) rows: Vec<Vec<f64>>,
    /// The outcomes, standardised.
    pub(crate) values: Vec<f64>,
    /// What is known of their noise: variances in standardised outcomes, 0 where nothing is stated.
    pub(crate) known: Vec<f64>,
    /// For each feature, the parameter it belongs to.
    pub(crate) groups: Vec<usize>,
    /// For each parameter, whether outcomes may turn along it.
    pub(crate) turns: Vec<bool>,
    /// How many parameters there are.
    pub(crate) parameters: usize,
    /// The share of the kernel that is a sum over parameters.
    pub(crate) share: f64,
    /// Whether outcomes are expected to turn within a short way, where they may turn.
    pub(crate) short: bool,
    /// What past fits tell of lengthscales, where any does.
    pub(crate) learned: Option<Arc<Learned>>,
    /// What past campaigns suggest; the values are what it leaves.
    pub(crate) prior: Option<Arc<Prior>>,
}

impl Data {
    /// What a prior mean leaves of the values.
    pub(crate) fn without(&self, prior: &Prior) -> Self {
        let left = self.values.iter().zip(&self.rows).map(|(value, row)| value - prior.mean(row));
        Self { values: left.collect(), ..self.clone() }
    }

    /// Whether outcomes are expected to turn within a short way along this parameter.
    fn is_short(&self, parameter: usize) -> bool {
        self.short && self.turns.get(parameter).is_some_and(|turns| *turns)
    }
}

/// The hyperparameters as one vector, all logarithms: the lengthscales, the signal variance, the noise variance.
///
/// The noise variance is what readings scatter by beyond the uncertainty they state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hyper(pub(crate) Vec<f64>);

impl Hyper {
    /// The modes of the priors.
    pub(crate) fn modes(parameters: usize) -> Self {
        let mut theta = vec![lengthscale_mode(parameters); parameters];
        theta.extend([0.0, NOISE.0]);
        Self(theta)
    }

    /// A start with shorter lengthscales than the prior's modes: half of the unit cube's diagonal.
    pub(crate) fn short(parameters: usize) -> Self {
        let mut theta = vec![libm::log((parameters.max(1) as f64).sqrt() / 2.0); parameters];
        theta.extend([0.0, NOISE.0]);
        Self(theta)
    }

    /// A start for sums: lengthscales by which a function of one parameter may turn within the space.
    pub(crate) fn of_sum(parameters: usize) -> Self {
        let mut theta = vec![libm::log(0.3); parameters];
        theta.extend([0.0, NOISE.0]);
        Self(theta)
    }

    pub(crate) fn ln_lengthscales(&self) -> &[f64] {
        self.0.get(..self.0.len().saturating_sub(2)).unwrap_or_default()
    }

    pub(crate) fn ln_signal(&self) -> f64 {
        self.0.iter().rev().nth(1).copied().unwrap_or(0.0)
    }

    pub(crate) fn ln_noise(&self) -> f64 {
        self.0.last().copied().unwrap_or(NOISE.0)
    }

    pub(crate) fn kernel(&self, data: &Data) -> Kernel {
        Kernel::new(self.ln_lengthscales(), &data.groups, libm::exp(self.ln_signal()), data.share)
    }
}

/// What is believed of the logarithm of a lengthscale among so many parameters.
pub(crate) fn lengthscale(parameters: usize) -> Normal {
    (lengthscale_mode(parameters), LENGTHSCALE_SPREAD)
}

/// The mode of the logarithm of a lengthscale among so many parameters.
fn lengthscale_mode(parameters: usize) -> f64 {
    std::f64::consts::SQRT_2 + 0.5 * libm::log(parameters.max(1) as f64)
}

/// The bounds of a hyperparameter vector.
pub(crate) fn bounds(parameters: usize) -> (Vec<f64>, Vec<f64>) {
    let with = |lengthscale: f64, signal: f64, noise: f64| {
        let mut bound = vec![libm::log(lengthscale); parameters];
        bound.extend([libm::log(signal), libm::log(noise)]);
        bound
    };
    (with(LENGTHSCALES.0, SIGNALS.0, NOISES.0), with(LENGTHSCALES.1, SIGNALS.1, NOISES.1))
}

/// The logarithm of [`EXACT`].
pub(crate) fn ln_exact() -> f64 {
    libm::log(EXACT)
}

/// The covariance of observations, with what its derivatives need.
pub(crate) struct Covariance {
    pub(crate) k: Array2<f64>,
    /// The slopes of the kernel.
    slope: Array2<f64>,
    /// The slopes of its sum's terms; see [`Kernel::matrices`].
    terms: Vec<Vec<f64>>,
}

/// The covariance of the observations.
pub(crate) fn covariance(data: &Data, hyper: &Hyper) -> Covariance {
    let (mut k, slope, terms) = hyper.kernel(data).matrices(&data.rows);
    for (entry, noise) in k.diag_mut().iter_mut().zip(noise(data, hyper)) {
        *entry += noise;
    }
    Covariance { k, slope, terms }
}

/// The lower triangle of the covariance of the observations: all that a factor needs.
pub(crate) fn lower(data: &Data, hyper: &Hyper) -> Array2<f64> {
    let mut k = hyper.kernel(data).lower(&data.rows);
    k.diag_mut().iter_mut().zip(noise(data, hyper)).for_each(|(entry, noise)| *entry += noise);
    k
}

/// The noise variance of each observation.
pub(crate) fn noise(data: &Data, hyper: &Hyper) -> Vec<f64> {
    let beyond = libm::exp(hyper.ln_noise());
    data.known.iter().map(|known| beyond + known).collect()
}

/// The constant mean by generalised least squares, and the whitened residuals.
pub(crate) fn residuals(data: &Data, factor: &Factor) -> (f64, Vec<f64>) {
    centred(&factor.whiten(&vec![1.0; data.values.len()]), factor.whiten(&data.values))
}

fn centred(ones: &[f64], mut whitened: Vec<f64>) -> (f64, Vec<f64>) {
    let mean = dot(ones, &whitened) / dot(ones, ones);
    whitened.iter_mut().zip(ones).for_each(|(value, one)| *value -= mean * one);
    (mean, whitened)
}

/// The logarithm of the density of hyperparameters given the observations, but for a constant; -inf where the
/// covariance can't be factorised.
pub(crate) fn density(data: &Data, hyper: &Hyper) -> f64 {
    let ones = vec![1.0; data.values.len()];
    dense::whitened(&lower(data, hyper), [&ones, &data.values]).map_or(
        f64::NEG_INFINITY,
        |(half_ln_det, [ones, whitened])| {
            let (_, whitened) = centred(&ones, whitened);
            likelihood(half_ln_det, &whitened) + prior(data, hyper).0
        },
    )
}

pub(super) fn likelihood(half_ln_det: f64, whitened: &[f64]) -> f64 {
    -0.5 * dot(whitened, whitened) - half_ln_det - whitened.len() as f64 * LN_SQRT_TAU
}

/// [`density`] with its gradient. The mean moves with the hyperparameters, but as it is at its optimum that adds
/// nothing to the gradient.
pub(crate) fn density_gradient(data: &Data, hyper: &Hyper) -> (f64, Vec<f64>) {
    let (value, gradient, _) = density_gradients(data, hyper);
    (value, gradient)
}

/// [`density_gradient`], with the gradient in the features, one row an observation, of a kernel without a sum; none where the
/// covariance can't be factorised.
pub(crate) fn density_gradients(data: &Data, hyper: &Hyper) -> (f64, Vec<f64>, Option<Array2<f64>>) {
    let Covariance { k, slope, terms } = covariance(data, hyper);
    let Some(factor) = Factor::new(&k) else {
        return (f64::NEG_INFINITY, vec![0.0; hyper.0.len()], None);
    };
    let (_, whitened) = residuals(data, &factor);
    let alpha = factor.unwhiten(&whitened);
    // a a^T - K^-1, the derivative of twice the likelihood in K.
    let mut inner = factor.inverse_matrix();
    for (mut row, a) in inner.rows_mut().into_iter().zip(&alpha) {
        row.iter_mut().zip(&alpha).for_each(|(entry, b)| *entry = a * b - *entry);
    }
    let trace = inner.diag().sum();
    let noise = libm::exp(hyper.ln_noise());
    let noise_share: f64 = inner.diag().iter().zip(&data.known).map(|(entry, known)| entry * (noise + known)).sum();
    let kernel = hyper.kernel(data);
    let signal_gradient = 0.5 * ((&inner * &k).sum() - noise_share);
    let of_sum = (data.share > 0.0).then(|| kernel.sum_gradient(&data.rows, &terms, &inner));
    inner *= &slope;
    let features = data.rows.first().map_or(0, Vec::len);
    let features = Array2::from_shape_fn((data.rows.len(), features), |(i, j)| {
        data.rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0.0)
    });
    let pulls = kernel.pulls(&features, &inner);
    let mut gradient = Kernel::lengthscale_gradient(&features, &data.groups, data.parameters, &pulls);
    gradient.iter_mut().zip(of_sum.into_iter().flatten()).for_each(|(entry, slope)| *entry += slope);
    gradient.extend([signal_gradient, 0.5 * noise * trace]);
    let (prior, slopes) = prior(data, hyper);
    gradient.iter_mut().zip(slopes).for_each(|(entry, slope)| *entry += slope);
    (likelihood(factor.half_ln_det, &whitened) + prior, gradient, Some(pulls))
}

/// What is believed of each hyperparameter beforehand, but for what past fits tell.
pub(crate) fn priors(data: &Data) -> Vec<Normal> {
    // Each term of a sum is a function of one parameter, whatever their number.
    let parameters = if data.share > 0.0 { 1 } else { data.parameters };
    let spread = SHORT.1 * (UNLIKE / data.parameters.max(1) as f64).sqrt().min(1.0);
    let short = (libm::log(SHORT.0 * (parameters.max(1) as f64).sqrt()), spread);
    let of = |place| if data.is_short(place) { short } else { lengthscale(parameters) };
    let stated = data.known.iter().all(|variance| *variance > 0.0);
    let mut priors: Vec<Normal> = (0..data.parameters).map(of).collect();
    let signal = if data.short { SHORT_SIGNAL } else { (0.0, SIGNAL_SPREAD) };
    priors.extend([signal, if stated { NOISE_BEYOND_STATED } else { NOISE }]);
    priors
}

/// The logarithm of the density of each hyperparameter beforehand, but for the normal one's constant, with its slope.
fn beliefs(data: &Data, hyper: &Hyper) -> Vec<(f64, f64)> {
    // Exact readings are one point beside the density of all noises, and have no density of their own.
    let exact = hyper.ln_noise() <= ln_exact();
    let last = hyper.0.len().saturating_sub(1);
    // What was learnt is of kernels without a sum.
    let learned = data.learned.as_ref().filter(|_| data.share == 0.0);
    let belief = |(place, (value, (mean, sd))): (usize, (&f64, Normal))| {
        if exact && place == last {
            return (0.0, 0.0);
        }
        match learned.filter(|_| !data.is_short(place)) {
            Some(learned) => learned.ln_density(place, *value, (mean, sd)),
            None => (-0.5 * (value - mean) * (value - mean) / (sd * sd), -(value - mean) / (sd * sd)),
        }
    };
    hyper.0.iter().zip(priors(data)).enumerate().map(belief).collect()
}

/// The logarithm of how much denser lengthscales and signal are beforehand where outcomes are expected to turn within a short way.
pub(crate) fn ln_shorter(data: &Data, short: &Data, hyper: &Hyper) -> f64 {
    let each = |data: &Data| {
        let pairs = beliefs(data, hyper).into_iter().zip(priors(data));
        pairs.map(|((density, _), (_, sd))| density - libm::log(sd)).collect::<Vec<f64>>()
    };
    let but_noise = hyper.0.len().saturating_sub(1);
    each(short).into_iter().zip(each(data)).take(but_noise).map(|(short, long)| short - long).sum()
}

/// The logarithm of the prior density, but for a constant, with its gradient.
fn prior(data: &Data, hyper: &Hyper) -> (f64, Vec<f64>) {
    let (densities, slopes): (Vec<f64>, Vec<f64>) = beliefs(data, hyper).into_iter().unzip();
    (densities.iter().sum(), slopes)
}

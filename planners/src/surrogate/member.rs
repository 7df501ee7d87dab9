//! A Gaussian process with one set of hyperparameters: its posterior, and values sampled where the truth isn't known.

use super::dense::{Factor, dot};
use super::kernel::{Kernel, Values};
use super::likelihood::{self, Data, Hyper};
use super::prior::Prior;
use super::rows::Rows;
use std::sync::Arc;

/// A point whose variance, given all the rest, is below this share of the signal is known: sampling it adds nothing.
const KNOWN: f64 = 1e-6;
/// The least standard deviation, as a share of the signal's.
const SD_MIN: f64 = 1e-8;

/// A posterior given observations and, at further points, sampled true values: several samples share one factor.
///
/// Appending a noiseless row whose whitened value is a standard normal number draws that row's value from the posterior
/// and conditions on it, both at once.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    kernel: Kernel,
    rows: Rows,
    factor: Factor,
    mean: f64,
    /// The noise variance of each observation.
    noise: Vec<f64>,
    /// What was observed, less what the prior mean says.
    values: Vec<f64>,
    /// What past campaigns suggest.
    prior: Option<Arc<Prior>>,
    /// The whitened residuals of each sample.
    whitened: Vec<Vec<f64>>,
    /// The kernel's coefficients in each sample's mean.
    weights: Vec<Vec<f64>>,
}

/// What a member says of a point.
#[derive(Clone, Debug)]
pub(crate) struct Prediction {
    values: Values,
    whitened: Vec<f64>,
    /// The mean in each sample.
    pub(crate) means: Vec<f64>,
    /// The standard deviation, the same in all samples.
    pub(crate) sd: f64,
    /// Whether the standard deviation is the least one, which doesn't vary.
    floored: bool,
}

impl Member {
    /// The posterior given the observations, as so many equal samples; `None` where the covariance can't be factorised.
    pub(crate) fn new(data: &Data, hyper: &Hyper, samples: usize) -> Option<Self> {
        let factor = Factor::new(&likelihood::lower(data, hyper))?;
        let (mean, whitened) = likelihood::residuals(data, &factor);
        let weights = vec![factor.unwhiten(&whitened); samples];
        let kernel = hyper.kernel(data);
        let whitened = vec![whitened; samples];
        let (noise, values) = (likelihood::noise(data, hyper), data.values.clone());
        let prior = data.prior.clone();
        Some(Self { kernel, rows: Rows::new(&data.rows), factor, mean, noise, values, prior, whitened, weights })
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The mean far from all observations, at a point.
    pub(crate) fn mean(&self, point: &[f64]) -> f64 {
        self.mean + self.prior.as_ref().map_or(0.0, |prior| prior.mean(point))
    }

    /// Its gradient in the point's features; `None` where it is constant.
    pub(crate) fn mean_gradient(&self, point: &[f64]) -> Option<Vec<f64>> {
        self.prior.as_ref().map(|prior| prior.gradient(point))
    }

    /// The noise variance of each observation.
    pub(crate) fn noise(&self) -> &[f64] {
        &self.noise
    }

    /// What was observed.
    pub(crate) fn values(&self) -> Vec<f64> {
        let suggested = |row: &Vec<f64>| self.prior.as_ref().map_or(0.0, |prior| prior.mean(row));
        self.values.iter().zip(self.rows.iter()).map(|(value, row)| value + suggested(row)).collect()
    }

    /// The mean at a point, in the first sample.
    pub(crate) fn expected(&self, point: &[f64]) -> f64 {
        self.mean(point) + dot(self.weights(), &self.kernel.values(&self.rows, point).k)
    }

    /// The share of the variance at a point that a reading at another one would take away.
    pub(crate) fn tells(&self, reading: &[f64], of: &[f64]) -> f64 {
        let whitened = |point: &[f64]| self.factor.whiten(&self.kernel.values(&self.rows, point).k);
        let (a, b) = (whitened(reading), whitened(of));
        let between = self.kernel.between(of, reading);
        let covariance = between - dot(&a, &b);
        let variance = |w: &[f64]| (self.kernel.signal - dot(w, w)).max(SD_MIN * SD_MIN * self.kernel.signal);
        let noise = self.noise_at(reading);
        (covariance * covariance / ((variance(&a) + noise) * variance(&b))).clamp(0.0, 1.0)
    }

    /// The noise variance of the observation that is the nearest to a point by the kernel.
    pub(crate) fn noise_at(&self, point: &[f64]) -> f64 {
        let near = self.kernel.values(&self.rows, point).k.into_iter().zip(&self.noise);
        near.reduce(|best, next| if next.0 > best.0 { next } else { best }).map_or(0.0, |(_, noise)| *noise)
    }

    /// The kernel's coefficients in the first sample's mean.
    pub(crate) fn weights(&self) -> &[f64] {
        self.weights.first().map_or(&[], Vec::as_slice)
    }

    /// The inverse of the observations' covariance times a vector.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        self.factor.unwhiten(&self.factor.whiten(b))
    }

    /// What would be expected of each observation's reading without it: mean and standard deviation, the noise included.
    /// Only before anything is sampled.
    ///
    /// Exact, in closed form, the constant mean estimated anew each time. Source: S. Sundararajan and S. Keerthi,
    /// "Predictive approaches for choosing hyperparameters in Gaussian processes", Neural Comput. 13 (2001).
    pub(crate) fn left_out(&self) -> Vec<(f64, f64)> {
        let n = self.values.len();
        let ones = self.factor.whiten(&vec![1.0; n]);
        let spread = dot(&ones, &ones);
        let ones = self.factor.unwhiten(&ones);
        let each = |(index, (value, weight)): (usize, (&f64, &f64))| {
            let mut unit = vec![0.0; n];
            if let Some(entry) = unit.get_mut(index) {
                *entry = 1.0;
            }
            let whitened = self.factor.whiten(&unit);
            let precision = dot(&whitened, &whitened);
            let one = ones.get(index).copied().unwrap_or(0.0);
            (value - weight / (precision - one * one / spread), 1.0 / precision.sqrt())
        };
        self.values().iter().zip(self.weights()).enumerate().map(each).collect()
    }

    pub(crate) fn predict(&self, point: &[f64]) -> Prediction {
        let values = self.kernel.values(&self.rows, point);
        let whitened = self.factor.whiten(&values.k);
        self.prediction(point, values, whitened)
    }

    /// [`Member::predict`] of each point: less work than one after another.
    pub(crate) fn predict_each(&self, points: &[Vec<f64>]) -> Vec<Prediction> {
        let values: Vec<Values> = points.iter().map(|point| self.kernel.values(&self.rows, point)).collect();
        let whitened = self.factor.whiten_each(values.iter().map(|values| values.k.as_slice()));
        let each = points.iter().zip(values).zip(whitened);
        each.map(|((point, values), whitened)| self.prediction(point, values, whitened)).collect()
    }

    fn prediction(&self, point: &[f64], values: Values, whitened: Vec<f64>) -> Prediction {
        let mean = self.mean(point);
        let means = self.weights.iter().map(|weights| mean + dot(weights, &values.k)).collect();
        let variance = self.kernel.signal - dot(&whitened, &whitened);
        let least = SD_MIN * self.kernel.signal.sqrt();
        let sd = variance.max(0.0).sqrt().max(least);
        Prediction { values, whitened, means, sd, floored: sd <= least }
    }

    /// The gradient in the point's features of `sum_s means_s * by_mean_s + sd * by_sd`.
    pub(crate) fn gradient(&self, point: &[f64], at: &Prediction, by_mean: &[f64], by_sd: f64) -> Vec<f64> {
        let mut coefficients = if at.floored { vec![0.0; self.rows.len()] } else { self.factor.unwhiten(&at.whitened) };
        // d sd = d variance / (2 sd), and d variance = -2 (K^-1 k)^T dk.
        coefficients.iter_mut().for_each(|coefficient| *coefficient *= -by_sd / at.sd);
        for (weights, by_mean) in self.weights.iter().zip(by_mean) {
            super::dense::add_scaled(&mut coefficients, *by_mean, weights);
        }
        let mut gradient = self.kernel.gradient(&self.rows, point, &at.values, &coefficients);
        if let Some(slope) = self.mean_gradient(point) {
            super::dense::add_scaled(&mut gradient, by_mean.iter().sum(), &slope);
        }
        gradient
    }

    /// The gradient in the point's features of [`Member::expected`].
    pub(crate) fn expected_gradient(&self, point: &[f64]) -> Vec<f64> {
        let values = self.kernel.values(&self.rows, point);
        let mut gradient = self.kernel.gradient(&self.rows, point, &values, self.weights());
        if let Some(slope) = self.mean_gradient(point) {
            super::dense::add_scaled(&mut gradient, 1.0, &slope);
        }
        gradient
    }

    /// How much of the kernel around a point lies within the space, in logarithms beside the most of any point, and the
    /// gradient of that in the point's features; only those that are `numeric` have edges.
    pub(crate) fn inside(&self, point: &[f64], numeric: &[bool]) -> (f64, Vec<f64>) {
        self.kernel.inside(point, numeric)
    }

    /// The share of the prior variance that is left at a point.
    pub(crate) fn unknown(&self, at: &Prediction) -> f64 {
        at.sd * at.sd / self.kernel.signal
    }

    /// Draws the true value at a point in every sample, by one standard normal number each, and conditions on it.
    ///
    /// Returns whether it did: a point that is known already is left out, as its row would make the factor singular.
    pub(crate) fn sample(&mut self, point: &[f64], normals: &[f64]) -> bool {
        let k = self.kernel.values(&self.rows, point).k;
        let whitened = self.factor.whiten(&k);
        let variance = self.kernel.signal - dot(&whitened, &whitened);
        if variance.is_nan() || variance < KNOWN * self.kernel.signal {
            return false;
        }
        self.factor.append(&whitened, variance);
        self.rows.push(point);
        for ((whitened, weights), normal) in self.whitened.iter_mut().zip(&mut self.weights).zip(normals) {
            whitened.push(*normal);
            *weights = self.factor.unwhiten(whitened);
        }
        true
    }
}

//! The Matern-5/2 kernel with one lengthscale a parameter.
//!
//! Source: C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, equation 4.17.

use ndarray::Array2;

use super::dense::add_scaled;
use crate::normal::{cumulative, density};

/// sqrt 5.
const SQRT_5: f64 = 2.236_067_977_499_79;

/// `signal * (1 + s + s^2/3) e^-s`, where `s = sqrt 5 r` and r is the distance of features over their lengthscales.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// The reciprocal of the lengthscale, one a feature.
    reciprocals: Vec<f64>,
    /// The prior variance.
    pub(crate) signal: f64,
}

/// A kernel's values between one point and many, with what their derivatives need.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    /// `k(x_i, x)`.
    pub(crate) k: Vec<f64>,
    /// `-(dk / d(r^2)) * 2` at each: `signal (5/3) (1 + s) e^-s`.
    pub(crate) slope: Vec<f64>,
}

impl Kernel {
    /// From the logarithms of the lengthscales (one a parameter), those parameters' features, and the signal variance.
    pub(crate) fn new(ln_lengthscales: &[f64], groups: &[usize], signal: f64) -> Self {
        let reciprocal = |group: &usize| libm::exp(-ln_lengthscales.get(*group).copied().unwrap_or(0.0));
        Self { reciprocals: groups.iter().map(reciprocal).collect(), signal }
    }

    /// How much of a normal density as wide as the kernel, centred at a point, lies within the unit cube: in logarithms
    /// beside the most that any point has, with the gradient. Only `numeric` features have edges.
    pub(crate) fn inside(&self, point: &[f64], numeric: &[bool]) -> (f64, Vec<f64>) {
        let mut total = 0.0;
        let each = |((x, reciprocal), numeric): ((&f64, &f64), &bool)| {
            if !numeric {
                return 0.0;
            }
            let x = x.clamp(0.0, 1.0);
            let (low, high) = (x * reciprocal, (1.0 - x) * reciprocal);
            let mass = 1.0 - cumulative(-low) - cumulative(-high);
            let most = 1.0 - 2.0 * cumulative(-0.5 * reciprocal);
            total += libm::log(mass / most);
            (density(low) - density(high)) * reciprocal / mass
        };
        let gradient = point.iter().zip(&self.reciprocals).zip(numeric).map(each).collect();
        (total, gradient)
    }

    fn distance2(&self, a: &[f64], b: &[f64]) -> f64 {
        let each = |((a, b), reciprocal): ((&f64, &f64), &f64)| {
            let scaled = (a - b) * reciprocal;
            scaled * scaled
        };
        a.iter().zip(b).zip(&self.reciprocals).map(each).sum()
    }

    /// The value and the slope (see [`Values`]) at a squared distance.
    fn at(&self, distance2: f64) -> (f64, f64) {
        let s = SQRT_5 * distance2.sqrt();
        let decay = self.signal * libm::exp(-s);
        ((1.0 + s + s * s / 3.0) * decay, 5.0 / 3.0 * (1.0 + s) * decay)
    }

    /// The values between a point and rows of features.
    pub(crate) fn values(&self, rows: &[Vec<f64>], point: &[f64]) -> Values {
        let (k, slope) = rows.iter().map(|row| self.at(self.distance2(row, point))).unzip();
        Values { k, slope }
    }

    /// The matrices of values and slopes among rows of features.
    pub(crate) fn matrices(&self, rows: &[Vec<f64>]) -> (Array2<f64>, Array2<f64>) {
        let n = rows.len();
        let mut k = Array2::zeros((n, n));
        let mut slope = Array2::zeros((n, n));
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate().take(i + 1) {
                let (value, rate) = self.at(self.distance2(a, b));
                for at in [(i, j), (j, i)] {
                    if let (Some(k), Some(slope)) = (k.get_mut(at), slope.get_mut(at)) {
                        (*k, *slope) = (value, rate);
                    }
                }
            }
        }
        (k, slope)
    }

    /// The gradient in the point's features of `sum_i coefficients_i k(x_i, point)`.
    pub(crate) fn gradient(&self, rows: &[Vec<f64>], point: &[f64], slope: &[f64], coefficients: &[f64]) -> Vec<f64> {
        let mut total = 0.0;
        let mut centre = vec![0.0; point.len()];
        for ((row, slope), coefficient) in rows.iter().zip(slope).zip(coefficients) {
            total += coefficient * slope;
            add_scaled(&mut centre, coefficient * slope, row);
        }
        let each = |((x, centre), reciprocal): ((&f64, f64), &f64)| (centre - x * total) * reciprocal * reciprocal;
        point.iter().zip(centre).zip(&self.reciprocals).map(each).collect()
    }

    /// The gradients in the logarithms of the lengthscales of `1/2 sum_ij weights_ij k(x_i, x_j)`, where `weighted` is
    /// the weights times the slopes, entry by entry.
    pub(crate) fn lengthscale_gradient(
        &self,
        features: &Array2<f64>,
        groups: &[usize],
        parameters: usize,
        weighted: &Array2<f64>,
    ) -> Vec<f64> {
        // sum_ij G_ij (x_i - x_j)^2 / 2 = sum_i x_i^2 (G1)_i - sum_i x_i (GX)_i; one product for all features. The
        // features are near the unit cube, so the difference cancels nothing that matters.
        let sums = weighted.sum_axis(ndarray::Axis(1));
        let products = weighted.dot(features);
        let mut gradient = vec![0.0; parameters];
        let columns = features.columns().into_iter().zip(products.columns());
        for (((column, product), reciprocal), group) in columns.zip(&self.reciprocals).zip(groups) {
            let each = |((x, sum), product): ((&f64, &f64), &f64)| x * x * sum - x * product;
            let total: f64 = column.iter().zip(&sums).zip(product).map(each).sum();
            if let Some(entry) = gradient.get_mut(*group) {
                *entry += total * reciprocal * reciprocal;
            }
        }
        gradient
    }
}

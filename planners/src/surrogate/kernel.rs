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

    /// The reciprocal of the lengthscale, one a feature.
    pub(crate) fn reciprocals(&self) -> &[f64] {
        &self.reciprocals
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

    /// The values and the slopes (see [`Values`]) at squared distances.
    fn at(&self, distances2: &[f64]) -> Values {
        let (mut k, mut slope) = (vec![0.0; distances2.len()], vec![0.0; distances2.len()]);
        for ((distance2, k), slope) in distances2.iter().zip(&mut k).zip(&mut slope) {
            let s = SQRT_5 * distance2.sqrt();
            let decay = self.signal * exp_minus(s);
            *k = (1.0 + s + s * s / 3.0) * decay;
            *slope = 5.0 / 3.0 * (1.0 + s) * decay;
        }
        Values { k, slope }
    }

    /// The values between a point and rows of features.
    pub(crate) fn values(&self, rows: &[Vec<f64>], point: &[f64]) -> Values {
        self.at(&rows.iter().map(|row| self.distance2(row, point)).collect::<Vec<f64>>())
    }

    /// The matrices of values and slopes among rows of features.
    pub(crate) fn matrices(&self, rows: &[Vec<f64>]) -> (Array2<f64>, Array2<f64>) {
        let n = rows.len();
        let mut k = Array2::zeros((n, n));
        let mut slope = Array2::zeros((n, n));
        for (i, a) in rows.iter().enumerate() {
            let values = self.values(rows.get(..=i).unwrap_or_default(), a);
            for (j, (value, rate)) in values.k.iter().zip(&values.slope).enumerate() {
                for at in [(i, j), (j, i)] {
                    if let (Some(k), Some(slope)) = (k.get_mut(at), slope.get_mut(at)) {
                        (*k, *slope) = (*value, *rate);
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

/// `e^-x` for `x >= 0`, to the last digit or the one before.
///
/// Without a branch or a call, so that a compiler computes several at once; kernels spend half of their time here. The
/// argument is split into a whole number of ln 2, which goes into the exponent's bits, and a rest, whose series is short.
#[inline]
fn exp_minus(x: f64) -> f64 {
    /// Adding it rounds to a whole number, which the low bits then hold.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts: the first has zeros at its end, so that its multiples are exact.
    const LN_2: (f64, f64) = (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10);
    /// Beyond it nothing is left of a double.
    const LEAST: f64 = -700.0;
    /// 1/13!, 1/12!, ... 1/0!
    const SERIES: [f64; 14] = [
        1.605_904_383_682_161_5e-10,
        2.087_675_698_786_81e-9,
        2.505_210_838_544_172e-8,
        2.755_731_922_398_589e-7,
        2.755_731_922_398_589e-6,
        2.480_158_730_158_73e-5,
        1.984_126_984_126_984e-4,
        1.388_888_888_888_889e-3,
        8.333_333_333_333_333e-3,
        4.166_666_666_666_666_4e-2,
        1.666_666_666_666_666_6e-1,
        0.5,
        1.0,
        1.0,
    ];
    let x = (-x).max(LEAST);
    let rounded = x * std::f64::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let rest = (x - whole * LN_2.0) - whole * LN_2.1;
    let series = SERIES.iter().fold(0.0, |sum, term| sum * rest + term);
    series * f64::from_bits((rounded.to_bits() << 52).wrapping_add(1023 << 52))
}

#[cfg(test)]
mod tests {
    use super::exp_minus;

    #[test]
    fn the_exponential_is_right_to_the_last_digits() {
        for index in 0..200_000 {
            let x = f64::from(index) * 0.0034;
            let (found, expected) = (exp_minus(x), libm::exp(-x));
            assert!((found / expected - 1.0).abs() < 4e-16, "{x}: {found} is not {expected}");
        }
        assert!(exp_minus(1e9) < 1e-300 && exp_minus(f64::INFINITY) < 1e-300);
        assert!((exp_minus(0.0) - 1.0).abs() < f64::EPSILON);
    }
}

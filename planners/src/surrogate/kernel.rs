//! The Matern-5/2 kernel with one lengthscale a parameter.
//!
//! Source: C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, equation 4.17.

use ndarray::Array2;

use super::dense::{add_scaled, wide};
use super::rows::Rows;
use crate::normal::{cumulative, density};

/// sqrt 5.
const SQRT_5: f64 = 2.236_067_977_499_79;

/// `signal * (1 + s + s^2/3) e^-s`, where `s = sqrt 5 r` and r is the distance of features over their lengthscales; a share
/// of it may be the mean of the same in each parameter alone, for outcomes that are mostly sums of what each parameter does.
/// Then the rest is of the root mean square of the parameters' distances, so that both tell as much along the space's diagonal: by
/// the lengthscales of functions of one parameter, all points of many parameters would be far from each other, and what isn't a sum
/// would be a spike around each reading.
///
/// Source of the sum: D. Duvenaud, H. Nickisch and C. Rasmussen, "Additive Gaussian processes", NIPS 2011.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// The reciprocal of the lengthscale, one a feature.
    reciprocals: Vec<f64>,
    /// For each feature, its lengthscale.
    groups: Vec<usize>,
    /// How many lengthscales there are.
    count: usize,
    /// For each lengthscale, its features.
    members: Vec<Vec<usize>>,
    /// The share of the sum.
    share: f64,
    /// What a squared distance counts in all parameters together: with a sum one over their number, else 1.
    square_weight: f64,
    /// For each feature, the most of the kernel around a point that can lie within the unit interval.
    insides: Vec<f64>,
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
    /// The same for each term of the sum: for one term after another at each; empty without a sum.
    terms: Vec<f64>,
}

impl Kernel {
    /// From the logarithms of the lengthscales (one a parameter), those parameters' features, and the signal variance.
    pub(crate) fn new(ln_lengthscales: &[f64], groups: &[usize], signal: f64, share: f64) -> Self {
        let reciprocal = |group: &usize| libm::exp(-ln_lengthscales.get(*group).copied().unwrap_or(0.0));
        let reciprocals: Vec<f64> = groups.iter().map(reciprocal).collect();
        let insides = reciprocals.iter().map(|reciprocal| 1.0 - 2.0 * cumulative(-0.5 * reciprocal)).collect();
        let count = ln_lengthscales.len();
        let features = |group: usize| groups.iter().enumerate().filter(move |(_, it)| **it == group).map(|(at, _)| at);
        let members =
            if share > 0.0 { (0..count).map(|group| features(group).collect()).collect() } else { Vec::new() };
        let square_weight = if share > 0.0 { 1.0 / count.max(1) as f64 } else { 1.0 };
        Self { reciprocals, groups: groups.to_vec(), count, members, share, square_weight, insides, signal }
    }

    /// The share of the sum.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }

    /// What a squared distance counts in all parameters together.
    pub(crate) fn square_weight(&self) -> f64 {
        self.square_weight
    }

    /// For each feature, its lengthscale; and how many there are.
    pub(crate) fn groups(&self) -> (&[usize], usize) {
        (&self.groups, self.count)
    }

    /// Adds the sum's part of the values between a point and rows to `k`, one entry a row; gives the slopes of its terms, those
    /// of one term after another.
    #[inline(always)]
    fn sums(&self, rows: &Rows, point: &[f64], k: &mut [f64]) -> Vec<f64> {
        let scale = self.signal * self.share / self.count.max(1) as f64;
        let mut terms = vec![0.0; k.len() * self.count];
        for (features, terms) in self.members.iter().zip(terms.chunks_exact_mut(k.len().max(1))) {
            features.iter().for_each(|feature| self.add_squares(rows, *feature, point, terms));
            for (term, k) in terms.iter_mut().zip(k.iter_mut()) {
                let s = SQRT_5 * term.sqrt();
                let decay = scale * exp_minus(s);
                *k += (1.0 + s + s * s / 3.0) * decay;
                *term = 5.0 / 3.0 * (1.0 + s) * decay;
            }
        }
        terms
    }

    /// A feature of a point, and the reciprocal of its lengthscale.
    fn at_feature(&self, point: &[f64], feature: usize) -> (f64, f64) {
        (point.get(feature).copied().unwrap_or(0.0), self.reciprocals.get(feature).copied().unwrap_or(0.0))
    }

    /// The reciprocal of the lengthscale, one a feature.
    pub(crate) fn reciprocals(&self) -> &[f64] {
        &self.reciprocals
    }

    /// How much of a normal density as wide as the kernel, centred at a point, lies within the unit cube: in logarithms
    /// beside the most that any point has, with the gradient. Only `numeric` features have edges.
    pub(crate) fn inside(&self, point: &[f64], numeric: &[bool]) -> (f64, Vec<f64>) {
        let mut total = 0.0;
        let each = |(((x, reciprocal), most), numeric): (((&f64, &f64), &f64), &bool)| {
            if !numeric {
                return 0.0;
            }
            let x = x.clamp(0.0, 1.0);
            let (low, high) = (x * reciprocal, (1.0 - x) * reciprocal);
            let mass = 1.0 - cumulative(-low) - cumulative(-high);
            total += libm::log(mass / most);
            (density(low) - density(high)) * reciprocal / mass
        };
        let gradient = point.iter().zip(&self.reciprocals).zip(&self.insides).zip(numeric).map(each).collect();
        (total, gradient)
    }

    /// Adds what one feature counts in the squared distances of a point from rows, one entry a row.
    #[inline(always)]
    fn add_squares(&self, rows: &Rows, feature: usize, point: &[f64], squares: &mut [f64]) {
        let (x, reciprocal) = self.at_feature(point, feature);
        let column = rows.column(feature, squares.len());
        for (square, other) in squares.iter_mut().zip(column) {
            let scaled = (other - x) * reciprocal;
            *square += scaled * scaled;
        }
    }

    /// The values and the slopes (see [`Values`]) at squared distances.
    #[inline(always)]
    fn at(&self, distances2: &[f64]) -> Values {
        let (mut k, mut slope) = (vec![0.0; distances2.len()], vec![0.0; distances2.len()]);
        let signal = self.signal * (1.0 - self.share);
        for ((distance2, k), slope) in distances2.iter().zip(&mut k).zip(&mut slope) {
            let s = SQRT_5 * (self.square_weight * distance2).sqrt();
            let decay = signal * exp_minus(s);
            *k = (1.0 + s + s * s / 3.0) * decay;
            *slope = 5.0 / 3.0 * self.square_weight * (1.0 + s) * decay;
        }
        Values { k, slope, terms: Vec::new() }
    }

    /// The values between a point and rows of features.
    pub(crate) fn values(&self, rows: &Rows, point: &[f64]) -> Values {
        self.first_values(rows, rows.len(), point)
    }

    /// The same of the first `count` rows alone.
    fn first_values(&self, rows: &Rows, count: usize, point: &[f64]) -> Values {
        wide(
            #[inline(always)]
            || {
                let mut squares = vec![0.0; count];
                (0..point.len()).for_each(|feature| self.add_squares(rows, feature, point, &mut squares));
                let mut values = self.at(&squares);
                if self.share > 0.0 {
                    values.terms = self.sums(rows, point, &mut values.k);
                }
                values
            },
        )
    }

    /// The value between two points.
    pub(crate) fn between(&self, a: &[f64], b: &[f64]) -> f64 {
        self.values(&Rows::new(&[a.to_vec()]), b).k.first().copied().unwrap_or(0.0)
    }

    /// The matrices of values and slopes among rows of features.
    ///
    /// With a sum, also the slopes of its terms: for each row, those between it and the rows up to it.
    pub(crate) fn matrices(&self, rows: &[Vec<f64>]) -> (Array2<f64>, Array2<f64>, Vec<Vec<f64>>) {
        let n = rows.len();
        let mut terms = Vec::with_capacity(n);
        let mut k = Array2::zeros((n, n));
        let mut slope = Array2::zeros((n, n));
        let rows = Rows::new(rows);
        for (i, a) in rows.iter().enumerate() {
            let mut values = self.first_values(&rows, i + 1, a);
            terms.push(std::mem::take(&mut values.terms));
            for (matrix, values) in [(&mut k, &values.k), (&mut slope, &values.slope)] {
                matrix.row_mut(i).iter_mut().zip(values).for_each(|(entry, value)| *entry = *value);
                matrix.column_mut(i).iter_mut().zip(values).for_each(|(entry, value)| *entry = *value);
            }
        }
        (k, slope, terms)
    }

    /// The lower triangle of the matrix of values among rows of features.
    pub(crate) fn lower(&self, rows: &[Vec<f64>]) -> Array2<f64> {
        let mut k = Array2::zeros((rows.len(), rows.len()));
        let rows = Rows::new(rows);
        for (i, (a, mut row)) in rows.iter().zip(k.rows_mut()).enumerate() {
            let values = self.first_values(&rows, i + 1, a).k;
            row.iter_mut().zip(values).for_each(|(entry, value)| *entry = value);
        }
        k
    }

    /// The gradient in the point's features of `sum_i coefficients_i k(x_i, point)`.
    pub(crate) fn gradient(&self, rows: &[Vec<f64>], point: &[f64], values: &Values, coefficients: &[f64]) -> Vec<f64> {
        let mut total = 0.0;
        let mut centre = vec![0.0; point.len()];
        for ((row, slope), coefficient) in rows.iter().zip(&values.slope).zip(coefficients) {
            total += coefficient * slope;
            add_scaled(&mut centre, coefficient * slope, row);
        }
        let each = |((x, centre), reciprocal): ((&f64, f64), &f64)| (centre - x * total) * reciprocal * reciprocal;
        let mut gradient: Vec<f64> = point.iter().zip(centre).zip(&self.reciprocals).map(each).collect();
        let terms = values.terms.chunks_exact(rows.len().max(1));
        for (features, terms) in self.members.iter().zip(terms) {
            for feature in features {
                let (x, reciprocal) = self.at_feature(point, *feature);
                let pull = |((row, term), coefficient): ((&Vec<f64>, &f64), &f64)| {
                    coefficient * term * (row.get(*feature).copied().unwrap_or(0.0) - x)
                };
                let total: f64 = rows.iter().zip(terms).zip(coefficients).map(pull).sum();
                if let Some(entry) = gradient.get_mut(*feature) {
                    *entry += total * reciprocal * reciprocal;
                }
            }
        }
        gradient
    }

    /// The gradients in the logarithms of the lengthscales of the sum's part of `1/2 sum_ij weights_ij k(x_i, x_j)`.
    /// `terms` are those of [`Kernel::matrices`].
    pub(crate) fn sum_gradient(&self, rows: &[Vec<f64>], terms: &[Vec<f64>], weights: &Array2<f64>) -> Vec<f64> {
        let mut gradient = vec![0.0; self.count];
        for ((i, a), terms) in rows.iter().enumerate().zip(terms) {
            let before = rows.get(..i).unwrap_or_default();
            let terms = terms.chunks_exact(i + 1);
            for ((features, terms), entry) in self.members.iter().zip(terms).zip(&mut gradient) {
                for feature in features {
                    let (x, reciprocal) = self.at_feature(a, *feature);
                    let pull = |((j, row), term): ((usize, &Vec<f64>), &f64)| {
                        let scaled = (row.get(*feature).copied().unwrap_or(0.0) - x) * reciprocal;
                        // Once for both halves of the symmetric sum.
                        weights.get((i, j)).copied().unwrap_or(0.0) * term * scaled * scaled
                    };
                    *entry += before.iter().enumerate().zip(terms).map(pull).sum::<f64>();
                }
            }
        }
        gradient
    }

    /// The gradients in the features of `1/2 sum_ij weights_ij k(x_i, x_j)`, where `weighted` is the weights times the
    /// slopes, entry by entry. One product for all features, which are near the unit cube: the difference cancels nothing
    /// that matters.
    pub(crate) fn pulls(&self, features: &Array2<f64>, weighted: &Array2<f64>) -> Array2<f64> {
        let sums = weighted.sum_axis(ndarray::Axis(1));
        let mut pulls = weighted.dot(features);
        let columns = pulls.columns_mut().into_iter().zip(features.columns());
        for ((mut pulls, column), reciprocal) in columns.zip(&self.reciprocals) {
            for ((pull, x), sum) in pulls.iter_mut().zip(column).zip(&sums) {
                *pull = (*pull - x * sum) * reciprocal * reciprocal;
            }
        }
        pulls
    }

    /// The gradients of the same in the logarithms of the lengthscales, from those in the features: a shorter lengthscale is
    /// features that lie further apart.
    pub(crate) fn lengthscale_gradient(
        features: &Array2<f64>,
        groups: &[usize],
        parameters: usize,
        pulls: &Array2<f64>,
    ) -> Vec<f64> {
        let mut gradient = vec![0.0; parameters];
        for ((column, pulls), group) in features.columns().into_iter().zip(pulls.columns()).zip(groups) {
            if let Some(entry) = gradient.get_mut(*group) {
                *entry -= column.iter().zip(pulls).map(|(x, pull)| x * pull).sum::<f64>();
            }
        }
        gradient
    }
}

/// `e^-x` for `x >= 0`, to the last digit or the one before.
///
/// Without a branch or a call, so that a compiler computes several at once; kernels spend half of their time here. The
/// argument is split into a whole number of ln 2, which goes into the exponent's bits, and a rest, whose series is short.
#[inline(always)]
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
    use super::{Kernel, exp_minus};

    #[test]
    fn a_sum_and_the_rest_tell_as_much_along_the_diagonal() {
        let parameters = 30;
        let kernel = |share| Kernel::new(&vec![-1.0; parameters], &(0..parameters).collect::<Vec<_>>(), 2.0, share);
        let alone = Kernel::new(&[-1.0], &[0], 2.0, 0.0);
        for far in [0.01, 0.3, 1.0] {
            let expected = alone.between(&[0.0], &[far]);
            for share in [0.5, 0.9] {
                let found = kernel(share).between(&vec![0.0; parameters], &vec![far; parameters]);
                assert!((found / expected - 1.0).abs() < 1e-12, "{share}, {far}: {found} is not {expected}");
            }
        }
    }

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

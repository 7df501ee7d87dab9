//! Whole functions drawn from a posterior, so that their maxima can be looked for.
//!
//! A path is a draw from the prior, by random Fourier features, moved onto the observations by the kernel (Matheron's
//! rule). The features say nothing where the observations are; there the kernel is exact. Sources: A. Rahimi and B. Recht,
//! "Random features for large-scale kernel machines", NIPS 2007; J. Wilson et al., "Efficiently sampling functions from
//! Gaussian process posteriors", ICML 2020.

use ndarray::{Array1, Array2};

use super::dense::{add_scaled, dot};
use super::kernel::Kernel;
use super::member::Member;
use crate::rng::Source;

/// How many features a draw from the prior has.
const FEATURES: usize = 512;
/// The Matern-5/2 kernel's frequencies have a t distribution with so many degrees of freedom.
const DEGREES: usize = 5;

/// The paths of one member: they share their features.
#[derive(Debug)]
pub(crate) struct Paths<'a> {
    member: &'a Member,
    /// Frequencies, one row a feature, over the lengthscales already.
    frequencies: Array2<f64>,
    /// How much each feature counts.
    scales: Vec<f64>,
    phases: Array1<f64>,
    /// The features of the member's rows.
    rows: Array2<f64>,
}

/// One path: a function of features.
#[derive(Debug)]
pub(crate) struct Path {
    /// What each feature counts.
    weights: Array1<f64>,
    /// What the kernel to each row counts.
    update: Vec<f64>,
}

/// Points at which many paths are wanted: what they share is calculated once.
#[derive(Debug)]
pub(crate) struct Sites {
    features: Array2<f64>,
    kernels: Array2<f64>,
    means: Vec<f64>,
}

impl<'a> Paths<'a> {
    /// The paths of a member, which has one sample.
    pub(crate) fn new(member: &'a Member, source: &mut Source) -> Self {
        let kernel = member.kernel();
        let mut frequencies = Array2::zeros((FEATURES, kernel.reciprocals().len()));
        let (groups, count) = kernel.groups();
        // With a sum, half of the features are for its terms, one after the other.
        let of_sum = if kernel.share() > 0.0 { FEATURES / 2 } else { 0 };
        let mut scales = Vec::with_capacity(FEATURES);
        for (index, mut row) in frequencies.rows_mut().into_iter().enumerate() {
            let term = (index < of_sum).then_some(index % count.max(1));
            let squares: f64 = (0..DEGREES).map(|_| source.normal().powi(2)).sum();
            let spread = (DEGREES as f64 / squares).sqrt();
            for ((entry, reciprocal), group) in row.iter_mut().zip(kernel.reciprocals()).zip(groups) {
                let frequency = spread * source.normal() * reciprocal;
                *entry = match term {
                    None => frequency * kernel.square_weight().sqrt(),
                    Some(term) if term == *group => frequency,
                    Some(_) => 0.0,
                };
            }
            let (share, number) =
                if term.is_some() { (kernel.share(), of_sum) } else { (1.0 - kernel.share(), FEATURES - of_sum) };
            scales.push((2.0 * kernel.signal * share / number as f64).sqrt());
        }
        let phases = (0..FEATURES).map(|_| std::f64::consts::TAU * source.unit()).collect();
        let mut paths = Self { member, frequencies, scales, phases, rows: Array2::zeros((0, 0)) };
        paths.rows = paths.features(member.rows());
        paths
    }

    fn kernel(&self) -> &Kernel {
        self.member.kernel()
    }

    /// The angles of a point's features.
    fn angles(&self, point: &[f64]) -> Vec<f64> {
        let angle = |(row, phase): (ndarray::ArrayView1<'_, f64>, &f64)| {
            row.iter().zip(point).map(|(frequency, x)| frequency * x).sum::<f64>() + phase
        };
        self.frequencies.rows().into_iter().zip(&self.phases).map(angle).collect()
    }

    fn features(&self, points: &[Vec<f64>]) -> Array2<f64> {
        let mut features = Array2::zeros((points.len(), FEATURES));
        for (mut row, point) in features.rows_mut().into_iter().zip(points) {
            let angles = self.angles(point).into_iter().zip(&self.scales);
            row.iter_mut().zip(angles).for_each(|(entry, (angle, scale))| *entry = scale * libm::cos(angle));
        }
        features
    }

    /// What all paths share at these points.
    pub(crate) fn sites(&self, points: &[Vec<f64>]) -> Sites {
        let mut kernels = Array2::zeros((points.len(), self.member.rows().len()));
        for (mut row, point) in kernels.rows_mut().into_iter().zip(points) {
            let values = self.kernel().values(self.member.rows(), point).k;
            row.iter_mut().zip(values).for_each(|(entry, value)| *entry = value);
        }
        let means = points.iter().map(|point| self.member.mean(point)).collect();
        Sites { features: self.features(points), kernels, means }
    }

    /// Draws a path.
    pub(crate) fn draw(&self, source: &mut Source) -> Path {
        let weights: Array1<f64> = (0..FEATURES).map(|_| source.normal()).collect();
        let prior = self.rows.dot(&weights);
        // What was read is the truth and a noise of its own.
        let readings: Vec<f64> = prior
            .iter()
            .zip(self.member.noise())
            .map(|(value, variance)| value + variance.sqrt() * source.normal())
            .collect();
        let mut update = self.member.weights().to_vec();
        add_scaled(&mut update, -1.0, &self.member.solve(&readings));
        Path { weights, update }
    }

    /// A path's values at sites.
    pub(crate) fn values(&self, path: &Path, sites: &Sites) -> Vec<f64> {
        let update = ndarray::ArrayView1::from(path.update.as_slice());
        let values = sites.features.dot(&path.weights) + sites.kernels.dot(&update);
        values.iter().zip(&sites.means).map(|(value, mean)| mean + value).collect()
    }

    /// A path's value at a point, and its gradient in the features.
    pub(crate) fn value_and_gradient(&self, path: &Path, point: &[f64]) -> (f64, Vec<f64>) {
        let values = self.kernel().values(self.member.rows(), point);
        let mut gradient = self.kernel().gradient(self.member.rows(), point, &values, &path.update);
        let mut value = self.member.mean(point) + dot(&path.update, &values.k);
        if let Some(slope) = self.member.mean_gradient(point) {
            add_scaled(&mut gradient, 1.0, &slope);
        }
        let rows = self.frequencies.rows().into_iter().zip(self.angles(point)).zip(&path.weights).zip(&self.scales);
        for (((frequencies, angle), weight), scale) in rows {
            let (sine, cosine) = libm::sincos(angle);
            value += scale * weight * cosine;
            let slope = -scale * weight * sine;
            gradient.iter_mut().zip(frequencies).for_each(|(entry, frequency)| *entry += slope * frequency);
        }
        (value, gradient)
    }

    /// A path's value at a point.
    pub(crate) fn value(&self, path: &Path, point: &[f64]) -> f64 {
        let k = self.kernel().values(self.member.rows(), point).k;
        let angles = self.angles(point);
        let terms = angles.iter().zip(&path.weights).zip(&self.scales);
        let prior: f64 = terms.map(|((angle, weight), scale)| scale * weight * libm::cos(*angle)).sum();
        self.member.mean(point) + dot(&path.update, &k) + prior
    }
}

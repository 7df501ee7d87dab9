//! Parameters that act unevenly: each is bent by a map of its own where that makes the readings more plausible by far.
//!
//! Source: J. Snoek, K. Swersky, R. Zemel and R. Adams, "Input warping for Bayesian optimization of non-stationary
//! functions", ICML 2014.

use serde::{Deserialize, Serialize};

use super::fit;
use super::likelihood::{self, Data, Hyper};
use crate::optimise;

/// Bends of the parameters have to be better than none by so many nats of evidence.
pub(crate) const GAIN: f64 = 2.0;
/// The standard deviation of the logarithm of each of a bend's powers around 0.
const SPREAD: f64 = 0.75;
/// Powers are between its reciprocal and this.
const MOST: f64 = 5.0;
/// Steps of the climb to the best bends, and of the one without.
const STEPS: u64 = 40;
/// The step of the differences that the curvature is taken from.
const DIFFERENCE: f64 = 1e-3;
/// Slopes are those so far within the interval: at its ends they may be infinite.
const END: f64 = 1e-6;

/// A monotone map of the unit interval onto itself, `1 - (1 - u^a)^b` (Kumaraswamy's distribution): it stretches the ends or
/// the middle. Both powers are positive; 1 and 1 change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warp {
    /// The inner power.
    pub a: f64,
    /// The outer power.
    pub b: f64,
}

impl Warp {
    /// Changes nothing.
    pub(crate) const STRAIGHT: Self = Self { a: 1.0, b: 1.0 };

    pub(crate) fn value(self, u: f64) -> f64 {
        if self.is_straight() {
            return u;
        }
        1.0 - libm::pow(1.0 - libm::pow(u.clamp(0.0, 1.0), self.a), self.b)
    }

    /// The derivative in `u`.
    pub(crate) fn slope(self, u: f64) -> f64 {
        if self.is_straight() {
            return 1.0;
        }
        let u = u.clamp(END, 1.0 - END);
        let inner = libm::pow(u, self.a);
        self.a * self.b * inner / u * libm::pow(1.0 - inner, self.b - 1.0)
    }

    /// The derivatives in the logarithms of both powers.
    fn by_powers(self, u: f64) -> (f64, f64) {
        if u <= 0.0 || u >= 1.0 {
            return (0.0, 0.0);
        }
        let inner = libm::pow(u, self.a);
        let outer = libm::pow(1.0 - inner, self.b);
        let rest = (1.0 - inner).max(f64::MIN_POSITIVE);
        (self.b * outer / rest * inner * libm::log(u) * self.a, -outer * libm::log(rest) * self.b)
    }

    fn is_straight(self) -> bool {
        self == Self::STRAIGHT
    }
}

/// Bends of the features.
pub(crate) struct Bends {
    /// One a feature; 1 and 1 for those that are no numbers.
    pub(crate) warps: Vec<Warp>,
    /// The logarithms of the lengthscales under them.
    pub(crate) first: Vec<f64>,
    /// By how much the evidence is better.
    pub(crate) gain: f64,
}

/// The bends of the `numeric` features by which observations at straight features are the most plausible, if that is better
/// than none by far; looked for from `mode`.
///
/// Evidence, not densities: each power is integrated over by Laplace's approximation, so that those that the readings say
/// nothing of cost nothing. The other hyperparameters are taken to be known as well with bends as without.
pub(crate) fn best(straight: &Data, numeric: &[bool], mode: &Hyper) -> Option<Bends> {
    let bent: Vec<usize> = numeric.iter().enumerate().filter(|(_, number)| **number).map(|(at, _)| at).collect();
    let joint = Joint { straight, bent: &bent };
    let (mode, without) = fit::refine(straight, mode, STEPS)?;
    let (mut lower, mut upper) = likelihood::bounds(straight.parameters);
    let powers = 2 * bent.len();
    lower.extend(vec![-libm::log(MOST); powers]);
    upper.extend(vec![libm::log(MOST); powers]);
    let mut start = mode.0.clone();
    start.extend(vec![0.0; powers]);
    let density = |theta: &[f64]| joint.density_gradient(theta);
    let (theta, with) = optimise::maximise(&density, &start, &lower, &upper, STEPS)?;
    // What a climb can't gain by far, integrals can't either: they only take away.
    if with - without <= GAIN {
        return None;
    }
    let occam: f64 = (mode.0.len()..theta.len()).map(|place| joint.occam(&theta, place)).sum();
    let gain = with + occam - without;
    let first = theta.get(..straight.parameters).unwrap_or_default().to_vec();
    (gain > GAIN).then(|| Bends { warps: joint.warps(&theta), first, gain })
}

/// Hyperparameters and powers as one vector: the logarithms of the lengthscales, of the signal, of the noise, and of both
/// powers of each bent feature.
struct Joint<'a> {
    straight: &'a Data,
    bent: &'a [usize],
}

impl Joint<'_> {
    fn hypers(&self) -> usize {
        self.straight.parameters + 2
    }

    fn warps(&self, theta: &[f64]) -> Vec<Warp> {
        let features = self.straight.rows.first().map_or(0, Vec::len);
        let mut warps = vec![Warp::STRAIGHT; features];
        let powers = theta.get(self.hypers()..).unwrap_or_default();
        for (feature, powers) in self.bent.iter().zip(powers.chunks_exact(2)) {
            if let (Some(warp), [a, b]) = (warps.get_mut(*feature), powers) {
                *warp = Warp { a: libm::exp(*a), b: libm::exp(*b) };
            }
        }
        warps
    }

    fn density_gradient(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let warps = self.warps(theta);
        let bend = |row: &Vec<f64>| warps.iter().zip(row).map(|(warp, u)| warp.value(*u)).collect();
        let data = Data { rows: self.straight.rows.iter().map(bend).collect(), ..self.straight.clone() };
        let hyper = Hyper(theta.get(..self.hypers()).unwrap_or_default().to_vec());
        let (mut density, mut gradient, pulls) = likelihood::density_gradients(&data, &hyper);
        let Some(pulls) = pulls else { return (density, vec![0.0; theta.len()]) };
        for feature in self.bent {
            let warp = warps.get(*feature).copied().unwrap_or(Warp::STRAIGHT);
            let column = pulls.columns().into_iter().nth(*feature).into_iter().flatten();
            let (mut by_a, mut by_b) = (0.0, 0.0);
            for (pull, row) in column.zip(&self.straight.rows) {
                let (a, b) = warp.by_powers(row.get(*feature).copied().unwrap_or(0.0));
                by_a += pull * a;
                by_b += pull * b;
            }
            for (power, slope) in [(warp.a, by_a), (warp.b, by_b)] {
                let ln = libm::log(power);
                density -= 0.5 * ln * ln / (SPREAD * SPREAD);
                gradient.push(slope - ln / (SPREAD * SPREAD));
            }
        }
        (density, gradient)
    }

    /// What integrating over one power adds to the density at its mode: the logarithm of how much of its prior is left.
    fn occam(&self, theta: &[f64], place: usize) -> f64 {
        let slope = |step: f64| {
            let moved = theta.iter().enumerate().map(|(at, value)| if at == place { value + step } else { *value });
            let (_, gradient) = self.density_gradient(&moved.collect::<Vec<f64>>());
            gradient.get(place).copied().unwrap_or(0.0)
        };
        let curvature = (slope(-DIFFERENCE) - slope(DIFFERENCE)) / (2.0 * DIFFERENCE);
        -libm::log(SPREAD) - 0.5 * libm::log(curvature.max(1.0 / (SPREAD * SPREAD)))
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::rng::{Source, Stream};

    fn data(value: impl Fn(f64, f64) -> f64) -> Data {
        let mut source = Source::new(3, Stream::Random, 0);
        let rows: Vec<Vec<f64>> = (0..40).map(|_| vec![source.unit(), source.unit()]).collect();
        let values: Vec<f64> = rows.iter().map(|row| value(row[0], row[1])).collect();
        let mean = values.iter().sum::<f64>() / 40.0;
        let sd = (values.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / 40.0).sqrt();
        Data {
            numbers: (0..40).collect(),
            rows,
            values: values.iter().map(|it| (it - mean) / sd).collect(),
            known: vec![0.0; 40],
            groups: vec![0, 1],
            turns: vec![true; 2],
            parameters: 2,
            share: 0.0,
            short: false,
            learned: None,
            prior: None,
        }
    }

    #[test]
    fn a_map_is_monotone_onto_the_interval_with_the_slope_it_says() {
        for (a, b) in [(1.0, 1.0), (0.2, 1.0), (5.0, 0.3), (0.5, 4.0), (2.0, 2.0)] {
            let warp = Warp { a, b };
            assert!(warp.value(0.0).abs() < 1e-15 && (warp.value(1.0) - 1.0).abs() < 1e-15);
            for step in 1..100 {
                let u = f64::from(step) / 100.0;
                let difference = (warp.value(u + 1e-6) - warp.value(u - 1e-6)) / 2e-6;
                assert!(difference > 0.0 || warp.value(u) > 1.0 - 1e-12);
                assert!((difference - warp.slope(u)).abs() < 1e-5 * (1.0 + difference), "{a} {b} {u}");
            }
            assert!(warp.slope(0.0).is_finite() && warp.slope(1.0).is_finite());
        }
    }

    #[test]
    fn the_gradient_in_the_powers_is_that_of_the_density() {
        let data = data(|x, y| (-8.0 * x).exp() + y * y);
        let joint = Joint { straight: &data, bent: &[0, 1] };
        let theta = [-0.5, 0.3, 0.1, -4.0, -0.7, 0.4, 0.2, -0.3];
        let (_, gradient) = joint.density_gradient(&theta);
        for place in 0..theta.len() {
            let at = |step: f64| {
                let mut moved = theta;
                moved[place] += step;
                joint.density_gradient(&moved).0
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let error = (difference - gradient[place]).abs();
            assert!(error < 1e-5 * (1.0 + difference.abs()), "{place}: {} is not {difference}", gradient[place]);
        }
    }

    #[test]
    fn what_happens_at_one_end_is_stretched_and_what_is_even_is_left() {
        let numeric = [true, true];
        let uneven = data(|x, y| (10.0 * x.powf(0.35)).sin() + y);
        let bent = best(&uneven, &numeric, &Hyper::short(2)).expect("the evidence is overwhelming");
        assert!(bent.warps[0].slope(0.05) > 1.5 * bent.warps[0].slope(0.95), "{:?}", bent.warps);
        let even = data(|x, y| (6.0 * x).sin() + (5.0 * y).cos());
        assert!(best(&even, &numeric, &Hyper::short(2)).is_none());
    }
}

//! What the fits of past campaigns tell of lengthscales beforehand: which parameters matter, and how fast outcomes turn.
//!
//! A past campaign whose optimum lies elsewhere has often the same lengthscales all the same. Each parameter's is taken to
//! vary from campaign to campaign around a value that all of them tell of (a random-effects model: R. DerSimonian and N. Laird,
//! Control. Clin. Trials 7 (1986)). As the next campaign may be of another kind, half of the belief stays what it is without
//! any, so that a source that misleads costs ln 2 a parameter at most.

use crate::normal::ln_sum_exp;

/// The standard deviation of a lengthscale's logarithm from campaign to campaign of one kind.
const BETWEEN: f64 = 0.5;
/// A fit tells of a lengthscale where it is this part surer than one was beforehand.
const TELLS: f64 = 0.1;

/// A normal density, by its mean and its standard deviation.
pub(crate) type Normal = (f64, f64);

/// What is believed of each lengthscale's logarithm by past fits; nothing where none tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned(Vec<Option<Normal>>);

impl Learned {
    /// From what each fit knows of each of so many lengthscales, given what was believed before it.
    pub(crate) fn new(fits: &[Vec<Normal>], parameters: usize, before: Normal) -> Self {
        let of = |place: usize| told(fits.iter().filter_map(|fit| fit.get(place).copied()), before);
        Self((0..parameters).map(of).collect())
    }

    /// Whether no fit tells anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// These logarithms of lengthscales, with what is told in their place where something is.
    pub(crate) fn over(&self, ln_lengthscales: &mut [f64]) {
        for (entry, told) in ln_lengthscales.iter_mut().zip(&self.0) {
            *entry = told.map_or(*entry, |(mean, _)| mean);
        }
    }

    /// The logarithm of the density of a hyperparameter of this place, which was this normal one without, but for that one's
    /// constant; with its slope.
    pub(crate) fn ln_density(&self, place: usize, value: f64, without: Normal) -> (f64, f64) {
        let ln_normal = |(mean, sd): Normal| (-0.5 * ((value - mean) / sd).powi(2), -(value - mean) / (sd * sd));
        let (own, own_slope) = ln_normal(without);
        let Some(told) = self.0.get(place).copied().flatten() else { return (own, own_slope) };
        let (told_density, told_slope) = ln_normal(told);
        let told_density = told_density + libm::log(without.1 / told.1);
        let both = ln_sum_exp([own, told_density].into_iter());
        let share = libm::exp(told_density - both);
        (both - std::f64::consts::LN_2, (1.0 - share) * own_slope + share * told_slope)
    }
}

/// What several fits tell of the next campaign's lengthscale.
fn told(fits: impl Iterator<Item = Normal>, (mean, sd): Normal) -> Option<Normal> {
    let before = 1.0 / (sd * sd);
    // What all campaigns vary around was as unsure as one is, but for how they vary.
    let around = 1.0 / (sd * sd - BETWEEN * BETWEEN);
    let (mut weight, mut sum) = (around, around * mean);
    let mut any = false;
    for (fitted, fitted_sd) in fits {
        // Without what was believed before the fit, which would count once a fit.
        let own = 1.0 / (fitted_sd * fitted_sd) - before;
        if own <= TELLS * before {
            continue;
        }
        let read = (fitted / (fitted_sd * fitted_sd) - mean * before) / own;
        let counts = 1.0 / (1.0 / own + BETWEEN * BETWEEN);
        weight += counts;
        sum += counts * read;
        any = true;
    }
    any.then(|| (sum / weight, (1.0 / weight + BETWEEN * BETWEEN).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Normal = (1.0, 1.7);

    fn density(learned: &Learned, value: f64) -> f64 {
        learned.ln_density(0, value, BEFORE).0
    }

    #[test]
    fn what_no_fit_tells_of_is_believed_as_before() {
        let as_before = Learned::new(&[vec![BEFORE]], 1, BEFORE);
        assert!(as_before.is_empty(), "a fit that has learnt nothing tells nothing: {as_before:?}");
        assert_eq!(as_before.ln_density(0, 2.0, BEFORE), (-0.5 / (1.7 * 1.7), -1.0 / (1.7 * 1.7)));
    }

    #[test]
    fn the_density_is_one_in_all_and_its_slope_is_its_derivative() {
        let learned = Learned::new(&[vec![(-1.0, 0.3)], vec![(-0.4, 0.5)]], 1, BEFORE);
        let step = 1e-3;
        let values = (-12_000..14_000).map(|place| f64::from(place) * step);
        let mass: f64 = values.map(|value| density(&learned, value).exp() * step).sum();
        // The constant of the normal density before is left out.
        let one = mass / (1.7 * (2.0 * std::f64::consts::PI).sqrt());
        assert!((one - 1.0).abs() < 1e-6, "{one}");
        for value in [-2.0, -0.8, 0.0, 1.5] {
            let difference = (density(&learned, value + 1e-5) - density(&learned, value - 1e-5)) / 2e-5;
            let (_, slope) = learned.ln_density(0, value, BEFORE);
            assert!((slope - difference).abs() < 1e-7, "{slope} at {value}, {difference} by differences");
        }
    }

    #[test]
    fn what_many_fits_agree_on_is_believed_more_and_costs_no_more_than_ln_2_where_it_misleads() {
        let fits = |count: usize| Learned::new(&vec![vec![(-1.0, 0.3)]; count], 1, BEFORE);
        assert!(density(&fits(4), -1.0) > density(&fits(1), -1.0));
        let without = |value: f64| -0.5 * ((value - BEFORE.0) / BEFORE.1).powi(2);
        let cost = (-80..80).map(|place| f64::from(place) * 0.1).map(|value| without(value) - density(&fits(4), value));
        let cost = cost.fold(f64::NEG_INFINITY, f64::max);
        assert!(cost < std::f64::consts::LN_2 + 1e-12, "{cost}");
    }
}

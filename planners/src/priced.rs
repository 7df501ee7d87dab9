//! A promise for what it costs: what promises as much for less comes first.

use crate::frame::Frame;
use crate::problem::{Cost, Point};
use crate::search::Score;

/// How much the logarithm of a cost counts beside the logarithm of an improvement. At 1 the cheapest points would be tried
/// again and again for little; at 0 costs would not count. Half way is what cooling the weight down over a budget comes to
/// on the mean, and a planner does not know its budget.
///
/// Source of the cooling: E. Lee, V. Perrone, C. Archambeau and M. Seeger, "Cost-aware Bayesian optimization", 2020.
const WEIGHT: f64 = 0.5;
/// The least cost.
const LEAST: f64 = 1e-9;
/// The step by which slopes of the cost are taken, in unit coordinates.
const STEP: f64 = 1e-4;

/// A score less what the points cost.
pub(crate) struct Priced<'a> {
    pub(crate) score: &'a dyn Score,
    pub(crate) frame: &'a Frame<'a>,
    pub(crate) cost: &'a dyn Cost,
    /// The point that was proposed before.
    pub(crate) previous: Option<&'a Point>,
}

impl Priced<'_> {
    fn ln_cost(&self, unit: &[f64]) -> f64 {
        let cost = self.cost.cost(&self.frame.point(unit), self.previous);
        libm::log(if cost.is_finite() { cost.max(LEAST) } else { LEAST })
    }
}

impl Score for Priced<'_> {
    fn value(&self, unit: &[f64]) -> f64 {
        self.score.value(unit) - WEIGHT * self.ln_cost(unit)
    }

    fn values(&self, units: &[Vec<f64>]) -> Vec<f64> {
        let values = self.score.values(units).into_iter().zip(units);
        values.map(|(value, unit)| value - WEIGHT * self.ln_cost(unit)).collect()
    }

    fn value_and_gradient(&self, unit: &[f64]) -> (f64, Vec<f64>) {
        let (value, mut gradient) = self.score.value_and_gradient(unit);
        let here = self.ln_cost(unit);
        for (index, (entry, moves)) in gradient.iter_mut().zip(self.frame.continuous()).enumerate() {
            let mut moved = unit.to_vec();
            if let Some(u) = moved.get_mut(index).filter(|_| moves) {
                let step = if *u + STEP <= 1.0 { STEP } else { -STEP };
                *u += step;
                *entry -= WEIGHT * (self.ln_cost(&moved) - here) / step;
            }
        }
        (value - WEIGHT * here, gradient)
    }

    fn has_borders(&self) -> bool {
        self.score.has_borders()
    }
}

//! Parameters that share a total: shares of a mixture, at most so many of them present.

use serde::{Deserialize, Serialize};

use crate::planner::PlanError;
use crate::problem::Parameter;

/// How far a total may be missed, beside its size: rounding.
const ROUNDING: f64 = 1e-9;
/// Halvings by which the shift of a projection is found: more than a double has digits.
const HALVINGS: usize = 100;

/// Real parameters whose values sum to a total.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// Their places among the space's parameters; each is real, on a linear scale, and in one mixture at most.
    pub parameters: Vec<usize>,
    /// What they sum to, in their own scale.
    pub total: f64,
    /// How many of them may differ from 0 at once; then all of their ranges begin at 0. `None`: all.
    pub at_most: Option<usize>,
}

/// A component's range.
type Side = (f64, f64);

impl Mixture {
    fn sides(&self, parameters: &[Parameter]) -> Option<Vec<Side>> {
        let side = |index: &usize| match parameters.get(*index)? {
            Parameter::Real { low, high, log: false } => Some((*low, *high)),
            Parameter::Real { .. }
            | Parameter::Integer { .. }
            | Parameter::Levels { .. }
            | Parameter::Categorical { .. } => None,
        };
        self.parameters.iter().map(side).collect()
    }

    pub(crate) fn check(&self, mixture: usize, parameters: &[Parameter]) -> Result<(), PlanError> {
        let wrong = |why| Err(PlanError::Mixture { mixture, why });
        let Some(sides) = self.sides(parameters) else {
            return wrong("its parameters must be real, on a linear scale");
        };
        let mut places = self.parameters.clone();
        places.sort_unstable();
        places.dedup();
        if sides.len() < 2 || places.len() < sides.len() {
            return wrong("it needs two different parameters or more");
        }
        let most = match self.at_most {
            None => sides.iter().map(|(_, high)| high).sum::<f64>(),
            Some(0) => return wrong("at least one of its parameters has to differ from 0"),
            Some(_) if sides.iter().any(|(low, _)| *low != 0.0) => {
                return wrong("where only some of its parameters may differ from 0, all ranges begin at 0");
            }
            Some(count) => {
                let mut highs: Vec<f64> = sides.iter().map(|(_, high)| *high).collect();
                highs.sort_by(|a, b| b.total_cmp(a));
                highs.iter().take(count).sum()
            }
        };
        let least: f64 = sides.iter().map(|(low, _)| low).sum();
        if self.total >= least && self.total <= most { Ok(()) } else { wrong("its parameters can't sum to its total") }
    }

    /// Whether a point's values sum to the total, with no more of them than may be.
    pub(crate) fn contains(&self, point: &[f64]) -> bool {
        let values = || self.parameters.iter().filter_map(|index| point.get(*index));
        let present = values().filter(|value| **value != 0.0).count();
        let missed = (values().sum::<f64>() - self.total).abs();
        missed <= ROUNDING * self.total.abs().max(1.0) && self.at_most.is_none_or(|most| present <= most)
    }

    /// Moves a point's values to the nearest that sum to the total (among the largest, where only some may be present).
    pub(crate) fn project(&self, parameters: &[Parameter], point: &mut [f64]) {
        let Some(sides) = self.sides(parameters) else { return };
        let mut values: Vec<f64> =
            self.parameters.iter().map(|index| point.get(*index).copied().unwrap_or(0.0)).collect();
        let sides = self.present(&values, sides);
        project(&mut values, &sides, self.total);
        for (index, value) in self.parameters.iter().zip(values) {
            if let Some(entry) = point.get_mut(*index) {
                *entry = value;
            }
        }
    }

    /// The ranges, those of what has to be absent closed to 0.
    fn present(&self, values: &[f64], mut sides: Vec<Side>) -> Vec<Side> {
        let Some(most) = self.at_most else { return sides };
        let mut ranked: Vec<usize> = (0..values.len()).collect();
        let value = |index: &usize| values.get(*index).copied().unwrap_or(0.0);
        ranked.sort_by(|a, b| value(b).total_cmp(&value(a)));
        let (mut kept, mut room) = (Vec::new(), 0.0);
        for (place, index) in ranked.iter().enumerate() {
            let high = sides.get(*index).map_or(0.0, |side| side.1);
            // What is kept must be able to hold the total: the last places go to those with room for it.
            let still = most.saturating_sub(kept.len());
            let mut others: Vec<f64> =
                ranked.iter().skip(place + 1).filter_map(|other| sides.get(*other).map(|side| side.1)).collect();
            others.sort_by(|a, b| b.total_cmp(a));
            let best: f64 = others.iter().take(still.saturating_sub(1)).sum();
            if still > 0 && room + high + best >= self.total {
                kept.push(*index);
                room += high;
            }
        }
        for (index, side) in sides.iter_mut().enumerate() {
            if !kept.contains(&index) {
                *side = (0.0, 0.0);
            }
        }
        sides
    }

    /// The gradient of a function of the projected values, from its gradient at them: what changes the total is gone, and
    /// so is what stands at its bound. `widths` are by how much a value moves with its coordinate.
    pub(crate) fn tangent(&self, parameters: &[Parameter], point: &[f64], widths: &[f64], gradient: &mut [f64]) {
        let Some(sides) = self.sides(parameters) else { return };
        let inside = |(index, (low, high)): (&usize, &Side)| {
            point.get(*index).is_some_and(|value| *value > *low && *value < *high).then_some(*index)
        };
        let free: Vec<usize> = self.parameters.iter().zip(&sides).filter_map(inside).collect();
        let width = |index: &usize| widths.get(*index).copied().filter(|it| *it > 0.0);
        let slope =
            |index: &usize, gradient: &[f64]| Some(gradient.get(*index).copied().unwrap_or(0.0) / width(index)?);
        let mean = free.iter().filter_map(|index| slope(index, gradient)).sum::<f64>() / free.len().max(1) as f64;
        for index in &self.parameters {
            let moved = match (free.contains(index), slope(index, gradient), width(index)) {
                (true, Some(slope), Some(width)) => width * (slope - mean),
                _ => 0.0,
            };
            if let Some(entry) = gradient.get_mut(*index) {
                *entry = moved;
            }
        }
    }
}

/// The nearest values within their sides that sum to a total: all are shifted alike, as far as their sides let them.
///
/// Source: P. Brucker, "An O(n) algorithm for quadratic knapsack problems", Oper. Res. Lett. 3 (1984); here by halving.
fn project(values: &mut [f64], sides: &[Side], total: f64) {
    let shifted = |by: f64| values.iter().zip(sides).map(move |(value, (low, high))| (value + by).clamp(*low, *high));
    let span = values.iter().zip(sides).map(|(value, (low, high))| (low - value).abs().max((high - value).abs()));
    let most = span.fold(0.0, f64::max);
    let (mut low, mut high) = (-most, most);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if shifted(middle).sum::<f64>() < total { low = middle } else { high = middle }
    }
    let found: Vec<f64> = shifted(f64::midpoint(low, high)).collect();
    values.iter_mut().zip(found).for_each(|(value, found)| *value = found);
    // What rounding has left goes to the value that has the most room for it.
    let rest = total - values.iter().sum::<f64>();
    let room = |(value, (low, high)): (&f64, &Side)| if rest > 0.0 { high - value } else { value - low };
    let rooms: Vec<f64> = values.iter().zip(sides).map(room).collect();
    let widest = rooms.iter().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
    if let Some(((index, _), value)) = widest.map(|it| (it, it.0)).and_then(|(it, at)| Some((it, values.get_mut(at)?)))
        && let Some((low, high)) = sides.get(index)
    {
        *value = (*value + rest).clamp(*low, *high);
    }
}

/// Uniform numbers as a uniform point of the simplex: exponentials over their sum.
pub(crate) fn shares(uniform: &[f64]) -> Vec<f64> {
    let draws: Vec<f64> = uniform.iter().map(|u| -libm::log(u.clamp(1e-12, 1.0 - 1e-12))).collect();
    let sum: f64 = draws.iter().sum();
    draws.iter().map(|draw| draw / sum).collect()
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::rng::{Source, Stream};

    fn real(low: f64, high: f64) -> Parameter {
        Parameter::Real { low, high, log: false }
    }

    #[test]
    fn a_projection_sums_to_its_total_stays_inside_and_is_the_nearest() {
        let parameters = [real(0.0, 1.0), real(0.2, 0.5), real(0.0, 0.3), real(0.1, 2.0)];
        let mixture = Mixture { parameters: vec![0, 1, 2, 3], total: 1.0, at_most: None };
        let mut source = Source::new(1, Stream::Random, 0);
        for _ in 0..300 {
            let start: Vec<f64> = (0..4).map(|_| 3.0 * source.normal()).collect();
            let mut point = start.clone();
            mixture.project(&parameters, &mut point);
            assert!((point.iter().sum::<f64>() - 1.0).abs() < 1e-12 && mixture.contains(&point), "{point:?}");
            let sides = mixture.sides(&parameters).unwrap_or_default();
            assert!(point.iter().zip(&sides).all(|(value, (low, high))| value >= low && value <= high), "{point:?}");
            // Moving a little from one component to another never comes nearer.
            let distance = |it: &[f64]| it.iter().zip(&start).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            for (from, to) in [(0, 1), (1, 0), (2, 3), (3, 2), (0, 3), (3, 0)] {
                let mut moved = point.clone();
                (moved[from], moved[to]) = (moved[from] - 1e-4, moved[to] + 1e-4);
                let inside = moved[from] >= sides[from].0 && moved[to] <= sides[to].1;
                assert!(!inside || distance(&moved) >= distance(&point) - 1e-9, "{start:?} {point:?}");
            }
        }
    }

    #[test]
    fn at_most_so_many_are_present_and_they_can_hold_the_total() {
        let parameters = [real(0.0, 0.3), real(0.0, 0.9), real(0.0, 0.4), real(0.0, 0.3), real(0.0, 1.0)];
        let mixture = Mixture { parameters: (0..5).collect(), total: 1.0, at_most: Some(2) };
        assert_eq!(mixture.check(0, &parameters), Ok(()));
        let mut source = Source::new(2, Stream::Random, 0);
        for _ in 0..300 {
            let mut point: Vec<f64> = (0..5).map(|_| source.unit()).collect();
            mixture.project(&parameters, &mut point);
            assert!(mixture.contains(&point), "{point:?}");
            assert!(point.iter().filter(|value| **value > 0.0).count() <= 2, "{point:?}");
        }
    }

    #[test]
    fn a_mixture_that_can_not_be_is_refused() {
        let parameters = [real(0.0, 0.3), real(0.1, 0.4), Parameter::Categorical { choices: 2 }];
        let check = |parameters_: Vec<usize>, total, at_most| {
            Mixture { parameters: parameters_, total, at_most }.check(3, &parameters).is_err()
        };
        assert!(check(vec![0, 1], 1.0, None) && check(vec![0, 1], 0.05, None) && check(vec![0, 2], 0.3, None));
        assert!(check(vec![0], 0.2, None) && check(vec![0, 0], 0.2, None) && check(vec![0, 9], 0.2, None));
        assert!(
            check(vec![0, 1], 0.5, Some(1)) && check(vec![0, 1], 0.5, Some(0)) && check(vec![0, 1], f64::NAN, None)
        );
        assert!(!check(vec![0, 1], 0.5, None));
    }
}

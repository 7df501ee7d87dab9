//! From an outcome's own scale to the one its model works in, and back.

use crate::planner::Estimate;

/// Deviations this small, relative to the values' size, are rounding.
const ROUNDING: f64 = 1e-13;
/// Values this many interquartile ranges below the lower quartile are pulled in.
const FENCE: f64 = 1.5;

/// A monotone map of an outcome to standardised values.
#[derive(Clone, Debug)]
pub(crate) enum Transform {
    /// An objective: centred and scaled; what is far on the bad side is pulled in by a logarithm, so that disasters
    /// don't flatten the differences that matter.
    Objective {
        /// The value below which values are pulled in.
        fence: f64,
        /// The scale of that pull; 0 for none.
        reach: f64,
        /// The mean after it.
        mean: f64,
        /// The standard deviation after it.
        scale: f64,
    },
    /// A constraint: `sign(c) ln(1 + |c|/typical) / scale`, not centred, so that 0 stays the border.
    Constraint {
        /// The mean size. (The median would follow the search to the border, where it makes a kink of it.)
        typical: f64,
        /// The root mean square after the logarithm.
        scale: f64,
    },
}

impl Transform {
    /// For an objective with these (finite) values; larger is better.
    pub(crate) fn objective(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quartile = |number: usize| sorted.get(number * sorted.len().saturating_sub(1) / 4).copied().unwrap_or(0.0);
        let (low, high) = (quartile(1), quartile(3));
        let reach = high / 2.0 - low / 2.0;
        let fence = low - 2.0 * FENCE * reach;
        let reach = if reach.is_finite() && fence.is_finite() { 2.0 * reach } else { 0.0 };
        let pulled: Vec<f64> = values.iter().map(|value| pull(*value, fence, reach)).collect();
        // Sums of huge values would overflow: they are halved by their count first.
        let count = pulled.len().max(1) as f64;
        let mean: f64 = pulled.iter().map(|value| value / count).sum();
        let size = pulled.iter().fold(0.0, |most: f64, value| most.max((value - mean).abs()));
        let square: f64 = pulled.iter().map(|value| ((value - mean) / size).powi(2) / count).sum();
        let scale = size * square.sqrt();
        let usable = scale.is_finite() && scale > ROUNDING * mean.abs() && scale > f64::MIN_POSITIVE;
        Self::Objective { fence, reach, mean, scale: if usable { scale } else { 1.0 } }
    }

    /// For a constraint with these (finite) values.
    pub(crate) fn constraint(values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let usable = |x: f64| if x.is_finite() && x > f64::MIN_POSITIVE { x } else { 1.0 };
        let typical = usable(values.iter().map(|value| value.abs() / count).sum());
        let squares: f64 = values.iter().map(|value| signed_ln(value / typical).powi(2)).sum();
        Self::Constraint { typical, scale: usable((squares / count).sqrt()) }
    }

    /// The standardised value.
    pub(crate) fn apply(&self, value: f64) -> f64 {
        match self {
            Self::Objective { fence, reach, mean, scale } => (pull(value, *fence, *reach) - mean) / scale,
            Self::Constraint { typical, scale } => signed_ln(value / typical) / scale,
        }
    }

    /// The value of a standardised one.
    pub(crate) fn invert(&self, z: f64) -> f64 {
        match self {
            Self::Objective { fence, reach, mean, scale } => {
                let pulled = mean + scale * z;
                if *reach > 0.0 && pulled < *fence {
                    fence - reach * libm::expm1((fence - pulled) / reach)
                } else {
                    pulled
                }
            }
            Self::Constraint { typical, scale } => z.signum() * typical * libm::expm1((z * scale).abs()),
        }
    }

    /// How fast the standardised value grows with the value.
    pub(crate) fn slope(&self, value: f64) -> f64 {
        match self {
            Self::Objective { fence, reach, scale, .. } if *reach > 0.0 && value < *fence => {
                reach / (reach + fence - value) / scale
            }
            Self::Objective { scale, .. } => 1.0 / scale,
            Self::Constraint { typical, scale } => 1.0 / (typical + value.abs()) / scale,
        }
    }

    /// An estimate in the outcome's own scale; its deviation to first order.
    pub(crate) fn estimate(&self, mean: f64, sd: f64) -> Estimate {
        let finite = |value: f64| value.clamp(-f64::MAX, f64::MAX);
        let value = finite(self.invert(mean));
        Estimate { mean: value, sd: finite(sd / self.slope(value)) }
    }
}

/// Pulls in what lies below a fence: continuous with its slope, and monotone.
fn pull(value: f64, fence: f64, reach: f64) -> f64 {
    if reach > 0.0 && value < fence { fence - reach * libm::log1p((fence - value) / reach) } else { value }
}

fn signed_ln(x: f64) -> f64 {
    x.signum() * libm::log1p(x.abs())
}

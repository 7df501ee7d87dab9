//! From an outcome's own scale to the one its model works in, and back.

use crate::planner::Estimate;

/// Deviations this small, relative to the values' size, are rounding.
const ROUNDING: f64 = 1e-13;
/// Values this many interquartile ranges below the lower quartile are pulled in.
const FENCE: f64 = 1.5;

/// Powers that are tried.
const LAMBDAS: [f64; 7] = [-1.0, -0.5, 0.0, 0.5, 1.5, 2.0, 2.5];
/// The standard deviation of a power around 1.
const LAMBDA_SPREAD: f64 = 0.5;
/// Reaches of a logarithm from the top that are tried, in standardised outcomes.
const REACHES: [f64; 5] = [0.01, 0.03, 0.1, 0.3, 1.0];
/// The median of a reach, and the standard deviation of its logarithm.
const REACH_TYPICAL: f64 = 3.0;
/// See [`REACH_TYPICAL`].
const REACH_SPREAD: f64 = 2.0;
/// Shares of a constraint's typical size at which its logarithm is tried to begin.
const SHARES: [f64; 4] = [0.1, 0.03, 0.01, 0.001];

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
        /// What is bent after that.
        bend: Bend,
        /// The mean after the bend.
        centre: f64,
        /// The standard deviation after the bend.
        spread: f64,
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
        Self::fenced(values, fence, reach)
    }

    fn fenced(values: &[f64], fence: f64, reach: f64) -> Self {
        let pulled: Vec<f64> = values.iter().map(|value| pull(*value, fence, reach)).collect();
        // Sums of huge values would overflow: they are halved by their count first.
        let count = pulled.len().max(1) as f64;
        let mean: f64 = pulled.iter().map(|value| value / count).sum();
        let size = pulled.iter().fold(0.0, |most: f64, value| most.max((value - mean).abs()));
        let square: f64 = pulled.iter().map(|value| ((value - mean) / size).powi(2) / count).sum();
        let scale = size * square.sqrt();
        let usable = scale.is_finite() && scale > ROUNDING * mean.abs() && scale > f64::MIN_POSITIVE;
        let scale = if usable { scale } else { 1.0 };
        Self::Objective { fence, reach, mean, scale, bend: Bend::None, centre: 0.0, spread: 1.0 }
    }

    /// For one of several objectives: what lies above `least` keeps its proportions, as volumes are made of it.
    pub(crate) fn above(values: &[f64], least: f64) -> Self {
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let reach = highest / 2.0 - least / 2.0;
        let reach = if reach.is_finite() && reach > 0.0 { 2.0 * reach } else { 0.0 };
        Self::fenced(values, least, reach)
    }

    /// The bends that may make these values more like a Gaussian process, where they can be made; each with the logarithm of
    /// how plausible it is beforehand.
    pub(crate) fn bends(&self, values: &[f64]) -> Vec<(Option<Self>, f64)> {
        match self {
            Self::Objective { .. } => {
                let top = values.iter().map(|value| self.apply(*value)).fold(f64::NEG_INFINITY, f64::max);
                let powers =
                    LAMBDAS.map(|lambda| (Bend::YeoJohnson { lambda }, ln_normal(lambda - 1.0, LAMBDA_SPREAD)));
                let from_top = REACHES.map(|reach| {
                    (Bend::FromTop { top, reach }, ln_normal(libm::log(reach / REACH_TYPICAL), REACH_SPREAD))
                });
                let bend = |(bend, prior)| (self.warped(bend, values), prior);
                powers.into_iter().chain(from_top).map(bend).collect()
            }
            Self::Constraint { typical, .. } => {
                SHARES.map(|share| (Some(Self::logarithmic(values, typical * share)), 0.0)).to_vec()
            }
        }
    }

    /// The same with the bend of this number: its place in [`Transform::bends`], counted from 1.
    pub(crate) fn bent(self, number: usize, values: &[f64]) -> Self {
        let found = number.checked_sub(1).and_then(|index| self.bends(values).into_iter().nth(index));
        found.and_then(|(transform, _)| transform).unwrap_or(self)
    }

    /// Whether the bend of this number says that nothing is much better than the best reading: a search may bet on that, but a
    /// stop may not conclude it from itself.
    pub(crate) fn is_capped(&self, number: usize) -> bool {
        matches!(self, Self::Objective { .. }) && number > LAMBDAS.len()
    }

    /// What the bend of this number is of: bends of one form differ by how far they go.
    pub(crate) fn form(number: usize) -> usize {
        match number {
            0 => 0,
            number if number <= LAMBDAS.len() => 1,
            _ => 2,
        }
    }

    fn warped(&self, bend: Bend, values: &[f64]) -> Option<Self> {
        let Self::Objective { fence, reach, mean, scale, .. } = *self else { return None };
        let bent: Vec<f64> =
            values.iter().map(|value| bend.apply((pull(*value, fence, reach) - mean) / scale)).collect();
        let count = bent.len().max(1) as f64;
        let centre = bent.iter().sum::<f64>() / count;
        let spread = (bent.iter().map(|w| (w - centre) * (w - centre)).sum::<f64>() / count).sqrt();
        let usable = spread.is_finite() && spread > 0.0;
        usable.then_some(Self::Objective { fence, reach, mean, scale, bend, centre, spread })
    }

    /// What the transform adds to the logarithm of the density of these values.
    pub(crate) fn ln_jacobian(&self, values: &[f64]) -> f64 {
        values.iter().map(|value| libm::log(self.slope(*value))).sum()
    }

    /// For a constraint with these (finite) values.
    pub(crate) fn constraint(values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let usable = |x: f64| if x.is_finite() && x > f64::MIN_POSITIVE { x } else { 1.0 };
        Self::logarithmic(values, usable(values.iter().map(|value| value.abs() / count).sum()))
    }

    fn logarithmic(values: &[f64], typical: f64) -> Self {
        let count = values.len().max(1) as f64;
        let usable = |x: f64| if x.is_finite() && x > f64::MIN_POSITIVE { x } else { 1.0 };
        let squares: f64 = values.iter().map(|value| signed_ln(value / typical).powi(2)).sum();
        Self::Constraint { typical, scale: usable((squares / count).sqrt()) }
    }

    /// The standardised value.
    pub(crate) fn apply(&self, value: f64) -> f64 {
        match self {
            Self::Objective { fence, reach, mean, scale, bend, centre, spread } => {
                (bend.apply((pull(value, *fence, *reach) - mean) / scale) - centre) / spread
            }
            Self::Constraint { typical, scale } => signed_ln(value / typical) / scale,
        }
    }

    /// The value of a standardised one.
    pub(crate) fn invert(&self, z: f64) -> f64 {
        match self {
            Self::Objective { fence, reach, mean, scale, bend, centre, spread } => {
                let pulled = mean + scale * bend.invert(centre + spread * z);
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
            Self::Objective { fence, reach, mean, scale, bend, spread, .. } => {
                let pulled = if *reach > 0.0 && value < *fence { reach / (reach + fence - value) } else { 1.0 };
                pulled * bend.slope((pull(value, *fence, *reach) - mean) / scale) / scale / spread
            }
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

/// A monotone bend of standardised values, by which an outcome becomes more like a Gaussian process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bend {
    /// Straight.
    None,
    /// A power on either side of 0.
    ///
    /// Source: I.-K. Yeo and R. A. Johnson, Biometrika 87 (2000).
    YeoJohnson {
        /// 1 is straight; below it the good side is pressed together, above it the bad one.
        lambda: f64,
    },
    /// A logarithm of the distance from the best: differences near it count more the smaller they are.
    FromTop {
        /// The best value.
        top: f64,
        /// Within this distance it is nearly straight.
        reach: f64,
    },
}

impl Bend {
    fn apply(self, z: f64) -> f64 {
        match self {
            Self::None => z,
            Self::YeoJohnson { lambda } if z >= 0.0 => power(z, lambda),
            Self::YeoJohnson { lambda } => -power(-z, 2.0 - lambda),
            Self::FromTop { top, reach } if z < top => -libm::log1p((top - z) / reach),
            Self::FromTop { top, reach } => (z - top) / reach,
        }
    }

    fn invert(self, w: f64) -> f64 {
        match self {
            Self::None => w,
            Self::YeoJohnson { lambda } if w >= 0.0 => unpower(w, lambda),
            Self::YeoJohnson { lambda } => -unpower(-w, 2.0 - lambda),
            Self::FromTop { top, reach } if w < 0.0 => top - reach * libm::expm1(-w),
            Self::FromTop { top, reach } => top + reach * w,
        }
    }

    fn slope(self, z: f64) -> f64 {
        match self {
            Self::None => 1.0,
            Self::YeoJohnson { lambda } if z >= 0.0 => libm::pow(1.0 + z, lambda - 1.0),
            Self::YeoJohnson { lambda } => libm::pow(1.0 - z, 1.0 - lambda),
            Self::FromTop { top, reach } => 1.0 / (reach + (top - z).max(0.0)),
        }
    }
}

/// `((1 + x)^p - 1) / p`, a logarithm at 0.
fn power(x: f64, p: f64) -> f64 {
    if p.abs() < 1e-9 { libm::log1p(x) } else { libm::expm1(p * libm::log1p(x)) / p }
}

/// The inverse of [`power`]; where there is none, as far as it goes.
fn unpower(y: f64, p: f64) -> f64 {
    if p.abs() < 1e-9 { libm::expm1(y) } else { libm::expm1(libm::log1p((p * y).max(-1.0 + 1e-12)) / p) }
}

/// The logarithm of a normal density, but for a constant.
fn ln_normal(distance: f64, sd: f64) -> f64 {
    -0.5 * (distance / sd) * (distance / sd)
}

/// Pulls in what lies below a fence: continuous with its slope, and monotone.
fn pull(value: f64, fence: f64, reach: f64) -> f64 {
    if reach > 0.0 && value < fence { fence - reach * libm::log1p((fence - value) / reach) } else { value }
}

fn signed_ln(x: f64) -> f64 {
    x.signum() * libm::log1p(x.abs())
}

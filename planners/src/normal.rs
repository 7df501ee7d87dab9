//! The normal distribution, and the functions of it that acquisition needs, without cancellation.

/// ln sqrt(2 pi).
const LN_SQRT_TAU: f64 = 0.918_938_533_204_672_8;
/// Below this, continued fractions replace differences that would cancel.
const TAIL: f64 = -4.0;
/// Terms of the continued fraction at t: so many, and so many over t. Enough for full precision at [`TAIL`] and beyond.
const TERMS: (f64, f64) = (5.0, 110.0);

/// The density.
pub(crate) fn density(u: f64) -> f64 {
    libm::exp(-0.5 * u * u - LN_SQRT_TAU)
}

/// The distribution function, by erfc: accurate in relative terms in both tails.
pub(crate) fn cumulative(u: f64) -> f64 {
    0.5 * libm::erfc(-u * std::f64::consts::FRAC_1_SQRT_2)
}

/// Mills' continued fraction for t > 0: `(c, 1/(t + c))`, where `1/(t+c)` is the upper tail over the density.
fn mills(t: f64) -> (f64, f64) {
    let (mut tail, mut term) = (t, (TERMS.0 + TERMS.1 / t).floor());
    while term > 1.0 {
        tail = t + term / tail;
        term -= 1.0;
    }
    let c = 1.0 / tail;
    (c, 1.0 / (t + c))
}

/// `ln Phi(u)` and its derivative.
pub(crate) fn ln_cumulative(u: f64) -> (f64, f64) {
    if u > TAIL {
        let p = cumulative(u);
        return (libm::log(p), density(u) / p);
    }
    let (_, ratio) = mills(-u);
    (-0.5 * u * u - LN_SQRT_TAU + libm::log(ratio), 1.0 / ratio)
}

/// `ln h(u)` and its derivative, where `h(u) = phi(u) + u Phi(u)` is the expected improvement of a unit normal.
///
/// In the lower tail h is `phi * c / (t + c)` with Mills' continued fraction c, which involves no difference.
/// Source: Ament et al., "Unexpected improvements to expected improvement", NeurIPS 2023; the fraction is Laplace's.
pub(crate) fn ln_improvement(u: f64) -> (f64, f64) {
    if u > TAIL {
        let h = density(u) + u * cumulative(u);
        return (libm::log(h), cumulative(u) / h);
    }
    let (c, ratio) = mills(-u);
    (-0.5 * u * u - LN_SQRT_TAU + libm::log(c) + libm::log(ratio), 1.0 / c)
}

/// The quantile function: a rational start, then two steps of Halley's method to full precision.
pub(crate) fn quantile(p: f64) -> f64 {
    if p.is_nan() || p <= 0.0 || p >= 1.0 {
        return if p >= 1.0 {
            f64::INFINITY
        } else if p <= 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::NAN
        };
    }
    // By symmetry only the lower half is computed, where the tail probability itself is accurate.
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    let mut x = start(p);
    for _ in 0..2 {
        let (ln_p, slope) = ln_cumulative(x);
        let error = ln_p - libm::log(p);
        let step = error / slope;
        // The second derivative of ln Phi is -slope (x + slope).
        x -= step / (1.0 + 0.5 * step * (x + slope));
    }
    x
}

/// Abramowitz and Stegun 26.2.23: within 4.5e-4, which Halley's steps then mend.
fn start(p: f64) -> f64 {
    let t = libm::sqrt(-2.0 * libm::log(p));
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    above / below - t
}

/// `ln sum exp`, where nothing but minus infinity gives minus infinity and not NaN.
pub(crate) fn ln_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return top;
    }
    top + libm::log(values.map(|value| libm::exp(value - top)).sum())
}

#[cfg(test)]
#[path = "normal_tests.rs"]
mod tests;

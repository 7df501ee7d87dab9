//! What so many successes in so many trials say of a probability.

/// Halvings of the interval in which a bound lies: more than a double has digits.
const HALVINGS: usize = 60;

/// The probability is at least this, which is wrong in a share `level` of all cases at most.
///
/// The exact bound, not a normal approximation. Source: C. Clopper and E. Pearson, Biometrika 26 (1934).
pub(crate) fn at_least(successes: usize, trials: usize, level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    if successes == 0 {
        return 0.0;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if or_more(successes, trials, middle) < level { low = middle } else { high = middle }
    }
    low
}

/// The probability of so many successes or more.
fn or_more(successes: usize, trials: usize, p: f64) -> f64 {
    let ln_choose = |k: usize| {
        let ln_factorial = |n: usize| libm::lgamma(n as f64 + 1.0);
        ln_factorial(trials) - ln_factorial(k) - ln_factorial(trials - k)
    };
    let (ln_p, ln_q) = (libm::log(p), libm::log1p(-p));
    let term = |k: usize| libm::exp(ln_choose(k) + k as f64 * ln_p + (trials - k) as f64 * ln_q);
    (successes..=trials).rev().map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_tables() {
        // Lower ends of two-sided 95 % intervals (2.5 % below), from the beta distribution.
        for (successes, trials, expected) in
            [(1, 10, 0.002_528_579), (5, 10, 0.187_086_03), (10, 10, 0.691_502_91), (90, 100, 0.823_777_4)]
        {
            let found = at_least(successes, trials, 0.025);
            assert!((found - expected).abs() < 1e-7, "{successes} of {trials}: {found}");
        }
        assert!(at_least(0, 10, 0.025) < f64::MIN_POSITIVE);
    }

    #[test]
    fn with_successes_alone_it_is_a_root_of_the_level() {
        for (trials, level) in [(127, 1e-6), (1_572, 1e-9), (4_096, 0.01)] {
            let expected = libm::pow(level, 1.0 / f64::from(trials));
            let trials = usize::try_from(trials).unwrap_or(0);
            assert!((at_least(trials, trials, level) - expected).abs() < 1e-9);
        }
    }
}

//! The normal functions against values computed with 500 digits, or a long asymptotic series (u = -1000 and beyond).
#![expect(clippy::float_cmp, reason = "a test fails by panicking")]

use super::*;

/// u, ln h(u), ln Phi(u).
const TABLE: [(f64, f64, f64); 10] = [
    (8.0, 2.079_441_541_679_836, -6.220_960_574_271_786e-16),
    (1.0, 0.080_026_218_849_306_94, -0.172_753_779_023_449_9),
    (0.0, -LN_SQRT_TAU, -std::f64::consts::LN_2),
    (-1.0, -2.485_121_025_712_641, -1.841_021_645_009_263_5),
    (-3.99, -11.804_782_584_220_76, -10.317_893_078_460_455),
    (-4.01, -11.893_432_268_584_999, -10.402_405_227_302_365),
    (-10.0, -55.553_122_036_122_36, -53.231_285_150_512_47),
    (-40.0, -808.298_568_356_62, -804.608_442_013_753_8),
    (-1000.0, -500_014.734_452_091_16, -500_007.826_694_812_2),
    (-100_000.0, -5_000_000_023.944_79, -5_000_000_012.431_864),
];

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 4e-14 * (1.0 + expected.abs()), "{found} is not {expected}");
}

#[test]
fn logarithms_are_exact_from_one_tail_to_the_other() {
    for (u, improvement, cumulative) in TABLE {
        close(ln_improvement(u).0, improvement);
        close(ln_cumulative(u).0, cumulative);
    }
}

#[test]
fn derivatives_are_those_of_the_logarithms() {
    for (u, ..) in TABLE {
        let step = 1e-5 * (1.0 + u.abs());
        for function in [ln_improvement, ln_cumulative] {
            let difference = (function(u + step).0 - function(u - step).0) / (2.0 * step);
            let slope = function(u).1;
            assert!((difference - slope).abs() <= 1e-5 * (1.0 + slope.abs()), "at {u}: {slope}, not {difference}");
        }
    }
}

#[test]
fn a_quantile_is_the_inverse_of_the_distribution() {
    for p in [1e-300, 1e-16, 1e-3, 0.2, 0.5, 0.7, 0.999, 1.0 - 1e-12] {
        let back = cumulative(quantile(p));
        assert!((back - p).abs() <= 1e-12 * p, "{p} gives {back}");
    }
    assert!(quantile(f64::NAN).is_nan());
    assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
}

#[test]
fn a_sum_of_nothing_is_minus_infinity_and_never_nan() {
    assert_eq!(ln_sum_exp([].into_iter()), f64::NEG_INFINITY);
    assert_eq!(ln_sum_exp([f64::NEG_INFINITY; 3].into_iter()), f64::NEG_INFINITY);
    close(ln_sum_exp([-1e5, -1e5].into_iter()), -1e5 + std::f64::consts::LN_2);
}

//! The optimiser on functions whose maxima are known, and on ones that misbehave.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::cell::Cell;

use super::*;

fn rosenbrock(x: &[f64]) -> (f64, Vec<f64>) {
    let (a, b) = (x[0], x[1]);
    let value = -(100.0 * (b - a * a).powi(2) + (1.0 - a).powi(2));
    (value, vec![400.0 * a * (b - a * a) + 2.0 * (1.0 - a), -200.0 * (b - a * a)])
}

#[test]
fn a_curved_valley_is_followed_to_its_end() {
    let (x, value) = maximise(&rosenbrock, &[-1.2, 1.0], &[-5.0, -5.0], &[5.0, 5.0], 200).unwrap();
    assert!(value > -1e-8 && (x[0] - 1.0).abs() < 1e-3 && (x[1] - 1.0).abs() < 1e-3, "{x:?}: {value}");
}

#[test]
fn a_maximum_on_the_bounds_is_found_there() {
    // In the box the best point is (0.5, 0.25), on the bound of the first coordinate.
    let (x, _) = maximise(&rosenbrock, &[-1.2, 1.0], &[-2.0, -2.0], &[0.5, 2.0], 200).unwrap();
    assert!((x[0] - 0.5).abs() < f64::EPSILON && (x[1] - 0.25).abs() < 1e-4, "{x:?}");
}

#[test]
fn a_coordinate_without_room_stays() {
    let (x, _) = maximise(&rosenbrock, &[0.7, 0.3], &[0.7, -2.0], &[0.7, 2.0], 200).unwrap();
    assert!((x[0] - 0.7).abs() < f64::EPSILON && (x[1] - 0.49).abs() < 1e-4, "{x:?}");
}

#[test]
fn nan_and_infinity_are_steps_too_far_and_the_search_ends() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let calls = Cell::new(0);
        let cliff = |x: &[f64]| {
            calls.set(calls.get() + 1);
            if x[0] > 0.3 { (bad, vec![bad]) } else { (x[0], vec![1.0]) }
        };
        let (x, _) = maximise(&cliff, &[0.0], &[0.0], &[1.0], 100).unwrap();
        assert!(x[0] > 0.25 && x[0] <= 0.3, "{bad}: {x:?}");
        assert!(calls.get() < 4000, "{} calls", calls.get());
        assert!(maximise(&|_: &[f64]| (bad, vec![0.0]), &[0.5], &[0.0], &[1.0], 100).is_none());
    }
}

#[test]
fn a_gradient_that_lies_ends_the_search_where_it_began() {
    let (x, value) = maximise(&|x: &[f64]| (-x[0], vec![1.0]), &[0.2], &[0.0], &[1.0], 100).unwrap();
    assert!((x[0] - 0.2).abs() < f64::EPSILON && (value + 0.2).abs() < f64::EPSILON);
}

#[test]
fn a_flat_function_is_left_at_once() {
    let calls = Cell::new(0);
    let flat = |_: &[f64]| {
        calls.set(calls.get() + 1);
        (1.0, vec![0.0; 2])
    };
    assert!(maximise(&flat, &[0.2, 0.2], &[0.0; 2], &[1.0; 2], 100).is_some());
    assert_eq!(calls.get(), 1);
}

//! Boxes against brute force, and the expected volume against what is sampled and against differences.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::Front;
use crate::rng::{Source, Stream};

fn points(source: &mut Source, count: usize, objectives: usize) -> Vec<Vec<f64>> {
    (0..count).map(|_| (0..objectives).map(|_| source.normal()).collect()).collect()
}

/// Whether a place lies above the reference and no point dominates it.
fn improves(points: &[Vec<f64>], reference: &[f64], place: &[f64]) -> bool {
    let dominated = points.iter().any(|it| it.iter().zip(place).all(|(own, place)| own >= place));
    place.iter().zip(reference).all(|(place, least)| place > least) && !dominated
}

#[test]
fn the_boxes_are_disjoint_and_cover_what_no_point_dominates() {
    let mut source = Source::new(3, Stream::Random, 0);
    for objectives in 1..=4 {
        for count in [0, 1, 2, 7, 15] {
            let known = points(&mut source, count, objectives);
            let reference = vec![-0.8; objectives];
            let boxes = Front::new(&known, &reference).boxes();
            for place in points(&mut source, 2000, objectives) {
                let within = |it: &&Vec<(f64, f64)>| it.iter().zip(&place).all(|(edge, x)| *x > edge.0 && *x <= edge.1);
                let found = boxes.iter().filter(within).count();
                let expected = usize::from(improves(&known, &reference, &place));
                assert_eq!(found, expected, "{objectives} objectives, {count} points, {place:?}");
            }
        }
    }
}

#[test]
fn the_expected_volume_is_what_sampling_gives() {
    let mut source = Source::new(5, Stream::Random, 0);
    for objectives in 2..=3 {
        let known = points(&mut source, 6, objectives);
        let reference = vec![-1.5; objectives];
        let front = Front::new(&known, &reference);
        let (means, sds) = (vec![0.4; objectives], vec![0.7; objectives]);
        let exact = front.ln_improvement(&means, &sds).0.exp();
        let boxes = front.boxes();
        let mut sum = 0.0;
        let draws = 200_000;
        for _ in 0..draws {
            let drawn: Vec<f64> = means.iter().zip(&sds).map(|(mean, sd)| mean + sd * source.normal()).collect();
            let volume = |it: &Vec<(f64, f64)>| -> f64 {
                it.iter().zip(&drawn).map(|(edge, x)| (x.min(edge.1) - edge.0).max(0.0)).product()
            };
            sum += boxes.iter().map(volume).sum::<f64>();
        }
        let sampled = sum / f64::from(draws);
        assert!((exact / sampled - 1.0).abs() < 0.02, "{objectives}: {exact} and not {sampled}");
    }
}

#[test]
fn with_one_objective_it_is_the_expected_improvement() {
    let front = Front::new(&[vec![0.3], vec![-2.0]], &[-5.0]);
    for (mean, sd) in [(0.0, 1.0), (-3.0, 0.2), (4.0, 0.5)] {
        let (value, by_mean, _) = front.ln_improvement(&[mean], &[sd]);
        let (expected, slope) = crate::normal::ln_improvement((mean - 0.3) / sd);
        assert!((value - expected - sd.ln()).abs() < 1e-9 * (1.0 + value.abs()), "{value}");
        assert!((by_mean[0] - slope / sd).abs() < 1e-9 * (1.0 + by_mean[0].abs()));
    }
}

#[test]
fn the_expected_volume_has_the_gradient_it_says() {
    let mut source = Source::new(8, Stream::Random, 0);
    let known = points(&mut source, 8, 3);
    let front = Front::new(&known, &[-1.0, -1.2, -0.9]);
    for (means, sds) in [([0.2, -0.1, 0.5], [0.3, 0.6, 0.2]), ([-2.0, -2.0, 0.0], [0.4, 0.3, 0.5])] {
        let (_, by_means, by_sds) = front.ln_improvement(&means, &sds);
        for objective in 0..3 {
            let moved = |step: f64, of_sd: bool| {
                let (mut means, mut sds) = (means, sds);
                if of_sd {
                    sds[objective] += step
                } else {
                    means[objective] += step
                }
                front.ln_improvement(&means, &sds).0
            };
            for (of_sd, found) in [(false, by_means[objective]), (true, by_sds[objective])] {
                let expected = (moved(1e-6, of_sd) - moved(-1e-6, of_sd)) / 2e-6;
                assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{found} is not {expected}");
            }
        }
    }
}

#[test]
fn far_below_the_front_it_is_finite_and_orders_points() {
    let front = Front::new(&[vec![1.0, 1.0]], &[0.0, 0.0]);
    let at = |mean: f64| front.ln_improvement(&[mean, mean], &[1e-3, 1e-3]).0;
    assert!(at(-1.0).is_finite() && at(-1.0) < at(-0.5));
    assert!(at(0.9).is_finite());
}

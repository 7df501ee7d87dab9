//! Explanations of functions of which everything is known.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;
use crate::problem::{Measure, Outcome, Point, Space};
use crate::{Bayesian, Memo};

fn problem(parameters: Vec<Parameter>, objectives: usize) -> Problem {
    let space = Space { parameters, ..Space::default() };
    Problem::new(space, objectives)
}

fn real(low: f64, high: f64) -> Parameter {
    Parameter::Real { low, high, log: false }
}

fn observed(point: Vec<f64>, values: &[f64]) -> Row {
    let objectives = values.iter().map(|value| Measure::new(*value)).collect();
    Row { point: Point(point), outcome: Outcome::Observed { objectives, constraints: Vec::new() } }
}

/// So many rows spread over the space.
fn rows(problem: &Problem, count: u64, values: impl Fn(&[f64]) -> Vec<f64>) -> Vec<Row> {
    let frame = Frame::new(&problem.space);
    let sobol = Sobol::new(frame.dimension(), Some(5));
    let row = |index| {
        let point = frame.point(&frame.spread(&sobol.point(index)));
        let values = values(&point.0);
        observed(point.0, &values)
    };
    (0..count).map(row).collect()
}

#[test]
fn shares_of_the_variance_are_those_of_a_sum_and_a_product() {
    // Of a + 2bc, all uniform: Var(a) = 1/12, of the product 7/36; given b alone its mean is b.
    let problem = problem(vec![real(0.0, 1.0); 3], 1);
    let rows = rows(&problem, 60, |x| vec![x[0] + 2.0 * x[1] * x[2]]);
    let found = Bayesian::default().explain(&problem, &rows, &Memo::default(), 1).unwrap();
    for (found, (first, total)) in found.objectives[0].sensitivities.iter().zip([(0.3, 0.3), (0.3, 0.4), (0.3, 0.4)]) {
        assert!((found.first - first).abs() < 0.03 && (found.total - total).abs() < 0.03, "{found:?}: {first} {total}");
    }
    assert!(found.objectives[0].skill > 0.95 && found.objectives[0].coverage > 0.85, "{:?}", found.objectives[0].skill);
}

#[test]
fn a_dependence_is_the_part_that_a_parameter_has_in_a_sum() {
    let parameters =
        vec![real(0.0, 2.0), Parameter::Integer { low: 1, high: 4, log: false }, Parameter::Categorical { choices: 3 }];
    let problem = problem(parameters, 1);
    let of_choice = |choice: f64| {
        if choice < 0.5 {
            0.0
        } else if choice < 1.5 {
            5.0
        } else {
            -2.0
        }
    };
    let rows = rows(&problem, 60, |x| vec![3.0 * x[0] + x[1] + of_choice(x[2])]);
    let found = Bayesian::default().explain(&problem, &rows, &Memo::default(), 1).unwrap();
    let [a, b, c] = found.objectives[0].dependences.as_slice() else { panic!("one a parameter") };
    assert_eq!((a.levels.len(), a.levels[0], a.levels[20]), (21, 0.0, 2.0));
    assert_eq!((b.levels.as_slice(), c.levels.as_slice()), (&[1.0, 2.0, 3.0, 4.0][..], &[0.0, 1.0, 2.0][..]));
    let rise = |it: &Dependence, from: usize, to: usize| it.mean[to] - it.mean[from];
    assert!((rise(a, 0, 20) - 6.0).abs() < 0.2, "{}", rise(a, 0, 20));
    assert!(
        (rise(b, 0, 3) - 3.0).abs() < 0.2 && (rise(c, 0, 1) - 5.0).abs() < 0.2 && (rise(c, 1, 2) + 7.0).abs() < 0.2
    );
    for it in [a, b, c] {
        assert!(it.low.iter().zip(&it.mean).zip(&it.high).all(|((low, mean), high)| low <= mean && mean <= high));
    }
}

#[test]
fn a_reading_is_told_beside_what_was_expected_without_it() {
    let problem = problem(vec![real(0.0, 1.0)], 1);
    let mut rows = rows(&problem, 20, |x| vec![(6.0 * x[0]).sin()]);
    rows.insert(3, Row { point: Point(vec![0.5]), outcome: Outcome::Pending });
    rows[7] = observed(rows[7].point.0.clone(), &[9.0]);
    let found = Bayesian::default().explain(&problem, &rows, &Memo::default(), 1).unwrap();
    let readings = &found.objectives[0].left_out;
    assert_eq!(readings.len(), 20);
    assert!(readings.iter().all(|it| it.row != 3 && it.low <= it.expected && it.expected <= it.high));
    let wild = readings.iter().find(|it| it.row == 7).unwrap();
    assert!((wild.value - 9.0).abs() < 1e-6 && wild.expected.abs() < 3.0, "{wild:?}");
}

#[test]
fn what_was_reached_is_the_best_so_far_or_the_volume_of_the_front() {
    let one = problem(vec![real(0.0, 1.0)], 1);
    let values = [1.0, f64::NAN, 3.0, 2.0];
    let rows: Vec<Row> = values.iter().enumerate().map(|(i, y)| observed(vec![i as f64 / 4.0], &[*y])).collect();
    let found = Bayesian::default().explain(&one, &rows, &Memo::default(), 1).unwrap();
    assert_eq!(found.reached, [Some(1.0), Some(1.0), Some(3.0), Some(3.0)]);
    assert_eq!(found.front, [2]);
    let two = Problem { reference: vec![0.0, 0.0], ..problem(vec![real(0.0, 1.0)], 2) };
    let rows = [
        observed(vec![0.1], &[1.0, 3.0]),
        observed(vec![0.4], &[2.0, 2.0]),
        observed(vec![0.6], &[1.0, 1.0]),
        observed(vec![0.9], &[3.0, 1.0]),
    ];
    let found = Bayesian::default().explain(&two, &rows, &Memo::default(), 1).unwrap();
    assert_eq!(found.front, [0, 1, 3]);
    let expected = [3.0, 5.0, 5.0, 6.0];
    for (found, expected) in found.reached.iter().zip(expected) {
        assert!((found.unwrap() - expected).abs() < 1e-9, "{found:?} is not {expected}");
    }
}

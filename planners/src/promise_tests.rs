//! The promise against differences, with all that goes into it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::frame::Frame;
use crate::memo::Memo;
use crate::model::{Care, Model, Order};
use crate::part::{Part, Without};
use crate::problem::{Measure, Outcome, Parameter, Point, Problem, Row, Space};
use crate::rng::{Source, Stream};
use crate::search::Score as _;

fn problem(objectives: usize, constraints: usize) -> Problem {
    let real = || Parameter::Real { low: -1.0, high: 3.0, log: false };
    let parameters = vec![real(), Parameter::Categorical { choices: 3 }, real()];
    let space = Space { parameters, ..Space::default() };
    Problem { constraints, ..Problem::new(space, objectives) }
}

fn order<'a>(problem: &'a Problem, rows: &'a [Row], without: Without) -> Order<'a> {
    Order { problem, rows, without, care: Care::Plan, seed: 4, beside: None }
}

fn rows(problem: &Problem, count: usize) -> Vec<Row> {
    let mut source = Source::new(11, Stream::Random, 0);
    let row = |index: usize| {
        let (x, z, category) = (4.0 * source.unit() - 1.0, 4.0 * source.unit() - 1.0, source.below(3) as f64);
        let value = |k: usize| Measure::new((x - k as f64).sin() * z.cos() + 0.3 * category + 0.05 * source.normal());
        let objectives = (0..problem.objectives).map(value).collect();
        let constraints = (0..problem.constraints).map(|_| Measure::new(x + z - 2.5)).collect();
        let observed = Outcome::Observed { objectives, constraints };
        let outcome = if index % 7 == 6 { Outcome::Pending } else { observed };
        Row { point: Point(vec![x, category, z]), outcome }
    };
    (0..count).map(row).collect()
}

#[test]
fn the_promise_has_the_gradient_it_says() {
    for (objectives, constraints) in [(1, 0), (1, 2), (2, 0), (3, 1), (5, 0)] {
        let problem = problem(objectives, constraints);
        let rows = rows(&problem, 16);
        let frame = Frame::new(&problem.space);
        let model = Model::fit(&order(&problem, &rows, Without::default()), &frame, &Memo::default()).unwrap();
        let outlook = model.outlook().unwrap();
        let promise = outlook.promise(&rows, 4, 1).unwrap();
        for unit in [[0.31, 1.0, 0.72], [0.02, 0.0, 0.97], [0.6, 2.0, 0.4]] {
            let (value, gradient) = promise.value_and_gradient(&unit);
            assert!((value - promise.value(&unit)).abs() < 1e-12 * (1.0 + value.abs()));
            assert!(gradient[1] == 0.0, "a category has no slope");
            for index in [0, 2] {
                let moved = |step: f64| {
                    let mut moved = unit;
                    moved[index] += step;
                    promise.value(&moved)
                };
                let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                let tolerance = 1e-4 * (1.0 + expected.abs());
                assert!(
                    (gradient[index] - expected).abs() < tolerance,
                    "{objectives} objectives: {gradient:?}, {expected}"
                );
            }
        }
    }
}

#[test]
fn a_corner_that_nothing_is_known_of_promises_less_than_without_the_edge() {
    let problem = problem(1, 0);
    let rows = rows(&problem, 12);
    let frame = Frame::new(&problem.space);
    let fit = |without| Model::fit(&order(&problem, &rows, without), &frame, &Memo::default()).unwrap();
    let (with, without) = (fit(Without::default()), fit(Without::default().and(Part::Edge)));
    let (with, without) = (with.outlook().unwrap(), without.outlook().unwrap());
    let (with, without) = (with.promise(&rows, 4, 1).unwrap(), without.promise(&rows, 4, 1).unwrap());
    let lost = |unit: &[f64]| without.value(unit) - with.value(unit);
    assert!(lost(&[1.0, 0.0, 1.0]) > lost(&[0.5, 0.0, 0.5]) + 1e-3);
    assert!(lost(&[0.5, 0.0, 0.5]).abs() < 1e-9, "the middle loses nothing");
    // What has been measured tells nothing new wherever it is.
    let known = frame.unit(&rows[0].point);
    assert!(lost(&known) < lost(&[1.0, 0.0, 1.0]));
}

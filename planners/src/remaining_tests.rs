//! What is left to gain, on functions that are known; `tests/stopping.rs` has drawn ones.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;
use crate::problem::{Measure, Outcome, Parameter, Point, Space};
use crate::{Bayesian, Planner as _};

fn square() -> Problem {
    let real = || Parameter::Real { low: 0.0, high: 1.0, log: false };
    Problem::new(Space { parameters: vec![real(), real()], ..Space::default() }, 1)
}

fn row(x: &[f64], value: f64) -> Row {
    let outcome = Outcome::Observed { objectives: vec![Measure::new(value)], constraints: Vec::new() };
    Row { point: Point(x.to_vec()), outcome }
}

const QUESTION: StopQuestion = StopQuestion { tolerance: 0.1, confidence: 0.9, tests: 0 };

#[test]
fn a_function_that_is_known_leaves_nothing_and_an_unknown_one_does() {
    let problem = square();
    let value = |x: &[f64]| -(x[0] - 0.3).powi(2) - (x[1] - 0.6).powi(2);
    let grid = (0..25).map(|index| [f64::from(index % 5) / 4.0, f64::from(index / 5) / 4.0]);
    let mut rows: Vec<Row> = grid.map(|x| row(&x, value(&x))).collect();
    rows.push(row(&[0.3, 0.6], 0.0));
    let question = StopQuestion { tolerance: 0.02, confidence: 0.95, tests: 0 };
    let ask = |rows: &[Row], question| Bayesian::default().remaining(&problem, rows, &Memo::default(), 3, question);
    let found = ask(&rows, &question).unwrap();
    assert_eq!((found.row, found.verdict), (25, StopVerdict::Enough), "{found:?}");
    assert!(found.at_least >= found.wanted && found.wanted > 0.95 && found.paths == PATHS[0], "{found:?}");
    assert_eq!(found, ask(&rows, &question).unwrap(), "the same, asked again");
    let early = ask(&rows[..7], &question).unwrap();
    assert_eq!((early.verdict, early.tested), (StopVerdict::MoreToGain, false), "{early:?}");
    assert!(early.expected > 10.0 * found.expected, "{early:?} {found:?}");
    // After many tests the same functions are not enough any more, and more are drawn.
    let late = ask(&rows, &StopQuestion { tests: 1000, ..question }).unwrap();
    assert!(late.paths > found.paths, "{late:?}");
}

#[test]
fn a_pool_a_constraint_and_a_model_that_has_just_changed_are_taken_into_account() {
    let mut problem = square();
    let points: Vec<[f64; 2]> = (0..36).map(|index| [f64::from(index % 6) / 5.0, f64::from(index / 6) / 5.0]).collect();
    problem.space.pool = Some(points.iter().map(|x| Point(x.to_vec())).collect());
    problem.constraints = 1;
    // Better to the right, where it is forbidden.
    let read = |x: &[f64; 2]| Row {
        point: Point(x.to_vec()),
        outcome: Outcome::Observed {
            objectives: vec![Measure::new(x[0] + 0.1 * x[1])],
            constraints: vec![Measure::new(x[0] - 0.7)],
        },
    };
    let tried: Vec<&[f64; 2]> = points.iter().filter(|x| x[0] < 0.9).collect();
    let rows: Vec<Row> = tried.iter().map(|x| read(x)).collect();
    let question = StopQuestion { tolerance: 0.05, confidence: 0.9, tests: 0 };
    let planner = Bayesian::default();
    let (_, mut memo) = planner.suggest(&problem, &rows, &Memo::default(), 1, 1).unwrap();
    memo.surrogates.iter_mut().for_each(|it| it.since = 0);
    let found = planner.remaining(&problem, &rows, &memo, 1, &question).unwrap();
    assert!(tried[found.row][0] < 0.7, "{found:?}");
    assert_eq!(found.verdict, StopVerdict::Enough, "{found:?}");
    memo.surrogates[0].since = rows.len() - 1;
    let young = planner.remaining(&problem, &rows, &memo, 1, &question).unwrap();
    assert_eq!((young.verdict, young.tested), (StopVerdict::Unsettled, false));
}

#[test]
fn questions_without_sense_are_refused() {
    let rows: Vec<Row> = (0..6).map(|index| row(&[f64::from(index) / 5.0, 0.5], f64::from(index))).collect();
    let ask = |problem: &Problem, tolerance, confidence| {
        let question = StopQuestion { tolerance, confidence, tests: 0 };
        Bayesian::default().remaining(problem, &rows, &Memo::default(), 1, &question)
    };
    for (tolerance, confidence) in [(0.0, 0.9), (-1.0, 0.9), (f64::NAN, 0.9), (0.1, 0.999), (0.1, 0.4), (0.1, f64::NAN)]
    {
        assert_eq!(ask(&square(), tolerance, confidence), Err(PlanError::Question));
    }
    let two = Problem { objectives: 2, ..square() };
    let rows: Vec<Row> = Vec::new();
    let asked = Bayesian::default().remaining(&two, &rows, &Memo::default(), 1, &QUESTION);
    assert_eq!(asked, Err(PlanError::OneObjective));
    let asked = Bayesian::default().remaining(&square(), &rows, &Memo::default(), 1, &QUESTION);
    assert_eq!(asked, Err(PlanError::NothingObserved));
}

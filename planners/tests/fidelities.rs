//! A cheap simulator beside the real experiment: used where it tells something, and left where it doesn't.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "a test fails by panicking, and a category is a whole number"
)]

use eutectic_planners::{
    Bayesian, Cost, Fidelity, Measure, Memo, Outcome, Parameter, PlanError, Planner, Point, Problem, Row, Space,
};
use std::sync::Arc;

const SIMULATOR: f64 = 0.0;
const REAL: f64 = 1.0;

#[derive(Debug)]
struct Price;

impl Cost for Price {
    fn cost(&self, point: &Point, _previous: Option<&Point>) -> f64 {
        if point.0[3] == REAL { 1.0 } else { 0.1 }
    }
}

fn truth(x: &[f64]) -> f64 {
    let hill = |centre: [f64; 3], width: f64| {
        (-x.iter().zip(centre).map(|(x, c)| (x - c).powi(2)).sum::<f64>() / (width * width)).exp()
    };
    hill([0.72, 0.31, 0.55], 0.35) + 0.7 * hill([0.2, 0.8, 0.2], 0.25)
}

fn problem(fidelity: bool) -> Problem {
    let real = || Parameter::Real { low: 0.0, high: 1.0, log: false };
    let parameters = vec![real(), real(), real(), Parameter::Categorical { choices: 2 }];
    let fidelity = fidelity.then_some(Fidelity { parameter: 3, real: REAL });
    Problem {
        initial: Some(8),
        cost: fidelity.map(|_| -> Arc<dyn Cost> { Arc::new(Price) }),
        ..Problem::new(Space { parameters, fidelity, ..Space::default() }, 1)
    }
}

/// What is left to gain at what is recommended once so much has been spent, and how many of the readings were simulated.
fn campaign(problem: &Problem, simulated: impl Fn(&[f64]) -> f64, seed: u64, budget: f64) -> (f64, usize, usize) {
    let planner = Bayesian::default();
    let (mut rows, mut memo, mut spent) = (Vec::<Row>::new(), Memo::default(), 0.0);
    while spent < budget {
        let (suggestions, next) = planner.suggest(problem, &rows, &memo, seed, 1).unwrap();
        memo = next;
        for it in suggestions {
            let mut point = it.point;
            if problem.space.fidelity.is_none() {
                point.0[3] = REAL;
            }
            spent += Price.cost(&point, None);
            let x = &point.0[..3];
            let value = if point.0[3] == REAL { truth(x) } else { simulated(x) };
            let outcome = Outcome::Observed { objectives: vec![Measure::new(value)], constraints: Vec::new() };
            rows.push(Row { point, outcome });
        }
    }
    let best = planner.recommend(problem, &rows, &memo, seed).unwrap();
    assert_eq!(rows[best.row].point.0[3], REAL, "the answer is a real one");
    let cheap = rows.iter().filter(|row| row.point.0[3] == SIMULATOR).count();
    (1.0 - truth(&rows[best.row].point.0[..3]), cheap, rows.len())
}

#[test]
fn a_simulator_that_is_nearly_right_finds_more_for_the_same_cost() {
    let simulated = |x: &[f64]| 0.9 * truth(&[x[0] + 0.03, x[1] - 0.02, x[2]]) + 0.05 * x[2];
    let mean = |fidelity: bool| {
        let ended: Vec<_> = (0..5).map(|seed| campaign(&problem(fidelity), simulated, seed, 14.0)).collect();
        let cheap: usize = ended.iter().map(|it| it.1).sum();
        (ended.iter().map(|it| it.0).sum::<f64>() / 5.0, cheap)
    };
    let ((alone, _), (both, cheap)) = (mean(false), mean(true));
    assert!(cheap > 30, "{cheap} simulated");
    assert!(both < 0.7 * alone, "{both} with the simulator, {alone} without");
}

#[test]
fn a_simulator_that_tells_nothing_is_left_and_costs_little() {
    let simulated = |x: &[f64]| (17.0 * x[0]).sin() + (23.0 * x[1] + 11.0 * x[2]).cos();
    let mean = |fidelity: bool| {
        let ended: Vec<_> = (0..5).map(|seed| campaign(&problem(fidelity), simulated, seed, 18.0)).collect();
        ended.iter().map(|it| it.0).sum::<f64>() / 5.0
    };
    let (alone, both) = (mean(false), mean(true));
    assert!(both < 1.5 * alone + 0.03, "{both} with the simulator, {alone} without");
}

#[test]
fn a_fidelity_that_can_not_be_is_refused() {
    let mut wrong = problem(true);
    let refused = |problem: &Problem| matches!(problem.check(&[]), Err(PlanError::Parameter { .. }));
    wrong.space.fidelity = Some(Fidelity { parameter: 0, real: 1.0 });
    assert!(refused(&wrong), "a real number");
    wrong.space.fidelity = Some(Fidelity { parameter: 3, real: 2.0 });
    assert!(refused(&wrong), "a value that it can't have");
    wrong.space.fidelity = Some(Fidelity { parameter: 9, real: 0.0 });
    assert!(refused(&wrong), "a parameter that isn't there");
}

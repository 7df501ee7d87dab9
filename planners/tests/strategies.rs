//! What points cost, and Thompson sampling.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use eutectic_planners::{
    Bayesian, Cost, Measure, Memo, Outcome, Parameter, Planner, Point, Problem, Row, Space, Strategy,
};
use std::sync::Arc;

/// Hot is dear, and so is another solvent than the last one.
#[derive(Debug)]
struct Bill;

impl Cost for Bill {
    fn cost(&self, point: &Point, previous: Option<&Point>) -> f64 {
        let washed = previous.is_some_and(|it| (it.0[1] - point.0[1]).abs() > 0.5);
        1.0 + 20.0 * point.0[0] + if washed { 10.0 } else { 0.0 }
    }
}

fn problem(cost: Option<Arc<dyn Cost>>) -> Problem {
    let parameters = vec![Parameter::Real { low: 0.0, high: 1.0, log: false }, Parameter::Categorical { choices: 3 }];
    Problem { cost, ..Problem::new(Space { parameters, ..Space::default() }, 1) }
}

/// Two hills of the same height in every solvent.
fn value(point: &Point) -> f64 {
    let hill = |centre: f64| (-((point.0[0] - centre) / 0.12).powi(2)).exp();
    hill(0.2) + hill(0.8) + 0.05 * point.0[1]
}

fn campaign(planner: &Bayesian, problem: &Problem, seed: u64, budget: usize) -> Vec<Row> {
    let (mut rows, mut memo) = (Vec::<Row>::new(), Memo::default());
    while rows.len() < budget {
        let (suggestions, next) = planner.suggest(problem, &rows, &memo, seed, 1).unwrap();
        memo = next;
        rows.extend(suggestions.into_iter().map(|it| {
            let objectives = vec![Measure::new(value(&it.point))];
            Row { point: it.point, outcome: Outcome::Observed { objectives, constraints: Vec::new() } }
        }));
    }
    rows
}

fn best(rows: &[Row]) -> f64 {
    rows.iter().map(|row| value(&row.point)).fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn what_promises_as_much_for_less_is_tried_first() {
    let bill = |rows: &[Row]| -> f64 {
        let pairs = rows.iter().enumerate().skip(5);
        pairs.map(|(index, row)| Bill.cost(&row.point, Some(&rows[index - 1].point))).sum()
    };
    let (mut free, mut priced) = (0.0, 0.0);
    for seed in 0..4 {
        let planner = Bayesian::default();
        let (without, with) = (
            campaign(&planner, &problem(None), seed, 25),
            campaign(&planner, &problem(Some(Arc::new(Bill))), seed, 25),
        );
        assert!(best(&with) > 1.0, "and a good one is found all the same: {}", best(&with));
        (free, priced) = (free + bill(&without), priced + bill(&with));
    }
    assert!(priced < 0.9 * free, "{priced} where costs count, {free} where they don't");
}

#[test]
fn thompson_sampling_finds_the_hill_and_is_the_same_again() {
    let planner = Bayesian { strategy: Strategy::Thompson, ..Bayesian::default() };
    for seed in 0..3 {
        let rows = campaign(&planner, &problem(None), seed, 30);
        assert!(best(&rows) > 1.05, "{}", best(&rows));
        assert_eq!(rows, campaign(&planner, &problem(None), seed, 30));
    }
    assert_ne!(
        campaign(&planner, &problem(None), 1, 9),
        campaign(&Bayesian::default(), &problem(None), 1, 9),
        "another strategy"
    );
}

#[test]
fn thompson_sampling_keeps_to_drawn_constraints_and_pools() {
    let planner = Bayesian { strategy: Strategy::Thompson, ..Bayesian::default() };
    let mut problem = Problem { constraints: 1, ..problem(None) };
    let points: Vec<Point> =
        (0..90).map(|index| Point(vec![f64::from(index / 3) / 29.0, f64::from(index % 3)])).collect();
    problem.space.pool = Some(points.clone());
    let (mut rows, mut memo) = (Vec::<Row>::new(), Memo::default());
    for _ in 0..30 {
        let (suggestions, next) = planner.suggest(&problem, &rows, &memo, 2, 1).unwrap();
        memo = next;
        let point = suggestions[0].point.clone();
        assert!(points.contains(&point) && rows.iter().all(|row| row.point != point));
        let constraints = vec![Measure::new(point.0[0] - 0.5)];
        let outcome = Outcome::Observed { objectives: vec![Measure::new(value(&point))], constraints };
        rows.push(Row { point, outcome });
    }
    let late = rows.iter().skip(12).filter(|row| row.point.0[0] <= 0.5).count();
    assert!(late >= 12, "{late} of 18 keep to the constraint");
}

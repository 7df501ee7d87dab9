//! What the Bayesian planner promises to whoever calls it, on problems small enough to run in a debug build.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use eutectic_planners::{
    Bayesian, Measure, Memo, Outcome, Parameter, PlanError, Planner, Point, Problem, Random, Reason, Region, Row,
    Space, Suggestion,
};
use proptest::prelude::*;

fn real(low: f64, high: f64) -> Parameter {
    Parameter::Real { low, high, log: false }
}

fn problem(parameters: Vec<Parameter>, constraints: usize) -> Problem {
    let space = Space { parameters, ..Space::default() };
    Problem { constraints, ..Problem::new(space, 1) }
}

fn read(objective: f64, constraints: &[f64]) -> Outcome {
    let measures = |values: &[f64]| values.iter().map(|value| Measure::new(*value)).collect();
    Outcome::Observed { objectives: measures(&[objective]), constraints: measures(constraints) }
}

/// Runs a campaign of single suggestions and returns its rows, suggestions and last memo.
fn campaign(
    problem: &Problem,
    experiments: usize,
    seed: u64,
    outcome: impl Fn(&Point) -> Outcome,
) -> (Vec<Row>, Vec<Suggestion>, Memo) {
    let (mut rows, mut made, mut memo) = (Vec::new(), Vec::new(), Memo::default());
    while rows.len() < experiments {
        let (suggestions, next) = Bayesian::default().suggest(problem, &rows, &memo, seed, 1).unwrap();
        memo = next;
        for suggestion in suggestions {
            assert!(problem.space.contains(&suggestion.point), "{suggestion:?}");
            rows.push(Row { point: suggestion.point.clone(), outcome: outcome(&suggestion.point) });
            made.push(suggestion);
        }
    }
    (rows, made, memo)
}

fn branin(point: &Point) -> f64 {
    use std::f64::consts::PI;
    let (x, y) = (point.0[0], point.0[1]);
    let bend = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    bend * bend + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
}

#[test]
fn a_smooth_function_is_minimised_far_below_random_search() {
    let problem = problem(vec![real(-5.0, 10.0), real(0.0, 15.0)], 0);
    let (rows, _, memo) = campaign(&problem, 30, 1, |point| read(-branin(point), &[]));
    let answer = Bayesian::default().recommend(&problem, &rows, &memo, 1).unwrap();
    let found = branin(&rows[answer.row].point);
    assert!(found < 0.397_888 + 0.02, "{found}");
    // Of a thousand random points the best is worse.
    let (random, _) = Random.suggest(&problem, &[], &Memo::default(), 1, 1000).unwrap();
    let least = random.iter().map(|suggestion| branin(&suggestion.point)).fold(f64::INFINITY, f64::min);
    assert!(found < least, "{found} against {least}");
}

#[test]
fn the_same_arguments_give_the_same_bits_and_a_stored_memo_changes_none() {
    let problem = problem(vec![real(0.0, 1.0), Parameter::Integer { low: 0, high: 9, log: false }], 1);
    let outcome = |point: &Point| read(-(point.0[0] - 0.3).powi(2) - (point.0[1] - 4.0).abs(), &[point.0[0] - 0.5]);
    let (rows, made, memo) = campaign(&problem, 12, 5, outcome);
    let (again, _, _) = campaign(&problem, 12, 5, outcome);
    assert_eq!(rows, again);
    let stored: Memo = serde_json::from_str(&serde_json::to_string(&memo).unwrap()).unwrap();
    assert_eq!(
        Bayesian::default().suggest(&problem, &rows, &memo, 5, 3).unwrap(),
        Bayesian::default().suggest(&problem, &rows, &stored, 5, 3).unwrap()
    );
    let (other, _, _) = campaign(&problem, 12, 6, outcome);
    assert_ne!(rows, other);
    // Resumed from its rows and its memo, the last suggestion is made again.
    let (_, _, before) = campaign(&problem, 11, 5, outcome);
    let (resumed, _) = Bayesian::default().suggest(&problem, &rows[..11], &before, 5, 1).unwrap();
    assert_eq!(resumed[0], made[11]);
}

#[test]
fn the_memo_is_part_of_the_arguments() {
    let problem = problem(vec![real(0.0, 1.0); 3], 0);
    let outcome = |point: &Point| read((5.0 * point.0[0]).sin() * point.0[1] - point.0[2].powi(2), &[]);
    let (rows, _, memo) = campaign(&problem, 12, 2, outcome);
    let suggest = |memo: &Memo| Bayesian::default().suggest(&problem, &rows, memo, 2, 1).unwrap().0;
    // A fit of so many rows stands; another one gives other points.
    let mut standing = memo;
    standing.surrogates[0].fitted_at = rows.len();
    let mut other = standing.clone();
    other.surrogates[0].ln_lengthscales.iter_mut().for_each(|it| *it -= 2.0);
    assert_ne!(suggest(&standing), suggest(&other), "a planner that ignored its memo would pass every other test");
}

#[test]
fn a_memo_of_a_later_version_is_refused() {
    let problem = problem(vec![real(0.0, 1.0)], 0);
    let memo = Memo { version: 99, ..Memo::default() };
    assert_eq!(
        Bayesian::default().suggest(&problem, &[], &memo, 0, 1).unwrap_err(),
        PlanError::MemoVersion { found: 99, known: eutectic_planners::MEMO_VERSION }
    );
}

#[test]
fn the_answer_is_feasible_by_the_model_and_not_the_luckiest_reading() {
    // The luckiest reading is at 0.101, where the truth is poor; the constraint forbids what lies right of 0.6.
    let problem = problem(vec![real(0.0, 1.0)], 1);
    let row = |x: f64, value: f64| Row { point: Point(vec![x]), outcome: read(value, &[x - 0.6]) };
    let mut rows: Vec<Row> =
        (0..40).map(|k| f64::from(k) / 40.0).map(|x| row(x, -(x - 0.4).powi(2) + 0.03 * (500.0 * x).sin())).collect();
    rows.push(row(0.101, 0.06));
    rows.push(row(0.9, 0.5));
    let answer = Bayesian::default().recommend(&problem, &rows, &Memo::default(), 0).unwrap();
    let x = rows[answer.row].point.0[0];
    assert!((x - 0.4).abs() < 0.15, "the answer is {x}");
    assert!(answer.p_feasible.unwrap() > 0.5);
}

#[test]
fn where_nothing_comes_near_to_feasible_the_answer_is_what_comes_nearest() {
    let problem = problem(vec![real(0.0, 1.0)], 1);
    let row = |x: f64| Row { point: Point(vec![x]), outcome: read(-x, &[20.0 - x]) };
    let rows: Vec<Row> = (0..=8).map(|k| row(f64::from(k) / 8.0)).collect();
    let answer = Bayesian::default().recommend(&problem, &rows, &Memo::default(), 0).unwrap();
    assert_eq!(
        (answer.row, answer.p_feasible),
        (8, Some(0.0)),
        "all are so unlikely that their probability is no number"
    );
}

#[test]
fn a_failing_recipe_is_learnt_from() {
    let problem = problem(vec![real(0.0, 1.0), real(0.0, 1.0)], 0);
    // Everything above 0.6 fails, near the best point.
    let outcome =
        |point: &Point| if point.0[0] > 0.6 { Outcome::Failed } else { read(-(point.0[0] - 0.5).powi(2), &[]) };
    let (rows, made, memo) = campaign(&problem, 24, 3, outcome);
    let late = rows[12..].iter().filter(|row| row.outcome == Outcome::Failed).count();
    assert!(late <= 3, "{late} of 12 late recipes still fail");
    assert!(made.last().unwrap().p_feasible.is_some());
    let answer = Bayesian::default().recommend(&problem, &rows, &memo, 3).unwrap();
    assert!((rows[answer.row].point.0[0] - 0.5).abs() < 0.02, "{:?}", rows[answer.row]);
}

#[test]
fn pending_points_and_a_batch_spread_out() {
    let problem = problem(vec![real(0.0, 1.0), real(0.0, 1.0)], 0);
    let outcome = |point: &Point| read(-(point.0[0] - 0.3).powi(2) - (point.0[1] - 0.7).powi(2), &[]);
    let (mut rows, _, memo) = campaign(&problem, 8, 4, outcome);
    let (batch, _) = Bayesian::default().suggest(&problem, &rows, &memo, 4, 4).unwrap();
    let distance = |a: &Point, b: &Point| a.0.iter().zip(&b.0).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    for (index, a) in batch.iter().enumerate() {
        assert!(batch[..index].iter().all(|b| distance(&a.point, &b.point) > 1e-3), "{batch:?}");
    }
    rows.push(Row { point: batch[0].point.clone(), outcome: Outcome::Pending });
    let (next, _) = Bayesian::default().suggest(&problem, &rows, &memo, 4, 1).unwrap();
    assert!(distance(&next[0].point, &batch[0].point) > 1e-3, "{next:?} while {:?} is under way", batch[0]);
}

#[test]
fn categories_and_integers_are_searched_together() {
    let parameters = vec![
        Parameter::Categorical { choices: 5 },
        Parameter::Integer { low: -3, high: 12, log: false },
        real(0.1, 10.0),
    ];
    let problem = problem(parameters, 0);
    let value = |point: &Point| {
        let base = [0.0, 1.0, 3.0, 0.5, 2.0][point.0[0] as usize];
        base - 0.1 * (point.0[1] - 7.0).powi(2) - (point.0[2] - 2.0).abs()
    };
    let (rows, _, _) = campaign(&problem, 35, 0, |point| read(value(point), &[]));
    let best = rows.iter().map(|row| value(&row.point)).fold(f64::NEG_INFINITY, f64::max);
    assert!(best > 2.8, "{best}");
}

#[test]
fn a_pool_is_proposed_from_once_each_until_it_is_empty() {
    let mut problem = problem(vec![real(0.0, 1.0), real(0.0, 1.0)], 0);
    let pool: Vec<Point> = (0..12).map(|k| Point(vec![f64::from(k % 4) / 3.0, f64::from(k / 4) / 2.0])).collect();
    problem.space.pool = Some(pool.clone());
    let (rows, ..) = campaign(&problem, 12, 0, |point| read(point.0[0] * point.0[1], &[]));
    let mut seen: Vec<_> = rows.iter().map(|row| row.point.0.iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 12);
    assert!(rows.iter().all(|row| pool.contains(&row.point)));
    assert_eq!(Bayesian::default().suggest(&problem, &rows, &Memo::default(), 0, 1).unwrap_err(), PlanError::Exhausted);
}

#[test]
fn several_objectives_are_led_by_the_volume_of_their_front() {
    let mut problem = problem(vec![real(0.0, 1.0)], 0);
    problem.objectives = 2;
    let outcome = |point: &Point| Outcome::Observed {
        objectives: vec![Measure::new(-point.0[0].powi(2)), Measure::new(-(point.0[0] - 1.0).powi(2))],
        constraints: Vec::new(),
    };
    let (rows, made, _) = campaign(&problem, 20, 0, outcome);
    assert_eq!(made.last().unwrap().objectives.len(), 2);
    let late: Vec<f64> = rows[8..].iter().map(|row| row.point.0[0]).collect();
    let (low, high) = (late.iter().copied().fold(1.0, f64::min), late.iter().copied().fold(0.0, f64::max));
    assert!(high - low > 0.3, "the front is explored from end to end: {late:?}");
}

#[test]
fn more_objectives_than_volumes_are_made_for_are_led_by_random_weights() {
    let mut problem = problem(vec![real(0.0, 1.0), real(0.0, 1.0)], 0);
    problem.objectives = 5;
    let outcome = |point: &Point| {
        let from = |place: f64| Measure::new(-(point.0[0] - place).powi(2) - 0.1 * point.0[1]);
        Outcome::Observed { objectives: [0.0, 0.25, 0.5, 0.75, 1.0].map(from).to_vec(), constraints: Vec::new() }
    };
    let (rows, made, _) = campaign(&problem, 16, 0, outcome);
    assert_eq!(made.last().unwrap().objectives.len(), 5);
    let last: Vec<f64> = rows[12..].iter().map(|row| row.point.0[1]).collect();
    assert!(last.iter().all(|it| *it < 0.5), "what is worse in all of them is left alone: {last:?}");
}

#[derive(Debug)]
struct Below(f64);

impl Region for Below {
    fn margin(&self, point: &Point) -> f64 {
        point.0[0] + point.0[1] - self.0
    }
}

#[test]
fn an_optimum_on_a_regions_border_is_found() {
    let mut problem = problem(vec![real(0.0, 1.0), real(0.0, 1.0)], 0);
    problem.space.regions.push(Arc::new(Below(0.8)));
    // The gradient leads out of the region; on its border the best is (0.55, 0.25).
    let value = |point: &Point| point.0[0] + point.0[1] - 4.0 * (point.0[0] - point.0[1] - 0.3).powi(2);
    let (rows, made, _) = campaign(&problem, 20, 0, |point| read(value(point), &[]));
    let best = rows.iter().map(|row| value(&row.point)).fold(f64::NEG_INFINITY, f64::max);
    assert!(best > 0.79, "{best}");
    assert!(made.iter().any(|suggestion| suggestion.reason == Reason::Improve));
}

/// Values as instruments and people send them.
fn strange() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10.0..10.0,
        1 => Just(0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(1e300),
        1 => Just(-1e300),
        1 => Just(1e-300),
    ]
}

fn parameter() -> impl Strategy<Value = Parameter> {
    prop_oneof![
        (-10.0..10.0, 0.0..5.0).prop_map(|(low, width)| real(low, low + width)),
        Just(real(2.0, 2.0)),
        Just(Parameter::Real { low: 1e-9, high: 1e9, log: true }),
        Just(real(-1e300, 1e300)),
        (-5i64..5, 0i64..30).prop_map(|(low, width)| Parameter::Integer { low, high: low + width, log: false }),
        Just(Parameter::Integer { low: 1, high: 1000, log: true }),
        (1usize..5).prop_map(|choices| Parameter::Categorical { choices }),
        Just(Parameter::Levels { values: vec![-3.0, 0.5, 40.0], log: false }),
        Just(Parameter::Levels { values: vec![0.001, 1.0, 2.0, 5000.0], log: true }),
    ]
}

#[derive(Debug)]
struct FirstBelowMiddle(Parameter);

impl Region for FirstBelowMiddle {
    fn margin(&self, point: &Point) -> f64 {
        match &self.0 {
            Parameter::Levels { values, .. } => point.0[0] - values[values.len() / 2],
            Parameter::Real { low, high, .. } => point.0[0] - (low / 2.0 + high / 2.0),
            Parameter::Integer { low, high, .. } => point.0[0] - (*low as f64 + *high as f64) / 2.0,
            Parameter::Categorical { choices } => point.0[0] - *choices as f64 / 2.0,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn nothing_makes_it_panic_or_leave_the_space(
        parameters in proptest::collection::vec(parameter(), 1..4),
        readings in proptest::collection::vec((strange(), strange(), 0u8..8, proptest::option::of(strange())), 0..14),
        region in any::<bool>(),
        objectives in 1usize..6,
        constraints in 0usize..2,
        seed in any::<u64>(),
    ) {
        let mut problem = problem(parameters, constraints);
        problem.objectives = objectives;
        problem.initial = Some(4);
        if region {
            problem.space.regions.push(Arc::new(FirstBelowMiddle(problem.space.parameters[0].clone())));
        }
        let (points, _) = Random.suggest(&problem, &[], &Memo::default(), seed, readings.len() / 2 + 1).unwrap();
        let outcome = |(objective, constraint, kind, sd): (f64, f64, u8, Option<f64>)| match kind {
            0 => Outcome::Failed,
            1 => Outcome::Pending,
            _ => Outcome::Observed {
                objectives: (0..objectives)
                    .map(|index| Measure { value: if index % 2 == 0 { objective } else { -constraint }, sd })
                    .collect(),
                constraints: vec![Measure { value: constraint, sd }; constraints],
            },
        };
        // Every point twice: repeats make a covariance singular.
        let points = points.iter().cycle();
        let rows: Vec<Row> = readings.into_iter().zip(points)
            .map(|(reading, suggestion)| Row { point: suggestion.point.clone(), outcome: outcome(reading) })
            .collect();
        let (suggestions, memo) = Bayesian::default().suggest(&problem, &rows, &Memo::default(), seed, 2).unwrap();
        prop_assert_eq!(suggestions.len(), 2);
        for suggestion in &suggestions {
            prop_assert!(problem.space.contains(&suggestion.point), "{:?}", suggestion);
        }
        prop_assert!(serde_json::to_string(&memo).unwrap().len() < eutectic_planners::MEMO_MAX_BYTES);
        // With its memo, a fit stands.
        let (again, _) = Bayesian::default().suggest(&problem, &rows, &memo, seed, 1).unwrap();
        prop_assert!(problem.space.contains(&again[0].point), "{:?}", again);
        let _ = Bayesian::default().recommend(&problem, &rows, &memo, seed);
    }
}

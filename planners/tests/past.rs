//! Past campaigns: one that is like this one helps, and no other one hurts much.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use eutectic_planners::{
    Bayesian, MAX_PAST, MEMO_MAX_BYTES, Measure, Memo, Outcome, Parameter, PlanError, Planner, Point, Problem, Random,
    Reason, Row, Space,
};

/// A hill with a ridge and a lower hill beside it, in four parameters; at most 0.
fn truth(x: &[f64]) -> f64 {
    let hill = |centre: [f64; 4], width: f64| {
        (-x.iter().zip(centre).map(|(x, c)| (x - c).powi(2)).sum::<f64>() / (width * width)).exp()
    };
    hill([0.7, 0.3, 0.6, 0.4], 0.45) + 0.6 * hill([0.2, 0.8, 0.3, 0.7], 0.3) - 1.0
}

fn problem(past: Vec<Vec<Row>>) -> Problem {
    let real = || Parameter::Real { low: 0.0, high: 1.0, log: false };
    let space = Space { parameters: vec![real(), real(), real(), real()], ..Space::default() };
    Problem { past, ..Problem::new(space, 1) }
}

fn row(point: Point, value: f64) -> Row {
    let outcome = Outcome::Observed { objectives: vec![Measure::new(value)], constraints: Vec::new() };
    Row { point, outcome }
}

/// Sixty points of another campaign.
fn source(seed: u64, value: impl Fn(&[f64]) -> f64) -> Vec<Row> {
    let (points, _) = Random.suggest(&problem(Vec::new()), &[], &Memo::default(), seed, 60).unwrap();
    points.into_iter().map(|it| row(it.point.clone(), value(&it.point.0))).collect()
}

/// What is left to gain on the mean over a campaign of so many experiments, and the weights at its end.
fn campaign(past: Vec<Vec<Row>>, seed: u64, budget: usize) -> (f64, Vec<Vec<f64>>) {
    let (problem, planner) = (problem(past), Bayesian::default());
    let (mut rows, mut memo, mut best, mut sum) = (Vec::<Row>::new(), Memo::default(), f64::NEG_INFINITY, 0.0);
    while rows.len() < budget {
        let (suggestions, next) = planner.suggest(&problem, &rows, &memo, seed, 1).unwrap();
        assert!(serde_json::to_vec(&next).unwrap().len() < MEMO_MAX_BYTES);
        memo = next;
        for suggestion in suggestions {
            let value = truth(&suggestion.point.0);
            best = f64::max(best, value);
            sum += -best;
            rows.push(row(suggestion.point, value));
        }
    }
    let weights = planner.explain(&problem, &rows, &memo, seed).unwrap().past;
    (sum / budget as f64, weights)
}

fn mean(past: impl Fn(u64) -> Vec<Vec<Row>>) -> (f64, Vec<Vec<Vec<f64>>>) {
    let ended: Vec<_> = (0..5).map(|seed| campaign(past(seed), seed, 20)).collect();
    (ended.iter().map(|it| it.0).sum::<f64>() / 5.0, ended.into_iter().map(|it| it.1).collect())
}

#[test]
fn a_past_campaign_like_this_one_helps_and_a_misleading_one_is_left_out() {
    let alike = |seed: u64| source(90 + seed, |x| 40.0 + 25.0 * truth(x) + 2.0 * x[0]);
    let opposite = |seed: u64| source(70 + seed, |x| -truth(x));
    let unrelated = |seed: u64| source(50 + seed, |x| (13.0 * x[0] * x[1]).sin() + (9.0 * x[2]).cos());
    let (cold, _) = mean(|_| Vec::new());
    let (warm, weights) = mean(|seed| vec![alike(seed)]);
    assert!(warm < 0.6 * cold, "{warm} with a past campaign, {cold} without");
    assert!(weights.iter().all(|it| it[0][0] > 0.3), "{weights:?}");
    let (misled, weights) = mean(|seed| vec![opposite(seed), unrelated(seed)]);
    assert!(misled < 1.3 * cold, "{misled} misled, {cold} without");
    assert!(weights.iter().all(|it| it[0][0] < 0.1), "the opposite counts nothing: {weights:?}");
    let (mixed, weights) = mean(|seed| vec![opposite(seed), alike(seed), unrelated(seed)]);
    assert!(mixed < 0.8 * cold, "{mixed} with one of three alike, {cold} without");
    assert!(weights.iter().all(|it| it[1][0] > it[0][0] && it[1][0] > it[2][0]), "{weights:?}");
}

#[test]
fn good_points_of_the_past_are_among_the_first() {
    let problem = problem(vec![source(1, truth), source(2, |x| -truth(x))]);
    let (points, _) = Bayesian::default().suggest(&problem, &[], &Memo::default(), 4, 8).unwrap();
    let past = points.iter().filter(|it| it.reason == Reason::Past).count();
    assert_eq!((past, points.len()), (2, 8), "a third of the design at most");
    let one_by_one = (0..2).map(|known| {
        let rows: Vec<Row> = points[..known].iter().map(|it| row(it.point.clone(), truth(&it.point.0))).collect();
        Bayesian::default().suggest(&problem, &rows, &Memo::default(), 4, 1).unwrap().0.remove(0).point
    });
    assert_eq!(one_by_one.collect::<Vec<_>>(), [points[0].point.clone(), points[1].point.clone()]);
}

#[test]
fn a_past_that_does_not_fit_is_refused() {
    let mut wrong = source(1, truth);
    wrong[3].point.0.pop();
    let refused = problem(vec![wrong]).check(&[]);
    assert!(matches!(refused, Err(PlanError::Row { row: 3, .. })), "{refused:?}");
    let many = problem(vec![Vec::new(); MAX_PAST + 1]).check(&[]);
    assert_eq!(many, Err(PlanError::Past { count: MAX_PAST + 1 }));
}

#[test]
fn a_past_of_any_numbers_is_no_fault() {
    let own: Vec<Row> = source(3, truth).into_iter().take(8).collect();
    let odd: [fn(usize) -> f64; 6] = [
        |_| 1.0,
        |place| if place % 3 == 0 { f64::NAN } else { place as f64 },
        |place| if place % 5 == 0 { f64::INFINITY } else { -(place as f64) },
        |place| 1e300 * (place as f64 - 20.0),
        |place| 1e-300 * place as f64,
        |place| if place == 0 { -1e308 } else { place as f64 },
    ];
    for (number, odd) in odd.into_iter().enumerate() {
        let mut past = source(5, truth);
        for (place, row) in past.iter_mut().enumerate() {
            let measure = Measure { value: odd(place), sd: (place % 2 == 0).then_some(1e200) };
            row.outcome = Outcome::Observed { objectives: vec![measure], constraints: Vec::new() };
        }
        let problem = problem(vec![past]);
        let (points, memo) = Bayesian::default().suggest(&problem, &own, &Memo::default(), 1, 2).unwrap();
        let inside = |it: &eutectic_planners::Suggestion| it.point.0.iter().all(|x| (0.0..=1.0).contains(x));
        assert!(points.len() == 2 && points.iter().all(inside), "past {number}: {points:?}");
        let (again, _) = Bayesian::default().suggest(&problem, &own, &memo, 1, 2).unwrap();
        assert!(again.iter().all(inside), "past {number} with a memo: {again:?}");
    }
}

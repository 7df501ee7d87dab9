//! What other planners have fallen into, each as a test; the names in brackets are where it was seen.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use eutectic_planners::{
    Bayesian, Measure, Memo, Outcome, Parameter, Planner, Point, Problem, Reason, Row, Space, Suggestion,
};

fn real() -> Parameter {
    Parameter::Real { low: 0.0, high: 1.0, log: false }
}

fn problem(parameters: Vec<Parameter>) -> Problem {
    Problem::new(Space { parameters, ..Space::default() }, 1)
}

fn row(x: &[f64], y: f64) -> Row {
    let outcome = Outcome::Observed { objectives: vec![Measure::new(y)], constraints: Vec::new() };
    Row { point: Point(x.to_vec()), outcome }
}

fn suggest(problem: &Problem, rows: &[Row], count: usize) -> (Vec<Suggestion>, Memo) {
    let (found, memo) = Bayesian::default().suggest(problem, rows, &Memo::default(), 5, count).unwrap();
    for it in &found {
        assert!(problem.space.contains(&it.point), "{:?}", it.point);
        assert!(it.objectives.iter().all(|at| at.mean.is_finite() && at.sd.is_finite()), "{:?}", it.objectives);
    }
    (found, memo)
}

/// Rows spread over the unit square.
fn spread(count: u32, y: impl Fn(f64, f64) -> f64) -> Vec<Row> {
    let at = |index: u32| ((f64::from(index) * 0.754_877).fract(), (f64::from(index) * 0.569_84).fract());
    (1..=count).map(at).map(|(a, b)| row(&[a, b], y(a, b))).collect()
}

fn bump(a: f64, b: f64) -> f64 {
    (-((a - 0.4).powi(2) + (b - 0.6).powi(2)) / 0.1).exp()
}

#[test]
fn thirty_readings_of_one_point_are_no_singular_matrix() {
    // [Ax 308, 228; botorch 926, 1429]
    let mut rows = spread(6, bump);
    rows.extend((0..30).map(|index| row(&[0.4, 0.6], 1.0 + 1e-3 * f64::from(index % 3))));
    let (found, _) = suggest(&problem(vec![real(), real()]), &rows, 4);
    assert!(found.iter().all(|it| it.reason != Reason::Spread), "a model stands behind it: {found:?}");
}

#[test]
fn a_zero_with_a_sign_is_the_same_candidate() {
    // [Ax 3550]
    let mut problem = problem(vec![real(), real()]);
    problem.space.pool = Some(vec![Point(vec![0.0, 0.5]), Point(vec![0.3, 0.5]), Point(vec![0.3, 0.5])]);
    let (found, _) = suggest(&problem, &[row(&[-0.0, 0.5], 1.0)], 3);
    assert_eq!(found.iter().map(|it| it.point.clone()).collect::<Vec<_>>(), [Point(vec![0.3, 0.5])]);
}

#[test]
fn no_lengthscale_leaves_its_bounds_where_a_parameter_never_varied() {
    // [botorch 1745: 1e-117]
    let rows: Vec<Row> = spread(12, bump).into_iter().map(|it| row(&[it.point.0[0], 0.5], it.point.0[0])).collect();
    let (_, memo) = suggest(&problem(vec![real(), real()]), &rows, 1);
    for lengthscale in &memo.surrogates[0].ln_lengthscales {
        assert!((0.02..1100.0).contains(&lengthscale.exp()), "{lengthscale}");
    }
}

#[test]
fn what_was_not_measured_is_never_the_answer() {
    // [SMAC 225]
    let mut rows = spread(10, bump);
    rows.insert(0, row(&[0.4, 0.6], f64::NAN));
    rows.push(row(&[0.5, 0.6], f64::INFINITY));
    let problem = problem(vec![real(), real()]);
    let best = Bayesian::default().recommend(&problem, &rows, &Memo::default(), 5).unwrap();
    assert!(best.row > 0 && best.row < 11, "{best:?}");
    suggest(&problem, &rows, 2);
}

#[test]
fn a_millionth_of_a_millionth_is_no_constant_and_gives_the_same_points() {
    // [egobox 1.0]
    let problem = problem(vec![real(), real()]);
    let of = |scale: f64, shift: f64| suggest(&problem, &spread(12, |a, b| shift + scale * bump(a, b)), 1).0;
    let plain = of(1.0, 0.0);
    assert_eq!(plain[0].reason, Reason::Improve);
    for (scale, shift) in [(1e-12, 0.0), (1e12, 0.0), (3.0, -7.0)] {
        let other = of(scale, shift);
        for (a, b) in plain[0].point.0.iter().zip(&other[0].point.0) {
            assert!((a - b).abs() < 1e-3, "{scale} {shift}: {:?} {:?}", plain[0].point, other[0].point);
        }
    }
}

#[test]
fn one_wild_reading_does_not_derail_the_search() {
    // [egobox 1.0]
    let problem = problem(vec![real(), real()]);
    let mut rows = spread(14, bump);
    rows[4] = row(&rows[4].point.0.clone(), -1e6);
    let (found, _) = suggest(&problem, &rows, 1);
    let best = rows.iter().map(|row| bump(row.point.0[0], row.point.0[1])).fold(0.0, f64::max);
    assert!(bump(found[0].point.0[0], found[0].point.0[1]) > 0.5 * best, "{:?}", found[0].point);
}

#[test]
fn constant_readings_end_nothing() {
    let (found, _) = suggest(&problem(vec![real(), real()]), &spread(12, |_, _| 4.2), 3);
    assert_eq!(found.len(), 3);
}

#[test]
fn a_log_scale_keeps_its_bounds_to_the_last_bit() {
    // [Ax 3135]
    let bounds = [(1e-7, 0.1), (3.3e-5, 7.7e-3), (1e-300, 1e300), (0.3, 0.300_000_000_000_000_1)];
    let parameters = bounds.map(|(low, high)| Parameter::Real { low, high, log: true }).to_vec();
    let problem = problem(parameters);
    let mut rows = Vec::new();
    for (index, it) in suggest(&problem, &[], 12).0.into_iter().enumerate() {
        // Better towards the upper ends, so that the search is pressed against them.
        rows.push(row(&it.point.0, it.point.0[0].ln() + it.point.0[1].ln() + 1e-3 * index as f64));
    }
    suggest(&problem, &rows, 5);
}

#[test]
fn the_first_modelled_points_are_not_all_corners() {
    // [Ax 4607]
    let problem = problem(vec![real(), real(), real(), real()]);
    let mut rows = Vec::new();
    let mut corners = 0;
    while rows.len() < 16 {
        let (found, _) = suggest(&problem, &rows, 1);
        let x = found[0].point.0.clone();
        let on_bounds = x.iter().filter(|u| **u <= 0.0 || **u >= 1.0).count();
        corners += usize::from(rows.len() >= 8 && on_bounds == 4);
        let y = -x.iter().map(|u| (u - 0.45).powi(2)).sum::<f64>();
        rows.push(row(&x, y));
    }
    assert!(corners <= 2, "{corners} of 8 in a corner");
}

#[test]
fn two_at_once_on_two_threads_give_the_same_bits_as_one() {
    // [optuna 6191: more threads than cores]
    let problem = problem(vec![real(), real()]);
    let rows = spread(20, bump);
    let alone = suggest(&problem, &rows, 3);
    let both: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..2).map(|_| scope.spawn(|| suggest(&problem, &rows, 3))).collect();
        started.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(both.iter().all(|it| *it == alone));
}

#[test]
fn a_parameter_that_has_one_value_only_is_no_fault() {
    let fixed = Parameter::Real { low: 2.0, high: 2.0, log: false };
    let one = Parameter::Categorical { choices: 1 };
    let problem = problem(vec![real(), fixed, one, Parameter::Levels { values: vec![7.0], log: true }]);
    let rows: Vec<Row> =
        (0..9).map(|index| row(&[f64::from(index) / 8.0, 2.0, 0.0, 7.0], f64::from(index % 4))).collect();
    let (found, _) = suggest(&problem, &rows, 4);
    assert!(found.iter().all(|it| it.point.0[1..] == [2.0, 0.0, 7.0]));
}

#[test]
fn a_hundred_dimensions_and_ten_thousand_rows_are_planned_at_all() {
    let wide = problem(vec![real(); 100]);
    let first = suggest(&wide, &[], 20).0;
    let rows: Vec<Row> = first.iter().map(|it| row(&it.point.0, -(it.point.0[3] - 0.3).powi(2))).collect();
    assert_eq!(suggest(&wide, &rows, 2).0.len(), 2);
    let many = spread(10_000, bump);
    let (found, _) = suggest(&problem(vec![real(), real()]), &many, 1);
    assert!(bump(found[0].point.0[0], found[0].point.0[1]) > 0.9, "{:?}", found[0].point);
}

#[test]
fn a_model_that_foretells_nothing_does_not_choose_every_point() {
    // Readings that have nothing to do with where they were taken.
    let mut rows: Vec<Row> = Vec::new();
    let mut problem = problem(vec![real(), real()]);
    let pure = |index: usize| (index as f64 * 12.9898).sin() * 43_758.545_3 % 1.0;
    let mut gaps = 0;
    while rows.len() < 40 {
        let (found, _) = suggest(&problem, &rows, 1);
        gaps += usize::from(rows.len() >= 5 && found[0].reason == Reason::Spread);
        rows.push(row(&found[0].point.0.clone(), pure(rows.len())));
    }
    assert!((4..=6).contains(&gaps), "{gaps} of 25 picks fill a gap, one in four");
    // Where something is foretold, none does.
    problem.initial = Some(5);
    assert!(suggest(&problem, &spread(12, bump), 8).0.iter().all(|it| it.reason != Reason::Spread));
}

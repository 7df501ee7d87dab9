//! How long a suggestion takes beside a plain Cholesky factorisation of the same size, in one run on one thread.
//!
//! `cargo run --release -p eutectic-planners --example speed`
#![expect(clippy::print_stdout, reason = "prints a table")]

use eutectic_planners::{
    Bayesian, MAX_COUNT, Measure, Memo, Outcome, Parameter, PlanError, Planner, Point, Problem, Random, Row, Space,
};
use faer::{Mat, Side};
use std::time::Instant;

const PARAMETERS: usize = 6;
/// Suggestions that are timed for each number of rows, one row more each time; the median counts.
const REPEATS: usize = 9;

/// Two hills on a slope.
fn value(point: &Point) -> f64 {
    let hill = |centre: f64, width: f64| {
        let distance2: f64 = point.0.iter().map(|x| (x - centre) * (x - centre)).sum();
        (-distance2 / width).exp()
    };
    hill(0.3, 0.3) + 0.8 * hill(0.75, 0.2) + 0.1 * point.0.first().copied().unwrap_or(0.0)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Seconds of a Cholesky factorisation of a covariance of so many points on a line.
fn cholesky(rows: usize) -> f64 {
    let entry = |i: usize, j: usize| {
        let distance = (i as f64 - j as f64).abs() / rows as f64;
        (-distance).exp() + if i == j { 1e-3 } else { 0.0 }
    };
    let matrix = Mat::from_fn(rows, rows, entry);
    let once = |_| {
        let begun = Instant::now();
        let _ = std::hint::black_box(matrix.llt(Side::Lower));
        begun.elapsed().as_secs_f64()
    };
    median((0..REPEATS).map(once).collect())
}

/// Seconds of a suggestion with so many rows, half of them spread out and half near the top, as in a real history.
fn suggestion(count: usize) -> Result<f64, PlanError> {
    let space =
        Space { parameters: vec![Parameter::Real { low: 0.0, high: 1.0, log: false }; PARAMETERS], ..Space::default() };
    let problem = Problem::new(space, 1);
    let mut drawn = Vec::new();
    while drawn.len() < count {
        let seed = 1 + drawn.len() as u64;
        drawn.extend(Random.suggest(&problem, &[], &Memo::default(), seed, (count - drawn.len()).min(MAX_COUNT))?.0);
    }
    let row = |(index, point): (usize, Point)| {
        let point = if index % 2 == 0 { point } else { Point(point.0.iter().map(|x| 0.25 + 0.1 * x).collect()) };
        let outcome = Outcome::Observed { objectives: vec![Measure::new(value(&point))], constraints: Vec::new() };
        Row { point, outcome }
    };
    let mut rows: Vec<Row> = drawn.into_iter().map(|it| it.point).enumerate().map(row).collect();
    let mut memo = Memo::default();
    let mut seconds = Vec::new();
    for round in 0..=REPEATS {
        let begun = Instant::now();
        let (suggestions, next) = Bayesian::default().suggest(&problem, &rows, &memo, 1, 1)?;
        // The first one has no earlier fit to start from.
        if round > 0 {
            seconds.push(begun.elapsed().as_secs_f64());
        }
        memo = next;
        rows.extend(suggestions.into_iter().map(|it| row((0, it.point))));
    }
    Ok(median(seconds))
}

fn main() -> Result<(), PlanError> {
    println!("{:>6}  {:>14}  {:>12}  {:>10}", "rows", "suggestion ms", "Cholesky ms", "ratio");
    for count in [20, 50, 100, 300, 1000, 10_000] {
        let (ours, plain) = (suggestion(count)?, cholesky(count));
        println!("{count:>6}  {:>14.1}  {:>12.3}  {:>10.0}", 1e3 * ours, 1e3 * plain, ours / plain);
    }
    Ok(())
}

//! One process over several campaigns: what is part of it, in which scale, and that it foretells better.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;
use crate::part::Without;
use crate::planner::Planner;
use crate::problem::{Measure, Parameter, Point, Problem, Space};

/// A hill on a slope, in three parameters.
fn truth(x: &[f64]) -> f64 {
    let distance2: f64 = x.iter().zip([0.7, 0.3, 0.6]).map(|(x, c)| (x - c) * (x - c)).sum();
    (-distance2 / 0.15).exp() + 0.3 * x[0]
}

fn problem(past: Vec<Vec<Row>>) -> Problem {
    let parameters = vec![Parameter::Real { low: 0.0, high: 1.0, log: false }; 3];
    Problem { past, ..Problem::new(Space { parameters, ..Space::default() }, 1) }
}

/// So many readings where the space was filled.
fn readings(count: usize, seed: u64, value: impl Fn(&[f64]) -> f64) -> Vec<Row> {
    let (points, _) = crate::Random.suggest(&problem(Vec::new()), &[], &Memo::default(), seed, count).unwrap();
    let row = |point: Point| {
        let objectives = vec![Measure::new(value(&point.0))];
        Row { point, outcome: Outcome::Observed { objectives, constraints: Vec::new() } }
    };
    points.into_iter().map(|it| row(it.point)).collect()
}

fn order<'a>(problem: &'a Problem, rows: &'a [Row]) -> Order<'a> {
    Order { problem, rows, without: Without::default(), care: Care::Plan, seed: 4, beside: None }
}

/// What a past campaign has read, as readings of this one.
fn read_before(past: Vec<Row>) -> Vec<Observation> {
    let (problem, rows) = (problem(vec![past]), readings(8, 1, truth));
    let frame = Frame::new(&problem.space);
    let alone = Model::fit(&order(&problem, &rows), &frame, &Memo::default()).unwrap();
    let own = observations(&frame, &rows, |outcome| match outcome {
        Outcome::Observed { objectives, .. } => objectives.first().copied(),
        Outcome::Pending | Outcome::Failed => None,
    });
    alone.read_before(&problem.past, &frame.beside(1), 0, &own)
}

#[test]
fn a_past_campaign_that_is_alike_is_part_of_the_process_and_makes_it_foretell_better() {
    let past = readings(30, 7, |x| 40.0 + 25.0 * truth(x) + 2.0 * x[1]);
    let (problem, rows) = (problem(vec![past]), readings(8, 1, truth));
    let frame = Frame::new(&problem.space);
    let order = order(&problem, &rows);
    let error = |model: &Model<'_>| {
        let outlook = model.outlook().unwrap();
        let missed = |row: &Row| outlook.expected(&frame.unit(&row.point)).objectives[0].mean - truth(&row.point.0);
        (readings(64, 99, truth).iter().map(missed).map(|it| it * it).sum::<f64>() / 64.0).sqrt()
    };
    let alone = || Model::fit(&order, &frame, &Memo::default()).unwrap();
    let together = alone().or_together(&order, &frame, &Memo::default());
    assert!(together.alone.is_some(), "it is chosen");
    let (with, without) = (error(&together), error(&alone()));
    assert!(with < 0.5 * without, "{with} with it, {without} by its model's mean alone");
    let stop = Order { care: Care::Stop, ..order };
    let stop = Model::fit(&stop, &frame, &Memo::default()).unwrap().or_together(&stop, &frame, &Memo::default());
    assert!(stop.alone.is_none(), "it is not stopped by what another campaign has read");
}

#[test]
fn one_whose_outcomes_fall_where_these_rise_has_no_part_in_it() {
    assert_eq!(read_before(readings(30, 7, |x| -truth(x))).len(), 0);
}

#[test]
fn readings_of_the_past_come_in_this_campaigns_scale() {
    let past = readings(30, 7, |x| 40.0 + 25.0 * truth(x));
    let read = read_before(past.clone());
    assert_eq!(read.len(), 30);
    for (observation, row) in read.iter().zip(&past) {
        let truth = truth(&row.point.0);
        assert!((observation.value - truth).abs() < 0.15, "{} for {truth}", observation.value);
        assert_eq!((observation.row, observation.features.last()), (ELSEWHERE, Some(&1.0)));
    }
}

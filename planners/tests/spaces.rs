//! Spaces that are no box: mixtures, levels, described categories, pools, plates.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "a test fails by panicking, and what is shared is the same to the last bit"
)]

use eutectic_planners::{
    Bayesian, Linear, Measure, Memo, Mixture, Outcome, Parameter, PlanError, Planner, Point, Problem, Row, Space,
};
use std::sync::Arc;

fn real(low: f64, high: f64) -> Parameter {
    Parameter::Real { low, high, log: false }
}

fn problem(space: Space) -> Problem {
    Problem::new(space, 1)
}

/// A campaign of so many experiments; every point of it, and the best value.
fn campaign(problem: &Problem, seed: u64, budget: usize, value: impl Fn(&[f64]) -> f64) -> (Vec<Row>, f64) {
    let (planner, mut rows, mut memo) = (Bayesian::default(), Vec::<Row>::new(), Memo::default());
    let mut best = f64::NEG_INFINITY;
    while rows.len() < budget {
        let (suggestions, next) = planner.suggest(problem, &rows, &memo, seed, 1).unwrap();
        memo = next;
        for suggestion in suggestions {
            assert!(problem.space.contains(&suggestion.point), "{:?}", suggestion.point);
            let y = value(&suggestion.point.0);
            best = best.max(y);
            let outcome = Outcome::Observed { objectives: vec![Measure::new(y)], constraints: Vec::new() };
            rows.push(Row { point: suggestion.point, outcome });
        }
    }
    (rows, best)
}

#[test]
fn shares_of_a_mixture_sum_to_their_total_and_the_best_blend_is_found() {
    let parameters = vec![real(0.0, 1.0), real(0.05, 0.6), real(0.0, 0.5), real(20.0, 80.0)];
    let mixture = Mixture { parameters: vec![0, 1, 2], total: 1.0, at_most: None };
    let cold = Arc::new(Linear { weights: vec![40.0, 0.0, 0.0, 1.0], most: 75.0 });
    let space = Space { parameters, mixtures: vec![mixture], regions: vec![cold], ..Space::default() };
    let target = [0.35, 0.25, 0.4, 61.0];
    let value = |x: &[f64]| {
        -x.iter().zip(target).map(|(x, t)| (x - t).powi(2)).take(3).sum::<f64>() - ((x[3] - target[3]) / 60.0).powi(2)
    };
    for seed in 0..3 {
        let (rows, best) = campaign(&problem(space.clone()), seed, 30, value);
        for row in &rows {
            assert!((row.point.0.iter().take(3).sum::<f64>() - 1.0).abs() < 1e-12, "{:?}", row.point);
        }
        assert!(best > -2e-4, "seed {seed}: {best}");
    }
}

#[test]
fn at_most_three_of_eight_components_are_present_and_the_right_ones_are_found() {
    let mixture = Mixture { parameters: (0..8).collect(), total: 100.0, at_most: Some(3) };
    let space = Space { parameters: vec![real(0.0, 100.0); 8], mixtures: vec![mixture], ..Space::default() };
    // The second, the fourth and the seventh do something, best at 50, 30 and 20.
    let value = |x: &[f64]| {
        let part = |x: f64, best: f64| if x > 0.0 { 1.0 - ((x - best) / 100.0).powi(2) } else { 0.0 };
        part(x[1], 50.0) + part(x[3], 30.0) + part(x[6], 20.0)
    };
    let mut found = 0;
    for seed in 0..3 {
        let (rows, best) = campaign(&problem(space.clone()), seed, 60, value);
        assert!(rows.iter().all(|row| row.point.0.iter().filter(|x| **x > 0.0).count() <= 3));
        found += usize::from(best > 2.9);
    }
    assert!(found >= 2, "{found} of 3");
}

#[test]
fn levels_are_taken_at_their_true_values() {
    let values = vec![0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];
    let parameters = vec![Parameter::Levels { values: values.clone(), log: true }, real(0.0, 1.0)];
    let space = Space { parameters, ..Space::default() };
    let value = |x: &[f64]| -(x[0].log10() - 1.0).powi(2) - (x[1] - 0.7).powi(2);
    let (rows, best) = campaign(&problem(space), 1, 16, value);
    assert!(rows.iter().all(|row| values.contains(&row.point.0[0])));
    assert!(best > -1e-3, "{best}");
}

/// Forty solvents whose effect follows from two of their properties; how good the best is that is found by this many.
fn solvents(described: bool, misleading: bool, seed: u64) -> f64 {
    let spread = |index: usize, by: f64| (index as f64 * by).fract();
    let property = |index: usize| [spread(index, 0.618), spread(index, 0.377)];
    let effect = |index: usize| -(property(index)[0] - 0.3).powi(2) - (property(index)[1] - 0.8).powi(2);
    let table = (0..40).map(|index| {
        let [a, b] = if misleading { property((index * 17 + 5) % 40) } else { property(index) };
        vec![a, b, 2.0 * a + 1.0, 7.0]
    });
    let table: Vec<Vec<f64>> = table.collect();
    let mut space =
        Space { parameters: vec![Parameter::Categorical { choices: 40 }, real(0.0, 1.0)], ..Space::default() };
    if described {
        space.descriptors.insert(0, table);
    }
    let most = (0..40).map(effect).fold(f64::NEG_INFINITY, f64::max);
    let value = |x: &[f64]| (0..40).find(|index| *index as f64 == x[0]).map_or(f64::NAN, effect) - (x[1] - 0.5).powi(2);
    most - campaign(&problem(space), seed, 22, value).1
}

#[test]
fn descriptors_find_the_best_choice_sooner_and_wrong_ones_hardly_hurt() {
    let mean = |described, misleading| (0..6).map(|seed| solvents(described, misleading, seed)).sum::<f64>() / 6.0;
    let (plain, described, wrong) = (mean(false, false), mean(true, false), mean(true, true));
    assert!(described < 0.5 * plain, "{described} with descriptors, {plain} without");
    assert!(wrong < 2.0 * plain + 0.02, "{wrong} with wrong descriptors, {plain} without");
}

#[test]
fn points_of_one_plate_have_in_common_what_they_share() {
    let parameters = vec![real(20.0, 90.0), real(0.0, 1.0), Parameter::Categorical { choices: 4 }];
    let problem = Problem { shared: vec![0, 2], ..problem(Space { parameters, ..Space::default() }) };
    let (planner, mut rows, mut memo) = (Bayesian::default(), Vec::<Row>::new(), Memo::default());
    let mut plates = Vec::new();
    for _ in 0..4 {
        let (suggestions, next) = planner.suggest(&problem, &rows, &memo, 3, 6).unwrap();
        memo = next;
        assert_eq!(suggestions.len(), 6);
        let first = &suggestions[0].point.0;
        assert!(suggestions.iter().all(|it| it.point.0[0] == first[0] && it.point.0[2] == first[2]));
        let mut own: Vec<f64> = suggestions.iter().map(|it| it.point.0[1]).collect();
        own.sort_by(f64::total_cmp);
        assert!(own.windows(2).all(|pair| pair[1] > pair[0]), "{own:?}");
        plates.push(first[0]);
        for suggestion in suggestions {
            let x = &suggestion.point.0;
            let y = -((x[0] - 60.0) / 70.0).powi(2) - (x[1] - 0.4).powi(2) - (x[2] - 2.0).abs();
            let outcome = Outcome::Observed { objectives: vec![Measure::new(y)], constraints: Vec::new() };
            rows.push(Row { point: suggestion.point, outcome });
        }
    }
    assert!(plates.windows(2).all(|pair| pair[0] != pair[1]), "plates differ: {plates:?}");
    let pool: Vec<Point> = (0..60)
        .map(|index| Point(vec![f64::from(20 + index % 4), f64::from(index) / 60.0, f64::from(index % 3)]))
        .collect();
    let mut pooled = problem;
    pooled.space.pool = Some(pool);
    let (suggestions, _) = planner.suggest(&pooled, &[], &Memo::default(), 3, 6).unwrap();
    let first = &suggestions[0].point.0;
    assert_eq!(suggestions.len(), 5, "a pool has only so many that agree");
    assert!(suggestions.iter().all(|it| it.point.0[0] == first[0] && it.point.0[2] == first[2]));
}

#[test]
fn spaces_without_sense_are_refused_with_what_is_wrong() {
    let space = |parameters: Vec<Parameter>| Space { parameters, ..Space::default() };
    let refused = |problem: &Problem| problem.check(&[]).unwrap_err().to_string();
    let levels = |values: &[f64], log| problem(space(vec![Parameter::Levels { values: values.to_vec(), log }]));
    assert!(refused(&levels(&[], false)).contains("at least one level"));
    assert!(refused(&levels(&[1.0, f64::NAN], false)).contains("finite"));
    assert!(
        refused(&levels(&[1.0, 1.0], false)).contains("ascend")
            && refused(&levels(&[0.0, 1.0], true)).contains("positive")
    );
    let mut described = space(vec![Parameter::Categorical { choices: 2 }, real(0.0, 1.0)]);
    described.descriptors.insert(0, vec![vec![1.0]]);
    assert!(refused(&problem(described.clone())).contains("one row a choice"));
    described.descriptors.clear();
    described.descriptors.insert(1, vec![vec![1.0]]);
    assert!(refused(&problem(described)).contains("only a category"));
    let mut mixed = space(vec![real(0.0, 0.3); 3]);
    mixed.mixtures = vec![Mixture { parameters: vec![0, 1, 2], total: 1.0, at_most: None }];
    assert_eq!(refused(&problem(mixed.clone())), "mixture 0: its parameters can't sum to its total");
    let pair = |a, b| Mixture { parameters: vec![a, b], total: 0.4, at_most: None };
    mixed.mixtures = vec![pair(0, 1), pair(1, 2)];
    assert!(refused(&problem(mixed)).contains("two mixtures"));
    let shared = Problem { shared: vec![4], ..problem(space(vec![real(0.0, 1.0)])) };
    assert!(matches!(shared.check(&[]), Err(PlanError::Parameter { parameter: 4, .. })));
}

#[test]
fn a_large_pool_is_looked_at_whole() {
    let spread = |index: u32, by: f64| (f64::from(index) * by).fract();
    let point = |index: u32| Point(vec![spread(index, 0.754_877), spread(index, 0.569_84), spread(index, 0.438_28)]);
    let value = |x: &[f64]| -(x[0] - 0.42).powi(2) - (x[1] - 0.77).powi(2) - (x[2] - 0.13).powi(2);
    let pool: Vec<Point> = (0..50_000).map(point).collect();
    let best = pool.iter().map(|point| value(&point.0)).fold(f64::NEG_INFINITY, f64::max);
    let space = Space { parameters: vec![real(0.0, 1.0); 3], pool: Some(pool), ..Space::default() };
    let (rows, found) = campaign(&problem(space), 2, 16, value);
    assert!(best - found < 2e-3, "{found} of {best}");
    let mut all: Vec<Vec<u64>> = rows.iter().map(|row| row.point.0.iter().map(|x| x.to_bits()).collect()).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), rows.len(), "no point twice");
}

//! The model against finite differences, brute force and itself.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::dense::Factor;
use super::likelihood::{self, Data, Hyper};
use super::member::Member;
use super::path::Paths;
use super::{Fitting, Observation, Surrogate, Transform};
use crate::memo::SurrogateMemo;
use crate::rng::{Source, Stream};
use std::sync::Arc;

const GROUPS: [usize; 4] = [0, 1, 2, 2];

/// Random features, the last parameter a category of two choices.
fn features(source: &mut Source) -> Vec<f64> {
    let hot = source.below(2) as f64 * std::f64::consts::FRAC_1_SQRT_2;
    vec![source.unit(), source.unit(), hot, std::f64::consts::FRAC_1_SQRT_2 - hot]
}

fn data(rows: usize) -> Data {
    let mut source = Source::new(7, Stream::Random, rows as u64);
    let rows: Vec<Vec<f64>> = (0..rows).map(|_| features(&mut source)).collect();
    let values = rows.iter().map(|row| (5.0 * row[0]).sin() + row[1] * row[2] + 0.1 * source.normal()).collect();
    let known = rows.iter().enumerate().map(|(index, _)| if index % 3 == 0 { 0.02 } else { 0.0 }).collect();
    Data {
        numbers: (0..rows.len()).collect(),
        rows,
        values,
        known,
        groups: GROUPS.to_vec(),
        turns: vec![true, true, false],
        parameters: 3,
        share: 0.0,
        short: false,
        learned: None,
        prior: None,
    }
}

fn hyper() -> Hyper {
    Hyper(vec![-0.7, 0.2, 0.9, 0.3, -4.0])
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs())), "{a} is not {b}");
}

/// Central differences of `f` at `x`.
fn differences(x: &[f64], step: f64, f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let beside = |index: usize, step: f64| {
        let mut moved = x.to_vec();
        moved[index] += step;
        f(&moved)
    };
    (0..x.len()).map(|index| (beside(index, step) - beside(index, -step)) / (2.0 * step)).collect()
}

#[test]
fn the_density_has_the_gradient_it_says() {
    for share in [0.0, 0.7] {
        gradient_of_the_density(&Data { share, ..data(20) });
    }
}

fn gradient_of_the_density(data: &Data) {
    let (value, gradient) = likelihood::density_gradient(data, &hyper());
    close(value, likelihood::density(data, &hyper()), 1e-12);
    let expected = differences(&hyper().0, 1e-5, |theta| likelihood::density(data, &Hyper(theta.to_vec())));
    for (found, expected) in gradient.iter().zip(expected) {
        close(*found, expected, 1e-7);
    }
}

#[test]
fn a_prediction_has_the_gradient_it_says() {
    for share in [0.0, 0.7] {
        gradient_of_a_prediction(&Data { share, ..data(20) });
    }
}

fn gradient_of_a_prediction(data: &Data) {
    let mut member = Member::new(data, &hyper(), 2).unwrap();
    assert!(member.sample(&[0.3, 0.8, 0.0, std::f64::consts::FRAC_1_SQRT_2], &[0.4, -1.2]));
    let point = [0.45, 0.2, std::f64::consts::FRAC_1_SQRT_2, 0.0];
    let combined = |point: &[f64]| {
        let at = member.predict(point);
        0.7 * at.means[0] - 1.3 * at.means[1] + 2.1 * at.sd
    };
    let at = member.predict(&point);
    let gradient = member.gradient(&point, &at, &[0.7, -1.3], 2.1);
    for (found, expected) in gradient.iter().zip(differences(&point, 1e-6, combined)) {
        close(*found, expected, 1e-7);
    }
}

#[test]
fn a_prediction_is_the_textbooks() {
    // K^-1 by Gauss-Jordan, without any of the shortcuts.
    let data = data(12);
    let member = Member::new(&data, &hyper(), 1).unwrap();
    let k = likelihood::covariance(&data, &hyper()).k;
    let n = data.values.len();
    let mut rows: Vec<Vec<f64>> = (0..n)
        .map(|i| (0..2 * n).map(|j| if j < n { k[(i, j)] } else { f64::from(u8::from(j == n + i)) }).collect())
        .collect();
    for pivot in 0..n {
        let scale = rows[pivot][pivot];
        rows[pivot].iter_mut().for_each(|entry| *entry /= scale);
        let row = rows[pivot].clone();
        for (index, other) in rows.iter_mut().enumerate() {
            let factor = if index == pivot { 0.0 } else { other[pivot] };
            other.iter_mut().zip(&row).for_each(|(entry, by)| *entry -= factor * by);
        }
    }
    let inverse = |i: usize, j: usize| rows[i][n + j];
    let product = |a: &[f64], b: &[f64]| -> f64 {
        (0..n).map(|i| (0..n).map(|j| a[i] * inverse(i, j) * b[j]).sum::<f64>()).sum()
    };
    let ones = vec![1.0; n];
    let mean = product(&ones, &data.values) / product(&ones, &ones);
    let point = [0.1, 0.9, 0.0, std::f64::consts::FRAC_1_SQRT_2];
    let covariances = hyper().kernel(&data).values(&super::rows::Rows::new(&data.rows), &point).k;
    let residuals: Vec<f64> = data.values.iter().map(|value| value - mean).collect();
    let at = member.predict(&point);
    close(at.means[0], mean + product(&covariances, &residuals), 1e-10);
    close(at.sd * at.sd, hyper().kernel(&data).signal - product(&covariances, &covariances), 1e-9);
}

#[test]
fn appending_a_row_is_factorising_anew() {
    let (short, long) = (data(9), data(10));
    let k = likelihood::covariance(&Data { rows: long.rows.clone(), values: long.values.clone(), ..short }, &hyper()).k;
    let part = ndarray::Array2::from_shape_fn((9, 9), |at| k[at]);
    let mut appended = Factor::new(&part).unwrap();
    let covariances: Vec<f64> = (0..9).map(|i| k[(9, i)]).collect();
    let whitened = appended.whiten(&covariances);
    let variance = k[(9, 9)] - whitened.iter().map(|entry| entry * entry).sum::<f64>();
    appended.append(&whitened, variance);
    let whole = Factor::new(&k).unwrap();
    close(appended.half_ln_det, whole.half_ln_det, 1e-12);
    for (row, expected) in appended.inverse.iter().zip(&whole.inverse) {
        row.iter().zip(expected).for_each(|(found, expected)| close(*found, *expected, 1e-9));
    }
}

#[test]
fn a_point_that_is_known_is_not_sampled() {
    let mut data = data(10);
    data.known.fill(0.0);
    let hyper = Hyper(vec![-0.7, 0.2, 0.9, 0.0, -18.0]);
    let mut member = Member::new(&data, &hyper, 2).unwrap();
    let seen = data.rows[3].clone();
    assert!(!member.sample(&seen, &[1.0, 1.0]));
    let new = [0.5, 0.5, 0.0, std::f64::consts::FRAC_1_SQRT_2];
    let before = member.predict(&new);
    assert!(member.sample(&new, &[1.0, -1.0]));
    let after = member.predict(&new);
    close(after.means[0], before.means[0] + before.sd, 1e-9);
    close(after.means[1], before.means[1] - before.sd, 1e-9);
    assert!(after.sd < 1e-6, "{}", after.sd);
}

#[test]
fn a_singular_covariance_is_mended_and_nonsense_refused() {
    let ones = ndarray::Array2::from_elem((6, 6), 1.0);
    assert!(Factor::new(&ones).is_some());
    let nan = ndarray::Array2::from_elem((6, 6), f64::NAN);
    assert!(Factor::new(&nan).is_none());
    let negative = ndarray::Array2::from_diag_elem(3, -1.0);
    assert!(Factor::new(&negative).is_none());
}

#[test]
fn a_fit_finds_the_noise_and_the_scale_of_the_lengthscales() {
    let mut source = Source::new(3, Stream::Random, 0);
    let observed = |source: &mut Source| {
        let features = vec![source.unit(), source.unit()];
        let value = 100.0 * (4.0 * features[0]).sin() + 10.0 * source.normal();
        Observation { row: 0, features, value, sd: None }
    };
    let observations: Vec<_> = (0..80).map(|_| observed(&mut source)).collect();
    let values: Vec<f64> = observations.iter().map(|each| each.value).collect();
    let fitting = Fitting { groups: &[0, 1], turns: &[true; 2], sets: 8, ..Fitting::default() };
    let surrogate = Surrogate::fit(Transform::objective(&values), &observations, &fitting, &mut source);
    let memo = surrogate.memo();
    let Transform::Objective { scale, .. } = surrogate.transform else { panic!("not an objective") };
    let noise = (0.5 * memo.ln_noise).exp() * scale;
    assert!(noise > 7.0 && noise < 13.0, "the noise is found as {noise}, not 10");
    assert!(memo.ln_lengthscales[1] > memo.ln_lengthscales[0] + 1.0, "{:?}", memo.ln_lengthscales);
}

#[test]
fn transforms_are_monotone_and_undone() {
    let spread: Vec<f64> = (-40..=40).map(|k| f64::from(k) * f64::from(k).abs() * 3.0 + 1e5).collect();
    for values in [spread.clone(), spread.iter().map(|value| value * 1e-12).collect(), vec![0.0, 0.0, -1e6, 1.0, 2.0]] {
        for transform in [Transform::objective(&values), Transform::constraint(&values)] {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            sorted.dedup();
            let mapped: Vec<f64> = sorted.iter().map(|value| transform.apply(*value)).collect();
            assert!(mapped.windows(2).all(|pair| pair[0] < pair[1]), "{transform:?}");
            for (value, z) in sorted.iter().zip(mapped) {
                close(transform.invert(z), *value, 1e-9);
                let (step, slope) = (1e-6 * value.abs().max(1e-12), transform.slope(*value));
                let difference = (transform.apply(value + step) - transform.apply(value - step)) / (2.0 * step);
                assert!(
                    slope > 0.0 && (difference / slope - 1.0).abs() < 1e-3 || value.abs() < 1e-9,
                    "{value}: {slope}"
                );
            }
        }
    }
    assert!((Transform::constraint(&spread).apply(0.0)).abs() < f64::EPSILON);
}

#[test]
fn every_bend_is_monotone_and_undone() {
    let values: Vec<f64> = (0..40).map(|k| (f64::from(k) * 0.37).sin() * f64::from(k) - 3.0).collect();
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    for plain in [Transform::objective(&values), Transform::constraint(&values)] {
        let bends = plain.bends(&values);
        for (index, (bend, _)) in bends.iter().enumerate() {
            let bend = bend.as_ref().unwrap();
            assert_eq!(format!("{bend:?}"), format!("{:?}", plain.clone().bent(index + 1, &values)));
            let mapped: Vec<f64> = sorted.iter().map(|value| bend.apply(*value)).collect();
            assert!(mapped.windows(2).all(|pair| pair[0] < pair[1]), "{bend:?}");
            let beyond = sorted[39] + 2.0;
            for value in sorted.iter().copied().chain([beyond]) {
                close(bend.invert(bend.apply(value)), value, 1e-6);
                let step = 1e-6 * (1.0 + value.abs());
                let difference = (bend.apply(value + step) - bend.apply(value - step)) / (2.0 * step);
                // At the very top two pieces meet with one slope; differences are less exact there.
                assert!((difference / bend.slope(value) - 1.0).abs() < 1e-2, "{bend:?} at {value}");
            }
        }
    }
}

#[test]
fn an_objective_is_modelled_alike_in_any_unit() {
    let values = [3.0, 1.0, 4.0, 1.5, 9.0, -50.0];
    let (plain, scaled) =
        (Transform::objective(&values), Transform::objective(&values.map(|value| value * 1e-9 + 5e-9)));
    for value in values {
        close(plain.apply(value), scaled.apply(value * 1e-9 + 5e-9), 1e-6);
    }
    let constant = Transform::objective(&[5.0; 8]);
    assert!(constant.apply(5.0).abs() < 1e-9);
}

#[test]
fn leaving_out_is_what_a_model_without_the_row_expects() {
    let data = data(15);
    let whole = Member::new(&data, &hyper(), 1).unwrap();
    for (index, (mean, sd)) in whole.left_out().into_iter().enumerate() {
        let mut rest = data.clone();
        let (row, noise) = (rest.rows.remove(index), likelihood::noise(&data, &hyper())[index]);
        rest.values.remove(index);
        rest.known.remove(index);
        let at = Member::new(&rest, &hyper(), 1).unwrap().predict(&row);
        close(mean, at.means[0], 1e-9);
        close(sd * sd, at.sd * at.sd + noise, 1e-9);
    }
}

#[test]
fn paths_have_the_mean_and_the_covariance_of_the_posterior() {
    for share in [0.0, 0.7] {
        moments_of_paths(&Data { share, ..data(15) });
    }
}

fn moments_of_paths(data: &Data) {
    let member = Member::new(data, &hyper(), 1).unwrap();
    let points = [vec![0.2, 0.9, 0.0, 0.7], vec![0.25, 0.85, 0.0, 0.7], vec![0.9, 0.1, 0.7, 0.0]];
    let mut source = Source::new(3, Stream::Paths, 0);
    // Features anew for each, so that what they lack is averaged over as well.
    let drawn: Vec<Vec<f64>> = (0..3000)
        .map(|_| {
            let paths = Paths::new(&member, &mut source);
            let path = paths.draw(&mut source);
            let values = paths.values(&path, &paths.sites(&points));
            values.iter().zip(&points).for_each(|(value, point)| close(*value, paths.value(&path, point), 1e-9));
            values
        })
        .collect();
    let count = drawn.len() as f64;
    let mean = |i: usize| drawn.iter().map(|it| it[i]).sum::<f64>() / count;
    let covariance =
        |i: usize, j: usize| drawn.iter().map(|it| (it[i] - mean(i)) * (it[j] - mean(j))).sum::<f64>() / count;
    for (i, point) in points.iter().enumerate() {
        let at = member.predict(point);
        assert!((mean(i) - at.means[0]).abs() < 4.0 * at.sd / count.sqrt(), "{} is not {}", mean(i), at.means[0]);
        assert!(
            (covariance(i, i) / (at.sd * at.sd) - 1.0).abs() < 0.15,
            "{} is not {}",
            covariance(i, i),
            at.sd * at.sd
        );
    }
    let correlation = |i, j| covariance(i, j) / (covariance(i, i) * covariance(j, j)).sqrt();
    assert!(correlation(0, 1) > 0.9 && correlation(0, 2).abs() < 0.2, "{} {}", correlation(0, 1), correlation(0, 2));
}

#[test]
fn a_path_has_the_gradient_it_says() {
    for share in [0.0, 0.7] {
        gradient_of_a_path(&Data { share, ..data(15) });
    }
}

fn gradient_of_a_path(data: &Data) {
    let member = Member::new(data, &hyper(), 1).unwrap();
    let mut source = Source::new(4, Stream::Paths, 0);
    let paths = Paths::new(&member, &mut source);
    let path = paths.draw(&mut source);
    let point = [0.45, 0.2, std::f64::consts::FRAC_1_SQRT_2, 0.0];
    let (value, gradient) = paths.value_and_gradient(&path, &point);
    close(value, paths.value(&path, &point), 1e-12);
    for (found, expected) in gradient.iter().zip(differences(&point, 1e-5, |x| paths.value(&path, x))) {
        close(*found, expected, 1e-6);
    }
}

/// Values of scikit-learn 1.9.1: `GaussianProcessRegressor(C(exp .3) * Matern([exp -.7, exp .2], nu=2.5), alpha=exp -4)` on
/// the readings less their generalised least squares mean.
#[test]
fn posterior_and_likelihood_are_those_of_another_library() {
    let rows =
        [[0.05, 0.9], [0.2, 0.35], [0.33, 0.71], [0.48, 0.12], [0.55, 0.55], [0.7, 0.83], [0.81, 0.27], [0.95, 0.6]];
    let data = Data {
        numbers: (0..8).collect(),
        rows: rows.map(|row| row.to_vec()).to_vec(),
        values: vec![0.3, -1.2, 0.8, 0.05, 1.7, -0.4, 0.9, -2.1],
        known: vec![0.0; 8],
        groups: vec![0, 1],
        turns: vec![true; 2],
        parameters: 2,
        share: 0.0,
        short: false,
        learned: None,
        prior: None,
    };
    let hyper = Hyper(vec![-0.7, 0.2, 0.3, -4.0]);
    let k = likelihood::covariance(&data, &hyper).k;
    let factor = Factor::new(&k).unwrap();
    let (mean, whitened) = likelihood::residuals(&data, &factor);
    close(mean, -1.558_458_505_850_308_9, 1e-10);
    close(likelihood::likelihood(factor.half_ln_det, &whitened), -34.270_377_881_090_596, 1e-10);
    let member = Member::new(&data, &hyper, 1).unwrap();
    let expected = [
        ([0.1, 0.1], -2.169_265_168_041_148_3, 0.349_785_944_485_999_76),
        ([0.5, 0.5], 1.293_145_660_479_959_8, 0.118_260_070_945_390_12),
        ([0.9, 0.95], -2.764_997_438_198_483, 0.284_756_069_593_027_8),
    ];
    for (point, mean, sd) in expected {
        let at = member.predict(&point);
        close(at.means[0], mean, 1e-9);
        close(at.sd, sd, 1e-8);
    }
}

#[test]
fn a_prior_mean_shifts_predictions_and_their_gradient_and_wrong_sources_are_left_out() {
    let data = data(20);
    let told = Arc::new(Member::new(&data, &hyper(), 1).unwrap());
    let mut inverted = data.clone();
    inverted.values.iter_mut().for_each(|value| *value = -*value);
    let wrong = Arc::new(Member::new(&inverted, &hyper(), 1).unwrap());
    let few = {
        let mut few = data.clone();
        few.rows.truncate(6);
        few.values.truncate(6);
        few.known.truncate(6);
        few.numbers.truncate(6);
        few
    };
    let sources = [Some(wrong), None, Some(told)];
    let (weights, mode) = super::prior::weigh(&sources, &few, &hyper()).unwrap();
    assert!(weights[0].abs() < 1e-12 && weights[1].abs() < 1e-12 && weights[2] > 0.5, "{weights:?}");
    let prior = Arc::new(super::prior::Prior::new(&sources, &weights));
    let left = Data { prior: Some(Arc::clone(&prior)), ..few.without(&prior) };
    let member = Member::new(&left, &mode, 1).unwrap();
    for (found, value) in member.values().iter().zip(&few.values) {
        close(*found, *value, 1e-12);
    }
    let point = [0.45, 0.2, std::f64::consts::FRAC_1_SQRT_2, 0.0];
    let at = member.predict(&point);
    close(at.means[0], member.expected(&point), 1e-12);
    let gradient = member.gradient(&point, &at, &[1.0], 0.0);
    for (found, expected) in gradient.iter().zip(differences(&point, 1e-5, |x| member.expected(x))) {
        close(*found, expected, 1e-6);
    }
    for (found, expected) in member.expected_gradient(&point).iter().zip(gradient) {
        close(*found, expected, 1e-9);
    }
}

#[test]
fn many_lengthscales_deviate_beforehand_together_as_six_do() {
    let spreads = |parameters: usize| -> f64 {
        let turns = vec![true; parameters];
        let priors = likelihood::priors(&Data { parameters, turns, short: true, ..data(3) });
        priors.iter().take(parameters).map(|(_, sd)| sd * sd).sum()
    };
    close(spreads(3), 0.5 * spreads(6), 1e-12);
    for parameters in [7, 30, 100] {
        close(spreads(parameters), spreads(6), 1e-12);
    }
}

#[test]
fn an_outcome_that_is_a_sum_is_found_to_be_one_and_a_product_is_not() {
    let share = |value: fn(&[f64]) -> f64| {
        let mut source = Source::new(9, Stream::Random, 0);
        let observed = |_| {
            let features: Vec<f64> = (0..5).map(|_| source.unit()).collect();
            Observation { row: 0, value: value(&features), features, sd: None }
        };
        let observations: Vec<Observation> = (0..50).map(observed).collect();
        let values: Vec<f64> = observations.iter().map(|it| it.value).collect();
        let fitting = Fitting { groups: &[0, 1, 2, 3, 4], turns: &[true; 5], sets: 8, ..Fitting::default() };
        Surrogate::fit(Transform::objective(&values), &observations, &fitting, &mut source)
            .memo()
            .sum
            .map_or(0.0, |it| it.probability)
    };
    assert!(share(|x| x.iter().map(|x| (9.0 * x).sin()).sum()) > 0.9);
    let product = share(|x| (5.0 * x[0] * x[1]).sin() * (1.0 + x[2] * x[3]) + (3.0 * x[3] * x[4]).cos());
    assert!(product < 0.5, "{product}");
}

fn fitted(rows: usize, turns: &[bool], warm: Option<&SurrogateMemo>, value: fn(&[f64]) -> f64) -> Surrogate {
    let mut source = Source::new(5, Stream::Random, 0);
    let observed = |row| {
        let features: Vec<f64> = (0..turns.len()).map(|_| source.unit()).collect();
        Observation { row, value: value(&features), features, sd: None }
    };
    let observations: Vec<Observation> = (0..rows).map(observed).collect();
    let values: Vec<f64> = observations.iter().map(|it| it.value).collect();
    let groups: Vec<usize> = (0..turns.len()).collect();
    let fitting = Fitting { groups: &groups, turns, warm, sets: 8, ..Fitting::default() };
    Surrogate::fit(Transform::objective(&values), &observations, &fitting, &mut source)
}

/// The mean logarithm of the lengthscales over all sets of hyperparameters.
fn ln_lengthscale(surrogate: &Surrogate) -> f64 {
    let each: Vec<f64> = surrogate.sets.iter().flat_map(|(_, hyper)| hyper.ln_lengthscales().to_vec()).collect();
    each.iter().sum::<f64>() / each.len() as f64
}

#[test]
fn numbers_are_believed_to_turn_outcomes_until_readings_say_otherwise_and_categories_are_not() {
    let slow = |x: &[f64]| x[0] + 0.3 * x[1];
    let (few, categories, many) =
        (fitted(5, &[true; 4], None, slow), fitted(5, &[false; 4], None, slow), fitted(60, &[true; 4], None, slow));
    let [few, categories, many] = [few, categories, many].map(|it| ln_lengthscale(&it));
    assert!(few + 0.5 < categories, "{few} along numbers, {categories} from category to category");
    assert!(few + 1.0 < many, "{few} from five readings, {many} from sixty");
}

#[test]
fn a_fit_that_stands_draws_around_the_modes_it_has_found() {
    let turning = |x: &[f64]| (9.0 * x[0]).sin() * (7.0 * x[1]).cos();
    let fit = fitted(60, &[true; 2], None, turning);
    let memo = fit.memo();
    let kept = [&memo.turning].into_iter().chain(memo.exact.iter().map(|it| &it.turning));
    assert!(kept.clone().any(|it| it.len() == 4), "{memo:?}");
    let again = fitted(61, &[true; 2], Some(&memo), turning);
    assert_eq!(again.memo(), memo, "what was found stands");
    assert_ne!(again.sets, fit.sets, "with one reading more");
}

#[test]
fn few_readings_in_many_parameters_are_no_evidence_of_a_sum() {
    let groups: Vec<usize> = (0..30).collect();
    let believed = |seed| {
        let mut source = Source::new(seed, Stream::Random, 0);
        let observed = |row| {
            let features: Vec<f64> = groups.iter().map(|_| source.unit()).collect();
            let distance = features.iter().map(|x| (x - 0.3) * (x - 0.3)).sum::<f64>().sqrt();
            Observation { row, value: (9.0 * distance).cos(), features, sd: None }
        };
        let observations: Vec<Observation> = (0..12).map(observed).collect();
        let values: Vec<f64> = observations.iter().map(|it| it.value).collect();
        let fitting = Fitting { groups: &groups, turns: &[true; 30], sets: 8, ..Fitting::default() };
        let fit = Surrogate::fit(Transform::objective(&values), &observations, &fitting, &mut source);
        fit.memo().sum.is_some()
    };
    let wrong = (0..20).filter(|seed| believed(*seed)).count();
    assert!(wrong <= 1, "{wrong} of 20");
}

//! The model of one outcome: a Gaussian process averaged over several sets of hyperparameters.

pub(crate) mod dense;
mod fit;
mod kernel;
mod likelihood;
mod member;
#[cfg(test)]
mod tests;
mod transform;

pub(crate) use fit::SETS;
pub(crate) use member::{Member, Prediction};
pub(crate) use transform::Transform;

use likelihood::{Data, Hyper};

use crate::memo::SurrogateMemo;
use crate::part::{Part, Without};
use crate::planner::PlanError;
use crate::rng::Source;

/// Hyperparameters are fitted to at most this many observations: the work grows with the cube.
const FIT_ROWS: usize = 256;
/// A model holds at most this many observations; the best and an even choice of the rest are kept.
const MODEL_ROWS: usize = 1500;

/// With fewer observations nothing is bent: they tell nothing of their distribution.
const BENT_FROM: usize = 6;
/// A bend has to be better than none by so many nats.
const BEND_GAIN: f64 = 2.0;
/// Steps of the climb under each bend, from the hyperparameters without.
const BEND_STEPS: u64 = 15;

/// One observation of an outcome.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// Where, as features.
    pub(crate) features: Vec<f64>,
    /// What was read: a finite number.
    pub(crate) value: f64,
    /// Its standard deviation, if stated.
    pub(crate) sd: Option<f64>,
}

/// A fitted outcome.
#[derive(Clone, Debug)]
pub(crate) struct Surrogate {
    pub(crate) transform: Transform,
    data: Data,
    mode: Hyper,
    sets: Vec<Hyper>,
    fitted_at: usize,
}

impl Surrogate {
    /// Fits an outcome, from where an earlier fit ended if there is one.
    pub(crate) fn fit(
        transform: Transform,
        observations: &[Observation],
        groups: &[usize],
        warm: Option<&SurrogateMemo>,
        without: Without,
        source: &mut Source,
    ) -> Self {
        let parameters = groups.last().map_or(0, |last| last + 1);
        let plain = standardise(&transform, &thinned(observations, FIT_ROWS), groups, parameters);
        let warm = warm.map(|memo| {
            let mut theta = memo.ln_lengthscales.clone();
            theta.extend([memo.ln_signal, memo.ln_noise]);
            Hyper(theta)
        });
        let mode = fit::mode(&plain, warm.as_ref());
        let (transform, mode) = if without.has(Part::Bends) {
            bent(&transform, observations, groups, &plain, mode)
        } else {
            (transform, mode)
        };
        let data = |limit: usize| standardise(&transform, &thinned(observations, limit), groups, parameters);
        let fitted = data(FIT_ROWS);
        let sets = fit::sets(&fitted, &mode, without, source);
        let data = if observations.len() > FIT_ROWS { data(MODEL_ROWS) } else { fitted };
        Self { transform, data, mode, sets, fitted_at: observations.len() }
    }

    /// One posterior a set of hyperparameters, each as so many equal samples.
    ///
    /// # Errors
    /// [`PlanError::Singular`] if a covariance can't be factorised.
    pub(crate) fn members(&self, samples: usize) -> Result<Vec<Member>, PlanError> {
        let singular = || PlanError::Singular { rows: self.data.rows.len() };
        let member = |hyper| {
            let safe = || Member::new(&self.data, &Hyper::modes(self.data.parameters), samples);
            Member::new(&self.data, hyper, samples).or_else(safe).ok_or_else(singular)
        };
        self.sets.iter().map(member).collect()
    }

    pub(crate) fn memo(&self) -> SurrogateMemo {
        SurrogateMemo {
            ln_lengthscales: self.mode.ln_lengthscales().to_vec(),
            ln_signal: self.mode.ln_signal(),
            ln_noise: self.mode.ln_noise(),
            fitted_at: self.fitted_at,
        }
    }
}

/// The transform by which the observations are most like a Gaussian process: bent only where that is better by far.
///
/// The densities at the modes stand in for the evidence: the hyperparameters and their priors are the same under all of
/// them, and so, nearly, is how well they are known.
fn bent(
    plain: &Transform,
    observations: &[Observation],
    groups: &[usize],
    data: &Data,
    mode: Hyper,
) -> (Transform, Hyper) {
    if observations.len() < BENT_FROM {
        return (plain.clone(), mode);
    }
    let thin = thinned(observations, FIT_ROWS);
    let values: Vec<f64> = thin.iter().map(|it| it.value).collect();
    let mut best = match fit::refine(data, &mode, BEND_STEPS) {
        Some((mode, density)) => (plain.clone(), mode, density + plain.ln_jacobian(&values) + BEND_GAIN),
        None => return (plain.clone(), mode),
    };
    let start = best.1.clone();
    for (transform, prior) in plain.bends(&values) {
        let data = standardise(&transform, &thin, groups, data.parameters);
        let Some((mode, density)) = fit::refine(&data, &start, BEND_STEPS) else { continue };
        let density = density + transform.ln_jacobian(&values) + prior;
        if density > best.2 {
            best = (transform, mode, density);
        }
    }
    (best.0, best.1)
}

fn standardise(transform: &Transform, observations: &[&Observation], groups: &[usize], parameters: usize) -> Data {
    let known = |observation: &&Observation| {
        observation.sd.map_or(0.0, |sd| {
            let variance = (sd * transform.slope(observation.value)).powi(2);
            if variance.is_finite() { variance } else { f64::MAX.sqrt() }
        })
    };
    Data {
        rows: observations.iter().map(|observation| observation.features.clone()).collect(),
        values: observations.iter().map(|observation| transform.apply(observation.value)).collect(),
        known: observations.iter().map(known).collect(),
        groups: groups.to_vec(),
        parameters,
    }
}

/// At most `limit` observations in their order: the best quarter of the limit, and an even choice of the rest.
fn thinned(observations: &[Observation], limit: usize) -> Vec<&Observation> {
    if observations.len() <= limit {
        return observations.iter().collect();
    }
    let mut ranked: Vec<(usize, &Observation)> = observations.iter().enumerate().collect();
    ranked.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    let rest = ranked.split_off(limit / 4);
    let wanted = limit - limit / 4;
    let even = (0..wanted).filter_map(|index| rest.get(index * rest.len() / wanted)).copied();
    ranked.extend(even);
    ranked.sort_by_key(|(index, _)| *index);
    ranked.into_iter().map(|(_, observation)| observation).collect()
}

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
pub(crate) use transform::{Transform, Warp};

use likelihood::{Data, Hyper};

use crate::memo::SurrogateMemo;
use crate::planner::PlanError;
use crate::rng::Source;

/// Hyperparameters are fitted to at most this many observations: the work grows with the cube.
const FIT_ROWS: usize = 256;
/// A model holds at most this many observations; the best and an even choice of the rest are kept.
const MODEL_ROWS: usize = 1500;

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
        let (transform, mode) = bent(&transform, observations, groups, &plain, mode);
        let data = |limit: usize| standardise(&transform, &thinned(observations, limit), groups, parameters);
        let fitted = data(FIT_ROWS);
        let sets = fit::sets(&fitted, &mode, source);
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

/// The bend by which the observations are most like a Gaussian process, if any is better by far than none.
fn bent(
    plain: &Transform,
    observations: &[Observation],
    groups: &[usize],
    data: &Data,
    mode: Hyper,
) -> (Transform, Hyper) {
    use crate::tune::t;
    let straight = (plain.clone(), mode.clone());
    let Transform::Objective { .. } = plain else { return straight };
    if t("warp", 3.0) < 1.0 || observations.len() < t("warpmin", 6.0) as usize { return straight; }
    let Some((mode, base)) = fit::refine(data, &mode, 20) else { return straight };
    let thin = thinned(observations, FIT_ROWS);
    let values: Vec<f64> = thin.iter().map(|it| it.value).collect();
    let top = data.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut warps = Vec::new();
    if t("warp", 3.0) as i64 & 1 == 1 {
        for lambda in [-1.0, -0.5, 0.0, 0.5, 1.5, 2.0, 2.5] {
            let d: f64 = lambda - 1.0;
            warps.push((Warp::YeoJohnson { lambda }, -0.5 * d * d / 0.25 * t("yjprior", 1.0)));
        }
    }
    if t("warp", 3.0) as i64 & 2 == 2 {
        for reach in [0.01, 0.03, 0.1, 0.3, 1.0] {
            let d: f64 = libm::log(reach / 3.0);
            warps.push((Warp::FromTop { top, reach }, -0.5 * d * d / 4.0 * t("topprior", 1.0)));
        }
    }
    let mut best = (straight, base + t("gate", 2.0));
    for (warp, prior) in warps {
        let Some((transform, jacobian)) = plain.warped(warp, &values) else { continue };
        let data = standardise(&transform, &thin, groups, data.parameters);
        let Some((mode, density)) = fit::refine(&data, &mode, 15) else { continue };
        if density + jacobian + prior > best.1 {
            best = ((transform, mode), density + jacobian + prior);
        }
    }
    if t("verbose", 0.0) > 0.0 {
        if let Transform::Objective { warp, .. } = &best.0.0 { eprintln!("n={} base {base:.1} best {:.1} {warp:?}", values.len(), best.1); }
    }
    best.0
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

//! The model of one outcome: a Gaussian process averaged over several sets of hyperparameters.

pub(crate) mod dense;
mod fit;
mod kernel;
mod learned;
mod likelihood;
mod member;
mod path;
mod prior;
mod rows;
#[cfg(test)]
mod tests;
mod transform;
mod warp;

pub(crate) use fit::count as sets_for;
pub(crate) use learned::{Learned, Normal};
pub(crate) use likelihood::lengthscale as lengthscale_before;
pub(crate) use member::{Member, Prediction};
pub(crate) use path::{Path, Paths, Sites};
pub(crate) use transform::Transform;
pub use warp::Warp;
pub(crate) use warp::{Bends, GAIN as WARP_GAIN};

use likelihood::{Data, Hyper};
use prior::Prior;
use std::borrow::Cow;
use std::sync::Arc;

use crate::memo::{ExactMemo, SumMemo, SurrogateMemo};
use crate::normal::ln_sum_exp;
use crate::part::{Part, Without};
use crate::planner::PlanError;
use crate::rng::Source;

/// Hyperparameters are fitted to at most this many observations: the work grows with the cube.
const FIT_ROWS: usize = 256;
/// A model holds at most this many observations; the best and an even choice of the rest are kept.
const MODEL_ROWS: usize = 512;
/// A fit stands until there are a so-many-th part more observations.
const REFIT_SHARE: usize = 20;
/// With fewer observations nothing is bent: they tell nothing of their distribution.
const BENT_FROM: usize = 6;
/// A bend has to be better than none by so many nats.
const BEND_GAIN: f64 = 2.0;
/// The same to stop by: a bend that makes little of what lies above the best reading is what a stop is wrong by.
const WARY_GAIN: f64 = 5.0;
/// Shares of a sum over parameters that are tried.
const SHARES: [f64; 2] = [0.5, 0.9];
/// A sum has to be as probable as this, or it is not believed at all.
const SUM_LIKELY: f64 = 0.95;
/// Steps of the climb with each share.
const SHARE_STEPS: u64 = 30;
/// Steps of the climb under each bend, from the hyperparameters without.
const BEND_STEPS: u64 = 15;

/// One observation of an outcome.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// Its row.
    pub(crate) row: usize,
    /// Where, as features.
    pub(crate) features: Vec<f64>,
    /// What was read: a finite number.
    pub(crate) value: f64,
    /// Its standard deviation, if stated.
    pub(crate) sd: Option<f64>,
}

/// How many lengthscales there are, from the one of each feature.
pub(crate) fn lengthscales(groups: &[usize]) -> usize {
    groups.iter().max().map_or(0, |last| last + 1)
}

/// What a fit is made with.
#[derive(Default)]
pub(crate) struct Fitting<'a> {
    /// For each feature, its lengthscale.
    pub(crate) groups: &'a [usize],
    /// For each lengthscale, whether outcomes may turn along it.
    pub(crate) turns: &'a [bool],
    /// Where an earlier fit ended.
    pub(crate) warm: Option<&'a SurrogateMemo>,
    /// What is left out.
    pub(crate) without: Without,
    /// How many sets of hyperparameters are wanted.
    pub(crate) sets: usize,
    /// Whether being wrong is worse than being slow: nothing is believed then that only the fit itself says.
    pub(crate) wary: bool,
    /// The models of past campaigns; `None` for those that tell nothing of this outcome.
    pub(crate) past: &'a [Option<Arc<Member>>],
    /// What the fits of past campaigns tell of lengthscales.
    pub(crate) learned: Option<Arc<Learned>>,
}

impl Fitting<'_> {
    fn parameters(&self) -> usize {
        lengthscales(self.groups)
    }
}

/// A fitted outcome.
#[derive(Clone, Debug)]
pub(crate) struct Surrogate {
    pub(crate) transform: Transform,
    data: Data,
    mode: Hyper,
    /// The best hyperparameters if outcomes turn within a short way, where sets were drawn around them.
    turning: Vec<f64>,
    /// What is known of exact readings.
    exact: Option<ExactMemo>,
    /// Sets of hyperparameters, each with the share of its kernel that is a sum.
    sets: Vec<(f64, Hyper)>,
    fitted_at: usize,
    /// How many observations there are.
    observed: usize,
    bend: usize,
    since: usize,
    /// What is known of kernels that are partly a sum over parameters.
    sum: Option<SumMemo>,
    /// What each past campaign's model counts.
    weights: Vec<f64>,
    /// The logarithm of each lengthscale and how well it is known, for those who learn from it.
    known: Vec<Normal>,
}

impl Surrogate {
    /// Fits an outcome, from where an earlier fit ended if there is one.
    pub(crate) fn fit(
        transform: Transform,
        observations: &[Observation],
        fitting: &Fitting<'_>,
        source: &mut Source,
    ) -> Self {
        let Fitting { warm, without, wary, past, .. } = *fitting;
        let parameters = fitting.parameters();
        let thin = thinned(observations, FIT_ROWS);
        let values: Vec<f64> = thin.iter().map(|it| it.value).collect();
        let known = warm.and_then(|memo| Self::rested(memo, observations.len(), parameters));
        // Whoever is wary asks more of a bend than whoever fitted it.
        let known = known.filter(|(memo, _)| !wary || memo.bend == 0);
        let (bend, transform, mode, fitted_at) = if let Some((memo, mode)) = known.clone() {
            let transform = transform.bent(memo.bend, &values);
            (memo.bend, transform, mode, memo.fitted_at)
        } else {
            let plain = standardise(&transform, &thin, fitting);
            let mode = fit::mode(&plain, warm.map(hyper).as_ref());
            let (bend, transform, mode) = if without.has(Part::Bends) && observations.len() >= BENT_FROM {
                best_bend(transform, &thin, fitting, &plain, mode)
            } else {
                (0, transform, mode)
            };
            (bend, transform, mode, observations.len())
        };
        let fitted = standardise(&transform, &thin, fitting);
        let (weights, mode) = match known {
            Some((memo, _)) if memo.weights.len() == past.len() => (memo.weights.clone(), mode),
            Some(_) | None => {
                prior::weigh(past, &fitted, &mode).unwrap_or_else(|| (vec![0.0; past.len()], mode.clone()))
            }
        };
        let prior = weights.iter().any(|weight| *weight > 0.0).then(|| Arc::new(Prior::new(past, &weights)));
        let left = |data: Data| match &prior {
            Some(prior) => Data { prior: Some(Arc::clone(prior)), ..data.without(prior) },
            None => data,
        };
        let fitted = left(fitted);
        let mut turning = known.as_ref().map_or_else(Vec::new, |(memo, _)| memo.turning.clone());
        let mut sum = match &known {
            Some((memo, _)) => memo.sum.clone(),
            None if without.has(Part::Sums) && parameters > 1 && observations.len() >= BENT_FROM => {
                best_sum(&fitted, (&mode, &mut turning), warm.and_then(|memo| memo.sum.as_ref()), without)
            }
            None => None,
        };
        let mut exact = match known {
            Some((memo, _)) => memo.exact.clone(),
            None if without.has(Part::Exact) => fit::exactness(&fitted, &mode),
            None => None,
        };
        let sets = drawn(&fitted, (&mode, &mut turning), exact.as_mut(), sum.as_mut(), fitting, source);
        let data = if observations.len() > FIT_ROWS {
            left(standardise(&transform, &thinned(observations, MODEL_ROWS), fitting))
        } else {
            fitted
        };
        let since = warm.filter(|memo| memo.fitted_at > 0 && Transform::form(memo.bend) == Transform::form(bend));
        let since = since.map_or(observations.len(), |memo| memo.since);
        let (observed, known) = (observations.len(), Vec::new());
        Self { transform, data, mode, turning, exact, sets, fitted_at, observed, bend, since, sum, weights, known }
    }

    /// What an earlier fit has found, if there are too few observations beyond it for another one.
    fn rested(memo: &SurrogateMemo, observations: usize, parameters: usize) -> Option<(&SurrogateMemo, Hyper)> {
        let due = memo.fitted_at + (memo.fitted_at / REFIT_SHARE).max(1);
        let usable = observations >= memo.fitted_at && observations < due && memo.fitted_at > 0;
        (usable && memo.is_of(parameters)).then(|| (memo, hyper(memo)))
    }

    /// One posterior a set of hyperparameters, each as so many equal samples.
    ///
    /// # Errors
    /// [`PlanError::Singular`] if a covariance can't be factorised.
    pub(crate) fn members(&self, samples: usize) -> Result<Vec<Member>, PlanError> {
        let singular = || PlanError::Singular { rows: self.data.rows.len() };
        let member = |(share, hyper): &(f64, Hyper)| {
            let data = self.with_share(*share);
            let safe = || Member::new(&self.data, &Hyper::modes(self.data.parameters), samples);
            Member::new(&data, hyper, samples).or_else(safe).ok_or_else(singular)
        };
        self.sets.iter().map(member).collect()
    }

    fn with_share(&self, share: f64) -> Cow<'_, Data> {
        if share > 0.0 { Cow::Owned(Data { share, ..self.data.clone() }) } else { Cow::Borrowed(&self.data) }
    }

    /// The share of the sets of hyperparameters by which readings are noisy.
    pub(crate) fn noisy(&self) -> f64 {
        if self.data.known.iter().any(|variance| *variance > 0.0) {
            return 1.0;
        }
        let noisy = self.sets.iter().filter(|(_, hyper)| hyper.ln_noise() > likelihood::ln_exact());
        noisy.count() as f64 / self.sets.len().max(1) as f64
    }

    /// Looks how well its lengthscales are known, if that isn't in what an earlier fit of the same readings has left.
    pub(crate) fn knowing(mut self, warm: Option<&SurrogateMemo>) -> Self {
        let known = warm.filter(|memo| memo.fitted_at == self.observed).map(|memo| memo.known.clone());
        let known = known.filter(|known| !known.is_empty());
        let sharp = self.exact.as_ref().filter(|exact| exact.probability > 0.5).map(|exact| Hyper(exact.theta.clone()));
        self.known = known.unwrap_or_else(|| fit::knows(&self.data, sharp.as_ref().unwrap_or(&self.mode)));
        self
    }

    /// The logarithm of each lengthscale, and how well it is known.
    pub(crate) fn known(&self) -> &[Normal] {
        &self.known
    }

    /// What each past campaign's model counts.
    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The features of each observation that the model holds.
    pub(crate) fn features(&self) -> impl Iterator<Item = &[f64]> {
        self.data.rows.iter().map(Vec::as_slice)
    }

    /// The correlation beforehand between two points: the mean over all sets of hyperparameters.
    pub(crate) fn correlation(&self, a: &[f64], b: &[f64]) -> f64 {
        let of = |(share, hyper): &(f64, Hyper)| {
            let kernel = hyper.kernel(&self.with_share(*share));
            kernel.between(a, b) / kernel.signal
        };
        self.sets.iter().map(of).sum::<f64>() / self.sets.len().max(1) as f64
    }

    /// The posterior at the mode alone.
    pub(crate) fn at_mode(&self) -> Option<Member> {
        let likely = self.sum.as_ref().filter(|sum| sum.probability > 0.5);
        let sum = likely.and_then(|sum| Member::new(&self.with_share(sum.share), &Hyper(sum.theta.clone()), 1));
        sum.or_else(|| Member::new(&self.data, &self.mode, 1))
    }

    /// The row of each observation that the model holds.
    pub(crate) fn rows(&self) -> &[usize] {
        &self.data.numbers
    }

    /// Whether it was fitted now, and not taken over from an earlier fit.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fitted_at == self.observed
    }

    /// How plausible the observations are at the mode.
    pub(crate) fn density(&self) -> f64 {
        let suggested = |row: &Vec<f64>| self.data.prior.as_ref().map_or(0.0, |prior| prior.mean(row));
        let read = self.data.values.iter().zip(&self.data.rows).map(|(value, row)| value + suggested(row));
        let read: Vec<f64> = read.map(|value| self.transform.invert(value)).collect();
        likelihood::density(&self.data, &self.mode) + self.transform.ln_jacobian(&read)
    }

    /// The bends of features by which the observations are more plausible by far; `straight` gives the features of a row as they are without.
    pub(crate) fn warps(&self, straight: impl Fn(usize) -> Vec<f64>, numeric: &[bool]) -> Option<Bends> {
        if self.data.rows.len() > FIT_ROWS {
            return None;
        }
        let rows = self.data.numbers.iter().map(|row| straight(*row)).collect();
        warp::best(&Data { rows, ..self.data.clone() }, numeric, &self.mode)
    }

    pub(crate) fn memo(&self) -> SurrogateMemo {
        SurrogateMemo {
            ln_lengthscales: self.mode.ln_lengthscales().to_vec(),
            ln_signal: self.mode.ln_signal(),
            ln_noise: self.mode.ln_noise(),
            fitted_at: self.fitted_at,
            bend: self.bend,
            since: self.since,
            exact: self.exact.clone(),
            turning: self.turning.clone(),
            sum: self.sum.clone(),
            weights: self.weights.clone(),
            known: self.known.clone(),
        }
    }
}

/// The transform by which the observations are most like a Gaussian process: bent only where that is better by far.
///
/// The densities at the modes stand in for the evidence: the hyperparameters and their priors are the same under all of
/// them, and so, nearly, is how well they are known.
///
/// Returns the number of the bend, 0 for none.
fn best_bend(
    plain: Transform,
    observations: &[&Observation],
    fitting: &Fitting<'_>,
    data: &Data,
    mode: Hyper,
) -> (usize, Transform, Hyper) {
    let wary = fitting.wary;
    let values: Vec<f64> = observations.iter().map(|it| it.value).collect();
    let Some((start, density)) = fit::refine(data, &mode, BEND_STEPS) else { return (0, plain, mode) };
    let mut most = density + plain.ln_jacobian(&values) + if wary { WARY_GAIN } else { BEND_GAIN };
    let mut best = (0, plain.clone(), start.clone());
    for (index, (transform, prior)) in plain.bends(&values).into_iter().enumerate() {
        let Some(transform) = transform.filter(|_| !(wary && plain.is_capped(index + 1))) else { continue };
        let data = standardise(&transform, observations, fitting);
        let Some((mode, density)) = fit::refine(&data, &start, BEND_STEPS) else { continue };
        let density = density + transform.ln_jacobian(&values) + prior;
        if density > most {
            most = density;
            best = (index + 1, transform, mode);
        }
    }
    best
}

/// The kernel that is partly a sum over parameters by which the observations are the most plausible, and the probability of
/// it beside the kernel without, even odds beforehand. What the best hyperparameters are without, if outcomes turn within a
/// short way, is left in `turning`.
///
/// The densities at the modes of both beliefs stand in for the evidence, as for bends.
fn best_sum(
    data: &Data,
    (mode, turning): (&Hyper, &mut Vec<f64>),
    warm: Option<&SumMemo>,
    without: Without,
) -> Option<SumMemo> {
    let (alone, density) = fit::refine(data, mode, BEND_STEPS)?;
    let mut best: Option<(f64, Hyper, f64)> = None;
    for share in SHARES {
        let data = Data { share, ..data.clone() };
        let warm = warm.filter(|warm| warm.theta.len() == alone.0.len());
        let start = warm.map_or_else(|| Hyper::of_sum(data.parameters), |warm| Hyper(warm.theta.clone()));
        if let Some((mode, density)) = fit::refine(&data, &start, SHARE_STEPS)
            && best.as_ref().is_none_or(|best| density > best.2)
        {
            best = Some((share, mode, density));
        }
    }
    let (share, mode, with_sum) = best?;
    let of_sum = Data { share, ..data.clone() };
    // Few readings of what turns within a short way would be taken for a sum, if nobody asked what they are without one.
    let (alone_turning, alone_short) = fit::turning(data)?;
    *turning = alone_turning.0;
    let (sum_turning, sum_short) = fit::turning(&of_sum)?;
    let both = |slow: f64, short: f64| ln_sum_exp([slow, short].into_iter());
    let probability = 1.0 / (1.0 + libm::exp(both(density, alone_short) - both(with_sum, sum_short)));
    if probability < SUM_LIKELY {
        return None;
    }
    let exact = if without.has(Part::Exact) { fit::exactness(&of_sum, &mode) } else { None };
    Some(SumMemo { share, probability, theta: mode.0, turning: sum_turning.0, exact })
}

/// The sets of hyperparameters: as many with a sum as that is plausible.
fn drawn(
    data: &Data,
    (mode, turning): (&Hyper, &mut Vec<f64>),
    exact: Option<&mut ExactMemo>,
    sum: Option<&mut SumMemo>,
    fitting: &Fitting<'_>,
    source: &mut Source,
) -> Vec<(f64, Hyper)> {
    let Fitting { sets: count, without, .. } = *fitting;
    let share_of = |sum: &SumMemo| (0..count).filter(|it| (*it as f64 + 0.5) < sum.probability * count as f64).count();
    let with_sum = sum.as_deref().map_or(0, share_of);
    let alone = if with_sum < count {
        fit::sets(data, (mode, turning), exact, count - with_sum, without, source)
    } else {
        Vec::new()
    };
    let mut sets: Vec<(f64, Hyper)> = alone.into_iter().map(|hyper| (0.0, hyper)).collect();
    if let Some(sum) = sum.filter(|_| with_sum > 0) {
        let data = Data { share: sum.share, ..data.clone() };
        let SumMemo { theta, turning, exact, .. } = sum;
        let mode = Hyper(theta.clone());
        let found = fit::sets(&data, (&mode, turning), exact.as_mut(), with_sum, without, source);
        sets.extend(found.into_iter().map(|hyper| (sum.share, hyper)));
    }
    sets
}

fn hyper(memo: &SurrogateMemo) -> Hyper {
    let mut theta = memo.ln_lengthscales.clone();
    theta.extend([memo.ln_signal, memo.ln_noise]);
    Hyper(theta)
}

fn standardise(transform: &Transform, observations: &[&Observation], fitting: &Fitting<'_>) -> Data {
    let known = |observation: &&Observation| {
        observation.sd.map_or(0.0, |sd| {
            let variance = (sd * transform.slope(observation.value)).powi(2);
            if variance.is_finite() { variance } else { f64::MAX.sqrt() }
        })
    };
    Data {
        numbers: observations.iter().map(|observation| observation.row).collect(),
        rows: observations.iter().map(|observation| observation.features.clone()).collect(),
        values: observations.iter().map(|observation| transform.apply(observation.value)).collect(),
        known: observations.iter().map(known).collect(),
        groups: fitting.groups.to_vec(),
        turns: fitting.turns.to_vec(),
        parameters: fitting.parameters(),
        share: 0.0,
        short: false,
        learned: fitting.learned.clone(),
        prior: None,
    }
}

/// At most `limit` observations in their order: the best quarter of the limit, a quarter that lies the nearest to the best
/// one, and an even choice of the rest.
fn thinned(observations: &[Observation], limit: usize) -> Vec<&Observation> {
    if observations.len() <= limit {
        return observations.iter().collect();
    }
    let mut ranked: Vec<(usize, &Observation)> = observations.iter().enumerate().collect();
    ranked.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    let mut rest = ranked.split_off(limit / 4);
    if let Some((_, best)) = ranked.first() {
        let distance =
            |it: &Observation| -> f64 { it.features.iter().zip(&best.features).map(|(a, b)| (a - b) * (a - b)).sum() };
        rest.sort_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
    }
    let far = rest.split_off(limit / 4);
    ranked.append(&mut rest);
    let mut rest = far;
    rest.sort_by_key(|(index, _)| *index);
    let wanted = limit - limit / 4 - limit / 4;
    let even = (0..wanted).filter_map(|index| rest.get(index * rest.len() / wanted)).copied();
    ranked.extend(even);
    ranked.sort_by_key(|(index, _)| *index);
    ranked.into_iter().map(|(_, observation)| observation).collect()
}

//! How much points promise: the expected improvement over what is known, where nothing is known exactly.

use crate::design::Sobol;
use crate::frame::Frame;
use crate::front::Front;
use crate::model::Model;
use crate::normal::{ln_cumulative, ln_improvement, ln_sum_exp, quantile};
use crate::part::Part;
use crate::planner::PlanError;
use crate::rng::{self, Stream};
use crate::search::Score;
use crate::surrogate::dense::add_scaled;
use crate::surrogate::{Member, Prediction, Surrogate};

/// Samples of the unknown true values, a set of hyperparameters.
const SAMPLES: usize = 4;
/// The same with several objectives, where each sample has a front of its own.
const FRONT_SAMPLES: usize = 1;
/// A sampled constraint may exceed 0 by this much, in standardised outcomes: rounding in the model.
const ROUNDING: f64 = 1e-6;
/// How many points are looked at together: so few that what is known of them stays near to the processor.
const AT_ONCE: usize = 16;
/// What being at the edge counts; see [`lost_at_the_edge`].
const EDGE: f64 = 6.0;

/// One set of hyperparameters an outcome: what leads the search, and what must hold.
#[derive(Debug)]
struct Joint {
    leads: Vec<Member>,
    constraints: Vec<Member>,
    /// In each sample what is to be improved upon.
    targets: Vec<Target>,
}

/// What a point is to improve upon.
#[derive(Clone, Debug)]
enum Target {
    /// The best true value.
    Feasible(f64),
    /// The worst less a standard deviation, as nothing is feasible.
    NothingFeasible(f64),
    /// The front of several objectives; whether anything feasible is on it.
    Front(Front, bool),
}

/// The expected improvement of points over the best true value, or the volume expected to be added to the front, in
/// logarithms, averaged over samples of what isn't known and over sets of hyperparameters; with unknown constraints.
///
/// Sources: Ament et al., "Unexpected improvements to expected improvement", NeurIPS 2023 (the logarithm); Letham et
/// al., "Constrained Bayesian optimization with noisy experiments", Bayesian Anal. 14 (2019) (noise and constraints);
/// Ginsbourger et al., "Kriging is well-suited to parallelize optimization", 2010 (pending points); Daulton, Balandat and
/// Bakshy, "Parallel Bayesian optimization of multiple noisy objectives with expected hypervolume improvement", NeurIPS
/// 2021 (fronts under noise).
#[derive(Debug)]
pub(crate) struct Promise<'a> {
    frame: &'a Frame<'a>,
    joint: Vec<Joint>,
    samples: usize,
    reference: &'a [f64],
    /// How much it counts that a point which explores has less to tell at the edge of the space than within.
    edge: f64,
    /// Which features are numbers, and not parts of a category.
    numeric: Vec<bool>,
    /// Standard normals for every sample of every set, one an outcome and a site.
    normals: Vec<Vec<f64>>,
    /// The features of the points whose true values have been sampled, or are known.
    sites: Vec<Vec<f64>>,
}

impl<'a> Promise<'a> {
    /// The promise of points, given that the truth at `sites` isn't known exactly or at all; room for `further` sites.
    ///
    /// # Errors
    /// [`PlanError::Singular`] if a covariance can't be factorised.
    pub(crate) fn new(
        model: &'a Model<'a>,
        sites: &[Vec<f64>],
        seed: u64,
        rows: u64,
        further: usize,
    ) -> Result<Self, PlanError> {
        let leads = model.leads();
        let samples = if leads.len() > 1 { FRONT_SAMPLES } else { SAMPLES };
        let mut joint: Vec<Joint> = (0..model.sets())
            .map(|_| Joint { leads: Vec::new(), constraints: Vec::new(), targets: Vec::new() })
            .collect();
        let members = |surrogate: &Surrogate| surrogate.members(samples);
        for surrogate in leads {
            joint.iter_mut().zip(members(surrogate)?).for_each(|(joint, member)| joint.leads.push(member));
        }
        for surrogate in model.constraints() {
            joint.iter_mut().zip(members(surrogate)?).for_each(|(joint, member)| joint.constraints.push(member));
        }
        let outcomes = leads.len() + model.constraints().len();
        let sobol = Sobol::new(outcomes * (sites.len() + further), Some(rng::derive(seed, Stream::Fantasy, rows)));
        let normals =
            (0..model.sets() * samples).map(|index| sobol.point(index as u64).into_iter().map(quantile).collect());
        let reference = model.reference();
        let normals = normals.collect();
        let (frame, numeric) = (model.frame(), model.frame().numeric());
        // Nothing of a pool lies outside, and points of it that lie on the edge are as good as any.
        let has_edge = frame.space.pool.is_none() && model.without().has(Part::Edge);
        let edge = if has_edge { EDGE } else { 0.0 };
        let mut promise = Self { frame, joint, samples, reference, edge, numeric, normals, sites: Vec::new() };
        sites.iter().for_each(|site| promise.sample(site));
        promise.settle();
        Ok(promise)
    }

    /// Takes a point as under way: samples its true values, which may turn out the best.
    pub(crate) fn condition(&mut self, unit: &[f64]) {
        self.sample(unit);
        self.settle();
    }

    fn sample(&mut self, unit: &[f64]) {
        let features = self.frame.features(unit);
        for (joint, normals) in self.joint.iter_mut().zip(self.normals.chunks(self.samples)) {
            let outcomes = joint.leads.len() + joint.constraints.len();
            for (outcome, member) in joint.leads.iter_mut().chain(&mut joint.constraints).enumerate() {
                let at = self.sites.len() * outcomes + outcome;
                let normals: Vec<f64> = normals.iter().map(|sample| sample.get(at).copied().unwrap_or(0.0)).collect();
                member.sample(&features, &normals);
            }
        }
        self.sites.push(features);
    }

    /// Finds what is to be improved upon in every sample.
    fn settle(&mut self) {
        for joint in &mut self.joint {
            let predict = |members: &[Member]| -> Vec<Vec<Prediction>> {
                let at = |site: &Vec<f64>| members.iter().map(|member| member.predict(site)).collect();
                self.sites.iter().map(at).collect()
            };
            let (leads, constraints) = (predict(&joint.leads), predict(&joint.constraints));
            let target = |sample: usize| {
                let mean = |at: &Prediction| at.means.get(sample).copied().unwrap_or(f64::NAN);
                let holds = |at: &Vec<Prediction>| at.iter().all(|at| mean(at) <= ROUNDING);
                let values = leads.iter().map(|at| at.iter().map(mean).collect::<Vec<f64>>());
                let judged: Vec<(Vec<f64>, bool)> = values.zip(constraints.iter().map(holds)).collect();
                let feasible: Vec<Vec<f64>> =
                    judged.iter().filter(|(_, holds)| *holds).map(|(values, _)| values.clone()).collect();
                if !self.reference.is_empty() && joint.leads.len() > 1 {
                    return Target::Front(Front::new(&feasible, self.reference), !feasible.is_empty());
                }
                let firsts = |rows: &[Vec<f64>]| rows.iter().filter_map(|row| row.first().copied()).collect::<Vec<_>>();
                let all: Vec<Vec<f64>> = judged.into_iter().map(|(values, _)| values).collect();
                let best = firsts(&feasible).into_iter().fold(f64::NEG_INFINITY, f64::max);
                let worst = firsts(&all).into_iter().fold(f64::INFINITY, f64::min);
                if best.is_finite() { Target::Feasible(best) } else { Target::NothingFeasible(worst - 1.0) }
            };
            joint.targets = (0..self.samples).map(target).collect();
        }
    }

    /// What each set of hyperparameters contributes, for each point.
    fn shares(&self, features: &[Vec<f64>]) -> Vec<Vec<Share>> {
        let mut shares: Vec<Vec<Share>> = features.iter().map(|_| Vec::with_capacity(self.joint.len())).collect();
        for joint in &self.joint {
            let said = predictions(&joint.leads, features).into_iter().zip(predictions(&joint.constraints, features));
            for ((shares, features), (leads, constraints)) in shares.iter_mut().zip(features).zip(said) {
                shares.push(Share::new(joint, features, leads, constraints, self.edge, &self.numeric));
            }
        }
        shares
    }

    /// The logarithm of the sum of all terms.
    fn total(shares: &[Share]) -> f64 {
        ln_sum_exp(shares.iter().flat_map(|share| share.samples.iter().map(|sample| sample.term)))
    }

    /// The promise, from the logarithm of the sum of all terms.
    fn mean(&self, total: f64) -> f64 {
        total - libm::log((self.joint.len() * self.samples).max(1) as f64)
    }
}

/// What members say of points, point by point.
fn predictions(members: &[Member], features: &[Vec<f64>]) -> Vec<Vec<Prediction>> {
    let mut said: Vec<Vec<Prediction>> = features.iter().map(|_| Vec::with_capacity(members.len())).collect();
    for member in members {
        said.iter_mut().zip(member.predict_each(features)).for_each(|(said, prediction)| said.push(prediction));
    }
    said
}

impl Score for Promise<'_> {
    fn value(&self, unit: &[f64]) -> f64 {
        self.values(&[unit.to_vec()]).first().copied().unwrap_or(f64::NEG_INFINITY)
    }

    fn values(&self, units: &[Vec<f64>]) -> Vec<f64> {
        let each = |units: &[Vec<f64>]| {
            let features: Vec<Vec<f64>> = units.iter().map(|unit| self.frame.features(unit)).collect();
            self.shares(&features).iter().map(|shares| self.mean(Self::total(shares))).collect::<Vec<f64>>()
        };
        units.chunks(AT_ONCE).flat_map(each).collect()
    }

    fn value_and_gradient(&self, unit: &[f64]) -> (f64, Vec<f64>) {
        let features = self.frame.features(unit);
        let shares: Vec<Share> = self.shares(std::slice::from_ref(&features)).into_iter().flatten().collect();
        let total = Self::total(&shares);
        let mut slope = vec![0.0; features.len()];
        if total.is_finite() {
            for (joint, share) in self.joint.iter().zip(&shares) {
                add_scaled(&mut slope, 1.0, &share.gradient(joint, &features, total));
            }
        }
        (self.mean(total), self.frame.gradient(unit, &slope))
    }

    fn has_borders(&self) -> bool {
        false
    }
}

/// What one set of hyperparameters contributes at a point.
struct Share {
    leads: Vec<Prediction>,
    constraints: Vec<Prediction>,
    samples: Vec<Sample>,
    /// The gradient, in the features, of what is lost at the edge, at a given deviation.
    edge: Vec<f64>,
}

/// One sample's term of the promise, with its derivatives.
struct Sample {
    term: f64,
    /// The derivatives by each lead's mean, and by its standard deviation.
    by_leads: Vec<(f64, f64)>,
    /// The derivatives by each constraint's mean; those by its sd follow from them.
    by_margin: Vec<f64>,
}

/// The logarithm of an improvement, and its derivatives by each lead's mean and standard deviation.
fn improvement(target: &Target, leads: &[Prediction], sample: usize) -> (f64, Vec<(f64, f64)>) {
    let mean = |at: &Prediction| at.means.get(sample).copied().unwrap_or(0.0);
    // Being feasible counts by itself, beside the improvement over the worst, while nothing is.
    let beside = |(value, by): (f64, Vec<(f64, f64)>), feasible: bool| {
        if feasible {
            return (value, by);
        }
        let share = 1.0 / (1.0 + libm::exp(-value));
        let by = by.into_iter().map(|(mean, sd)| (share * mean, share * sd)).collect();
        (ln_sum_exp([0.0, value].into_iter()), by)
    };
    match (target, leads) {
        (Target::Feasible(threshold) | Target::NothingFeasible(threshold), [lead, ..]) => {
            let u = (mean(lead) - threshold) / lead.sd;
            let (ln_h, slope) = ln_improvement(u);
            let by = vec![(slope / lead.sd, (1.0 - slope * u) / lead.sd)];
            beside((ln_h + libm::log(lead.sd), by), matches!(target, Target::Feasible(_)))
        }
        (Target::Front(front, feasible), leads) => {
            let means: Vec<f64> = leads.iter().map(mean).collect();
            let sds: Vec<f64> = leads.iter().map(|lead| lead.sd).collect();
            let (value, by_means, by_sds) = front.ln_improvement(&means, &sds);
            beside((value, by_means.into_iter().zip(by_sds).collect()), *feasible)
        }
        (Target::Feasible(_) | Target::NothingFeasible(_), []) => (f64::NEG_INFINITY, Vec::new()),
    }
}

impl Share {
    fn new(
        joint: &Joint,
        features: &[f64],
        leads: Vec<Prediction>,
        constraints: Vec<Prediction>,
        edge: f64,
        numeric: &[bool],
    ) -> Self {
        let (lost, lost_by_sd, edge) = lost_at_the_edge(joint, &leads, features, edge, numeric);
        let sample = |(index, target): (usize, &Target)| {
            let (mut term, mut by_leads) = improvement(target, &leads, index);
            term += lost;
            by_leads.iter_mut().zip(&lost_by_sd).for_each(|((_, by_sd), lost)| *by_sd += lost);
            let mut by_margin = Vec::with_capacity(constraints.len());
            for at in &constraints {
                let (ln_p, rate) = ln_cumulative(-at.means.get(index).copied().unwrap_or(0.0) / at.sd);
                term += ln_p;
                by_margin.push(-rate / at.sd);
            }
            Sample { term: if term.is_nan() { f64::NEG_INFINITY } else { term }, by_leads, by_margin }
        };
        let samples = joint.targets.iter().enumerate().map(sample).collect();
        Self { leads, constraints, samples, edge }
    }

    /// The gradient in the features of the logarithm of the sum of all terms, as far as this part goes.
    fn gradient(&self, joint: &Joint, features: &[f64], total: f64) -> Vec<f64> {
        let shares: Vec<f64> = self.samples.iter().map(|sample| libm::exp(sample.term - total)).collect();
        let weighted = |by: &dyn Fn(&Sample) -> f64| {
            self.samples.iter().zip(&shares).map(|(sample, share)| share * by(sample)).collect::<Vec<f64>>()
        };
        let all: f64 = shares.iter().sum();
        let mut gradient: Vec<f64> = self.edge.iter().map(|by| all * by).collect();
        let mut add = |part: Vec<f64>| gradient.iter_mut().zip(part).for_each(|(entry, by)| *entry += by);
        for (index, (member, at)) in joint.leads.iter().zip(&self.leads).enumerate() {
            let by = |sample: &Sample| sample.by_leads.get(index).copied().unwrap_or_default();
            let by_sd = weighted(&|sample| by(sample).1).iter().sum();
            add(member.gradient(features, at, &weighted(&|sample| by(sample).0), by_sd));
        }
        for (index, (member, at)) in joint.constraints.iter().zip(&self.constraints).enumerate() {
            let by_mean = weighted(&|sample| sample.by_margin.get(index).copied().unwrap_or(0.0));
            // The margin is -mean/sd: its derivative by sd is that by the mean, times -mean/sd.
            let by_sd = by_mean.iter().zip(&at.means).map(|(by, mean)| -by * mean / at.sd).sum();
            add(member.gradient(features, at, &by_mean, by_sd));
        }
        gradient
    }
}

/// What a point loses because part of what it would tell lies outside the space: nothing where all is known already, the
/// most in a corner that nothing is known of. With its derivatives by the deviations of the leads, and its gradient in the
/// features at given deviations.
///
/// Expected improvement alone runs into the corners while little is known, as they are the farthest from all data; but
/// what is measured there says the least about the rest of the space.
fn lost_at_the_edge(
    joint: &Joint,
    leads: &[Prediction],
    features: &[f64],
    edge: f64,
    numeric: &[bool],
) -> (f64, Vec<f64>, Vec<f64>) {
    let weight = edge / leads.len().max(1) as f64;
    let (mut lost, mut by_sd, mut gradient) = (0.0, Vec::with_capacity(leads.len()), vec![0.0; features.len()]);
    for (member, lead) in joint.leads.iter().zip(leads) {
        let (ln_inside, slopes) = member.inside(features, numeric);
        let unknown = member.unknown(lead);
        lost += weight * unknown * ln_inside;
        by_sd.push(2.0 * weight * unknown * ln_inside / lead.sd);
        gradient.iter_mut().zip(slopes).for_each(|(entry, slope)| *entry += weight * unknown * slope);
    }
    (lost, by_sd, gradient)
}

#[cfg(test)]
#[path = "promise_tests.rs"]
mod tests;

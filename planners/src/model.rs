//! All outcomes of a problem together: what is expected of a point, and how much it promises.

use crate::design::Sobol;
use crate::frame::Frame;
use crate::memo::{MEMO_VERSION, Memo};
use crate::normal::{cumulative, ln_cumulative, ln_improvement, ln_sum_exp, quantile};
use crate::planner::{Estimate, PlanError};
use crate::problem::{Measure, Outcome, Problem, Row};
use crate::rng::{self, Source, Stream};
use crate::surrogate::{Member, Observation, Prediction, SETS, Surrogate, Transform};

/// Samples of the unknown true values, a set of hyperparameters.
const SAMPLES: usize = 4;
/// How many tried points may be the best one, as far as a sample goes.
const CONTENDERS: usize = 12;
/// Of them, how many are there because they are the most likely to be feasible.
const FEASIBLE_CONTENDERS: usize = 4;
/// A point counts as feasible where this is its probability at least.
pub(crate) const FEASIBLE: f64 = 0.5;
/// A sampled constraint may exceed 0 by this much, in standardised outcomes: rounding in the model.
const ROUNDING: f64 = 1e-6;

/// The models of an objective (several are scalarised) and of all that must hold.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    frame: &'a Frame<'a>,
    objectives: Vec<Surrogate>,
    constraints: Vec<Surrogate>,
    /// How many of the constraints are measured; one more is whether the recipe works at all.
    measured: usize,
    /// What the search is led by: the objective, or several with random weights.
    led_by: Surrogate,
}

/// The features of the rows where an outcome has been read, with the readings.
fn observations(frame: &Frame<'_>, rows: &[Row], read: impl Fn(&Outcome) -> Option<Measure>) -> Vec<Observation> {
    let each = |row: &Row| {
        let measure = read(&row.outcome).filter(|measure| measure.value.is_finite())?;
        let features = frame.features(&frame.unit(&row.point));
        Some(Observation { features, value: measure.value, sd: measure.known_sd() })
    };
    rows.iter().filter_map(each).collect()
}

/// 1 where the recipe fails, -1 where it works: a constraint learnt by least squares on its labels.
///
/// Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 6.5.
fn viability(outcome: &Outcome) -> Option<Measure> {
    match outcome {
        Outcome::Pending => None,
        Outcome::Observed { .. } => Some(Measure::new(-1.0)),
        Outcome::Failed => Some(Measure::new(1.0)),
    }
}

fn values(observations: &[Observation]) -> Vec<f64> {
    observations.iter().map(|observation| observation.value).collect()
}

impl<'a> Model<'a> {
    /// Fits every outcome; `None` where an objective or a constraint has fewer than two readings.
    pub(crate) fn fit(problem: &Problem, frame: &'a Frame<'a>, rows: &[Row], memo: &Memo, seed: u64) -> Option<Self> {
        let failed = rows.iter().any(|row| row.outcome == Outcome::Failed);
        let count = problem.objectives + problem.constraints + usize::from(failed);
        let mut read = Vec::with_capacity(count);
        for index in 0..count {
            let objective = index < problem.objectives;
            let seen = observations(frame, rows, |outcome| match outcome {
                Outcome::Observed { objectives, .. } if objective => objectives.get(index).copied(),
                Outcome::Observed { constraints, .. } if index < problem.objectives + problem.constraints => {
                    constraints.get(index - problem.objectives).copied()
                }
                Outcome::Observed { .. } | Outcome::Pending | Outcome::Failed => {
                    if index < problem.objectives + problem.constraints { None } else { viability(outcome) }
                }
            });
            if seen.len() < 2 {
                return None;
            }
            let transform =
                if objective { Transform::objective(&values(&seen)) } else { Transform::constraint(&values(&seen)) };
            read.push((transform, seen));
        }
        let fit = |(index, (transform, seen)): (usize, (Transform, Vec<Observation>))| {
            let mut source =
                Source::new(rng::derive(seed, Stream::Hyper, rows.len() as u64), Stream::Hyper, index as u64);
            Surrogate::fit(transform, &seen, &frame.groups, memo.surrogates.get(index), &mut source)
        };
        let mut objectives: Vec<Surrogate> = read.into_iter().enumerate().map(fit).collect();
        let constraints = objectives.split_off(problem.objectives);
        let led_by = match objectives.as_slice() {
            [only] => only.clone(),
            several => scalarised(frame, rows, several, seed)?,
        };
        Some(Self { frame, objectives, constraints, measured: problem.constraints, led_by })
    }

    /// What to hand back with the next call.
    pub(crate) fn memo(&self, last: Vec<f64>) -> Memo {
        let surrogates = self.objectives.iter().chain(&self.constraints).map(Surrogate::memo).collect();
        Memo { version: MEMO_VERSION, surrogates, last }
    }

    /// The posteriors as they are, before anything is sampled.
    pub(crate) fn outlook(&self) -> Result<Outlook<'_>, PlanError> {
        let members = |surrogates: &[Surrogate]| -> Result<Vec<_>, PlanError> {
            surrogates.iter().map(|each| each.members(1)).collect()
        };
        Ok(Outlook {
            model: self,
            objectives: members(&self.objectives)?,
            constraints: members(&self.constraints)?,
            led_by: self.led_by.members(1)?,
        })
    }
}

/// Several objectives as one, with random weights: the least weighted one counts, and a little of all.
///
/// Source: J. Knowles, "`ParEGO`", IEEE Trans. Evol. Comput. 10 (2006).
fn scalarised(frame: &Frame<'_>, rows: &[Row], objectives: &[Surrogate], seed: u64) -> Option<Surrogate> {
    /// The share of the sum beside the least one.
    const SUM: f64 = 0.05;
    let mut source = Source::new(seed, Stream::Weights, rows.len() as u64);
    // Exponentials over their sum are uniform on the simplex.
    let draws: Vec<f64> = objectives.iter().map(|_| -libm::log(source.unit())).collect();
    let total: f64 = draws.iter().sum();
    let scalar = |outcome: &Outcome| match outcome {
        Outcome::Observed { objectives: measures, .. } => {
            let weighted = measures.iter().zip(objectives).zip(&draws);
            let weighted =
                weighted.map(|((measure, surrogate), draw)| draw / total * surrogate.transform.apply(measure.value));
            let (least, sum) =
                weighted.fold((f64::INFINITY, 0.0), |(least, sum), value| (value.min(least), sum + value));
            Some(Measure::new(least + SUM * sum))
        }
        Outcome::Pending | Outcome::Failed => None,
    };
    let seen = observations(frame, rows, scalar);
    let mut source = Source::new(seed, Stream::Hyper, rows.len() as u64);
    let transform = Transform::objective(&values(&seen));
    (seen.len() >= 2).then(|| Surrogate::fit(transform, &seen, &frame.groups, None, &mut source))
}

/// What the models expect of points.
#[derive(Debug)]
pub(crate) struct Outlook<'a> {
    model: &'a Model<'a>,
    objectives: Vec<Vec<Member>>,
    constraints: Vec<Vec<Member>>,
    led_by: Vec<Member>,
}

/// What is expected of a point, over all sets of hyperparameters.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Each objective.
    pub(crate) objectives: Vec<Estimate>,
    /// Each measured constraint.
    pub(crate) constraints: Vec<Estimate>,
    /// The probability that every constraint holds and the recipe works.
    pub(crate) p_feasible: f64,
    /// The mean and standard deviation of what the search is led by, standardised.
    pub(crate) lead: (f64, f64),
}

/// The mean and the standard deviation of a mixture of normals.
fn mixture(members: &[Member], features: &[f64]) -> (f64, f64) {
    let each = |member: &Member| {
        let at = member.predict(features);
        (at.means.first().copied().unwrap_or(0.0), at.sd)
    };
    let parts: Vec<(f64, f64)> = members.iter().map(each).collect();
    let count = parts.len().max(1) as f64;
    let mean = parts.iter().map(|(mean, _)| mean).sum::<f64>() / count;
    let variance = parts.iter().map(|(m, sd)| sd * sd + (m - mean) * (m - mean)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

impl Outlook<'_> {
    /// What is expected at a unit point.
    pub(crate) fn expected(&self, unit: &[f64]) -> Expected {
        let features = self.model.frame.features(unit);
        let estimate = |(surrogate, members): (&Surrogate, &Vec<Member>)| {
            let (mean, sd) = mixture(members, &features);
            surrogate.transform.estimate(mean, sd)
        };
        let estimates = |surrogates: &[Surrogate], members: &[Vec<Member>]| {
            surrogates.iter().zip(members).map(estimate).collect::<Vec<_>>()
        };
        let mut constraints = estimates(&self.model.constraints, &self.constraints);
        constraints.truncate(self.model.measured);
        Expected {
            objectives: estimates(&self.model.objectives, &self.objectives),
            constraints,
            p_feasible: self.p_feasible(&features),
            lead: mixture(&self.led_by, &features),
        }
    }

    fn p_feasible(&self, features: &[f64]) -> f64 {
        let mut products = [1.0; SETS];
        for members in &self.constraints {
            for (product, member) in products.iter_mut().zip(members) {
                let at = member.predict(features);
                *product *= cumulative(-at.means.first().copied().unwrap_or(0.0) / at.sd);
            }
        }
        products.iter().sum::<f64>() / SETS as f64
    }

    /// How much points promise, given that `pending` ones are under way and that what has been read isn't the truth.
    pub(crate) fn promise(&self, rows: &[Row], seed: u64, further: usize) -> Result<Promise<'_>, PlanError> {
        let frame = self.model.frame;
        let observed = |row: &&Row| matches!(row.outcome, Outcome::Observed { .. });
        let pending = rows.iter().filter(|row| row.outcome == Outcome::Pending);
        let mut sites = self.contenders(rows.iter().filter(observed).map(|row| frame.unit(&row.point)).collect());
        sites.extend(pending.map(|row| frame.unit(&row.point)));
        let members = |surrogate: &Surrogate| surrogate.members(SAMPLES);
        let mut joint: Vec<Joint> = members(&self.model.led_by)?.into_iter().map(Joint::new).collect();
        for surrogate in &self.model.constraints {
            for (joint, member) in joint.iter_mut().zip(members(surrogate)?) {
                joint.constraints.push(member);
            }
        }
        let outcomes = 1 + self.model.constraints.len();
        let sobol =
            Sobol::new(outcomes * (sites.len() + further), Some(rng::derive(seed, Stream::Fantasy, rows.len() as u64)));
        let normals =
            (0..SETS * SAMPLES).map(|index| sobol.point(index as u64).into_iter().map(quantile).collect::<Vec<_>>());
        let mut promise = Promise { frame, joint, normals: normals.collect(), sites: Vec::new() };
        sites.iter().for_each(|site| promise.sample(site));
        promise.settle();
        Ok(promise)
    }

    /// The tried points that could be the best: by their upper bounds, and by how likely they are to be feasible.
    fn contenders(&self, tried: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let judge = |unit: Vec<f64>| {
            let at = self.expected(&unit);
            (unit, at.lead.0 + 2.0 * at.lead.1, at.p_feasible)
        };
        let mut judged: Vec<_> = tried.into_iter().map(judge).collect();
        judged.sort_by(|a, b| b.2.total_cmp(&a.2));
        let mut rest = judged.split_off(FEASIBLE_CONTENDERS.min(judged.len()));
        // What can't be feasible can't be the best; without any hope, all are looked at.
        let hopeful = rest.iter().filter(|(_, _, p)| *p >= 0.05).count();
        rest.truncate(if hopeful > 0 { hopeful } else { rest.len() });
        rest.sort_by(|a, b| b.1.total_cmp(&a.1));
        rest.truncate(CONTENDERS - FEASIBLE_CONTENDERS);
        judged.into_iter().chain(rest).map(|(unit, ..)| unit).collect()
    }
}

/// One set of hyperparameters an outcome: what leads the search, and what must hold.
#[derive(Debug)]
struct Joint {
    lead: Member,
    constraints: Vec<Member>,
    /// In each sample the best true value, or the worst less a standard deviation where nothing is feasible.
    best: Vec<Best>,
}

#[derive(Clone, Copy, Debug)]
enum Best {
    Feasible(f64),
    NothingFeasible(f64),
}

impl Joint {
    fn new(lead: Member) -> Self {
        Self { lead, constraints: Vec::new(), best: Vec::new() }
    }
}

/// The expected improvement of points over the best true value, in logarithms, averaged over samples of what isn't
/// known and over sets of hyperparameters; with unknown constraints.
///
/// Sources: Ament et al., "Unexpected improvements to expected improvement", NeurIPS 2023 (the logarithm); Letham et
/// al., "Constrained Bayesian optimization with noisy experiments", Bayesian Anal. 14 (2019) (noise and constraints);
/// Ginsbourger et al., "Kriging is well-suited to parallelize optimization", 2010 (pending points).
#[derive(Debug)]
pub(crate) struct Promise<'a> {
    frame: &'a Frame<'a>,
    joint: Vec<Joint>,
    /// Standard normals for every sample of every set, one an outcome and a site.
    normals: Vec<Vec<f64>>,
    /// The features of the points whose true values have been sampled, or are known.
    sites: Vec<Vec<f64>>,
}

impl Promise<'_> {
    /// Takes a point as under way: samples its true values, which may turn out the best.
    pub(crate) fn condition(&mut self, unit: &[f64]) {
        self.sample(unit);
        self.settle();
    }

    fn sample(&mut self, unit: &[f64]) {
        let features = self.frame.features(unit);
        for (joint, normals) in self.joint.iter_mut().zip(self.normals.chunks(SAMPLES)) {
            let outcomes = 1 + joint.constraints.len();
            let members = std::iter::once(&mut joint.lead).chain(&mut joint.constraints);
            for (outcome, member) in members.enumerate() {
                let at = self.sites.len() * outcomes + outcome;
                let normals: Vec<f64> = normals.iter().map(|sample| sample.get(at).copied().unwrap_or(0.0)).collect();
                member.sample(&features, &normals);
            }
        }
        self.sites.push(features);
    }

    /// Finds the best value in every sample.
    fn settle(&mut self) {
        for joint in &mut self.joint {
            let mut best = vec![f64::NEG_INFINITY; SAMPLES];
            let mut worst = vec![f64::INFINITY; SAMPLES];
            for site in &self.sites {
                let lead = joint.lead.predict(site).means;
                let holds = |sample: usize, constraints: &[Prediction]| {
                    constraints.iter().all(|at| at.means.get(sample).is_some_and(|mean| *mean <= ROUNDING))
                };
                let constraints: Vec<Prediction> =
                    joint.constraints.iter().map(|member| member.predict(site)).collect();
                for (sample, ((value, best), worst)) in lead.iter().zip(&mut best).zip(&mut worst).enumerate() {
                    *worst = worst.min(*value);
                    if holds(sample, &constraints) {
                        *best = best.max(*value);
                    }
                }
            }
            let choose = |(best, worst): (f64, f64)| {
                if best.is_finite() { Best::Feasible(best) } else { Best::NothingFeasible(worst - 1.0) }
            };
            joint.best = best.into_iter().zip(worst).map(choose).collect();
        }
    }

    /// The promise at a unit point; with `gradient`, also its gradient in the features.
    fn at(&self, unit: &[f64], gradient: bool) -> (f64, Vec<f64>) {
        let features = self.frame.features(unit);
        let parts: Vec<Part> = self.joint.iter().map(|joint| Part::new(joint, &features)).collect();
        let terms = parts.iter().flat_map(|part| part.samples.iter().map(|sample| sample.term));
        let total = ln_sum_exp(terms);
        let value = total - libm::log((parts.len() * SAMPLES).max(1) as f64);
        let mut slope = vec![0.0; features.len()];
        if gradient && total.is_finite() {
            for (joint, part) in self.joint.iter().zip(&parts) {
                for (entry, by) in slope.iter_mut().zip(part.gradient(joint, &features, total)) {
                    *entry += by;
                }
            }
        }
        (value, slope)
    }

    /// The promise at a unit point.
    pub(crate) fn value(&self, unit: &[f64]) -> f64 {
        self.at(unit, false).0
    }

    /// The promise at a unit point and its gradient, one entry a parameter; 0 for categories.
    pub(crate) fn value_and_gradient(&self, unit: &[f64]) -> (f64, Vec<f64>) {
        let (value, slope) = self.at(unit, true);
        let mut gradient = vec![0.0; self.frame.dimension()];
        let continuous = self.frame.continuous();
        for (group, slope) in self.frame.groups.iter().zip(slope) {
            if let (Some(entry), Some(true)) = (gradient.get_mut(*group), continuous.get(*group)) {
                *entry += slope;
            }
        }
        (value, gradient)
    }
}

/// What one set of hyperparameters contributes at a point.
struct Part {
    lead: Prediction,
    constraints: Vec<Prediction>,
    samples: Vec<Sample>,
}

/// One sample's term of the promise, with its derivatives.
struct Sample {
    term: f64,
    by_mean: f64,
    by_sd: f64,
    /// The derivatives by each constraint's mean; those by its sd follow from them.
    by_margin: Vec<f64>,
}

impl Part {
    fn new(joint: &Joint, features: &[f64]) -> Self {
        let lead = joint.lead.predict(features);
        let constraints: Vec<Prediction> = joint.constraints.iter().map(|member| member.predict(features)).collect();
        let sample = |(index, (mean, best)): (usize, (&f64, &Best))| {
            let (Best::Feasible(threshold) | Best::NothingFeasible(threshold)) = best;
            let u = (mean - threshold) / lead.sd;
            let (ln_h, slope) = ln_improvement(u);
            let improvement = ln_h + libm::log(lead.sd);
            let (improvement, share) = match best {
                Best::Feasible(_) => (improvement, 1.0),
                // Being feasible counts by itself, beside the improvement over the worst.
                Best::NothingFeasible(_) => {
                    (ln_sum_exp([0.0, improvement].into_iter()), 1.0 / (1.0 + libm::exp(-improvement)))
                }
            };
            let mut term = improvement;
            let mut by_margin = Vec::with_capacity(constraints.len());
            for at in &constraints {
                let (ln_p, rate) = ln_cumulative(-at.means.get(index).copied().unwrap_or(0.0) / at.sd);
                term += ln_p;
                by_margin.push(-rate / at.sd);
            }
            let term = if term.is_nan() { f64::NEG_INFINITY } else { term };
            Sample { term, by_mean: share * slope / lead.sd, by_sd: share * (1.0 - slope * u) / lead.sd, by_margin }
        };
        let samples = lead.means.iter().zip(&joint.best).enumerate().map(sample).collect();
        Self { lead, constraints, samples }
    }

    /// The gradient in the features of the logarithm of the sum of all terms, as far as this part goes.
    fn gradient(&self, joint: &Joint, features: &[f64], total: f64) -> Vec<f64> {
        let shares: Vec<f64> = self.samples.iter().map(|sample| libm::exp(sample.term - total)).collect();
        let weighted = |by: &dyn Fn(&Sample) -> f64| {
            self.samples.iter().zip(&shares).map(|(sample, share)| share * by(sample)).collect::<Vec<f64>>()
        };
        let by_sd = weighted(&|sample| sample.by_sd).iter().sum();
        let mut gradient = joint.lead.gradient(features, &self.lead, &weighted(&|sample| sample.by_mean), by_sd);
        for (index, (member, at)) in joint.constraints.iter().zip(&self.constraints).enumerate() {
            let by_mean = weighted(&|sample| sample.by_margin.get(index).copied().unwrap_or(0.0));
            // The margin is -mean/sd: its derivative by sd is that by the mean, times -mean/sd.
            let by_sd = by_mean.iter().zip(&at.means).map(|(by, mean)| -by * mean / at.sd).sum();
            let part = member.gradient(features, at, &by_mean, by_sd);
            gradient.iter_mut().zip(part).for_each(|(entry, by)| *entry += by);
        }
        gradient
    }
}

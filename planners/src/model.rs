//! All outcomes of a problem together: what is expected of a point, and how much it promises.

use crate::frame::Frame;
use crate::memo::{MEMO_MAX_BYTES, MEMO_VERSION, Memo, SurrogateMemo};
use crate::normal::cumulative;
use crate::part::{Part, Without};
use crate::planner::{Estimate, PlanError};
use crate::problem::{Measure, Outcome, Problem, Row};
use crate::promise::Promise;
use crate::rng::{self, Source, Stream};
use crate::surrogate::{Fitting, Member, Observation, Surrogate, Transform, sets_for};
use std::sync::Arc;

/// Volumes are exact up to so many objectives; above, all are led by one with random weights.
const EXACT: usize = 4;
/// How many tried points may be the best one, as far as a sample goes.
const CONTENDERS: usize = 12;
/// Of them, how many are there because they are the most likely to be feasible.
const FEASIBLE_CONTENDERS: usize = 4;
/// With several objectives, how many tried points may be on the front, as far as a sample goes.
const FRONT_CONTENDERS: usize = 40;
/// A past campaign tells of an outcome that it has read at least so often.
const PAST_MIN: usize = 5;
/// Numbers of a fit in a memo, beside its lengthscales and weights.
const MEMO_NUMBERS: usize = 5;
/// Bytes of a number in a memo.
const NUMBER_BYTES: usize = 24;
/// A point counts as feasible where this is its probability at least.
pub(crate) const FEASIBLE: f64 = 0.5;

/// The models of an objective (several are scalarised) and of all that must hold.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    frame: &'a Frame<'a>,
    objectives: Vec<Surrogate>,
    constraints: Vec<Surrogate>,
    /// How many of the constraints are measured; one more is whether the recipe works at all.
    measured: usize,
    /// What the search is led by where the objectives are too many for exact volumes: all of them, with random weights.
    scalar: Option<Surrogate>,
    /// With several objectives, what is worse than this in one of them is worth nothing: standardised.
    reference: Vec<f64>,
    without: Without,
    /// How many sets of hyperparameters each outcome has.
    sets: usize,
    /// For each past campaign, the fit of each outcome.
    past: Vec<Vec<SurrogateMemo>>,
}

/// The features of the rows where an outcome has been read, with the readings.
fn observations(frame: &Frame<'_>, rows: &[Row], read: impl Fn(&Outcome) -> Option<Measure>) -> Vec<Observation> {
    let each = |(number, row): (usize, &Row)| {
        let measure = read(&row.outcome).filter(|measure| measure.value.is_finite())?;
        let features = frame.features(&frame.unit(&row.point));
        Some(Observation { row: number, features, value: measure.value, sd: measure.known_sd() })
    };
    rows.iter().enumerate().filter_map(each).collect()
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
    pub(crate) fn fit(
        problem: &Problem,
        frame: &'a Frame<'a>,
        rows: &[Row],
        memo: &Memo,
        without: Without,
        sets: usize,
        seed: u64,
    ) -> Option<Self> {
        let failed = rows.iter().any(|row| row.outcome == Outcome::Failed);
        let count = problem.objectives + problem.constraints + usize::from(failed);
        let reference = if problem.objectives > 1 { reference(problem, rows)? } else { Vec::new() };
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
            let transform = match (objective, reference.get(index)) {
                (true, None) => Transform::objective(&values(&seen)),
                (true, Some(least)) => Transform::above(&values(&seen), *least),
                (false, _) => Transform::constraint(&values(&seen)),
            };
            read.push((transform, seen));
        }
        let past: Vec<Vec<Option<Surrogate>>> = problem
            .past
            .iter()
            .enumerate()
            .map(|(place, rows)| past(problem, frame, rows, memo.past.get(place), without))
            .collect();
        let sources = |index: usize| -> Vec<Option<Arc<Member>>> {
            past.iter().map(|it| it.get(index)?.as_ref()?.at_mode().map(Arc::new)).collect()
        };
        let fit = |(index, (transform, seen)): (usize, (Transform, Vec<Observation>))| {
            let mut source =
                Source::new(rng::derive(seed, Stream::Hyper, rows.len() as u64), Stream::Hyper, index as u64);
            // Volumes keep their proportions only under what is straight.
            let straight = index < problem.objectives && problem.objectives > 1;
            let without = if straight { without.and(Part::Bends) } else { without };
            let sources = sources(index);
            let warm = memo.surrogates.get(index);
            let fitting = Fitting { groups: &frame.groups, warm, without, sets, past: &sources };
            Surrogate::fit(transform, &seen, &fitting, &mut source)
        };
        let mut objectives: Vec<Surrogate> = read.into_iter().enumerate().map(fit).collect();
        let constraints = objectives.split_off(problem.objectives);
        let volumes = problem.objectives <= EXACT && (problem.objectives == 1 || without.has(Part::Volumes));
        let scalar = if volumes { None } else { Some(scalarised(frame, rows, &objectives, without, seed)?) };
        let reference = reference.iter().zip(&objectives).map(|(least, it)| it.transform.apply(*least)).collect();
        let fitted = |it: &Option<Surrogate>| it.as_ref().map(Surrogate::memo).unwrap_or_default();
        let past = past.iter().map(|it| it.iter().map(fitted).collect()).collect();
        let measured = problem.constraints;
        Some(Self { frame, objectives, constraints, measured, scalar, reference, without, sets, past })
    }

    /// What to hand back with the next call.
    pub(crate) fn memo(&self, last: Vec<f64>) -> Memo {
        let surrogates = self.objectives.iter().chain(&self.constraints).map(Surrogate::memo).collect();
        // What is large is fitted anew each time: a memo is small.
        let numbers = |it: &SurrogateMemo| it.ln_lengthscales.len() + it.weights.len() + MEMO_NUMBERS;
        let size = NUMBER_BYTES * self.past.iter().flatten().map(numbers).sum::<usize>();
        let past = if 2 * size < MEMO_MAX_BYTES { self.past.clone() } else { Vec::new() };
        Memo { version: MEMO_VERSION, surrogates, past, last }
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
            scalar: self.scalar.as_ref().map(|it| it.members(1)).transpose()?,
        })
    }

    /// What the search is led by: the objectives, or all of them in one.
    pub(crate) fn leads(&self) -> &[Surrogate] {
        self.scalar.as_ref().map_or(&self.objectives, std::slice::from_ref)
    }

    /// What must hold.
    pub(crate) fn constraints(&self) -> &[Surrogate] {
        &self.constraints
    }

    /// What is worth nothing in one of several objectives, standardised; empty with one objective.
    pub(crate) fn reference(&self) -> &[f64] {
        &self.reference
    }

    /// Whether there is one objective and nothing else, and picks may stay near to the best point.
    pub(crate) fn is_plain(&self) -> bool {
        self.objectives.len() == 1 && self.constraints.is_empty() && self.without.has(Part::Near)
    }

    /// Whether picks leave what the last ones have in common: where an objective's readings may be noisy, by what any of its
    /// sets of hyperparameters says.
    pub(crate) fn goes_elsewhere(&self) -> bool {
        self.without.has(Part::Elsewhere) && self.objectives.iter().any(Surrogate::may_be_noisy)
    }

    /// How many sets of hyperparameters each outcome has.
    pub(crate) fn sets(&self) -> usize {
        self.sets
    }

    /// What is left out.
    pub(crate) fn without(&self) -> Without {
        self.without
    }

    pub(crate) fn frame(&self) -> &'a Frame<'a> {
        self.frame
    }
}

/// The models of a past campaign's outcomes; `None` for those that it has hardly read.
fn past(
    problem: &Problem,
    frame: &Frame<'_>,
    rows: &[Row],
    memo: Option<&Vec<SurrogateMemo>>,
    without: Without,
) -> Vec<Option<Surrogate>> {
    let outcome = |index: usize| {
        let seen = observations(frame, rows, |outcome| match outcome {
            Outcome::Observed { objectives, constraints } => objectives.iter().chain(constraints).nth(index).copied(),
            Outcome::Pending | Outcome::Failed => None,
        });
        if seen.len() < PAST_MIN {
            return None;
        }
        let objective = index < problem.objectives;
        let transform =
            if objective { Transform::objective(&values(&seen)) } else { Transform::constraint(&values(&seen)) };
        let warm = memo.and_then(|it| it.get(index)).filter(|it| it.fitted_at == seen.len());
        let fitting = Fitting { groups: &frame.groups, warm, without, sets: 1, past: &[] };
        // One set alone draws nothing at random.
        Some(Surrogate::fit(transform, &seen, &fitting, &mut Source::new(0, Stream::Hyper, 0)))
    };
    (0..problem.objectives + problem.constraints).map(outcome).collect()
}

/// Several objectives as one, with random weights: the least weighted one counts, and a little of all.
///
/// Source: J. Knowles, "`ParEGO`", IEEE Trans. Evol. Comput. 10 (2006).
fn scalarised(
    frame: &Frame<'_>,
    rows: &[Row],
    objectives: &[Surrogate],
    without: Without,
    seed: u64,
) -> Option<Surrogate> {
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
    let fitting = Fitting { groups: &frame.groups, warm: None, without, sets: sets_for(rows.len()), past: &[] };
    (seen.len() >= 2).then(|| Surrogate::fit(transform, &seen, &fitting, &mut source))
}

/// What the models expect of points.
#[derive(Debug)]
pub(crate) struct Outlook<'a> {
    model: &'a Model<'a>,
    objectives: Vec<Vec<Member>>,
    constraints: Vec<Vec<Member>>,
    scalar: Option<Vec<Member>>,
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
    /// The mean and standard deviation of what the search is led by, standardised: one an objective, or all in one.
    pub(crate) leads: Vec<(f64, f64)>,
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

/// The model of one outcome, to be studied.
pub(crate) struct Studied<'a> {
    surrogate: &'a Surrogate,
    members: &'a [Member],
}

impl Studied<'_> {
    pub(crate) fn members(&self) -> &[Member] {
        self.members
    }

    /// A standardised value in the outcome's own scale.
    pub(crate) fn value(&self, standardised: f64) -> f64 {
        self.surrogate.transform.invert(standardised).clamp(-f64::MAX, f64::MAX)
    }

    /// What is expected at these features, standardised.
    pub(crate) fn mean(&self, features: &[f64]) -> f64 {
        self.members.iter().map(|member| member.expected(features)).sum::<f64>() / self.members.len().max(1) as f64
    }

    /// Every reading with its row and what is expected of it without it: mean and sd, standardised.
    pub(crate) fn left_out(&self) -> Vec<(usize, f64, f64, f64)> {
        let readings = left_out(self.members).into_iter().zip(self.surrogate.rows());
        readings.map(|((value, mean, sd), row)| (*row, value, mean, sd)).collect()
    }
}

/// Each reading with the mixture of what every set of hyperparameters expects of it without it.
fn left_out(members: &[Member]) -> Vec<(f64, f64, f64)> {
    let each: Vec<Vec<(f64, f64)>> = members.iter().map(Member::left_out).collect();
    let values = members.first().map_or_else(Vec::new, Member::values);
    let count = each.len().max(1) as f64;
    let reading = |(index, value): (usize, &f64)| {
        let parts: Vec<(f64, f64)> = each.iter().filter_map(|it| it.get(index).copied()).collect();
        let mean = parts.iter().map(|(mean, _)| mean).sum::<f64>() / count;
        let variance = parts.iter().map(|(m, sd)| sd * sd + (m - mean) * (m - mean)).sum::<f64>() / count;
        (*value, mean, variance.sqrt())
    };
    values.iter().enumerate().map(reading).collect()
}

impl Outlook<'_> {
    /// Whether there are several objectives with a front.
    pub(crate) fn has_front(&self) -> bool {
        self.objectives.len() > 1 && self.scalar.is_none()
    }

    /// The share of the first objective's variance at a unit point that a reading at another one would take away: the mean
    /// over all sets of hyperparameters.
    pub(crate) fn tells(&self, reading: &[f64], of: &[f64]) -> f64 {
        let frame = self.model.frame;
        let (reading, of) = (frame.features(reading), frame.features(of));
        let members = self.objectives.first().map_or(&[][..], Vec::as_slice);
        members.iter().map(|member| member.tells(&reading, &of)).sum::<f64>() / members.len().max(1) as f64
    }

    /// How plausible the real experiment's readings of the first objective are without themselves: the mean logarithm of
    /// their density.
    pub(crate) fn foretells(&self, rows: &[Row]) -> f64 {
        let Some(studied) = self.studied_objectives().into_iter().next() else { return f64::NEG_INFINITY };
        let frame = self.model.frame;
        let real = |row: &usize| rows.get(*row).is_some_and(|row| frame.is_real(&frame.unit(&row.point)));
        let readings: Vec<_> = studied.left_out().into_iter().filter(|(row, ..)| real(row)).collect();
        let density = |(_, value, mean, sd): &(usize, f64, f64, f64)| {
            let slope = studied.surrogate.transform.slope(studied.value(*value));
            -0.5 * ((value - mean) / sd).powi(2) - libm::log(*sd) + libm::log(slope)
        };
        readings.iter().map(density).sum::<f64>() / readings.len().max(1) as f64
    }

    /// Whether there is nothing but one objective to be improved.
    pub(crate) fn has_one_objective(&self) -> bool {
        self.objectives.len() == 1
    }

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
            leads: match &self.scalar {
                Some(scalar) => vec![mixture(scalar, &features)],
                None => self.objectives.iter().map(|it| mixture(it, &features)).collect(),
            },
        }
    }

    fn p_feasible(&self, features: &[f64]) -> f64 {
        let mut products = vec![1.0; self.model.sets()];
        for members in &self.constraints {
            for (product, member) in products.iter_mut().zip(members) {
                let at = member.predict(features);
                *product *= cumulative(-at.means.first().copied().unwrap_or(0.0) / at.sd);
            }
        }
        products.iter().sum::<f64>() / products.len() as f64
    }

    pub(crate) fn frame(&self) -> &Frame<'_> {
        self.model.frame
    }

    /// For every set of hyperparameters, the model of the first objective and of all that must hold.
    pub(crate) fn joint(&self) -> impl Iterator<Item = (&Member, Vec<&Member>)> {
        let first = self.objectives.first().into_iter().flatten().enumerate();
        first.map(|(set, member)| (member, self.constraints.iter().filter_map(|it| it.get(set)).collect()))
    }

    /// The first objective in its own scale.
    pub(crate) fn objective_value(&self, standardised: f64) -> f64 {
        self.model.objectives.first().map_or(standardised, |it| it.transform.invert(standardised))
    }

    /// The standard deviation of a reading of the first objective at the observation nearest to a unit point.
    pub(crate) fn noise_at(&self, unit: &[f64]) -> f64 {
        let (Some(members), Some(surrogate)) = (self.objectives.first(), self.model.objectives.first()) else {
            return 0.0;
        };
        let features = self.model.frame.features(unit);
        let variances: Vec<f64> = members.iter().map(|it| it.noise_at(&features)).collect();
        let variance = variances.iter().sum::<f64>() / variances.len().max(1) as f64;
        let (mean, _) = mixture(members, &features);
        variance.sqrt() / surrogate.transform.slope(surrogate.transform.invert(mean))
    }

    /// The tried points with what the search is led by, there.
    pub(crate) fn by_mean(&self, rows: &[Row]) -> Vec<(Vec<f64>, f64)> {
        let tried = rows.iter().filter(|row| matches!(row.outcome, Outcome::Observed { .. }));
        let units = tried.map(|row| self.model.frame.aim(&self.model.frame.unit(&row.point)));
        units.map(|unit| (unit.clone(), self.expected(&unit).leads.first().map_or(0.0, |(mean, _)| *mean))).collect()
    }

    /// For every outcome its readings, each with what is expected of it without it (mean and sd), standardised.
    pub(crate) fn readings(&self) -> Vec<Vec<(f64, f64, f64)>> {
        let outcomes = self.objectives.iter().chain(self.constraints.iter().take(self.model.measured));
        outcomes.map(|members| left_out(members)).collect()
    }

    /// Each objective, to be studied.
    pub(crate) fn studied_objectives(&self) -> Vec<Studied<'_>> {
        let pairs = self.model.objectives.iter().zip(&self.objectives);
        pairs.map(|(surrogate, members)| Studied { surrogate, members }).collect()
    }

    /// Each measured constraint, to be studied.
    pub(crate) fn studied_constraints(&self) -> Vec<Studied<'_>> {
        let pairs = self.model.constraints.iter().zip(&self.constraints).take(self.model.measured);
        pairs.map(|(surrogate, members)| Studied { surrogate, members }).collect()
    }

    /// What volumes count from, in the objectives' own scales; empty with one.
    pub(crate) fn reference(&self) -> Vec<f64> {
        let pairs = self.model.reference.iter().zip(&self.model.objectives);
        pairs.map(|(least, surrogate)| surrogate.transform.invert(*least)).collect()
    }

    /// For each past campaign, the weight that it has in each outcome.
    pub(crate) fn weights(&self) -> Vec<Vec<f64>> {
        let outcomes = || self.model.objectives.iter().chain(self.model.constraints.iter().take(self.model.measured));
        let of = |place: usize| outcomes().map(|it| it.weights().get(place).copied().unwrap_or(0.0)).collect();
        (0..self.model.past.len()).map(of).collect()
    }

    /// Where the fits ended.
    pub(crate) fn fits(&self) -> Vec<SurrogateMemo> {
        self.model.memo(Vec::new()).surrogates
    }

    /// How much points promise, given that `pending` ones are under way and that what has been read isn't the truth.
    pub(crate) fn promise(&self, rows: &[Row], seed: u64, further: usize) -> Result<Promise<'_>, PlanError> {
        let frame = self.model.frame;
        let observed = |row: &&Row| matches!(row.outcome, Outcome::Observed { .. });
        let pending = rows.iter().filter(|row| row.outcome == Outcome::Pending);
        // What counts is what all of them would be in the real experiment.
        let real = |row: &Row| frame.aim(&frame.unit(&row.point));
        let mut sites = self.contenders(rows.iter().filter(observed).map(real).collect());
        sites.extend(pending.map(real));
        Promise::new(self.model, &sites, seed, rows.len() as u64, further)
    }

    /// The tried points that could be the best: by their upper bounds, and by how likely they are to be feasible.
    fn contenders(&self, tried: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let judge = |unit: Vec<f64>| {
            let at = self.expected(&unit);
            (unit, at)
        };
        let mut judged: Vec<(Vec<f64>, Expected)> = tried.into_iter().map(judge).collect();
        judged.sort_by(|a, b| b.1.p_feasible.total_cmp(&a.1.p_feasible));
        let mut rest = judged.split_off(FEASIBLE_CONTENDERS.min(judged.len()));
        // What can't be feasible can't be the best; without any hope, all are looked at.
        let hopeful = rest.iter().filter(|(_, at)| at.p_feasible >= 0.05).count();
        rest.truncate(if hopeful > 0 { hopeful } else { rest.len() });
        if !self.has_front() {
            let upper = |at: &Expected| at.leads.first().map_or(f64::NEG_INFINITY, |(mean, sd)| mean + 2.0 * sd);
            rest.sort_by(|a, b| upper(&b.1).total_cmp(&upper(&a.1)));
            rest.truncate(CONTENDERS - FEASIBLE_CONTENDERS);
        } else {
            // What another surely dominates is on no front.
            let surely = |a: &Expected, b: &Expected| a.leads.iter().zip(&b.leads).all(|(a, b)| a.0 - a.1 > b.0 + b.1);
            let known: Vec<Expected> = judged.iter().chain(&rest).map(|(_, at)| at.clone()).collect();
            let rank = |at: &Expected| known.iter().filter(|it| surely(it, at)).count();
            rest.retain(|(_, at)| rank(at) == 0);
            let sum = |at: &Expected| at.leads.iter().map(|(mean, _)| mean).sum::<f64>();
            rest.sort_by(|a, b| sum(&b.1).total_cmp(&sum(&a.1)));
            rest.truncate(FRONT_CONTENDERS);
        }
        judged.into_iter().chain(rest).map(|(unit, ..)| unit).collect()
    }
}

/// The reference point: the one given, or one tenth of its range below the worst of the front that was read.
///
/// Source: Ishibuchi, Imada, Setoguchi and Nojima, "How to specify a reference point in hypervolume calculation for fair
/// performance comparison", Evol. Comput. 26 (2018).
fn reference(problem: &Problem, rows: &[Row]) -> Option<Vec<f64>> {
    if !problem.reference.is_empty() {
        return Some(problem.reference.clone());
    }
    let read = |row: &Row| match &row.outcome {
        Outcome::Observed { objectives, constraints } => {
            let values: Vec<f64> = objectives.iter().map(|measure| measure.value).collect();
            let holds = constraints.iter().all(|measure| measure.value <= 0.0);
            values.iter().all(|value| value.is_finite()).then_some((values, holds))
        }
        Outcome::Pending | Outcome::Failed => None,
    };
    let read: Vec<(Vec<f64>, bool)> = rows.iter().filter_map(read).collect();
    let feasible = read.iter().any(|(_, holds)| *holds);
    let values: Vec<&Vec<f64>> =
        read.iter().filter(|(_, holds)| *holds || !feasible).map(|(values, _)| values).collect();
    let better = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| a >= b) && a.iter().zip(b).any(|(a, b)| a > b);
    let front: Vec<&Vec<f64>> =
        values.iter().copied().filter(|it| !values.iter().any(|other| better(other, it))).collect();
    let of = |objective: usize| {
        let each =
            |values: &[&Vec<f64>]| values.iter().filter_map(|it| it.get(objective).copied()).collect::<Vec<f64>>();
        // A front of one point has no range: that of all that was read stands in.
        let known = if front.len() > 1 { each(&front) } else { each(&values) };
        let low = known.iter().copied().fold(f64::INFINITY, f64::min);
        let high = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        low - 0.1 * (high - low)
    };
    let found: Vec<f64> = (0..problem.objectives).map(of).collect();
    found.iter().all(|value| value.is_finite()).then_some(found)
}

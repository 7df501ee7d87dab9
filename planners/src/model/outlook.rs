//! What the models expect of points, and how well they foretell readings.

use super::Model;
use super::together::ELSEWHERE;
use crate::frame::Frame;
use crate::memo::SurrogateMemo;
use crate::normal::{cumulative, ln_cumulative, ln_sum_exp};
use crate::planner::{Estimate, PlanError};
use crate::problem::{Outcome, Row};
use crate::promise::Promise;
use crate::surrogate::{Member, Surrogate};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How many tried points may be the best one, as far as a sample goes.
const CONTENDERS: usize = 12;
/// Of them, how many are there because they are the most likely to be feasible.
const FEASIBLE_CONTENDERS: usize = 4;
/// With several objectives, how many tried points may be on the front, as far as a sample goes.
const FRONT_CONTENDERS: usize = 40;

/// What the models expect of points.
#[derive(Debug)]
pub(crate) struct Outlook<'a> {
    model: &'a Model<'a>,
    objectives: Vec<Vec<Member>>,
    constraints: Vec<Vec<Member>>,
    scalar: Option<Vec<Member>>,
    /// What is expected of tried points, by the bits of their coordinates: they are asked for more than once.
    tried: RefCell<BTreeMap<Vec<u64>, Expected>>,
}

impl Model<'_> {
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
            tried: RefCell::default(),
        })
    }
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
    /// Its logarithm, which still tells apart what is nearly impossible.
    pub(crate) ln_feasible: f64,
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
        let own = readings.filter(|(_, row)| **row != ELSEWHERE);
        own.map(|((value, mean, sd), row)| (*row, value, mean, sd)).collect()
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
        let frame = &self.model.frame;
        let (reading, of) = (frame.features(reading), frame.features(of));
        let members = self.objectives.first().map_or(&[][..], Vec::as_slice);
        members.iter().map(|member| member.tells(&reading, &of)).sum::<f64>() / members.len().max(1) as f64
    }

    /// How plausible the real experiment's readings of the first objective are without themselves: the mean logarithm of
    /// their density.
    pub(crate) fn foretells(&self, rows: &[Row]) -> f64 {
        let Some(studied) = self.studied_objectives().into_iter().next() else { return f64::NEG_INFINITY };
        let frame = &self.model.frame;
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
        let mixtures = |all: &[Vec<Member>]| all.iter().map(|members| mixture(members, &features)).collect::<Vec<_>>();
        let estimates = |surrogates: &[Surrogate], mixtures: &[(f64, f64)]| {
            let pairs = surrogates.iter().zip(mixtures);
            pairs.map(|(surrogate, (mean, sd))| surrogate.transform.estimate(*mean, *sd)).collect::<Vec<_>>()
        };
        let measured = self.constraints.get(..self.model.measured).unwrap_or(&self.constraints);
        let objectives = mixtures(&self.objectives);
        let (p_feasible, ln_feasible) = self.feasible(&features);
        Expected {
            objectives: estimates(&self.model.objectives, &objectives),
            constraints: estimates(&self.model.constraints, &mixtures(measured)),
            p_feasible,
            ln_feasible,
            leads: match &self.scalar {
                Some(scalar) => vec![mixture(scalar, &features)],
                None => objectives,
            },
        }
    }

    /// The probability that every constraint holds and the recipe works, and its logarithm.
    fn feasible(&self, features: &[f64]) -> (f64, f64) {
        let mut products = vec![(1.0, 0.0); self.model.sets()];
        for members in &self.constraints {
            for ((product, ln_product), member) in products.iter_mut().zip(members) {
                let at = member.predict(features);
                let within = -at.means.first().copied().unwrap_or(0.0) / at.sd;
                *product *= cumulative(within);
                *ln_product += ln_cumulative(within).0;
            }
        }
        let count = products.len() as f64;
        let ln_sum = ln_sum_exp(products.iter().map(|(_, ln_product)| *ln_product));
        (products.iter().map(|(product, _)| product).sum::<f64>() / count, ln_sum - libm::log(count))
    }

    pub(crate) fn frame(&self) -> &Frame<'_> {
        &self.model.frame
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
        let outcomes = self.studied_objectives().into_iter().chain(self.studied_constraints());
        let own = |outcome: Studied<'_>| outcome.left_out().into_iter().map(|(_, value, mean, sd)| (value, mean, sd));
        outcomes.map(|outcome| own(outcome).collect()).collect()
    }

    /// The share of the readings' variance that is explained without them, of the outcome that is explained the best.
    pub(crate) fn skill(&self) -> f64 {
        let skill = |readings: Vec<(f64, f64, f64)>| {
            let mean = readings.iter().map(|it| it.0).sum::<f64>() / readings.len().max(1) as f64;
            let spread: f64 = readings.iter().map(|it| (it.0 - mean).powi(2)).sum();
            let missed: f64 = readings.iter().map(|it| (it.0 - it.1).powi(2)).sum();
            if spread > 0.0 { 1.0 - missed / spread } else { 0.0 }
        };
        self.readings().into_iter().map(skill).fold(f64::NEG_INFINITY, f64::max)
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
        let campaigns = self.model.past.len().max(self.model.frame.campaigns());
        let of = |place: usize| outcomes().map(|it| self.model.weight(it, place)).collect();
        (0..campaigns).map(of).collect()
    }

    /// Where the fits ended.
    pub(crate) fn fits(&self) -> Vec<SurrogateMemo> {
        self.model.memo(Vec::new()).surrogates
    }

    /// How much points promise, given that `pending` ones are under way and that what has been read isn't the truth.
    pub(crate) fn promise(&self, rows: &[Row], seed: u64, further: usize) -> Result<Promise<'_>, PlanError> {
        let frame = &self.model.frame;
        let observed = |row: &&Row| matches!(row.outcome, Outcome::Observed { .. });
        let pending = rows.iter().filter(|row| row.outcome == Outcome::Pending);
        // What counts is what all of them would be in the real experiment.
        let real = |row: &Row| frame.aim(&frame.unit(&row.point));
        let mut sites = self.contenders(rows.iter().filter(observed).map(real).collect());
        sites.extend(pending.map(real));
        Promise::new(self.model, &sites, seed, rows.len() as u64, further)
    }

    /// [`Outlook::expected`] of a tried point, which is kept.
    pub(crate) fn expected_of_tried(&self, unit: &[f64]) -> Expected {
        let bits: Vec<u64> = unit.iter().map(|u| u.to_bits()).collect();
        let mut tried = self.tried.borrow_mut();
        tried.entry(bits).or_insert_with(|| self.expected(unit)).clone()
    }

    /// The tried points that could be the best: by their upper bounds, and by how likely they are to be feasible.
    fn contenders(&self, tried: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let judge = |unit: Vec<f64>| {
            let at = self.expected_of_tried(&unit);
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

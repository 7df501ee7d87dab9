//! How much is left to gain, and whether that is enough evidence to stop.
//!
//! Whole functions are drawn from the posterior and each is maximised; what its maximum lies above its value at the answer
//! is what would be left if that function were the truth. A campaign may stop where nearly all of them leave less than a
//! tolerance. Source: J. Wilson, "Stopping Bayesian optimization with probabilistic regret bounds", NeurIPS 2024.

use serde::{Deserialize, Serialize};

use crate::bayesian::best_tried;
use crate::binomial;
use crate::drawn::{Drawn, Joint};
use crate::frame::Frame;
use crate::memo::{Memo, SurrogateMemo};
use crate::model::{FEASIBLE, Outlook};
use crate::planner::PlanError;
use crate::problem::{Problem, Row};
use crate::rng::{self, Source, Stream};
use crate::search::{self, Score as _};
use crate::surrogate::{Sites, Transform};

/// Paths that are looked at before anything is concluded, and never counted as evidence: most calls end here.
const SCREEN: usize = 32;
/// Numbers of paths from which something may be concluded, one after the other.
pub const PATHS: [usize; 3] = [256, 1024, 4096];
/// Of what a stop may be wrong by, the share that is the model's; the rest is for having drawn only so many paths.
const MODEL_SHARE: f64 = 0.9;
/// At least this share of the readings has to lie within what the model expects of 95 % of them without them.
pub const COVERAGE: f64 = 0.85;
/// So many readings must have come since the model last changed its form.
pub const SETTLED: usize = 5;
/// Of the confidences that can be asked for, the lowest and the highest: more would need more than [`PATHS`].
pub const CONFIDENCES: (f64, f64) = (0.5, 0.995);
/// The tried points, the best ones by the model, from which each path is looked at.
const HINTS: usize = 8;
/// Climbs on each path.
const CLIMBS: usize = 4;
/// Candidates of each path that climbs may start from.
const STARTS: usize = 24;
/// Candidates that are held in memory at once.
const CHUNK: usize = 4096;
/// Half of the 95 % interval of a normal, in standard deviations.
const TWO_SIDED: f64 = 1.959_963_984_540_054;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopQuestion {
    /// What may be left to gain, in the objective's unit; above 0.
    pub tolerance: f64,
    /// How probable it has to be that no more is left, within [`CONFIDENCES`].
    pub confidence: f64,
    /// How many tests the campaign has had before: each further one is held to more.
    pub tests: u32,
}

/// What is left to gain, by the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remaining {
    /// The row that would be the answer.
    pub row: usize,
    /// How many functions were drawn.
    pub paths: usize,
    /// How many of them leave no more than the tolerance.
    pub within: usize,
    /// What is left, on the mean over all of them.
    pub expected: f64,
    /// What half, nine tenths and 95 of a hundred of them leave at most.
    pub quantiles: [f64; 3],
    /// The probability that no more is left is at least this, so few as the paths are; 0 without a test.
    pub at_least: f64,
    /// What that has to reach.
    pub wanted: f64,
    /// The share of the readings within what was expected of 95 % of them without them.
    pub coverage: f64,
    /// Whether a test was made: it counts toward [`StopQuestion::tests`].
    pub tested: bool,
    /// What follows.
    pub verdict: StopVerdict,
}

/// Whether it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopVerdict {
    /// No more is left, with the confidence that was asked for, if the model is right.
    Enough,
    /// More may be left.
    MoreToGain,
    /// The model's intervals hold too few of the readings.
    Uncalibrated,
    /// The model has changed its form a short while ago.
    Unsettled,
    /// The tolerance is less than half of the noise of the answer's reading: nobody could tell.
    Noisy,
}

impl StopQuestion {
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        let sound = self.tolerance > 0.0 && self.tolerance.is_finite();
        let possible = (CONFIDENCES.0..=CONFIDENCES.1).contains(&self.confidence);
        if sound && possible { Ok(()) } else { Err(PlanError::Question) }
    }

    /// What the probability of no more than the tolerance has to reach.
    fn wanted(&self) -> f64 {
        1.0 - MODEL_SHARE * (1.0 - self.confidence)
    }

    /// What this test may be wrong by, for having only so many paths. All tests there could ever be share what there is.
    fn level(&self) -> f64 {
        let share = (1.0 - MODEL_SHARE) * (1.0 - self.confidence);
        let number = f64::from(self.tests) + 1.0;
        let basel = std::f64::consts::PI * std::f64::consts::PI / 6.0;
        share / (basel * number * number) / PATHS.len() as f64
    }
}

/// See [`crate::Bayesian::remaining`].
pub(crate) fn remaining(
    problem: &Problem,
    outlook: &Outlook<'_>,
    rows: &[Row],
    memo: &Memo,
    seed: u64,
    question: &StopQuestion,
) -> Result<Remaining, PlanError> {
    let frame = outlook.frame();
    let (row, at) = best_tried(outlook, frame, rows).ok_or(PlanError::NothingObserved)?;
    let answer = rows.get(row).map(|it| frame.aim(&frame.unit(&it.point))).unwrap_or_default();
    let looked = Looked::new(problem, outlook, rows, &answer, rng::derive(seed, Stream::Paths, rows.len() as u64));
    let coverage = coverage(outlook.readings());
    let screened = looked.gaps(0, SCREEN);
    let wanted = question.wanted();
    let mut found = Remaining {
        row,
        paths: SCREEN,
        within: within(&screened, question.tolerance),
        expected: mean(&screened),
        quantiles: quantiles(screened.clone()),
        at_least: 0.0,
        wanted,
        coverage,
        tested: false,
        verdict: StopVerdict::MoreToGain,
    };
    let hopeless = at.p_feasible < FEASIBLE
        || (found.within as f64) < wanted * SCREEN as f64 - 2.0 * (wanted * (1.0 - wanted) * SCREEN as f64).sqrt();
    let objection = if coverage < COVERAGE {
        Some(StopVerdict::Uncalibrated)
    } else if !settled(memo, &outlook.fits(), rows.len(), problem.initial_size()) {
        Some(StopVerdict::Unsettled)
    } else if question.tolerance < 0.5 * outlook.noise_at(&answer) {
        Some(StopVerdict::Noisy)
    } else {
        None
    };
    if hopeless || objection.is_some() {
        found.verdict = objection.filter(|_| !hopeless).unwrap_or(StopVerdict::MoreToGain);
        return Ok(found);
    }
    found.tested = true;
    let mut gaps: Vec<f64> = Vec::new();
    for size in PATHS {
        gaps.extend(looked.gaps(SCREEN + gaps.len(), size - gaps.len()));
        found.within = within(&gaps, question.tolerance);
        found.at_least = binomial::at_least(found.within, size, question.level());
        if found.at_least >= wanted {
            found.verdict = StopVerdict::Enough;
            break;
        }
        if (found.within as f64) < wanted * size as f64 {
            break;
        }
    }
    (found.paths, found.expected) = (gaps.len(), mean(&gaps));
    found.quantiles = quantiles(gaps);
    Ok(found)
}

fn within(gaps: &[f64], tolerance: f64) -> usize {
    gaps.iter().filter(|gap| **gap <= tolerance).count()
}

fn mean(gaps: &[f64]) -> f64 {
    gaps.iter().map(|gap| gap / gaps.len().max(1) as f64).sum()
}

fn quantiles(mut gaps: Vec<f64>) -> [f64; 3] {
    gaps.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let reached = |(place, gap): (usize, &f64)| ((place + 1) as f64 >= share * gaps.len() as f64).then_some(*gap);
        gaps.iter().enumerate().find_map(reached).unwrap_or(0.0)
    };
    [at(0.5), at(0.9), at(0.95)]
}

/// The share of readings within the 95 % interval of what was expected without them.
fn coverage(readings: Vec<Vec<(f64, f64, f64)>>) -> f64 {
    let inside = |(value, mean, sd): &(f64, f64, f64)| (value - mean).abs() <= TWO_SIDED * sd;
    let shares = readings.iter().map(|it| it.iter().filter(|it| inside(it)).count() as f64 / it.len().max(1) as f64);
    shares.fold(1.0, f64::min)
}

/// Whether the models have had their form for a while. Without a memo nothing is known of that.
fn settled(memo: &Memo, fits: &[SurrogateMemo], rows: usize, initial: usize) -> bool {
    let settled = |(then, now): (&SurrogateMemo, &SurrogateMemo)| {
        // A plan may have taken a bend that isn't believed here: that is no change.
        Transform::form(then.bend) >= Transform::form(now.bend) && rows >= then.since + SETTLED
    };
    rows >= initial + SETTLED && memo.surrogates.iter().zip(fits).all(settled)
}

/// Where paths are looked at.
struct Looked<'a> {
    outlook: &'a Outlook<'a>,
    frame: &'a Frame<'a>,
    joint: Vec<Joint<'a>>,
    answer: Vec<f64>,
    /// The tried points, the best by the model first.
    tried: Vec<Vec<f64>>,
    units: Vec<Vec<f64>>,
    /// The least and the highest reading of the objective.
    read: (f64, f64),
    /// Whether paths may be climbed from there: not where only these points may be.
    climbs: bool,
    seed: u64,
}

impl<'a> Looked<'a> {
    fn new(problem: &Problem, outlook: &'a Outlook<'a>, rows: &[Row], answer: &[f64], seed: u64) -> Self {
        let frame = outlook.frame();
        let mut tried: Vec<(Vec<f64>, f64)> = outlook.by_mean(rows);
        tried.sort_by(|a, b| b.1.total_cmp(&a.1));
        let tried: Vec<Vec<f64>> = tried.into_iter().map(|(unit, _)| unit).collect();
        let units = match &problem.space.pool {
            Some(pool) => {
                pool.iter().filter(|it| problem.space.contains(it)).map(|it| frame.aim(&frame.unit(it))).collect()
            }
            None => {
                let hints: Vec<Vec<f64>> = tried.iter().take(HINTS).map(|unit| frame.snap(unit)).collect();
                search::looked_at(frame, &hints, rng::derive(seed, Stream::Paths, 1))
            }
        };
        let joint = Joint::all(outlook, &mut Source::new(seed, Stream::Paths, 0));
        let climbs = problem.space.pool.is_none();
        let readings = outlook.readings();
        let values = || readings.first().into_iter().flatten().map(|it| outlook.objective_value(it.0));
        let read = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        Self { outlook, frame, joint, answer: answer.to_vec(), tried, units, read, climbs, seed }
    }

    /// What `count` paths leave to gain over the answer, in the objective's unit: those from number `from` on.
    fn gaps(&self, from: usize, count: usize) -> Vec<f64> {
        let mut gaps = Vec::with_capacity(count);
        for (index, joint) in self.joint.iter().enumerate() {
            let mine = (from..from + count).filter(|number| number % self.joint.len() == index);
            let scores: Vec<Drawn<'_>> = mine
                .map(|number| {
                    Drawn::new(self.frame, joint, &mut Source::new(self.seed, Stream::Paths, 2 + number as u64))
                })
                .collect();
            let starts = self.starts(joint, &scores);
            gaps.extend(scores.iter().zip(starts).map(|(score, starts)| self.gap(score, starts)));
        }
        gaps
    }

    /// The best candidates of each path.
    fn starts(&self, joint: &Joint<'_>, scores: &[Drawn<'_>]) -> Vec<Vec<(usize, f64)>> {
        let mut starts: Vec<Vec<(usize, f64)>> = vec![Vec::new(); scores.len()];
        for (chunk, units) in self.units.chunks(CHUNK).enumerate() {
            let features: Vec<Vec<f64>> = units.iter().map(|unit| self.frame.features(unit)).collect();
            let objective = joint.objective.sites(&features);
            let constraints: Vec<Sites> = joint.constraints.iter().map(|it| it.sites(&features)).collect();
            for (score, best) in scores.iter().zip(&mut starts) {
                let mut values = joint.objective.values(&score.objective, &objective);
                for ((paths, path), sites) in joint.constraints.iter().zip(&score.constraints).zip(&constraints) {
                    let margins = paths.values(path, sites);
                    values
                        .iter_mut()
                        .zip(margins)
                        .filter(|(_, margin)| *margin > 0.0)
                        .for_each(|(value, _)| *value = f64::NEG_INFINITY);
                }
                best.extend(values.into_iter().enumerate().map(|(index, value)| (chunk * CHUNK + index, value)));
                best.sort_by(|a, b| b.1.total_cmp(&a.1));
                best.truncate(STARTS);
            }
        }
        starts
    }

    /// What a path says of the answer: of another tried point where the answer breaks a constraint, and of the worst one
    /// where all of them do.
    fn here(&self, score: &Drawn<'_>) -> f64 {
        let answer = score.value(&self.answer);
        if answer.is_finite() {
            return answer;
        }
        let best = self.tried.iter().map(|unit| score.value(unit)).fold(f64::NEG_INFINITY, f64::max);
        let worst = || self.tried.iter().map(|unit| score.objective_at(unit)).fold(f64::INFINITY, f64::min);
        if best.is_finite() { best } else { worst() }
    }

    fn gap(&self, score: &Drawn<'_>, starts: Vec<(usize, f64)>) -> f64 {
        let here = self.here(score);
        let known = starts.first().map_or(f64::NEG_INFINITY, |(_, value)| *value);
        let unit = |(index, value): (usize, f64)| self.units.get(index).map(|unit| (unit.clone(), value));
        let climbed = if self.climbs && known.is_finite() {
            let starts = starts.into_iter().filter_map(unit).collect();
            search::climbed(self.frame, score, starts, CLIMBS, self.seed).map_or(known, |(_, value)| value)
        } else {
            known
        };
        let most = climbed.max(known).max(here);
        // Outside of what has been read a bend that is turned back makes any size of a little: no function is believed to
        // fall below it, nor to rise above it by more than the whole of it.
        let (least, highest) = self.read;
        let here = self.outlook.objective_value(here).max(least);
        let most = self.outlook.objective_value(most).min(highest + (highest - least));
        (most - here).max(0.0)
    }
}

#[cfg(test)]
#[path = "remaining_tests.rs"]
mod tests;

//! All outcomes of a problem together: what is expected of a point, and how much it promises.

mod outlook;
mod past;
mod together;

pub(crate) use outlook::{Expected, Outlook, Studied};

use past::Past;

use crate::frame::Frame;
use crate::front;
use crate::memo::{MEMO_VERSION, Memo, SurrogateMemo};
use crate::part::{Part, Without};
use crate::problem::{Measure, Outcome, Problem, Row};
use crate::rng::{self, Source, Stream};
use crate::surrogate::{Bends, Fitting, Observation, Surrogate, Transform, WARP_GAIN, Warp, sets_for};

/// Volumes are exact up to so many objectives; above, all are led by one with random weights.
const EXACT: usize = 4;
/// Bends of parameters are looked for from so many readings on for each that varies.
const WARP_ROWS: usize = 5;
/// Sets of hyperparameters to stop by: what is hardly plausible counts there, as being wrong may be rare and no more.
const STOP_SETS: usize = 32;
/// A point counts as feasible where this is its probability at least.
pub(crate) const FEASIBLE: f64 = 0.5;

/// What a fit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// To choose points by: what is wrong is soon found out.
    Plan,
    /// To stop by: being wrong is worse than being slow.
    Stop,
}

/// What is to be fitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) problem: &'a Problem,
    pub(crate) rows: &'a [Row],
    pub(crate) without: Without,
    pub(crate) care: Care,
    pub(crate) seed: u64,
    /// The model of this campaign alone, where past ones are to be part of the process.
    pub(crate) beside: Option<&'a Model<'a>>,
}

/// The models of an objective (several are scalarised) and of all that must hold.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    frame: Frame<'a>,
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
    /// The models of past campaigns.
    past: Past,
    /// The fits of one process over past campaigns as well.
    together: Vec<SurrogateMemo>,
    /// What is known of this campaign alone, where this model is of past ones as well.
    alone: Option<Box<Memo>>,
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
    /// Fits every outcome, under bends of the parameters where those act unevenly by far; `None` where an objective or a
    /// constraint has fewer than two readings.
    ///
    /// The bends are the same for all outcomes: those by which the first objective's readings are the most plausible, if
    /// the other outcomes don't take away what they gain.
    pub(crate) fn fit(order: &Order<'_>, frame: &Frame<'a>, memo: &Memo) -> Option<Self> {
        let Order { rows, without, .. } = *order;
        let under = |warps: &[Warp], memo: &Memo| Self::fit_under(order, frame.bent(warps), memo);
        let model = under(&memo.warps, memo)?;
        let numeric = frame.varied();
        let enough = WARP_ROWS * numeric.iter().filter(|varied| **varied).count();
        let due = |it: &Surrogate| it.is_fresh() && it.rows().len() >= enough;
        if !without.has(Part::Warps) || !model.objectives.first().is_some_and(due) {
            return Some(model);
        }
        let straight = if memo.warps.is_empty() { model } else { under(&[], &model.warm(Vec::new(), true))? };
        let unbent = |row: usize| rows.get(row).map(|row| frame.features(&frame.unit(&row.point))).unwrap_or_default();
        let found = straight.objectives.first().and_then(|it| it.warps(unbent, &numeric));
        let Some(Bends { warps, first, gain }) = found else { return Some(straight) };
        let mut warm = straight.warm(frame.of_features(&warps), memo.warps.is_empty());
        if let Some(entry) = warm.surrogates.first_mut() {
            entry.ln_lengthscales = first;
        }
        let bent = under(&warm.warps.clone(), &warm)?;
        let others = bent.outcomes().zip(straight.outcomes()).skip(1);
        let total = gain + others.map(|(bent, straight)| bent.density() - straight.density()).sum::<f64>();
        Some(if total > WARP_GAIN { bent } else { straight })
    }

    /// What a fit under other bends begins from; `anew` where the model takes another form by them.
    fn warm(&self, warps: Vec<Warp>, anew: bool) -> Memo {
        // With so few observations behind it no fit stands, and with none its form has none behind it.
        let fitted_at = usize::from(!anew);
        let again = |it: SurrogateMemo| SurrogateMemo { fitted_at, ..it };
        let surrogates = self.outcomes().map(|it| again(it.memo())).collect();
        Memo { version: MEMO_VERSION, surrogates, warps, ..Memo::default() }
    }

    /// Every objective, then all that must hold.
    fn outcomes(&self) -> impl Iterator<Item = &Surrogate> {
        self.objectives.iter().chain(&self.constraints)
    }

    fn fit_under(order: &Order<'_>, frame: Frame<'a>, memo: &Memo) -> Option<Self> {
        let Order { problem, rows, without, care, seed, .. } = *order;
        let (sets, wary) = match care {
            Care::Plan => (sets_for(rows.len()), false),
            Care::Stop => (STOP_SETS, true),
        };
        let failed = rows.iter().any(|row| row.outcome == Outcome::Failed);
        let count = problem.outcomes() + usize::from(failed);
        let reference = if problem.objectives > 1 { reference(problem, rows)? } else { Vec::new() };
        let read =
            (0..count).map(|index| read(order, &frame, reference.get(index), index)).collect::<Option<Vec<_>>>()?;
        // What is part of the process needs no models beside it.
        let past = if order.beside.is_some() { Past::NONE } else { Past::fit(problem, &frame, memo, without) };
        let fit = |(index, (transform, seen)): (usize, (Transform, Vec<Observation>))| {
            let mut source =
                Source::new(rng::derive(seed, Stream::Hyper, rows.len() as u64), Stream::Hyper, index as u64);
            // Volumes keep their proportions only under what is straight.
            let straight = index < problem.objectives && problem.objectives > 1;
            let without = if straight { without.and(Part::Bends) } else { without };
            let sources = past.members(index);
            let warm = memo.surrogates.get(index);
            let learned = past.learned(index, &frame).filter(|_| without.has(Part::Learned));
            let (groups, turns) = (&frame.groups, &frame.turns);
            let fitting = Fitting { groups, turns, warm, without, sets, wary, past: &sources, learned };
            Surrogate::fit(transform, &seen, &fitting, &mut source)
        };
        let mut objectives: Vec<Surrogate> = read.into_iter().enumerate().map(fit).collect();
        let constraints = objectives.split_off(problem.objectives);
        let volumes = problem.objectives <= EXACT && (problem.objectives == 1 || without.has(Part::Volumes));
        let scalar = if volumes { None } else { Some(scalarised(&frame, rows, &objectives, without, seed)?) };
        let reference = reference.iter().zip(&objectives).map(|(least, it)| it.transform.apply(*least)).collect();
        let measured = problem.constraints;
        Some(Self {
            frame,
            objectives,
            constraints,
            measured,
            scalar,
            reference,
            without,
            sets,
            past,
            together: Vec::new(),
            alone: None,
        })
    }

    /// What to hand back with the next call.
    pub(crate) fn memo(&self, last: Vec<f64>) -> Memo {
        let together = self.together.clone();
        if let Some(alone) = &self.alone {
            return Memo { last, together, ..Memo::clone(alone) }.within_limit();
        }
        let surrogates = self.outcomes().map(Surrogate::memo).collect();
        let warps = self.frame.warps().to_vec();
        Memo { version: MEMO_VERSION, surrogates, past: self.past.memo(), together, warps, last }.within_limit()
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
        self.without.has(Part::Elsewhere) && self.objectives.iter().any(|it| it.noisy() > 0.0)
    }

    /// Whether an objective's readings are noisy, by what most of its sets of hyperparameters say.
    pub(crate) fn is_noisy(&self) -> bool {
        self.objectives.iter().any(|it| it.noisy() > 0.5)
    }

    /// How many sets of hyperparameters each outcome has.
    pub(crate) fn sets(&self) -> usize {
        self.sets
    }

    /// What is left out.
    pub(crate) fn without(&self) -> Without {
        self.without
    }

    pub(crate) fn frame(&self) -> &Frame<'a> {
        &self.frame
    }
}

/// The readings of an outcome (of viability after all that are measured), and the scale they are modelled in; `None` where
/// there are fewer than two.
fn read(
    order: &Order<'_>,
    frame: &Frame<'_>,
    reference: Option<&f64>,
    index: usize,
) -> Option<(Transform, Vec<Observation>)> {
    let Order { problem, rows, .. } = *order;
    let of = |outcome: &Outcome| if index < problem.outcomes() { outcome.measure(index) } else { viability(outcome) };
    let mut seen = observations(frame, rows, of);
    if seen.len() < 2 {
        return None;
    }
    let transform = match (index < problem.objectives, reference) {
        (true, None) => Transform::objective(&values(&seen)),
        (true, Some(least)) => Transform::above(&values(&seen), *least),
        (false, _) => Transform::constraint(&values(&seen)),
    };
    if let Some(alone) = order.beside {
        let before = alone.read_before(&problem.past, frame, index, &seen);
        seen.extend(before);
    }
    Some((transform, seen))
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
    let (groups, turns) = (&frame.groups, &frame.turns);
    let fitting = Fitting { groups, turns, without, sets: sets_for(rows.len()), ..Fitting::default() };
    (seen.len() >= 2).then(|| Surrogate::fit(transform, &seen, &fitting, &mut source))
}

/// The reference point: the one given, or one tenth of its range below the worst of the front that was read.
///
/// Source: Ishibuchi, Imada, Setoguchi and Nojima, "How to specify a reference point in hypervolume calculation for fair
/// performance comparison", Evol. Comput. 26 (2018).
fn reference(problem: &Problem, rows: &[Row]) -> Option<Vec<f64>> {
    if !problem.reference.is_empty() {
        return Some(problem.reference.clone());
    }
    let feasible = front::readings(rows);
    // Where nothing is feasible yet, everything that was read stands in.
    let read = if feasible.iter().any(Option::is_some) { feasible } else { front::objectives(rows) };
    let ahead = front::undominated(&read);
    let front: Vec<&Vec<f64>> = ahead.iter().filter_map(|place| read.get(*place)?.as_ref()).collect();
    let values: Vec<&Vec<f64>> = read.iter().flatten().collect();
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

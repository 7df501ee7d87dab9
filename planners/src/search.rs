//! Where a promise is greatest: many candidates, climbs from the best of them, and steps along the regions' borders.

use crate::design::Sobol;
use crate::frame::Frame;
use crate::optimise;
use crate::problem::{Parameter, Point};
use crate::rng::{self, Source, Stream};

/// Candidates spread over the whole space.
const SPREAD: u64 = 512;
/// Of those, every so-many-th is also looked at with some coordinates moved onto their bounds.
const ON_BOUNDS_EVERY: u64 = 4;
/// Candidates around each hint, for each of [`RADII`].
const AROUND: usize = 24;
/// How far around a hint candidates lie.
const RADII: [f64; 3] = [0.2, 0.05, 0.01];
/// About so many coordinates of a hint are moved at once.
const MOVED: f64 = 20.0;
/// What lies within this of a point in every coordinate is near to it.
const NEAR: f64 = 0.2;
/// How many candidates are climbed from.
const CLIMBS: usize = 8;
/// Candidates nearer to one that is climbed from than this (a root mean square of coordinates) are passed over.
const APART: f64 = 0.05;
/// Steps of a climb.
const STEPS: u64 = 40;
/// Rounds of a climb in spaces with lattices: a move on the lattices, then a climb again.
const ROUNDS: usize = 12;
/// Moves on the lattices that are looked at in a round.
const MOVES: usize = 60;
/// Sizes of the steps along the regions' borders.
const BORDER_STEPS: [f64; 5] = [0.1, 0.03, 0.01, 0.003, 0.001];
/// Tries of each size, for each parameter.
const BORDER_TRIES: usize = 4;
/// Halvings by which a point on a border is found.
const BORDER_HALVINGS: usize = 30;

/// What is maximised over unit points.
pub(crate) trait Score {
    /// The value at a unit point; -inf where it may not be.
    fn value(&self, unit: &[f64]) -> f64;

    /// The values at unit points.
    fn values(&self, units: &[Vec<f64>]) -> Vec<f64> {
        units.iter().map(|unit| self.value(unit)).collect()
    }

    /// The value and its gradient, one entry a parameter; 0 for categories.
    fn value_and_gradient(&self, unit: &[f64]) -> (f64, Vec<f64>);

    /// Whether there are borders within the space beyond which the value is -inf.
    fn has_borders(&self) -> bool;
}

/// The part of the unit cube that is searched, by its least and its greatest coordinates.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Bounds {
    /// All of it.
    pub(crate) fn whole(frame: &Frame<'_>) -> Self {
        let last = |parameter: &Parameter| match parameter {
            Parameter::Categorical { choices } => choices.saturating_sub(1) as f64,
            Parameter::Real { .. } | Parameter::Integer { .. } | Parameter::Levels { .. } => 1.0,
        };
        let whole =
            Self { lower: vec![0.0; frame.dimension()], upper: frame.space.parameters.iter().map(last).collect() };
        // What is looked for is the real experiment's.
        match frame.real() {
            Some((parameter, _)) => whole.fixed(&[parameter], &frame.aim(&vec![0.0; frame.dimension()])),
            None => whole,
        }
    }

    /// The same with these coordinates as they are at a point.
    pub(crate) fn fixed(mut self, coordinates: &[usize], at: &[f64]) -> Self {
        for side in [&mut self.lower, &mut self.upper] {
            for index in coordinates {
                if let (Some(entry), Some(value)) = (side.get_mut(*index), at.get(*index)) {
                    *entry = *value;
                }
            }
        }
        self
    }

    fn contains(&self, unit: &[f64]) -> bool {
        /// Rounding of a coordinate.
        const ROUNDING: f64 = 1e-9;
        let sides = self.lower.iter().zip(&self.upper);
        unit.iter().zip(sides).all(|(u, (low, high))| *u >= low - ROUNDING && *u <= high + ROUNDING)
    }

    /// What lies near to a point; there are no categories then.
    pub(crate) fn near(frame: &Frame<'_>, centre: &[f64]) -> Self {
        let centre = &frame.aim(centre);
        let beside = |by: f64| centre.iter().map(|u| (u + by).clamp(0.0, 1.0)).collect();
        let near = Self { lower: beside(-NEAR), upper: beside(NEAR) };
        match frame.real() {
            Some((parameter, _)) => near.fixed(&[parameter], centre),
            None => near,
        }
    }

    /// What lies beyond a stretch of one coordinate: below it or above it, whichever `share` of the room falls to.
    pub(crate) fn beyond(frame: &Frame<'_>, coordinate: usize, stretch: (f64, f64), share: f64) -> Self {
        let mut bounds = Self::whole(frame);
        let (low, high) = (stretch.0.max(0.0), stretch.1.min(1.0));
        let below = share * (low + 1.0 - high) < low;
        if below && let Some(upper) = bounds.upper.get_mut(coordinate) {
            *upper = low;
        }
        if !below && let Some(lower) = bounds.lower.get_mut(coordinate) {
            *lower = high;
        }
        bounds
    }

    /// A point of the cube, moved into its part as a smaller cube.
    fn squeeze(&self, frame: &Frame<'_>, unit: &[f64]) -> Vec<f64> {
        let sides = self.lower.iter().zip(&self.upper).zip(&frame.space.parameters);
        let squeeze = |(u, ((low, high), parameter)): (&f64, ((&f64, &f64), &Parameter))| match parameter {
            Parameter::Categorical { .. } => u.clamp(*low, *high),
            Parameter::Real { .. } | Parameter::Integer { .. } | Parameter::Levels { .. } => low + u * (high - low),
        };
        frame.snap(&unit.iter().zip(sides).map(squeeze).collect::<Vec<_>>())
    }

    /// The nearest point of this part.
    pub(crate) fn clamp(&self, frame: &Frame<'_>, unit: &[f64]) -> Vec<f64> {
        let sides = self.lower.iter().zip(&self.upper);
        frame.snap(&unit.iter().zip(sides).map(|(u, (low, high))| u.clamp(*low, *high)).collect::<Vec<_>>())
    }
}

/// Finds a unit point within bounds, in every region, of great promise; `hints` are points to look around at, the best
/// first.
pub(crate) fn search(
    frame: &Frame<'_>,
    score: &dyn Score,
    hints: &[Vec<f64>],
    bounds: &Bounds,
    seed: u64,
) -> Option<Vec<f64>> {
    let mut source = Source::new(seed, Stream::Search, 1);
    let looked = within_regions(frame, candidates(frame, hints, bounds, seed, &mut source));
    let values = score.values(&looked).into_iter().map(|value| if value.is_nan() { f64::NEG_INFINITY } else { value });
    let mut scored: Vec<(Vec<f64>, f64)> = looked.into_iter().zip(values).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    let climbed =
        starts(frame, scored, CLIMBS).into_iter().map(|start| climb(frame, score, start, bounds, &mut source));
    climbed.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(unit, _)| unit)
}

/// The points at which functions are looked at: all over the space and around hints, in every region.
pub(crate) fn looked_at(frame: &Frame<'_>, hints: &[Vec<f64>], seed: u64) -> Vec<Vec<f64>> {
    let mut source = Source::new(seed, Stream::Search, 1);
    within_regions(frame, candidates(frame, hints, &Bounds::whole(frame), seed, &mut source))
}

/// The best point that so many climbs come to from the best of the points given, best first.
pub(crate) fn climbed(
    frame: &Frame<'_>,
    score: &dyn Score,
    scored: Vec<(Vec<f64>, f64)>,
    climbs: usize,
    seed: u64,
) -> Option<(Vec<f64>, f64)> {
    let mut source = Source::new(seed, Stream::Search, 3);
    let bounds = Bounds::whole(frame);
    let starts = starts(frame, scored, climbs);
    let climbed = starts.into_iter().map(|start| climb(frame, score, start, &bounds, &mut source));
    climbed.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The index of the most promising of given unit points.
pub(crate) fn best_of(score: &dyn Score, units: &[Vec<f64>]) -> Option<usize> {
    let scored = score.values(units).into_iter().enumerate();
    scored.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(index, _)| index)
}

fn candidates(frame: &Frame<'_>, hints: &[Vec<f64>], bounds: &Bounds, seed: u64, source: &mut Source) -> Vec<Vec<f64>> {
    let sobol = Sobol::new(frame.dimension(), Some(rng::derive(seed, Stream::Search, 0)));
    let mut looked: Vec<Vec<f64>> = hints.iter().map(|hint| bounds.clamp(frame, hint)).collect();
    for index in 0..SPREAD {
        let unit = frame.spread(&sobol.point(index));
        if index % ON_BOUNDS_EVERY == 0 {
            looked.push(bounds.squeeze(frame, &onto_bounds(frame, &unit, source)));
        }
        looked.push(bounds.squeeze(frame, &unit));
    }
    let share = (MOVED / frame.dimension().max(1) as f64).min(1.0);
    for (hint, radius) in hints.iter().flat_map(|hint| RADII.map(|radius| (hint, radius))) {
        looked.extend((0..AROUND).map(|_| bounds.clamp(frame, &around(frame, hint, radius, share, source))));
    }
    looked
}

/// The points, those that violate a known region pulled back to its border.
fn within_regions(frame: &Frame<'_>, looked: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let anchor = looked.iter().find(|unit| frame.holds(unit)).cloned();
    let inside = |unit: Vec<f64>| {
        if frame.holds(&unit) { Some(unit) } else { pull_back(frame, anchor.as_ref()?, &unit) }
    };
    looked.into_iter().filter_map(inside).collect()
}

/// A point with about a third of its real coordinates moved onto one of their bounds.
fn onto_bounds(frame: &Frame<'_>, unit: &[f64], source: &mut Source) -> Vec<f64> {
    let moved = unit.iter().zip(frame.continuous()).map(|(u, real)| match source.below(6) {
        0 if real => 0.0,
        1 if real => 1.0,
        _ => *u,
    });
    moved.collect()
}

/// A point near a hint: some of its coordinates moved by normal steps, some categories drawn anew.
fn around(frame: &Frame<'_>, hint: &[f64], radius: f64, share: f64, source: &mut Source) -> Vec<f64> {
    let each = |(parameter, u): (&Parameter, &f64)| {
        let (moves, step, draw) = (source.unit() < share, source.normal(), source.unit());
        match parameter {
            Parameter::Real { .. } | Parameter::Integer { .. } | Parameter::Levels { .. } if moves => u + radius * step,
            // Half of the nearby points keep their categories at the greatest radius, nearly all at the least.
            Parameter::Categorical { choices } if moves && source.unit() < 2.5 * radius => {
                (draw * *choices as f64).floor()
            }
            Parameter::Real { .. }
            | Parameter::Integer { .. }
            | Parameter::Levels { .. }
            | Parameter::Categorical { .. } => *u,
        }
    };
    frame.snap(&frame.space.parameters.iter().zip(hint).map(each).collect::<Vec<_>>())
}

/// The last point that satisfies the regions on the way from one that does to one that doesn't.
fn pull_back(frame: &Frame<'_>, inside: &[f64], outside: &[f64]) -> Option<Vec<f64>> {
    let on_the_way = |share: f64| {
        let each = |(from, to): (&f64, &f64)| from + share * (to - from);
        frame.snap(&inside.iter().zip(outside).map(each).collect::<Vec<_>>())
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..BORDER_HALVINGS {
        let middle = f64::midpoint(low, high);
        if frame.holds(&on_the_way(middle)) { low = middle } else { high = middle }
    }
    let found = on_the_way(low);
    frame.holds(&found).then_some(found)
}

/// The best candidates that aren't too near to each other.
fn starts(frame: &Frame<'_>, scored: Vec<(Vec<f64>, f64)>, climbs: usize) -> Vec<(Vec<f64>, f64)> {
    let apart = APART * APART * frame.dimension() as f64;
    let mut chosen: Vec<(Vec<f64>, f64)> = Vec::new();
    for (unit, value) in scored {
        if chosen.len() == climbs {
            break;
        }
        if chosen.iter().all(|(other, _)| frame.distance2(other, &unit) >= apart) {
            chosen.push((unit, value));
        }
    }
    chosen
}

fn climb(
    frame: &Frame<'_>,
    score: &dyn Score,
    start: (Vec<f64>, f64),
    bounds: &Bounds,
    source: &mut Source,
) -> (Vec<f64>, f64) {
    let mut at = ascend(frame, score, start, bounds);
    for _ in 0..ROUNDS {
        let Some(moved) = lattice_move(frame, score, &at, bounds) else { break };
        at = ascend(frame, score, moved, bounds);
    }
    if frame.space.regions.is_empty() && !score.has_borders() {
        at
    } else {
        along_the_border(frame, score, at, bounds, source)
    }
}

/// Climbs by the real coordinates alone; a step out of the regions is a step too far.
fn ascend(frame: &Frame<'_>, score: &dyn Score, start: (Vec<f64>, f64), bounds: &Bounds) -> (Vec<f64>, f64) {
    let continuous = frame.continuous();
    let bound = |free: &[f64]| {
        let each = |((real, u), free): ((&bool, &f64), &f64)| if *real { *free } else { *u };
        continuous.iter().zip(&start.0).zip(free).map(each).collect::<Vec<f64>>()
    };
    let function = |unit: &[f64]| {
        if frame.space.mixtures.is_empty() {
            return if frame.holds(unit) { score.value_and_gradient(unit) } else { outside(unit) };
        }
        let unit = frame.snap(unit);
        if !frame.holds(&unit) {
            return outside(&unit);
        }
        let (value, gradient) = score.value_and_gradient(&unit);
        (value, frame.along_mixtures(&unit, gradient))
    };
    match optimise::maximise(&function, &start.0, &bound(&bounds.lower), &bound(&bounds.upper), STEPS) {
        Some((unit, value)) if value > start.1 && frame.space.mixtures.is_empty() => (unit, value),
        Some((unit, value)) if value > start.1 => (frame.snap(&unit), value),
        Some(_) | None => start,
    }
}

fn outside(unit: &[f64]) -> (f64, Vec<f64>) {
    (f64::NEG_INFINITY, vec![0.0; unit.len()])
}

/// The best single move on a lattice, if any improves: an integer by one, a category to another.
fn lattice_move(
    frame: &Frame<'_>,
    score: &dyn Score,
    at: &(Vec<f64>, f64),
    bounds: &Bounds,
) -> Option<(Vec<f64>, f64)> {
    let point = frame.point(&at.0);
    let mut moves = Vec::new();
    for (index, (parameter, value)) in frame.space.parameters.iter().zip(&point.0).enumerate() {
        let others: Vec<f64> = match parameter {
            Parameter::Real { .. } => Vec::new(),
            Parameter::Integer { .. } => vec![value - 1.0, value + 1.0],
            Parameter::Levels { values, .. } => {
                let below = values.iter().copied().filter(|level| level < value).fold(f64::NAN, f64::max);
                let above = values.iter().copied().filter(|level| level > value).fold(f64::NAN, f64::min);
                [below, above].into_iter().filter(|level| !level.is_nan()).collect()
            }
            Parameter::Categorical { choices } => (0..*choices).map(|choice| choice as f64).collect(),
        };
        for other in others.into_iter().filter(|other| (other - value).abs() > 0.0) {
            let mut moved = point.clone();
            if let Some(coordinate) = moved.0.get_mut(index) {
                *coordinate = other;
            }
            if moves.len() < MOVES && frame.space.contains(&moved) {
                // The real coordinates stay as they are to the last bit.
                let unit = frame.unit(&moved);
                let reals = unit.iter().zip(&at.0).zip(frame.continuous());
                moves.push(reals.map(|((new, old), real)| if real { *old } else { *new }).collect::<Vec<_>>());
            }
        }
    }
    moves.extend(swaps(frame, &point));
    let scored = moves.into_iter().filter(|unit| bounds.contains(unit)).map(|unit| {
        let value = score.value(&unit);
        (unit, value)
    });
    scored.filter(|(_, value)| *value > at.1).reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// Where only some parameters of a mixture may be present: each of those in turn gives its share to each that is absent.
fn swaps(frame: &Frame<'_>, point: &Point) -> Vec<Vec<f64>> {
    let value = |index: &usize| point.0.get(*index).copied().unwrap_or(0.0);
    let mut swapped = Vec::new();
    for mixture in frame.space.mixtures.iter().filter(|mixture| mixture.at_most.is_some()) {
        let (present, absent): (Vec<usize>, Vec<usize>) = mixture.parameters.iter().partition(|it| value(it) > 0.0);
        for (from, to) in present.iter().flat_map(|from| absent.iter().map(move |to| (*from, *to))) {
            let mut moved = point.clone();
            moved.0.swap(from, to);
            let unit = frame.snap(&frame.unit(&moved));
            if swapped.len() < MOVES && frame.holds(&unit) {
                swapped.push(unit);
            }
        }
    }
    swapped
}

/// Improves a point by random steps of shrinking size, each pulled back to the regions' borders where it leaves them:
/// a climb that has run into a border can't follow it.
fn along_the_border(
    frame: &Frame<'_>,
    score: &dyn Score,
    mut at: (Vec<f64>, f64),
    bounds: &Bounds,
    source: &mut Source,
) -> (Vec<f64>, f64) {
    let continuous = frame.continuous();
    for size in BORDER_STEPS {
        for _ in 0..BORDER_TRIES * frame.dimension() {
            let each = |(u, real): (&f64, &bool)| {
                let step = source.normal();
                if *real { u + size * step } else { *u }
            };
            let moved = bounds.clamp(frame, &at.0.iter().zip(&continuous).map(each).collect::<Vec<_>>());
            let moved = if frame.holds(&moved) { Some(moved) } else { pull_back(frame, &at.0, &moved) };
            if let Some(moved) = moved {
                let value = score.value(&moved);
                if value > at.1 {
                    at = (moved, value);
                }
            }
        }
    }
    at
}

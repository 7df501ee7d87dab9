//! The first points: a scrambled Sobol sequence kept to the known regions, or a spread-out part of a pool.

mod joe_kuo;
mod sobol;

pub(crate) use sobol::Sobol;

use crate::frame::Frame;
use crate::planner::PlanError;
use crate::problem::{Point, Row, Space};
use crate::rng;

/// How far along the sequence a feasible point is looked for before the search turns to walking downhill.
const SEQUENCE_LIMIT: u64 = 20_000;
/// How many random points are tried before the search for a feasible one turns to walking downhill.
const RANDOM_LIMIT: usize = 20_000;
/// Steps of a walk into the regions.
const WALK_STEPS: usize = 4_000;
/// Points of a pool that are looked at when it is spread out by distance; a larger pool is thinned first.
const POOL_LOOK: usize = 20_000;

/// The feasible points of the sequence number `from` to `from + count`, in unit coordinates.
///
/// The sequence depends on the seed alone, so point k is the same whoever asks for it, and a region only means that the
/// sequence is drawn on for longer. Source: Owen scrambling as in [`Sobol`]; rejection keeps the sequence's uniformity.
pub(crate) fn initial(frame: &Frame<'_>, seed: u64, from: usize, count: usize) -> Result<Vec<Vec<f64>>, PlanError> {
    let sobol = Sobol::new(frame.dimension(), Some(rng::derive(seed, rng::Stream::Design, 0)));
    let mut found = Vec::new();
    let mut seen = 0;
    for index in 0..SEQUENCE_LIMIT {
        let unit = frame.spread(&sobol.point(index));
        if frame.holds(&unit) {
            seen += 1;
            if seen > from {
                found.push(unit);
            }
        }
        if found.len() >= count {
            return Ok(found);
        }
    }
    for index in found.len()..count {
        let mut source = rng::Source::new(seed, rng::Stream::Rescue, (from + index) as u64);
        found.push(frame.unit(&random_point(frame, &mut source)?));
    }
    Ok(found)
}

/// A uniformly random point that satisfies the known regions, or one reached by walking into them.
pub(crate) fn random_point(frame: &Frame<'_>, source: &mut rng::Source) -> Result<Point, PlanError> {
    let mut best: Option<(f64, Vec<f64>)> = None;
    for _ in 0..RANDOM_LIMIT {
        let uniform: Vec<f64> = (0..frame.dimension()).map(|_| source.unit()).collect();
        let unit = frame.spread(&uniform);
        let margin = frame.margin(&unit);
        if margin <= 0.0 {
            return Ok(frame.point(&unit));
        }
        if best.as_ref().is_none_or(|(least, _)| margin < *least) {
            best = Some((margin, unit));
        }
    }
    let (margin, unit) = best.ok_or(PlanError::NoFeasiblePoint)?;
    walk(frame, margin, unit, source).map(|unit| frame.point(&unit)).ok_or(PlanError::NoFeasiblePoint)
}

/// Walks downhill on the worst margin by normal steps whose size adapts (a (1+1) evolution strategy with the
/// one-fifth rule; Rechenberg 1973).
fn walk(frame: &Frame<'_>, mut margin: f64, mut unit: Vec<f64>, source: &mut rng::Source) -> Option<Vec<f64>> {
    let mut step = 0.1;
    for _ in 0..WALK_STEPS {
        let moved: Vec<f64> = unit.iter().map(|u| u + step * source.normal()).collect();
        let moved = frame.snap(&moved);
        let there = frame.margin(&moved);
        if there <= 0.0 {
            return Some(moved);
        }
        if there < margin {
            (margin, unit) = (there, moved);
            step = f64::min(step * 1.5, 0.5);
        } else {
            step = f64::max(step * 0.9, 1e-9);
        }
    }
    None
}

/// The points of the pool that satisfy the regions and are in no row, in the pool's order; none without a pool.
pub(crate) fn untried(space: &Space, rows: &[Row]) -> Vec<Point> {
    let key = |point: &Point| point.0.iter().map(|x| if *x == 0.0 { 0 } else { x.to_bits() }).collect::<Vec<_>>();
    let tried: std::collections::BTreeSet<_> = rows.iter().map(|row| key(&row.point)).collect();
    let mut seen = tried;
    let pool = space.pool.as_deref().unwrap_or_default();
    pool.iter().filter(|point| space.contains(point) && seen.insert(key(point))).cloned().collect()
}

/// The index of the pool's point that lies farthest from all of `taken`; with none taken, one the seed picks.
///
/// Source: greedy max-min distance, Kennard and Stone, Technometrics 11 (1969).
pub(crate) fn farthest(frame: &Frame<'_>, pool: &[Vec<f64>], taken: &[Vec<f64>], seed: u64) -> Option<usize> {
    if taken.is_empty() {
        let mut source = rng::Source::new(seed, rng::Stream::Design, 1);
        return (!pool.is_empty()).then(|| source.below(pool.len()));
    }
    let stride = pool.len().div_ceil(POOL_LOOK).max(1);
    let nearest = |point: &[f64]| taken.iter().map(|other| frame.distance2(point, other)).fold(f64::INFINITY, f64::min);
    let looked = pool.iter().enumerate().step_by(stride).map(|(index, point)| (index, nearest(point)));
    looked.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(index, _)| index)
}

//! Several objectives: the region that improves on a Pareto front, and how much of it a point is expected to add.

use crate::normal::{cumulative, density, ln_improvement, ln_sum_exp};
use crate::problem::{Outcome, Row};

/// What improves on a front and lies above a reference point, as disjoint boxes; larger is better in every objective.
///
/// In each objective the boxes begin and end at the values of the front and of the reference, so that what is costly is
/// evaluated once a value and not once a box.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    /// For each objective the reference and the front's values above it, ascending.
    cuts: Vec<Vec<f64>>,
    /// The boxes one after another: for each objective the cuts they begin and end at; one past the last is infinity.
    boxes: Vec<(usize, usize)>,
}

/// Cuts of one objective, and the points of the front by their places among them.
struct Grid {
    cuts: Vec<Vec<f64>>,
    points: Vec<Vec<usize>>,
}

impl Front {
    /// The region above `reference` that no point dominates.
    pub(crate) fn new(points: &[Vec<f64>], reference: &[f64]) -> Self {
        let inside = |point: &&Vec<f64>| point.iter().zip(reference).all(|(value, least)| value > least);
        let above: Vec<&Vec<f64>> = points.iter().filter(inside).collect();
        let front: Vec<&Vec<f64>> = above.iter().copied().filter(|it| !dominated(it, &above)).collect();
        let cuts: Vec<Vec<f64>> = reference
            .iter()
            .enumerate()
            .map(|(objective, least)| {
                let mut values: Vec<f64> = front.iter().filter_map(|it| it.get(objective).copied()).collect();
                values.push(*least);
                values.sort_by(f64::total_cmp);
                values.dedup();
                values
            })
            .collect();
        let place = |(cuts, value): (&Vec<f64>, &f64)| cuts.partition_point(|cut| cut < value);
        let places = |it: &&Vec<f64>| cuts.iter().zip(it.iter()).map(place).collect::<Vec<usize>>();
        let grid = Grid { points: front.iter().map(places).collect(), cuts };
        let mut boxes = Vec::new();
        let all: Vec<&[usize]> = grid.points.iter().map(Vec::as_slice).collect();
        let mut open = vec![(0, 0); reference.len()];
        split(&grid.cuts, &all, reference.len(), &mut open, &mut boxes);
        Self { cuts: grid.cuts, boxes }
    }

    /// The logarithm of the expected added volume at a point whose objectives are independent normals, with its
    /// derivatives by their means and standard deviations.
    ///
    /// Source: the sum over disjoint boxes is in Yang, Emmerich, Deutz and Bäck, "Efficient computation of expected
    /// hypervolume improvement using box decomposition algorithms", J. Glob. Optim. 75 (2019).
    pub(crate) fn ln_improvement(&self, means: &[f64], sds: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
        let sides: Vec<Side> =
            self.cuts.iter().zip(means.iter().zip(sds)).map(|(cuts, (mean, sd))| Side::new(cuts, *mean, *sd)).collect();
        let count = sides.len();
        let mut total = 0.0;
        let mut by_means = vec![0.0; count];
        let mut by_sds = vec![0.0; count];
        for edges in self.boxes.chunks_exact(count.max(1)) {
            let spans = || sides.iter().zip(edges).map(|(side, edge)| side.span(*edge));
            let volume: f64 = spans().map(|span| span.length).product();
            total += volume;
            for ((span, by_mean), by_sd) in spans().zip(&mut by_means).zip(&mut by_sds) {
                if span.length > 0.0 {
                    *by_mean += volume / span.length * span.by_mean;
                    *by_sd += volume / span.length * span.by_sd;
                }
            }
        }
        let scale: f64 = sides.iter().map(|side| side.ln_scale).sum();
        if total > f64::MIN_POSITIVE {
            by_means.iter_mut().chain(&mut by_sds).for_each(|by| *by /= total);
            return (libm::log(total) + scale, by_means, by_sds);
        }
        // Hopelessly far below the front: what the best single box says is all that a search needs to know.
        let far =
            |edges: &[(usize, usize)]| sides.iter().zip(edges).map(|(side, edge)| side.ln_from(edge.0)).sum::<f64>();
        (ln_sum_exp(self.boxes.chunks_exact(count.max(1)).map(far)), vec![0.0; count], vec![0.0; count])
    }

    /// The volume between the reference and the front.
    pub(crate) fn volume(&self) -> f64 {
        let value = |cuts: &Vec<f64>, cut: usize| cuts.get(cut).or(cuts.last()).copied().unwrap_or(0.0);
        let whole: f64 = self.cuts.iter().map(|cuts| value(cuts, usize::MAX) - value(cuts, 0)).product();
        let side = |(cuts, (low, high)): (&Vec<f64>, &(usize, usize))| value(cuts, *high) - value(cuts, *low);
        let boxes = self.boxes.chunks_exact(self.cuts.len().max(1));
        let beyond: f64 = boxes.map(|it| self.cuts.iter().zip(it).map(side).product::<f64>()).sum();
        (whole - beyond).max(0.0)
    }

    /// The boxes by the values they lie between.
    #[cfg(test)]
    pub(crate) fn boxes(&self) -> Vec<Vec<(f64, f64)>> {
        let value = |cuts: &Vec<f64>, cut: usize| cuts.get(cut).copied().unwrap_or(f64::INFINITY);
        let edges = |(cuts, (low, high)): (&Vec<f64>, &(usize, usize))| (value(cuts, *low), value(cuts, *high));
        self.boxes.chunks_exact(self.cuts.len()).map(|it| self.cuts.iter().zip(it).map(edges).collect()).collect()
    }
}

/// The objectives of each row as they were read, where all of them are numbers.
pub(crate) fn objectives(rows: &[Row]) -> Vec<Option<Vec<f64>>> {
    let read = |row: &Row| match &row.outcome {
        Outcome::Observed { objectives, .. } => {
            let values: Vec<f64> = objectives.iter().map(|it| it.value).collect();
            values.iter().all(|it| it.is_finite()).then_some(values)
        }
        Outcome::Pending | Outcome::Failed => None,
    };
    rows.iter().map(read).collect()
}

/// The same, where every constraint reads at most 0.
pub(crate) fn readings(rows: &[Row]) -> Vec<Option<Vec<f64>>> {
    let holds = |row: &Row| match &row.outcome {
        Outcome::Observed { constraints, .. } => constraints.iter().all(|it| it.value <= 0.0),
        Outcome::Pending | Outcome::Failed => false,
    };
    objectives(rows).into_iter().zip(rows).map(|(values, row)| values.filter(|_| holds(row))).collect()
}

/// The places of those that none of the others dominates.
pub(crate) fn undominated(all: &[Option<Vec<f64>>]) -> Vec<usize> {
    let others: Vec<&Vec<f64>> = all.iter().flatten().collect();
    let ahead = |(_, values): &(usize, &Option<Vec<f64>>)| values.as_ref().is_some_and(|it| !dominated(it, &others));
    all.iter().enumerate().filter(ahead).map(|(place, _)| place).collect()
}

pub(crate) fn dominated(it: &[f64], others: &[&Vec<f64>]) -> bool {
    let better = |other: &&&Vec<f64>| {
        other.iter().zip(it).all(|(other, own)| other >= own) && other.iter().zip(it).any(|(other, own)| other > own)
    };
    others.iter().any(|other| better(&other))
}

/// Slices along the last of `count` objectives: within a slab only the points that reach above it take anything away, and
/// what is left is the same question with one objective less.
fn split(
    cuts: &[Vec<f64>],
    points: &[&[usize]],
    count: usize,
    open: &mut [(usize, usize)],
    boxes: &mut Vec<(usize, usize)>,
) {
    let Some(last) = count.checked_sub(1) else { return };
    let mut levels: Vec<usize> = points.iter().filter_map(|it| it.get(last).copied()).collect();
    levels.push(0);
    levels.sort_unstable();
    levels.dedup();
    let top = cuts.get(last).map_or(0, Vec::len);
    let close = |at: (usize, usize), open: &mut [(usize, usize)]| {
        if let Some(entry) = open.get_mut(last) {
            *entry = at;
        }
    };
    if last == 0 {
        close((levels.last().copied().unwrap_or(0), top), open);
        boxes.extend_from_slice(open);
        return;
    }
    for (index, low) in levels.iter().enumerate() {
        let high = levels.get(index + 1).copied().unwrap_or(top);
        close((*low, high), open);
        let reaching: Vec<&[usize]> =
            points.iter().copied().filter(|it| it.get(last).is_some_and(|level| *level >= high)).collect();
        split(cuts, &reaching, last, open, boxes);
    }
}

/// One objective of a point: how much of it is expected above each cut.
struct Side {
    /// The expected excess over each cut, beside the one over the reference; 0 for infinity.
    above: Vec<f64>,
    /// The derivatives of the excess by the mean, on the same scale.
    by_mean: Vec<f64>,
    /// Those by the standard deviation.
    by_sd: Vec<f64>,
    /// The logarithms of the excesses as they are.
    ln_above: Vec<f64>,
    ln_scale: f64,
}

/// What a box covers of one objective.
struct Span {
    length: f64,
    by_mean: f64,
    by_sd: f64,
}

impl Side {
    fn new(cuts: &[f64], mean: f64, sd: f64) -> Self {
        let ln_above: Vec<f64> = cuts.iter().map(|cut| ln_improvement((mean - cut) / sd).0 + libm::log(sd)).collect();
        let ln_scale = ln_above.first().copied().unwrap_or(0.0);
        let scale = libm::exp(-ln_scale);
        let slope = |of: fn(f64) -> f64| {
            let each = |cut: &f64| of((mean - cut) / sd) * scale;
            cuts.iter().map(each).chain([0.0]).map(|it| if it.is_finite() { it } else { 0.0 }).collect::<Vec<f64>>()
        };
        let above = ln_above.iter().map(|ln| libm::exp(ln - ln_scale)).chain([0.0]).collect();
        Self { above, by_mean: slope(cumulative), by_sd: slope(density), ln_above, ln_scale }
    }

    fn span(&self, (low, high): (usize, usize)) -> Span {
        let between = |values: &[f64]| {
            let at = |cut: usize| values.get(cut).copied().unwrap_or(0.0);
            at(low) - at(high)
        };
        Span { length: between(&self.above).max(0.0), by_mean: between(&self.by_mean), by_sd: between(&self.by_sd) }
    }

    fn ln_from(&self, cut: usize) -> f64 {
        self.ln_above.get(cut).copied().unwrap_or(f64::NEG_INFINITY)
    }
}

#[cfg(test)]
#[path = "front_tests.rs"]
mod tests;

//! What past campaigns suggest: a mean made of their models, each weighted by what it says of this campaign's readings.

use std::sync::Arc;

use super::dense::dot;
use super::fit;
use super::likelihood::{Data, Hyper};
use super::member::Member;

/// Steps of the climb to the hyperparameters of what a prior mean leaves.
const STEPS: u64 = 30;
/// A prior mean has to make the readings more plausible by so many nats.
const GAIN: f64 = 1.0;
/// With fewer readings nobody can tell a source that helps from one that misleads.
const READINGS_MIN: usize = 4;
/// What a weight is held towards 0 by: as much as one reading would.
const SHRINKAGE: f64 = 1.0;
/// Rounds of the descent to the weights.
const ROUNDS: usize = 200;

/// A weighted sum of the means of past campaigns' models.
#[derive(Debug)]
pub(crate) struct Prior {
    sources: Vec<Option<Arc<Member>>>,
    weights: Vec<f64>,
}

impl Prior {
    pub(crate) fn new(sources: &[Option<Arc<Member>>], weights: &[f64]) -> Self {
        Self { sources: sources.to_vec(), weights: weights.to_vec() }
    }

    fn used(&self) -> impl Iterator<Item = (&Arc<Member>, f64)> {
        let pairs = self.sources.iter().zip(self.weights.iter().copied());
        pairs.filter(|(_, weight)| *weight > 0.0).filter_map(|(source, weight)| Some((source.as_ref()?, weight)))
    }

    /// The mean at a point.
    pub(crate) fn mean(&self, point: &[f64]) -> f64 {
        self.used().map(|(source, weight)| weight * source.expected(point)).sum()
    }

    /// Its gradient in the point's features.
    pub(crate) fn gradient(&self, point: &[f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; point.len()];
        for (source, weight) in self.used() {
            super::dense::add_scaled(&mut gradient, weight, &source.expected_gradient(point));
        }
        gradient
    }
}

/// The weights of sources by which the readings are the most plausible, with the hyperparameters of what they leave; `None`
/// where they are as plausible without.
///
/// The weights are non-negative least squares of the readings on what the sources' models say of them, held towards 0. Each
/// set of sources, from all of them down to the best, is judged by the density of what it leaves.
pub(crate) fn weigh(sources: &[Option<Arc<Member>>], data: &Data, mode: &Hyper) -> Option<(Vec<f64>, Hyper)> {
    if sources.is_empty() || data.values.len() < READINGS_MIN {
        return None;
    }
    let of = |source: &Option<Arc<Member>>, row: &Vec<f64>| source.as_ref().map_or(0.0, |it| it.expected(row));
    let said: Vec<Vec<f64>> =
        sources.iter().map(|source| data.rows.iter().map(|row| of(source, row)).collect()).collect();
    let (alone, density) = fit::refine(data, mode, STEPS)?;
    let mut best: Option<(Vec<f64>, Hyper, f64)> = None;
    let mut open = vec![true; sources.len()];
    loop {
        let weights = least_squares(&said, &data.values, &open);
        // The source that says the least is the next to go.
        let used = weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
        let Some((weakest, _)) = used.reduce(|best, next| if next.1 < best.1 { next } else { best }) else { break };
        let left = data.without(&Prior::new(sources, &weights));
        if let Some((mode, found)) = fit::refine(&left, &alone, STEPS)
            && found > best.as_ref().map_or(density + GAIN, |it| it.2)
        {
            best = Some((weights.clone(), mode, found));
        }
        if let Some(entry) = open.get_mut(weakest) {
            *entry = false;
        }
    }
    best.map(|(weights, mode, _)| (weights, mode))
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter().map(|value| value - mean).collect()
}

/// Non-negative weights of what the open sources say, by which it comes the nearest to the values; both but for a constant.
fn least_squares(said: &[Vec<f64>], values: &[f64], open: &[bool]) -> Vec<f64> {
    let columns: Vec<Vec<f64>> = said.iter().map(|column| centred(column)).collect();
    let mut rest = centred(values);
    let mut weights = vec![0.0; columns.len()];
    for _ in 0..ROUNDS {
        for ((column, weight), _) in columns.iter().zip(&mut weights).zip(open).filter(|(_, open)| **open) {
            let (along, square) = (dot(column, &rest), dot(column, column));
            let moved = ((along + square * *weight) / (square + SHRINKAGE)).max(0.0);
            super::dense::add_scaled(&mut rest, *weight - moved, column);
            *weight = moved;
        }
    }
    weights
}

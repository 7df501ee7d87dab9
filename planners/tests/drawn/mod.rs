//! Campaigns on functions drawn from a Gaussian process, until the planner says that enough is known.

use eutectic_planners::{
    Bayesian, Measure, Memo, Outcome, Parameter, PlanError, Planner, Point, Problem, Row, Space, StopQuestion,
    StopVerdict,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::f64::consts::{SQRT_2, TAU};

/// Features of a drawn function: its variance is that of a Gaussian process to one in twenty.
const FEATURES: usize = 400;
/// The grid on which the greatest value is looked for first.
const GRID: u32 = 80;
/// Points of the grid from which steps lead up.
const STARTS: usize = 20;
/// The least step.
const STEP_MIN: f64 = 1e-6;

struct Source(ChaCha8Rng);

impl Source {
    fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// By the polar form of Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (TAU * self.unit()).cos()
    }
}

/// A function of two parameters in the unit square, drawn from a Matern-5/2 process of variance 1: its features'
/// frequencies, phase and weight.
pub(crate) struct Drawn(Vec<([f64; 2], f64, f64)>);

impl Drawn {
    /// With this lengthscale in both parameters, or with ones drawn from the planner's prior.
    pub(crate) fn new(seed: u64, lengthscale: Option<f64>) -> Self {
        let mut source = Source(ChaCha8Rng::seed_from_u64(seed));
        let mode = SQRT_2 + 0.5 * 2.0_f64.ln();
        let mut drawn = || (mode + 3.0_f64.sqrt() * source.normal()).exp().max(0.025);
        let lengthscales = [drawn(), drawn()].map(|it| lengthscale.unwrap_or(it));
        let feature = |_| {
            let spread = (5.0 / (0..5).map(|_| source.normal().powi(2)).sum::<f64>()).sqrt();
            let frequency = lengthscales.map(|it| spread * source.normal() / it);
            (frequency, TAU * source.unit(), source.normal())
        };
        Self((0..FEATURES).map(feature).collect())
    }

    pub(crate) fn value(&self, [a, b]: [f64; 2]) -> f64 {
        let term = |([v, w], phase, weight): &([f64; 2], f64, f64)| weight * (v * a + w * b + phase).cos();
        (2.0 / FEATURES as f64).sqrt() * self.0.iter().map(term).sum::<f64>()
    }

    /// The greatest value, by a grid and steps from its best points.
    fn most(&self) -> f64 {
        let at = |index: u32| f64::from(index) / f64::from(GRID);
        let grid = (0..=GRID).flat_map(|i| (0..=GRID).map(move |j| [at(i), at(j)]));
        let mut best: Vec<([f64; 2], f64)> = grid.map(|x| (x, self.value(x))).collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1));
        best.into_iter().take(STARTS).map(|(x, value)| self.climb(x, value)).fold(f64::NEG_INFINITY, f64::max)
    }

    fn climb(&self, mut x: [f64; 2], mut value: f64) -> f64 {
        let mut step = 0.01;
        while step > STEP_MIN {
            let moves = [(step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step)];
            let moved = moves.map(|(a, b)| [(x[0] + a).clamp(0.0, 1.0), (x[1] + b).clamp(0.0, 1.0)]);
            match moved.into_iter().find(|moved| self.value(*moved) > value) {
                Some(moved) => (x, value) = (moved, self.value(moved)),
                None => step /= 2.0,
            }
        }
        value
    }
}

/// What came of campaigns.
#[derive(Default)]
pub(crate) struct Stops {
    /// Those that stopped before their budget was spent: after how many experiments, and what was left to gain.
    pub(crate) stopped: Vec<(usize, f64)>,
    /// For every time the planner was asked: what it expected to be left, and what was.
    pub(crate) asked: Vec<(f64, f64)>,
}

impl Stops {
    /// How many stopped although more than the tolerance was left.
    pub(crate) fn wrong(&self, tolerance: f64) -> usize {
        self.stopped.iter().filter(|(_, left)| *left > tolerance).count()
    }
}

/// So many campaigns, each on a function of its own.
pub(crate) fn campaigns(
    draws: u64,
    lengthscale: Option<f64>,
    question: StopQuestion,
    budget: usize,
) -> Result<Stops, PlanError> {
    let mut stops = Stops::default();
    for seed in 0..draws {
        campaign(&Drawn::new(seed, lengthscale), seed, question, budget, &mut stops)?;
    }
    Ok(stops)
}

fn campaign(
    drawn: &Drawn,
    seed: u64,
    mut question: StopQuestion,
    budget: usize,
    stops: &mut Stops,
) -> Result<(), PlanError> {
    let real = || Parameter::Real { low: 0.0, high: 1.0, log: false };
    let space = Space { parameters: vec![real(), real()], ..Space::default() };
    let problem = Problem::new(space, 1);
    let (planner, most) = (Bayesian::default(), drawn.most());
    let (mut rows, mut memo) = (Vec::<Row>::new(), Memo::default());
    let value = |point: &Point| match point.0.as_slice() {
        [a, b] => drawn.value([*a, *b]),
        _ => f64::NAN,
    };
    while rows.len() < budget {
        if rows.len() >= problem.initial_size() {
            let found = planner.remaining(&problem, &rows, &memo, seed, &question)?;
            let left = most - rows.get(found.row).map_or(f64::NAN, |row| value(&row.point));
            stops.asked.push((found.expected, left));
            question.tests += u32::from(found.tested);
            if found.verdict == StopVerdict::Enough {
                stops.stopped.push((rows.len(), left));
                return Ok(());
            }
        }
        let (suggestions, next) = planner.suggest(&problem, &rows, &memo, seed, 1)?;
        memo = next;
        rows.extend(suggestions.into_iter().map(|it| {
            let objectives = vec![Measure::new(value(&it.point))];
            Row { point: it.point, outcome: Outcome::Observed { objectives, constraints: Vec::new() } }
        }));
    }
    Ok(())
}

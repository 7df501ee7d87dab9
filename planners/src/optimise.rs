//! Maximising a smooth function in a box: a projected quasi-Newton method as an argmin solver.
//!
//! argmin has L-BFGS without bounds, and its line search doesn't end when a value turns NaN. This solver projects onto
//! the box, counts its evaluations, takes a value that isn't finite for a step too far, and keeps the best point.
//! Sources: D. P. Bertsekas, SIAM J. Control Optim. 20 (1982), for the projection; J. Nocedal, Math. Comp. 35 (1980),
//! for the two-loop recursion.

use std::collections::VecDeque;

use argmin::core::{Error, Executor, IterState, KV, Problem, Solver, State, TerminationReason, TerminationStatus};

use crate::surrogate::dense::{add_scaled, dot};

/// Pairs of steps and gradient changes that the curvature is remembered by.
const MEMORY: usize = 8;
/// Halvings of a step before the search gives up.
const HALVINGS: usize = 25;
/// The share of the promised decrease that a step has to bring.
const ARMIJO: f64 = 1e-4;
/// The first step's length: nothing is known of the curvature yet.
const FIRST_STEP: f64 = 0.1;
/// The search has arrived when the projected gradient is below this.
const GRADIENT_TOLERANCE: f64 = 1e-6;
/// The search has arrived when this many steps in a row each gain less than [`GAIN_TOLERANCE`].
const IDLE_STEPS: usize = 3;
/// See [`IDLE_STEPS`].
const GAIN_TOLERANCE: f64 = 1e-9;

/// A function with its gradient.
pub(crate) trait Smooth {
    /// The value and the gradient; a value that isn't finite where the function isn't defined.
    fn evaluate(&self, x: &[f64]) -> (f64, Vec<f64>);
}

impl<F: Fn(&[f64]) -> (f64, Vec<f64>)> Smooth for F {
    fn evaluate(&self, x: &[f64]) -> (f64, Vec<f64>) {
        self(x)
    }
}

/// Climbs from `start` for at most `steps` steps; returns the best point and its value, or `None` if not even the start
/// has a finite value.
pub(crate) fn maximise(
    function: &dyn Smooth,
    start: &[f64],
    lower: &[f64],
    upper: &[f64],
    steps: u64,
) -> Option<(Vec<f64>, f64)> {
    let start = project(start, lower, upper);
    let solver = Projected { lower, upper, pairs: VecDeque::new(), idle: 0, stuck: false };
    let state = |state: IterState<Vec<f64>, Vec<f64>, (), (), (), f64>| state.param(start).max_iters(steps);
    let run = Executor::new(function, solver).configure(state).timer(false).ctrlc(false).run().ok()?;
    let state = run.state();
    let value = -state.get_best_cost();
    state.get_best_param().filter(|_| value.is_finite()).map(|best| (best.clone(), value))
}

fn project(x: &[f64], lower: &[f64], upper: &[f64]) -> Vec<f64> {
    x.iter().zip(lower).zip(upper).map(|((x, low), high)| x.max(*low).min(*high)).collect()
}

struct Projected<'a> {
    lower: &'a [f64],
    upper: &'a [f64],
    /// Steps, changes of the gradient, and the reciprocals of their products.
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
    idle: usize,
    stuck: bool,
}

type Iterate = IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;

impl<'a> Solver<&'a dyn Smooth, Iterate> for Projected<'_> {
    fn name(&self) -> &'static str {
        "projected L-BFGS"
    }

    fn init(
        &mut self,
        problem: &mut Problem<&'a dyn Smooth>,
        mut state: Iterate,
    ) -> Result<(Iterate, Option<KV>), Error> {
        let start = state.take_param().unwrap_or_default();
        let (cost, gradient) = descend(problem, &start)?;
        if !cost.is_finite() {
            return Err(Error::msg("the function is not finite at the start"));
        }
        Ok((state.param(start).cost(cost).gradient(gradient), None))
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<&'a dyn Smooth>,
        mut state: Iterate,
    ) -> Result<(Iterate, Option<KV>), Error> {
        let (x, gradient) = (state.take_param().unwrap_or_default(), state.take_gradient().unwrap_or_default());
        let cost = state.get_cost();
        let free = self.free(&x, &gradient);
        let length = masked(&gradient, &free).iter().fold(0.0, |most: f64, g| most.max(g.abs()));
        if length < GRADIENT_TOLERANCE {
            self.stuck = true;
            return Ok((state.param(x).cost(cost).gradient(gradient), None));
        }
        let direction = self.direction(&gradient, &free);
        let Some((moved, lower, slope)) = self.search(problem, &x, cost, &gradient, &direction)? else {
            // The remembered curvature may be what is wrong: forget it once before giving up.
            self.stuck = self.pairs.is_empty();
            self.pairs.clear();
            return Ok((state.param(x).cost(cost).gradient(gradient), None));
        };
        self.idle = if cost - lower < GAIN_TOLERANCE * (1.0 + cost.abs()) { self.idle + 1 } else { 0 };
        self.remember(&x, &moved, &gradient, &slope);
        Ok((state.param(moved).cost(lower).gradient(slope), None))
    }

    fn terminate(&mut self, _state: &Iterate) -> TerminationStatus {
        if self.stuck || self.idle >= IDLE_STEPS {
            return TerminationStatus::Terminated(TerminationReason::SolverConverged);
        }
        TerminationStatus::NotTerminated
    }
}

/// The cost, which is the function's value negated, and its gradient.
fn descend(problem: &mut Problem<&dyn Smooth>, x: &[f64]) -> Result<(f64, Vec<f64>), Error> {
    let (value, mut gradient) = problem.problem("evaluations", |function| Ok(function.evaluate(x)))?;
    gradient.iter_mut().for_each(|entry| *entry = -*entry);
    let finite = value.is_finite() && gradient.iter().all(|entry| entry.is_finite());
    Ok((if finite { -value } else { f64::INFINITY }, gradient))
}

fn masked(x: &[f64], free: &[bool]) -> Vec<f64> {
    x.iter().zip(free).map(|(x, free)| if *free { *x } else { 0.0 }).collect()
}

impl Projected<'_> {
    /// Which coordinates may move: not those at a bound that the descent presses against.
    fn free(&self, x: &[f64], gradient: &[f64]) -> Vec<bool> {
        let bounds = self.lower.iter().zip(self.upper);
        let each = |((x, g), (low, high)): ((&f64, &f64), (&f64, &f64))| {
            low < high && !(x <= low && *g > 0.0 || x >= high && *g < 0.0)
        };
        x.iter().zip(gradient).zip(bounds).map(each).collect()
    }

    /// The quasi-Newton direction among the free coordinates, or steepest descent where that doesn't descend.
    fn direction(&self, gradient: &[f64], free: &[bool]) -> Vec<f64> {
        let steepest = masked(gradient, free);
        let mut q = steepest.clone();
        let mut shares = Vec::with_capacity(self.pairs.len());
        for (step, change, reciprocal) in self.pairs.iter().rev() {
            let share = reciprocal * dot(step, &q);
            add_scaled(&mut q, -share, change);
            shares.push(share);
        }
        let scale = match self.pairs.back() {
            Some((_, change, reciprocal)) => 1.0 / (reciprocal * dot(change, change)),
            None => FIRST_STEP / dot(&steepest, &steepest).sqrt(),
        };
        q.iter_mut().for_each(|entry| *entry *= scale);
        for ((step, change, reciprocal), share) in self.pairs.iter().zip(shares.iter().rev()) {
            let back = reciprocal * dot(change, &q);
            add_scaled(&mut q, share - back, step);
        }
        let mut direction = masked(&q, free);
        direction.iter_mut().for_each(|entry| *entry = -*entry);
        let descent = dot(&direction, gradient);
        if descent.is_finite() && descent < 0.0 {
            return direction;
        }
        let length = FIRST_STEP / dot(&steepest, &steepest).sqrt();
        steepest.iter().map(|entry| -length * entry).collect()
    }

    /// Halves the step, bent along the box, until it brings a share of what the gradient promises.
    #[expect(clippy::type_complexity, reason = "a point, its cost and its gradient")]
    fn search(
        &self,
        problem: &mut Problem<&dyn Smooth>,
        x: &[f64],
        cost: f64,
        gradient: &[f64],
        direction: &[f64],
    ) -> Result<Option<(Vec<f64>, f64, Vec<f64>)>, Error> {
        let mut length = 1.0;
        for _ in 0..HALVINGS {
            let mut moved = x.to_vec();
            add_scaled(&mut moved, length, direction);
            let moved = project(&moved, self.lower, self.upper);
            let step: Vec<f64> = moved.iter().zip(x).map(|(to, from)| to - from).collect();
            let promised = dot(&step, gradient);
            if promised < 0.0 {
                let (lower, slope) = descend(problem, &moved)?;
                if lower <= cost + ARMIJO * promised {
                    return Ok(Some((moved, lower, slope)));
                }
            }
            length *= 0.5;
        }
        Ok(None)
    }

    fn remember(&mut self, from: &[f64], to: &[f64], before: &[f64], after: &[f64]) {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
        let (step, change) = (difference(to, from), difference(after, before));
        let product = dot(&step, &change);
        // Only a pair with positive curvature keeps the remembered matrix positive definite.
        if product > 1e-12 * dot(&change, &change).sqrt() * dot(&step, &step).sqrt() {
            self.pairs.push_back((step, change, 1.0 / product));
            if self.pairs.len() > MEMORY {
                self.pairs.pop_front();
            }
        }
    }
}

#[cfg(test)]
#[path = "optimise_tests.rs"]
mod tests;

//! How near the planner comes to the true optimum of the `SnAr` flow reactor, with random search beside it.
//!
//! Chemistry: Hone et al., React. Chem. Eng. 2017, 2, 103. Maximise the space-time yield while the E-factor is at most
//! 9, in 40 experiments whose concentrations are read with an independent relative standard deviation of .5 %, stated.
//!
//! Run: `cargo run --release -p eutectic-planners --example snar -- [seeds]`

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use eutectic_planners::{
    Bayesian, Measure, Memo, Outcome, Parameter, PlanError, Planner, Point, Problem, Random, Region, Row, Space,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const EXPERIMENTS: usize = 40;
/// kg/m3/h, at (.5 min, 2.0 eq, .5 mol/L, 62.302 degC).
const OPTIMUM: f64 = 11_433.660;
/// The stated relative standard deviation of a concentration.
const NOISE: f64 = 0.005;

#[derive(Debug)]
struct Feed;

impl Region for Feed {
    fn margin(&self, point: &Point) -> f64 {
        let [_, equivalents, concentration, _] = coordinates(point);
        concentration + equivalents * concentration / 2.0 - 1.0
    }
}

fn coordinates(point: &Point) -> [f64; 4] {
    let mut all = [0.0; 4];
    all.iter_mut().zip(&point.0).for_each(|(to, from)| *to = *from);
    all
}

/// Concentrations of A, B, O, P, D at the reactor's outlet, by Runge-Kutta steps short enough for the stiffest corner.
fn outlet(point: &Point) -> [f64; 5] {
    const STEPS: usize = 4000;
    let [tau, equivalents, concentration, temperature] = coordinates(point);
    let rate = |reference: f64, energy: f64| {
        let inverse = 1.0 / (temperature + 273.15) - 1.0 / 363.15;
        0.6 * reference * (-energy / 8.314e-3 * inverse).exp()
    };
    let k = [rate(57.9, 33.3), rate(2.70, 35.3), rate(0.865, 38.9), rate(1.63, 44.8)];
    let slope = |[a, b, o, p, _]: [f64; 5]| {
        let [ka, kb, kc, kd] = k;
        let (to_o, to_p, from_o, from_p) = (ka * a * b, kb * a * b, kc * b * o, kd * b * p);
        [-to_o - to_p, -to_o - to_p - from_o - from_p, to_o - from_o, to_p - from_p, from_o + from_p]
    };
    let along = |y: [f64; 5], dy: [f64; 5], h: f64| {
        let mut moved = y;
        moved.iter_mut().zip(dy).for_each(|(y, dy)| *y += h * dy);
        moved
    };
    let h = tau / STEPS as f64;
    let mut y = [concentration, equivalents * concentration, 0.0, 0.0, 0.0];
    for _ in 0..STEPS {
        let k1 = slope(y);
        let k2 = slope(along(y, k1, h / 2.0));
        let k3 = slope(along(y, k2, h / 2.0));
        let k4 = slope(along(y, k3, h));
        for (dy, weight) in [(k1, 1.0), (k2, 2.0), (k3, 2.0), (k4, 1.0)] {
            y = along(y, dy, h * weight / 6.0);
        }
    }
    y
}

/// The space-time yield, and the E-factor less its limit, from concentrations.
fn outcomes(point: &Point, [a, b, o, p, d]: [f64; 5]) -> [f64; 2] {
    let [tau, ..] = coordinates(point);
    let waste = 789.0 + 159.09 * a + 71.12 * b + 210.21 * p + 261.33 * d;
    [60.0 * 210.21 * o / tau, waste / (210.21 * o) - 9.0]
}

/// Readings with noise, and their uncertainties by propagation.
fn read(point: &Point, source: &mut ChaCha8Rng) -> Outcome {
    let mut seen = outlet(point);
    let mut unit = || ((source.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64;
    for concentration in &mut seen {
        let normal = (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos();
        *concentration *= 1.0 + NOISE * normal;
    }
    let values = outcomes(point, seen);
    let mut variances = [0.0; 2];
    for moved in 0..seen.len() {
        let mut beside = seen;
        beside.iter_mut().skip(moved).take(1).for_each(|concentration| *concentration *= 1.0 + NOISE);
        for ((variance, there), here) in variances.iter_mut().zip(outcomes(point, beside)).zip(values) {
            *variance += (there - here) * (there - here);
        }
    }
    let [sty, excess] = values;
    let [sty_variance, excess_variance] = variances;
    Outcome::Observed {
        objectives: vec![Measure::with_sd(sty, sty_variance.sqrt())],
        constraints: vec![Measure::with_sd(excess, excess_variance.sqrt())],
    }
}

fn problem() -> Problem {
    let real = |low, high| Parameter::Real { low, high, log: false };
    let space = Space {
        parameters: vec![real(0.5, 2.0), real(1.0, 5.0), real(0.1, 0.5), real(30.0, 120.0)],
        regions: vec![Arc::new(Feed)],
        ..Space::default()
    };
    Problem { constraints: 1, ..Problem::new(space, 1) }
}

/// The recommended point, and the time spent planning.
fn campaign(planner: &dyn Planner, seed: u64) -> Result<(Point, Duration), PlanError> {
    let problem = problem();
    let mut source = ChaCha8Rng::seed_from_u64(seed);
    let (mut rows, mut memo, mut spent) = (Vec::<Row>::new(), Memo::default(), Duration::ZERO);
    while rows.len() < EXPERIMENTS {
        let begun = Instant::now();
        let (suggestions, next) = planner.suggest(&problem, &rows, &memo, seed, 1)?;
        spent += begun.elapsed();
        memo = next;
        for suggestion in suggestions {
            let outcome = read(&suggestion.point, &mut source);
            rows.push(Row { point: suggestion.point, outcome });
        }
    }
    let answer = planner.recommend(&problem, &rows, &memo, seed)?;
    let row = rows.get(answer.row).ok_or(PlanError::NothingObserved)?;
    Ok((row.point.clone(), spent))
}

fn main() -> Result<(), PlanError> {
    let seeds = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok()).unwrap_or(10);
    println!("planner   seed   true STY   of optimum   true E   good   ms a suggestion");
    for (name, planner) in [("bayesian", &Bayesian::default() as &dyn Planner), ("random", &Random)] {
        let (mut good, mut close) = (0, 0);
        for seed in 0..seeds {
            let (point, spent) = campaign(planner, seed)?;
            let [sty, excess] = outcomes(&point, outlet(&point));
            let within = |share: f64| excess + 9.0 <= 9.09 && sty >= (1.0 - share) * OPTIMUM;
            good += u32::from(within(0.03));
            close += u32::from(within(0.01));
            let each = spent.as_secs_f64() * 1e3 / EXPERIMENTS as f64;
            println!(
                "{name:<9} {seed:>4}   {sty:>8.1}   {:>8.2} %   {:>6.3}   {:<4}   {each:.1}",
                100.0 * sty / OPTIMUM,
                excess + 9.0,
                if within(0.03) { "yes" } else { "no" },
            );
        }
        println!("{name}: within 3 % in {good} of {seeds} seeds, within 1 % in {close}\n");
    }
    Ok(())
}

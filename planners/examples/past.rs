//! What past campaigns are worth: each kind of past beside none, on functions whose optimum is known.
//!
//! `cargo run --release -p eutectic-planners --example past -- [seeds] [parts left out ...]`
#![expect(clippy::print_stdout, clippy::indexing_slicing, reason = "prints a table of functions with known parameters")]

use eutectic_planners::{
    Bayesian, Measure, Memo, Outcome, Parameter, Part, PlanError, Planner, Point, Problem, Random, Row, Space, Without,
};
use std::error::Error;
use std::fmt::Write;

/// What the campaign looks for the greatest value of.
struct Target {
    name: &'static str,
    parameters: usize,
    budget: usize,
    greatest: f64,
    value: fn(&[f64]) -> f64,
}

/// How readings of a past campaign come from the target.
struct Kind {
    name: &'static str,
    of: fn(&Target, &[f64]) -> f64,
}

const TARGETS: [Target; 5] = [
    Target { name: "branin", parameters: 2, budget: 14, greatest: -0.397_887, value: branin },
    Target { name: "hartmann6", parameters: 6, budget: 24, greatest: 3.322_37, value: hartmann6 },
    Target { name: "ackley5", parameters: 5, budget: 24, greatest: 0.0, value: ackley },
    Target { name: "rosenbrock4", parameters: 4, budget: 24, greatest: 0.0, value: rosenbrock },
    Target { name: "hartmann3 of 12", parameters: 12, budget: 30, greatest: 3.862_78, value: hartmann3 },
];

const KINDS: [Kind; 5] = [
    // Another unit, another scale, a little tilt.
    Kind { name: "alike", of: |target, x| 40.0 + 25.0 * (target.value)(x) + 5.0 * x[0] },
    Kind { name: "a little moved", of: |target, x| (target.value)(&x.iter().map(|x| x + 0.05).collect::<Vec<f64>>()) },
    // The same parameters matter in the same way, but what is good lies elsewhere.
    Kind { name: "mirrored", of: |target, x| (target.value)(&x.iter().map(|x| 1.0 - x).collect::<Vec<f64>>()) },
    Kind { name: "opposite", of: |target, x| -(target.value)(x) },
    Kind { name: "unrelated", of: |_, x| (13.0 * x[x.len() - 1] * x[1]).sin() + (9.0 * x[x.len() / 2]).cos() },
];

/// How many experiments a past campaign has.
const SIZES: [usize; 2] = [15, 60];

fn branin(x: &[f64]) -> f64 {
    let (a, b) = (15.0 * x[0] - 5.0, 15.0 * x[1]);
    let pi = std::f64::consts::PI;
    let bend = b - 5.1 / (4.0 * pi * pi) * a * a + 5.0 / pi * a - 6.0;
    -(bend * bend + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * a.cos() + 10.0)
}

fn ackley(x: &[f64]) -> f64 {
    let z: Vec<f64> = x.iter().map(|x| 40.0 * (x - 0.4)).collect();
    let count = z.len() as f64;
    let square = z.iter().map(|z| z * z).sum::<f64>() / count;
    let wave = z.iter().map(|z| (std::f64::consts::TAU * z).cos()).sum::<f64>() / count;
    20.0 * (-0.2 * square.sqrt()).exp() + wave.exp() - 20.0 - std::f64::consts::E
}

fn rosenbrock(x: &[f64]) -> f64 {
    let z: Vec<f64> = x.iter().map(|x| 15.0 * x - 5.0).collect();
    -z.windows(2).map(|pair| 100.0 * (pair[1] - pair[0] * pair[0]).powi(2) + (1.0 - pair[0]).powi(2)).sum::<f64>()
}

fn hartmann(x: &[f64], scales: &[[f64; 6]; 4], centres: &[[f64; 6]; 4]) -> f64 {
    let hill = |(scale, centre): (&[f64; 6], &[f64; 6])| {
        let distances = x.iter().zip(scale.iter().zip(centre)).map(|(x, (scale, centre))| scale * (x - centre).powi(2));
        (-distances.sum::<f64>()).exp()
    };
    let hills = scales.iter().zip(centres).map(hill);
    hills.zip([1.0, 1.2, 3.0, 3.2]).map(|(hill, height)| hill * height).sum()
}

fn hartmann6(x: &[f64]) -> f64 {
    let scales = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    let centres = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    hartmann(x, &scales, &centres)
}

/// Of the second, the sixth and the eleventh parameter; the others don't matter.
fn hartmann3(x: &[f64]) -> f64 {
    let wide = |row: [f64; 3]| [row[0], row[1], row[2], 0.0, 0.0, 0.0];
    let scales = [[3.0, 10.0, 30.0], [0.1, 10.0, 35.0], [3.0, 10.0, 30.0], [0.1, 10.0, 35.0]].map(wide);
    let centres =
        [[0.3689, 0.1170, 0.2673], [0.4699, 0.4387, 0.7470], [0.1091, 0.8732, 0.5547], [0.038_15, 0.5743, 0.8828]];
    hartmann(&[x[1], x[5], x[10]], &scales, &centres.map(wide))
}

fn problem(target: &Target, past: Vec<Vec<Row>>) -> Problem {
    let parameters = vec![Parameter::Real { low: 0.0, high: 1.0, log: false }; target.parameters];
    Problem { past, ..Problem::new(Space { parameters, ..Space::default() }, 1) }
}

fn row(point: Point, value: f64) -> Row {
    let outcome = Outcome::Observed { objectives: vec![Measure::new(value)], constraints: Vec::new() };
    Row { point, outcome }
}

/// The logarithm of what is left to gain at the end, and its mean over the campaign.
fn campaign(target: &Target, past: Vec<Vec<Row>>, without: Without, seed: u64) -> Result<(f64, f64), PlanError> {
    let (problem, planner) = (problem(target, past), Bayesian { without, ..Bayesian::default() });
    let (mut rows, mut memo, mut best, mut sum) = (Vec::<Row>::new(), Memo::default(), f64::NEG_INFINITY, 0.0);
    for _ in 0..target.budget {
        let (suggestions, next) = planner.suggest(&problem, &rows, &memo, seed, 1)?;
        memo = next;
        for suggestion in suggestions {
            let value = (target.value)(&suggestion.point.0);
            best = best.max(value);
            rows.push(row(suggestion.point, value));
        }
        sum += (target.greatest - best).max(1e-6).log10();
    }
    Ok(((target.greatest - best).max(1e-6).log10(), sum / target.budget as f64))
}

/// A past campaign's readings where the space was filled.
fn source(target: &Target, kind: &Kind, size: usize, seed: u64) -> Result<Vec<Row>, PlanError> {
    let (points, _) = Random.suggest(&problem(target, Vec::new()), &[], &Memo::default(), seed, size)?;
    Ok(points
        .into_iter()
        .map(|it| (it.point.clone(), (kind.of)(target, &it.point.0)))
        .map(|(p, v)| row(p, v))
        .collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seeds: u64 = arguments.next().map_or(Ok(5), |it| it.parse())?;
    let without = arguments.try_fold(Without::default(), |without, name| Part::named(&name).map(|it| without.and(it)));
    let without = without.ok_or("no part of this name")?;
    println!("log10 of what is left at the end / its mean over the campaign, mean over {seeds} seeds");
    let mut head = format!("{:<16} {:>13}", "", "no past");
    for (kind, size) in KINDS.iter().flat_map(|kind| SIZES.map(|size| (kind, size))) {
        write!(head, " {:>17}", format!("{} {size}", kind.name))?;
    }
    println!("{head}");
    for target in &TARGETS {
        let mean = |past: &dyn Fn(u64) -> Result<Vec<Vec<Row>>, PlanError>| -> Result<String, PlanError> {
            let ended = (0..seeds).map(|seed| campaign(target, past(seed)?, without, seed));
            let ended = ended.collect::<Result<Vec<_>, _>>()?;
            let of = |part: fn(&(f64, f64)) -> f64| ended.iter().map(part).sum::<f64>() / seeds.max(1) as f64;
            Ok(format!("{:.2} / {:.2}", of(|it| it.0), of(|it| it.1)))
        };
        let mut line = format!("{:<16} {:>13}", target.name, mean(&|_| Ok(Vec::new()))?);
        for (kind, size) in KINDS.iter().flat_map(|kind| SIZES.map(|size| (kind, size))) {
            write!(line, " {:>17}", mean(&|seed| Ok(vec![source(target, kind, size, 1000 + seed)?]))?)?;
        }
        println!("{line}");
    }
    Ok(())
}

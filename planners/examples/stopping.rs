//! How often a stop by what is left to gain is wrong, and what is left then: on functions drawn from the model, and on
//! well-known ones.
//!
//! Run: `cargo run --release -p eutectic-planners --example stopping -- [draws] [prior | shorter | known]`

#![expect(clippy::print_stdout, reason = "a program that prints tables")]

#[path = "../tests/drawn/mod.rs"]
mod drawn;

use eutectic_planners::{
    Bayesian, Measure, Memo, Outcome, Parameter, PlanError, Planner, Point, Problem, Row, Space, StopQuestion,
    StopVerdict,
};

/// Experiments of a campaign on a drawn function.
const BUDGET: usize = 60;
/// Seeds of each campaign on a known function.
const SEEDS: u64 = 5;

fn main() -> Result<(), PlanError> {
    let draws = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(100);
    let only = std::env::args().nth(2);
    let wanted = |name: &str| only.as_ref().is_none_or(|it| it == name);
    let prior = [(0.1, 0.9), (0.1, 0.95), (0.03, 0.9), (0.1, 0.99)].map(|it| (None, it));
    let short = [Some(0.8), Some(0.5), Some(0.35)].map(|scale| (scale, (0.1, 0.9)));
    if wanted("prior") {
        on_draws("from the prior", draws, &prior)?;
    }
    if wanted("shorter") {
        on_draws("shorter", draws, &short)?;
    }
    if wanted("known") {
        on_known_functions()?;
    }
    Ok(())
}

/// A lengthscale, if it isn't drawn as well, and the tolerance and confidence that are asked for.
type Asked = (Option<f64>, (f64, f64));

fn on_draws(kind: &str, draws: u64, rows: &[Asked]) -> Result<(), PlanError> {
    println!("| lengthscales | tolerance | confidence | stopped of {draws} | experiments | wrong | may be wrong |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut asked = Vec::new();
    for &(scale, (tolerance, confidence)) in rows {
        let stops = drawn::campaigns(draws, scale, StopQuestion { tolerance, confidence, tests: 0 }, BUDGET)?;
        let name = scale.map_or("from the prior".to_owned(), |it| it.to_string());
        let count = stops.stopped.len();
        let length = stops.stopped.iter().map(|(length, _)| *length as f64).sum::<f64>() / count.max(1) as f64;
        let (wrong, share) = (stops.wrong(tolerance), draws as f64 * (1.0 - confidence));
        println!("| {name} | {tolerance} | {confidence} | {count} | {length:.1} | {wrong} | {share:.0} |");
        asked.extend(stops.asked);
    }
    calibration(kind, &asked);
    Ok(())
}

fn calibration(name: &str, asked: &[(f64, f64)]) {
    println!(
        "\n| lengthscales {name}: expected to be left | times asked | left, on the mean |\n| ---: | ---: | ---: |"
    );
    for (low, high) in [(0.3, f64::INFINITY), (0.1, 0.3), (0.03, 0.1), (0.01, 0.03), (0.0, 0.01)] {
        let within: Vec<_> = asked.iter().filter(|(expected, _)| (low..high).contains(expected)).collect();
        let mean =
            |of: fn(&(f64, f64)) -> f64| within.iter().map(|it| of(it)).sum::<f64>() / within.len().max(1) as f64;
        println!("| {:.4} | {} | {:.4} |", mean(|it| it.0), within.len(), mean(|it| it.1));
    }
}

/// A function to be minimised: its name, bounds of all parameters, how many there are, least value, budget, and what it is
/// worth to go on for.
type Known = (&'static str, (f64, f64), usize, f64, usize, f64, fn(&[f64]) -> f64);

fn on_known_functions() -> Result<(), PlanError> {
    let known: [Known; 5] = [
        ("Branin", (0.0, 1.0), 2, 0.397_887, 40, 0.1, |x| branin(x)),
        ("Hartmann, 3", (0.0, 1.0), 3, -3.862_78, 50, 0.05, |x| hartmann3(x)),
        ("Rosenbrock, 4", (-2.0, 2.0), 4, 0.0, 60, 5.0, |x| rosenbrock(x)),
        ("Ackley, 5", (-5.0, 10.0), 5, 0.0, 70, 1.0, |x| ackley(x)),
        ("Styblinski-Tang, 3", (-5.0, 5.0), 3, -117.498_5, 60, 5.0, |x| styblinski_tang(x)),
    ];
    println!("\n| function | tolerance | stopped of {SEEDS} | experiments | of | left, each | expected then |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, (low, high), count, least, budget, tolerance, function) in known {
        let real = Parameter::Real { low, high, log: false };
        let space = Space { parameters: vec![real; count], ..Space::default() };
        let problem = Problem::new(space, 1);
        let mut stops = Vec::new();
        for seed in 0..SEEDS {
            stops.extend(stop(&problem, seed, budget, tolerance, &|point| -function(&point.0), -least)?);
        }
        let each = |of: fn(&(usize, f64, f64)) -> String| stops.iter().map(of).collect::<Vec<_>>().join(", ");
        let (lengths, left) = (each(|it| it.0.to_string()), each(|it| format!("{:.2e}", it.1)));
        let expected = each(|it| format!("{:.2e}", it.2));
        println!("| {name} | {tolerance} | {} | {lengths} | {budget} | {left} | {expected} |", stops.len());
    }
    Ok(())
}

/// When a campaign stops: after how many experiments, what is left then, and what was expected to be.
fn stop(
    problem: &Problem,
    seed: u64,
    budget: usize,
    tolerance: f64,
    value: &dyn Fn(&Point) -> f64,
    most: f64,
) -> Result<Option<(usize, f64, f64)>, PlanError> {
    let planner = Bayesian::default();
    let (mut rows, mut memo) = (Vec::<Row>::new(), Memo::default());
    let mut question = StopQuestion { tolerance, confidence: 0.95, tests: 0 };
    while rows.len() < budget {
        if rows.len() >= problem.initial_size() {
            let found = planner.remaining(problem, &rows, &memo, seed, &question)?;
            question.tests += u32::from(found.tested);
            if found.verdict == StopVerdict::Enough {
                let left = most - rows.get(found.row).map_or(f64::NAN, |row| value(&row.point));
                return Ok(Some((rows.len(), left, found.expected)));
            }
        }
        let (suggestions, next) = planner.suggest(problem, &rows, &memo, seed, 1)?;
        memo = next;
        rows.extend(suggestions.into_iter().map(|it| {
            let objectives = vec![Measure::new(value(&it.point))];
            Row { point: it.point, outcome: Outcome::Observed { objectives, constraints: Vec::new() } }
        }));
    }
    Ok(None)
}

fn branin(x: &[f64]) -> f64 {
    let [u, v] = [0, 1].map(|index| x.get(index).copied().unwrap_or(0.0));
    let (a, b, pi) = (15.0 * u - 5.0, 15.0 * v, std::f64::consts::PI);
    (b - 5.1 / (4.0 * pi * pi) * a * a + 5.0 / pi * a - 6.0).powi(2) + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * a.cos() + 10.0
}

fn hartmann3(x: &[f64]) -> f64 {
    const A: [[f64; 3]; 4] = [[3.0, 10.0, 30.0], [0.1, 10.0, 35.0], [3.0, 10.0, 30.0], [0.1, 10.0, 35.0]];
    const P: [[f64; 3]; 4] =
        [[0.3689, 0.1170, 0.2673], [0.4699, 0.4387, 0.7470], [0.1091, 0.8732, 0.5547], [0.0381, 0.5743, 0.8828]];
    let term = |((a, p), alpha): ((&[f64; 3], &[f64; 3]), f64)| {
        let distance: f64 = a.iter().zip(p).zip(x).map(|((a, p), x)| a * (x - p).powi(2)).sum();
        alpha * (-distance).exp()
    };
    -A.iter().zip(&P).zip([1.0, 1.2, 3.0, 3.2]).map(term).sum::<f64>()
}

fn rosenbrock(x: &[f64]) -> f64 {
    x.iter().zip(x.iter().skip(1)).map(|(a, b)| 100.0 * (b - a * a).powi(2) + (1.0 - a).powi(2)).sum()
}

fn ackley(x: &[f64]) -> f64 {
    let count = x.len() as f64;
    let (squares, cosines) =
        (x.iter().map(|x| x * x).sum::<f64>(), x.iter().map(|x| (std::f64::consts::TAU * x).cos()).sum::<f64>());
    20.0 + std::f64::consts::E - 20.0 * (-0.2 * (squares / count).sqrt()).exp() - (cosines / count).exp()
}

fn styblinski_tang(x: &[f64]) -> f64 {
    x.iter().map(|x| 0.5 * (x.powi(4) - 16.0 * x * x + 5.0 * x)).sum()
}

//! `cargo run --release -p eutectic-simulation -- --seeds 100000`: plays that many histories and judges each.
#![expect(clippy::print_stdout, reason = "a program")]

use clap::Parser;
use eutectic_simulation::{Counts, HARDWARE_STARTS_TWICE, MUTANTS, hunt, play};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Plays simulated campaigns through every kind of trouble, and judges each by the raw log and the hardware's own count
#[derive(Debug, Parser)]
struct Arguments {
    /// How many histories
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Play this one alone and tell what happens in it
    #[arg(long)]
    seed: Option<u64>,
    /// With this mistake in the code
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(MUTANTS.map(|it| it.name)))]
    mutant: Option<String>,
    /// Show of each mistake which history catches it, and that the same history is sound without it
    #[arg(long)]
    mutants: bool,
    /// Threads; default: as many as there are cores
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.mutants {
        return mutants(arguments.seeds);
    }
    let mutant = MUTANTS.iter().find(|it| Some(it.name) == arguments.mutant.as_deref()).map_or("", |it| it.name);
    match arguments.seed {
        Some(seed) => one(seed, mutant),
        None => many(&arguments, mutant),
    }
}

fn played(seed: u64, mutant: &'static str, trace: bool) -> eutectic_simulation::History {
    let of_hardware = mutant == HARDWARE_STARTS_TWICE;
    eutectic_failpoints::mutate(if of_hardware { "" } else { mutant });
    play(seed, of_hardware, trace)
}

fn one(seed: u64, mutant: &'static str) -> ExitCode {
    let history = played(seed, mutant, true);
    print!("{}", history.counts);
    history.violations.iter().for_each(|it| println!("{it}"));
    if history.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(arguments: &Arguments, mutant: &'static str) -> ExitCode {
    let played_in_all = AtomicU64::new(0);
    let (next, violated, begun) = (AtomicU64::new(arguments.first), AtomicBool::new(false), Instant::now());
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let end = arguments.first + arguments.seeds;
    let work = || {
        let mut counts = Counts::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || violated.load(Ordering::Relaxed) {
                return counts;
            }
            let history = played(seed, mutant, false);
            counts.add(&history.counts);
            played_in_all.fetch_add(1, Ordering::Relaxed);
            if !history.violations.is_empty() {
                violated.store(true, Ordering::Relaxed);
                println!("seed {seed} (again, and what happens in it: --seed {seed}):");
                history.violations.iter().for_each(|it| println!("  {it}"));
            }
        }
    };
    let mut total = Counts::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads.unwrap_or_else(cores)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            match thread.join() {
                Ok(counts) => total.add(&counts),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = played_in_all.load(Ordering::Relaxed) as f64 / seconds;
    println!("{} histories in {seconds:.0} s, {rate:.0} a second", played_in_all.load(Ordering::Relaxed));
    print!("{total}");
    let lacking = total.lacking();
    if !lacking.is_empty() {
        println!("too few to prove anything: {}", lacking.join(", "));
    }
    if violated.load(Ordering::Relaxed) || !lacking.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn mutants(seeds: u64) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let mut all = true;
    for mutant in &MUTANTS {
        let caught = hunt(mutant, seeds);
        let sound = caught.as_ref().is_some_and(|it| play(it.seed, false, false).violations.is_empty());
        all &= sound;
        let how = match caught {
            None => format!("NOT CAUGHT in {seeds} histories"),
            Some(it) if sound => format!("seed {}: {}", it.seed, it.violation),
            Some(it) => format!("seed {} is violated without it, too", it.seed),
        };
        println!("{:<24} {}  {how}", mutant.name, mutant.invariant);
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

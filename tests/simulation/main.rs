//! The production code on a virtual clock: engine step, sessions, driver state machines, with crashes at every write,
//! loss, delay, partitions and wiped journals. One seed, one history.
//!
//! `SIMULATION_SEEDS=10000 cargo test --release --test simulation` for more of it; a violation names its seed, and
//! `SIMULATION_SEED=N` plays that one alone and prints its log.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test fails by panicking")]

mod audit;
mod driver;
mod lab;
mod process;
mod world;

use world::{Counts, Mutant, World};

/// Enough to meet every kind of fault many times, few enough for every push.
const SEEDS: u64 = 500;

fn play(seed: u64, mutant: Mutant) -> (Counts, Vec<String>) {
    let mut world = World::new(seed, mutant);
    world.play();
    let violations = audit::audit(&world);
    if std::env::var_os("SIMULATION_SEED").is_some() {
        world.print_log();
    }
    (world.counts, violations)
}

#[test]
fn nothing_twice_and_nothing_lost_whatever_crashes() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(SEEDS),
    };
    let many = seeds.end - seeds.start >= SEEDS;
    let mut total = Counts::default();
    for seed in seeds.clone() {
        let (counts, violations) = play(seed, Mutant::None);
        assert!(violations.is_empty(), "seed {seed}:\n{}", violations.join("\n"));
        total.add(&counts);
    }
    println!("{} histories: {total:?}", seeds.end - seeds.start);
    // A simulation that meets nothing proves nothing.
    if many {
        assert!(total.all_met(), "{total:?}");
    }
}

#[test]
fn hardware_that_starts_twice_is_caught() {
    assert!(caught(Mutant::StartsTwice, "started twice"));
}

#[test]
fn an_orchestrator_that_sends_again_without_asking_is_caught() {
    assert!(caught(Mutant::SendsAgainUnasked, "started twice"));
}

#[test]
fn an_orchestrator_that_takes_any_journal_for_the_same_is_caught() {
    assert!(caught(Mutant::IgnoresJournalId, "started twice"));
}

fn caught(mutant: Mutant, words: &str) -> bool {
    (0..SEEDS).any(|seed| play(seed, mutant).1.iter().any(|violation| violation.contains(words)))
}

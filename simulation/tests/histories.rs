//! Enough histories to meet every kind of trouble, and every mutant caught. `cargo run --release -p eutectic-simulation`
//! plays more.
#![expect(clippy::print_stdout, reason = "what was met is told")]

use eutectic_simulation::{Counts, MUTANTS, hunt, play};

/// Enough to meet every kind of trouble, few enough for every push.
const SEEDS: u64 = 1_500;
/// Within so many a mutant has to be caught.
const MUTANT_SEEDS: u64 = 3_000;

#[test]
fn nothing_twice_and_nothing_lost_whatever_happens() {
    let mut total = Counts::default();
    for seed in 0..SEEDS {
        let history = play(seed, false, false);
        assert!(history.violations.is_empty(), "seed {seed}:\n{}", history.violations.join("\n"));
        total.add(&history.counts);
    }
    println!("{SEEDS} histories:\n{total}");
    assert!(total.lacking().is_empty(), "too few to prove anything: {:?}", total.lacking());
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in 0..20 {
        assert_eq!(play(seed, false, false).counts, play(seed, false, false).counts);
    }
}

#[test]
fn every_mutant_is_caught_by_its_invariant_and_the_same_history_is_sound_without_it() {
    // A thread each: what a thread's code does wrong is its own.
    std::thread::scope(|scope| {
        for mutant in &MUTANTS {
            scope.spawn(move || {
                let caught = hunt(mutant, MUTANT_SEEDS).unwrap_or_else(|| panic!("{} is not caught", mutant.name));
                println!("{}: seed {}: {}", mutant.name, caught.seed, caught.violation);
                let sound = play(caught.seed, false, false);
                assert!(sound.violations.is_empty(), "seed {}: {:?}", caught.seed, sound.violations);
            });
        }
    });
}

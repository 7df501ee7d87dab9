//! Mistakes on purpose, each with the invariant that has to catch it.

use super::play;
use eutectic_failpoints::mutate;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A mistake.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// As it stands in the code.
    pub name: &'static str,
    /// What is wrong then.
    pub what: &'static str,
    /// The invariant that has to be violated by it.
    pub invariant: &'static str,
}

/// A defect of the simulated hardware and not of our code.
pub const HARDWARE_STARTS_TWICE: &str = "hardware_starts_twice";

const fn mutant(name: &'static str, invariant: &'static str, what: &'static str) -> Mutant {
    Mutant { name, what, invariant }
}

/// All of them.
pub const MUTANTS: [Mutant; 19] = [
    mutant(HARDWARE_STARTS_TWICE, "I1", "the hardware starts twice now and then"),
    mutant("dispatch_before_durable", "I2", "effects are released although the append failed"),
    mutant("blind_reappend", "I3", "what may be stored already is appended again"),
    mutant("new_key", "I2", "a lost Execute is sent again under another id"),
    mutant("unknown_as_never", "I1", "an unknown outcome counts as never started"),
    mutant("ignores_key", "I1", "the driver takes a known id for a new one"),
    mutant("no_tombstone", "I2", "the driver starts what it has buried"),
    mutant("journals_after_start", "I1", "the hardware is started before RUNNING is durable"),
    mutant("no_fence", "I7", "the driver takes any token"),
    mutant("no_journal_id", "I1", "a new memory counts for the old one"),
    mutant("no_known_token", "I1", "a memory put back to a copy counts for the present one"),
    mutant("ask_before_fence", "I1", "the driver is asked, and believed, without its lease"),
    mutant("execute_first", "I1", "what an earlier process may have sent is sent without asking"),
    mutant("error_as_refusal", "I1", "a lost reply counts as a refusal"),
    mutant("clear_without_halt_id", "I8", "any person clears any halt"),
    mutant("quarantine_everything", "L2", "whatever fails counts as unknown"),
    mutant("no_rest", "I7", "what was lost sight of is not told to rest"),
    mutant("no_suspension", "I9", "a full disk holds nothing"),
    mutant("no_doubt", "L1", "a log that has lost its end is not noticed"),
];

/// How a mutant was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// The first seed that shows it.
    pub seed: u64,
    /// By which violation.
    pub violation: String,
}

/// Looks for the first history in which the mutant violates its invariant. A panic is no catch.
#[must_use]
pub fn hunt(mutant: &Mutant, seeds: u64) -> Option<Caught> {
    let of_hardware = mutant.name == HARDWARE_STARTS_TWICE;
    mutate(if of_hardware { "" } else { mutant.name });
    let caught = (0..seeds).find_map(|seed| {
        let history = catch_unwind(AssertUnwindSafe(|| play(seed, of_hardware, false))).ok()?;
        let violation = history.violations.into_iter().find(|it| it.starts_with(mutant.invariant))?;
        Some(Caught { seed, violation })
    });
    mutate("");
    caught
}

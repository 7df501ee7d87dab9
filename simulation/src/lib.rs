//! The production code on a virtual clock: engine step, sessions, driver state machines, with crashes at every write, loss,
//! delay, doubled messages, partitions, halts, another holder, clocks that step, journals wiped and put back. One seed, one
//! history. Every history ends by healing and draining, so that it is also seen to come to an end.
//!
//! What would be caught is shown by mutants: mistakes that the production code itself makes on purpose.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm, reason = "a simulator")]

mod audit;
mod driver;
mod hardware;
mod lab;
mod mutants;
mod people;
mod process;
mod weather;
mod world;

pub use mutants::{Caught, HARDWARE_STARTS_TWICE, MUTANTS, Mutant, hunt};
pub use weather::Counts;

use world::World;

/// What came of a history.
#[derive(Debug)]
pub struct History {
    /// The trouble that it met.
    pub counts: Counts,
    /// Every violation, beginning with the invariant's name.
    pub violations: Vec<String>,
}

/// Plays one history with the code as this thread makes it ([`eutectic_failpoints::mutate`]).
#[must_use]
pub fn play(seed: u64, hardware_starts_twice: bool, trace: bool) -> History {
    let mut world = World::new(seed, hardware_starts_twice, trace);
    world.play();
    let violations = audit::audit(&mut world);
    History { counts: world.counts, violations }
}

//! How bad a history gets, and how often each kind of trouble was met.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// A swift network, a slow one, and one on which a call may arrive after it was given up.
const DELAYS_MS: [u64; 3] = [20, 2_000, 6_000];

/// Drawn for each history, so that calm and stormy ones are both met, and each kind of trouble also alone.
pub(crate) struct Weather {
    pub(crate) loss: f64,
    pub(crate) delay_ms: u64,
    pub(crate) process_crash: f64,
    pub(crate) append_fault: f64,
    pub(crate) driver_crash: f64,
    pub(crate) wipe: f64,
    pub(crate) put_back: f64,
    pub(crate) roll_back: f64,
    pub(crate) partition: f64,
    pub(crate) halt: f64,
    pub(crate) borrow: f64,
    pub(crate) clock_step: f64,
    pub(crate) abort: f64,
    pub(crate) full: f64,
    /// People come by before the storm is over.
    pub(crate) visit: f64,
}

impl Weather {
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut upto = |highest: f64| if rng.random_bool(0.5) { rng.random_range(0.0..highest) } else { 0.0 };
        let mut weather = Self {
            loss: upto(0.15),
            delay_ms: DELAYS_MS[usize::from(upto(1.0) > 0.0) + usize::from(upto(1.0) > 0.0)],
            process_crash: upto(0.02),
            append_fault: upto(0.02),
            driver_crash: upto(0.02),
            wipe: upto(0.15),
            put_back: upto(0.5),
            roll_back: upto(0.4),
            partition: upto(0.01),
            halt: upto(0.005),
            borrow: upto(0.03),
            clock_step: upto(0.01),
            abort: upto(1.0),
            full: upto(0.005),
            visit: upto(0.02),
        };
        // Who is left when both have lost their memory? Nobody could tell what happened, so it is one or the other.
        if rng.random_bool(0.7) {
            weather.roll_back = 0.0;
        } else {
            (weather.wipe, weather.put_back) = (0.0, 0.0);
        }
        weather
    }
}

/// How often each kind of trouble was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub [u64; Counts::NAMES.len()]);

/// A kind of trouble, and of relief from it.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum Kind {
    Starts,
    ProcessCrashes,
    AppendFaults,
    DriverCrashes,
    Wiped,
    PutBack,
    RolledBack,
    Lost,
    Doubled,
    Partitions,
    Halts,
    StaleClears,
    Borrowed,
    ClockSteps,
    Aborts,
    Full,
    Quarantines,
    Releases,
    Discards,
    Repeats,
    Recoveries,
    Unrecovered,
    LateWords,
    Adoptions,
}

impl Counts {
    /// What is counted, in words.
    pub const NAMES: [&'static str; 24] = [
        "physical starts",
        "orchestrator crashes",
        "failed appends",
        "driver crashes",
        "driver journals wiped",
        "driver journals put back to a copy",
        "logs put back to a backup",
        "messages lost",
        "messages doubled",
        "partitions",
        "halts",
        "clears of an older halt",
        "instruments borrowed by another holder",
        "clock steps",
        "campaigns aborted by a person",
        "times that the disk was full",
        "quarantines",
        "releases by a person",
        "samples discarded by a person",
        "steps repeated by a person",
        "recoveries by policy",
        "recoveries that failed",
        "late words of drivers",
        "adoptions by a person",
    ];
    /// What is met too seldom to be asked for in a few hundred histories.
    const SELDOM: [&'static str; 2] = ["recoveries that failed", "late words of drivers"];
    /// Fewer of a kind prove nothing.
    pub const ENOUGH: u64 = 10;

    pub(crate) fn of(&mut self, kind: Kind) -> &mut u64 {
        &mut self.0[kind as usize]
    }

    pub(crate) fn get(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// Adds another history's.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    /// What was met too rarely for the whole to prove anything.
    #[must_use]
    pub fn lacking(&self) -> Vec<&'static str> {
        let few = |(name, count): &(&&str, u64)| *count < Self::ENOUGH && !Self::SELDOM.contains(name);
        Self::NAMES.iter().zip(self.0).filter(few).map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::NAMES.iter().zip(self.0).try_for_each(|(name, count)| writeln!(form, "{count:>12}  {name}"))
    }
}

//! The conformance kit: a vendor's acceptance test, over the wire alone.
//!
//! Each check does one thing that the contract promises something about, and compares. What it finds wrong says what was
//! expected, what came, and how to mend it. The numbers are stable; a check is only ever added.

mod arguments;
mod bench;
mod data;
mod describe;
mod files;
mod lease;
mod queue;
mod report;
mod run;
mod safety;
mod start;
mod supplies;
mod time;
mod virtual_time;
mod watch;

pub use bench::Options;
pub use report::{Format, line, write};
pub use start::Start;

use bench::Bench;
use std::pin::Pin;

/// What a driver promises, each level with all those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It describes itself.
    Describe,
    /// It runs operations with every guarantee.
    Run,
    /// Its results say what they have to.
    Data,
    /// It has no hardware, and does what it is told: faults, and time.
    Simulation,
}

impl Level {
    /// Their names on the command line.
    pub const ALL: [(&'static str, Self); 4] =
        [("describe", Self::Describe), ("run", Self::Run), ("data", Self::Data), ("simulation", Self::Simulation)];
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What the contract promises.
    pub expected: String,
    /// What the driver did.
    pub came: String,
    /// How to mend it.
    pub mend: String,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As the contract has it.
    Passed,
    /// Otherwise.
    Failed(Wrong),
    /// It could not be tried, and why.
    LeftOut(String),
}

/// Why a check did not pass.
enum Stop {
    Wrong(Box<Wrong>),
    LeftOut(String),
}

type Outcome = Result<(), Stop>;

fn wrong(expected: impl Into<String>, came: impl Into<String>, mend: impl Into<String>) -> Stop {
    Stop::Wrong(Box::new(Wrong { expected: expected.into(), came: came.into(), mend: mend.into() }))
}

fn left_out(why: impl Into<String>) -> Stop {
    Stop::LeftOut(why.into())
}

type Checking<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A check.
struct Check {
    number: u8,
    name: &'static str,
    level: Level,
    run: for<'a> fn(&'a mut Bench) -> Checking<'a>,
}

macro_rules! checks {
    ($($number:literal $level:ident $name:literal => $room:ident::$run:ident;)*) => {
        [$(Check { number: $number, name: $name, level: Level::$level, run: |bench| Box::pin($room::$run(bench)) }),*]
    };
}

#[rustfmt::skip]
const CHECKS: &[Check] = &checks! {
    1 Describe "health is served" => describe::health;
    2 Describe "reflection serves the contract" => describe::reflection;
    3 Describe "the manifest is valid and its digest stable" => describe::manifest;
    4 Describe "parameters have units and finite bounds" => describe::bounds;
    5 Describe "what is not required has a default" => describe::defaults;
    6 Describe "list and get describe the same instrument" => describe::same;
    7 Run "out of range is refused" => arguments::out_of_range;
    8 Run "NaN and infinity are refused" => arguments::not_finite;
    9 Run "a wrong unit is refused" => arguments::wrong_unit;
    10 Run "an unknown choice is refused" => arguments::unknown_choice;
    11 Run "unknown, duplicate and missing arguments are refused" => arguments::names;
    12 Run "a rule refuses what breaks it" => arguments::rules;
    13 Run "a refused id stays not found" => arguments::refused_is_not_found;
    14 Run "a second holder is refused" => lease::second_holder;
    15 Run "a takeover by epoch gives a higher token, a lower epoch is refused" => lease::takeover;
    16 Run "a stale token is refused" => lease::stale_token;
    17 Run "an expired lease is refused" => lease::expired;
    18 Run "the token survives a restart" => lease::token_survives;
    19 Run "an operation succeeds" => run::succeeds;
    20 Run "event sequences rise, over restarts too" => run::sequences;
    21 Run "the same id attaches" => run::attaches;
    22 Run "the same id with another hash is refused" => run::other_hash;
    23 Run "two sends at once start once" => run::two_at_once;
    24 Run "a lost reply and a retry start once" => run::lost_reply;
    25 Run "a takeover racing an execute: never both" => run::race;
    26 Run "a tombstone keeps a late execute from starting" => run::tombstone;
    27 Run "a watch resumes where it was" => watch::resumes;
    28 Data "a slow reader loses only progress, or its stream" => watch::slow_reader;
    29 Run "an operation is aborted" => run::aborts;
    30 Run "aborting twice is aborting once" => run::aborts_twice;
    31 Run "aborting after the end changes nothing" => run::aborts_after;
    32 Run "a fault is data, and complete" => data::fault;
    33 Run "killed while running: interrupted or probed" => run::killed_running;
    34 Run "killed when accepted: never started" => queue::killed_accepted;
    35 Run "the same id after a restart does not start" => run::same_after_restart;
    36 Run "halt needs no lease, latches, and is answered while streams are taken" => safety::halt;
    37 Run "clearing an older halt is refused" => safety::stale_clear;
    38 Run "a lost lease brings the safe state where that was asked" => safety::lease_loss;
    39 Run "what waits and has lost its lease never starts" => queue::lease_gone;
    40 Run "what runs past its limit is stopped" => supplies::max_duration;
    41 Data "outputs are as declared" => data::outputs;
    42 Run "an invalid calibration refuses" => supplies::calibration;
    43 Run "an exhausted consumable refuses before anything moves" => supplies::consumable;
    44 Data "a file is read on from where it broke off, and is whole" => files::resumes;
    45 Data "times are in order" => data::times;
    46 Simulation "a day of virtual time passes in moments, and alike" => virtual_time::a_day_in_moments;
    47 Describe "an unknown method is unimplemented" => describe::unknown_method;
    48 Data "a result of 50 MB stays a file" => files::stays_a_file;
    49 Run "a new journal has a new journal_id" => lease::new_journal;
    50 Run "it is held in a safe place, and goes on" => supplies::holds;
};

/// One line of the report.
#[derive(Clone, Debug)]
pub struct Line {
    /// The check's stable number.
    pub number: u8,
    /// What it is about.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
}

/// Every check of a level, in order, each told as soon as it is done.
///
/// # Errors
/// In words, where the driver can't be reached at all, or can't be started.
pub async fn check(options: Options, level: Level, mut tell: impl FnMut(&Line)) -> Result<Vec<Line>, String> {
    let only = options.only.clone();
    let mut bench = Bench::open(options).await?;
    if level >= Level::Run {
        bench.is_free().await?;
    }
    let mut lines = Vec::new();
    let wanted = |check: &&Check| check.level <= level && (only.is_empty() || only.contains(&check.number));
    for check in CHECKS.iter().filter(wanted) {
        let verdict = match (check.run)(&mut bench).await {
            Ok(()) => Verdict::Passed,
            Err(Stop::Wrong(wrong)) => Verdict::Failed(*wrong),
            Err(Stop::LeftOut(why)) => Verdict::LeftOut(why),
        };
        bench.settle().await;
        let line = Line { number: check.number, name: check.name, verdict };
        tell(&line);
        lines.push(line);
    }
    if level >= Level::Run {
        bench.release().await;
    }
    Ok(lines)
}

//! Judges a history by the raw log and by what the hardware itself counted, knowing nothing of how it came about.
//!
//! The invariants: I1 nothing starts twice; I2 every start has an intent that was durable before and still open; I3 one end
//! an operation, and it is what was measured; I4 whatever started has an end in the log; I5 epochs and tokens never fall; I6
//! what was durable stays; I7 one thing at a time, for one holder; I8 nothing starts under a halt; I9 nothing is dispatched
//! while the disk is full; L1 everything comes to an end; L2 nobody is asked without need.

use super::lab::{MIXER, truth};
use super::weather::Kind;
use super::world::World;
use eutectic::engine::Step;
use eutectic_core::model::{Decision, Level};
use eutectic_core::{Ended, Event, ExperimentNumber, InstrumentId, OperationId, Recorded};
use eutectic_instruments::wire::Value;
use eutectic_instruments::wire::value::Kind as ValueKind;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn when(&mut self, violated: bool, words: impl FnOnce() -> String) {
        if violated {
            self.0.push(words());
        }
    }
}

/// What the log says of operations.
#[derive(Default)]
struct Ledger {
    dispatched: BTreeSet<OperationId>,
    ended: BTreeMap<OperationId, Ended>,
    over: bool,
}

/// Every violation, in words that begin with the invariant's name.
pub(crate) fn audit(world: &mut World) -> Vec<String> {
    let mut found = Found::default();
    let log = world.log();
    let ledger = read(&log, &mut found);
    found.when(!ledger.over, || "L1: the campaign never ends".to_owned());
    found.when(ledger.over && !world.over(), || "L1: an operation or a question never ends".to_owned());
    kept(world, &log, &mut found);
    starts(world, &ledger, &mut found);
    results(world, &ledger, &mut found);
    quarantines(world, &log, &mut found);
    if let Some(process) = &world.process {
        let replayed = Step::open(Box::new(world.journal.clone()), "auditor").unwrap();
        found
            .when(replayed.workcell() != process.step.workcell(), || "I6: the log replayed gives another state".into());
    }
    found.0
}

fn read(log: &[Recorded], found: &mut Found) -> Ledger {
    let mut ledger = Ledger::default();
    let mut settings: BTreeMap<ExperimentNumber, f64> = BTreeMap::new();
    let mut tokens: BTreeMap<(InstrumentId, String), i64> = BTreeMap::new();
    let mut last_epoch = 0;
    for recorded in log {
        #[expect(clippy::wildcard_enum_match_arm, reason = "an auditor looks for what it knows")]
        match &recorded.event {
            Event::OperationDispatched(dispatch) => {
                let new = ledger.dispatched.insert(dispatch.operation.clone());
                found.when(!new, || format!("I3: operation {} was dispatched twice", dispatch.operation));
            }
            Event::OperationEnded { operation, ended } => {
                let before = ledger.ended.insert(operation.clone(), ended.clone());
                found.when(before.is_some(), || format!("I3: operation {operation} ended twice"));
            }
            Event::ExperimentAdded { experiment, setting, .. } => {
                settings.insert(*experiment, setting.get("x").and_then(Level::number).unwrap());
            }
            Event::ObservationRecorded { experiment, observation, .. } => {
                let (seen, due) = (observation.outcomes["y"].value, truth(settings[experiment]));
                let wrong = (seen - due).abs() > 1e-12;
                found.when(wrong, || format!("I3: experiment {experiment} has {seen}, measured was {due}"));
            }
            Event::EpochTaken { epoch, .. } | Event::JournalAdopted { epoch, .. } => {
                found.when(*epoch <= last_epoch, || format!("I5: epoch {epoch} came after {last_epoch}"));
                last_epoch = *epoch;
            }
            Event::LeaseTaken { instrument, journal_id, token, .. } => {
                let before = tokens.insert((instrument.clone(), journal_id.clone()), *token).unwrap_or_default();
                found.when(*token < before, || format!("I5: token {token} of {instrument} came after {before}"));
            }
            Event::CampaignEnded { .. } => ledger.over = true,
            _ => {}
        }
    }
    ledger
}

/// Whatever was in the log once is there still, unless somebody put it back to an older backup.
fn kept(world: &World, log: &[Recorded], found: &mut Found) {
    if world.counts.get(Kind::RolledBack) == 0 {
        let same = world.witnessed.iter().map(|it| &it.recorded).eq(log);
        found.when(!same, || "I6: what was in the log is not there any more".to_owned());
    }
}

fn starts(world: &World, ledger: &Ledger, found: &mut Found) {
    // When an intent was durable first, and when its end was.
    let mut intents: BTreeMap<OperationId, u64> = BTreeMap::new();
    let mut ends: BTreeMap<OperationId, u64> = BTreeMap::new();
    for entry in &world.witnessed {
        #[expect(clippy::wildcard_enum_match_arm, reason = "an auditor looks for what it knows")]
        match &entry.recorded.event {
            Event::OperationDispatched(dispatch) => {
                let id = &dispatch.operation;
                found.when(entry.full, || format!("I9: operation {id} was dispatched while the disk was full"));
                intents.entry(dispatch.operation.clone()).or_insert(entry.happening);
            }
            Event::OperationEnded { operation, .. } => {
                ends.entry(operation.clone()).or_insert(entry.happening);
            }
            _ => {}
        }
    }
    let repeats = repeats(world);
    let mut by_step: BTreeMap<(i64, &str), BTreeSet<&str>> = BTreeMap::new();
    for driver in world.drivers.values() {
        let mut seen = BTreeSet::new();
        for start in &driver.hardware.starts {
            let id = OperationId::new(start.operation.as_str());
            found.when(!seen.insert(&start.operation), || format!("I1: operation {id} started twice"));
            if driver.name == MIXER {
                by_step.entry((start.experiment, &start.step)).or_default().insert(&start.operation);
            }
            let intended = intents.get(&id).is_some_and(|durable| *durable < start.happening);
            found.when(!intended, || format!("I2: operation {id} started and no intent was durable before"));
            let ended = ends.get(&id).is_some_and(|ended| *ended < start.happening);
            found.when(ended, || format!("I2: operation {id} started after the log said how it ended"));
            let lost = world.counts.get(Kind::RolledBack) > 0 && !ledger.dispatched.contains(&id);
            let forgotten = ledger.over && !ledger.ended.contains_key(&id) && !lost;
            found.when(forgotten, || format!("I4: operation {id} started and the log doesn't know how it ended"));
            found.when(start.crowded, || format!("I7: operation {id} started while another one moved"));
            found
                .when(start.borrowed, || format!("I7: operation {id} started while another holder had the instrument"));
            found.when(start.halted, || format!("I8: operation {id} started under a halt that nobody had cleared"));
        }
    }
    for ((experiment, step), operations) in by_step {
        let again = repeats.get(&(experiment, step.to_owned())).copied().unwrap_or_default();
        let twice = operations.len() > 1 + again;
        found.when(twice, || format!("I1: step {step} of experiment {experiment} started twice: {operations:?}"));
    }
}

/// How often a person decided that a step be done again, by experiment and step.
fn repeats(world: &World) -> BTreeMap<(i64, String), usize> {
    let mut steps = BTreeMap::new();
    let mut asked = BTreeMap::new();
    let mut repeats = BTreeMap::new();
    for entry in &world.witnessed {
        #[expect(clippy::wildcard_enum_match_arm, reason = "an auditor looks for what it knows")]
        match &entry.recorded.event {
            Event::OperationDispatched(it) => {
                steps.insert(it.operation.clone(), (i64::from(it.experiment), it.step.to_string()));
            }
            Event::InstrumentQuarantined { intervention, operation: Some(operation), .. } => {
                asked.insert(*intervention, operation.clone());
            }
            Event::InterventionResolved { intervention, decision: Decision::Repeat, .. } => {
                if let Some(step) = asked.get(intervention).and_then(|operation| steps.get(operation)) {
                    *repeats.entry(step.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    repeats
}

fn results(world: &World, ledger: &Ledger, found: &mut Found) {
    for driver in world.drivers.values() {
        for (id, value) in &driver.hardware.results {
            if let Some(Ended::Succeeded { outputs }) = ledger.ended.get(&OperationId::new(id.as_str())) {
                let (told, measured) = (serde_json::to_string(outputs).unwrap(), measured(value));
                let wrong = !told.contains(&measured);
                found.when(wrong, || format!("I3: operation {id} measured {measured}, the log says {told}"));
            }
        }
    }
}

/// A system that asks a person about everything satisfies all the other invariants.
fn quarantines(world: &mut World, log: &[Recorded], found: &mut Found) {
    let asked = log.iter().filter(|it| matches!(it.event, Event::InstrumentQuarantined { .. })).count() as u64;
    *world.counts.of(Kind::Quarantines) = asked;
    let recoveries = log.iter().filter(|it| matches!(it.event, Event::RecoveryStarted { .. })).count() as u64;
    let failed = log.iter().filter(|it| matches!(it.event, Event::RecoveryFailed { .. })).count() as u64;
    (*world.counts.of(Kind::Recoveries), *world.counts.of(Kind::Unrecovered)) = (recoveries, failed);
    let of_drivers: u64 = world.drivers.values().map(|it| it.blind_crashes + it.wiped + it.put_back).sum();
    let excuses = of_drivers + world.lost_dispatches;
    found.when(asked > excuses, || {
        format!("L2: {asked} quarantines, and only {excuses} losses that nobody can tell the outcome of")
    });
    let doubts = log.iter().filter(|it| matches!(it.event, Event::JournalDoubted { .. })).count();
    let whole = world.counts.get(Kind::RolledBack) == 0;
    found.when(whole && doubts > 0, || format!("L2: {doubts} doubts in a log that was never put back"));
}

fn measured(value: &Value) -> String {
    match &value.kind {
        Some(ValueKind::Sample(vial)) => vial.clone(),
        // A recovery has no result.
        Some(ValueKind::Boolean(_)) => String::new(),
        Some(ValueKind::Quantity(y)) => serde_json::to_string(&y.value).unwrap(),
        other => panic!("{other:?} is no output of this lab"),
    }
}

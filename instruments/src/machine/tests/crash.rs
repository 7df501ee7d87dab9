//! Seeded histories with a crash possible at every write: before it, after it, and between any two of its effects.
//!
//! The auditor knows only what was told to a client and what the hardware counted.

use super::*;
use crate::wire::ClearHaltRequest;
use crate::wire::instrument_event::Event;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const SEEDS: u64 = 500;
const MOVES: usize = 120;
const IDS: [&str; 6] = [
    "operation-000000000000000a",
    "operation-000000000000000b",
    "operation-000000000000000c",
    "operation-000000000000000d",
    "operation-000000000000000e",
    "operation-000000000000000f",
];

/// How the disk treats an append; only `Honest` is allowed, the others must be caught.
#[derive(Clone, Copy, PartialEq)]
enum Disk {
    Honest,
    /// Says that it has synced, and forgets at a crash.
    Unsynced,
    /// Like a driver that journals RUNNING only after the start.
    LosesRunning,
}

struct History {
    rng: ChaCha8Rng,
    disk: Disk,
    manifest: Manifest,
    journal: MemoryJournal,
    machine: Machine,
    now: Now,
    boots: u64,
    calls: u64,
    epoch: i64,
    token: i64,
    /// What the hardware does now; it goes on when the driver dies.
    moving: Vec<String>,
    /// Reports on their way to the machine; a crash loses them.
    answers: Vec<Report>,
    may_crash: bool,
    crashes: u32,
    // What the auditor knows.
    starts: BTreeMap<String, u32>,
    ends: BTreeMap<String, (State, SampleEffect)>,
    highest_token: i64,
    last_sequence: i64,
    violation: Option<String>,
}

impl History {
    fn new(seed: u64, disk: Disk) -> History {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let manifest = manifest(rng.random_range(1..=2), rng.random_range(0..=2));
        let (mut journal, now) = (MemoryJournal::default(), Now::default());
        let (machine, step) = open(&manifest, &mut journal, now, 0);
        let mut history = History {
            rng,
            disk,
            manifest,
            journal,
            machine,
            now,
            boots: 0,
            calls: 0,
            epoch: 0,
            token: 0,
            moving: Vec::new(),
            answers: Vec::new(),
            may_crash: true,
            crashes: 0,
            starts: BTreeMap::new(),
            ends: BTreeMap::new(),
            highest_token: 0,
            last_sequence: 0,
            violation: None,
        };
        history.commit(step);
        history
    }

    fn play(&mut self) {
        for _ in 0..MOVES {
            let mut batch = Batch::default();
            for _ in 0..self.rng.random_range(1..=3) {
                let step = self.step();
                self.at_once(&batch.add(step));
            }
            self.sync(batch);
        }
    }

    fn step(&mut self) -> Step {
        self.now.monotonic += Duration::from_secs(self.rng.random_range(0..20));
        let id = IDS[self.rng.random_range(0..IDS.len())];
        let token = if self.rng.random_bool(0.9) { self.token } else { self.token - 1 };
        let call = match self.rng.random_range(0..100) {
            0..15 => {
                self.epoch += i64::from(self.rng.random_bool(0.5));
                acquire(HOLDER, self.epoch)
            }
            15..20 => acquire("workcell-b", 1),
            20..55 => {
                let probed = self.rng.random_bool(0.3);
                let capability = if probed { "oven.weigh" } else { "oven.heat" }.to_owned();
                Call::Execute(Box::new(ExecuteRequest { capability, ..request(id, token) }))
            }
            55..65 => abort(id, token),
            65..68 => halt(),
            68..73 => Call::ClearHalt(ClearHaltRequest {
                instrument: OVEN.to_owned(),
                halt_id: self.machine.halt.halt_id.clone(),
                person: "Kim".to_owned(),
                statement: "looked".to_owned(),
            }),
            73..78 => get(id, 0, 0),
            _ => return self.hardware_report(),
        };
        self.calls += 1;
        self.machine.handle(self.now, CallId(self.calls), call)
    }

    fn hardware_report(&mut self) -> Step {
        if self.moving.is_empty() {
            return self.machine.wake(self.now);
        }
        let which = self.rng.random_range(0..self.moving.len());
        let operation_id = self.moving.remove(which);
        let fault = Fault { sample_effect: SampleEffect::Modified.into(), ..Fault::default() };
        let result = if self.rng.random_bool(0.7) { Ok(reached(50.0, "Cel")) } else { Err(Box::new(fault)) };
        self.machine.report(self.now, Report::Finished { operation_id, result })
    }

    fn at_once(&mut self, orders: &[Hardware]) {
        for order in orders {
            match order {
                Hardware::StopAll(_) | Hardware::Stop { .. } => {}
                Hardware::Start { .. } | Hardware::Hold(_) | Hardware::Resume(_) | Hardware::Probe(_) => {
                    self.violate("a start waits for no disk");
                }
            }
        }
    }

    fn sync(&mut self, batch: Batch) {
        if self.crashes_now(0.03) {
            return self.crash();
        }
        let records: Vec<_> = batch.records().iter().filter(|record| self.keeps(record)).cloned().collect();
        self.journal.append(&records).unwrap();
        if self.crashes_now(0.03) {
            return self.crash();
        }
        let (effects, reports) = batch.release();
        for effect in effects {
            self.effect(effect);
            if self.crashes_now(0.01) {
                return self.crash();
            }
        }
        self.answers.extend(reports);
        while let Some(report) = self.answers.pop() {
            let step = self.machine.report(self.now, report);
            self.commit(step);
        }
    }

    fn crashes_now(&mut self, probability: f64) -> bool {
        self.may_crash && self.rng.random_bool(probability)
    }

    fn keeps(&mut self, record: &Record) -> bool {
        match self.disk {
            Disk::Honest => true,
            Disk::Unsynced => !matches!(record.kind, Some(RecordKind::Operation(_))) || self.rng.random_bool(0.9),
            Disk::LosesRunning => !matches!(&record.kind, Some(RecordKind::Operation(each))
                if matches!(each.operation.state(), State::Running | State::Accepted)),
        }
    }

    fn commit(&mut self, step: Step) {
        let mut batch = Batch::default();
        let orders = batch.add(step);
        self.at_once(&orders);
        self.sync(batch);
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.boots += 1;
        let (machine, step) = open(&self.manifest, &mut self.journal, self.now, self.boots);
        self.machine = machine;
        self.moving.clear();
        self.answers.clear();
        self.commit(step);
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(_, Ok(Answer::Lease(lease))) => self.told_lease(&lease),
            Effect::Reply(_, Ok(Answer::Executed(response))) => self.told(&response.operation.unwrap()),
            Effect::Reply(_, Ok(Answer::Operation(operation))) => self.told(&operation),
            Effect::Reply(_, Err(refusal)) => self.told_refusal(&refusal),
            Effect::Reply(_, Ok(_)) | Effect::Proceed(_) | Effect::Forget(_) => {}
            Effect::Event(event) => {
                if event.sequence <= self.last_sequence {
                    self.violate("an event sequence was repeated");
                }
                self.last_sequence = event.sequence;
                if let Some(Event::Operation(operation)) = &event.event {
                    self.told(operation);
                }
            }
            Effect::Hardware(Hardware::Start { operation, .. }) => self.started(&operation.id),
            Effect::Hardware(Hardware::Probe(operation)) => {
                // This hardware remembers all that it did.
                let ran = self.starts.contains_key(&operation.id);
                let probe = if ran { Probe::Ended(Ok(reached(50.0, "Cel"))) } else { Probe::NeverStarted };
                self.answers.push(Report::Probed { operation_id: operation.id, probe });
            }
            Effect::Hardware(
                Hardware::Stop { .. } | Hardware::StopAll(_) | Hardware::Hold(_) | Hardware::Resume(_),
            ) => {}
        }
    }

    fn started(&mut self, id: &str) {
        let count = self.starts.entry(id.to_owned()).or_default();
        *count += 1;
        let twice = *count > 1;
        if twice {
            self.violate("one operation started twice");
        }
        if self.ends.contains_key(id) {
            self.violate("an operation started after its end was told");
        }
        self.moving.push(id.to_owned());
    }

    fn told_lease(&mut self, lease: &Lease) {
        if lease.fencing_token < self.highest_token {
            self.violate("a fencing token fell");
        }
        self.highest_token = lease.fencing_token;
        self.token = lease.fencing_token;
    }

    fn told(&mut self, operation: &Operation) {
        let state = operation.state();
        let end = (state, operation.sample_effect());
        let known = self.ends.get(&operation.id).copied();
        if known.is_some_and(|known| known != end) {
            self.violate("an end state changed");
        }
        if has_ended(state) {
            self.ends.insert(operation.id.clone(), end);
            if end.1 == SampleEffect::None && self.starts.contains_key(&operation.id) {
                self.violate("an operation said to have had no effect had started");
            }
        }
    }

    fn told_refusal(&mut self, refusal: &Refusal) {
        let gone = self.ends.keys().any(|id| refusal.fault.message.contains(id.as_str()));
        if refusal.reason == Reason::OperationNotFound && gone {
            self.violate("an operation whose end was told is not found");
        }
    }

    fn violate(&mut self, what: &str) {
        self.violation.get_or_insert_with(|| what.to_owned());
    }

    /// When faults stop, everything ends.
    fn drain(&mut self) {
        self.may_crash = false;
        for id in std::mem::take(&mut self.moving) {
            let result = Ok(reached(50.0, "Cel"));
            let step = self.machine.report(self.now, Report::Finished { operation_id: id, result });
            self.commit(step);
        }
        if self.machine.operations.values().any(|each| !has_ended(each.operation.state())) && !self.machine.is_busy() {
            self.violate("an operation never ends");
        }
    }
}

fn play(seed: u64, disk: Disk) -> History {
    let mut history = History::new(seed, disk);
    history.play();
    history.drain();
    history
}

#[test]
fn whatever_crashes_no_operation_starts_twice() {
    let (mut crashes, mut starts, mut ends) = (0, 0, 0);
    for seed in 0..SEEDS {
        let history = play(seed, Disk::Honest);
        assert_eq!(history.violation, None, "seed {seed}");
        crashes += history.crashes;
        starts += history.starts.len();
        ends += history.ends.len();
    }
    // A suite that meets nothing proves nothing.
    assert!(crashes > 1000 && starts > 500 && ends > 1000, "{crashes} crashes, {starts} starts, {ends} ends");
}

#[test]
fn a_disk_that_forgets_is_caught() {
    for disk in [Disk::Unsynced, Disk::LosesRunning] {
        let caught =
            (0..SEEDS).any(|seed| play(seed, disk).violation.as_deref() == Some("one operation started twice"));
        assert!(caught);
    }
}

//! A driver's process around the production state machine.

use super::hardware::{Hardware, Start, measured, outcome, stopped};
use super::lab::manifest;
use super::world::Reply;
use eutectic::gateway::{Answer as SessionAnswer, Call as SessionCall, CallError};
use eutectic_instruments::journal::{Journal as _, MemoryJournal};
use eutectic_instruments::machine::{
    Answer, Arguments, Batch, Boot, Call, CallId, Effect, Hardware as Order, Machine, Now, Record, RecordKind, Refusal,
    Report, Rules, StatusReport, Step,
};
use eutectic_instruments::wire;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Driver {
    pub(crate) name: String,
    exact: bool,
    journal: MemoryJournal,
    journals: u64,
    machine: Option<Machine>,
    boots: u64,
    pub(crate) hardware: Hardware,
    /// Whose call a call of the machine is; `None`: somebody's who stands beside it.
    calls: BTreeMap<CallId, Option<Reply>>,
    /// Whose calls its death has cut off.
    pub(crate) cut_off: Vec<Reply>,
    /// What that one was answered.
    answered: Option<Result<Answer, Refusal>>,
    last_call: u64,
    /// What the hardware has said and the machine has not heard yet.
    heard: Vec<Report>,
    /// The journal as it was at earlier starts, each with the newest token then.
    copies: Vec<(i64, Vec<Record>)>,
    /// Until then another holder has the instrument.
    pub(crate) borrowed_until_ms: u64,
    /// The newest halt that was confirmed and not cleared by somebody who knew of it.
    pub(crate) halt: Option<String>,
    pub(crate) crashes: u64,
    /// Crashes that nobody can tell the outcome of: the journal says that something runs, the instrument can't tell.
    pub(crate) blind_crashes: u64,
    pub(crate) wiped: u64,
    pub(crate) put_back: u64,
}

struct NoRules;
impl Rules for NoRules {
    fn check(&self, _capability: &str, _arguments: &Arguments) -> Result<(), wire::Fault> {
        Ok(())
    }
}

fn clock(now_ms: u64) -> Now {
    let nanos = i32::try_from(now_ms % 1000).unwrap() * 1_000_000;
    let utc = prost_types::Timestamp { seconds: 1_700_000_000 + i64::try_from(now_ms / 1000).unwrap(), nanos };
    Now { monotonic: Duration::from_millis(now_ms), utc }
}

/// What drivers share with the rest of the world.
pub(crate) struct Shared<'a> {
    pub(crate) now_ms: u64,
    pub(crate) happening: u64,
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) crash_rate: f64,
    pub(crate) starts_twice: bool,
    pub(crate) vials: &'a mut BTreeMap<String, f64>,
    pub(crate) replies: Vec<(Reply, Result<SessionAnswer, CallError>)>,
}

impl Shared<'_> {
    fn crashes(&mut self) -> bool {
        self.crash_rate > 0.0 && self.rng.random_bool(self.crash_rate)
    }
}

impl Driver {
    pub(crate) fn new(name: &str, exact: bool) -> Self {
        Self {
            name: name.to_owned(),
            exact,
            journal: MemoryJournal::default(),
            journals: 0,
            machine: None,
            boots: 0,
            hardware: Hardware::default(),
            calls: BTreeMap::new(),
            cut_off: Vec::new(),
            answered: None,
            last_call: 0,
            heard: Vec::new(),
            copies: Vec::new(),
            borrowed_until_ms: 0,
            halt: None,
            crashes: 0,
            blind_crashes: 0,
            wiped: 0,
            put_back: 0,
        }
    }

    pub(crate) fn lives(&self) -> bool {
        self.machine.is_some()
    }

    pub(crate) fn start(&mut self, world: &mut Shared<'_>) {
        self.boots += 1;
        let records = self.journal.load().unwrap();
        self.copies.push((newest_token(&records), records.clone()));
        let boot = Boot {
            boot_id: format!("boot-{}", self.boots),
            new_journal_id: format!("journal-{}-{}-{}", self.name, self.journals, self.boots),
            now: clock(world.now_ms),
            status: StatusReport::default(),
        };
        let opened = Machine::open(manifest(&self.name, self.exact), Arc::new(NoRules), records, boot);
        let (machine, step) = opened.unwrap();
        self.machine = Some(machine);
        self.perform(step, world);
    }

    /// Whatever it had in mind is gone; the hardware moves on.
    pub(crate) fn crash(&mut self) {
        self.crashes += 1;
        self.blind_crashes += u64::from(!self.exact && self.journal.load().unwrap().iter().any(open));
        self.machine = None;
        self.cut_off.extend(std::mem::take(&mut self.calls).into_values().flatten());
        self.heard.clear();
        self.hardware.driver_gone();
        // No lease outlives a restart, whosever it was.
        self.borrowed_until_ms = 0;
    }

    /// A new disk. The old one may be found again.
    pub(crate) fn wipe(&mut self) {
        self.wiped += 1;
        self.journals += 1;
        let records = self.journal.load().unwrap();
        self.copies.push((newest_token(&records), records));
        self.journal = MemoryJournal::default();
        self.halt = None;
    }

    /// Its journal is put back to a copy from before the newest lease: a younger one can't be told from the present.
    /// Returns whether there is one.
    pub(crate) fn put_back(&mut self, rng: &mut ChaCha8Rng) -> bool {
        let now = newest_token(&self.journal.load().unwrap());
        self.copies.retain(|(token, records)| *token < now && !records.is_empty());
        if self.copies.is_empty() {
            return false;
        }
        let (_, records) = self.copies.swap_remove(rng.random_range(0..self.copies.len()));
        self.put_back += 1;
        self.journal = MemoryJournal::default();
        self.journal.append(&records).unwrap();
        self.copies.clear();
        self.halt = None;
        true
    }

    pub(crate) fn call(&mut self, reply: Reply, call: SessionCall, world: &mut Shared<'_>) {
        let Some(machine) = &mut self.machine else { return };
        let call = match call {
            SessionCall::Describe(_) => {
                let instrument = Box::new(machine.manifest().instrument().clone());
                return world.replies.push((reply, Ok(SessionAnswer::Instrument(instrument))));
            }
            SessionCall::Lease(request) => Call::AcquireLease(request),
            SessionCall::List(request) => Call::List(request),
            SessionCall::Execute(request) => Call::Execute(Box::new(request)),
            SessionCall::Get(request) => Call::Get(request),
            SessionCall::Abort(request) => Call::Abort(request),
        };
        self.handle(Some(reply), call, world);
    }

    /// Somebody who stands beside the driver asks it; `None` if it is dead, or dies of it.
    pub(crate) fn ask(&mut self, call: Call, world: &mut Shared<'_>) -> Option<Result<Answer, Refusal>> {
        self.answered = None;
        self.handle(None, call, world);
        self.answered.take()
    }

    fn handle(&mut self, reply: Option<Reply>, call: Call, world: &mut Shared<'_>) {
        let Some(machine) = &mut self.machine else { return };
        self.last_call += 1;
        let id = CallId(self.last_call);
        self.calls.insert(id, reply);
        let step = machine.handle(clock(world.now_ms), id, call);
        self.perform(step, world);
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, world: &mut Shared<'_>) {
        for (operation_id, value) in self.hardware.ended(world.now_ms) {
            self.report(Report::Finished { result: Ok(outcome(&self.name, value)), operation_id }, world);
        }
        let due = self.machine.as_ref().is_some_and(|it| it.next_wakeup() <= clock(world.now_ms).monotonic);
        if due && let Some(machine) = &mut self.machine {
            let step = machine.wake(clock(world.now_ms));
            self.perform(step, world);
        }
    }

    fn report(&mut self, report: Report, world: &mut Shared<'_>) {
        let Some(machine) = &mut self.machine else { return };
        let step = machine.report(clock(world.now_ms), report);
        self.perform(step, world);
    }

    /// A crash may come before the write, after it, and between any two of its effects.
    fn perform(&mut self, step: Step, world: &mut Shared<'_>) {
        let mut batch = Batch::default();
        for order in batch.add(step) {
            self.order(order, world);
        }
        if !batch.records().is_empty() && world.crashes() {
            return self.crash();
        }
        self.journal.append(batch.records()).unwrap();
        let (effects, reports) = batch.release();
        for effect in effects {
            if world.crashes() {
                return self.crash();
            }
            match effect {
                Effect::Reply(id, answer) => match self.calls.remove(&id) {
                    Some(Some(reply)) => world.replies.push((reply, translated(answer))),
                    Some(None) => self.answered = Some(answer),
                    None => {}
                },
                Effect::Hardware(order) => self.order(order, world),
                Effect::Event(_) | Effect::Proceed(_) | Effect::Forget(_) => {}
            }
        }
        // In their order: what the hardware says of an order comes after the step that gave it.
        let heard = std::mem::take(&mut self.heard);
        for report in reports.into_iter().chain(heard) {
            self.report(report, world);
        }
    }

    fn order(&mut self, order: Order, world: &mut Shared<'_>) {
        match order {
            Order::Start { operation, context } => {
                let value = measured(&operation, world.vials);
                let twice = world.starts_twice && world.rng.random_bool(0.05);
                for _ in 0..=u8::from(twice) {
                    let start = Start {
                        operation: operation.id.clone(),
                        experiment: context.experiment,
                        step: context.step.clone(),
                        happening: world.happening,
                        crowded: false,
                        borrowed: self.borrowed_until_ms > world.now_ms,
                        halted: self.halt.is_some(),
                    };
                    self.hardware.start(start, value.clone(), world.now_ms, world.rng);
                }
            }
            Order::Stop { operation_id, .. } => self.stopped(&operation_id),
            Order::StopAll(_) => {
                for id in self.hardware.moving() {
                    self.stopped(&id);
                }
            }
            // No capability of this laboratory is holdable.
            Order::Hold(_) | Order::Resume(_) => {}
            Order::Probe(operation) => {
                let probe = self.hardware.probe(&self.name, &operation.id);
                self.heard.push(Report::Probed { operation_id: operation.id, probe });
            }
        }
    }

    fn stopped(&mut self, id: &str) {
        if self.hardware.stop(id) {
            self.heard.push(Report::Finished { operation_id: id.to_owned(), result: Err(Box::new(stopped())) });
        }
    }
}

fn newest_token(records: &[Record]) -> i64 {
    let token = |record: &Record| match &record.kind {
        Some(RecordKind::Lease(lease)) => Some(lease.fencing_token),
        _ => None,
    };
    records.iter().filter_map(token).max().unwrap_or_default()
}

fn open(record: &Record) -> bool {
    use wire::operation::State;
    match &record.kind {
        Some(RecordKind::Operation(it)) => {
            matches!(it.operation.state(), State::Running | State::Held | State::Aborting)
        }
        _ => false,
    }
}

fn translated(answer: Result<Answer, Refusal>) -> Result<SessionAnswer, CallError> {
    let refused = |refusal: Refusal| {
        let highest = refusal.metadata.iter().find(|(key, _)| key == "highest_epoch");
        match highest.and_then(|(_, epoch)| epoch.parse().ok()) {
            Some(epoch) => CallError::Overtaken(epoch),
            None => CallError::Refused(refusal.fault),
        }
    };
    match answer.map_err(refused)? {
        Answer::Lease(lease) => Ok(SessionAnswer::Lease(lease)),
        Answer::Executed(executed) => Ok(SessionAnswer::Operation(Box::new(executed.operation.unwrap()))),
        Answer::Operation(operation) => Ok(SessionAnswer::Operation(operation)),
        Answer::Operations(list) => Ok(SessionAnswer::Operations(list.operations)),
        other => panic!("{other:?} answers nothing that a session asks"),
    }
}

//! A driver's process around the production state machine, and the hardware behind it, which outlives it.

use super::lab::{MIXER, manifest, truth};
use super::world::{Mutant, Reply};
use eutectic::gateway::{Answer as SessionAnswer, Call as SessionCall, CallError};
use eutectic_instruments::journal::{Journal as _, MemoryJournal};
use eutectic_instruments::machine::{
    Answer, Arguments, Batch, Boot, Call, CallId, Effect, Hardware as Order, Machine, Now, Outcome, Probe, Record,
    RecordKind, Report, Rules, StatusReport, Step,
};
use eutectic_instruments::wire;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wire::value::Kind;

/// A physical start, as the hardware itself counts it.
pub(crate) struct Start {
    pub(crate) operation: String,
    pub(crate) campaign_step: (i64, String),
    pub(crate) at_ms: u64,
}

/// Moves on whatever becomes of the driver.
#[derive(Default)]
pub(crate) struct Hardware {
    pub(crate) starts: Vec<Start>,
    /// Ends at this time, with this value.
    moving: BTreeMap<String, (u64, wire::Value)>,
    /// What it measured.
    pub(crate) results: BTreeMap<String, wire::Value>,
    told: Vec<String>,
}

pub(crate) struct Driver {
    pub(crate) name: String,
    exact: bool,
    pub(crate) journal: MemoryJournal,
    journals: u64,
    machine: Option<Machine>,
    boots: u64,
    pub(crate) hardware: Hardware,
    /// Whose call a call of the machine is.
    calls: BTreeMap<CallId, Reply>,
    last_call: u64,
    pub(crate) crashes: u64,
    /// Crashes that nobody can tell the outcome of: the journal says that something runs, the instrument can't tell.
    pub(crate) blind_crashes: u64,
    pub(crate) wiped: u64,
    mutant: Mutant,
}

struct NoRules;
impl Rules for NoRules {
    fn check(&self, _capability: &str, _arguments: &Arguments) -> Result<(), wire::Fault> {
        Ok(())
    }
}

fn clock(now_ms: u64) -> Now {
    let utc = prost_types::Timestamp { seconds: 1_700_000_000 + i64::try_from(now_ms / 1000).unwrap(), nanos: 0 };
    Now { monotonic: Duration::from_millis(now_ms), utc }
}

impl Driver {
    pub(crate) fn new(name: &str, exact: bool, mutant: Mutant) -> Self {
        Self {
            name: name.to_owned(),
            exact,
            journal: MemoryJournal::default(),
            journals: 0,
            machine: None,
            boots: 0,
            hardware: Hardware::default(),
            calls: BTreeMap::new(),
            last_call: 0,
            crashes: 0,
            blind_crashes: 0,
            wiped: 0,
            mutant,
        }
    }

    pub(crate) fn lives(&self) -> bool {
        self.machine.is_some()
    }

    pub(crate) fn start(&mut self, world: &mut Shared<'_>) {
        self.boots += 1;
        let boot = Boot {
            boot_id: format!("boot-{}", self.boots),
            new_journal_id: format!("journal-{}-{}", self.name, self.journals),
            now: clock(world.now_ms),
            status: StatusReport::default(),
        };
        let records = self.journal.load().unwrap();
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
        self.calls.clear();
        self.hardware.told.clear();
    }

    /// A new disk.
    pub(crate) fn wipe(&mut self) {
        self.wiped += 1;
        self.journals += 1;
        self.journal = MemoryJournal::default();
    }

    pub(crate) fn call(&mut self, reply: Reply, call: SessionCall, world: &mut Shared<'_>) {
        let Some(machine) = &mut self.machine else { return };
        self.last_call += 1;
        let id = CallId(self.last_call);
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
        self.calls.insert(id, reply);
        let step = machine.handle(clock(world.now_ms), id, call);
        self.perform(step, world);
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, world: &mut Shared<'_>) {
        let over: Vec<_> = self.hardware.moving.iter().filter(|(_, (at, _))| *at <= world.now_ms).collect();
        let over: Vec<String> = over.into_iter().map(|(id, _)| id.clone()).collect();
        for id in over {
            let (_, value) = self.hardware.moving.remove(&id).unwrap();
            self.hardware.results.insert(id, value);
        }
        for (id, value) in self.hardware.results.clone() {
            if self.machine.is_some() && self.hardware.told.contains(&id) {
                self.hardware.told.retain(|it| *it != id);
                self.report(Report::Finished { result: Ok(outcome(&self.name, value)), operation_id: id }, world);
            }
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
                Effect::Reply(id, answer) => {
                    if let Some(reply) = self.calls.remove(&id) {
                        world.replies.push((reply, translated(answer)));
                    }
                }
                Effect::Hardware(order) => self.order(order, world),
                Effect::Event(_) | Effect::Proceed(_) | Effect::Forget(_) => {}
            }
        }
        for report in reports {
            self.report(report, world);
        }
    }

    fn order(&mut self, order: Order, world: &mut Shared<'_>) {
        match order {
            Order::Start { operation, context } => {
                let twice = self.mutant == Mutant::StartsTwice && world.rng.random_bool(0.05);
                for _ in 0..=u8::from(twice) {
                    self.hardware.starts.push(Start {
                        operation: operation.id.clone(),
                        campaign_step: (context.experiment, context.step.clone()),
                        at_ms: world.now_ms,
                    });
                }
                let value = self.measured(&operation, world);
                let end = world.now_ms + world.rng.random_range(100..2_000);
                self.hardware.moving.insert(operation.id.clone(), (end, value));
                self.hardware.told.push(operation.id);
            }
            Order::Stop { operation_id, .. } => self.stopped(&operation_id, world),
            Order::StopAll(_) => {
                for id in self.hardware.moving.keys().cloned().collect::<Vec<_>>() {
                    self.stopped(&id, world);
                }
            }
            // No capability of this laboratory is holdable.
            Order::Hold(_) | Order::Resume(_) => {}
            Order::Probe(operation) => {
                let probe = if let Some(value) = self.hardware.results.get(&operation.id) {
                    Probe::Ended(Ok(outcome(&self.name, value.clone())))
                } else if self.hardware.moving.contains_key(&operation.id) {
                    self.hardware.told.push(operation.id.clone());
                    Probe::Running
                } else if self.hardware.starts.iter().any(|it| it.operation == operation.id) {
                    Probe::Unknown
                } else {
                    Probe::NeverStarted
                };
                self.report(Report::Probed { operation_id: operation.id, probe }, world);
            }
        }
    }

    fn stopped(&mut self, id: &str, world: &mut Shared<'_>) {
        if self.hardware.moving.remove(id).is_none() {
            return;
        }
        self.hardware.told.retain(|it| it != id);
        let fault = wire::Fault {
            reason: "STOPPED".to_owned(),
            sample_effect: wire::SampleEffect::Modified.into(),
            ..wire::Fault::default()
        };
        self.report(Report::Finished { operation_id: id.to_owned(), result: Err(Box::new(fault)) }, world);
    }

    /// The mixer's vial remembers its x; the meter reads it.
    fn measured(&self, operation: &wire::Operation, world: &mut Shared<'_>) -> wire::Value {
        let argument = operation.arguments.first().and_then(|it| it.value.as_ref()?.kind.clone());
        let kind = match argument {
            Some(Kind::Quantity(x)) => {
                let vial = format!("vial-{}", operation.id);
                world.vials.insert(vial.clone(), x.value);
                Kind::Sample(vial)
            }
            Some(Kind::Sample(vial)) => Kind::Quantity(wire::Quantity {
                value: truth(world.vials[&vial]),
                unit: "1".into(),
                ..Default::default()
            }),
            other => panic!("{other:?} is no argument of this lab"),
        };
        wire::Value { kind: Some(kind) }
    }
}

/// What drivers share with the rest of the world.
pub(crate) struct Shared<'a> {
    pub(crate) now_ms: u64,
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) crash_rate: f64,
    pub(crate) vials: &'a mut BTreeMap<String, f64>,
    pub(crate) replies: Vec<(Reply, Result<SessionAnswer, CallError>)>,
}

impl Shared<'_> {
    fn crashes(&mut self) -> bool {
        self.crash_rate > 0.0 && self.rng.random_bool(self.crash_rate)
    }
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

fn outcome(instrument: &str, value: wire::Value) -> Outcome {
    let (output, effect) =
        if instrument == MIXER { ("sample", wire::SampleEffect::Modified) } else { ("y", wire::SampleEffect::None) };
    let measurement = wire::Measurement { output: output.to_owned(), value: Some(value), ..Default::default() };
    Outcome { measurements: vec![measurement], sample_effect: effect, ..Outcome::default() }
}

fn translated(answer: Result<Answer, eutectic_instruments::machine::Refusal>) -> Result<SessionAnswer, CallError> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "anything else is a mistake of this test")]
    match answer.map_err(|refusal| CallError::Refused(refusal.fault))? {
        Answer::Lease(lease) => Ok(SessionAnswer::Lease(lease)),
        Answer::Executed(executed) => Ok(SessionAnswer::Operation(Box::new(executed.operation.unwrap()))),
        Answer::Operation(operation) => Ok(SessionAnswer::Operation(operation)),
        Answer::Operations(list) => Ok(SessionAnswer::Operations(list.operations)),
        other => panic!("{other:?} answers nothing that a session asks"),
    }
}

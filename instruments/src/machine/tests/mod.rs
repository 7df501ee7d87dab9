//! The machine on a bench: a journal that outlives it, hardware that counts its starts, a clock that is set by hand.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod crash;
mod execute;
mod hold;
mod lease;
mod restart;
mod stop;
mod supplies;
mod validation;
mod watch;

use super::*;
use crate::journal::{Journal as _, MemoryJournal};
use crate::wire::capability::{Effect as RepeatEffect, Probe as ProbeKind, Usage};
use crate::wire::choice_domain::Choice;
use crate::wire::field_spec::Domain;
use crate::wire::operation::State;
use crate::wire::value::Kind;
use crate::wire::{
    AbortOperationRequest, AcquireLeaseRequest, Argument, Capability, ChoiceDomain, ExecuteRequest, ExecuteResponse,
    Fault, FieldSpec, GetOperationRequest, HaltRequest, Instrument, InstrumentEvent, IntegerDomain, Lease, Operation,
    Quantity, QuantityDomain, SampleEffect, Value,
};

pub(super) const OVEN: &str = "oven";
pub(super) const ID: &str = "operation-0000000000000001";
pub(super) const OTHER_ID: &str = "operation-0000000000000002";
pub(super) const THIRD_ID: &str = "operation-0000000000000003";
pub(super) const HOLDER: &str = "workcell-a";

/// Temperatures above 100 need slow stirring: a rule that no bound of one parameter can say.
struct OvenRules;

impl Rules for OvenRules {
    fn check(&self, _capability: &str, arguments: &Arguments) -> Result<(), Fault> {
        let stirring = match arguments.get("stirring") {
            Some(Kind::Integer(stirring)) => *stirring,
            _ => 0,
        };
        match arguments.quantity("temperature").is_some_and(|t| t > 100.0) && stirring > 500 {
            true => Err(Fault {
                reason: "SPLASH".to_owned(),
                message: "above 100 Cel stir at 500 or less".to_owned(),
                ..Fault::default()
            }),
            false => Ok(()),
        }
    }
}

fn field(id: &str, required: bool, default: Option<Kind>, domain: Domain) -> FieldSpec {
    let default_value = default.map(|kind| Value { kind: Some(kind) });
    FieldSpec { id: id.to_owned(), required, default_value, domain: Some(domain), ..FieldSpec::default() }
}

fn celsius(minimum: f64, maximum: f64) -> Domain {
    Domain::Quantity(QuantityDomain { unit: "Cel".to_owned(), minimum, maximum, ..QuantityDomain::default() })
}

pub(super) fn litres(value: f64) -> Quantity {
    Quantity { value, unit: "L".to_owned(), ..Quantity::default() }
}

fn capability(id: &str, abortable: bool, probe: ProbeKind) -> Capability {
    let choices = ["air", "argon"].map(|id| Choice { id: id.to_owned(), display_name: String::new() }).to_vec();
    Capability {
        id: id.to_owned(),
        version: "1.2.0".to_owned(),
        parameters: vec![
            field("temperature", true, None, celsius(20.0, 150.0)),
            field("gas", false, Some(Kind::Choice("air".to_owned())), Domain::Choice(ChoiceDomain { choices })),
            field(
                "stirring",
                false,
                Some(Kind::Integer(100)),
                Domain::Integer(IntegerDomain { minimum: 0, maximum: 1000 }),
            ),
        ],
        outputs: vec![field("reached", true, None, celsius(0.0, 200.0))],
        effect: RepeatEffect::Once.into(),
        probe: probe.into(),
        abortable,
        holdable: abortable,
        usages: vec![Usage { consumable_id: "argon".to_owned(), typical: Some(litres(10.0)) }],
        max_duration: Some(prost_types::Duration { seconds: 600, nanos: 0 }),
        max_concurrency: 8,
        ..Capability::default()
    }
}

pub(super) fn manifest(max_concurrency: i32, queue_depth: i32) -> Manifest {
    let capabilities = vec![
        capability("oven.heat", true, ProbeKind::None),
        capability("oven.seal", false, ProbeKind::None),
        capability("oven.weigh", true, ProbeKind::Exact),
    ];
    let id = OVEN.to_owned();
    Manifest::new(Instrument { id, capabilities, max_concurrency, queue_depth, ..Instrument::default() }).unwrap()
}

/// A driver's process on a bench.
pub(super) struct Bench {
    pub(super) machine: Machine,
    pub(super) journal: MemoryJournal,
    pub(super) now: Now,
    /// Physical starts, in order, as the hardware itself would count them.
    pub(super) starts: Vec<String>,
    pub(super) stops: Vec<Hardware>,
    pub(super) probes: Vec<String>,
    pub(super) events: Vec<InstrumentEvent>,
    pub(super) proceeded: Vec<String>,
    /// Whom it told to wait, and to go on.
    pub(super) holds: Vec<(String, bool)>,
    pub(super) forgotten: Vec<String>,
    replies: BTreeMap<CallId, Result<Answer, Refusal>>,
    manifest: Manifest,
    calls: u64,
    boots: u64,
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::with(manifest(1, 1))
    }

    pub(super) fn with(manifest: Manifest) -> Bench {
        let mut journal = MemoryJournal::default();
        let now = Now { monotonic: Duration::ZERO, utc: prost_types::Timestamp { seconds: 1_000_000, nanos: 0 } };
        let (machine, step) = open(&manifest, &mut journal, now, 0);
        let mut bench = Bench {
            machine,
            journal,
            now,
            starts: Vec::new(),
            stops: Vec::new(),
            probes: Vec::new(),
            events: Vec::new(),
            proceeded: Vec::new(),
            holds: Vec::new(),
            forgotten: Vec::new(),
            replies: BTreeMap::new(),
            manifest,
            calls: 0,
            boots: 0,
        };
        bench.perform(step);
        // A new journal doesn't know whether the hardware moves.
        assert_eq!(std::mem::take(&mut bench.stops), [Hardware::StopAll(StopReason::Interrupted)]);
        bench
    }

    /// Kills the process and starts another on the same journal; the hardware's own counts stay.
    pub(super) fn restart(&mut self) {
        self.boots += 1;
        let (machine, step) = open(&self.manifest, &mut self.journal, self.now, self.boots);
        self.machine = machine;
        self.perform(step);
    }

    pub(super) fn perform(&mut self, step: Step) {
        let mut batch = Batch::default();
        self.stops.extend(batch.add(step));
        self.sync(batch);
    }

    pub(super) fn sync(&mut self, batch: Batch) {
        self.journal.append(batch.records()).unwrap();
        let (effects, reports) = batch.release();
        effects.into_iter().for_each(|effect| self.effect(effect));
        reports.into_iter().for_each(|report| self.report(report));
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(call, answer) => {
                self.replies.insert(call, answer);
            }
            Effect::Event(event) => self.events.push(*event),
            Effect::Hardware(Hardware::Start { operation, .. }) => self.starts.push(operation.id),
            Effect::Hardware(Hardware::Probe(operation)) => self.probes.push(operation.id),
            Effect::Hardware(Hardware::Hold(id)) => self.holds.push((id, true)),
            Effect::Hardware(Hardware::Resume(id)) => self.holds.push((id, false)),
            Effect::Hardware(stop) => self.stops.push(stop),
            Effect::Proceed(id) => self.proceeded.push(id),
            Effect::Forget(id) => self.forgotten.push(id),
        }
    }

    pub(super) fn send(&mut self, call: Call) -> CallId {
        self.calls += 1;
        let id = CallId(self.calls);
        let step = self.machine.handle(self.now, id, call);
        self.perform(step);
        id
    }

    pub(super) fn reply(&mut self, id: CallId) -> Option<Result<Answer, Refusal>> {
        self.replies.remove(&id)
    }

    pub(super) fn call(&mut self, call: Call) -> Result<Answer, Refusal> {
        let id = self.send(call);
        self.reply(id).unwrap()
    }

    /// The reason of a refusal; panics if it was accepted.
    pub(super) fn refused(&mut self, call: Call) -> Reason {
        self.call(call).unwrap_err().reason
    }

    pub(super) fn report(&mut self, report: Report) {
        let step = self.machine.report(self.now, report);
        self.perform(step);
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now.monotonic += Duration::from_secs(seconds);
        self.now.utc.seconds += i64::try_from(seconds).unwrap();
        let step = self.machine.wake(self.now);
        self.perform(step);
    }

    pub(super) fn lease(&mut self) -> i64 {
        self.lease_as(HOLDER, 1).unwrap().fencing_token
    }

    pub(super) fn lease_as(&mut self, holder: &str, epoch: i64) -> Result<Lease, Refusal> {
        let Answer::Lease(lease) = self.call(acquire(holder, epoch))? else { panic!("another answer") };
        Ok(lease)
    }

    pub(super) fn execute(&mut self, id: &str, token: i64) -> Result<ExecuteResponse, Refusal> {
        let Answer::Executed(response) = self.call(Call::Execute(Box::new(request(id, token))))? else {
            panic!("another answer")
        };
        Ok(*response)
    }

    pub(super) fn abort(&mut self, id: &str, token: i64) -> Result<Operation, Refusal> {
        let Answer::Operation(operation) = self.call(abort(id, token))? else { panic!("another answer") };
        Ok(*operation)
    }

    pub(super) fn succeed(&mut self, id: &str) {
        self.report(Report::Finished { operation_id: id.to_owned(), result: Ok(reached(80.0, "Cel")) });
    }

    pub(super) fn fail(&mut self, id: &str, effect: SampleEffect) {
        let fault = Fault { reason: "STOPPED".to_owned(), sample_effect: effect.into(), ..Fault::default() };
        self.report(Report::Finished { operation_id: id.to_owned(), result: Err(Box::new(fault)) });
    }

    pub(super) fn state(&self, id: &str) -> State {
        self.machine.operation(id).unwrap().state()
    }

    pub(super) fn operation(&self, id: &str) -> &Operation {
        self.machine.operation(id).unwrap()
    }
}

fn open(manifest: &Manifest, journal: &mut MemoryJournal, now: Now, boots: u64) -> (Machine, Step) {
    let boot = Boot {
        boot_id: format!("boot-{boots}"),
        new_journal_id: format!("journal-{boots}"),
        now,
        status: StatusReport::default(),
    };
    Machine::open(manifest.clone(), Arc::new(OvenRules), journal.load().unwrap(), boot).unwrap()
}

pub(super) fn acquire(holder: &str, holder_epoch: i64) -> Call {
    let ttl = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    Call::AcquireLease(AcquireLeaseRequest {
        instrument: OVEN.to_owned(),
        holder: holder.to_owned(),
        holder_epoch,
        ttl,
        ..AcquireLeaseRequest::default()
    })
}

pub(super) fn abort(id: &str, fencing_token: i64) -> Call {
    Call::Abort(AbortOperationRequest {
        instrument: OVEN.to_owned(),
        operation_id: id.to_owned(),
        fencing_token,
        reason: "test".to_owned(),
    })
}

pub(super) fn get(id: &str, last_seen_sequence: i64, wait_seconds: i64) -> Call {
    let wait = Some(prost_types::Duration { seconds: wait_seconds, nanos: 0 });
    let (instrument, operation_id) = (OVEN.to_owned(), id.to_owned());
    Call::Get(GetOperationRequest { instrument, operation_id, last_seen_sequence, wait })
}

pub(super) fn halt() -> Call {
    Call::Halt(HaltRequest { instrument: OVEN.to_owned(), reason: "smoke".to_owned() })
}

pub(super) fn quantity(id: &str, value: f64, unit: &str) -> Argument {
    let quantity = Quantity { value, unit: unit.to_owned(), ..Quantity::default() };
    Argument { id: id.to_owned(), value: Some(Value { kind: Some(Kind::Quantity(quantity)) }) }
}

pub(super) fn request(id: &str, token: i64) -> ExecuteRequest {
    ExecuteRequest {
        instrument: OVEN.to_owned(),
        operation_id: id.to_owned(),
        fencing_token: token,
        capability: "oven.heat".to_owned(),
        capability_version: "1.0.0".to_owned(),
        arguments: vec![quantity("temperature", 80.0, "Cel")],
        request_hash: vec![7; 32],
        ..ExecuteRequest::default()
    }
}

pub(super) fn reached(value: f64, unit: &str) -> Outcome {
    let quantity = Quantity { value, unit: unit.to_owned(), ..Quantity::default() };
    let measurement = wire::Measurement {
        output: "reached".to_owned(),
        value: Some(Value { kind: Some(Kind::Quantity(quantity)) }),
        ..wire::Measurement::default()
    };
    Outcome { measurements: vec![measurement], sample_effect: SampleEffect::Modified, ..Outcome::default() }
}

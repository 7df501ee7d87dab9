//! The driver's guarantees, written once, as a state machine without IO.
//!
//! Calls and reports go in with the time; a [`Step`] comes out: what must stop at once, the records that must be durable,
//! and what the sync releases (replies, events, orders to the hardware). Nothing is told and nothing moves before its
//! record is durable, except a stop, which waits for nothing. The state is rebuilt from the records, so a crash may come
//! between any two of them:
//!
//! - an operation id starts the hardware at most once, for ever; a repeat attaches to what is known of it;
//! - RUNNING is durable before the first physical effect; an ACCEPTED operation that a crash meets never starts;
//! - a token check and the acceptance it allows are one call of [`Machine::handle`], and so can't be parted by a takeover.
//!
//! Whoever drives the machine ([`crate::sdk`], or a simulator on a virtual clock) owes it three things: steps are performed
//! in order, by way of a [`Batch`]; the effects of a batch only once its records are synced; and [`Machine::wake`] is
//! called at [`Machine::next_wakeup`].

mod batch;
mod events;
mod execute;
mod hold;
mod lease;
mod manifest;
mod port;
mod query;
mod reason;
mod record;
mod recover;
mod report;
mod stop;
mod supplies;
mod validate;

#[cfg(test)]
mod tests;

pub use batch::Batch;
pub use lease::HOLDERS_MAX;
pub use manifest::{ID_LENGTH_MAX, MAX_LEASE_DEFAULT, Manifest, ManifestError, RESULT_RETENTION_MIN};
pub use port::{Answer, Call, CallId, Effect, Hardware, Now, Outcome, Probe, Report, StatusReport, Step, StopReason};
pub use query::{PAGE_SIZE_MAX, WAIT_MAX};
pub use reason::{Reason, Refusal, RefusalCode};
pub use record::{
    ConsumableRecord, HaltRecord, IdentityRecord, Kind as RecordKind, LeaseRecord, OperationRecord, Record,
};
pub use recover::{Boot, OpenError};
pub use report::OPERATION_BYTES_MAX;
pub use validate::{Arguments, Rules, SERIES_VALUES_MAX, TEXT_LENGTH_MAX, validate};

use crate::wire;
use events::{Events, Told};
use lease::Leases;
use query::Waiting;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// One instrument's driver.
pub struct Machine {
    manifest: Manifest,
    rules: Arc<dyn Rules>,
    boot_id: String,
    journal_id: String,
    /// The journal's next name, should it turn out to be an older copy of itself.
    spare_journal_id: Option<String>,
    /// What this start found open and ended as harmless.
    harmless_at_boot: Vec<String>,
    now: Now,
    operations: BTreeMap<String, OperationRecord>,
    /// Ids by ordinal, which is the order of acceptance.
    order: BTreeMap<i64, String>,
    running: BTreeMap<String, Running>,
    /// Accepted and waiting for a place, oldest first.
    queue: VecDeque<String>,
    leases: Leases,
    halt: HaltRecord,
    /// What is counted here of each consumable.
    consumables: BTreeMap<String, ConsumableRecord>,
    report: StatusReport,
    events: Events,
    waiting: BTreeMap<CallId, Waiting>,
    shutting_down: bool,
    told: Told,
    step: Step,
}

/// What the hardware is doing, as far as the machine knows.
#[derive(Clone, Copy, Debug, Default)]
struct Running {
    /// The capability's limit, on the monotonic clock; `None` if it declares none or the start is not known.
    deadline: Option<Duration>,
    /// A stop was ordered; decides how the end is told.
    stop: Option<StopReason>,
    /// It was asked to wait at its next safe point.
    hold: bool,
    /// It waits there, since then on the monotonic clock.
    held_since: Option<Duration>,
}

impl Running {
    /// Whether its limit runs: not once it was told to stop, and not while it is held.
    fn is_limited(&self) -> bool {
        self.stop.is_none() && self.held_since.is_none()
    }
}

impl Machine {
    /// Answers a call, at once or (a waiting GetOperation) in a later step.
    pub fn handle(&mut self, now: Now, id: CallId, call: Call) -> Step {
        self.advance(now);
        let answer = match call {
            Call::Status => Some(Ok(Answer::Status(Box::new(self.status())))),
            Call::AcquireLease(request) => Some(self.acquire_lease(&request)),
            Call::RenewLease(request) => Some(self.renew_lease(&request)),
            Call::ReleaseLease(request) => Some(self.release_lease(&request)),
            Call::Validate(request) => Some(self.validate_operation(&request)),
            Call::Execute(request) => Some(self.execute(*request)),
            Call::Get(request) => self.get(id, &request),
            Call::List(request) => Some(self.list(&request)),
            Call::Abort(request) => Some(self.abort(&request)),
            Call::Hold(request) => Some(self.hold(&request)),
            Call::Resume(request) => Some(self.resume(&request)),
            Call::Halt(request) => Some(self.latch_halt(&request)),
            Call::ClearHalt(request) => Some(self.clear_halt(&request)),
            Call::UpdateConsumable(request) => Some(self.update_consumable(&request)),
            Call::Watch(request) => Some(self.watch(&request)),
        };
        if let Some(answer) = answer {
            self.step.after.push(Effect::Reply(id, answer));
        }
        self.finish()
    }

    /// Takes what the hardware side tells.
    pub fn report(&mut self, now: Now, report: Report) -> Step {
        self.advance(now);
        self.take_report(report);
        self.finish()
    }

    /// Lets time pass: leases end, limits are enforced, waiting calls are answered, a status is told.
    pub fn wake(&mut self, now: Now) -> Step {
        self.advance(now);
        self.finish()
    }

    /// When [`Machine::wake`] is due at the latest, on the monotonic clock.
    #[must_use]
    pub fn next_wakeup(&self) -> Duration {
        self.next_deadline().map_or(self.events.next_status, |deadline| deadline.min(self.events.next_status))
    }

    /// The same without the status that is told from time to time: when something happens that depends on time.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let deadlines = self.running.values().filter(|each| each.is_limited()).filter_map(|each| each.deadline);
        let waits = self.waiting.values().map(|each| each.until);
        let lease = self.leases.expiry();
        deadlines.chain(waits).chain(lease).min()
    }

    /// The driver goes down in good order: running operations stop, queued ones never start, nothing new is accepted.
    pub fn shut_down(&mut self, now: Now) -> Step {
        self.advance(now);
        self.shutting_down = true;
        self.fail_queue("the driver was shut down before it started");
        self.stop_running(StopReason::Shutdown);
        self.finish()
    }

    /// Whether the hardware moves or has to be asked.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// What this machine serves.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// An operation as last journaled.
    #[must_use]
    pub fn operation(&self, id: &str) -> Option<&wire::Operation> {
        self.operations.get(id).map(|record| &record.operation)
    }

    /// Names this journal for ever.
    #[must_use]
    pub fn journal_id(&self) -> &str {
        &self.journal_id
    }

    fn advance(&mut self, now: Now) {
        // A clock that steps back must not make an end earlier than its start.
        let later = |a: prost_types::Timestamp, b: prost_types::Timestamp| {
            if (a.seconds, a.nanos) >= (b.seconds, b.nanos) { a } else { b }
        };
        self.now = Now { monotonic: self.now.monotonic.max(now.monotonic), utc: later(self.now.utc, now.utc) };
        if self.leases.expire(self.now.monotonic) {
            self.lease_lost();
        }
        self.enforce_limits();
        self.answer_waiting();
        if self.events.next_status <= self.now.monotonic {
            self.emit_status();
        }
    }

    fn finish(&mut self) -> Step {
        self.tell_changes();
        self.reserve_sequences();
        std::mem::take(&mut self.step)
    }

    fn record(&mut self, kind: RecordKind) {
        self.step.records.push(kind.into());
    }

    fn check_instrument(&self, instrument: &str) -> Result<(), Refusal> {
        let own = &self.manifest.instrument().id;
        match instrument == own {
            true => Ok(()),
            false => Err(Reason::UnknownInstrument.refuse(format!("this driver serves {own:?}, not {instrument:?}"))),
        }
    }
}

/// Whether an operation has ended: its state will never change again.
#[must_use]
pub fn has_ended(state: wire::operation::State) -> bool {
    use wire::operation::State;
    match state {
        State::Succeeded | State::Failed | State::Aborted | State::Interrupted => true,
        State::Unspecified | State::Accepted | State::Running | State::Held | State::Aborting => false,
    }
}

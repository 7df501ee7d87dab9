//! Events: what watchers are told, in one sequence that no restart repeats.

use super::{Effect, HaltRecord, Machine, RecordKind};
use crate::wire::instrument_event::{Event, Progress};
use crate::wire::instrument_status::Readiness;
use crate::wire::{InstrumentEvent, InstrumentStatus, Interlock, Lease};
use std::collections::VecDeque;
use std::time::Duration;

/// Sequence numbers are reserved in blocks of this many, one synced record each; a restart skips the rest of a block.
pub(super) const SEQUENCE_BLOCK: i64 = 1024;
/// A new block is reserved when fewer than this many numbers are left.
const SEQUENCES_LOW: i64 = 64;
/// Events kept in memory for a watcher that comes back; a longer absence gets each operation's newest state instead.
pub(super) const EVENTS_KEPT: usize = 1024;
/// A status is told at least this often.
pub(super) const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// What watchers were last told of the whole instrument; a change is told at the end of the step that made it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    readiness: Readiness,
    halt_id: String,
    /// Holder and epoch.
    lease: Option<(String, i64)>,
}

pub(super) struct Events {
    /// The last number used.
    pub(super) last: i64,
    /// Numbers up to here are covered by a record.
    pub(super) reserved: i64,
    /// The newest events, without Progress, which anyone may lose.
    pub(super) kept: VecDeque<InstrumentEvent>,
    /// When a status is due.
    pub(super) next_status: Duration,
}

impl Machine {
    pub(super) fn emit(&mut self, operation_id: &str, event: Event) -> i64 {
        self.events.last += 1;
        let keep = !matches!(event, Event::Progress(_));
        let event = InstrumentEvent {
            sequence: self.events.last,
            event_time: Some(self.now.utc),
            operation_id: operation_id.to_owned(),
            event: Some(event),
        };
        if keep {
            if self.events.kept.len() == EVENTS_KEPT {
                self.events.kept.pop_front();
            }
            self.events.kept.push_back(event.clone());
        }
        self.step.after.push(Effect::Event(Box::new(event)));
        self.events.last
    }

    /// Reserves by what the step has used, in the same sync that releases it.
    pub(super) fn reserve_sequences(&mut self) {
        if self.events.reserved - self.events.last < SEQUENCES_LOW {
            self.events.reserved = self.events.last + SEQUENCE_BLOCK;
            // First, so that no prefix of the records holds a number beyond the reserved ones.
            let reserved = RecordKind::SequencesReserved(self.events.reserved).into();
            self.step.records.insert(0, reserved);
        }
    }

    pub(super) fn tell_changes(&mut self) {
        if self.told != self.to_tell() {
            self.emit_status();
        }
    }

    fn to_tell(&self) -> Told {
        let lease = self.leases.held().map(|held| (held.holder.clone(), held.epoch));
        Told { readiness: self.readiness(), halt_id: self.halt.halt_id.clone(), lease }
    }

    pub(super) fn emit_status(&mut self) {
        self.told = self.to_tell();
        self.events.next_status = self.now.monotonic + STATUS_INTERVAL;
        let status = self.status();
        self.emit("", Event::Status(status));
    }

    pub(super) fn emit_progress(&mut self, operation_id: &str, fraction: f64, stage: String) {
        let progress = Progress { fraction, stage, estimated_end_time: None };
        self.emit(operation_id, Event::Progress(progress));
    }

    /// Stamps, journals and tells an operation after a change, and answers who waits for it.
    pub(super) fn save(&mut self, operation_id: &str) {
        let next = self.events.last + 1;
        let Some(record) = self.operations.get_mut(operation_id) else { return };
        record.operation.last_sequence = next;
        let (saved, told) = (record.clone(), record.operation.clone());
        self.record(RecordKind::Operation(Box::new(saved)));
        self.emit(operation_id, Event::Operation(told));
        self.answer_waiting();
    }

    pub(super) fn status(&self) -> InstrumentStatus {
        let report = &self.report;
        let lease = self.leases.held().map(|held| Lease { fencing_token: 0, ..self.lease_message(held) });
        let active = self.running.keys().chain(&self.queue).cloned().collect();
        InstrumentStatus {
            instrument: self.manifest.instrument().id.clone(),
            readiness: self.readiness().into(),
            message: self.status_message(),
            update_time: Some(self.now.utc),
            clock_error: report.clock_error.and_then(|given| prost_types::Duration::try_from(given).ok()),
            boot_id: self.boot_id.clone(),
            journal_id: self.journal_id.clone(),
            lease,
            active_operations: active,
            calibrations: report.calibrations.clone(),
            consumables: self.consumables(),
            interlocks: report.interlocks.clone(),
            halt_id: self.halt.halt_id.clone(),
            needs_on_site_reset: report.needs_on_site_reset,
        }
    }

    pub(super) fn is_halted(&self) -> bool {
        !self.halt.halt_id.is_empty()
    }

    /// What an operator sees: a halt hides everything, the instrument's own trouble hides being busy.
    pub(super) fn readiness(&self) -> Readiness {
        if self.is_halted() {
            return Readiness::Halted;
        }
        if self.open_interlock().is_some() {
            return Readiness::NotReady;
        }
        match self.report.readiness {
            Readiness::Unspecified | Readiness::Ready => match self.running.len() >= self.manifest.max_concurrency() {
                true => Readiness::Busy,
                false => Readiness::Ready,
            },
            other @ (Readiness::Busy
            | Readiness::NotReady
            | Readiness::Fault
            | Readiness::Halted
            | Readiness::Offline
            | Readiness::Local
            | Readiness::Maintenance) => other,
        }
    }

    fn status_message(&self) -> String {
        let HaltRecord { halt_id, reason, .. } = &self.halt;
        match (halt_id.is_empty(), self.open_interlock()) {
            (false, _) => format!("halted ({halt_id}): {reason}"),
            (true, Some(open)) => format!("interlock {:?} is open: {}", open.id, open.message),
            (true, None) => self.report.message.clone(),
        }
    }

    pub(super) fn open_interlock(&self) -> Option<&Interlock> {
        self.report.interlocks.iter().find(|interlock| !interlock.closed)
    }
}

//! Everything that stops: abort and its tombstone, halt, lease loss, limits.

use super::execute::check_operation_id;
use super::{Answer, Effect, HaltRecord, Hardware, Machine, OperationRecord, Reason, RecordKind, Refusal, StopReason};
use crate::wire::execute_request::LeaseLossPolicy;
use crate::wire::operation::State;
use crate::wire::{AbortOperationRequest, ClearHaltRequest, HaltRequest, Operation, SampleEffect};
use eutectic_failpoints::mutant;

/// Words of a person or a program that are journaled are cut off here, in bytes.
const WORDS_LENGTH_MAX: usize = 4096;

impl Machine {
    pub(super) fn abort(&mut self, request: &AbortOperationRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        check_operation_id(&request.operation_id)?;
        // A lease past its time is no obstacle: stopping, and proving that something never started, harm nobody.
        self.check_newest(request.fencing_token)?;
        let id = &request.operation_id;
        let known = self.operations.get(id).map(|known| (known.operation.state(), known.operation.capability.clone()));
        match known {
            None => self.bury(request),
            Some((State::Accepted, _)) => {
                self.queue.retain(|queued| queued != id);
                self.end_unstarted(id, &request.reason);
            }
            Some((State::Running | State::Held, capability)) => {
                if !self.manifest.capability(&capability).is_some_and(|each| each.abortable) {
                    let words = format!("{capability} can't be aborted once it runs; a halt stops it");
                    return Err(Reason::NotAbortable.refuse(words));
                }
                self.stop(id, StopReason::Abort);
            }
            Some((
                State::Unspecified
                | State::Aborting
                | State::Succeeded
                | State::Failed
                | State::Aborted
                | State::Interrupted,
                _,
            )) => {}
        }
        let operation = self.operation(id).cloned().unwrap_or_default();
        Ok(Answer::Operation(Box::new(operation)))
    }

    /// Journals an id never accepted as ABORTED, so that an Execute that comes late attaches to it and starts nothing.
    fn bury(&mut self, request: &AbortOperationRequest) {
        let operation = Operation {
            id: request.operation_id.clone(),
            instrument: request.instrument.clone(),
            holder: self.leases.held().map(|held| held.holder.clone()).unwrap_or_default(),
            fencing_token: request.fencing_token,
            accept_time: Some(self.now.utc),
            boot_id: self.boot_id.clone(),
            ..Operation::default()
        };
        let mut record = OperationRecord { operation, tombstone: true, ..OperationRecord::default() };
        self.mark_unstarted(&mut record.operation, &request.reason);
        self.insert(record);
    }

    fn end_unstarted(&mut self, id: &str, why: &str) {
        let Some(mut record) = self.operations.remove(id) else { return };
        self.mark_unstarted(&mut record.operation, why);
        self.operations.insert(id.to_owned(), record);
        self.save(id);
    }

    fn mark_unstarted(&self, operation: &mut Operation, why: &str) {
        let mut fault = Reason::Aborted.fault(format!("aborted before it started: {}", cut(why)));
        fault.sample_effect = SampleEffect::None.into();
        operation.state = State::Aborted.into();
        operation.end_time = Some(self.now.utc);
        operation.fault = Some(fault);
        operation.sample_effect = SampleEffect::None.into();
    }

    /// Orders one running operation to stop. The order waits for no disk; ABORTING is told once it is durable.
    fn stop(&mut self, id: &str, reason: StopReason) {
        if !self.mark_stopping(id, reason) {
            return;
        }
        self.step.at_once.push(Hardware::Stop { operation_id: id.to_owned(), reason });
    }

    fn mark_stopping(&mut self, id: &str, reason: StopReason) -> bool {
        let Some(running) = self.running.get_mut(id).filter(|running| running.stop.is_none()) else { return false };
        running.stop = Some(reason);
        if let Some(record) = self.operations.get_mut(id) {
            record.operation.state = State::Aborting.into();
        }
        self.save(id);
        true
    }

    /// A journal that has just begun, or has gaps, doesn't tell whether the hardware moves: it is told to rest before anything
    /// may begin on it.
    pub(super) fn rest(&mut self) {
        if !mutant("no_rest") {
            self.step.at_once.push(Hardware::StopAll(StopReason::Interrupted));
        }
    }

    pub(super) fn stop_running(&mut self, reason: StopReason) {
        let ids: Vec<_> = self.running.keys().cloned().collect();
        for id in ids {
            self.stop(&id, reason);
        }
    }

    /// Called when a lease has ended, by its time or by release.
    pub(super) fn lease_lost(&mut self) {
        let asked = |id: &&String| {
            let policy = self.operations.get(*id).map(OperationRecord::lease_loss_policy);
            policy == Some(LeaseLossPolicy::SafeState)
        };
        let ids: Vec<_> = self.running.keys().filter(asked).cloned().collect();
        for id in ids {
            self.stop(&id, StopReason::LeaseLost);
        }
    }

    pub(super) fn enforce_limits(&mut self) {
        let now = self.now.monotonic;
        let past = self
            .running
            .iter()
            .filter(|(_, each)| each.is_limited() && each.deadline.is_some_and(|deadline| deadline <= now));
        let ids: Vec<_> = past.map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.stop(&id, StopReason::MaxDuration);
        }
    }

    pub(super) fn latch_halt(&mut self, request: &HaltRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        // Even an idle instrument goes to its safe state: heaters and pumps may be on between operations.
        self.step.at_once.push(Hardware::StopAll(StopReason::Halt));
        let count = self.halt.count + 1;
        let halt_id = format!("{}-{count}", self.journal_id);
        self.halt = HaltRecord { count, halt_id, reason: cut(&request.reason), ..HaltRecord::default() };
        self.record(RecordKind::Halt(self.halt.clone()));
        self.fail_queue("the instrument was halted before it started");
        let ids: Vec<_> = self.running.keys().cloned().collect();
        for id in ids {
            self.mark_stopping(&id, StopReason::Halt);
        }
        Ok(Answer::Status(Box::new(self.status())))
    }

    pub(super) fn clear_halt(&mut self, request: &ClearHaltRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        self.check_clearable(request)?;
        self.halt.halt_id.clear();
        self.halt.cleared_by = cut(&request.person);
        self.halt.statement = cut(&request.statement);
        self.record(RecordKind::Halt(self.halt.clone()));
        Ok(Answer::Status(Box::new(self.status())))
    }

    fn check_clearable(&self, request: &ClearHaltRequest) -> Result<(), Refusal> {
        if request.person.trim().is_empty() || request.statement.trim().is_empty() {
            return Err(Reason::InvalidRequest.refuse("say who clears the halt, and what was checked"));
        }
        if !self.is_halted() {
            return Err(Reason::NotHalted.refuse("the instrument is not halted"));
        }
        if request.halt_id != self.halt.halt_id && !mutant("clear_without_halt_id") {
            let words = format!("halt {:?} is not in force, {:?} is", request.halt_id, self.halt.halt_id);
            return Err(Reason::StaleHalt.refuse(words).with("halt_id", &self.halt.halt_id));
        }
        if let Some(open) = self.open_interlock() {
            return Err(Reason::InterlockOpen.refuse(format!("interlock {:?} is open: {}", open.id, open.message)));
        }
        if self.report.needs_on_site_reset {
            return Err(Reason::NeedsOnSiteReset.refuse("a person has to reset the instrument on site"));
        }
        match self.running.is_empty() {
            true => Ok(()),
            false => Err(Reason::StillStopping.refuse("stopped operations have not ended yet")),
        }
    }

    /// Lets the driver's code pass a point of no return, once that is durable.
    pub(super) fn proceed(&mut self, id: String) {
        self.step.after.push(Effect::Proceed(id));
    }
}

fn cut(words: &str) -> String {
    let end = words.floor_char_boundary(WORDS_LENGTH_MAX);
    words.get(..end).unwrap_or_default().to_owned()
}

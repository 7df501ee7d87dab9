//! Holding an operation in a safe place of its own choosing, and letting it go on.

use super::execute::check_operation_id;
use super::{Answer, Effect, Hardware, Machine, Reason, Refusal};
use crate::wire::operation::State;
use crate::wire::{HoldOperationRequest, Operation, ResumeOperationRequest};

impl Machine {
    /// Asks the driver's code to wait at its next safe point. HELD is told once it does, not before: whoever reads HELD may
    /// open the door.
    pub(super) fn hold(&mut self, request: &HoldOperationRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        // As with an abort, a lease past its time is no obstacle: standing still harms nobody.
        self.check_newest(request.fencing_token)?;
        let operation = self.holdable(&request.operation_id)?;
        if operation.state() == State::Running {
            self.order_hold(&request.operation_id, true);
        }
        self.told(&request.operation_id)
    }

    /// Lets it go on; this moves hardware, so the lease has to be in force.
    pub(super) fn resume(&mut self, request: &ResumeOperationRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        self.check_token(request.fencing_token)?;
        self.holdable(&request.operation_id)?;
        self.order_hold(&request.operation_id, false);
        self.told(&request.operation_id)
    }

    fn holdable(&self, id: &str) -> Result<&Operation, Refusal> {
        check_operation_id(id)?;
        let unknown = || Reason::OperationNotFound.refuse(format!("operation {id:?} was never accepted"));
        let operation = self.operation(id).ok_or_else(unknown)?;
        if operation.state() == State::Accepted {
            return Err(Reason::NotRunning.refuse("it has not started yet: abort it, if it is not to start"));
        }
        match self.manifest.capability(&operation.capability).is_some_and(|each| each.holdable) {
            true => Ok(operation),
            false => {
                Err(Reason::NotHoldable.refuse(format!("{} can't be held; a halt stops it", operation.capability)))
            }
        }
    }

    /// After the records, like a start, so that it can't overtake the start of what it holds.
    fn order_hold(&mut self, id: &str, hold: bool) {
        let Some(running) = self.running.get_mut(id).filter(|running| running.hold != hold) else { return };
        running.hold = hold;
        let operation_id = id.to_owned();
        self.step.after.push(Effect::Hardware(match hold {
            true => Hardware::Hold(operation_id),
            false => Hardware::Resume(operation_id),
        }));
    }

    fn told(&self, id: &str) -> Result<Answer, Refusal> {
        Ok(Answer::Operation(Box::new(self.operation(id).cloned().unwrap_or_default())))
    }

    /// The driver's code waits at a safe point. Its limit does not run meanwhile.
    pub(super) fn held(&mut self, id: &str) {
        let now = self.now.monotonic;
        let Some(running) = self.running.get_mut(id).filter(|running| running.stop.is_none()) else { return };
        running.held_since = Some(now);
        self.set_state(id, State::Held);
    }

    /// The driver's code goes on.
    pub(super) fn resumed(&mut self, id: &str) {
        let now = self.now.monotonic;
        let Some(running) = self.running.get_mut(id) else { return };
        let Some(since) = running.held_since.take() else { return };
        running.deadline = running.deadline.map(|deadline| deadline.saturating_add(now.saturating_sub(since)));
        if running.stop.is_none() {
            self.set_state(id, State::Running);
        }
    }

    fn set_state(&mut self, id: &str, state: State) {
        if let Some(record) = self.operations.get_mut(id) {
            record.operation.state = state.into();
        }
        self.save(id);
    }
}

//! Start or attach: how an operation is accepted, queued and started, once.

use super::{Answer, CallId, Effect, Hardware, Machine, OperationRecord, Reason, Refusal, Running, validate};
use crate::wire::instrument_status::Readiness;
use crate::wire::operation::State;
use crate::wire::{
    Argument, Capability, ExecuteRequest, ExecuteResponse, Operation, SampleEffect, ValidateOperationResponse,
};
use eutectic_failpoints::mutant;
use std::time::Duration;

/// Bytes of a request hash.
const HASH_LENGTH: usize = 32;
/// Characters of an operation id.
const OPERATION_ID_LENGTH: std::ops::RangeInclusive<usize> = 16..=63;

impl Machine {
    pub(super) fn execute(&mut self, request: ExecuteRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        check_operation_id(&request.operation_id)?;
        if request.request_hash.len() != HASH_LENGTH {
            return Err(Reason::InvalidRequest.refuse(format!("request_hash must have {HASH_LENGTH} bytes")));
        }
        let ignored = |known: &OperationRecord| mutant("ignores_key") || known.tombstone && mutant("no_tombstone");
        if let Some(known) = self.operations.get(&request.operation_id).filter(|known| !ignored(known)) {
            return attach(known, &request);
        }
        let holder = self.check_token(request.fencing_token)?.holder.clone();
        let arguments = self.check_acceptable(&request)?;
        let id = request.operation_id.clone();
        self.accept(request, arguments, holder);
        self.start_queued();
        let operation = self.operation(&id).cloned();
        Ok(Answer::Executed(Box::new(ExecuteResponse { operation, attached: false })))
    }

    /// Every check of Execute that needs no lease, without acting.
    pub(super) fn validate_operation(&self, request: &ExecuteRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        let refused = self.check_acceptable(request).err().map(|refusal| *refusal.fault);
        let capability = self.manifest.capability(&request.capability);
        Ok(Answer::Validated(Box::new(ValidateOperationResponse {
            fault: refused,
            estimated_duration: capability.and_then(|capability| capability.typical_duration),
            usages: capability.map(|capability| capability.usages.clone()).unwrap_or_default(),
        })))
    }

    fn check_acceptable(&self, request: &ExecuteRequest) -> Result<Vec<Argument>, Refusal> {
        // What is wrong for ever comes before what is wrong now, so that a preflight on a halted instrument still finds it.
        let (capability, arguments) = validate(&self.manifest, self.rules.as_ref(), request)?;
        if self.is_halted() {
            let words = format!("the instrument is halted ({}): {}", self.halt.halt_id, self.halt.reason);
            return Err(Reason::Halted.refuse(words).with("halt_id", &self.halt.halt_id));
        }
        if self.shutting_down {
            return Err(Reason::ShuttingDown.refuse("the driver is going down"));
        }
        self.check_permissives(capability)?;
        self.check_ready()?;
        self.check_supplies(capability, &self.waiting_capabilities())?;
        let capacity = self.manifest.max_concurrency() + self.manifest.queue_depth();
        let would_wait = !self.has_place(&capability.id);
        if self.running.len() + self.queue.len() >= capacity
            || (would_wait && self.queue.len() >= self.manifest.queue_depth())
        {
            let (running, queued) = (self.running.len(), self.queue.len());
            return Err(Reason::Busy.refuse(format!("{running} operations run and {queued} wait; send it again later")));
        }
        Ok(arguments)
    }

    fn check_ready(&self) -> Result<(), Refusal> {
        match self.report.readiness {
            Readiness::Unspecified | Readiness::Ready | Readiness::Busy => Ok(()),
            other @ (Readiness::NotReady
            | Readiness::Fault
            | Readiness::Halted
            | Readiness::Offline
            | Readiness::Local
            | Readiness::Maintenance) => {
                let words = format!("the instrument reports {}: {}", other.as_str_name(), self.report.message);
                Err(Reason::NotReady.refuse(words))
            }
        }
    }

    fn accept(&mut self, request: ExecuteRequest, arguments: Vec<Argument>, holder: String) {
        let described = self.manifest.instrument();
        let version = self.manifest.capability(&request.capability).map(|each| each.version.clone());
        let operation = Operation {
            id: request.operation_id.clone(),
            instrument: request.instrument,
            capability: request.capability,
            capability_version: version.unwrap_or_default(),
            arguments,
            request_hash: request.request_hash,
            holder,
            fencing_token: request.fencing_token,
            state: State::Accepted.into(),
            accept_time: Some(self.now.utc),
            firmware_version: described.firmware_version.clone(),
            driver_version: described.driver_version.clone(),
            boot_id: self.boot_id.clone(),
            ..Operation::default()
        };
        let record = OperationRecord {
            operation,
            lease_loss_policy: request.lease_loss_policy,
            context: request.context,
            ..OperationRecord::default()
        };
        self.insert(record);
        self.queue.push_back(request.operation_id);
    }

    /// Adds an operation unknown before, journals and tells it.
    pub(super) fn insert(&mut self, mut record: OperationRecord) {
        let id = record.operation.id.clone();
        record.ordinal = self.order.last_key_value().map_or(1, |(last, _)| last + 1);
        self.order.insert(record.ordinal, id.clone());
        self.operations.insert(id.clone(), record);
        self.save(&id);
    }

    /// Starts what has a place, oldest first; what has lost its lease never starts.
    pub(super) fn start_queued(&mut self) {
        let mut still_waiting = std::collections::VecDeque::new();
        while let Some(id) = self.queue.pop_front() {
            let Some(record) = self.operations.get(&id) else { continue };
            if !self.has_place(&record.operation.capability) {
                still_waiting.push_back(id);
                continue;
            }
            let leased = self.leases.held().is_some_and(|held| held.holder == record.operation.holder);
            match (leased, self.hindrance(&id)) {
                (true, None) => self.start(&id),
                (true, Some(refusal)) => self.never_started(&id, &refusal.fault.message),
                (false, _) => self.never_started(&id, "its lease was over before it could start"),
            }
        }
        self.queue = still_waiting;
    }

    /// What was in order when it was accepted may not be any more when its turn comes.
    fn hindrance(&self, id: &str) -> Option<Refusal> {
        let record = self.operations.get(id)?;
        let capability = self.manifest.capability(&record.operation.capability)?;
        self.check_permissives(capability).and_then(|()| self.check_supplies(capability, &[])).err()
    }

    fn waiting_capabilities(&self) -> Vec<&Capability> {
        let capability = |id: &String| self.manifest.capability(&self.operations.get(id)?.operation.capability);
        self.queue.iter().filter_map(capability).collect()
    }

    fn has_place(&self, capability: &str) -> bool {
        let limit = self.manifest.capability(capability).map_or(1, |each| each.max_concurrency.max(1));
        let runs_it =
            |id: &&String| self.operations.get(*id).is_some_and(|each| each.operation.capability == capability);
        let running = self.running.keys().filter(runs_it).count();
        self.running.len() < self.manifest.max_concurrency() && running < usize::try_from(limit).unwrap_or(1)
    }

    /// The only place that orders a start; the order is released by the sync of RUNNING.
    fn start(&mut self, id: &str) {
        let (utc, calibrations) = (self.now.utc, self.report.calibrations.clone());
        let Some(record) = self.operations.get_mut(id) else { return };
        record.operation.state = State::Running.into();
        record.operation.start_time = Some(utc);
        record.operation.calibrations = calibrations;
        let capability = self.manifest.capability(&record.operation.capability).cloned().unwrap_or_default();
        let declared = capability.max_duration;
        let limit = declared.and_then(|given| Duration::try_from(given).ok()).filter(|limit| !limit.is_zero());
        let deadline = limit.map(|limit| self.now.monotonic.saturating_add(limit));
        let context = record.context.clone().unwrap_or_default();
        self.running.insert(id.to_owned(), Running { deadline, ..Running::default() });
        self.save(id);
        self.spend(&capability);
        if let Some(record) = self.operations.get(id) {
            let operation = Box::new(record.operation.clone());
            let order = Hardware::Start { operation, context };
            match mutant("journals_after_start") {
                true => self.step.at_once.push(order),
                false => self.step.after.push(Effect::Hardware(order)),
            }
        }
    }

    pub(super) fn never_started(&mut self, id: &str, why: &str) {
        let utc = self.now.utc;
        let Some(record) = self.operations.get_mut(id) else { return };
        let operation = &mut record.operation;
        operation.state = State::Failed.into();
        operation.end_time = Some(utc);
        operation.fault = Some(Reason::NeverStarted.fault(why));
        operation.sample_effect = SampleEffect::None.into();
        self.save(id);
    }

    pub(super) fn fail_queue(&mut self, why: &str) {
        while let Some(id) = self.queue.pop_front() {
            self.never_started(&id, why);
        }
    }

    /// Tells a caller who waits for news of an operation; used by [`super::query`].
    pub(super) fn reply_operation(&mut self, call: CallId, operation: Operation) {
        self.step.after.push(Effect::Reply(call, Ok(Answer::Operation(Box::new(operation)))));
    }
}

/// The contract's pattern for operation ids: `[a-z0-9-]{16,63}`.
pub(super) fn check_operation_id(id: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match OPERATION_ID_LENGTH.contains(&id.len()) && id.bytes().all(allowed) {
        true => Ok(()),
        false => Err(Reason::InvalidRequest.refuse("operation_id must match [a-z0-9-]{16,63}")),
    }
}

/// Attaching needs no lease: it moves nothing.
fn attach(known: &OperationRecord, request: &ExecuteRequest) -> Result<Answer, Refusal> {
    if !known.tombstone && known.operation.request_hash != request.request_hash {
        let words = format!("operation {:?} was accepted with another request hash", request.operation_id);
        return Err(Reason::OperationIdReused.refuse(words));
    }
    let operation = Some(known.operation.clone());
    Ok(Answer::Executed(Box::new(ExecuteResponse { operation, attached: true })))
}

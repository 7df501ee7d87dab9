//! Reading: one operation (with a wait), many, and the stream of events.

use super::events::EVENTS_KEPT;
use super::{Answer, CallId, Machine, Reason, Refusal, has_ended};
use crate::wire::instrument_event::Event;
use crate::wire::{
    GetOperationRequest, InstrumentEvent, ListOperationsRequest, ListOperationsResponse, Operation,
    WatchInstrumentRequest,
};
use std::time::Duration;

/// The longest wait of GetOperation.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
/// The most operations on one page.
pub const PAGE_SIZE_MAX: usize = 1000;
/// Operations on a page if the caller doesn't say.
const PAGE_SIZE_DEFAULT: usize = 100;
/// The most operations told to a watcher who was away longer than events are kept; older ones are had by ListOperations.
const BACKLOG_MAX: usize = 4 * EVENTS_KEPT;
/// Calls that may wait at once; more are answered at once with what is known.
const WAITING_MAX: usize = 1024;

/// A GetOperation that waits for news.
pub(super) struct Waiting {
    operation_id: String,
    last_seen: i64,
    pub(super) until: Duration,
}

impl Machine {
    /// `None` if the answer comes later.
    pub(super) fn get(&mut self, call: CallId, request: &GetOperationRequest) -> Option<Result<Answer, Refusal>> {
        if let Err(refusal) = self.check_instrument(&request.instrument) {
            return Some(Err(refusal));
        }
        let Some(operation) = self.operation(&request.operation_id) else {
            let words =
                format!("operation {:?} was never accepted by journal {}", request.operation_id, self.journal_id);
            return Some(Err(Reason::OperationNotFound.refuse(words).with("journal_id", &self.journal_id)));
        };
        let wait = request.wait.and_then(|wait| Duration::try_from(wait).ok()).unwrap_or_default().min(WAIT_MAX);
        let news = operation.last_sequence > request.last_seen_sequence || has_ended(operation.state());
        if news || wait.is_zero() || self.waiting.len() >= WAITING_MAX {
            return Some(Ok(Answer::Operation(Box::new(operation.clone()))));
        }
        let waiting = Waiting {
            operation_id: request.operation_id.clone(),
            last_seen: request.last_seen_sequence,
            until: self.now.monotonic.saturating_add(wait),
        };
        self.waiting.insert(call, waiting);
        None
    }

    pub(super) fn answer_waiting(&mut self) {
        let due = |waiting: &Waiting| {
            let operation = self.operation(&waiting.operation_id)?;
            let over = waiting.until <= self.now.monotonic;
            (over || operation.last_sequence > waiting.last_seen).then(|| operation.clone())
        };
        let answers: Vec<_> = self.waiting.iter().filter_map(|(call, each)| Some((*call, due(each)?))).collect();
        for (call, operation) in answers {
            self.waiting.remove(&call);
            self.reply_operation(call, operation);
        }
    }

    pub(super) fn list(&self, request: &ListOperationsRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        let before = match request.page_token.as_str() {
            "" => i64::MAX,
            token => token.parse().map_err(|_| Reason::InvalidRequest.refuse("page_token is not one of ours"))?,
        };
        let size = match usize::try_from(request.page_size) {
            Ok(0) | Err(_) => PAGE_SIZE_DEFAULT,
            Ok(asked) => asked.min(PAGE_SIZE_MAX),
        };
        let wanted = |operation: &Operation| {
            operation.fencing_token >= request.min_fencing_token
                && !(request.active_only && has_ended(operation.state()))
        };
        let mut operations = Vec::new();
        let mut next_page_token = String::new();
        let mut last = before;
        for (ordinal, id) in self.order.range(..before).rev() {
            let Some(operation) = self.operation(id).filter(|operation| wanted(operation)) else { continue };
            if operations.len() == size {
                next_page_token = last.to_string();
                break;
            }
            last = *ordinal;
            operations.push(Operation { measurements: Vec::new(), ..operation.clone() });
        }
        Ok(Answer::Operations(ListOperationsResponse { operations, next_page_token }))
    }

    /// The status as it is, then what the watcher missed; whatever is emitted later follows.
    pub(super) fn watch(&self, request: &WatchInstrumentRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        // A number never issued belongs to another journal: everything is news then.
        let seen = if request.last_seen_sequence > self.events.last { 0 } else { request.last_seen_sequence.max(0) };
        // The first status carries the watcher's own number, so that keeping it loses nothing of what follows.
        let mut told = vec![InstrumentEvent {
            sequence: seen,
            event_time: Some(self.now.utc),
            operation_id: String::new(),
            event: Some(Event::Status(self.status())),
        }];
        let kept_from = self.events.kept.front().map_or(i64::MAX, |first| first.sequence);
        match kept_from <= seen.saturating_add(1) {
            true => told.extend(self.events.kept.iter().filter(|event| event.sequence > seen).cloned()),
            false => told.extend(self.newest_states(seen)),
        }
        Ok(Answer::Watching(told))
    }

    /// Each operation that has changed, in its newest state, in order.
    fn newest_states(&self, seen: i64) -> Vec<InstrumentEvent> {
        let changed = |record: &&super::OperationRecord| record.operation.last_sequence > seen;
        let mut changed: Vec<_> = self.operations.values().filter(changed).map(|record| &record.operation).collect();
        changed.sort_by_key(|operation| operation.last_sequence);
        let from = changed.len().saturating_sub(BACKLOG_MAX);
        let event = |operation: &&Operation| InstrumentEvent {
            sequence: operation.last_sequence,
            event_time: operation.end_time.or(operation.start_time).or(operation.accept_time),
            operation_id: operation.id.clone(),
            event: Some(Event::Operation((*operation).clone())),
        };
        changed.iter().skip(from).map(event).collect()
    }
}

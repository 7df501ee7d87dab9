//! One operation as a session sees it through.

use super::call::{Call, CallId};
use super::convert;
use eutectic_core::{Attend, Ended, Report};
use eutectic_failpoints::mutant;
use eutectic_proto::instrument::v1 as wire;

/// How often a driver is asked about an operation that has been given up.
const INQUIRE_MS: u64 = 30_000;
/// So many answers in a row that are none, and the operation counts as unknown.
const MAX_UNUSABLE: u32 = 6;
/// How long GetOperation waits for news.
const FOLLOW_WAIT_S: i64 = 20;

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq)]
enum Stage {
    /// Decided by this process and never sent.
    Fresh,
    /// Nobody knows whether the driver has it: ask.
    Ask,
    /// The driver said that it never accepted it, in answer to this call. It speaks for one journal only: a lease asked
    /// for later must name the journal under which the operation was decided.
    Absent(CallId),
    /// The driver has it.
    Follow,
    /// The driver's memory is not the one that we gave it to. A tombstone first, so that it can't begin any more.
    Forgotten(String),
    /// It was given up; the driver may come to know what became of it.
    Inquire,
    /// Its end was reported.
    Over,
}

/// The lease as the session knows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) epoch: u64,
    pub(super) token: i64,
    pub(super) journal_id: String,
    /// The call that confirmed it last.
    pub(super) confirmed: CallId,
}

/// An operation to see through.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) attend: Attend,
    stage: Stage,
    /// A GetOperation is under way.
    asking: bool,
    /// An Execute or AbortOperation is under way.
    ordering: bool,
    /// The driver was asked to stop it and has taken note.
    stopping: bool,
    started: bool,
    seen: i64,
    /// Nothing is asked before.
    due_ms: u64,
    failures: u32,
    /// Answers in a row that were none.
    unusable: u32,
}

/// What a work wants of its session after an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Wish {
    Report(Report),
    /// The lease isn't ours any more.
    Fence,
}

impl Work {
    pub(super) fn new(attend: Attend) -> Self {
        // Within an epoch this process is the only one that could have sent it.
        let own = attend.dispatch.epoch == attend.epoch || mutant("execute_first");
        let stage = match (attend.inquire, own) {
            (true, _) => Stage::Inquire,
            (false, true) => Stage::Fresh,
            (false, false) => Stage::Ask,
        };
        Self {
            stage,
            asking: false,
            ordering: false,
            stopping: false,
            started: attend.started,
            seen: 0,
            due_ms: 0,
            failures: 0,
            unusable: 0,
            attend,
        }
    }

    /// The obligation has changed: another lease, a wish to stop it.
    pub(super) fn update(&mut self, attend: Attend) {
        if attend.inquire {
            self.stage = Stage::Inquire;
        } else if self.attend.inquire || attend.epoch != self.attend.epoch && self.stage != Stage::Over {
            self.stage = Stage::Ask;
            self.due_ms = 0;
        }
        if attend.abort.is_some() && self.attend.abort.is_none() {
            self.due_ms = 0;
        }
        self.attend = attend;
    }

    /// Whether a confirmed lease is wanted to know what an answer was worth.
    pub(super) fn doubts(&self, held: &Held) -> bool {
        matches!(self.stage, Stage::Absent(asked) if held.confirmed <= asked)
    }

    pub(super) fn executing(&self) -> bool {
        self.ordering
    }

    /// Nothing is asked before.
    pub(super) fn due_ms(&self) -> u64 {
        self.due_ms
    }

    /// The next call, if one is due. Without a lease of this epoch nothing is even asked: fence first.
    pub(super) fn next(&mut self, held: Option<&Held>, leasing: bool, now_ms: u64) -> Option<Call> {
        let held = held.filter(|held| held.epoch == self.attend.epoch && now_ms >= self.due_ms);
        if held.is_none() && mutant("ask_before_fence") && self.stage == Stage::Ask && !self.asking {
            return Some(self.get(0));
        }
        let held = held?;
        // The lease must be durable before an order is given under it, and must not be changing hands meanwhile.
        let ordered = self.attend.lease.as_ref().is_some_and(|(token, journal)| {
            *token == held.token && *journal == held.journal_id && !leasing && !self.ordering
        });
        match &self.stage {
            Stage::Over => None,
            Stage::Ask | Stage::Inquire if self.asking || self.ordering => None,
            Stage::Ask | Stage::Inquire => Some(self.get(0)),
            Stage::Fresh => ordered.then(|| self.order(held)),
            Stage::Absent(asked) if held.confirmed <= *asked => None,
            Stage::Absent(_) if held.journal_id == self.attend.dispatch.journal_id || mutant("no_journal_id") => {
                ordered.then(|| self.order(held))
            }
            Stage::Absent(_) => {
                self.forgotten("its driver's journal is a new one and doesn't know the operation");
                self.next(Some(held), leasing, now_ms)
            }
            Stage::Forgotten(_) => ordered.then(|| self.abort(held)),
            Stage::Follow if self.attend.abort.is_some() && !self.stopping && ordered => Some(self.abort(held)),
            Stage::Follow if self.asking => None,
            Stage::Follow => Some(self.get(FOLLOW_WAIT_S)),
        }
    }

    /// Executes it; or sees to it that it can never begin, where it isn't wanted any more.
    fn order(&mut self, held: &Held) -> Call {
        if self.attend.abort.is_some() {
            return self.abort(held);
        }
        self.ordering = true;
        let mut request = convert::execute(&self.attend.dispatch, self.attend.seed, held.token);
        if mutant("new_key") && self.failures > 0 {
            request.operation_id.push_str("-again");
        }
        Call::Execute(request)
    }

    fn abort(&mut self, held: &Held) -> Call {
        self.ordering = true;
        Call::Abort(wire::AbortOperationRequest {
            instrument: self.attend.dispatch.instrument.to_string(),
            operation_id: self.attend.dispatch.operation.to_string(),
            fencing_token: held.token,
            reason: self.attend.abort.clone().unwrap_or_else(|| "its fate is unknown to the orchestrator".to_owned()),
        })
    }

    fn get(&mut self, wait_s: i64) -> Call {
        self.asking = true;
        Call::Get(wire::GetOperationRequest {
            instrument: self.attend.dispatch.instrument.to_string(),
            operation_id: self.attend.dispatch.operation.to_string(),
            last_seen_sequence: self.seen,
            wait: Some(prost_types::Duration { seconds: wait_s, nanos: 0 }),
        })
    }

    fn forgotten(&mut self, reason: &str) {
        self.stage = Stage::Forgotten(reason.to_owned());
    }

    /// The driver told where the operation stands.
    pub(super) fn told(
        &mut self,
        ordered: bool,
        stopped: bool,
        operation: &wire::Operation,
        manifest: Option<&wire::Instrument>,
        now_ms: u64,
    ) -> Vec<Wish> {
        self.answered(ordered);
        self.failures = 0;
        self.unusable = 0;
        if self.stage == Stage::Inquire {
            return self.inquired(operation, manifest, now_ms);
        }
        self.stopping |= stopped;
        if self.stage == Stage::Over {
            return Vec::new();
        }
        self.seen = self.seen.max(operation.last_sequence);
        let asked = self.attend.abort.is_some();
        let mut ended = convert::ended(operation, &self.attend.dispatch, manifest, asked);
        if ended.is_some() && self.started && !convert::started(operation) {
            let reason = "its driver says that it never began, and had said before that it did".to_owned();
            ended = Some(Ended::Unknown { reason });
        }
        if let Stage::Forgotten(reason) = &self.stage {
            // The new journal's tombstone proves nothing about the old one; anything else means that it knows after all.
            if operation.state() == wire::operation::State::Aborted && !convert::started(operation) {
                ended = Some(Ended::Unknown { reason: reason.clone() });
            }
        }
        self.stage = if ended.is_some() { Stage::Over } else { Stage::Follow };
        let mut wishes = Vec::new();
        if convert::started(operation) && !self.started && ended.is_none() {
            self.started = true;
            wishes.push(Wish::Report(Report::Started));
        }
        wishes.extend(ended.map(|ended| Wish::Report(Report::Ended(ended))));
        wishes
    }

    /// What a driver says of an operation that has been given up is news only if it tells that it began, and how it ended.
    fn inquired(&mut self, operation: &wire::Operation, manifest: Option<&wire::Instrument>, now_ms: u64) -> Vec<Wish> {
        self.due_ms = now_ms + INQUIRE_MS;
        if !convert::started(operation) {
            return Vec::new();
        }
        let ended = convert::ended(operation, &self.attend.dispatch, manifest, false);
        let told = ended.filter(|it| !matches!(it, Ended::Interrupted | Ended::Unknown { .. }));
        told.map(|ended| Wish::Report(Report::Ended(ended))).into_iter().collect()
    }

    /// The driver refused a GetOperation, an Execute or an AbortOperation.
    pub(super) fn refused(&mut self, id: CallId, call: &Call, fault: &wire::Fault, now_ms: u64) -> Vec<Wish> {
        self.answered(!matches!(call, Call::Get(_)));
        if self.stage == Stage::Over {
            return Vec::new();
        }
        if self.stage == Stage::Inquire {
            self.due_ms = now_ms + INQUIRE_MS;
            return Vec::new();
        }
        match call {
            Call::Get(_) if fault.reason == "OPERATION_NOT_FOUND" => {
                // Known to have been accepted, and gone: its journal was wiped or put back to an older state.
                if mutant("ask_before_fence") && self.stage == Stage::Ask {
                    self.stage = Stage::Over;
                    return vec![Wish::Report(Report::Ended(convert::never_started()))];
                }
                if self.stage == Stage::Follow || self.started {
                    self.forgotten("its driver accepted the operation and has forgotten it");
                } else if self.stage == Stage::Ask {
                    self.stage = Stage::Absent(id);
                }
                Vec::new()
            }
            Call::Execute(_) => match convert::refused(fault) {
                convert::Refused::Never(ended) => {
                    self.stage = Stage::Over;
                    vec![Wish::Report(Report::Ended(ended))]
                }
                convert::Refused::Fence => {
                    self.ask_later(now_ms);
                    vec![Wish::Fence]
                }
                convert::Refused::Later => {
                    self.ask_later(now_ms);
                    Vec::new()
                }
            },
            Call::Abort(_) if fault.reason == "NOT_ABORTABLE" => {
                self.stopping = true;
                Vec::new()
            }
            Call::Abort(_) if convert::refused(fault) == convert::Refused::Fence => {
                self.pause(now_ms);
                vec![Wish::Fence]
            }
            Call::Get(_) | Call::Abort(_) | Call::Describe(_) | Call::Lease(_) | Call::List(_) => {
                self.pause(now_ms);
                Vec::new()
            }
        }
    }

    /// An answer came that is none. A driver that has nothing else to say of an operation can't tell what becomes of it.
    pub(super) fn unusable(&mut self, call: &Call, words: &str, now_ms: u64) -> Vec<Wish> {
        self.lost(call, now_ms);
        self.unusable += 1;
        if self.unusable < MAX_UNUSABLE || matches!(self.stage, Stage::Over | Stage::Inquire) {
            return Vec::new();
        }
        self.stage = Stage::Over;
        vec![Wish::Report(Report::Ended(Ended::Unknown { reason: words.to_owned() }))]
    }

    /// A call got no answer: nobody can tell whether the driver heard it.
    pub(super) fn lost(&mut self, call: &Call, now_ms: u64) {
        self.answered(!matches!(call, Call::Get(_)));
        match call {
            Call::Execute(_) => self.ask_later(now_ms),
            Call::Describe(_) | Call::Lease(_) | Call::List(_) | Call::Get(_) | Call::Abort(_) => self.pause(now_ms),
        }
    }

    fn answered(&mut self, ordered: bool) {
        if ordered {
            self.ordering = false;
        } else {
            self.asking = false;
        }
    }

    fn ask_later(&mut self, now_ms: u64) {
        if !matches!(self.stage, Stage::Over | Stage::Inquire) {
            self.stage = Stage::Ask;
        }
        self.pause(now_ms);
    }

    fn pause(&mut self, now_ms: u64) {
        self.due_ms = now_ms + super::session::pause_ms(self.failures);
        self.failures = self.failures.saturating_add(1);
    }
}

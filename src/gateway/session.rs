//! What to ask one driver next: fence, ask, and only then send or follow. Without IO and clock, so that a simulator can
//! put it through every loss, delay and crash.

use super::GatewayReport;
use super::call::{Answer, Call, CallError, CallId};
use super::convert;
use super::work::{Held, Wish, Work};
use eutectic_core::{Attend, InstrumentId, OperationId};
use eutectic_failpoints::mutant;
use eutectic_proto::instrument::v1 as wire;
use std::collections::BTreeMap;

/// How long a lease lasts without renewal. Shorter frees an instrument sooner after a crash, longer forgives a slow network.
pub const LEASE_TTL_MS: u64 = 15_000;
/// Renewed at a third of its time, so that two renewals may be lost.
const RENEW_MS: u64 = LEASE_TTL_MS / 3;
/// The first pause after something failed; it doubles.
const PAUSE_MIN_MS: u64 = 100;
/// The longest pause.
const PAUSE_MAX_MS: u64 = 5_000;

/// A driver that gives no answer for so long counts as silent. Longer than a lease: a driver that was only started anew is none.
const SILENT_MS: u64 = 20_000;

/// A driver that doesn't notice by itself what `AcquireLeaseRequest.known_token` tells it.
const OLDER_MEMORY: &str = "its driver's journal was put back to an older copy, and can't tell what was done since: once you \
    have looked at the instrument, let the driver begin a new journal";

/// The pause after so many failures in a row.
pub(super) fn pause_ms(failures: u32) -> u64 {
    PAUSE_MIN_MS.saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX)).min(PAUSE_MAX_MS)
}

/// What a session wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make this call; its outcome comes back by [`Session::answered`].
    Call(CallId, Box<Call>),
    /// Tell the engine.
    Report(Box<GatewayReport>),
}

/// A duty of the session itself: at most one call of its kind at a time.
#[derive(Clone, Debug, Default)]
struct Duty {
    calling: bool,
    /// `None`: not wanted.
    due_ms: Option<u64>,
    failures: u32,
}

impl Duty {
    fn due(&self, now_ms: u64) -> bool {
        !self.calling && self.due_ms.is_some_and(|due| due <= now_ms)
    }

    fn done(&mut self, due_ms: Option<u64>) {
        *self = Self { calling: false, due_ms, failures: 0 };
    }

    fn failed(&mut self, now_ms: u64) {
        self.calling = false;
        self.due_ms = Some(now_ms + pause_ms(self.failures));
        self.failures = self.failures.saturating_add(1);
    }
}

/// Whether the driver answers.
#[derive(Clone, Copy, Debug, Default)]
struct Hearing {
    /// No answer since then.
    silent_since_ms: Option<u64>,
    /// What was reported last; `None`: nothing, and the log may know of a silence that an earlier process saw.
    reported: Option<bool>,
}

/// The conversation with one driver.
#[derive(Debug)]
pub struct Session {
    instrument: InstrumentId,
    holder: String,
    safe_when_alone: bool,
    /// The epoch for which the instrument is to be held.
    epoch: Option<u64>,
    held: Option<Held>,
    /// The newest lease that is remembered, of whichever epoch: the driver's journal and the token.
    known: Option<(String, i64)>,
    leasing: Duty,
    describing: Duty,
    listing: Duty,
    manifest: Option<Box<wire::Instrument>>,
    works: BTreeMap<OperationId, Work>,
    calls: BTreeMap<CallId, Box<Call>>,
    last_call: CallId,
    problem: Option<String>,
    hearing: Hearing,
}

impl Session {
    /// A session for this instrument. `holder` is the workcell's name towards drivers.
    #[must_use]
    pub fn new(instrument: InstrumentId, holder: String) -> Self {
        Self {
            instrument,
            holder,
            safe_when_alone: false,
            epoch: None,
            held: None,
            known: None,
            leasing: Duty::default(),
            describing: Duty { due_ms: Some(0), ..Duty::default() },
            listing: Duty::default(),
            manifest: None,
            works: BTreeMap::new(),
            calls: BTreeMap::new(),
            last_call: 0,
            problem: None,
            hearing: Hearing::default(),
        }
    }

    /// What the instrument does is to abort to its safe state when nobody renews its lease.
    #[must_use]
    pub fn safe_when_alone(self, safe_when_alone: bool) -> Self {
        Self { safe_when_alone, ..self }
    }

    /// The instrument is to be held for this epoch. `known` is the newest lease that the log remembers.
    pub fn hold(&mut self, epoch: u64, known: Option<(String, i64)>) {
        if self.known.is_none() {
            self.known = known;
        }
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            self.held = None;
            self.leasing.due_ms = Some(0);
        }
    }

    /// This operation is to be seen through, or is owed differently than before.
    pub fn attend(&mut self, attend: Attend) {
        match self.works.get_mut(&attend.dispatch.operation) {
            Some(work) => work.update(attend),
            None => {
                self.works.insert(attend.dispatch.operation.clone(), Work::new(attend));
            }
        }
    }

    /// This operation is owed no more.
    pub fn forget(&mut self, operation: &OperationId) {
        self.works.remove(operation);
    }

    /// Whether this operation is being seen through.
    #[must_use]
    pub fn attends(&self, operation: &OperationId) -> bool {
        self.works.contains_key(operation)
    }

    /// Whether the instrument is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// What is wrong between us and the driver, for people.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// When to poll again at the latest, if nothing else happens before. What is due already hangs on an answer.
    #[must_use]
    pub fn wakeup_ms(&self, now_ms: u64) -> Option<u64> {
        let duties = [&self.leasing, &self.describing, &self.listing].into_iter().filter_map(|duty| duty.due_ms);
        let works = self.works.values().map(Work::due_ms);
        let silent = self.hearing.silent_since_ms.filter(|_| self.hearing.reported != Some(false));
        let silent = silent.map(|at| at + SILENT_MS);
        works.chain(duties).chain(silent).filter(|due| *due > now_ms).min()
    }

    /// What is to be called now.
    pub fn poll(&mut self, now_ms: u64) -> Vec<Action> {
        let mut calls = Vec::new();
        if self.describing.due(now_ms) {
            self.describing.calling = true;
            calls.push(Call::Describe(wire::GetInstrumentRequest { instrument: self.instrument.to_string() }));
        }
        let doubtful = self.held.as_ref().is_some_and(|held| self.works.values().any(|work| work.doubts(held)));
        let executing = self.works.values().any(Work::executing);
        if let Some(epoch) = self.epoch
            && !self.leasing.calling
            && !executing
            && (self.leasing.due(now_ms) || doubtful && self.leasing.failures == 0)
        {
            self.leasing.calling = true;
            calls.push(self.lease(epoch));
        }
        if self.listing.due(now_ms) {
            self.listing.calling = true;
            calls.push(Call::List(wire::ListOperationsRequest {
                instrument: self.instrument.to_string(),
                active_only: true,
                ..wire::ListOperationsRequest::default()
            }));
        }
        let (held, leasing) = (self.held.as_ref(), self.leasing.calling);
        for work in self.works.values_mut() {
            // At most two: to follow and to stop.
            calls.extend(work.next(held, leasing, now_ms));
            calls.extend(work.next(held, leasing, now_ms));
        }
        let silence = self.silence(now_ms);
        calls.into_iter().map(|call| self.call(call)).chain(silence).collect()
    }

    fn silence(&mut self, now_ms: u64) -> Option<Action> {
        let silent = self.hearing.silent_since_ms.is_some_and(|at| now_ms >= at + SILENT_MS);
        if !silent || self.hearing.reported == Some(false) {
            return None;
        }
        self.hearing.reported = Some(false);
        let reason = self.problem.clone().unwrap_or_default();
        Some(Action::Report(Box::new(GatewayReport::Silent { instrument: self.instrument.clone(), reason })))
    }

    /// Says so at first, and after every silence.
    fn heard(&mut self) -> Option<Action> {
        self.hearing.silent_since_ms = None;
        let news = self.hearing.reported.replace(true) != Some(true);
        news.then(|| Action::Report(Box::new(GatewayReport::Heard { instrument: self.instrument.clone() })))
    }

    fn call(&mut self, mut call: Call) -> Action {
        if let Call::Execute(request) = &mut call {
            if self.safe_when_alone {
                request.lease_loss_policy = wire::execute_request::LeaseLossPolicy::SafeState.into();
            }
            if let Some(manifest) = &self.manifest {
                convert::fit(&mut request.arguments, manifest, &request.capability);
            }
        }
        self.last_call += 1;
        let call = Box::new(call);
        self.calls.insert(self.last_call, call.clone());
        Action::Call(self.last_call, call)
    }

    fn lease(&self, epoch: u64) -> Call {
        Call::Lease(wire::AcquireLeaseRequest {
            instrument: self.instrument.to_string(),
            holder: self.holder.clone(),
            holder_epoch: i64::try_from(epoch).unwrap_or(i64::MAX),
            ttl: Some(prost_types::Duration {
                seconds: i64::try_from(LEASE_TTL_MS / 1000).unwrap_or_default(),
                nanos: 0,
            }),
            known_token: self.known.as_ref().map_or(0, |(_, token)| *token),
        })
    }

    /// A call has come back. Poll afterwards.
    pub fn answered(&mut self, id: CallId, outcome: Result<Answer, CallError>, now_ms: u64) -> Vec<Action> {
        let Some(call) = self.calls.remove(&id) else { return Vec::new() };
        // Who answers about something else has answered nothing.
        let outcome = outcome.and_then(|answer| match call.mismatch(&answer) {
            None => Ok(answer),
            Some(words) => Err(CallError::Unusable(words)),
        });
        let heard = match outcome {
            Ok(_) | Err(CallError::Refused(_) | CallError::Overtaken(_)) => self.heard(),
            Err(CallError::Unknown(_) | CallError::Unusable(_)) => {
                self.hearing.silent_since_ms.get_or_insert(now_ms);
                None
            }
        };
        heard.into_iter().chain(self.weighed(id, &call, outcome, now_ms)).collect()
    }

    fn weighed(&mut self, id: CallId, call: &Call, outcome: Result<Answer, CallError>, now_ms: u64) -> Vec<Action> {
        match outcome {
            Ok(answer) => {
                self.problem = None;
                self.told(id, call, answer, now_ms)
            }
            Err(CallError::Refused(fault)) => self.refused(id, call, &fault, now_ms),
            Err(error @ CallError::Overtaken(epoch)) => {
                self.leasing.failed(now_ms);
                self.held = None;
                self.problem = Some(error.to_string());
                if mutant("no_doubt") {
                    return Vec::new();
                }
                vec![Action::Report(Box::new(GatewayReport::Ahead { instrument: self.instrument.clone(), epoch }))]
            }
            Err(CallError::Unknown(_)) if mutant("error_as_refusal") && matches!(call, Call::Execute(_)) => {
                let fault = wire::Fault { retry: wire::fault::Retry::NewId.into(), ..wire::Fault::default() };
                self.refused(id, call, &fault, now_ms)
            }
            Err(CallError::Unusable(message)) if call.operation().is_some() => {
                self.problem = Some(message.clone());
                self.with_work(call, |work| work.unusable(call, &message, now_ms))
            }
            Err(CallError::Unknown(message) | CallError::Unusable(message)) => {
                self.lost(call, message, now_ms);
                Vec::new()
            }
        }
    }

    fn told(&mut self, id: CallId, call: &Call, answer: Answer, now_ms: u64) -> Vec<Action> {
        match (call, answer) {
            (Call::Describe(_), Answer::Instrument(instrument)) => {
                self.describing.done(None);
                let known = self.manifest.as_ref().map(|it| &it.manifest_digest);
                let news = known != Some(&instrument.manifest_digest);
                let description = convert::description(&instrument);
                self.manifest = Some(instrument);
                let report = GatewayReport::Described { instrument: self.instrument.clone(), description };
                if news { vec![Action::Report(Box::new(report))] } else { Vec::new() }
            }
            (Call::Lease(request), Answer::Lease(lease)) => self.leased(id, request, lease, now_ms),
            (Call::List(_), Answer::Operations(operations)) => {
                self.listing.done(None);
                let foreign = |it: &&wire::Operation| {
                    it.holder == self.holder && !self.works.contains_key(&OperationId::new(it.id.as_str()))
                };
                let report = |it: &wire::Operation| {
                    let operation = OperationId::new(it.id.as_str());
                    let foreign = GatewayReport::Foreign { instrument: self.instrument.clone(), operation };
                    Action::Report(Box::new(foreign))
                };
                operations.iter().filter(foreign).map(report).collect()
            }
            (Call::Execute(_) | Call::Get(_) | Call::Abort(_), Answer::Operation(operation)) => {
                let (ordered, stopped) = (!matches!(call, Call::Get(_)), matches!(call, Call::Abort(_)));
                let manifest = self.manifest.clone();
                self.with_work(call, |work| work.told(ordered, stopped, &operation, manifest.as_deref(), now_ms))
            }
            // An answer to another question: as good as none.
            _ => {
                self.lost(call, "the driver answered another question".to_owned(), now_ms);
                Vec::new()
            }
        }
    }

    fn leased(
        &mut self,
        id: CallId,
        request: &wire::AcquireLeaseRequest,
        lease: wire::Lease,
        now_ms: u64,
    ) -> Vec<Action> {
        if let Some((journal, token)) = &self.known
            && *journal == lease.journal_id
            && lease.fencing_token < *token
        {
            self.leasing.failed(now_ms);
            self.held = None;
            self.problem = Some(OLDER_MEMORY.to_owned());
            return Vec::new();
        }
        self.known = Some((lease.journal_id.clone(), lease.fencing_token));
        self.leasing.done(Some(now_ms + RENEW_MS));
        let asked = u64::try_from(request.holder_epoch).unwrap_or_default();
        let Some(epoch) = self.epoch.filter(|epoch| *epoch == asked) else {
            // Asked for an epoch that is over meanwhile.
            self.leasing.due_ms = Some(now_ms);
            return Vec::new();
        };
        let held = Held { epoch, token: lease.fencing_token, journal_id: lease.journal_id, confirmed: id };
        let same = self.held.as_ref().is_some_and(|known| Held { confirmed: id, ..known.clone() } == held);
        let report = GatewayReport::Leased {
            instrument: self.instrument.clone(),
            epoch,
            journal_id: held.journal_id.clone(),
            token: held.token,
        };
        self.held = Some(held);
        if same {
            return Vec::new();
        }
        self.listing.due_ms = Some(now_ms);
        vec![Action::Report(Box::new(report))]
    }

    fn refused(&mut self, id: CallId, call: &Call, fault: &wire::Fault, now_ms: u64) -> Vec<Action> {
        let refusal = CallError::Refused(Box::new(fault.clone()));
        match call {
            Call::Describe(_) => self.describing.failed(now_ms),
            Call::List(_) => self.listing.failed(now_ms),
            Call::Lease(_) => {
                self.leasing.failed(now_ms);
                self.held = None;
            }
            Call::Execute(_) | Call::Get(_) | Call::Abort(_) => {
                if fault.reason != "OPERATION_NOT_FOUND" {
                    self.problem = Some(refusal.to_string());
                }
                return self.with_work(call, |work| work.refused(id, call, fault, now_ms));
            }
        }
        self.problem = Some(refusal.to_string());
        Vec::new()
    }

    fn lost(&mut self, call: &Call, message: String, now_ms: u64) {
        self.problem = Some(message);
        match call {
            Call::Describe(_) => self.describing.failed(now_ms),
            Call::List(_) => self.listing.failed(now_ms),
            Call::Lease(_) => self.leasing.failed(now_ms),
            Call::Execute(_) | Call::Get(_) | Call::Abort(_) => {
                self.with_work(call, |work| {
                    work.lost(call, now_ms);
                    Vec::new()
                });
            }
        }
        // Whoever answers next may be another driver than before.
        if self.describing.due_ms.is_none() {
            self.describing.due_ms = Some(now_ms);
        }
    }

    fn with_work(&mut self, call: &Call, change: impl FnOnce(&mut Work) -> Vec<Wish>) -> Vec<Action> {
        let Some(id) = call.operation() else { return Vec::new() };
        let operation = OperationId::new(id);
        let Some(work) = self.works.get_mut(&operation) else { return Vec::new() };
        let mut actions = Vec::new();
        for wish in change(work) {
            match wish {
                Wish::Report(report) => {
                    let report = GatewayReport::Operation { operation: operation.clone(), report };
                    actions.push(Action::Report(Box::new(report)));
                }
                Wish::Fence => {
                    self.held = None;
                    self.leasing.due_ms = Some(0);
                }
            }
        }
        actions
    }
}

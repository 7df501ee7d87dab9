//! The driver under test, and what checks need of it again and again.

use super::start::{Start, spawn};
use super::{Outcome, Stop, left_out, wrong};
use crate::wire::instrument_service_client::InstrumentServiceClient;
use crate::wire::operation::State;
use crate::wire::value::Kind;
use crate::wire::{self, Argument, Capability, ExecuteRequest, FieldSpec, Operation, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// How long a driver may take to come up.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long one that should run already may take to answer.
const REACH_LIMIT: Duration = Duration::from_secs(3);
/// How long the operation under test may take.
const OPERATION_LIMIT: Duration = Duration::from_secs(60);
/// A lease that is to end while a check waits.
pub(super) const SHORT_LEASE: Duration = Duration::from_millis(400);
/// How long the driver may take to come to rest after a check.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
/// Leases are asked for so long unless a check needs another time.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// What is checked, and with what.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `http://HOST:PORT`
    pub address: String,
    /// How to speak TLS with it; an `https` address needs one.
    pub tls: Option<ClientTlsConfig>,
    /// Without it, checks that need a restart are left out.
    pub start: Option<Start>,
    /// The capability to run; the first one if not given.
    pub capability: Option<String>,
    /// Arguments to run it with, as text; else the middle of each range and the first of each choice.
    pub arguments: BTreeMap<String, String>,
    /// A file to which the hardware (or its simulation) adds a line at every physical start.
    pub starts: Option<PathBuf>,
    /// Only these checks; all if empty.
    pub only: Vec<u8>,
}

pub(super) type Client = InstrumentServiceClient<Channel>;

pub(super) struct Bench {
    pub(super) options: Options,
    pub(super) child: Option<Child>,
    endpoint: Endpoint,
    pub(super) channel: Channel,
    pub(super) client: Client,
    pub(super) instrument: wire::Instrument,
    holder: String,
    epoch: i64,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The refusal's reason, if the contract's own words refused it.
pub(super) fn reason(status: &Status) -> Option<String> {
    let info = status.get_details_error_info().filter(|info| info.domain == eutectic_proto::ERROR_DOMAIN);
    info.map(|info| info.reason)
}

/// That a call was refused with this reason.
pub(super) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, wanted: &str, mend: &str) -> Outcome {
    let expected = format!("a refusal with ErrorInfo reason {wanted}, domain {}", eutectic_proto::ERROR_DOMAIN);
    match answer {
        Ok(_) => Err(wrong(expected, "the call was accepted", mend)),
        Err(status) => match reason(&status) {
            Some(reason) if reason == wanted => Ok(()),
            Some(reason) => Err(wrong(expected, format!("a refusal with reason {reason}"), mend)),
            None => {
                let words = format!("status {:?} without our ErrorInfo: {}", status.code(), status.message());
                Err(wrong(
                    expected,
                    words,
                    "attach google.rpc.ErrorInfo to every refusal: without it a client must ask",
                ))
            }
        },
    }
}

/// An answer, or what is wrong about having none.
pub(super) fn accepted<T>(answer: Result<T, Status>, what: &str) -> Result<T, Stop> {
    answer.map_err(|status| {
        let came = format!("{:?}: {}", status.code(), status.message());
        wrong(format!("{what} is accepted"), came, "see the call's comment in instrument.proto")
    })
}

/// The words of the first cause: the outer ones only say 'transport error'.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

impl Bench {
    pub(super) async fn open(options: Options) -> Result<Self, String> {
        let child = options.start.as_ref().map(spawn).transpose()?;
        let endpoint = Endpoint::from_shared(options.address.clone()).map_err(|error| error.to_string())?;
        let endpoint = match options.tls.clone() {
            None => endpoint,
            Some(tls) => endpoint.tls_config(tls).map_err(|error| error.to_string())?,
        };
        let endpoint = endpoint.connect_timeout(CALL_LIMIT).timeout(CALL_LIMIT);
        let channel = endpoint.connect_lazy();
        let client = InstrumentServiceClient::new(channel.clone());
        let instrument = wire::Instrument::default();
        let holder = Uuid::now_v7().to_string();
        let mut bench = Self { options, child, endpoint, channel, client, instrument, holder, epoch: 0 };
        bench.up().await?;
        let listed = bench.client.list_instruments(wire::ListInstrumentsRequest::default()).await;
        let listed = listed.map_err(|status| format!("ListInstruments: {}", status.message()))?.into_inner();
        bench.instrument = listed.instruments.into_iter().next().ok_or("the driver lists no instrument")?;
        Ok(bench)
    }

    /// A connection of its own.
    pub(super) fn another_client(&self) -> Client {
        InstrumentServiceClient::new(self.endpoint.connect_lazy())
    }

    /// One that waits longer for an answer: for large files, and for a lot of time that passes.
    pub(super) fn patient_channel(&self) -> Channel {
        self.endpoint.clone().timeout(OPERATION_LIMIT).connect_lazy()
    }

    /// Waits until the driver answers.
    pub(super) async fn up(&mut self) -> Result<(), String> {
        let begun = tokio::time::Instant::now();
        let limit = if self.options.start.is_some() { START_LIMIT } else { REACH_LIMIT };
        loop {
            match self.client.list_instruments(wire::ListInstrumentsRequest::default()).await {
                Ok(_) => return Ok(()),
                Err(status) if begun.elapsed() > limit => {
                    return Err(format!("{} does not answer: {}", self.options.address, innermost(&status)));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Physical starts by the hardware's own count, where there is one.
    pub(super) fn starts(&self) -> Option<usize> {
        let path = self.options.starts.as_ref()?;
        Some(std::fs::read_to_string(path).map_or(0, |text| text.lines().count()))
    }

    /// That the hardware has started so often since `before`.
    pub(super) fn started(&self, before: Option<usize>, times: usize) -> Outcome {
        match (before, self.starts()) {
            (Some(before), Some(now)) if now != before + times => Err(wrong(
                format!("the hardware starts {times} time(s), by its own count"),
                format!("{} starts", now - before.min(now)),
                "start the hardware only for an operation that the journal has just accepted",
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn lease_request(&self, holder: &str, epoch: i64, time: Duration) -> wire::AcquireLeaseRequest {
        wire::AcquireLeaseRequest {
            instrument: self.instrument.id.clone(),
            holder: holder.to_owned(),
            holder_epoch: epoch,
            ttl: prost_types::Duration::try_from(time).ok(),
            ..Default::default()
        }
    }

    pub(super) fn holder(&self) -> String {
        self.holder.clone()
    }

    pub(super) fn next_epoch(&mut self) -> i64 {
        self.epoch += 1;
        self.epoch
    }

    /// A lease of an epoch of its own.
    pub(super) async fn lease(&mut self) -> Result<wire::Lease, Stop> {
        self.lease_for(LEASE).await
    }

    /// That nobody else has the instrument.
    pub(super) async fn is_free(&mut self) -> Result<(), String> {
        let epoch = self.next_epoch();
        let request = self.lease_request(&self.holder, epoch, LEASE);
        match self.client.acquire_lease(request).await {
            Err(status) if reason(&status).as_deref() == Some("LEASE_HELD") => {
                Err(format!("somebody else uses the instrument: {}", status.message()))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Gives the instrument back.
    pub(super) async fn release(&mut self) {
        if let Ok(lease) = self.lease().await {
            let instrument = self.instrument.id.clone();
            let request = wire::ReleaseLeaseRequest { instrument, fencing_token: lease.fencing_token };
            // What can't be given back ends by itself.
            let _ = self.client.release_lease(request).await;
        }
    }

    pub(super) async fn lease_for(&mut self, time: Duration) -> Result<wire::Lease, Stop> {
        let epoch = self.next_epoch();
        let request = self.lease_request(&self.holder, epoch, time);
        let answer = accepted(self.client.acquire_lease(request).await, "AcquireLease with a higher epoch")?;
        let missing = || wrong("AcquireLease answers with the lease", "an answer without one", "fill in 'lease'");
        answer.into_inner().lease.ok_or_else(missing)
    }

    /// The capability under test.
    pub(super) fn capability(&self) -> Result<Capability, Stop> {
        let found = match &self.options.capability {
            None => self.instrument.capabilities.first(),
            Some(id) => self.instrument.capabilities.iter().find(|it| it.id == *id),
        };
        found.cloned().ok_or_else(|| left_out("the instrument has no such capability"))
    }

    fn argument(&self, field: &FieldSpec, at: f64) -> Result<Argument, Stop> {
        use wire::field_spec::Domain;
        let text = self.options.arguments.get(&field.id);
        let number = || {
            let parsed = text.map(|text| text.parse::<f64>().map_err(|_| left_out(format!("'{text}' is no number"))));
            parsed.transpose()
        };
        let kind = match &field.domain {
            Some(Domain::Quantity(it)) => Kind::Quantity(wire::Quantity {
                value: number()?.unwrap_or(it.minimum + at * (it.maximum - it.minimum)),
                unit: it.unit.clone(),
                ..wire::Quantity::default()
            }),
            #[expect(clippy::cast_possible_truncation, reason = "a whole number that a person wrote")]
            Some(Domain::Integer(it)) => Kind::Integer(match number()? {
                Some(number) => number as i64,
                None if at < 1.0 => it.minimum.midpoint(it.maximum),
                None => it.maximum,
            }),
            Some(Domain::Choice(it)) => {
                let first = it.choices.first().map(|choice| choice.id.clone()).unwrap_or_default();
                Kind::Choice(text.cloned().unwrap_or(first))
            }
            Some(Domain::Flag(_)) => Kind::Boolean(text.is_some_and(|text| text == "true")),
            Some(Domain::Text(_)) => Kind::Text(text.cloned().unwrap_or_default()),
            Some(Domain::Sample(_)) => {
                let why = format!("needs --argument {}=SAMPLE: no sample can be made up", field.id);
                Kind::Sample(text.cloned().ok_or_else(|| left_out(why))?)
            }
            Some(Domain::Series(_) | Domain::Artifact(_)) | None => {
                return Err(left_out(format!("parameter '{}' can't be made up", field.id)));
            }
        };
        Ok(Argument { id: field.id.clone(), value: Some(Value { kind: Some(kind) }) })
    }

    /// A request that should be accepted, under a new id: in the middle of the ranges; what has a default is left at it.
    pub(super) fn request(&self, token: i64) -> Result<ExecuteRequest, Stop> {
        self.request_at(token, 0.5)
    }

    /// The same at the top of all ranges, where no rule forbids it: the longest operation, or the largest result.
    pub(super) async fn request_at_top(&mut self, token: i64) -> Result<ExecuteRequest, Stop> {
        let request = self.request_at(token, 1.0)?;
        let validate = wire::ValidateOperationRequest { execute: Some(request.clone()) };
        let answer = accepted(self.client.validate_operation(validate).await, "ValidateOperation")?;
        if answer.into_inner().fault.is_some() { self.request(token) } else { Ok(request) }
    }

    fn request_at(&self, token: i64, at: f64) -> Result<ExecuteRequest, Stop> {
        let capability = self.capability()?;
        let said = |field: &&FieldSpec| self.options.arguments.contains_key(&field.id);
        let made_up = |field: &&FieldSpec| !matches!(field.domain, Some(wire::field_spec::Domain::Sample(_)));
        let fields = capability.parameters.iter().filter(|field| {
            let has_default = !field.required && field.default_value.is_some();
            said(field) || !has_default || at >= 1.0 && made_up(field)
        });
        let arguments = fields.map(|field| self.argument(field, at)).collect::<Result<_, _>>()?;
        Ok(ExecuteRequest {
            instrument: self.instrument.id.clone(),
            operation_id: Uuid::now_v7().to_string(),
            fencing_token: token,
            capability: capability.id,
            capability_version: capability.version,
            arguments,
            request_hash: vec![7; 32],
            context: Some(wire::Context { campaign: "conformance".into(), attempt: 1, ..wire::Context::default() }),
            ..ExecuteRequest::default()
        })
    }

    pub(super) async fn get(&mut self, id: &str) -> Result<Operation, Status> {
        self.news(id, 0, 0).await
    }

    /// The operation, as soon as there is something past `seen`, or after `wait` seconds.
    async fn news(&mut self, id: &str, seen: i64, wait: i64) -> Result<Operation, Status> {
        let request = wire::GetOperationRequest {
            instrument: self.instrument.id.clone(),
            operation_id: id.to_owned(),
            last_seen_sequence: seen,
            wait: Some(prost_types::Duration { seconds: wait, nanos: 0 }),
        };
        self.client.get_operation(request).await.map(|it| it.into_inner().operation.unwrap_or_default())
    }

    /// The operation once it has ended.
    pub(super) async fn ended(&mut self, id: &str) -> Result<Operation, Stop> {
        let begun = tokio::time::Instant::now();
        let (mut seen, mut step) = (0, self.step());
        loop {
            let wait = if self.is_virtual() { 0 } else { 2 };
            let operation = accepted(self.news(id, seen, wait).await, "GetOperation of an accepted operation")?;
            seen = operation.last_sequence;
            if crate::machine::has_ended(operation.state()) {
                return Ok(operation);
            }
            if begun.elapsed() > OPERATION_LIMIT {
                let came = format!("after {} s it is {:?}", OPERATION_LIMIT.as_secs(), operation.state());
                return Err(wrong("the operation ends", came, "choose a quicker one with --capability and --argument"));
            }
            if self.is_virtual() {
                self.pass(step).await?;
                step *= 2;
            }
        }
    }

    /// A little time for an operation to go on in.
    pub(super) fn step(&self) -> Duration {
        let typical = self.capability().ok().and_then(|it| it.typical_duration);
        let typical = typical.and_then(|it| Duration::try_from(it).ok()).unwrap_or(Duration::from_secs(60));
        if self.is_virtual() { typical / 8 } else { Duration::from_millis(50) }
    }

    /// Waits until an operation runs, or has ended.
    pub(super) async fn running(&mut self, id: &str) -> Result<Operation, Stop> {
        for _ in 0..200 {
            let operation = accepted(self.get(id).await, "GetOperation of an accepted operation")?;
            if operation.state() != State::Accepted {
                return Ok(operation);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(wrong("an accepted operation starts", "it stays ACCEPTED", "start it as soon as the instrument is free"))
    }

    pub(super) fn abort_request(&self, id: &str, token: i64) -> wire::AbortOperationRequest {
        wire::AbortOperationRequest {
            instrument: self.instrument.id.clone(),
            operation_id: id.to_owned(),
            fencing_token: token,
            reason: "conformance".into(),
        }
    }

    pub(super) async fn status(&mut self) -> Result<wire::InstrumentStatus, Stop> {
        let request = wire::GetStatusRequest { instrument: self.instrument.id.clone() };
        Ok(accepted(self.client.get_status(request).await, "GetStatus")?.into_inner().status.unwrap_or_default())
    }

    /// Leaves nothing behind for the next check: no halt, nothing that runs, no lease of somebody else.
    pub(super) async fn settle(&mut self) {
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < SETTLE_LIMIT {
            let Ok(status) = self.status().await else { return };
            if !status.halt_id.is_empty() {
                let clear = wire::ClearHaltRequest {
                    instrument: self.instrument.id.clone(),
                    halt_id: status.halt_id.clone(),
                    person: "the conformance kit".into(),
                    statement: "nothing was halted for a reason".into(),
                };
                let _ = self.client.clear_halt(clear).await;
            }
            if status.active_operations.is_empty() && status.halt_id.is_empty() {
                return self.restock(&status).await;
            }
            if let Ok(lease) = self.lease().await {
                for id in &status.active_operations {
                    let request = self.abort_request(id, lease.fencing_token);
                    let _ = self.client.abort_operation(request).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// That a status has this code.
pub(super) fn has_code<T>(answer: &Result<T, Status>, code: Code) -> bool {
    answer.as_ref().is_err_and(|status| status.code() == code)
}

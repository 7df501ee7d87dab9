//! A service that passes every call on to a sound driver, but for what its flaw changes.

use super::flaw::Kind;
use super::sound::Sound;
use eutectic_instruments::wire;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::BoxStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use wire::instrument_service_client::InstrumentServiceClient;
use wire::instrument_service_server::{InstrumentService, InstrumentServiceServer};
use wire::operation::State;
use wire::value::Kind as Value;

type Answer<T> = Result<Response<T>, Status>;

#[derive(Default)]
struct Known {
    calls: u64,
    token: i64,
    holder: String,
    epoch: i64,
    /// What was sent under each id, and under which id it was passed on last.
    sent: BTreeMap<String, String>,
    aborted: BTreeMap<String, u32>,
}

struct Proxy {
    /// A connection of its own: streams must not crowd out the other calls.
    watching: InstrumentServiceClient<Channel>,
    client: InstrumentServiceClient<Channel>,
    flaw: Option<Kind>,
    known: Arc<Mutex<Known>>,
}

/// Serves the proxy; returns its address.
pub(super) async fn serve(sound: &Sound, flaw: Option<Kind>) -> String {
    let endpoint = Endpoint::from_shared(sound.address.clone()).unwrap();
    let client = InstrumentServiceClient::new(endpoint.connect_lazy());
    let watching = InstrumentServiceClient::new(endpoint.connect_lazy());
    let proxy = Proxy { watching, client, flaw, known: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<InstrumentServiceServer<Proxy>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(eutectic_proto::FILE_DESCRIPTOR_SET)
        .build_v1()
        .unwrap();
    let mut routes = tonic::service::Routes::new(InstrumentServiceServer::new(proxy));
    if flaw != Some(Kind::NoHealth) {
        routes = routes.add_service(health);
    }
    if flaw != Some(Kind::NoReflection) {
        routes = routes.add_service(reflection);
    }
    let serving = Server::builder().add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(serving);
    address
}

impl Proxy {
    fn is(&self, kind: Kind) -> bool {
        self.flaw == Some(kind)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    fn instrument(&self, instrument: &mut wire::Instrument) {
        let mut known = self.known();
        known.calls += 1;
        if self.is(Kind::UnstableDigest) {
            instrument.manifest_digest = known.calls.to_be_bytes().to_vec();
        }
        for field in instrument.capabilities.iter_mut().flat_map(|it| it.parameters.iter_mut()) {
            if let (Some(wire::field_spec::Domain::Quantity(it)), true) =
                (&mut field.domain, self.is(Kind::EndlessBounds))
            {
                it.minimum = f64::NEG_INFINITY;
                it.maximum = 9.0;
            }
            if self.is(Kind::NoDefault) {
                field.default_value = None;
            }
        }
    }

    /// What the flaw makes of the arguments before the sound driver sees them.
    fn arguments(&self, arguments: &mut Vec<wire::Argument>) {
        if self.is(Kind::TakesAnyName) {
            let mut seen = Vec::new();
            arguments.retain(|it| {
                let first = ["volume", "mode", "cover"].contains(&it.id.as_str()) && !seen.contains(&it.id);
                seen.push(it.id.clone());
                first
            });
            let has = |id: &str, arguments: &[wire::Argument]| arguments.iter().any(|it| it.id == id);
            let argument =
                |id: &str, kind| wire::Argument { id: id.into(), value: Some(wire::Value { kind: Some(kind) }) };
            if !has("volume", arguments) {
                let quantity = wire::Quantity { value: 5.0, unit: "mL".into(), ..wire::Quantity::default() };
                arguments.push(argument("volume", Value::Quantity(quantity)));
            }
            if !has("mode", arguments) {
                arguments.push(argument("mode", Value::Choice("gentle".into())));
            }
        }
        for argument in arguments {
            match argument.value.as_mut().and_then(|it| it.kind.as_mut()) {
                Some(Value::Quantity(it)) => {
                    if self.is(Kind::ClampsToRange) && it.value.is_finite() {
                        it.value = it.value.clamp(1.0, 8.0);
                    }
                    // Open bounds let the kit think of a number that the sound driver must not see.
                    if self.is(Kind::EndlessBounds) || self.is(Kind::TakesNan) && !it.value.is_finite() {
                        it.value = 5.0;
                    }
                    if self.is(Kind::TakesAnyUnit) {
                        it.unit = "mL".into();
                    }
                }
                Some(Value::Choice(it)) if self.is(Kind::TakesAnyChoice) => *it = "gentle".into(),
                _ => {}
            }
        }
    }

    /// What the flaw makes of an operation before the client sees it.
    fn operation(&self, operation: &mut wire::Operation, id: &str) {
        id.clone_into(&mut operation.id);
        if self.is(Kind::NeverSucceeds) && operation.state() == State::Succeeded {
            operation.set_state(State::Failed);
        }
        if self.is(Kind::NoUncertainty) {
            for measured in &mut operation.measurements {
                if let Some(Value::Quantity(it)) = measured.value.as_mut().and_then(|it| it.kind.as_mut()) {
                    it.standard_uncertainty = 0.0;
                }
            }
        }
        if self.is(Kind::TimesBackwards) {
            std::mem::swap(&mut operation.accept_time, &mut operation.end_time);
        }
    }

    /// The id under which the sound driver knows it.
    fn passed_on(&self, id: &str) -> String {
        self.known().sent.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }
}

#[tonic::async_trait]
impl InstrumentService for Proxy {
    async fn list_instruments(
        &self,
        request: Request<wire::ListInstrumentsRequest>,
    ) -> Answer<wire::ListInstrumentsResponse> {
        let mut answer = self.client.clone().list_instruments(request.into_inner()).await?.into_inner();
        answer.instruments.iter_mut().for_each(|it| self.instrument(it));
        if self.is(Kind::AnotherList) {
            answer.instruments.iter_mut().for_each(|it| it.serial_number = "another".into());
        }
        Ok(Response::new(answer))
    }

    async fn get_instrument(
        &self,
        request: Request<wire::GetInstrumentRequest>,
    ) -> Answer<wire::GetInstrumentResponse> {
        let mut answer = self.client.clone().get_instrument(request.into_inner()).await?.into_inner();
        answer.instrument.iter_mut().for_each(|it| self.instrument(it));
        Ok(Response::new(answer))
    }

    async fn get_status(&self, request: Request<wire::GetStatusRequest>) -> Answer<wire::GetStatusResponse> {
        self.client.clone().get_status(request.into_inner()).await
    }

    async fn acquire_lease(&self, request: Request<wire::AcquireLeaseRequest>) -> Answer<wire::AcquireLeaseResponse> {
        let mut request = request.into_inner();
        {
            let mut known = self.known();
            if known.holder.is_empty() {
                known.holder.clone_from(&request.holder);
            }
            if self.is(Kind::LeasesToAll) && request.holder != known.holder {
                request.holder.clone_from(&known.holder);
                request.holder_epoch = known.epoch;
            }
            if self.is(Kind::TakesAnyEpoch) && request.holder == known.holder {
                request.holder_epoch = request.holder_epoch.max(known.epoch);
            }
            if request.holder == known.holder {
                known.epoch = known.epoch.max(request.holder_epoch);
            }
        }
        if self.is(Kind::ExtendsLeases) {
            request.ttl = Some(prost_types::Duration { seconds: 60, nanos: 0 });
        }
        let answer = self.client.clone().acquire_lease(request).await?;
        self.known().token = answer.get_ref().lease.as_ref().map_or(0, |it| it.fencing_token);
        Ok(answer)
    }

    async fn release_lease(&self, request: Request<wire::ReleaseLeaseRequest>) -> Answer<wire::ReleaseLeaseResponse> {
        self.client.clone().release_lease(request.into_inner()).await
    }

    async fn validate_operation(
        &self,
        request: Request<wire::ValidateOperationRequest>,
    ) -> Answer<wire::ValidateOperationResponse> {
        let mut request = request.into_inner();
        if let Some(execute) = &mut request.execute {
            self.arguments(&mut execute.arguments);
        }
        let mut answer = self.client.clone().validate_operation(request).await?.into_inner();
        if self.is(Kind::IgnoresRules) {
            answer.fault = None;
        }
        Ok(Response::new(answer))
    }

    async fn execute(&self, request: Request<wire::ExecuteRequest>) -> Answer<wire::ExecuteResponse> {
        let mut request = request.into_inner();
        let id = request.operation_id.clone();
        self.arguments(&mut request.arguments);
        let again = {
            let mut known = self.known();
            if self.is(Kind::TakesAnyToken) {
                request.fencing_token = known.token;
            }
            let again = known.sent.contains_key(&id);
            if self.is(Kind::StartsAgain) && again {
                known.calls += 1;
                request.operation_id = format!("{}-{}", &id[..30], known.calls);
            }
            known.sent.insert(id.clone(), request.operation_id.clone());
            again
        };
        if self.is(Kind::IgnoresTheHash) {
            request.request_hash = vec![1; 32];
        }
        if self.is(Kind::IgnoresLeaseLoss) {
            request.lease_loss_policy = wire::execute_request::LeaseLossPolicy::Finish.into();
        }
        let mut answer = self.client.clone().execute(request).await?.into_inner();
        if let Some(operation) = &mut answer.operation {
            self.operation(operation, &id);
        }
        if self.is(Kind::NeverAttached) {
            answer.attached = false;
        }
        if self.is(Kind::AlwaysAttached) {
            answer.attached = true;
        }
        if self.is(Kind::StartsAgain) && again {
            answer.attached = false;
        }
        Ok(Response::new(answer))
    }

    async fn get_operation(&self, request: Request<wire::GetOperationRequest>) -> Answer<wire::GetOperationResponse> {
        let mut request = request.into_inner();
        let id = request.operation_id.clone();
        request.operation_id = self.passed_on(&id);
        let at_once = request.wait.is_none_or(|it| it.seconds == 0);
        let answer = self.client.clone().get_operation(request).await;
        if self.is(Kind::RemembersTheRefused) && answer.is_err() {
            let operation = wire::Operation { id, ..wire::Operation::default() };
            return Ok(Response::new(wire::GetOperationResponse { operation: Some(operation) }));
        }
        let mut answer = answer?.into_inner();
        if let Some(operation) = &mut answer.operation {
            if self.is(Kind::ForgetsWhatRuns) && at_once && operation.state() == State::Running {
                return Err(Status::not_found("OPERATION_NOT_FOUND: forgotten"));
            }
            self.operation(operation, &id);
        }
        Ok(Response::new(answer))
    }

    async fn list_operations(
        &self,
        request: Request<wire::ListOperationsRequest>,
    ) -> Answer<wire::ListOperationsResponse> {
        self.client.clone().list_operations(request.into_inner()).await
    }

    async fn abort_operation(
        &self,
        request: Request<wire::AbortOperationRequest>,
    ) -> Answer<wire::AbortOperationResponse> {
        let mut request = request.into_inner();
        let id = request.operation_id.clone();
        request.operation_id = self.passed_on(&id);
        let known = self.known().sent.contains_key(&id);
        if self.is(Kind::TombstoneInWordsOnly) && !known {
            let mut operation = wire::Operation { id, ..wire::Operation::default() };
            operation.set_state(State::Aborted);
            operation.set_sample_effect(wire::SampleEffect::None);
            return Ok(Response::new(wire::AbortOperationResponse { operation: Some(operation) }));
        }
        if self.is(Kind::IgnoresAborts) {
            let get = wire::GetOperationRequest {
                instrument: request.instrument,
                operation_id: request.operation_id,
                ..wire::GetOperationRequest::default()
            };
            let operation = self.client.clone().get_operation(get).await?.into_inner().operation;
            return Ok(Response::new(wire::AbortOperationResponse { operation }));
        }
        let times = {
            let mut known = self.known();
            let times = known.aborted.entry(id.clone()).or_default();
            *times += 1;
            *times
        };
        if self.is(Kind::RefusesASecondAbort) && times == 2 {
            return Err(Status::failed_precondition("it is being aborted already"));
        }
        let mut answer = self.client.clone().abort_operation(request).await?.into_inner();
        if let Some(operation) = &mut answer.operation {
            self.operation(operation, &id);
            if self.is(Kind::AbortsTheEnded) && operation.state() == State::Succeeded {
                operation.set_state(State::Aborted);
            }
        }
        Ok(Response::new(answer))
    }

    async fn halt(&self, request: Request<wire::HaltRequest>) -> Answer<wire::HaltResponse> {
        let request = request.into_inner();
        let instrument = request.instrument.clone();
        let answer = self.client.clone().halt(request).await?;
        if self.is(Kind::HaltDoesNotLatch) {
            let halt_id = answer.get_ref().status.as_ref().map_or_else(String::new, |it| it.halt_id.clone());
            let (person, statement) = ("nobody".into(), "nothing".into());
            // What still stops has to come to rest first.
            for _ in 0..100 {
                let clear = wire::ClearHaltRequest {
                    instrument: instrument.clone(),
                    halt_id: halt_id.clone(),
                    person: String::clone(&person),
                    statement: String::clone(&statement),
                };
                if self.client.clone().clear_halt(clear).await.is_ok() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        Ok(answer)
    }

    async fn clear_halt(&self, request: Request<wire::ClearHaltRequest>) -> Answer<wire::ClearHaltResponse> {
        let mut request = request.into_inner();
        if self.is(Kind::ClearsAnyHalt) {
            let status = wire::GetStatusRequest { instrument: request.instrument.clone() };
            let status = self.client.clone().get_status(status).await?.into_inner().status.unwrap_or_default();
            request.halt_id = status.halt_id;
        }
        self.client.clone().clear_halt(request).await
    }

    async fn watch_instrument(
        &self,
        request: Request<wire::WatchInstrumentRequest>,
    ) -> Answer<BoxStream<wire::WatchInstrumentResponse>> {
        let mut request = request.into_inner();
        if self.is(Kind::WatchesFromNow) {
            request.last_seen_sequence = 0;
        }
        let events = self.watching.clone().watch_instrument(request).await?.into_inner();
        let from_now = self.is(Kind::WatchesFromNow);
        let events = events.filter(move |event| {
            let operation = event.as_ref().ok().and_then(|it| it.event.as_ref());
            !from_now || operation.is_none_or(|it| it.operation_id.is_empty())
        });
        Ok(Response::new(Box::pin(events)))
    }
}

//! A service that passes every call on to a sound driver, but for what its flaw changes.

use super::flaw::Kind;
use eutectic_instruments::wire;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use wire::instrument_event::Event;
use wire::instrument_service_client::InstrumentServiceClient;
use wire::instrument_service_server::{InstrumentService, InstrumentServiceServer};
use wire::operation::State;
use wire::simulation_service_client::SimulationServiceClient;
use wire::simulation_service_server::{SimulationService, SimulationServiceServer};
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
    watches: u32,
}

struct Proxy {
    /// A connection of its own: streams must not crowd out the other calls.
    watching: InstrumentServiceClient<Channel>,
    client: InstrumentServiceClient<Channel>,
    flaw: Option<Kind>,
    known: Arc<Mutex<Known>>,
    /// How often it was started before this time.
    boots: u16,
}

/// What the flaws that count wrongly fall by at every start, from a thousand times as much.
const FALL: i64 = 1_000_000;

/// Serves the proxy of a driver; returns its address.
pub(super) async fn serve(driver: &str, flaw: Option<Kind>, listen: SocketAddr, boots: u16) -> String {
    let endpoint = Endpoint::from_shared(driver.to_owned()).unwrap();
    let client = InstrumentServiceClient::new(endpoint.connect_lazy());
    let watching = InstrumentServiceClient::new(endpoint.connect_lazy());
    let conditions = Conditions { simulation: SimulationServiceClient::new(endpoint.connect_lazy()), flaw };
    let proxy = Proxy { watching, client, flaw, known: Arc::default(), boots };
    let listener = tokio::net::TcpListener::bind(listen).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<InstrumentServiceServer<Proxy>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(eutectic_proto::FILE_DESCRIPTOR_SET)
        .build_v1()
        .unwrap();
    let mut routes = Routes::new(InstrumentServiceServer::new(proxy));
    routes = routes.add_service(SimulationServiceServer::new(conditions));
    if flaw != Some(Kind::NoHealth) {
        routes = routes.add_service(health);
    }
    if flaw != Some(Kind::NoReflection) {
        routes = routes.add_service(reflection);
    }
    if flaw == Some(Kind::AnswersAnything) {
        let unknown = "/eutectic.instrument.v1.InstrumentService/NoSuchMethod";
        routes = Routes::from(routes.into_axum_router().route(unknown, axum::routing::any(|| async { "of course" })));
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
        if self.is(Kind::SequencesFall) {
            operation.last_sequence += self.fall();
        }
        if let Some(end) = operation.end_time.as_mut().filter(|_| self.is(Kind::UnevenTime)) {
            // Of the whole id: two ids end alike now and then.
            end.nanos += id.bytes().fold(0, |sum, byte| (31 * sum + i32::from(byte)) % 9973);
        }
        if self.is(Kind::LargeOperations) && operation.artifacts.iter().any(|it| it.size_bytes > 50_000_000) {
            let kind = Some(Value::Text("much".repeat(500_000)));
            let value = Some(wire::Value { kind });
            operation.measurements.push(wire::Measurement { value, ..wire::Measurement::default() });
        }
        self.fault(operation);
    }

    fn fault(&self, operation: &mut wire::Operation) {
        let Some(fault) = &mut operation.fault else { return };
        let hidden = self.is(Kind::RunsWhatWaits) && fault.reason == "NEVER_STARTED"
            || self.is(Kind::LimitsInSilence) && fault.reason == "MAX_DURATION_EXCEEDED";
        if self.is(Kind::FaultWithoutCategory) {
            fault.category = 0;
        }
        if hidden {
            operation.set_state(State::Succeeded);
        }
    }

    /// The token as the sound driver knows it.
    fn real_token(&self, token: &mut i64) {
        if self.is(Kind::TokensFall) {
            *token -= self.fall();
        }
    }

    fn fall(&self) -> i64 {
        FALL * (1_000 - i64::from(self.boots))
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
        let mut answer = self.client.clone().get_status(request.into_inner()).await?;
        if let Some(status) = answer.get_mut().status.as_mut().filter(|_| self.is(Kind::AlwaysTheSameJournal)) {
            status.journal_id = "the-only-one".into();
        }
        Ok(answer)
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
        let mut answer = self.client.clone().acquire_lease(request).await?;
        if let Some(lease) = &mut answer.get_mut().lease {
            self.known().token = lease.fencing_token;
            if self.is(Kind::TokensFall) {
                lease.fencing_token += self.fall();
            }
        }
        Ok(answer)
    }

    async fn release_lease(&self, request: Request<wire::ReleaseLeaseRequest>) -> Answer<wire::ReleaseLeaseResponse> {
        let mut request = request.into_inner();
        self.real_token(&mut request.fencing_token);
        self.client.clone().release_lease(request).await
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
        let get = wire::GetOperationRequest {
            instrument: request.instrument.clone(),
            operation_id: id.clone(),
            ..Default::default()
        };
        let forgotten = self.is(Kind::ForgetsOverRestarts) && self.client.clone().get_operation(get).await.is_ok();
        let again = {
            let mut known = self.known();
            if self.is(Kind::TakesAnyToken) {
                request.fencing_token = known.token;
            }
            self.real_token(&mut request.fencing_token);
            let again = known.sent.contains_key(&id);
            if forgotten && !again {
                known.calls += 1;
                request.operation_id = format!("{}-{}", &id[..30], known.calls);
            }
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
        self.real_token(&mut request.fencing_token);
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
        if self.is(Kind::SequencesFall) {
            request.last_seen_sequence = request.last_seen_sequence.saturating_sub(self.fall());
        }
        let events = self.watching.clone().watch_instrument(request).await?.into_inner();
        let from_now = self.is(Kind::WatchesFromNow);
        let second = {
            let mut known = self.known();
            known.watches += 1;
            known.watches.is_multiple_of(2)
        };
        let drops = self.is(Kind::DropsForOne) && second;
        let shift = if self.is(Kind::SequencesFall) { self.fall() } else { 0 };
        let events = events.filter_map(move |told| {
            let mut told = match told {
                Ok(told) => told,
                Err(status) => return Some(Err(status)),
            };
            let event = told.event.as_mut()?;
            event.sequence += shift;
            let running = matches!(&event.event, Some(Event::Operation(it)) if it.state() == State::Running);
            let silent = from_now && !event.operation_id.is_empty() || drops && running;
            (!silent).then_some(Ok(told))
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn hold_operation(
        &self,
        request: Request<wire::HoldOperationRequest>,
    ) -> Answer<wire::HoldOperationResponse> {
        if self.is(Kind::HoldsInWords) {
            return Ok(Response::new(wire::HoldOperationResponse::default()));
        }
        self.client.clone().hold_operation(request.into_inner()).await
    }

    async fn resume_operation(
        &self,
        request: Request<wire::ResumeOperationRequest>,
    ) -> Answer<wire::ResumeOperationResponse> {
        self.client.clone().resume_operation(request.into_inner()).await
    }

    async fn update_consumable(
        &self,
        request: Request<wire::UpdateConsumableRequest>,
    ) -> Answer<wire::UpdateConsumableResponse> {
        let request = request.into_inner();
        if self.is(Kind::IgnoresConsumables) {
            return Ok(Response::new(wire::UpdateConsumableResponse { consumable: request.consumable }));
        }
        self.client.clone().update_consumable(request).await
    }

    async fn read_artifact(
        &self,
        request: Request<wire::ReadArtifactRequest>,
    ) -> Answer<BoxStream<wire::ReadArtifactResponse>> {
        let mut request = request.into_inner();
        if self.is(Kind::ReadsFromTheStart) {
            request.offset = 0;
        }
        let pieces = self.watching.clone().read_artifact(request).await?.into_inner();
        Ok(Response::new(Box::pin(pieces)))
    }
}

/// The simulation's own service.
struct Conditions {
    simulation: SimulationServiceClient<Channel>,
    flaw: Option<Kind>,
}

#[tonic::async_trait]
impl SimulationService for Conditions {
    async fn advance_time(&self, request: Request<wire::AdvanceTimeRequest>) -> Answer<wire::AdvanceTimeResponse> {
        self.simulation.clone().advance_time(request.into_inner()).await
    }

    async fn inject_fault(&self, request: Request<wire::InjectFaultRequest>) -> Answer<wire::InjectFaultResponse> {
        self.simulation.clone().inject_fault(request.into_inner()).await
    }

    async fn set_conditions(
        &self,
        request: Request<wire::SetConditionsRequest>,
    ) -> Answer<wire::SetConditionsResponse> {
        let mut request = request.into_inner();
        if self.flaw == Some(Kind::IgnoresCalibrations) {
            request.calibrations.clear();
        }
        self.simulation.clone().set_conditions(request).await
    }

    async fn get_truth(&self, request: Request<wire::GetTruthRequest>) -> Answer<wire::GetTruthResponse> {
        self.simulation.clone().get_truth(request.into_inner()).await
    }
}

//! A driver that costs next to nothing: it keeps no journal, and every operation has ended when it is accepted.

use eutectic_proto::instrument::v1 as wire;
use prost_types::Timestamp;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};
use wire::instrument_service_server::{InstrumentService, InstrumentServiceServer};

/// What it can do.
pub(crate) const CAPABILITY: &str = "stub.do";

/// As many instruments as anybody asks for.
#[derive(Clone, Default)]
pub(crate) struct Stub {
    tokens: Arc<AtomicI64>,
    executed: Arc<AtomicU64>,
    first: Arc<Mutex<Option<Instant>>>,
}

impl Stub {
    /// Serves it on a loopback socket.
    pub(crate) async fn serve(self) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let service = InstrumentServiceServer::new(self);
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Ok(address)
    }

    /// When the first operation came.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.first.lock().ok().and_then(|it| *it)
    }

    fn operation(&self, request: wire::ExecuteRequest) -> wire::Operation {
        self.executed.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut first) = self.first.lock() {
            first.get_or_insert_with(Instant::now);
        }
        let one = wire::Quantity { value: 1.0, unit: "1".to_owned(), ..wire::Quantity::default() };
        let value = Some(wire::Value { kind: Some(wire::value::Kind::Quantity(one)) });
        let measurement = wire::Measurement { output: "y".to_owned(), value, ..wire::Measurement::default() };
        wire::Operation {
            id: request.operation_id,
            instrument: request.instrument,
            capability: request.capability,
            request_hash: request.request_hash,
            state: wire::operation::State::Succeeded.into(),
            start_time: Some(now()),
            end_time: Some(now()),
            measurements: vec![measurement],
            sample_effect: wire::SampleEffect::None.into(),
            ..wire::Operation::default()
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos: 0 }
}

fn instrument(id: String) -> wire::Instrument {
    let unit = wire::QuantityDomain { unit: "1".to_owned(), minimum: 0.0, maximum: 1.0, ..Default::default() };
    let field = |id: &str| wire::FieldSpec {
        id: id.to_owned(),
        required: true,
        domain: Some(wire::field_spec::Domain::Quantity(unit.clone())),
        ..wire::FieldSpec::default()
    };
    let capability = wire::Capability {
        id: CAPABILITY.to_owned(),
        version: "1.0.0".to_owned(),
        parameters: vec![field("x")],
        outputs: vec![field("y")],
        effect: wire::capability::Effect::Once.into(),
        ..wire::Capability::default()
    };
    wire::Instrument {
        id,
        capabilities: vec![capability],
        max_concurrency: 1,
        time_mode: wire::instrument::TimeMode::Simulated.into(),
        ..wire::Instrument::default()
    }
}

/// The service from its own calls and the names of those that nobody here makes.
macro_rules! service {
    ({ $($own:tt)* } $($call:ident: $request:ident -> $response:ident),+ $(,)?) => {
        #[tonic::async_trait]
        impl InstrumentService for Stub {
            $($own)*
            $(
                async fn $call(&self, _: Request<wire::$request>) -> Result<Response<wire::$response>, Status> {
                    Err(Status::unimplemented("a stub"))
                }
            )+
        }
    };
}

service! {
{
    async fn get_instrument(
        &self,
        request: Request<wire::GetInstrumentRequest>,
    ) -> Result<Response<wire::GetInstrumentResponse>, Status> {
        let instrument = Some(instrument(request.into_inner().instrument));
        Ok(Response::new(wire::GetInstrumentResponse { instrument, ..Default::default() }))
    }

    async fn get_status(
        &self,
        _: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        Ok(Response::new(wire::GetStatusResponse::default()))
    }

    async fn acquire_lease(
        &self,
        request: Request<wire::AcquireLeaseRequest>,
    ) -> Result<Response<wire::AcquireLeaseResponse>, Status> {
        let request = request.into_inner();
        // A renewal by the same holder keeps its token.
        let fencing_token = match request.known_token {
            0 => self.tokens.fetch_add(1, Ordering::Relaxed) + 1,
            known => known,
        };
        let lease = wire::Lease {
            holder: request.holder,
            holder_epoch: request.holder_epoch,
            fencing_token,
            journal_id: "stub".to_owned(),
            ..wire::Lease::default()
        };
        Ok(Response::new(wire::AcquireLeaseResponse { lease: Some(lease) }))
    }

    async fn execute(&self, request: Request<wire::ExecuteRequest>) -> Result<Response<wire::ExecuteResponse>, Status> {
        let operation = Some(self.operation(request.into_inner()));
        Ok(Response::new(wire::ExecuteResponse { operation, attached: false }))
    }

    async fn list_operations(
        &self,
        _: Request<wire::ListOperationsRequest>,
    ) -> Result<Response<wire::ListOperationsResponse>, Status> {
        Ok(Response::new(wire::ListOperationsResponse::default()))
    }

    async fn watch_instrument(
        &self,
        _: Request<wire::WatchInstrumentRequest>,
    ) -> Result<Response<BoxStream<wire::WatchInstrumentResponse>>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::pending())))
    }

    async fn read_artifact(
        &self,
        _: Request<wire::ReadArtifactRequest>,
    ) -> Result<Response<BoxStream<wire::ReadArtifactResponse>>, Status> {
        Err(Status::unimplemented("a stub"))
    }

}
        list_instruments: ListInstrumentsRequest -> ListInstrumentsResponse,
        renew_lease: RenewLeaseRequest -> RenewLeaseResponse,
        release_lease: ReleaseLeaseRequest -> ReleaseLeaseResponse,
        validate_operation: ValidateOperationRequest -> ValidateOperationResponse,
        get_operation: GetOperationRequest -> GetOperationResponse,
        abort_operation: AbortOperationRequest -> AbortOperationResponse,
        hold_operation: HoldOperationRequest -> HoldOperationResponse,
        resume_operation: ResumeOperationRequest -> ResumeOperationResponse,
        halt: HaltRequest -> HaltResponse,
        clear_halt: ClearHaltRequest -> ClearHaltResponse,
        update_consumable: UpdateConsumableRequest -> UpdateConsumableResponse,
}

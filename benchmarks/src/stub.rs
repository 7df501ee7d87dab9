//! A driver that costs next to nothing: it keeps no journal, and every operation has ended when it is accepted. On request it
//! lies.

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

/// Readings of a result that no message may hold.
const HUGE: usize = 1_000_000;
/// What it can do.
pub const CAPABILITY: &str = "stub.do";

/// What is untrue of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// A reading outside of what it declares.
    OutOfRange,
    /// A reading in another unit than it declares.
    WrongUnit,
    /// It ended before it began.
    TooSoon,
    /// No lie: a reading that the driver itself calls bad.
    Bad,
    /// No lie either: nothing was there to be detected.
    BelowLimit,
    /// A result without what it declares.
    Incomplete,
    /// It tells of another operation than the one it was asked about.
    AnothersOperation,
    /// It answers for another instrument.
    AnothersName,
    /// It did something else than it was told.
    OtherArguments,
    /// It sends events without end.
    Flood,
    /// Its results are larger than any message may be.
    Huge,
}

/// As many instruments as anybody asks for.
#[derive(Clone, Default)]
pub struct Stub {
    lie: Option<Lie>,
    tokens: Arc<AtomicI64>,
    executed: Arc<AtomicU64>,
    first: Arc<Mutex<Option<Instant>>>,
}

impl Stub {
    /// One that lies.
    #[must_use]
    pub fn lying(lie: Lie) -> Self {
        Self { lie: Some(lie), ..Self::default() }
    }

    /// Serves it on a loopback socket.
    ///
    /// # Errors
    /// The system's, where it gives no socket.
    pub async fn serve(self) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let service = InstrumentServiceServer::new(self);
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Ok(address)
    }

    /// When the first operation came.
    #[must_use]
    pub fn first(&self) -> Option<Instant> {
        self.first.lock().ok().and_then(|it| *it)
    }

    /// How many operations it was given.
    #[must_use]
    pub fn executed(&self) -> u64 {
        self.executed.load(Ordering::Relaxed)
    }

    fn operation(&self, request: wire::ExecuteRequest) -> wire::Operation {
        let lies = |lie| self.lie == Some(lie);
        let quantity = wire::Quantity {
            value: if lies(Lie::OutOfRange) { 1.5 } else { 1.0 },
            unit: if lies(Lie::WrongUnit) { "%" } else { "1" }.to_owned(),
            ..wire::Quantity::default()
        };
        let value = Some(wire::Value { kind: Some(wire::value::Kind::Quantity(quantity)) });
        let quality = match self.lie {
            Some(Lie::Bad) => wire::measurement::Quality::Bad,
            Some(Lie::BelowLimit) => wire::measurement::Quality::BelowLimit,
            _ => wire::measurement::Quality::Good,
        };
        let measurement = wire::Measurement {
            output: "y".to_owned(),
            value,
            quality: quality.into(),
            ..wire::Measurement::default()
        };
        let measurements = match self.lie {
            Some(Lie::Incomplete) => Vec::new(),
            Some(Lie::Huge) => vec![measurement; HUGE],
            _ => vec![measurement],
        };
        let id =
            if lies(Lie::AnothersOperation) { format!("{}-else", request.operation_id) } else { request.operation_id };
        wire::Operation {
            id,
            instrument: request.instrument,
            capability: request.capability,
            request_hash: if lies(Lie::OtherArguments) { vec![7; 32] } else { request.request_hash },
            state: wire::operation::State::Succeeded.into(),
            start_time: Some(now(0)),
            end_time: Some(now(if lies(Lie::TooSoon) { -60 } else { 0 })),
            measurements,
            sample_effect: wire::SampleEffect::None.into(),
            ..wire::Operation::default()
        }
    }
}

/// So many seconds from now.
fn now(seconds: i64) -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX).saturating_add(seconds), nanos: 0 }
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
        let name = request.into_inner().instrument;
        let other = self.lie == Some(Lie::AnothersName);
        let instrument = Some(instrument(if other { format!("{name}-else") } else { name }));
        Ok(Response::new(wire::GetInstrumentResponse { instrument }))
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
        self.executed.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut first) = self.first.lock() {
            first.get_or_insert_with(Instant::now);
        }
        let operation = Some(self.operation(request.into_inner()));
        Ok(Response::new(wire::ExecuteResponse { operation, attached: false }))
    }

    async fn get_operation(
        &self,
        request: Request<wire::GetOperationRequest>,
    ) -> Result<Response<wire::GetOperationResponse>, Status> {
        if self.lie.is_none() {
            return Err(Status::unimplemented("whoever was told of an end has nothing to ask"));
        }
        let request = request.into_inner();
        let told = wire::ExecuteRequest {
            operation_id: request.operation_id,
            instrument: request.instrument,
            capability: CAPABILITY.to_owned(),
            ..wire::ExecuteRequest::default()
        };
        Ok(Response::new(wire::GetOperationResponse { operation: Some(self.operation(told)) }))
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
        if self.lie != Some(Lie::Flood) {
            return Ok(Response::new(Box::pin(tokio_stream::pending())));
        }
        let endless = (1..).map(|sequence| {
            let progress = wire::instrument_event::Progress {
                fraction: 0.5,
                stage: "x".repeat(1_000),
                ..Default::default()
            };
            let event = wire::InstrumentEvent {
                sequence,
                operation_id: format!("made-up-{sequence}"),
                event: Some(wire::instrument_event::Event::Progress(progress)),
                ..wire::InstrumentEvent::default()
            };
            Ok(wire::WatchInstrumentResponse { event: Some(event) })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(endless))))
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
            abort_operation: AbortOperationRequest -> AbortOperationResponse,
        hold_operation: HoldOperationRequest -> HoldOperationResponse,
        resume_operation: ResumeOperationRequest -> ResumeOperationResponse,
        halt: HaltRequest -> HaltResponse,
        clear_halt: ClearHaltRequest -> ClearHaltResponse,
        update_consumable: UpdateConsumableRequest -> UpdateConsumableResponse,
}

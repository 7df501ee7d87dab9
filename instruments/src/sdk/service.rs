//! The contract's calls, handed to the keeper.

use super::artifacts::{Artifacts, PIECE_BYTES};
use super::keeper::Input;
use super::status::status;
use crate::machine::{Answer, Call, Manifest, Reason};
use crate::wire;
use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};
use wire::instrument_service_server::InstrumentService;

/// Events that may wait for a reader before it loses some.
const EVENTS_WAITING: usize = 16 * 1024;

/// Pieces of an artifact that may wait for a reader; the file waits meanwhile.
const PIECES_WAITING: usize = 8;

/// When somebody called last.
#[derive(Clone)]
pub(super) struct Calls {
    begun: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), last_ms: Arc::new(AtomicU64::new(0)) }
    }

    fn note(&self) {
        self.last_ms.store(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long nobody has called.
    pub(super) fn idle(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }
}

pub(super) struct Service {
    pub(super) manifest: Manifest,
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) calls: Calls,
    pub(super) artifacts: Artifacts,
}

impl Service {
    async fn ask(&self, call: Call) -> Result<Answer, Status> {
        self.calls.note();
        let (reply, answer) = oneshot::channel();
        let sent = self.inbox.send(Input::Call(Box::new(call), reply));
        // Not a refusal: whoever asks must take it for unknown.
        let gone = || Status::unavailable("the driver is going down");
        sent.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(status)
    }

    fn own(&self, instrument: &str) -> Result<(), Status> {
        self.calls.note();
        let own = &self.manifest.instrument().id;
        if instrument == own {
            return Ok(());
        }
        let words = format!("this driver serves {own:?}, not {instrument:?}");
        Err(status(Reason::UnknownInstrument.refuse(words)))
    }
}

fn wrong() -> Status {
    Status::internal("the driver gave an answer of another kind")
}

macro_rules! expect {
    ($answer:expr, $kind:pat => $value:expr) => {
        match $answer {
            $kind => Ok(Response::new($value)),
            _ => Err(wrong()),
        }
    };
}

#[tonic::async_trait]
impl InstrumentService for Service {
    async fn list_instruments(
        &self,
        _: Request<wire::ListInstrumentsRequest>,
    ) -> Result<Response<wire::ListInstrumentsResponse>, Status> {
        self.calls.note();
        let instruments = vec![self.manifest.instrument().clone()];
        Ok(Response::new(wire::ListInstrumentsResponse { instruments, next_page_token: String::new() }))
    }

    async fn get_instrument(
        &self,
        request: Request<wire::GetInstrumentRequest>,
    ) -> Result<Response<wire::GetInstrumentResponse>, Status> {
        self.own(&request.into_inner().instrument)?;
        Ok(Response::new(wire::GetInstrumentResponse { instrument: Some(self.manifest.instrument().clone()) }))
    }

    async fn get_status(
        &self,
        request: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        self.own(&request.into_inner().instrument)?;
        expect!(self.ask(Call::Status).await?, Answer::Status(it) => wire::GetStatusResponse { status: Some(*it) })
    }

    async fn acquire_lease(
        &self,
        request: Request<wire::AcquireLeaseRequest>,
    ) -> Result<Response<wire::AcquireLeaseResponse>, Status> {
        let answer = self.ask(Call::AcquireLease(request.into_inner())).await?;
        expect!(answer, Answer::Lease(lease) => wire::AcquireLeaseResponse { lease: Some(lease) })
    }

    async fn renew_lease(
        &self,
        request: Request<wire::RenewLeaseRequest>,
    ) -> Result<Response<wire::RenewLeaseResponse>, Status> {
        let answer = self.ask(Call::RenewLease(request.into_inner())).await?;
        expect!(answer, Answer::Lease(lease) => wire::RenewLeaseResponse { lease: Some(lease) })
    }

    async fn release_lease(
        &self,
        request: Request<wire::ReleaseLeaseRequest>,
    ) -> Result<Response<wire::ReleaseLeaseResponse>, Status> {
        let answer = self.ask(Call::ReleaseLease(request.into_inner())).await?;
        expect!(answer, Answer::Released => wire::ReleaseLeaseResponse {})
    }

    async fn validate_operation(
        &self,
        request: Request<wire::ValidateOperationRequest>,
    ) -> Result<Response<wire::ValidateOperationResponse>, Status> {
        let missing = || status(Reason::InvalidRequest.refuse("the request has no 'execute'"));
        let execute = request.into_inner().execute.ok_or_else(missing)?;
        let answer = self.ask(Call::Validate(Box::new(execute))).await?;
        expect!(answer, Answer::Validated(it) => *it)
    }

    async fn execute(&self, request: Request<wire::ExecuteRequest>) -> Result<Response<wire::ExecuteResponse>, Status> {
        let answer = self.ask(Call::Execute(Box::new(request.into_inner()))).await?;
        expect!(answer, Answer::Executed(it) => *it)
    }

    async fn get_operation(
        &self,
        request: Request<wire::GetOperationRequest>,
    ) -> Result<Response<wire::GetOperationResponse>, Status> {
        let answer = self.ask(Call::Get(request.into_inner())).await?;
        expect!(answer, Answer::Operation(it) => wire::GetOperationResponse { operation: Some(*it) })
    }

    async fn list_operations(
        &self,
        request: Request<wire::ListOperationsRequest>,
    ) -> Result<Response<wire::ListOperationsResponse>, Status> {
        let answer = self.ask(Call::List(request.into_inner())).await?;
        expect!(answer, Answer::Operations(it) => it)
    }

    async fn abort_operation(
        &self,
        request: Request<wire::AbortOperationRequest>,
    ) -> Result<Response<wire::AbortOperationResponse>, Status> {
        let answer = self.ask(Call::Abort(request.into_inner())).await?;
        expect!(answer, Answer::Operation(it) => wire::AbortOperationResponse { operation: Some(*it) })
    }

    async fn hold_operation(
        &self,
        request: Request<wire::HoldOperationRequest>,
    ) -> Result<Response<wire::HoldOperationResponse>, Status> {
        let answer = self.ask(Call::Hold(request.into_inner())).await?;
        expect!(answer, Answer::Operation(it) => wire::HoldOperationResponse { operation: Some(*it) })
    }

    async fn resume_operation(
        &self,
        request: Request<wire::ResumeOperationRequest>,
    ) -> Result<Response<wire::ResumeOperationResponse>, Status> {
        let answer = self.ask(Call::Resume(request.into_inner())).await?;
        expect!(answer, Answer::Operation(it) => wire::ResumeOperationResponse { operation: Some(*it) })
    }

    async fn halt(&self, request: Request<wire::HaltRequest>) -> Result<Response<wire::HaltResponse>, Status> {
        let answer = self.ask(Call::Halt(request.into_inner())).await?;
        expect!(answer, Answer::Status(it) => wire::HaltResponse { status: Some(*it) })
    }

    async fn clear_halt(
        &self,
        request: Request<wire::ClearHaltRequest>,
    ) -> Result<Response<wire::ClearHaltResponse>, Status> {
        let answer = self.ask(Call::ClearHalt(request.into_inner())).await?;
        expect!(answer, Answer::Status(it) => wire::ClearHaltResponse { status: Some(*it) })
    }

    async fn watch_instrument(
        &self,
        request: Request<wire::WatchInstrumentRequest>,
    ) -> Result<Response<BoxStream<wire::WatchInstrumentResponse>>, Status> {
        let request = request.into_inner();
        self.own(&request.instrument)?;
        let (watcher, events) = tokio::sync::mpsc::channel(EVENTS_WAITING);
        self.inbox.send(Input::Watch(request, watcher)).map_err(|_| Status::unavailable("the driver is going down"))?;
        let events = ReceiverStream::new(events).map(|event| Ok(wire::WatchInstrumentResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(events)))
    }

    async fn read_artifact(
        &self,
        request: Request<wire::ReadArtifactRequest>,
    ) -> Result<Response<BoxStream<wire::ReadArtifactResponse>>, Status> {
        let wire::ReadArtifactRequest { instrument, operation_id, artifact_id, offset } = request.into_inner();
        let get = wire::GetOperationRequest { instrument, operation_id, ..Default::default() };
        let Answer::Operation(operation) = self.ask(Call::Get(get)).await? else { return Err(wrong()) };
        let artifact = operation.artifacts.iter().find(|artifact| artifact.id == artifact_id).ok_or_else(|| {
            let words = format!("operation {:?} has no artifact {artifact_id:?}", operation.id);
            status(Reason::ArtifactNotFound.refuse(words))
        })?;
        if !(0..=artifact.size_bytes).contains(&offset) {
            let words = format!("offset {offset} is outside [0, {}]", artifact.size_bytes);
            return Err(status(Reason::OutOfRange.refuse(words)));
        }
        let (pieces, told) = tokio::sync::mpsc::channel(PIECES_WAITING);
        let artifacts = self.artifacts.clone();
        tokio::task::spawn_blocking(move || {
            let sent = send_pieces(&artifacts, (&operation.id, &artifact_id), offset, &pieces);
            if let Err(error) = sent {
                // The reader sees a broken stream, and how far it came: it may try again from there.
                let _ = pieces.blocking_send(Err(Status::data_loss(format!("the artifact can't be read: {error}"))));
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }

    async fn update_consumable(
        &self,
        request: Request<wire::UpdateConsumableRequest>,
    ) -> Result<Response<wire::UpdateConsumableResponse>, Status> {
        let answer = self.ask(Call::UpdateConsumable(request.into_inner())).await?;
        expect!(answer, Answer::Consumable(it) => wire::UpdateConsumableResponse { consumable: Some(it) })
    }
}

type Piece = Result<wire::ReadArtifactResponse, Status>;

/// Until the end, or until nobody reads any more.
fn send_pieces(
    artifacts: &Artifacts,
    (operation, artifact): (&str, &str),
    offset: i64,
    pieces: &tokio::sync::mpsc::Sender<Piece>,
) -> std::io::Result<()> {
    let mut at = u64::try_from(offset).unwrap_or_default();
    let mut file = artifacts.open(operation, artifact, at)?;
    loop {
        let mut data = Vec::with_capacity(PIECE_BYTES);
        (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut data)?;
        let read = data.len() as u64;
        let piece = wire::ReadArtifactResponse { offset: i64::try_from(at).unwrap_or(i64::MAX), data };
        if read == 0 || pieces.blocking_send(Ok(piece)).is_err() {
            return Ok(());
        }
        at += read;
    }
}

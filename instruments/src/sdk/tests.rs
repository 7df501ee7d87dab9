//! A small driver, served in this process and called over a socket.
#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

use super::{
    Call, Driver, Manifest, ManifestError, Options, Outcome, StopReason, async_trait, capability, instrument, serve,
};
use crate::wire::instrument_service_client::InstrumentServiceClient;
use crate::wire::operation::State;
use crate::wire::{self, Fault, Operation};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;

const MINUTE: Duration = Duration::from_secs(60);

/// How long it takes to come to rest.
const REST: Duration = Duration::from_millis(300);

/// Waves, unless it is told to trip.
struct Waver {
    begun: Arc<AtomicUsize>,
    rested: Arc<AtomicUsize>,
}

#[async_trait]
impl Driver for Waver {
    fn manifest(&self) -> Result<Manifest, ManifestError> {
        let wave = capability("waver.wave").text("how", 20).abortable().takes(MINUTE, MINUTE);
        instrument("waver", "Waver").made_by("Tests", "W1", "1").can(wave).build()
    }

    async fn run(&self, mut call: Call) -> Result<Outcome, Fault> {
        assert!(self.rested.load(Ordering::SeqCst) > 0, "it begins before the hardware has come to rest");
        self.begun.fetch_add(1, Ordering::SeqCst);
        call.progress(0.5, "waving");
        match call.text("how")? {
            "trip" => panic!("tripped over a cable"),
            "for ever" => {
                call.cancelled().await;
                Err(call.cut_short(wire::SampleEffect::None))
            }
            _ => Ok(Outcome::default()),
        }
    }

    async fn safe_state(&self, _why: StopReason) {
        tokio::time::sleep(REST).await;
        self.rested.fetch_add(1, Ordering::SeqCst);
    }
}

struct Served {
    _folder: tempfile::TempDir,
    address: String,
    begun: Arc<AtomicUsize>,
}

async fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("address");
    let begun = Arc::new(AtomicUsize::new(0));
    let options = Options { address_file: Some(file.clone()), ..Options::local(folder.path().join("journal")) };
    tokio::spawn(serve(Waver { begun: Arc::clone(&begun), rested: Arc::default() }, options));
    for _ in 0..1_000 {
        if let Some(address) = std::fs::read_to_string(&file).ok().and_then(|it| it.lines().next().map(str::to_owned)) {
            return Served { _folder: folder, address, begun };
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the driver doesn't say where it listens")
}

async fn client(served: &Served) -> (InstrumentServiceClient<Channel>, i64) {
    let mut client = InstrumentServiceClient::connect(served.address.clone()).await.unwrap();
    let lease = wire::AcquireLeaseRequest {
        instrument: "waver".into(),
        holder: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee".into(),
        holder_epoch: 1,
        ttl: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..Default::default()
    };
    let token = client.acquire_lease(lease).await.unwrap().into_inner().lease.unwrap().fencing_token;
    (client, token)
}

fn wave(number: u8, token: i64, how: &str) -> wire::ExecuteRequest {
    let value = wire::Value { kind: Some(wire::value::Kind::Text(how.into())) };
    wire::ExecuteRequest {
        instrument: "waver".into(),
        operation_id: format!("0f4c2a6e-7d1b-4c55-9a10-0000000000{number:02}"),
        fencing_token: token,
        capability: "waver.wave".into(),
        capability_version: "1.0.0".into(),
        arguments: vec![wire::Argument { id: "how".into(), value: Some(value) }],
        request_hash: vec![number; 32],
        ..Default::default()
    }
}

async fn ended(client: &mut InstrumentServiceClient<Channel>, request: &wire::ExecuteRequest) -> Operation {
    loop {
        let get = wire::GetOperationRequest {
            instrument: "waver".into(),
            operation_id: request.operation_id.clone(),
            last_seen_sequence: i64::MAX,
            wait: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        };
        let operation = client.get_operation(get).await.unwrap().into_inner().operation.unwrap();
        match operation.state() {
            State::Accepted | State::Running | State::Aborting => {}
            _ => return operation,
        }
    }
}

#[tokio::test]
async fn code_that_panics_fails_its_operation_and_no_other() {
    let served = served().await;
    let (mut client, token) = client(&served).await;
    let trip = wave(1, token, "trip");
    client.execute(trip.clone()).await.unwrap();
    let operation = ended(&mut client, &trip).await;
    assert_eq!(operation.state(), State::Failed);
    let fault = operation.fault.unwrap();
    assert_eq!(fault.category(), wire::fault::Category::DriverBug, "{fault:?}");
    let well = wave(2, token, "well");
    client.execute(well.clone()).await.unwrap();
    assert_eq!(ended(&mut client, &well).await.state(), State::Succeeded);
    assert_eq!(served.begun.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn with_a_new_journal_nothing_begins_before_the_hardware_has_come_to_rest() {
    let served = served().await;
    let (mut client, token) = client(&served).await;
    let well = wave(1, token, "well");
    client.execute(well.clone()).await.unwrap();
    // The code itself checks it.
    assert_eq!(ended(&mut client, &well).await.state(), State::Succeeded);
}

#[tokio::test]
async fn an_operation_is_told_to_stop_and_its_end_is_aborted() {
    let served = served().await;
    let (mut client, token) = client(&served).await;
    let long = wave(1, token, "for ever");
    client.execute(long.clone()).await.unwrap();
    let abort = wire::AbortOperationRequest {
        instrument: "waver".into(),
        operation_id: long.operation_id.clone(),
        fencing_token: token,
        ..Default::default()
    };
    client.abort_operation(abort).await.unwrap();
    assert_eq!(ended(&mut client, &long).await.state(), State::Aborted);
}

#[tokio::test]
async fn a_watcher_hears_of_an_operation_from_its_acceptance_to_its_end() {
    let served = served().await;
    let (mut client, token) = client(&served).await;
    let request = wire::WatchInstrumentRequest { instrument: "waver".into(), ..Default::default() };
    let mut events = client.watch_instrument(request).await.unwrap().into_inner();
    client.execute(wave(1, token, "well")).await.unwrap();
    let mut last = 0;
    loop {
        let event = events.next().await.unwrap().unwrap().event.unwrap();
        assert!(event.sequence >= last, "sequences fall");
        last = event.sequence;
        if let Some(wire::instrument_event::Event::Operation(operation)) = event.event
            && operation.state() == State::Succeeded
        {
            return;
        }
    }
}

#[tokio::test]
async fn health_and_reflection_stand_beside_the_contract() {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let served = served().await;
    let channel = tonic::transport::Endpoint::from_shared(served.address.clone()).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    let service = "eutectic.instrument.v1.InstrumentService".to_owned();
    let checked = health.check(tonic_health::pb::HealthCheckRequest { service: service.clone() }).await.unwrap();
    assert_eq!(checked.into_inner().status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
    let mut reflection = ServerReflectionClient::new(channel);
    let request = tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = reflection.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.next().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(listed) = answer else { panic!("{answer:?}") };
    assert!(listed.service.iter().any(|it| it.name == service), "{listed:?}");
}

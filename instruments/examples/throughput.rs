//! How many operations a second one driver does with its journal synced, beside what the disk and a bare gRPC call allow.
//! `cargo run --release -p eutectic-instruments --example throughput [FOLDER]`: the folder decides which disk is measured.
#![expect(clippy::print_stdout, reason = "it prints a table")]

use eutectic_instruments::journal::{Journal, RedbJournal};
use eutectic_instruments::machine::{Record, RecordKind};
use eutectic_instruments::sdk::{
    Call, Driver, Fault, Manifest, ManifestError, Options, Outcome, SampleEffect, StopReason, async_trait, capability,
    instrument, serve,
};
use eutectic_instruments::wire::instrument_service_client::InstrumentServiceClient;
use eutectic_instruments::wire::{AcquireLeaseRequest, ExecuteRequest, GetInstrumentRequest};
use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tonic::transport::Channel;

/// How long each line is measured.
const LASTS: Duration = Duration::from_secs(3);
/// Callers at once, for the second half of the table.
const CALLERS: usize = 64;
/// Bytes of a record: what an operation has.
const RECORD_BYTES: usize = 500;

struct Blinker;

#[async_trait]
impl Driver for Blinker {
    fn manifest(&self) -> Result<Manifest, ManifestError> {
        let blink = capability("blinker.blink").repeatable();
        instrument("blinker", "Blinker").concurrency(64, 1_000).can(blink.with(|it| it.max_concurrency = 64)).build()
    }
    async fn run(&self, _call: Call) -> Result<Outcome, Fault> {
        Ok(Outcome::new(SampleEffect::None))
    }
    async fn safe_state(&self, _why: StopReason) {}
}

/// How often a second something can be done.
fn rate(mut what: impl FnMut(u64) -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < LASTS {
        what(count.into())?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

/// The same of a call, by so many callers.
async fn calls<F>(
    callers: usize,
    call: impl Fn(usize, u64) -> F + Clone + Send + 'static,
) -> Result<f64, Box<dyn Error>>
where
    F: Future<Output = Result<(), tonic::Status>> + Send,
{
    let begun = Instant::now();
    let run = |caller| {
        let call = call.clone();
        tokio::spawn(async move {
            let mut count = 0_u32;
            while begun.elapsed() < LASTS {
                call(caller, count.into()).await?;
                count += 1;
            }
            Ok::<_, tonic::Status>(count)
        })
    };
    let mut all = 0;
    for caller in (0..callers).map(run).collect::<Vec<_>>() {
        all += caller.await??;
    }
    Ok(f64::from(all) / begun.elapsed().as_secs_f64())
}

fn disk(folder: &Path) -> Result<f64, Box<dyn Error>> {
    let mut file = File::create(folder.join("bare"))?;
    rate(|_| {
        file.write_all(&[7; RECORD_BYTES])?;
        Ok(file.sync_data()?)
    })
}

fn journal(folder: &Path) -> Result<f64, Box<dyn Error>> {
    let mut journal = RedbJournal::open(&folder.join("journal"))?;
    rate(|count| {
        let mut operation = eutectic_instruments::machine::OperationRecord::default();
        operation.operation.id = format!("operation-{count:020}");
        operation.operation.request_hash = vec![7; RECORD_BYTES];
        let record: Record = RecordKind::Operation(Box::new(operation)).into();
        Ok(journal.append(&[record])?)
    })
}

type Client = InstrumentServiceClient<Channel>;

/// Executes a new operation each time; it has ended by itself.
async fn execute(mut client: Client, token: i64, id: String) -> Result<(), tonic::Status> {
    let request = ExecuteRequest {
        instrument: "blinker".into(),
        operation_id: id,
        fencing_token: token,
        capability: "blinker.blink".into(),
        capability_version: "1.0.0".into(),
        request_hash: vec![7; 32],
        ..ExecuteRequest::default()
    };
    client.execute(request).await.map(|_| ())
}

async fn describe(mut client: Client) -> Result<(), tonic::Status> {
    client.get_instrument(GetInstrumentRequest { instrument: "blinker".into() }).await.map(|_| ())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "throughput".to_owned());
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let address = folder.join("address");
    let _ = std::fs::remove_file(&address);
    tokio::spawn(serve(
        Blinker,
        Options { address_file: Some(address.clone()), ..Options::local(folder.join("driver")) },
    ));
    while !address.exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let address = std::fs::read_to_string(&address)?.lines().next().unwrap_or_default().to_owned();
    let mut client = InstrumentServiceClient::connect(address).await?;
    let lease = AcquireLeaseRequest {
        instrument: "blinker".into(),
        holder: "throughput".into(),
        holder_epoch: i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?,
        ttl: Some(prost_types::Duration { seconds: 300, nanos: 0 }),
        ..Default::default()
    };
    let token = client.acquire_lease(lease).await?.into_inner().lease.unwrap_or_default().fencing_token;
    let (bare, redb) = (disk(folder)?, journal(folder)?);
    println!("{:<44} {:>8} {:>8}", "", "a second", "of disk");
    let line = |what: &str, rate: f64| println!("{what:<44} {rate:>8.0} {:>7.2}x", rate / bare);
    line("file, 500 bytes and fdatasync", bare);
    line("redb, one record and commit", redb);
    for callers in [1, CALLERS] {
        let one = client.clone();
        let echo = calls(callers, move |_, _| describe(one.clone())).await?;
        let one = client.clone();
        let begun = std::process::id();
        let name = move |caller: usize, count: u64| format!("{begun:08}-{callers:03}-{caller:03}-{count:010}");
        let done = calls(callers, move |caller, count| execute(one.clone(), token, name(caller, count))).await?;
        line(&format!("unary call without a journal, {callers} at once"), echo);
        line(&format!("Execute, journaled, {callers} at once"), done);
        println!("{:<44} {:>8.2}", format!("  Execute of unary call, {callers} at once"), done / echo);
    }
    Ok(())
}

//! What the machine allows: a write and a sync of the same disk, a call of the same runtime.

use eutectic_benchmarks::Fault;
use eutectic_proto::instrument::v1 as wire;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tonic::transport::Endpoint;
use wire::instrument_service_client::InstrumentServiceClient;

/// How long each is measured.
const LASTS: Duration = Duration::from_secs(2);
/// Bytes of an event.
const EVENT_BYTES: usize = 500;

/// Writes of so many events a second, each write synced.
pub(crate) fn durable(folder: &Path, events: u32) -> Result<f64, Fault> {
    let mut file = File::create(folder.join("bare"))?;
    let bytes = vec![0x5a; EVENT_BYTES * events as usize];
    let (begun, mut writes) = (Instant::now(), 0_u32);
    while begun.elapsed() < LASTS {
        file.write_all(&bytes)?;
        file.sync_data()?;
        writes += 1;
    }
    Ok(f64::from(writes) * f64::from(events) / begun.elapsed().as_secs_f64())
}

/// Unary calls a second, so many at once.
pub(crate) async fn calls(address: SocketAddr, callers: u32) -> Result<f64, Fault> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let begun = Instant::now();
    let call = |_| {
        let mut client = InstrumentServiceClient::new(channel.clone());
        tokio::spawn(async move {
            let mut calls = 0_u32;
            while begun.elapsed() < LASTS {
                client.get_status(wire::GetStatusRequest::default()).await?;
                calls += 1;
            }
            Ok::<_, tonic::Status>(calls)
        })
    };
    let mut sum = 0;
    for caller in (0..callers).map(call).collect::<Vec<_>>() {
        sum += caller.await??;
    }
    Ok(f64::from(sum) / begun.elapsed().as_secs_f64())
}

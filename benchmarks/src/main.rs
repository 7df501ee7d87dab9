//! Whole dispatch cycles (durable intent, Execute, durable result) a second, beside what the disk and a bare call allow in
//! the same run; memory; the time that a long journal takes to open.
//!
//! `cargo run --release -p eutectic-benchmarks [FOLDER]`: the folder decides which disk is measured.
#![expect(clippy::print_stdout, reason = "it prints tables")]

mod bare;
mod history;

use eutectic_benchmarks::{Fault, Rig, Stub};
use eutectic_core::{Command, Event, Workcell};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Operations in flight, and how many are done in all.
const ROUNDS: [(u32, u32); 5] = [(1, 2_000), (16, 16_000), (64, 16_000), (256, 16_000), (1_000, 16_000)];
/// At most so many campaigns share what is in flight.
const CAMPAIGNS: u32 = 64;
/// Events of a long journal.
const LONG: u64 = 400_000;
/// Entries that are read at once.
const CHUNK: usize = 10_000;

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let folder = tempfile::tempdir_in(folder)?;
    let address = Stub::default().serve().await?;
    let durable = (bare::durable(folder.path(), 1)?, bare::durable(folder.path(), 64)?);
    let calls = (bare::calls(address, 1).await?, bare::calls(address, 64).await?);
    println!(
        "bare: {:.0} synced writes/s, {:.0} events/s 64 a write; {:.0} calls/s, {:.0} with 64 callers",
        durable.0, durable.1, calls.0, calls.1
    );
    println!();
    println!("in flight   cycles/s   of synced writes   of calls   p50 ms   p99 ms   MB");
    for (in_flight, cycles) in ROUNDS {
        let round = round(&folder.path().join(format!("journal-{in_flight}")), in_flight, cycles).await?;
        let calls = if in_flight == 1 { calls.0 } else { calls.1 };
        println!(
            "{in_flight:>9} {:>10.0} {:>18.2} {:>10.2} {:>8} {:>8} {:>4.0}",
            round.rate,
            round.rate / durable.0,
            round.rate / calls,
            round.p50_ms,
            round.p99_ms,
            resident_mb()
        );
    }
    println!();
    let long = folder.path().join("long");
    history::fill(&long, LONG)?;
    let opened = history::open(&long).await?;
    println!(
        "{} events, {:.0} MB: replayed after {:.2} s, the first operation at its driver after {:.2} s",
        opened.events,
        opened.megabytes,
        opened.replayed.as_secs_f64(),
        opened.dispatched.as_secs_f64()
    );
    Ok(())
}

struct Round {
    rate: f64,
    p50_ms: i64,
    p99_ms: i64,
}

async fn round(folder: &Path, in_flight: u32, cycles: u32) -> Result<Round, Fault> {
    let address = Stub::default().serve().await?;
    let rig = Rig::start(folder, address, in_flight).await?;
    rig.ready(in_flight).await?;
    let campaigns = in_flight.min(CAMPAIGNS);
    let begun = Instant::now();
    for number in 0..campaigns {
        rig.add(&format!("c{number}"), cycles / campaigns, in_flight.div_ceil(campaigns)).await?;
    }
    let done = |workcell: &Workcell| {
        workcell.campaigns.values().map(|it| it.operations).sum::<u64>() - workcell.operations.len() as u64
    };
    while rig.handle().read(done).await? < cycles.into() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let lasted = begun.elapsed().as_secs_f64();
    for number in 0..campaigns {
        let command = Command::AbortCampaign { campaign: format!("c{number}").as_str().into(), by: "us".to_owned() };
        rig.handle().report(command).await?;
    }
    let mut latencies = latencies(&rig).await?;
    latencies.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len() * share / 100).copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = latencies.len() as f64 / lasted;
    let round = Round { rate, p50_ms: at(50), p99_ms: at(99) };
    rig.engine.close().await?;
    Ok(round)
}

/// Milliseconds from each durable intent to its durable result, as the journal has them.
async fn latencies(rig: &Rig) -> Result<Vec<i64>, Fault> {
    let (mut begun, mut latencies, mut next) = (BTreeMap::new(), Vec::new(), 1);
    loop {
        let entries = rig.handle().log(next, CHUNK).await??;
        let Some((last, _)) = entries.last() else { return Ok(latencies) };
        next = last.seq + 1;
        for (_, recorded) in entries {
            if let Event::OperationDispatched(dispatch) = recorded.event {
                begun.insert(dispatch.operation, recorded.at);
            } else if let Event::OperationEnded { operation, .. } = recorded.event
                && let Some(at) = begun.remove(&operation)
            {
                latencies.push(recorded.at.since(at));
            }
        }
    }
}

/// Of this whole process, the stub included; 0 where the system doesn't say.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|it| it.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

//! What watchers are told.

use super::bench::{Bench, Client, accepted};
use super::run::execute;
use super::{Outcome, Stop, left_out, wrong};
use crate::wire::instrument_event::Event;
use crate::wire::{self, InstrumentEvent};
use std::time::Duration;
use tonic::Streaming;

/// Operations that a slow reader sleeps through.
const OPERATIONS: usize = 3;
/// How long events may take to arrive once they have happened.
const ARRIVAL: Duration = Duration::from_secs(5);

type Events = Streaming<wire::WatchInstrumentResponse>;

async fn watch(client: &mut Client, instrument: &str, seen: i64) -> Result<Events, Stop> {
    let request = wire::WatchInstrumentRequest { instrument: instrument.to_owned(), last_seen_sequence: seen };
    Ok(accepted(client.watch_instrument(request).await, "WatchInstrument")?.into_inner())
}

/// Until this number has come, the stream has ended, or nothing comes any more; without Progress, which may be lost.
async fn hear(events: &mut Events, seen: i64, until: i64) -> Vec<InstrumentEvent> {
    let mut heard = Vec::new();
    while let Ok(Ok(Some(told))) = tokio::time::timeout(ARRIVAL, events.message()).await {
        let Some(event) = told.event.filter(|it| it.sequence > seen) else { continue };
        let sequence = event.sequence;
        if !matches!(event.event, Some(Event::Progress(_))) {
            heard.push(event);
        }
        if sequence >= until {
            break;
        }
    }
    heard
}

pub(super) async fn resumes(bench: &mut Bench) -> Outcome {
    let id = execute(bench).await?;
    let ended = bench.ended(&id).await?;
    let instrument = bench.instrument.id.clone();
    let mut events = watch(&mut bench.client, &instrument, ended.last_sequence.saturating_sub(1)).await?;
    let heard = hear(&mut events, 0, ended.last_sequence).await;
    if heard.iter().any(|event| event.operation_id == id && event.sequence >= ended.last_sequence) {
        return Ok(());
    }
    Err(wrong(
        "a watch from an earlier sequence tells what came after it",
        "the operation's end is not told again",
        "keep events of the last operations, and begin with those past last_seen_sequence",
    ))
}

pub(super) async fn slow_reader(bench: &mut Bench) -> Outcome {
    let id = execute(bench).await?;
    let seen = bench.ended(&id).await?.last_sequence;
    let instrument = bench.instrument.id.clone();
    // On connections of their own: one that is not read must not stop the other.
    let (mut one, mut two) = (bench.another_client(), bench.another_client());
    let mut slow = watch(&mut one, &instrument, seen).await?;
    let mut quick = watch(&mut two, &instrument, seen).await?;
    let reading = tokio::spawn(async move { hear(&mut quick, seen, i64::MAX).await });
    let mut last = seen;
    for _ in 0..OPERATIONS {
        let id = execute(bench).await?;
        last = bench.ended(&id).await?.last_sequence;
    }
    let slowly = hear(&mut slow, seen, last).await;
    let quickly = reading.await.map_err(|error| left_out(error.to_string()))?;
    let end = slowly.last().map_or(seen, |event| event.sequence);
    let part: Vec<_> = quickly.iter().filter(|event| event.sequence <= end).collect();
    if part.iter().map(|event| event.sequence).eq(slowly.iter().map(|event| event.sequence)) && !quickly.is_empty() {
        return Ok(());
    }
    let came = format!("{} events to one that reads at once, {} to one that reads late", part.len(), slowly.len());
    let mend = "drop Progress for a reader that falls behind, then close its stream; never drop anything else";
    Err(wrong("the same events, but for Progress, up to where a stream ended", came, mend))
}

//! Stops: halt, and the dead man's handle.

use super::bench::{Bench, SHORT_LEASE, accepted, refused};
use super::{Outcome, left_out, wrong};
use crate::wire;
use crate::wire::operation::State;
use std::time::Duration;

/// Streams that are open while a halt has to be heard.
const STREAMS: usize = 100;
const HALT_LIMIT: Duration = Duration::from_secs(5);

async fn halted(bench: &mut Bench) -> Result<String, super::Stop> {
    let request = wire::HaltRequest { instrument: bench.instrument.id.clone(), reason: "conformance".into() };
    // From another terminal, as an operator does it: a connection of its own.
    let mut client = bench.another_client();
    let answer = tokio::time::timeout(HALT_LIMIT, client.halt(request)).await;
    let late = |_| wrong("Halt is answered within 5 s", "no answer", "serve halt apart from everything that can wait");
    let status = accepted(answer.map_err(late)?, "Halt without any lease")?.into_inner().status.unwrap_or_default();
    if status.halt_id.is_empty() {
        return Err(wrong("a halt_id", "none", "name each halt, so that clearing an older one is noticed"));
    }
    Ok(status.halt_id)
}

async fn latched(bench: &mut Bench) -> Outcome {
    let token = bench.lease().await?.fencing_token;
    let request = bench.request(token)?;
    let mend = "a halt latches: refuse every Execute until a person has cleared it";
    refused(bench.client.execute(request).await, "HALTED", mend)
}

pub(super) async fn halt(bench: &mut Bench) -> Outcome {
    // On a connection of their own: what nobody reads fills it up, and that is not what is checked here.
    let mut watching = bench.another_client();
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let instrument = bench.instrument.id.clone();
        let request = wire::WatchInstrumentRequest { instrument, last_seen_sequence: i64::MAX };
        streams.push(accepted(watching.watch_instrument(request).await, "WatchInstrument")?);
    }
    halted(bench).await?;
    latched(bench).await?;
    drop(streams);
    match bench.restart().await {
        Err(super::Stop::LeftOut(_)) => Ok(()),
        Err(stop) => Err(stop),
        Ok(()) => latched(bench).await,
    }
}

pub(super) async fn stale_clear(bench: &mut Bench) -> Outcome {
    let first = halted(bench).await?;
    let clear = |halt_id: &str, instrument: &str| wire::ClearHaltRequest {
        instrument: instrument.to_owned(),
        halt_id: halt_id.to_owned(),
        person: "the conformance kit".into(),
        statement: "nothing was halted for a reason".into(),
    };
    let instrument = bench.instrument.id.clone();
    accepted(bench.client.clear_halt(clear(&first, &instrument)).await, "ClearHalt")?;
    halted(bench).await?;
    let mend = "compare halt_id with the newest halt's: whoever clears has not seen that one";
    refused(bench.client.clear_halt(clear(&first, &instrument)).await, "STALE_HALT", mend)?;
    let open = wire::Interlock { id: "kit".into(), closed: false, message: "opened by the kit".into() };
    match bench.conditions(Vec::new(), vec![open]).await {
        // On real hardware nobody opens an interlock for a test.
        Err(super::Stop::LeftOut(_)) => return Ok(()),
        other => other?,
    }
    let newest = bench.status().await?.halt_id;
    let mend = "an open interlock keeps the halt: whoever clears has not seen the instrument";
    let verdict = refused(bench.client.clear_halt(clear(&newest, &instrument)).await, "INTERLOCK_OPEN", mend);
    bench.conditions(Vec::new(), Vec::new()).await?;
    verdict
}

pub(super) async fn lease_loss(bench: &mut Bench) -> Outcome {
    if !bench.capability()?.abortable {
        return Err(left_out("the capability is not abortable"));
    }
    let token = bench.lease_for(SHORT_LEASE).await?.fencing_token;
    let mut request = bench.request(token)?;
    request.lease_loss_policy = wire::execute_request::LeaseLossPolicy::SafeState.into();
    accepted(bench.client.execute(request.clone()).await, "Execute with lease_loss_policy SAFE_STATE")?;
    bench.pass(SHORT_LEASE + SHORT_LEASE / 2).await?;
    let before = accepted(bench.get(&request.operation_id).await, "GetOperation")?;
    if before.state() == State::Succeeded {
        return Err(left_out("the operation ends before its lease does: choose a longer one"));
    }
    let ended = bench.ended(&request.operation_id).await?;
    if ended.state() == State::Aborted {
        return Ok(());
    }
    let mend = "watch the lease while such an operation runs, and go to the safe state when it ends";
    Err(wrong("ABORTED once the lease is over", format!("{:?}", ended.state()), mend))
}

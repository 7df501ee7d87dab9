//! What is accepted and has not begun.

use super::bench::{Bench, LEASE, SHORT_LEASE, accepted};
use super::{Outcome, Stop, left_out, wrong};
use crate::wire::operation::State;
use crate::wire::{Operation, SampleEffect};
use std::time::Duration;

/// Fills the instrument until something waits. Result: what runs, and what waits.
async fn waiting(bench: &mut Bench, lease: Duration) -> Result<(Vec<String>, String), Stop> {
    if bench.instrument.queue_depth < 1 {
        return Err(left_out("the instrument has no queue: what is accepted begins at once"));
    }
    let token = bench.lease_for(lease).await?.fencing_token;
    let mut running = Vec::new();
    for _ in 0..bench.instrument.max_concurrency.max(1) + bench.instrument.queue_depth {
        let request = bench.request(token)?;
        let answer = accepted(bench.client.execute(request).await, "Execute while there is room in the queue")?;
        let operation = answer.into_inner().operation.unwrap_or_default();
        if operation.state() == State::Accepted {
            return Ok((running, operation.id));
        }
        running.push(operation.id);
    }
    Err(left_out("nothing waits: the operations end too quickly; choose a longer one"))
}

fn never_started(operation: &Operation, mend: &str) -> Outcome {
    let fault = operation.fault.clone().unwrap_or_default();
    let none = operation.sample_effect() == SampleEffect::None;
    if operation.state() == State::Failed && fault.reason == "NEVER_STARTED" && none {
        return Ok(());
    }
    let came = format!("{:?} {}, sample {:?}", operation.state(), fault.reason, operation.sample_effect());
    Err(wrong("FAILED NEVER_STARTED, sample NONE", came, mend))
}

pub(super) async fn killed_accepted(bench: &mut Bench) -> Outcome {
    bench.can_restart()?;
    let before = bench.starts();
    let (running, waiting) = waiting(bench, LEASE).await?;
    bench.restart().await?;
    let operation = bench.ended(&waiting).await?;
    never_started(&operation, "an accepted operation that a crash meets never starts: say so, for it proves NONE")?;
    for id in &running {
        bench.ended(id).await?;
    }
    bench.started(before, running.len())
}

pub(super) async fn lease_gone(bench: &mut Bench) -> Outcome {
    let before = bench.starts();
    let (running, waiting) = waiting(bench, SHORT_LEASE).await?;
    bench.pass(SHORT_LEASE + SHORT_LEASE / 2).await?;
    for id in &running {
        let operation = accepted(bench.get(id).await, "GetOperation")?;
        if crate::machine::has_ended(operation.state()) {
            return Err(left_out("the operation ends before its lease does: choose a longer one"));
        }
    }
    for id in &running {
        bench.ended(id).await?;
    }
    let operation = bench.ended(&waiting).await?;
    never_started(&operation, "ask for the lease again when an operation's turn comes, not only when it is accepted")?;
    bench.started(before, running.len())
}

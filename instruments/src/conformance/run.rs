//! Operations: started once, told of truly, stopped when told to.

use super::bench::{Bench, LEASE, accepted, reason, refused};
use super::{Outcome, Stop, left_out, wrong};
use crate::wire::operation::State;
use crate::wire::{Operation, SampleEffect};
use std::time::Duration;

fn state(operation: &Operation, wanted: State, mend: &str) -> Outcome {
    if operation.state() == wanted {
        return Ok(());
    }
    let fault = operation.fault.as_ref().map_or_else(String::new, |it| format!(": {} {}", it.reason, it.message));
    Err(wrong(format!("{wanted:?}"), format!("{:?}{fault}", operation.state()), mend))
}

/// Executes and returns the operation's id.
pub(super) async fn execute(bench: &mut Bench) -> Result<String, Stop> {
    let token = bench.lease().await?.fencing_token;
    let request = bench.request(token)?;
    let id = request.operation_id.clone();
    accepted(bench.client.execute(request).await, "Execute with valid arguments")?;
    Ok(id)
}

pub(super) async fn succeeds(bench: &mut Bench) -> Outcome {
    let before = bench.starts();
    let id = execute(bench).await?;
    let operation = bench.ended(&id).await?;
    state(&operation, State::Succeeded, "the middle of the declared ranges has to work; else say --argument")?;
    bench.started(before, 1)
}

pub(super) async fn sequences(bench: &mut Bench) -> Outcome {
    let id = execute(bench).await?;
    let first = bench.ended(&id).await?.last_sequence;
    let restarted = bench.restart().await;
    if let Err(Stop::Wrong(_)) = &restarted {
        return restarted;
    }
    let id = execute(bench).await?;
    let second = bench.ended(&id).await?.last_sequence;
    if first > 0 && second > first {
        return Ok(());
    }
    let mend = "reserve sequence numbers in synced blocks, so that none is ever used twice";
    Err(wrong("sequence numbers rise for ever", format!("{first}, then {second}"), mend))
}

pub(super) async fn attaches(bench: &mut Bench) -> Outcome {
    let token = bench.lease().await?.fencing_token;
    let (request, before) = (bench.request(token)?, bench.starts());
    accepted(bench.client.execute(request.clone()).await, "Execute")?;
    for _ in 0..2 {
        let again = accepted(bench.client.execute(request.clone()).await, "Execute with a known id and the same hash")?;
        if !again.into_inner().attached {
            return Err(wrong(
                "attached = true for a known id",
                "attached = false",
                "look the id up in the journal first",
            ));
        }
        bench.ended(&request.operation_id).await?;
    }
    bench.started(before, 1)
}

pub(super) async fn other_hash(bench: &mut Bench) -> Outcome {
    let token = bench.lease().await?.fencing_token;
    let (mut request, before) = (bench.request(token)?, bench.starts());
    accepted(bench.client.execute(request.clone()).await, "Execute")?;
    request.request_hash = vec![9; 32];
    let mend = "keep the hash with the id: another one is another operation";
    refused(bench.client.execute(request.clone()).await, "OPERATION_ID_REUSED", mend)?;
    bench.ended(&request.operation_id).await?;
    bench.started(before, 1)
}

pub(super) async fn two_at_once(bench: &mut Bench) -> Outcome {
    let token = bench.lease().await?.fencing_token;
    let (request, before) = (bench.request(token)?, bench.starts());
    let (mut one, mut two) = (bench.client.clone(), bench.client.clone());
    let (first, second) = tokio::join!(one.execute(request.clone()), two.execute(request.clone()));
    let first = accepted(first, "Execute")?.into_inner();
    let second = accepted(second, "the same Execute at the same time")?.into_inner();
    bench.ended(&request.operation_id).await?;
    if first.attached == second.attached {
        let came = format!("attached = {} and {}", first.attached, second.attached);
        return Err(wrong(
            "one of two sends starts it, the other attaches",
            came,
            "take the journal's lock for the lookup",
        ));
    }
    bench.started(before, 1)
}

pub(super) async fn lost_reply(bench: &mut Bench) -> Outcome {
    let token = bench.lease().await?.fencing_token;
    let (request, before) = (bench.request(token)?, bench.starts());
    let mut client = bench.client.clone();
    let sent = request.clone();
    // The client gives up while the call is on the way: whether it arrived, nobody knows.
    let call = tokio::spawn(async move { client.execute(sent).await });
    tokio::time::sleep(Duration::from_millis(5)).await;
    call.abort();
    tokio::time::sleep(Duration::from_millis(50)).await;
    accepted(bench.client.execute(request.clone()).await, "Execute again after a lost reply")?;
    state(&bench.ended(&request.operation_id).await?, State::Succeeded, "a client's going away aborts nothing")?;
    bench.started(before, 1)
}

pub(super) async fn race(bench: &mut Bench) -> Outcome {
    for _ in 0..5 {
        let token = bench.lease().await?.fencing_token;
        let (request, before) = (bench.request(token)?, bench.starts());
        let (holder, epoch) = (bench.holder(), bench.next_epoch());
        let takeover = bench.lease_request(&holder, epoch, LEASE);
        let (mut one, mut two) = (bench.client.clone(), bench.client.clone());
        let (executed, taken) = tokio::join!(one.execute(request.clone()), two.acquire_lease(takeover));
        accepted(taken, "AcquireLease with a higher epoch")?;
        let known = bench.get(&request.operation_id).await;
        match (&executed, &known) {
            (Ok(_), Ok(_)) => {
                bench.ended(&request.operation_id).await?;
                bench.started(before, 1)?;
            }
            (Err(status), Err(_)) if reason(status).as_deref() == Some("STALE_TOKEN") => bench.started(before, 0)?,
            _ => {
                let told = |ok: bool| if ok { "accepted" } else { "refused" };
                let came =
                    format!("{}, and then {}", told(executed.is_ok()), if known.is_ok() { "known" } else { "unknown" });
                let mend = "order leases and operations in one journal, one after the other";
                return Err(wrong("accepted and known, or refused and unknown", came, mend));
            }
        }
    }
    Ok(())
}

pub(super) async fn tombstone(bench: &mut Bench) -> Outcome {
    let token = bench.lease().await?.fencing_token;
    let (request, before) = (bench.request(token)?, bench.starts());
    let abort = bench.abort_request(&request.operation_id, token);
    let buried = accepted(bench.client.abort_operation(abort).await, "AbortOperation of an unknown id")?;
    let buried = buried.into_inner().operation.unwrap_or_default();
    if buried.state() != State::Aborted || buried.sample_effect() != SampleEffect::None {
        let came = format!("{:?}, sample {:?}", buried.state(), buried.sample_effect());
        return Err(wrong("a tombstone: ABORTED, sample NONE", came, "journal the id as aborted, though it never was"));
    }
    let late = bench.client.execute(request.clone()).await;
    let started =
        late.as_ref().is_ok_and(|it| it.get_ref().operation.as_ref().is_some_and(|it| it.state() != State::Aborted));
    if started {
        return Err(wrong("the late Execute does not start it", "it was accepted", "look the id up before accepting"));
    }
    bench.started(before, 0)
}

/// An operation that runs; left out where the capability can't be stopped, or ends at once.
async fn stoppable(bench: &mut Bench) -> Result<(String, i64), Stop> {
    if !bench.capability()?.abortable {
        return Err(left_out("the capability is not abortable"));
    }
    let token = bench.lease().await?.fencing_token;
    let request = bench.request(token)?;
    accepted(bench.client.execute(request.clone()).await, "Execute")?;
    let operation = bench.running(&request.operation_id).await?;
    if crate::machine::has_ended(operation.state()) {
        return Err(left_out("the operation ends too quickly to be stopped: choose a longer one"));
    }
    Ok((request.operation_id, token))
}

pub(super) async fn aborts(bench: &mut Bench) -> Outcome {
    let (id, token) = stoppable(bench).await?;
    let request = bench.abort_request(&id, token);
    accepted(bench.client.abort_operation(request).await, "AbortOperation")?;
    let operation = bench.ended(&id).await?;
    state(&operation, State::Aborted, "stop, go to the safe state, and end it as aborted")?;
    if operation.sample_effect() == SampleEffect::Unspecified {
        return Err(wrong("what became of the sample", "nothing is said", "fill in sample_effect at every end"));
    }
    Ok(())
}

pub(super) async fn aborts_twice(bench: &mut Bench) -> Outcome {
    let (id, token) = stoppable(bench).await?;
    for _ in 0..2 {
        let request = bench.abort_request(&id, token);
        accepted(bench.client.abort_operation(request).await, "AbortOperation, twice")?;
    }
    state(&bench.ended(&id).await?, State::Aborted, "a second abort attaches to the first")
}

pub(super) async fn aborts_after(bench: &mut Bench) -> Outcome {
    let id = execute(bench).await?;
    let before = bench.ended(&id).await?;
    let token = bench.lease().await?.fencing_token;
    let request = bench.abort_request(&id, token);
    let after = accepted(bench.client.abort_operation(request).await, "AbortOperation of an ended operation")?;
    let after = after.into_inner().operation.unwrap_or_default();
    state(&after, before.state(), "an end never changes: answer with it")
}

pub(super) async fn killed_running(bench: &mut Bench) -> Outcome {
    bench.can_restart()?;
    let before = bench.starts();
    let id = execute(bench).await?;
    let running = bench.running(&id).await?;
    bench.restart().await?;
    let operation = bench.ended(&id).await?;
    let was_over = crate::machine::has_ended(running.state());
    let allowed = if was_over {
        vec![running.state()]
    } else {
        vec![State::Interrupted, State::Succeeded, State::Failed, State::Aborted]
    };
    if !allowed.contains(&operation.state()) {
        let mend = "journal RUNNING before the first movement; after a restart ask the instrument, or say INTERRUPTED";
        return Err(wrong(format!("one of {allowed:?}"), format!("{:?}", operation.state()), mend));
    }
    bench.started(before, 1)
}

pub(super) async fn same_after_restart(bench: &mut Bench) -> Outcome {
    bench.can_restart()?;
    let token = bench.lease().await?.fencing_token;
    let (mut request, before) = (bench.request(token)?, bench.starts());
    accepted(bench.client.execute(request.clone()).await, "Execute")?;
    let first = bench.ended(&request.operation_id).await?;
    bench.restart().await?;
    request.fencing_token = bench.lease().await?.fencing_token;
    let again = accepted(bench.client.execute(request.clone()).await, "the same Execute after a restart")?.into_inner();
    let same = again.operation.as_ref().is_some_and(|it| it.state() == first.state());
    if !again.attached || !same {
        let came = format!("attached = {}, {:?}", again.attached, again.operation.map(|it| it.state()));
        return Err(wrong(format!("attached = true, {:?}", first.state()), came, "keep ids and ends for ever, synced"));
    }
    bench.started(before, 1)
}

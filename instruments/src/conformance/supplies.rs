//! What an instrument must have at hand before it moves, and how long it may go on.

use super::bench::{Bench, accepted, refused};
use super::{Outcome, Stop, left_out, wrong};
use crate::wire::calibration::State as Validity;
use crate::wire::instrument::TimeMode;
use crate::wire::operation::State;
use crate::wire::{self, Calibration, Consumable, Quantity};
use std::time::Duration;
use uuid::Uuid;

/// How often an operation is looked at until it is held.
const LOOKS_MAX: usize = 100;
/// One that went on for so many looks had the time to come to a safe point.
const LOOKS_HELD: usize = 4;
/// A limit longer than this is not waited for where time is real.
const LIMIT_WAITED_FOR: Duration = Duration::from_secs(60);

pub(super) async fn calibration(bench: &mut Bench) -> Outcome {
    let invalid = |it: &Calibration| it.state() == Validity::Invalid;
    let is_so = bench.status().await?.calibrations.iter().any(invalid);
    if !is_so {
        let calibration = Calibration { id: "kit".into(), state: Validity::Invalid.into(), ..Calibration::default() };
        bench.conditions(vec![calibration], Vec::new()).await?;
    }
    let token = bench.lease().await?.fencing_token;
    let (request, before) = (bench.request(token)?, bench.starts());
    let mend = "a calibration that is INVALID refuses, before anything is accepted";
    let verdict = refused(bench.client.execute(request).await, "CALIBRATION_INVALID", mend);
    if !is_so {
        bench.conditions(Vec::new(), Vec::new()).await?;
    }
    verdict?;
    bench.started(before, 0)
}

pub(super) async fn consumable(bench: &mut Bench) -> Outcome {
    let capability = bench.capability()?;
    let status = bench.status().await?;
    let used = |it: &&Consumable| {
        !it.measured && it.remaining.is_some() && capability.usages.iter().any(|usage| usage.consumable_id == it.id)
    };
    let Some(stock) = status.consumables.iter().find(used) else {
        return Err(left_out("the capability uses no consumable that is counted (one with a sensor can't be emptied)"));
    };
    let empty = stock.remaining.clone().map(|it| Quantity { value: 0.0, ..it });
    update(bench, stock, empty).await?;
    let token = bench.lease().await?.fencing_token;
    let (request, before) = (bench.request(token)?, bench.starts());
    let mend = "compare what is left with what the capability typically uses, before anything is accepted";
    let verdict = refused(bench.client.execute(request).await, "CONSUMABLE_EXHAUSTED", mend);
    update(bench, stock, stock.remaining.clone()).await?;
    verdict?;
    bench.started(before, 0)
}

/// Says twice what is left: the second time must change nothing, and be no error.
async fn update(bench: &mut Bench, stock: &Consumable, remaining: Option<Quantity>) -> Outcome {
    let request = wire::UpdateConsumableRequest {
        instrument: bench.instrument.id.clone(),
        consumable: Some(Consumable { remaining: remaining.clone(), ..stock.clone() }),
        person: "the conformance kit".into(),
        request_id: Uuid::now_v7().to_string(),
    };
    for _ in 0..2 {
        let answer = accepted(bench.client.update_consumable(request.clone()).await, "UpdateConsumable")?;
        let now = answer.into_inner().consumable.unwrap_or_default().remaining;
        if now != remaining {
            let mend = "take what a person says for what is there, and answer with it";
            return Err(wrong(format!("remaining = {remaining:?}"), format!("{now:?}"), mend));
        }
    }
    Ok(())
}

pub(super) async fn max_duration(bench: &mut Bench) -> Outcome {
    let declared = bench.capability()?.max_duration.and_then(|it| Duration::try_from(it).ok());
    let Some(limit) = declared.filter(|it| !it.is_zero()) else {
        return Err(left_out("the capability declares no max_duration"));
    };
    if !bench.is_virtual() && limit > LIMIT_WAITED_FOR {
        return Err(left_out(format!("its limit of {} s is too long to wait for in real time", limit.as_secs())));
    }
    bench.inject(wire::Fault::default(), 0.0, true).await?;
    let token = bench.lease().await?.fencing_token;
    let request = bench.request(token)?;
    accepted(bench.client.execute(request.clone()).await, "Execute")?;
    bench.running(&request.operation_id).await?;
    bench.pass(limit + Duration::from_secs(1)).await?;
    let mut operation = accepted(bench.get(&request.operation_id).await, "GetOperation")?;
    for _ in 0..100 {
        if crate::machine::has_ended(operation.state()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        operation = accepted(bench.get(&request.operation_id).await, "GetOperation")?;
    }
    let reason = operation.fault.clone().unwrap_or_default().reason;
    if operation.state() == State::Failed && reason == "MAX_DURATION_EXCEEDED" {
        return Ok(());
    }
    let mend = "stop what runs past its declared limit, whatever its own code thinks of it";
    Err(wrong("FAILED MAX_DURATION_EXCEEDED", format!("{:?} {reason}", operation.state()), mend))
}

impl Bench {
    /// What has no hardware never runs dry; on real hardware nobody but a person knows what is in the bottle.
    pub(super) async fn restock(&mut self, status: &wire::InstrumentStatus) {
        if self.instrument.time_mode() == TimeMode::Real {
            return;
        }
        for stock in status.consumables.iter().filter(|it| !it.measured && it.capacity.is_some()) {
            // What refuses to be filled up says so in check 43.
            let _ = update(self, stock, stock.capacity.clone()).await;
        }
    }
}

/// The operation once it is in this state; what it was at last where it never came. And how often it was looked at.
async fn comes_to(bench: &mut Bench, id: &str, wanted: State) -> Result<(wire::Operation, usize), Stop> {
    let step = bench.step();
    for look in 0..LOOKS_MAX {
        let operation = accepted(bench.get(id).await, "GetOperation")?;
        if operation.state() == wanted || crate::machine::has_ended(operation.state()) {
            return Ok((operation, look));
        }
        bench.pass(step).await?;
    }
    Ok((accepted(bench.get(id).await, "GetOperation")?, LOOKS_MAX))
}

pub(super) async fn holds(bench: &mut Bench) -> Outcome {
    if !bench.capability()?.holdable {
        return Err(left_out("the capability is not holdable"));
    }
    let token = bench.lease().await?.fencing_token;
    let request = bench.request(token)?;
    let (id, instrument) = (request.operation_id.clone(), bench.instrument.id.clone());
    accepted(bench.client.execute(request).await, "Execute")?;
    bench.running(&id).await?;
    let hold =
        wire::HoldOperationRequest { instrument: instrument.clone(), operation_id: id.clone(), fencing_token: token };
    accepted(bench.client.hold_operation(hold).await, "HoldOperation of a holdable capability")?;
    let (held, looks) = comes_to(bench, &id, State::Held).await?;
    if crate::machine::has_ended(held.state()) && looks < LOOKS_HELD {
        return Err(left_out("the operation ends before it comes to a safe point: choose a longer one"));
    }
    let mend = "say HELD once the hardware stands still, and only then";
    if held.state() != State::Held {
        return Err(wrong("HELD soon after HoldOperation", format!("{:?}", held.state()), mend));
    }
    for _ in 0..10 {
        let step = bench.step();
        bench.pass(step).await?;
    }
    let still = accepted(bench.get(&id).await, "GetOperation")?;
    if still.state() != State::Held || still.progress > held.progress {
        let came = format!("{:?}, progress from {} to {}", still.state(), held.progress, still.progress);
        return Err(wrong("it stays HELD and makes no progress", came, "wait at the safe point until ResumeOperation"));
    }
    // Its lease may be over by now.
    let fencing_token = bench.lease().await?.fencing_token;
    let resume = wire::ResumeOperationRequest { instrument, operation_id: id.clone(), fencing_token };
    accepted(bench.client.resume_operation(resume).await, "ResumeOperation")?;
    let ended = bench.ended(&id).await?;
    if ended.state() == State::Succeeded {
        return Ok(());
    }
    let came = format!("{:?}", ended.state());
    Err(wrong("SUCCEEDED after it was held and resumed", came, "go on where it stood"))
}

//! Results: as declared, with what belongs to them.

use super::bench::{Bench, accepted};
use super::{Outcome, Stop, left_out, wrong};
use crate::wire::fault::{Category, Retry};
use crate::wire::field_spec::Domain;
use crate::wire::operation::State;
use crate::wire::value::Kind;
use crate::wire::{ExecuteRequest, Fault, Operation, SampleEffect};

pub(super) async fn succeeded(bench: &mut Bench) -> Result<Operation, Stop> {
    let token = bench.lease().await?.fencing_token;
    let request = bench.request(token)?;
    has_succeeded(bench, request).await
}

pub(super) async fn succeeded_at_top(bench: &mut Bench) -> Result<Operation, Stop> {
    let token = bench.lease().await?.fencing_token;
    let request = bench.request_at_top(token).await?;
    has_succeeded(bench, request).await
}

async fn has_succeeded(bench: &mut Bench, request: ExecuteRequest) -> Result<Operation, Stop> {
    accepted(bench.client.execute(request.clone()).await, "Execute")?;
    let operation = bench.ended(&request.operation_id).await?;
    if operation.state() == State::Succeeded {
        return Ok(operation);
    }
    Err(left_out(format!("the operation ended as {:?}: see check 19", operation.state())))
}

pub(super) async fn outputs(bench: &mut Bench) -> Outcome {
    let (capability, operation) = (bench.capability()?, succeeded(bench).await?);
    for field in capability.outputs.iter().filter(|field| field.required) {
        let measured = operation.measurements.iter().find(|it| it.output == field.id);
        let Some(measured) = measured else {
            let expected = format!("output '{}' in the result", field.id);
            return Err(wrong(expected, "it is missing", "measure it, or declare it as not required"));
        };
        let kind = measured.value.as_ref().and_then(|it| it.kind.as_ref());
        if let (Some(Domain::Quantity(domain)), Some(Kind::Quantity(quantity))) = (&field.domain, kind) {
            let expected = format!("output '{}' in {}", field.id, domain.unit);
            if quantity.unit != domain.unit {
                return Err(wrong(expected, format!("in '{}'", quantity.unit), "tell it in the declared unit"));
            }
            if domain.states_uncertainty && quantity.standard_uncertainty <= 0.0 {
                let expected = format!("output '{}' with its standard uncertainty, as declared", field.id);
                return Err(wrong(expected, "none is stated", "state it, or don't promise it"));
            }
        }
        let fits = matches!(
            (&field.domain, kind),
            (Some(Domain::Quantity(_)), Some(Kind::Quantity(_)))
                | (Some(Domain::Integer(_)), Some(Kind::Integer(_)))
                | (Some(Domain::Choice(_)), Some(Kind::Choice(_)))
                | (Some(Domain::Text(_)), Some(Kind::Text(_)))
                | (Some(Domain::Series(_)), Some(Kind::Series(_)))
                | (Some(Domain::Flag(_)), Some(Kind::Boolean(_)))
                | (Some(Domain::Artifact(_)), Some(Kind::Artifact(_)))
                | (Some(Domain::Sample(_)), Some(Kind::Sample(_)))
        );
        if !fits {
            let expected = format!("output '{}' of the declared kind", field.id);
            return Err(wrong(expected, format!("{kind:?}"), "tell it as declared, or declare it otherwise"));
        }
    }
    Ok(())
}

pub(super) async fn times(bench: &mut Bench) -> Outcome {
    let operation = succeeded(bench).await?;
    let time = |at: &Option<prost_types::Timestamp>| at.as_ref().map(|it| (it.seconds, it.nanos));
    let times = [time(&operation.accept_time), time(&operation.start_time), time(&operation.end_time)];
    match times {
        [Some(accepted), Some(started), Some(ended)] if accepted <= started && started <= ended => Ok(()),
        _ => Err(wrong(
            "accept_time <= start_time <= end_time, all set",
            format!("{times:?}"),
            "take them from one clock, in UTC, as each happens",
        )),
    }
}

/// How far an operation is when the fault comes that was ordered.
const FAULT_AT: f64 = 0.3;

/// An operation that does not succeed: by a fault that is ordered, or else aborted. With the reason that it should have.
async fn unsuccessful(bench: &mut Bench) -> Result<(Operation, &'static str), Stop> {
    let fault = Fault {
        reason: "PUMP_STALLED".to_owned(),
        message: "ordered by the conformance kit".to_owned(),
        category: Category::Hardware.into(),
        retry: Retry::AfterPerson.into(),
        sample_effect: SampleEffect::Modified.into(),
        ..Fault::default()
    };
    let ordered = match bench.inject(fault, FAULT_AT, false).await {
        Ok(()) => true,
        Err(Stop::LeftOut(_)) if bench.capability()?.abortable => false,
        Err(stop) => return Err(stop),
    };
    let token = bench.lease().await?.fencing_token;
    let request = bench.request(token)?;
    accepted(bench.client.execute(request.clone()).await, "Execute: a fault that comes later is no refusal")?;
    if !ordered {
        bench.running(&request.operation_id).await?;
        let abort = bench.abort_request(&request.operation_id, token);
        accepted(bench.client.abort_operation(abort).await, "AbortOperation")?;
    }
    let operation = bench.ended(&request.operation_id).await?;
    match (operation.state(), ordered) {
        (State::Succeeded, false) => Err(left_out("the operation ends too quickly to be stopped: choose a longer one")),
        (_, true) => Ok((operation, "PUMP_STALLED")),
        (_, false) => Ok((operation, "ABORTED")),
    }
}

pub(super) async fn fault(bench: &mut Bench) -> Outcome {
    let (operation, reason) = unsuccessful(bench).await?;
    let fault = operation.fault.clone().unwrap_or_default();
    let complete = fault.reason == reason
        && !fault.message.is_empty()
        && fault.category() != Category::Unspecified
        && fault.retry() != Retry::Unspecified
        && fault.sample_effect() != SampleEffect::Unspecified
        && operation.sample_effect() == fault.sample_effect();
    if complete && operation.state() != State::Succeeded {
        return Ok(());
    }
    let came = format!("{:?}, sample {:?}, {fault:?}", operation.state(), operation.sample_effect());
    let expected =
        format!("an end state with fault {reason}: message, category, retry advice, what became of the sample");
    Err(wrong(expected, came, "fill in the whole fault: the orchestrator decides by it what happens next"))
}

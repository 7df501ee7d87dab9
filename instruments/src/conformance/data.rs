//! Results: as declared, with what belongs to them.

use super::bench::{Bench, accepted};
use super::{Outcome, Stop, wrong};
use crate::wire::Operation;
use crate::wire::field_spec::Domain;
use crate::wire::operation::State;
use crate::wire::value::Kind;

async fn succeeded(bench: &mut Bench) -> Result<Operation, Stop> {
    let token = bench.lease().await?.fencing_token;
    let request = bench.request(token)?;
    accepted(bench.client.execute(request.clone()).await, "Execute")?;
    let operation = bench.ended(&request.operation_id).await?;
    if operation.state() == State::Succeeded {
        return Ok(operation);
    }
    Err(super::left_out(format!("the operation ended as {:?}: see check 19", operation.state())))
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

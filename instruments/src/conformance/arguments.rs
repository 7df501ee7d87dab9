//! What must not reach the hardware: arguments that are not as declared.

use super::bench::{Bench, refused};
use super::{Outcome, Stop, left_out, wrong};
use crate::wire::field_spec::Domain;
use crate::wire::value::Kind;
use crate::wire::{self, Argument, ExecuteRequest, Value};

/// A request whose first argument of some kind is changed, sent; it has to be refused so, and nothing may have started.
async fn spoilt(bench: &mut Bench, spoil: impl Fn(&mut ExecuteRequest) -> bool, reason: &str, mend: &str) -> Outcome {
    let token = bench.lease().await?.fencing_token;
    let mut request = bench.request(token)?;
    if !spoil(&mut request) {
        return Err(left_out("the capability has no parameter of that kind"));
    }
    let before = bench.starts();
    refused(bench.client.execute(request).await, reason, mend)?;
    bench.started(before, 0)
}

fn first_quantity(request: &mut ExecuteRequest) -> Option<&mut wire::Quantity> {
    request.arguments.iter_mut().find_map(|argument| match argument.value.as_mut().and_then(|it| it.kind.as_mut()) {
        Some(Kind::Quantity(quantity)) => Some(quantity),
        _ => None,
    })
}

pub(super) async fn out_of_range(bench: &mut Bench) -> Outcome {
    let capability = bench.capability()?;
    let mut tried = false;
    for field in &capability.parameters {
        let Some(Domain::Quantity(domain)) = &field.domain else { continue };
        let width = (domain.maximum - domain.minimum).max(domain.maximum.abs()).max(1.0);
        for value in [domain.maximum + 1e-3 * width, domain.minimum - 1e-3 * width] {
            tried = true;
            let set = |request: &mut ExecuteRequest| {
                let kind =
                    Kind::Quantity(wire::Quantity { value, unit: domain.unit.clone(), ..wire::Quantity::default() });
                request.arguments.retain(|argument| argument.id != field.id);
                request.arguments.push(Argument { id: field.id.clone(), value: Some(Value { kind: Some(kind) }) });
                true
            };
            spoilt(bench, set, "OUT_OF_RANGE", "compare with the declared bounds before anything is accepted").await?;
        }
    }
    if tried { Ok(()) } else { Err(left_out("the capability has no quantity")) }
}

pub(super) async fn not_finite(bench: &mut Bench) -> Outcome {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let set = |request: &mut ExecuteRequest| first_quantity(request).map(|it| it.value = value).is_some();
        spoilt(bench, set, "NOT_FINITE", "NaN is neither below nor above any bound: ask is_finite first").await?;
    }
    Ok(())
}

pub(super) async fn wrong_unit(bench: &mut Bench) -> Outcome {
    for unit in ["furlong", ""] {
        let set = |request: &mut ExecuteRequest| first_quantity(request).map(|it| it.unit = unit.to_owned()).is_some();
        spoilt(bench, set, "WRONG_UNIT", "compare the unit's text with the declared one; clients convert").await?;
    }
    Ok(())
}

pub(super) async fn unknown_choice(bench: &mut Bench) -> Outcome {
    let set = |request: &mut ExecuteRequest| {
        let choice = request
            .arguments
            .iter_mut()
            .find(|argument| matches!(argument.value.as_ref().and_then(|it| it.kind.as_ref()), Some(Kind::Choice(_))));
        let kind = Kind::Choice("no such choice".into());
        choice.map(|it| it.value = Some(Value { kind: Some(kind) })).is_some()
    };
    spoilt(bench, set, "UNKNOWN_CHOICE", "compare with the declared choices").await
}

pub(super) async fn names(bench: &mut Bench) -> Outcome {
    let unknown = |request: &mut ExecuteRequest| {
        request.arguments.push(Argument { id: "no_such_parameter".into(), value: None });
        true
    };
    spoilt(bench, unknown, "UNKNOWN_ARGUMENT", "a misspelt name must not become a default").await?;
    let twice = |request: &mut ExecuteRequest| {
        let first = request.arguments.first().cloned();
        first.map(|it| request.arguments.push(it)).is_some()
    };
    match spoilt(bench, twice, "DUPLICATE_ARGUMENT", "refuse what is given twice: which one is meant?").await {
        Err(Stop::LeftOut(_)) => return Ok(()),
        other => other?,
    }
    let required = bench.capability()?.parameters.into_iter().find(|field| field.required);
    let Some(required) = required else { return Ok(()) };
    let missing = |request: &mut ExecuteRequest| {
        request.arguments.retain(|argument| argument.id != required.id);
        true
    };
    spoilt(bench, missing, "MISSING_ARGUMENT", "refuse what lacks a required parameter").await
}

pub(super) async fn rules(bench: &mut Bench) -> Outcome {
    let capability = bench.capability()?;
    if capability.rules.is_empty() {
        return Err(left_out("the capability declares no rule"));
    }
    let token = bench.lease().await?.fencing_token;
    let template = bench.request(token)?;
    let ends = |domain: &Domain| if let Domain::Quantity(it) = domain { Some([it.minimum, it.maximum]) } else { None };
    let free: Vec<_> = capability
        .parameters
        .iter()
        .filter_map(|field| Some((field.id.clone(), ends(field.domain.as_ref()?)?)))
        .take(6)
        .collect();
    // A declared rule that no corner of the ranges breaks would never refuse anything.
    for corner in 0..1_usize << free.len() {
        let mut request = template.clone();
        for (place, (id, [low, high])) in free.iter().enumerate() {
            let value = if corner >> place & 1 == 1 { *high } else { *low };
            for argument in request.arguments.iter_mut().filter(|argument| argument.id == *id) {
                if let Some(Value { kind: Some(Kind::Quantity(quantity)) }) = &mut argument.value {
                    quantity.value = value;
                }
            }
        }
        let execute = wire::ValidateOperationRequest { execute: Some(request) };
        let answer = super::bench::accepted(bench.client.validate_operation(execute).await, "ValidateOperation")?;
        if answer.into_inner().fault.is_some_and(|fault| fault.reason != "OUT_OF_RANGE") {
            return Ok(());
        }
    }
    let rules: Vec<_> = capability.rules.iter().map(|rule| rule.expression.as_str()).collect();
    Err(wrong(
        format!("some corner of the ranges is refused by {}", rules.join(" and ")),
        "every corner is accepted",
        "enforce declared rules in the driver's own code: clients need not",
    ))
}

pub(super) async fn refused_is_not_found(bench: &mut Bench) -> Outcome {
    let token = bench.lease().await?.fencing_token;
    let mut request = bench.request(token)?;
    request.arguments.push(Argument { id: "no_such_parameter".into(), value: None });
    refused(bench.client.execute(request.clone()).await, "UNKNOWN_ARGUMENT", "refuse it")?;
    let mend = "journal nothing of what is refused: the id stays free";
    refused(bench.get(&request.operation_id).await, "OPERATION_NOT_FOUND", mend)
}

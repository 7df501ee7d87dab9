//! The wire's words and ours, and the one table of what a driver's answer means.

use super::plausible;
use crate::units;
use eutectic_core::model::{
    Artifact, CapabilityDescription, Column, InstrumentDescription, Limit, Quantity, RepeatEffect, SampleEffect, Value,
};
use eutectic_core::{Dispatch, Ended, Fault, FaultCategory};
use eutectic_failpoints::mutant;
use eutectic_proto::instrument::v1 as wire;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use wire::capability::Effect;
use wire::fault::{Category, Retry};
use wire::field_spec::Domain;
use wire::measurement::Quality;
use wire::operation::State;
use wire::value::Kind;

/// What a refused Execute means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refused {
    /// The lease isn't ours any more: fence again, then ask.
    Fence,
    /// Not now: ask again later.
    Later,
    /// It will never be accepted.
    Never(Ended),
}

/// What a refusal of Execute means.
pub(super) fn refused(fault: &wire::Fault) -> Refused {
    match fault.reason.as_str() {
        "STALE_TOKEN" | "LEASE_EXPIRED" | "LEASE_HELD" => Refused::Fence,
        // What ran under this id was something else: nobody here can say what.
        "OPERATION_ID_REUSED" => Refused::Never(Ended::Unknown { reason: fault.message.clone() }),
        // Not accepted, and nobody's fault: a halt, an open door, an empty bottle. It waits until a person has seen to it.
        _ if matches!(fault.retry(), Retry::SameId | Retry::AfterPerson) => Refused::Later,
        _ => Refused::Never(Ended::Failed { fault: of_wire(fault), sample: SampleEffect::None }),
    }
}

/// How an operation ended, if it has. `asked` tells whether we asked it to stop.
pub(super) fn ended(
    operation: &wire::Operation,
    dispatch: &Dispatch,
    manifest: Option<&wire::Instrument>,
    asked: bool,
) -> Option<Ended> {
    let sample = || sample(operation.sample_effect());
    let fault = || operation.fault.as_ref().map_or_else(silent, of_wire);
    let hash = hex(&operation.request_hash);
    if mutant("quarantine_everything") && matches!(operation.state(), State::Failed | State::Aborted) {
        return Some(Ended::Unknown { reason: "who knows".to_owned() });
    }
    match operation.state() {
        State::Unspecified | State::Accepted | State::Running | State::Held | State::Aborting => None,
        State::Aborted if asked => Some(Ended::Aborted { sample: sample() }),
        // Somebody else stopped it, a halt for instance: that says nothing about the recipe.
        State::Aborted => {
            let category = FaultCategory::Safety;
            Some(Ended::Failed { fault: Fault { category, retry: false, person: false, ..fault() }, sample: sample() })
        }
        State::Succeeded | State::Failed if hash != dispatch.hash => {
            Some(Ended::Unknown { reason: "its driver knows this operation with other arguments than ours".to_owned() })
        }
        State::Succeeded => Some(succeeded(operation, manifest)),
        State::Failed => Some(Ended::Failed { fault: fault(), sample: sample() }),
        State::Interrupted if mutant("unknown_as_never") => Some(never_started()),
        State::Interrupted => Some(Ended::Interrupted),
    }
}

/// It never began, and a new attempt may.
pub(super) fn never_started() -> Ended {
    Ended::Failed { fault: Fault { retry: true, ..silent() }, sample: SampleEffect::None }
}

/// Whether the hardware has begun.
pub(super) fn started(operation: &wire::Operation) -> bool {
    operation.start_time.is_some()
}

fn succeeded(operation: &wire::Operation, manifest: Option<&wire::Instrument>) -> Ended {
    let implausible = manifest.and_then(|manifest| plausible::doubt(operation, manifest));
    match implausible.map_or_else(|| outputs(&operation.measurements), Err) {
        Ok(outputs) => Ended::Succeeded { outputs },
        Err(message) => Ended::Failed {
            fault: Fault {
                reason: "UNUSABLE_RESULT".to_owned(),
                message,
                category: FaultCategory::Measurement,
                retry: false,
                person: false,
            },
            sample: sample(operation.sample_effect()),
        },
    }
}

/// Outputs by name. Of replicates the first one counts.
pub(super) fn outputs(measurements: &[wire::Measurement]) -> Result<BTreeMap<String, Value>, String> {
    let mut outputs = BTreeMap::new();
    for measurement in measurements {
        let mut value = measurement
            .value
            .as_ref()
            .and_then(value)
            .ok_or_else(|| format!("the driver's output '{}' has no usable value", measurement.output))?;
        let limit = match measurement.quality() {
            Quality::Bad => {
                let (output, note) = (&measurement.output, &measurement.quality_note);
                return Err(format!("the driver itself calls its output '{output}' bad: {note}"));
            }
            Quality::BelowLimit => Some(Limit::Below),
            Quality::AboveLimit => Some(Limit::Above),
            Quality::Unspecified | Quality::Good | Quality::Suspect => None,
        };
        if let Value::Quantity(quantity) = &mut value {
            quantity.limit = limit;
        }
        outputs.entry(measurement.output.clone()).or_insert(value);
    }
    Ok(outputs)
}

fn silent() -> Fault {
    Fault {
        reason: "UNKNOWN".to_owned(),
        message: "the driver gives no reason".to_owned(),
        category: FaultCategory::Equipment,
        retry: false,
        person: false,
    }
}

fn of_wire(fault: &wire::Fault) -> Fault {
    Fault {
        reason: fault.reason.clone(),
        message: fault.message.clone(),
        category: match fault.category() {
            Category::BadRequest => FaultCategory::Request,
            Category::Precondition | Category::Safety => FaultCategory::Safety,
            Category::Measurement => FaultCategory::Measurement,
            Category::Process => FaultCategory::Process,
            Category::Unspecified | Category::Hardware | Category::Communication | Category::DriverBug => {
                FaultCategory::Equipment
            }
        },
        retry: fault.retry() == Retry::NewId,
        person: fault.retry() == Retry::AfterPerson,
    }
}

fn sample(effect: wire::SampleEffect) -> SampleEffect {
    match effect {
        wire::SampleEffect::None => SampleEffect::None,
        wire::SampleEffect::Modified => SampleEffect::Modified,
        wire::SampleEffect::Consumed => SampleEffect::Consumed,
        wire::SampleEffect::Unspecified | wire::SampleEffect::Unknown => SampleEffect::Unknown,
    }
}

/// What the log keeps of a manifest.
pub(super) fn description(instrument: &wire::Instrument) -> InstrumentDescription {
    let capability = |it: &wire::Capability| {
        let effect = match it.effect() {
            Effect::Repeatable => RepeatEffect::Repeatable,
            Effect::Unspecified | Effect::Once => RepeatEffect::Once,
        };
        let max_duration_ms = it.max_duration.as_ref().map(|it| it.seconds * 1000 + i64::from(it.nanos) / 1_000_000);
        (it.id.clone(), CapabilityDescription { version: it.version.clone(), effect, max_duration_ms })
    };
    let names = [&instrument.vendor, &instrument.model, &instrument.display_name];
    InstrumentDescription {
        digest: hex(&instrument.manifest_digest),
        display_name: names.iter().rev().find(|it| !it.is_empty()).map_or_else(String::new, ToString::to_string),
        max_concurrency: u32::try_from(instrument.max_concurrency).unwrap_or(1).max(1),
        capabilities: instrument.capabilities.iter().map(capability).collect(),
    }
}

/// Everything that a driver is told of an operation, under this token.
pub(super) fn execute(dispatch: &Dispatch, seed: u64, token: i64) -> wire::ExecuteRequest {
    wire::ExecuteRequest {
        instrument: dispatch.instrument.to_string(),
        operation_id: dispatch.operation.to_string(),
        fencing_token: token,
        capability: dispatch.capability.clone(),
        capability_version: dispatch.version.clone(),
        arguments: arguments(&dispatch.arguments),
        request_hash: unhex(&dispatch.hash),
        latest_start_time: None,
        lease_loss_policy: wire::execute_request::LeaseLossPolicy::Finish.into(),
        context: Some(wire::Context {
            campaign: dispatch.campaign.to_string(),
            experiment: i64::from(dispatch.experiment),
            step: dispatch.step.to_string(),
            attempt: i32::try_from(dispatch.attempt).unwrap_or(i32::MAX),
            seed,
        }),
    }
}

/// Arguments as they travel.
pub(super) fn arguments(arguments: &BTreeMap<String, Value>) -> Vec<wire::Argument> {
    arguments.iter().map(|(id, value)| wire::Argument { id: id.clone(), value: Some(to_wire(value)) }).collect()
}

/// Clients convert, drivers compare: brings arguments into the units and kinds that the capability declares. What can't be
/// brought there is left as it is, and the driver refuses it.
pub(super) fn fit(arguments: &mut [wire::Argument], manifest: &wire::Instrument, capability: &str) {
    let Some(capability) = manifest.capabilities.iter().find(|it| it.id == capability) else { return };
    for argument in arguments {
        let domain = capability.parameters.iter().find(|it| it.id == argument.id).and_then(|it| it.domain.as_ref());
        let (Some(domain), Some(wire::Value { kind: Some(kind) })) = (domain, &mut argument.value) else { continue };
        match (domain, &mut *kind) {
            (Domain::Quantity(domain), Kind::Quantity(quantity)) => {
                if let Some(value) = units::convert(quantity.value, &quantity.unit, &domain.unit) {
                    (quantity.value, quantity.unit) = (value, domain.unit.clone());
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "whole numbers in files stay far below 2^53")]
            (Domain::Quantity(domain), Kind::Integer(value)) if domain.unit == "1" => {
                let quantity = wire::Quantity { value: *value as f64, unit: "1".to_owned(), ..Default::default() };
                *kind = Kind::Quantity(quantity);
            }
            (Domain::Text(_), Kind::Choice(text)) => *kind = Kind::Text(std::mem::take(text)),
            (Domain::Sample(_), Kind::Choice(text)) => *kind = Kind::Sample(std::mem::take(text)),
            _ => {}
        }
    }
}

fn to_wire(value: &Value) -> wire::Value {
    let kind = match value {
        Value::Quantity(it) => Kind::Quantity(wire::Quantity {
            value: it.value,
            unit: it.unit.clone(),
            standard_uncertainty: it.sd.unwrap_or_default(),
            degrees_of_freedom: 0.0,
        }),
        Value::Integer(it) => Kind::Integer(*it),
        Value::Boolean(it) => Kind::Boolean(*it),
        Value::Text(it) => Kind::Text(it.clone()),
        Value::Choice(it) => Kind::Choice(it.clone()),
        Value::Sample(it) => Kind::Sample(it.clone()),
        Value::Series(columns) => Kind::Series(wire::Series {
            columns: columns
                .iter()
                .map(|it| wire::series::Column {
                    id: it.id.clone(),
                    unit: it.unit.clone(),
                    values: it.values.iter().map(|value| value.unwrap_or(f64::NAN)).collect(),
                    standard_uncertainties: Vec::new(),
                })
                .collect(),
        }),
        Value::Artifact(it) => Kind::Artifact(wire::Artifact {
            id: it.id.clone(),
            uri: String::new(),
            media_type: it.media_type.clone(),
            size_bytes: i64::try_from(it.size_bytes).unwrap_or(i64::MAX),
            sha256: unhex(&it.sha256),
        }),
    };
    wire::Value { kind: Some(kind) }
}

/// `None` for a number that is not finite, and for no value at all.
fn value(value: &wire::Value) -> Option<Value> {
    Some(match value.kind.as_ref()? {
        Kind::Quantity(it) if it.value.is_finite() => Value::Quantity(Quantity {
            value: it.value,
            unit: it.unit.clone(),
            sd: Some(it.standard_uncertainty).filter(|sd| sd.is_finite() && *sd > 0.0),
            limit: None,
        }),
        Kind::Quantity(_) => return None,
        Kind::Integer(it) => Value::Integer(*it),
        Kind::Boolean(it) => Value::Boolean(*it),
        Kind::Text(it) => Value::Text(it.clone()),
        Kind::Choice(it) => Value::Choice(it.clone()),
        Kind::Sample(it) => Value::Sample(it.clone()),
        Kind::Series(it) => Value::Series(
            it.columns
                .iter()
                .map(|it| Column {
                    id: it.id.clone(),
                    unit: it.unit.clone(),
                    values: it.values.iter().map(|value| Some(*value).filter(|it| it.is_finite())).collect(),
                })
                .collect(),
        ),
        Kind::Artifact(it) => Value::Artifact(Artifact {
            id: it.id.clone(),
            media_type: it.media_type.clone(),
            size_bytes: u64::try_from(it.size_bytes).unwrap_or_default(),
            sha256: hex(&it.sha256),
        }),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Our own hexadecimal back to bytes; what isn't hexadecimal is left out.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let digits: Vec<u8> = text.as_bytes().iter().filter_map(digit).collect();
    digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}

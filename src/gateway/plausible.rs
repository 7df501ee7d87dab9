//! Whether a result can be what it claims: held against what the driver itself has declared.
//!
//! A driver that lies, or has a bug, must not teach the planner: such a result is none.

use eutectic_proto::instrument::v1 as wire;
use wire::field_spec::Domain;
use wire::instrument::TimeMode;
use wire::value::Kind;

/// An operation that took less than this share of its capability's typical time has not been done.
const SOONEST_SHARE: f64 = 0.01;

/// Why the result of a succeeded operation is not to be believed.
pub(super) fn doubt(operation: &wire::Operation, manifest: &wire::Instrument) -> Option<String> {
    let capability = manifest.capabilities.iter().find(|it| it.id == operation.capability)?;
    too_soon(operation, capability, manifest.time_mode()).or_else(|| {
        let declared = |id: &str| capability.outputs.iter().find(|it| it.id == id);
        let missing = capability.outputs.iter().filter(|it| it.required);
        let missing = missing.map(|it| &it.id).find(|id| operation.measurements.iter().all(|it| it.output != **id));
        let foreign = operation.measurements.iter().find(|it| declared(&it.output).is_none());
        let outside = || {
            operation.measurements.iter().find_map(|it| {
                let (domain, kind) = (declared(&it.output)?.domain.as_ref()?, it.value.as_ref()?.kind.as_ref()?);
                outside(domain, kind).map(|why| format!("the driver's output '{}' {why}", it.output))
            })
        };
        missing
            .map(|id| format!("the driver's result has no '{id}'"))
            .or_else(|| foreign.map(|it| format!("the driver's result has '{}', which it does not declare", it.output)))
            .or_else(outside)
    })
}

/// Simulated time passes as quickly as it likes.
fn too_soon(operation: &wire::Operation, capability: &wire::Capability, mode: TimeMode) -> Option<String> {
    let seconds = |it: &prost_types::Timestamp| it.seconds as f64 + f64::from(it.nanos) / 1e9;
    let (begun, ended) = (operation.start_time.as_ref().map(seconds), operation.end_time.as_ref().map(seconds));
    let (Some(begun), Some(ended)) = (begun, ended) else {
        return Some("the driver says that it succeeded, and not when it began and ended".to_owned());
    };
    if ended < begun {
        return Some(format!("the driver says that it ended {:.3} s before it began", begun - ended));
    }
    // Where only a limit was declared it stands in for what is typical, and says nothing of how soon is too soon.
    let typical = capability.typical_duration.as_ref().filter(|it| capability.max_duration.as_ref() != Some(*it))?;
    let typical = typical.seconds as f64 + f64::from(typical.nanos) / 1e9;
    let real = !matches!(mode, TimeMode::Simulated | TimeMode::Virtual);
    (real && ended - begun < SOONEST_SHARE * typical).then(|| {
        format!("the driver says that it took {:.3} s, and declares {typical} s: sooner than it can be", ended - begun)
    })
}

/// Why a value is outside what was declared.
fn outside(domain: &Domain, kind: &Kind) -> Option<String> {
    match (domain, kind) {
        (Domain::Quantity(domain), Kind::Quantity(it)) if it.unit != domain.unit => {
            Some(format!("is in '{}', and '{}' is declared", it.unit, domain.unit))
        }
        (Domain::Quantity(domain), Kind::Quantity(it)) => {
            let within = (domain.minimum..=domain.maximum).contains(&it.value);
            (!within).then(|| {
                let (low, high) = (domain.minimum, domain.maximum);
                format!("is {} {}, and {low} to {high} is declared", it.value, it.unit)
            })
        }
        (Domain::Integer(domain), Kind::Integer(it)) => {
            let within = (domain.minimum..=domain.maximum).contains(it);
            (!within).then(|| format!("is {it}, and {} to {} is declared", domain.minimum, domain.maximum))
        }
        (Domain::Choice(domain), Kind::Choice(it)) => {
            let known = domain.choices.iter().any(|choice| choice.id == *it);
            (!known).then(|| format!("is '{it}', which is none of the declared choices"))
        }
        (Domain::Flag(_), Kind::Boolean(_))
        | (Domain::Text(_), Kind::Text(_))
        | (Domain::Sample(_), Kind::Sample(_))
        | (Domain::Series(_), Kind::Series(_))
        | (Domain::Artifact(_), Kind::Artifact(_)) => None,
        _ => Some("is of another kind than it declares".to_owned()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use prost_types::{Duration, Timestamp};

    fn field(id: &str, domain: Domain) -> wire::FieldSpec {
        wire::FieldSpec { id: id.into(), required: true, domain: Some(domain), ..Default::default() }
    }

    fn manifest() -> wire::Instrument {
        let yields =
            wire::QuantityDomain { unit: "%".into(), minimum: 0.0, maximum: 100.0, ..wire::QuantityDomain::default() };
        let color = wire::ChoiceDomain {
            choices: vec![wire::choice_domain::Choice { id: "red".into(), ..Default::default() }],
        };
        wire::Instrument {
            time_mode: TimeMode::Real.into(),
            capabilities: vec![wire::Capability {
                id: "do".into(),
                outputs: vec![field("yield", Domain::Quantity(yields)), field("color", Domain::Choice(color))],
                typical_duration: Some(Duration { seconds: 600, nanos: 0 }),
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn measured(output: &str, kind: Kind) -> wire::Measurement {
        let value = Some(wire::Value { kind: Some(kind) });
        wire::Measurement { output: output.into(), value, ..Default::default() }
    }

    fn percent(value: f64, unit: &str) -> wire::Measurement {
        measured("yield", Kind::Quantity(wire::Quantity { value, unit: unit.into(), ..Default::default() }))
    }

    fn honest() -> wire::Operation {
        wire::Operation {
            capability: "do".into(),
            start_time: Some(Timestamp { seconds: 1_000, nanos: 0 }),
            end_time: Some(Timestamp { seconds: 1_500, nanos: 0 }),
            measurements: vec![percent(93.0, "%"), measured("color", Kind::Choice("red".into()))],
            ..Default::default()
        }
    }

    #[test]
    fn an_honest_result_is_believed() {
        assert_eq!(doubt(&honest(), &manifest()), None);
    }

    #[test]
    fn a_result_that_can_not_be_is_not_believed_and_the_reason_names_what() {
        type Lie = fn(&mut wire::Operation);
        let lies: [(&str, Lie); 9] = [
            ("0 to 100", |it| *it.measurements.first_mut().unwrap() = percent(104.0, "%")),
            ("'1' , ", |it| *it.measurements.first_mut().unwrap() = percent(0.93, "1")),
            ("0 to 100", |it| *it.measurements.first_mut().unwrap() = percent(f64::NAN, "%")),
            ("none of the declared", |it| {
                *it.measurements.last_mut().unwrap() = measured("color", Kind::Choice("blue".into()));
            }),
            ("another kind", |it| *it.measurements.last_mut().unwrap() = measured("color", Kind::Integer(1))),
            ("has no 'color'", |it| drop(it.measurements.pop())),
            ("does not declare", |it| it.measurements.push(measured("extra", Kind::Boolean(true)))),
            ("sooner than", |it| it.end_time = Some(Timestamp { seconds: 1_002, nanos: 0 })),
            ("before it began", |it| it.end_time = Some(Timestamp { seconds: 999, nanos: 0 })),
        ];
        for (said, lie) in lies {
            let mut operation = honest();
            lie(&mut operation);
            let doubt = doubt(&operation, &manifest()).unwrap_or_else(|| panic!("believed: {said}"));
            let said = said.trim_end_matches(" , ");
            assert!(doubt.contains(said), "{doubt}");
        }
    }
}

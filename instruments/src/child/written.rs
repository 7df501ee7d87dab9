//! The contract's description as a child would say it: JSON that a person can read, and a replica can be made from.

use crate::wire::capability::{Effect, Probe};
use crate::wire::field_spec::Domain;
use crate::wire::value::Kind;
use crate::wire::{Capability, FieldSpec, Instrument, Quantity};
use serde_json::{Map, Value as Json, json};
use std::time::Duration;

/// Writes a description; [`super::read_description`] reads it.
#[must_use]
pub fn write_description(instrument: &Instrument) -> String {
    let described = lean(json!({
        "id": instrument.id,
        "name": instrument.display_name,
        "vendor": instrument.vendor,
        "model": instrument.model,
        "serial": instrument.serial_number,
        "version": instrument.driver_version,
        "concurrency": instrument.max_concurrency.max(1),
        "queue": instrument.queue_depth,
        "capabilities": instrument.capabilities.iter().map(capability).collect::<Vec<_>>(),
    }));
    serde_json::to_string_pretty(&described).unwrap_or_default()
}

fn capability(it: &Capability) -> Json {
    let fields = |fields: &[FieldSpec]| fields.iter().map(field).collect::<Vec<_>>();
    let seconds = |time: Option<prost_types::Duration>| {
        time.and_then(|time| Duration::try_from(time).ok()).map(|time| time.as_secs_f64())
    };
    let used = |usage: &crate::wire::capability::Usage| {
        let Quantity { value, unit, .. } = usage.typical.clone().unwrap_or_default();
        json!({"consumable": usage.consumable_id, "amount": value, "unit": unit})
    };
    let rule = |rule: &crate::wire::Rule| json!({"expression": rule.expression, "message": rule.message});
    lean(json!({
        "id": it.id,
        "version": it.version,
        "description": it.description,
        "parameters": fields(&it.parameters),
        "outputs": fields(&it.outputs),
        "intermediates": fields(&it.intermediates),
        "rules": it.rules.iter().map(rule).collect::<Vec<_>>(),
        "uses": it.usages.iter().map(used).collect::<Vec<_>>(),
        "effect": if it.effect() == Effect::Repeatable { "repeatable" } else { "once" },
        "probe": matches!(it.probe(), Probe::Exact | Probe::Counter),
        "abortable": it.abortable,
        "holdable": it.holdable,
        "typical_seconds": seconds(it.typical_duration),
        "max_seconds": seconds(it.max_duration),
    }))
}

fn field(it: &FieldSpec) -> Json {
    let own = match &it.domain {
        Some(Domain::Quantity(q)) => json!({
            "kind": "quantity", "unit": q.unit, "min": q.minimum, "max": q.maximum, "uncertain": q.states_uncertainty,
        }),
        Some(Domain::Integer(i)) => json!({"kind": "integer", "min": i.minimum, "max": i.maximum}),
        Some(Domain::Choice(c)) => {
            json!({"kind": "choice", "choices": c.choices.iter().map(|it| it.id.as_str()).collect::<Vec<_>>()})
        }
        Some(Domain::Flag(_)) => json!({"kind": "flag"}),
        Some(Domain::Text(t)) if t.max_length > 0 => json!({"kind": "text", "max_length": t.max_length}),
        Some(Domain::Text(_)) | None => json!({"kind": "text"}),
        Some(Domain::Sample(s)) => json!({"kind": "sample", "labware": s.labware_type}),
        Some(Domain::Series(s)) => {
            let column = |axis: &crate::wire::series_domain::Axis| json!({"id": axis.id, "unit": axis.unit});
            json!({"kind": "series", "columns": s.axes.iter().map(column).collect::<Vec<_>>()})
        }
        Some(Domain::Artifact(a)) => json!({"kind": "artifact", "media_types": a.media_types}),
    };
    let mut described = Map::new();
    described.insert("id".to_owned(), json!(it.id));
    described.extend(own.as_object().cloned().unwrap_or_default());
    let default = it.default_value.as_ref().filter(|_| !it.required).and_then(|value| value.kind.as_ref());
    described.extend(default.map(|kind| ("default".to_owned(), bare(kind))));
    lean(Json::Object(described))
}

fn bare(kind: &Kind) -> Json {
    match kind {
        Kind::Quantity(quantity) => json!(quantity.value),
        Kind::Integer(value) => json!(value),
        Kind::Boolean(value) => json!(value),
        Kind::Text(text) | Kind::Choice(text) | Kind::Sample(text) => json!(text),
        Kind::Series(_) | Kind::Artifact(_) => Json::Null,
    }
}

/// Without what says nothing.
fn lean(json: Json) -> Json {
    let says = |value: &Json| match value {
        Json::Null | Json::Bool(false) => false,
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Bool(true) | Json::Number(_) | Json::Object(_) => true,
    };
    match json {
        // A default of false or "" does say something.
        Json::Object(map) => map.into_iter().filter(|(key, value)| key == "default" || says(value)).collect(),
        other @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::child::read_description;

    /// Reading what was written gives the description again, but for what a child can't say.
    #[test]
    fn a_description_that_is_written_and_read_again_is_the_same() {
        let text = r#"{"id":"a","name":"A","version":"1.2.3","concurrency":2,"queue":1,"capabilities":[{"id":"a.b",
            "version":"2.0.0","description":"does","parameters":[
              {"id":"t","kind":"quantity","unit":"Cel","min":1,"max":2,"default":1.5},
              {"id":"n","kind":"integer","min":1,"max":9},{"id":"c","kind":"choice","choices":["x","y"]},
              {"id":"f","kind":"flag","default":false},{"id":"w","kind":"text","max_length":5,"default":""},
              {"id":"s","kind":"sample","labware":"vial"}],
            "outputs":[{"id":"o","kind":"quantity","unit":"g","min":0,"max":9,"uncertain":true},
              {"id":"z","kind":"series","columns":[{"id":"time","unit":"min"},{"id":"absorbance","unit":"1"}]},
              {"id":"raw","kind":"artifact","media_types":["text/csv"]}],
            "rules":[{"expression":"t > 0","message":"m"}],"uses":[{"consumable":"tips","amount":1,"unit":"1"}],
            "effect":"repeatable","probe":true,"abortable":true,"holdable":true,"typical_seconds":5,"max_seconds":50}]}"#;
        let first = read_description(text).unwrap();
        let again = read_description(&write_description(first.instrument())).unwrap();
        assert_eq!(first.instrument(), again.instrument());
    }
}

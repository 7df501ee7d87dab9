//! The lines between the host and its child: one JSON object each, answers by the `id` of what they answer.

use crate::machine::{Arguments, Outcome, Probe, StatusReport, StopReason};
use crate::wire::calibration::State as Validity;
use crate::wire::fault::{Category, Retry};
use crate::wire::field_spec::Domain;
use crate::wire::instrument_status::Readiness;
use crate::wire::measurement::Quality;
use crate::wire::series::Column;
use crate::wire::series_domain::Axis;
use crate::wire::value::Kind;
use crate::wire::{
    Argument, Calibration, Consumable, Context, Fault, FieldSpec, Interlock, Measurement, Operation, Quantity,
    SampleEffect, Series, Value,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the host asks of its child.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Order {
    /// Which instrument it drives.
    Describe,
    /// The instrument's state.
    Status,
    /// Do it.
    Run { operation: String, capability: String, arguments: Map<String, Json>, context: Json },
    /// The point of no return is durable: go on.
    Proceed,
    /// Stop the run of this id.
    Stop { run: u64, why: &'static str },
    /// Wait at the next safe point of the run of this id.
    Hold { run: u64 },
    /// Go on.
    Resume { run: u64 },
    /// Bring the hardware to its safe state.
    SafeState { why: &'static str },
    /// What became of this operation: the program has started anew since.
    Probe { operation: String, capability: String, arguments: Map<String, Json> },
}

/// A line to the child.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) id: u64,
    #[serde(flatten)]
    pub(super) order: &'a Order,
}

/// A line from the child. Exactly one of the fields beside `id` says what it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    #[serde(default)]
    pub(super) id: Option<u64>,
    #[serde(default)]
    pub(super) result: Option<Json>,
    #[serde(default)]
    pub(super) fault: Option<SaidFault>,
    #[serde(default)]
    pub(super) progress: Option<f64>,
    #[serde(default)]
    pub(super) stage: Option<String>,
    #[serde(default)]
    pub(super) intermediate: Option<Map<String, Json>>,
    #[serde(default)]
    pub(super) point_of_no_return: Option<String>,
    /// It waits at a safe point, or goes on.
    #[serde(default)]
    pub(super) held: Option<bool>,
    #[serde(default)]
    pub(super) log: Option<String>,
}

/// Why something did not happen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SaidFault {
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) category: String,
    pub(super) retry: String,
    pub(super) sample: String,
    pub(super) person: String,
}

/// What a finished run brought.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SaidOutcome {
    pub(super) outputs: BTreeMap<String, Json>,
    pub(super) sample: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SaidStatus {
    readiness: String,
    message: String,
    consumables: Vec<SaidConsumable>,
    calibrations: Vec<SaidCalibration>,
    interlocks: Vec<SaidInterlock>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidConsumable {
    id: String,
    #[serde(default)]
    name: String,
    unit: String,
    remaining: f64,
    #[serde(default)]
    capacity: Option<f64>,
    #[serde(default)]
    measured: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidCalibration {
    id: String,
    state: String,
    #[serde(default)]
    capability: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidInterlock {
    id: String,
    closed: bool,
    #[serde(default)]
    message: String,
}

impl From<SaidConsumable> for Consumable {
    fn from(it: SaidConsumable) -> Self {
        let quantity = |value| Quantity { value, unit: it.unit.clone(), ..Quantity::default() };
        let (remaining, capacity) = (Some(quantity(it.remaining)), it.capacity.map(quantity));
        Self { id: it.id, display_name: it.name, remaining, capacity, measured: it.measured, ..Self::default() }
    }
}

/// A file that a run names as an output.
pub(super) struct File {
    pub(super) output: String,
    pub(super) media_type: String,
    pub(super) path: PathBuf,
}

/// Takes the files out of a result: `{"file": PATH, "media_type": TYPE}` for each output that is an artifact.
pub(super) fn take_files(result: &mut Json, declared: &[FieldSpec]) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    let Some(outputs) = result.get_mut("outputs").and_then(Json::as_object_mut) else { return Ok(files) };
    for field in declared {
        let Some(Domain::Artifact(domain)) = &field.domain else { continue };
        let Some(told) = outputs.remove(&field.id) else { continue };
        let text = |key: &str| told.get(key).and_then(Json::as_str).map(ToOwned::to_owned);
        let wrong = || format!("output '{}' must be {{\"file\": PATH, \"media_type\": TYPE}}, not {told}", field.id);
        let path = PathBuf::from(text("file").ok_or_else(wrong)?);
        let media_type = text("media_type").or_else(|| domain.media_types.first().cloned()).unwrap_or_default();
        files.push(File { output: field.id.clone(), media_type, path });
    }
    Ok(files)
}

pub(super) fn why(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Abort => "abort",
        StopReason::Halt => "halt",
        StopReason::LeaseLost => "lease_lost",
        StopReason::MaxDuration => "max_duration",
        StopReason::Shutdown => "shutdown",
        StopReason::Interrupted => "interrupted",
    }
}

/// Arguments as bare values: numbers are in their declared units.
pub(super) fn arguments(arguments: &[Argument]) -> Map<String, Json> {
    let known = Arguments::of(arguments);
    let bare = |kind: &Kind| match kind {
        Kind::Quantity(quantity) => json!(quantity.value),
        Kind::Integer(value) => json!(value),
        Kind::Boolean(value) => json!(value),
        Kind::Text(text) | Kind::Choice(text) | Kind::Sample(text) => json!(text),
        Kind::Series(series) => series.columns.iter().map(|column| (column.id.clone(), json!(column.values))).collect(),
        Kind::Artifact(artifact) => json!(artifact.uri),
    };
    arguments.iter().filter_map(|it| Some((it.id.clone(), bare(known.get(&it.id)?)))).collect()
}

pub(super) fn context(context: &Context) -> Json {
    json!({
        "campaign": context.campaign,
        "experiment": context.experiment,
        "step": context.step,
        "attempt": context.attempt,
        "seed": context.seed,
    })
}

pub(super) fn run(operation: &Operation, context_of: &Context) -> Order {
    Order::Run {
        operation: operation.id.clone(),
        capability: operation.capability.clone(),
        arguments: arguments(&operation.arguments),
        context: context(context_of),
    }
}

pub(super) fn probe(operation: &Operation) -> Order {
    Order::Probe {
        operation: operation.id.clone(),
        capability: operation.capability.clone(),
        arguments: arguments(&operation.arguments),
    }
}

fn word<T: Copy>(text: &str, words: &[(&str, T)], otherwise: T) -> Result<T, String> {
    if text.is_empty() {
        return Ok(otherwise);
    }
    let known = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| format!("'{text}' is none of {}", known()))
}

pub(super) fn sample_effect(text: &str) -> Result<SampleEffect, String> {
    let words = [
        ("none", SampleEffect::None),
        ("modified", SampleEffect::Modified),
        ("consumed", SampleEffect::Consumed),
        ("unknown", SampleEffect::Unknown),
    ];
    word(text, &words, SampleEffect::Unknown)
}

impl SaidFault {
    pub(super) fn into_wire(self) -> Result<Fault, String> {
        let categories = [
            ("request", Category::BadRequest),
            ("precondition", Category::Precondition),
            ("safety", Category::Safety),
            ("hardware", Category::Hardware),
            ("communication", Category::Communication),
            ("measurement", Category::Measurement),
            ("process", Category::Process),
            ("driver", Category::DriverBug),
        ];
        let retries = [("new_id", Retry::NewId), ("never", Retry::Never), ("after_person", Retry::AfterPerson)];
        let retry = word(&self.retry, &retries, Retry::AfterPerson)?;
        Ok(Fault {
            reason: if self.reason.is_empty() { "FAILED".to_owned() } else { self.reason },
            message: self.message,
            category: word(&self.category, &categories, Category::Hardware)?.into(),
            retry: retry.into(),
            sample_effect: sample_effect(&self.sample)?.into(),
            needs_person: retry == Retry::AfterPerson,
            person_action: self.person,
            ..Fault::default()
        })
    }
}

pub(super) fn outcome(result: Json, declared: &[FieldSpec]) -> Result<Outcome, String> {
    let said: SaidOutcome = serde_json::from_value(result).map_err(|error| error.to_string())?;
    let mut outcome = Outcome::new(sample_effect(&said.sample)?);
    for (output, value) in said.outputs {
        outcome.measurements.push(measurement(&output, &value, declared)?);
    }
    Ok(outcome)
}

/// A value by its declaration: a number (or `{"value": …, "sd": …, "quality": …}`), true or false, a text, or columns of
/// numbers for a series.
pub(super) fn measurement(output: &str, value: &Json, declared: &[FieldSpec]) -> Result<Measurement, String> {
    let known = || declared.iter().map(|field| field.id.as_str()).collect::<Vec<_>>().join(", ");
    let field = declared.iter().find(|field| field.id == output);
    let field = field.ok_or_else(|| format!("there is no output '{output}'; declared are {}", known()))?;
    let wrong = |what: &str| format!("output '{output}' must be {what}, not {value}");
    let text = |what: &str| value.as_str().map(ToOwned::to_owned).ok_or_else(|| wrong(what));
    let kind = match &field.domain {
        Some(Domain::Quantity(domain)) => {
            let number = value.as_f64().or_else(|| value.get("value")?.as_f64());
            let sd = value.get("sd").and_then(Json::as_f64).unwrap_or_default();
            Kind::Quantity(Quantity {
                value: number.ok_or_else(|| wrong("a number or {\"value\": …, \"sd\": …}"))?,
                unit: domain.unit.clone(),
                standard_uncertainty: sd,
                degrees_of_freedom: 0.0,
            })
        }
        Some(Domain::Integer(_)) => Kind::Integer(value.as_i64().ok_or_else(|| wrong("a whole number"))?),
        Some(Domain::Flag(_)) => Kind::Boolean(value.as_bool().ok_or_else(|| wrong("true or false"))?),
        Some(Domain::Choice(_)) => Kind::Choice(text("one of its choices")?),
        Some(Domain::Sample(_)) => Kind::Sample(text("a sample's id")?),
        Some(Domain::Text(_)) => Kind::Text(text("a text")?),
        Some(Domain::Series(domain)) => {
            let column = |axis: &Axis| {
                let numbers =
                    value.get(&axis.id).and_then(Json::as_array).ok_or_else(|| wrong("columns of numbers"))?;
                // What is missing in a column is null here and NaN on the wire.
                let values = numbers.iter().map(|number| number.as_f64().unwrap_or(f64::NAN)).collect();
                Ok::<_, String>(Column { id: axis.id.clone(), unit: axis.unit.clone(), values, ..Column::default() })
            };
            Kind::Series(Series { columns: domain.axes.iter().map(column).collect::<Result<_, _>>()? })
        }
        Some(Domain::Artifact(_)) | None => {
            return Err(format!("output '{output}' can only be told at the end of a run"));
        }
    };
    let qualities = [
        ("good", Quality::Good),
        ("suspect", Quality::Suspect),
        ("below_limit", Quality::BelowLimit),
        ("above_limit", Quality::AboveLimit),
        ("bad", Quality::Bad),
    ];
    let quality = value.get("quality").and_then(Json::as_str).unwrap_or_default();
    Ok(Measurement {
        output: output.to_owned(),
        value: Some(Value { kind: Some(kind) }),
        quality: word(quality, &qualities, Quality::Unspecified)?.into(),
        ..Measurement::default()
    })
}

pub(super) fn status(result: Json) -> Result<StatusReport, String> {
    let said: SaidStatus = serde_json::from_value(result).map_err(|error| error.to_string())?;
    let words = [
        ("ready", Readiness::Ready),
        ("busy", Readiness::Busy),
        ("not_ready", Readiness::NotReady),
        ("fault", Readiness::Fault),
        ("offline", Readiness::Offline),
        ("local", Readiness::Local),
        ("maintenance", Readiness::Maintenance),
    ];
    let readiness = word(&said.readiness, &words, Readiness::Ready)?;
    let states = [("valid", Validity::Valid), ("due", Validity::Due), ("invalid", Validity::Invalid)];
    let calibration = |it: SaidCalibration| {
        let state = word(&it.state, &states, Validity::Valid)?.into();
        Ok::<_, String>(Calibration { id: it.id, state, capability: it.capability, ..Calibration::default() })
    };
    let interlock = |it: SaidInterlock| Interlock { id: it.id, closed: it.closed, message: it.message };
    Ok(StatusReport {
        readiness,
        message: said.message,
        consumables: said.consumables.into_iter().map(Into::into).collect(),
        calibrations: said.calibrations.into_iter().map(calibration).collect::<Result<_, _>>()?,
        interlocks: said.interlocks.into_iter().map(interlock).collect(),
        ..StatusReport::default()
    })
}

/// `"unknown"`, `"never_started"`, `"running"`, or an outcome or fault of an operation that has ended.
pub(super) fn probed(result: Json, declared: &[FieldSpec]) -> Result<Probe, String> {
    match result.as_str() {
        Some("unknown") => Ok(Probe::Unknown),
        Some("never_started") => Ok(Probe::NeverStarted),
        Some("running") => Ok(Probe::Running),
        Some(other) => Err(format!("'{other}' is none of unknown, never_started, running")),
        None => Ok(Probe::Ended(Ok(outcome(result, declared)?))),
    }
}

//! A child's own description, as JSON, becomes the contract's.

use crate::machine::{Manifest, ManifestError};
use crate::sdk::{CapabilityBuilder, capability, instrument};
use crate::wire::choice_domain::Choice;
use crate::wire::field_spec::Domain;
use crate::wire::series_domain::Axis;
use crate::wire::{
    self, ArtifactDomain, ChoiceDomain, FieldSpec, FlagDomain, IntegerDomain, QuantityDomain, SampleDomain,
    SeriesDomain, TextDomain, Value, value,
};
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a child says of itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Described {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    vendor: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    serial: String,
    #[serde(default = "first_version")]
    version: String,
    #[serde(default = "one")]
    concurrency: u16,
    #[serde(default)]
    queue: u16,
    capabilities: Vec<DescribedCapability>,
}

fn first_version() -> String {
    "0.1.0".to_owned()
}

fn one() -> u16 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedCapability {
    id: String,
    #[serde(default = "first_major")]
    version: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Vec<DescribedField>,
    #[serde(default)]
    outputs: Vec<DescribedField>,
    #[serde(default)]
    intermediates: Vec<DescribedField>,
    #[serde(default)]
    rules: Vec<DescribedRule>,
    #[serde(default)]
    uses: Vec<DescribedUse>,
    #[serde(default)]
    effect: Effect,
    #[serde(default)]
    probe: bool,
    #[serde(default)]
    abortable: bool,
    #[serde(default)]
    holdable: bool,
    #[serde(default)]
    typical_seconds: Option<f64>,
    #[serde(default)]
    max_seconds: Option<f64>,
}

fn first_major() -> String {
    "1.0.0".to_owned()
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Effect {
    #[default]
    Once,
    Repeatable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedRule {
    expression: String,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedUse {
    consumable: String,
    amount: f64,
    unit: String,
}

/// The columns of a series with their units: `{"time":"min"}`, or a list where their order matters.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Columns {
    Named(BTreeMap<String, String>),
    Ordered(Vec<DescribedColumn>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedColumn {
    id: String,
    unit: String,
}

impl Default for Columns {
    fn default() -> Self {
        Self::Ordered(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedField {
    id: String,
    kind: Kind,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    min: Option<f64>,
    #[serde(default)]
    max: Option<f64>,
    #[serde(default)]
    choices: Vec<String>,
    #[serde(default)]
    labware: String,
    /// Of a text.
    #[serde(default)]
    max_length: Option<u16>,
    /// Of a series: each column's unit.
    #[serde(default)]
    columns: Columns,
    /// Of a file.
    #[serde(default)]
    media_types: Vec<String>,
    /// Of an output: its standard uncertainty is always stated.
    #[serde(default)]
    uncertain: bool,
    #[serde(default)]
    default: Option<Json>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Quantity,
    Integer,
    Choice,
    Flag,
    Text,
    Sample,
    Series,
    Artifact,
}

/// Texts without a stated length are cut off here.
const TEXT_LENGTH: u16 = 1000;

impl Described {
    pub(super) fn manifest(self) -> Result<Manifest, ManifestError> {
        let name = if self.name.is_empty() { self.id.clone() } else { self.name };
        let described = instrument(&self.id, &name)
            .made_by(&self.vendor, &self.model, &self.serial)
            .driver_version(&self.version)
            .concurrency(self.concurrency, self.queue);
        self.capabilities.into_iter().fold(described, |described, each| described.can(each.build())).build()
    }
}

impl DescribedCapability {
    fn build(self) -> CapabilityBuilder {
        let fields = |described: &[DescribedField]| described.iter().map(DescribedField::spec).collect();
        let mut built = capability(&self.id).version(&self.version).described(&self.description).with(|it| {
            it.parameters = fields(&self.parameters);
            it.outputs = fields(&self.outputs);
            it.intermediates = fields(&self.intermediates);
            it.holdable = self.holdable;
        });
        for rule in &self.rules {
            built = built.rule(&rule.expression, &rule.message);
        }
        for used in &self.uses {
            built = built.uses(&used.consumable, used.amount, &used.unit);
        }
        if matches!(self.effect, Effect::Repeatable) {
            built = built.repeatable();
        }
        if self.probe {
            built = built.probed();
        }
        if self.abortable {
            built = built.abortable();
        }
        let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
        match (self.typical_seconds.and_then(duration), self.max_seconds.and_then(duration)) {
            (typical, Some(max)) => built.takes(typical.unwrap_or(max), max),
            (Some(typical), None) => built.with(|it| {
                it.typical_duration = prost_types::Duration::try_from(typical).ok();
            }),
            (None, None) => built,
        }
    }
}

impl DescribedField {
    fn spec(&self) -> FieldSpec {
        let default_value = self.default.as_ref().and_then(|value| self.literal(value));
        FieldSpec {
            id: self.id.clone(),
            required: default_value.is_none(),
            default_value,
            domain: Some(self.domain()),
            ..FieldSpec::default()
        }
    }

    /// Bounds that are not stated are not finite, which the check of the whole finds.
    #[expect(clippy::cast_possible_truncation, reason = "bounds of whole numbers")]
    fn domain(&self) -> Domain {
        match self.kind {
            Kind::Quantity => Domain::Quantity(QuantityDomain {
                unit: self.unit.clone(),
                minimum: self.min.unwrap_or(f64::NEG_INFINITY),
                maximum: self.max.unwrap_or(f64::INFINITY),
                resolution: 0.0,
                states_uncertainty: self.uncertain,
            }),
            Kind::Integer => Domain::Integer(IntegerDomain {
                minimum: self.min.map_or(i64::MIN, |it| it as i64),
                maximum: self.max.map_or(i64::MAX, |it| it as i64),
            }),
            Kind::Choice => {
                let choice = |id: &String| Choice { id: id.clone(), ..Choice::default() };
                Domain::Choice(ChoiceDomain { choices: self.choices.iter().map(choice).collect() })
            }
            Kind::Flag => Domain::Flag(FlagDomain {}),
            Kind::Text => Domain::Text(TextDomain {
                pattern: String::new(),
                max_length: self.max_length.unwrap_or(TEXT_LENGTH).into(),
            }),
            Kind::Sample => Domain::Sample(SampleDomain { labware_type: self.labware.clone() }),
            Kind::Series => {
                let axis = |id: &String, unit: &String| Axis { id: id.clone(), unit: unit.clone() };
                let axes = match &self.columns {
                    Columns::Named(named) => named.iter().map(|(id, unit)| axis(id, unit)).collect(),
                    Columns::Ordered(ordered) => ordered.iter().map(|it| axis(&it.id, &it.unit)).collect(),
                };
                Domain::Series(SeriesDomain { axes })
            }
            Kind::Artifact => Domain::Artifact(ArtifactDomain { media_types: self.media_types.clone() }),
        }
    }

    fn literal(&self, value: &Json) -> Option<Value> {
        let quantity = |value| wire::Quantity { value, unit: self.unit.clone(), ..wire::Quantity::default() };
        let text = || value.as_str().map(ToOwned::to_owned);
        let kind = match self.kind {
            Kind::Quantity => value::Kind::Quantity(quantity(value.as_f64()?)),
            Kind::Integer => value::Kind::Integer(value.as_i64()?),
            Kind::Choice => value::Kind::Choice(text()?),
            Kind::Flag => value::Kind::Boolean(value.as_bool()?),
            Kind::Text => value::Kind::Text(text()?),
            Kind::Sample => value::Kind::Sample(text()?),
            Kind::Series | Kind::Artifact => return None,
        };
        Some(Value { kind: Some(kind) })
    }
}

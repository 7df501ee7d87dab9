//! Values as they travel between steps, and the settings of a point.

use super::expr::Datum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A unit, as people wrote it and as UCUM has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// What the file says: `degC`. Shown to people.
    pub written: String,
    /// The UCUM case-sensitive code: `Cel`. Sent to drivers; `1` for a bare number.
    pub ucum: String,
}

impl Unit {
    /// The unit of a bare number.
    #[must_use]
    pub fn one() -> Self {
        Self { written: String::new(), ucum: "1".into() }
    }
}

/// A number with its unit, and with its standard uncertainty where that is stated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// Finite.
    pub value: f64,
    /// UCUM code.
    pub unit: String,
    /// Standard uncertainty in the difference unit, if stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<f64>,
    /// The value is only a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// A censored reading: the value is where the instrument stops telling, and the truth lies beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Below the limit of detection.
    Below,
    /// Above what can be told: saturated.
    Above,
}

/// A value as an expression sees it, and on which side of it the truth lies, where it is only a limit.
pub type Reading = (Datum, Option<Limit>);

impl Limit {
    /// The other side.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Below => Self::Above,
            Self::Above => Self::Below,
        }
    }
}

/// A measured number in its outcome's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Finite.
    pub value: f64,
    /// Standard uncertainty, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<f64>,
    /// The value is only a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

impl Measured {
    /// A reading without limit.
    #[must_use]
    pub fn new(value: f64, sd: Option<f64>) -> Self {
        Self { value, sd, limit: None }
    }
}

/// What goes into a step and comes out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A number with a unit.
    Quantity(Quantity),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
    /// Free text.
    Text(String),
    /// The id of a choice.
    Choice(String),
    /// The id of a sample.
    Sample(String),
    /// A curve or table, by columns.
    Series(Vec<Column>),
    /// Something too large for the log, kept elsewhere.
    Artifact(Artifact),
}

/// One column of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its id.
    pub id: String,
    /// UCUM code.
    pub unit: String,
    /// A missing value is `None`.
    pub values: Vec<Option<f64>>,
}

/// Where a large result lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Unique within its operation.
    pub id: String,
    /// MIME type.
    pub media_type: String,
    /// Bytes.
    pub size_bytes: u64,
    /// SHA-256 over the whole, in hexadecimal.
    pub sha256: String,
}

/// What an operation did to its sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleEffect {
    /// Nothing: safe to use again.
    None,
    /// Changed.
    Modified,
    /// Used up.
    Consumed,
    /// Nobody can say.
    Unknown,
}

/// One parameter's place in a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Of a real parameter, in its unit.
    Real(f64),
    /// Of an integer parameter.
    Integer(i64),
    /// Of a categorical parameter.
    Choice(String),
}

impl Level {
    /// The level as a number, where it is one.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "integer parameters are bounded far below 2^53 where files are read"
    )]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Real(value) => Some(*value),
            Self::Integer(value) => Some(*value as f64),
            Self::Choice(_) => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Choice(choice) => f.write_str(choice),
        }
    }
}

/// A point: a level for every parameter.
pub type Setting = BTreeMap<String, Level>;

impl Level {
    /// The level as an expression sees it.
    #[must_use]
    pub fn datum(&self) -> Datum {
        match self {
            Self::Choice(choice) => Datum::Text(choice.clone()),
            Self::Real(_) | Self::Integer(_) => Datum::Number(self.number().unwrap_or_default(), 0.0),
        }
    }
}

impl Value {
    /// As an expression sees it, and on which side of it the truth lies, where it is only a limit.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        Some((self.datum()?, self.limit()))
    }

    fn limit(&self) -> Option<Limit> {
        match self {
            Self::Quantity(quantity) => quantity.limit,
            Self::Integer(_)
            | Self::Choice(_)
            | Self::Boolean(_)
            | Self::Text(_)
            | Self::Sample(_)
            | Self::Series(_)
            | Self::Artifact(_) => None,
        }
    }

    /// The value as an expression sees it; `None` for what is no number and no category.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of an instrument stay far below 2^53")]
    pub fn datum(&self) -> Option<Datum> {
        match self {
            Self::Quantity(quantity) => Some(Datum::Number(quantity.value, quantity.sd.unwrap_or(0.0))),
            Self::Integer(value) => Some(Datum::Number(*value as f64, 0.0)),
            Self::Choice(choice) => Some(Datum::Text(choice.clone())),
            Self::Boolean(_) | Self::Text(_) | Self::Sample(_) | Self::Series(_) | Self::Artifact(_) => None,
        }
    }
}

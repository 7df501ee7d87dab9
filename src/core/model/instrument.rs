//! What the log knows of an instrument's abilities: enough to dispatch, no more.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An instrument as its driver described it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstrumentDescription {
    /// SHA-256 of the manifest, in hexadecimal.
    pub digest: String,
    /// Vendor and model, for people.
    pub display_name: String,
    /// Operations it runs at once, at least 1.
    pub max_concurrency: u32,
    /// What it can do, by id.
    pub capabilities: BTreeMap<String, CapabilityDescription>,
}

/// One capability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapabilityDescription {
    /// Semantic version.
    pub version: String,
    /// What a second execution would do.
    pub effect: RepeatEffect,
    /// The driver itself fails the operation past this; `None` if it declares no limit.
    pub max_duration_ms: Option<i64>,
}

/// What a second execution would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatEffect {
    /// Again is harmless.
    Repeatable,
    /// Changes a sample or a stock: never again without proof or a person.
    #[default]
    Once,
}

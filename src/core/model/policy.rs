//! What may be done in a person's place where nobody is there.

use serde::{Deserialize, Serialize};
use std::fmt;

/// For how long [`Policy::at_most`] counts: a day.
pub const POLICY_WINDOW_MS: i64 = 24 * 3_600_000;

/// What happens to an instrument that waits for a person, if nobody comes: its sample is discarded, the instrument
/// recovers, and fresh experiments begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Capabilities of the instrument that are run in this order and must all succeed, its self-test last. None of them
    /// takes arguments.
    pub recover: Vec<String>,
    /// How often within [`POLICY_WINDOW_MS`]; then a person is waited for after all.
    pub at_most: u32,
    /// Milliseconds for which a person is waited for first.
    pub wait_ms: i64,
}

/// What is decided of an instrument that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The sample is never used again: its experiment ends, and the instrument is back in service.
    Discard,
    /// The step is done again on the same sample, once its driver can't begin the old operation any more.
    Repeat,
    /// What the driver said too late is what happened.
    Accept,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discard => "discard",
            Self::Repeat => "repeat",
            Self::Accept => "accept",
        })
    }
}

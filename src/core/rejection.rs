//! What the core says to a command that makes no sense: the user's to mend.

use serde::{Deserialize, Serialize};

/// Why a command changes nothing, in words for the person who gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// What is wrong.
    pub message: String,
    /// How to mend it; empty where there is nothing to do.
    pub hint: String,
}

impl Rejection {
    /// A rejection with a hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    pub(crate) fn unknown_campaign(name: &crate::CampaignName) -> Self {
        Self::new(
            format!("there is no campaign '{name}' here"),
            "`eutectic status` lists the campaigns of this data folder",
        )
    }
}

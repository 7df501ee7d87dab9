//! Names of things. Each is a type of its own, so that one can't be passed for another.

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Takes the text as it is; who reads it from outside checks it first.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

name! {
    /// A campaign's name: with the digest of its file, its identity.
    CampaignName
}
name! {
    /// An instrument's name in `lab.toml`.
    InstrumentId
}
name! {
    /// An operation's name for ever, at both ends of the wire.
    OperationId
}
name! {
    /// A request's name: a repeat gets the first verdict.
    RequestId
}
name! {
    /// A step's name within its protocol.
    StepName
}

/// An experiment's number within its campaign, from 1.
pub type ExperimentNumber = u32;

/// An intervention's number within its workcell, from 1.
pub type InterventionNumber = u32;

/// A plan's number within its campaign, from 1.
pub type Ticket = u64;

impl OperationId {
    /// The one id that this attempt of this step can ever have.
    ///
    /// It is derived, not drawn: an orchestrator whose log lost its tail comes to the same id again, and the driver, which
    /// knows it, attaches instead of moving twice.
    #[must_use]
    pub fn derive(
        workcell: &str,
        campaign: &CampaignName,
        experiment: ExperimentNumber,
        step: &StepName,
        attempt: u32,
    ) -> Self {
        let mut digest = Digest::new("operation");
        digest.text(workcell).text(campaign.as_str()).text(step.as_str());
        digest.number(u64::from(experiment)).number(u64::from(attempt));
        Self(digest.uuid())
    }
}

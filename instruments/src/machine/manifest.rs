//! What an instrument declares of itself, checked once before anything is served.

use crate::wire::field_spec::Domain;
use crate::wire::{Capability, FieldSpec, Instrument};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The longest id of an instrument, capability, parameter, holder or sample.
pub const ID_LENGTH_MAX: usize = 128;
/// The lease an instrument grants if it declares no limit.
pub const MAX_LEASE_DEFAULT: Duration = Duration::from_secs(300);
/// The contract demands that results are kept at least this long.
pub const RESULT_RETENTION_MIN: Duration = Duration::from_secs(90 * 24 * 3600);

/// A checked description of an instrument.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    instrument: Instrument,
    capabilities: BTreeMap<String, Capability>,
    states_no_return: BTreeSet<String>,
}

/// A description that can't be served.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ManifestError {
    /// An id is empty, too long or holds other characters than the contract allows.
    #[error("{what} id {id:?} must be 1 to {ID_LENGTH_MAX} characters of a-z, 0-9, '.', '_' and '-'")]
    Id {
        /// Of what.
        what: &'static str,
        /// As declared.
        id: String,
    },
    /// An id is declared twice.
    #[error("{what} {id:?} is declared twice")]
    Twice {
        /// Of what.
        what: &'static str,
        /// As declared.
        id: String,
    },
    /// A field says nothing of its kind of value.
    #[error("{capability}: field {field:?} declares no domain")]
    NoDomain {
        /// Where.
        capability: String,
        /// Which.
        field: String,
    },
    /// A parameter's bounds aren't finite, or are the wrong way round, or have no unit.
    #[error("{capability}: parameter {field:?} needs a unit and finite bounds, minimum <= maximum")]
    Bounds {
        /// Where.
        capability: String,
        /// Which.
        field: String,
    },
    /// A parameter is neither required nor has a default.
    #[error("{capability}: parameter {field:?} is not required and so needs a default value")]
    NoDefault {
        /// Where.
        capability: String,
        /// Which.
        field: String,
    },
    /// The version has no major number.
    #[error("{capability}: version {version:?} is not a semantic version")]
    Version {
        /// Where.
        capability: String,
        /// As declared.
        version: String,
    },
}

impl Manifest {
    /// Checks a description and fills in its digest, result retention and longest lease.
    ///
    /// # Errors
    /// A [`ManifestError`] names the first thing that breaks the contract.
    pub fn new(mut instrument: Instrument) -> Result<Manifest, ManifestError> {
        check_id("instrument", &instrument.id)?;
        let mut capabilities = BTreeMap::new();
        for capability in &instrument.capabilities {
            check_capability(capability)?;
            if capabilities.insert(capability.id.clone(), capability.clone()).is_some() {
                return Err(ManifestError::Twice { what: "capability", id: capability.id.clone() });
            }
        }
        let retention = instrument.result_retention.and_then(|given| Duration::try_from(given).ok());
        if retention.is_none_or(|given| given < RESULT_RETENTION_MIN) {
            instrument.result_retention = prost_types::Duration::try_from(RESULT_RETENTION_MIN).ok();
        }
        if instrument.max_lease.is_none() {
            instrument.max_lease = prost_types::Duration::try_from(MAX_LEASE_DEFAULT).ok();
        }
        instrument.max_concurrency = instrument.max_concurrency.max(1);
        instrument.manifest_digest.clear();
        instrument.manifest_digest = Sha256::digest(instrument.encode_to_vec()).to_vec();
        Ok(Manifest { instrument, capabilities, states_no_return: BTreeSet::new() })
    }

    /// Declares that the driver's code states a point of no return in every operation of this capability, before it does
    /// anything to a sample. Only then does a crash before it prove that the sample is untouched.
    #[must_use]
    pub fn with_point_of_no_return(mut self, capability: &str) -> Manifest {
        self.states_no_return.insert(capability.to_owned());
        self
    }

    pub(super) fn states_point_of_no_return(&self, capability: &str) -> bool {
        self.states_no_return.contains(capability)
    }

    /// As served, digest included.
    #[must_use]
    pub fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    /// One capability.
    #[must_use]
    pub fn capability(&self, id: &str) -> Option<&Capability> {
        self.capabilities.get(id)
    }

    /// Operations that run at once, at least 1.
    #[must_use]
    pub fn max_concurrency(&self) -> usize {
        usize::try_from(self.instrument.max_concurrency).unwrap_or(1).max(1)
    }

    /// Operations accepted beyond those running.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        usize::try_from(self.instrument.queue_depth).unwrap_or(0)
    }

    /// The longest lease granted.
    #[must_use]
    pub fn max_lease(&self) -> Duration {
        self.instrument.max_lease.and_then(|given| Duration::try_from(given).ok()).unwrap_or(MAX_LEASE_DEFAULT)
    }

    /// How long results are kept after an operation's end.
    #[must_use]
    pub fn result_retention(&self) -> Duration {
        let declared = self.instrument.result_retention.and_then(|given| Duration::try_from(given).ok());
        declared.unwrap_or(RESULT_RETENTION_MIN)
    }
}

/// The major number of a semantic version.
pub(super) fn major(version: &str) -> Option<u64> {
    version.split('.').next().and_then(|first| first.parse().ok())
}

fn check_id(what: &'static str, id: &str) -> Result<(), ManifestError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    match !id.is_empty() && id.len() <= ID_LENGTH_MAX && id.chars().all(allowed) {
        true => Ok(()),
        false => Err(ManifestError::Id { what, id: id.to_owned() }),
    }
}

fn check_capability(capability: &Capability) -> Result<(), ManifestError> {
    check_id("capability", &capability.id)?;
    if major(&capability.version).is_none() {
        let (capability, version) = (capability.id.clone(), capability.version.clone());
        return Err(ManifestError::Version { capability, version });
    }
    for fields in [&capability.parameters, &capability.outputs] {
        let mut seen = BTreeMap::new();
        for field in fields {
            check_id("field", &field.id)?;
            if seen.insert(&field.id, ()).is_some() {
                return Err(ManifestError::Twice { what: "field", id: field.id.clone() });
            }
            if field.domain.is_none() {
                let (capability, field) = (capability.id.clone(), field.id.clone());
                return Err(ManifestError::NoDomain { capability, field });
            }
        }
    }
    capability.parameters.iter().try_for_each(|field| check_parameter(&capability.id, field))
}

fn check_parameter(capability: &str, field: &FieldSpec) -> Result<(), ManifestError> {
    let sound = match &field.domain {
        Some(Domain::Quantity(domain)) => {
            let finite = domain.minimum.is_finite() && domain.maximum.is_finite();
            finite && domain.minimum <= domain.maximum && !domain.unit.is_empty()
        }
        Some(Domain::Integer(domain)) => domain.minimum <= domain.maximum,
        Some(Domain::Choice(domain)) => !domain.choices.is_empty(),
        Some(Domain::Text(_) | Domain::Series(_) | Domain::Flag(_) | Domain::Artifact(_) | Domain::Sample(_))
        | None => true,
    };
    let (capability, field_id) = (capability.to_owned(), field.id.clone());
    match (sound, field.required || field.default_value.is_some()) {
        (false, _) => Err(ManifestError::Bounds { capability, field: field_id }),
        (true, false) => Err(ManifestError::NoDefault { capability, field: field_id }),
        (true, true) => Ok(()),
    }
}

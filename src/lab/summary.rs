//! What drivers say they can do, as far as a campaign is checked against it.

use crate::files::{Capabilities, CapabilitySummary, InstrumentSummary, ParameterSummary, ValueDomain};
use crate::gateway::InstrumentView;
use eutectic_core::InstrumentId;
use eutectic_proto::instrument::v1 as wire;
use std::collections::BTreeMap;
use wire::field_spec::Domain;

/// Of those that have said it.
pub(super) fn summaries(views: &BTreeMap<InstrumentId, InstrumentView>) -> Capabilities {
    let known = views.iter().filter_map(|(name, view)| Some((name.clone(), instrument(view.manifest.as_ref()?))));
    known.collect()
}

fn instrument(manifest: &wire::Instrument) -> InstrumentSummary {
    let capability = |it: &wire::Capability| {
        let parameter = |it: &wire::FieldSpec| {
            let domain = domain(it.domain.as_ref());
            (it.id.clone(), ParameterSummary { required: it.required && it.default_value.is_none(), domain })
        };
        let parameters = it.parameters.iter().map(parameter).collect();
        let outputs = it.outputs.iter().map(|it| (it.id.clone(), domain(it.domain.as_ref()))).collect();
        (it.id.clone(), CapabilitySummary { parameters, outputs })
    };
    InstrumentSummary { capabilities: manifest.capabilities.iter().map(capability).collect() }
}

fn domain(domain: Option<&Domain>) -> ValueDomain {
    match domain {
        Some(Domain::Quantity(it)) => {
            ValueDomain::Quantity { unit: it.unit.clone(), low: it.minimum, high: it.maximum }
        }
        Some(Domain::Integer(it)) => ValueDomain::Integer { low: it.minimum, high: it.maximum },
        Some(Domain::Choice(it)) => ValueDomain::Choice(it.choices.iter().map(|it| it.id.clone()).collect()),
        Some(Domain::Flag(_)) => ValueDomain::Flag,
        Some(Domain::Sample(_)) => ValueDomain::Sample,
        Some(Domain::Series(_)) => ValueDomain::Series,
        Some(Domain::Artifact(_)) => ValueDomain::Artifact,
        Some(Domain::Text(_)) | None => ValueDomain::Text,
    }
}

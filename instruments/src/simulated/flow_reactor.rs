//! A flow reactor: pumps, a heated coil, and a vial that takes the outlet once it is steady.

use super::instrument::{Model, Prepared, bad_request, quantity_field};
use super::snar::{Conditions, outlet};
use super::world::World;
use crate::machine::{Arguments, Manifest, ManifestError};
use crate::wire::capability::{Effect, Probe};
use crate::wire::field_spec::Domain;
use crate::wire::value::Kind;
use crate::wire::{Capability, Context, Fault, FieldSpec, Instrument, Measurement, Operation, Rule, SampleDomain};
use crate::wire::{SampleEffect, Value};

const CAPABILITY: &str = "flow_reactor.react";
/// mol/L of the two stocks.
const STOCKS: (f64, f64) = (1.0, 2.0);
/// s until the temperature holds.
const HEATING_S: f64 = 60.0;
/// Residence times until the outlet is steady and the vial is filled.
const STEADY: f64 = 3.0;

pub(super) struct FlowReactor;

impl Model for FlowReactor {
    fn manifest(&self, instrument: &str, simulated: Instrument) -> Result<Manifest, ManifestError> {
        let parameter = |id: &str, name: &str, unit: &str, minimum, maximum| FieldSpec {
            display_name: name.to_owned(),
            ..quantity_field(id, unit, minimum, maximum, false)
        };
        let sample = FieldSpec {
            id: "sample".to_owned(),
            display_name: "Vial with the outlet".to_owned(),
            required: true,
            domain: Some(Domain::Sample(SampleDomain { labware_type: "vial".to_owned() })),
            ..FieldSpec::default()
        };
        let react = Capability {
            id: CAPABILITY.to_owned(),
            version: "1.0.0".to_owned(),
            display_name: "React in flow".to_owned(),
            description: "Runs difluoronitrobenzene and pyrrolidine through the coil and fills a vial.".to_owned(),
            parameters: vec![
                parameter("residence_time", "Residence time", "min", 0.5, 2.0),
                parameter("equivalents", "Pyrrolidine per difluoronitrobenzene", "1", 1.0, 5.0),
                parameter("concentration", "Difluoronitrobenzene after mixing", "mol/L", 0.1, 0.5),
                parameter("temperature", "Coil temperature", "Cel", 30.0, 120.0),
            ],
            outputs: vec![sample],
            rules: vec![Rule {
                expression: "concentration / 1.0 + equivalents * concentration / 2.0 <= 1.0".to_owned(),
                message: "the two stocks can't be mixed that strong".to_owned(),
            }],
            effect: Effect::Once.into(),
            probe: Probe::Exact.into(),
            abortable: true,
            typical_duration: Some(prost_types::Duration { seconds: 300, nanos: 0 }),
            max_duration: Some(prost_types::Duration { seconds: 1800, nanos: 0 }),
            ..Capability::default()
        };
        Manifest::new(Instrument {
            id: instrument.to_owned(),
            display_name: "Simulated flow reactor".to_owned(),
            model: "flow reactor".to_owned(),
            capabilities: vec![react],
            ..simulated
        })
    }

    fn check(&self, arguments: &Arguments) -> Result<(), Fault> {
        let at = conditions(arguments)?;
        let share = at.concentration / STOCKS.0 + at.equivalents * at.concentration / STOCKS.1;
        // The client computes the same bound in its own order of operations.
        if share <= 1.0 + 1e-9 {
            return Ok(());
        }
        Err(bad_request(
            "FEEDS_TOO_STRONG",
            format!(
                "stocks of {} and {} mol/L can't be mixed to {at:?}: lower concentration or equivalents",
                STOCKS.0, STOCKS.1
            ),
        ))
    }

    fn prepare(&self, operation: &Operation, _context: &Context, world: &World) -> Result<Prepared, Fault> {
        let at = conditions(&Arguments::of(&operation.arguments))?;
        let content = outlet(at).ok_or_else(|| bad_request("NO_SOLUTION", format!("{at:?} can't be integrated")))?;
        let vial = format!("vial-{}", operation.id);
        world.fill_vial(&vial, &content).map_err(|error| bad_request("BENCH", error.to_string()))?;
        let value = Value { kind: Some(Kind::Sample(vial)) };
        let measurement = Measurement { output: "sample".to_owned(), value: Some(value), ..Measurement::default() };
        Ok(Prepared {
            seconds: HEATING_S + STEADY * 60.0 * at.residence_time,
            truth: vec![measurement.clone()],
            measurements: vec![measurement],
            effect: SampleEffect::Modified,
            stages: &["heating", "reaching steady state", "collecting"],
        })
    }
}

fn conditions(arguments: &Arguments) -> Result<Conditions, Fault> {
    let of = |name: &str| {
        arguments.quantity(name).ok_or_else(|| bad_request("MISSING_ARGUMENT", format!("'{name}' is missing")))
    };
    Ok(Conditions {
        residence_time: of("residence_time")?,
        equivalents: of("equivalents")?,
        concentration: of("concentration")?,
        temperature: of("temperature")?,
    })
}

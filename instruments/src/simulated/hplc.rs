//! An HPLC: it knows peaks, and nothing of what they are good for.

use super::instrument::{Model, Prepared, bad_request, quantity_field};
use super::noise::generator;
use super::world::World;
use crate::machine::{Arguments, Manifest, ManifestError};
use crate::wire::capability::{Effect, Probe};
use crate::wire::field_spec::Domain;
use crate::wire::series::Column;
use crate::wire::series_domain::Axis;
use crate::wire::value::Kind;
use crate::wire::{Capability, Context, Fault, FieldSpec, Instrument, Measurement, Operation, Quantity, SampleDomain};
use crate::wire::{SampleEffect, Series, SeriesDomain, Value};
use rand_distr::{Distribution as _, StandardNormal};

const CAPABILITY: &str = "hplc.assay";
/// Standard deviation of each concentration relative to itself; stated with it.
const RELATIVE_SD: f64 = 0.005;
/// mol/L; what the integrator shows where there is nothing.
const FLOOR: f64 = 1e-12;
const METHOD_S: f64 = 300.0;
/// min from injection, response per mol/L and width in min, in the order of the species.
const PEAKS: [(f64, f64, f64); 5] =
    [(2.1, 640.0, 0.05), (0.9, 35.0, 0.04), (3.0, 910.0, 0.06), (3.6, 880.0, 0.06), (4.4, 1250.0, 0.08)];
const CHROMATOGRAM_POINTS: u32 = 251;
const CHROMATOGRAM_STEP_MIN: f64 = 0.02;

pub(super) struct Hplc;

impl Model for Hplc {
    fn manifest(&self, instrument: &str, simulated: Instrument) -> Result<Manifest, ManifestError> {
        let sample = FieldSpec {
            id: "sample".to_owned(),
            required: true,
            domain: Some(Domain::Sample(SampleDomain { labware_type: "vial".to_owned() })),
            ..FieldSpec::default()
        };
        let axis = |id: &str, unit: &str| Axis { id: id.to_owned(), unit: unit.to_owned() };
        let chromatogram = FieldSpec {
            id: "chromatogram".to_owned(),
            domain: Some(Domain::Series(SeriesDomain { axes: vec![axis("time", "min"), axis("signal", "1")] })),
            ..FieldSpec::default()
        };
        let species = super::snar::Outlet::default().species();
        let peaks = species.iter().map(|(name, _)| quantity_field(name, "mol/L", 0.0, 10.0, true));
        let assay = Capability {
            id: CAPABILITY.to_owned(),
            version: "1.0.0".to_owned(),
            display_name: "Assay a vial".to_owned(),
            description: "Injects a little of a vial and integrates the peaks.".to_owned(),
            parameters: vec![sample],
            outputs: peaks.chain([chromatogram]).collect(),
            effect: Effect::Repeatable.into(),
            probe: Probe::Exact.into(),
            abortable: true,
            typical_duration: Some(prost_types::Duration { seconds: 300, nanos: 0 }),
            max_duration: Some(prost_types::Duration { seconds: 1800, nanos: 0 }),
            ..Capability::default()
        };
        Manifest::new(Instrument {
            id: instrument.to_owned(),
            display_name: "Simulated HPLC".to_owned(),
            model: "HPLC".to_owned(),
            capabilities: vec![assay],
            ..simulated
        })
    }

    fn prepare(&self, operation: &Operation, context: &Context, world: &World) -> Result<Prepared, Fault> {
        let arguments = Arguments::of(&operation.arguments);
        let vial = arguments.text("sample").unwrap_or_default();
        let content = world.read_vial(vial).ok_or_else(|| {
            bad_request("UNKNOWN_SAMPLE", format!("there is no vial '{vial}' on the bench; was it ever filled?"))
        })?;
        let mut noise = generator(context, CAPABILITY);
        let (mut truth, mut measurements, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in content.species() {
            let value = value.max(FLOOR);
            let deviate: f64 = StandardNormal.sample(&mut noise);
            let measured = value * (1.0 + RELATIVE_SD * deviate);
            truth.push(concentration(name, value, 0.0));
            measurements.push(concentration(name, measured, RELATIVE_SD * measured));
            seen.push(measured);
        }
        measurements.push(chromatogram(&seen));
        let stages = &["injecting", "eluting", "integrating"];
        Ok(Prepared { seconds: METHOD_S, truth, measurements, effect: SampleEffect::None, stages })
    }
}

fn concentration(name: &str, value: f64, sd: f64) -> Measurement {
    let quantity = Quantity { value, unit: "mol/L".to_owned(), standard_uncertainty: sd, degrees_of_freedom: 0.0 };
    let value = Some(Value { kind: Some(Kind::Quantity(quantity)) });
    Measurement { output: name.to_owned(), value, ..Measurement::default() }
}

fn chromatogram(concentrations: &[f64]) -> Measurement {
    let times: Vec<f64> = (0..CHROMATOGRAM_POINTS).map(|at| f64::from(at) * CHROMATOGRAM_STEP_MIN).collect();
    let signal = |time: &f64| -> f64 {
        let peak = |(concentration, (centre, response, width)): (&f64, (f64, f64, f64))| {
            let distance = (time - centre) / width;
            concentration * response * (-0.5 * distance * distance).exp()
        };
        concentrations.iter().zip(PEAKS).map(peak).sum()
    };
    let signals = times.iter().map(signal).collect();
    let column = |id: &str, unit: &str, values| Column {
        id: id.to_owned(),
        unit: unit.to_owned(),
        values,
        standard_uncertainties: Vec::new(),
    };
    let series = Series { columns: vec![column("time", "min", times), column("signal", "1", signals)] };
    let value = Some(Value { kind: Some(Kind::Series(series)) });
    Measurement { output: "chromatogram".to_owned(), value, ..Measurement::default() }
}

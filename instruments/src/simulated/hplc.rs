//! An HPLC: it knows peaks, and nothing of what they are good for.

use super::instrument::{Model, Prepared, bad_request, described};
use super::noise::generator;
use super::world::World;
use crate::machine::{Arguments, Manifest, ManifestError};
use crate::sdk::capability;
use crate::wire::series::Column;
use crate::wire::value::Kind;
use crate::wire::{Context, Fault, Measurement, Operation, Quantity, SampleEffect, Series, Value};
use rand_distr::{Distribution as _, StandardNormal};
use std::time::Duration;

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
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError> {
        let assay = capability(CAPABILITY)
            .described("Injects a little of a vial and integrates the peaks.")
            .sample("sample", "vial")
            .repeatable()
            .abortable()
            .probed()
            .takes(Duration::from_secs(300), Duration::from_secs(1800));
        let species = super::snar::Outlet::default().species();
        let assay = species.iter().fold(assay, |assay, (name, _)| assay.brings_uncertain(name, "mol/L", 0.0..=10.0));
        let assay = assay.brings_series("chromatogram", &[("time", "min"), ("signal", "1")]);
        described(name, "Simulated HPLC", "HPLC").can(assay).build()
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

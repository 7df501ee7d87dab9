//! An HPLC: it knows peaks, and nothing of what they are good for.

use super::instrument::{Bench, Model, Prepared, bad_request, described};
use super::measure::{deviate, quantity, series};
use super::noise::generator;
use super::snar::Outlet;
use super::world::Shelf;
use crate::machine::{Arguments, Manifest, ManifestError};
use crate::sdk::capability;
use crate::wire::{Context, Fault, Measurement, Operation, SampleEffect};
use std::time::Duration;

const CAPABILITY: &str = "hplc.assay";
/// Standard deviation of each concentration relative to itself; stated with it.
const RELATIVE_SD: f64 = 0.005;
/// mol/L; what the integrator shows where there is nothing.
const FLOOR: f64 = 1e-12;
/// The name of a vial of pure solvent.
const BLANK: &str = "blank";
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
        let species = Outlet::default().species();
        let assay = species.iter().fold(assay, |assay, (name, _)| assay.brings_uncertain(name, "mol/L", 0.0..=10.0));
        let assay = assay.brings_series("chromatogram", &[("time", "min"), ("signal", "1")]);
        described(name, "Simulated HPLC", "HPLC").can(assay).build()
    }

    fn prepare(&self, operation: &Operation, context: &Context, bench: &Bench) -> Result<Prepared, Fault> {
        let arguments = Arguments::of(&operation.arguments);
        let vial = arguments.text("sample").unwrap_or_default();
        let content = match vial {
            BLANK => Some(Outlet::default()),
            _ => bench.world.read::<Outlet>(Shelf::Vials, vial),
        };
        let content = content.ok_or_else(|| {
            bad_request("UNKNOWN_SAMPLE", format!("there is no vial '{vial}' on the bench; was it ever filled?"))
        })?;
        let mut noise = generator(context, CAPABILITY);
        let (mut truth, mut measurements, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in content.species() {
            let value = value.max(FLOOR);
            let measured = value * (1.0 + deviate(&mut noise, RELATIVE_SD));
            truth.push(quantity(name, value, 0.0, "mol/L"));
            measurements.push(quantity(name, measured, RELATIVE_SD * measured, "mol/L"));
            seen.push(measured);
        }
        measurements.push(chromatogram(&seen));
        let stages = &["injecting", "eluting", "integrating"];
        let effect = SampleEffect::None;
        Ok(Prepared { seconds: METHOD_S, truth, measurements, effect, stages, ..Prepared::default() })
    }
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
    series("chromatogram", vec![("time", "min", times), ("signal", "1", signals)])
}

//! A UV-Vis spectrometer: the absorbance of dyes by Beer and Lambert, as a detector sees it.
//!
//! Molar absorptivities at the maximum, in L/(mol cm): Allura Red AC 25,900 at 504 nm, tartrazine 27,300 at 427 nm, Brilliant
//! Blue FCF 130,000 at 630 nm. Bands are Gaussian; light is counted, so its noise is that of counting; some of it strays.

use super::instrument::{Artifact, Bench, Model, Prepared, bad_request, described};
use super::liquid_handler::Well;
use super::measure::{deviate, quantity, series};
use super::noise::generator;
use super::world::Shelf;
use crate::machine::{Arguments, Manifest, ManifestError};
use crate::sdk::capability;
use crate::wire::value::Kind;
use crate::wire::{Context, Fault, Operation, SampleEffect};
use rand::RngExt as _;
use std::time::Duration;

const CAPABILITY: &str = "spectrometer.scan";
/// The name of a cuvette of water.
const BLANK: &str = "blank";
/// cm
const PATH: f64 = 1.0;
/// nm, in steps of one.
const FIRST_NM: u32 = 350;
const LAST_NM: u32 = 750;
/// Counts in one frame at full light.
const COUNTS: f64 = 50_000.0;
/// Of the light that reaches the detector beside the sample.
const STRAY: f64 = 2e-4;
/// s
const FRAME_S: f64 = 0.01;
const FRAMES_MAX: i64 = 65_536;

/// Of the sum of four bytes: mean, standard deviation.
const SUM_MEAN: f64 = 510.0;
const SUM_SD: f64 = 147.8;

/// A dye in the order of the liquid handler's stocks.
struct Dye {
    output: &'static str,
    /// mol/L in the stock.
    stock: f64,
    /// nm
    maximum: f64,
    /// L/(mol cm)
    absorptivity: f64,
    /// nm, standard deviation of the band
    width: f64,
}

const DYES: [Dye; 3] = [
    Dye { output: "a504", stock: 6e-5, maximum: 504.0, absorptivity: 25_900.0, width: 42.0 },
    Dye { output: "a427", stock: 6e-5, maximum: 427.0, absorptivity: 27_300.0, width: 40.0 },
    Dye { output: "a630", stock: 1.2e-5, maximum: 630.0, absorptivity: 130_000.0, width: 22.0 },
];

fn absorbance(well: &Well, nm: f64) -> f64 {
    let total: f64 = well.volumes.iter().sum();
    let of = |(dye, volume): (&Dye, &f64)| {
        let distance = (nm - dye.maximum) / dye.width;
        let concentration = dye.stock * volume / total.max(f64::MIN_POSITIVE);
        dye.absorptivity * concentration * PATH * (-0.5 * distance * distance).exp()
    };
    DYES.iter().zip(&well.volumes).map(of).sum()
}

/// The share of the light that arrives.
fn arriving(absorbance: f64) -> f64 {
    STRAY + (1.0 - STRAY) * 10_f64.powf(-absorbance)
}

pub(super) struct Spectrometer;

impl Model for Spectrometer {
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError> {
        let scan = capability(CAPABILITY)
            .described("Takes the spectrum of a well; the frames come as a file.")
            .sample("sample", "well")
            .integer("frames", 1..=FRAMES_MAX)
            .by_default(16_i64);
        let scan = DYES.iter().fold(scan, |scan, dye| scan.brings_uncertain(dye.output, "1", -1.0..=4.0));
        let scan = scan
            .brings_series("spectrum", &[("wavelength", "nm"), ("absorbance", "1")])
            .brings_artifact("frames", &["application/octet-stream"])
            .repeatable()
            .abortable()
            .takes(Duration::from_secs(2), Duration::from_secs(1800));
        described(name, "Simulated spectrometer", "UV-Vis spectrometer").can(scan).build()
    }

    fn prepare(&self, operation: &Operation, context: &Context, bench: &Bench) -> Result<Prepared, Fault> {
        let arguments = Arguments::of(&operation.arguments);
        let id = arguments.text("sample").unwrap_or(BLANK);
        let well = match id {
            BLANK => Well::default(),
            _ => bench.world.read(Shelf::Wells, id).ok_or_else(|| {
                bad_request("UNKNOWN_SAMPLE", format!("there is no well '{id}' on the bench; was it ever filled?"))
            })?,
        };
        let frames = match arguments.get("frames") {
            Some(Kind::Integer(frames)) => *frames,
            _ => 1,
        };
        #[expect(clippy::cast_precision_loss, reason = "65,536 at most")]
        let averaged = frames as f64;
        let mut noise = generator(context, CAPABILITY);
        // Relative noise of a count is one over its root; of an absorbance that over ln 10.
        let sd = |absorbance: f64| (1.0 / (COUNTS * averaged * arriving(absorbance))).sqrt() / std::f64::consts::LN_10;
        let mut seen = |nm: f64| {
            let real = absorbance(&well, nm);
            -arriving(real).log10() + deviate(&mut noise, sd(real))
        };
        let wavelengths: Vec<f64> = (FIRST_NM..=LAST_NM).map(f64::from).collect();
        let spectrum: Vec<f64> = wavelengths.iter().map(|nm| seen(*nm)).collect();
        let at = |nm: f64| wavelengths.iter().zip(&spectrum).find(|(it, _)| **it >= nm).map_or(0.0, |(_, a)| *a);
        let mut measurements: Vec<_> = DYES
            .iter()
            .map(|dye| quantity(dye.output, at(dye.maximum), sd(absorbance(&well, dye.maximum)), "1"))
            .collect();
        let truth = DYES.iter().map(|dye| quantity(dye.output, absorbance(&well, dye.maximum), 0.0, "1")).collect();
        measurements
            .push(series("spectrum", vec![("wavelength", "nm", wavelengths.clone()), ("absorbance", "1", spectrum)]));
        let counts: Vec<f64> = wavelengths.iter().map(|nm| COUNTS * arriving(absorbance(&well, *nm))).collect();
        let make = move || raw_frames(&counts, frames, noise);
        Ok(Prepared {
            seconds: FRAME_S * averaged + 1.0,
            measurements,
            truth,
            effect: SampleEffect::None,
            stages: &["counting"],
            artifact: Some(Artifact { output: "frames", media_type: "application/octet-stream", make: Box::new(make) }),
            ..Prepared::default()
        })
    }
}

/// Each frame's counts, 16 bits a wavelength, the low byte first.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, held within 16 bits")]
fn raw_frames(counts: &[f64], frames: i64, mut noise: rand_chacha::ChaCha8Rng) -> Vec<u8> {
    let roots: Vec<(f64, f64)> = counts.iter().map(|count| (*count, count.sqrt() / SUM_SD)).collect();
    let (mut raw, mut bytes) = (Vec::new(), vec![0_u8; 4 * counts.len()]);
    for _ in 0..frames {
        noise.fill(bytes.as_mut_slice());
        for ((count, scale), four) in roots.iter().zip(bytes.chunks_exact(4)) {
            // The sum of four bytes is normal enough for a count of thousands.
            let &[a, b, c, d] = four else { continue };
            let sum = u16::from(a) + u16::from(b) + u16::from(c) + u16::from(d);
            let counted = count + scale * (f64::from(sum) - SUM_MEAN);
            raw.extend_from_slice(&(counted.clamp(0.0, 65_535.0) as u16).to_le_bytes());
        }
    }
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dye_alone_absorbs_by_its_concentration() {
        let half_red = Well { volumes: [500.0, 0.0, 0.0, 500.0] };
        assert!((absorbance(&half_red, 504.0) - 25_900.0 * 3e-5).abs() < 1e-12);
        assert_eq!(absorbance(&Well::default(), 504.0).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn stray_light_bends_what_is_nearly_black() {
        assert!((-arriving(1.0).log10() - 1.0).abs() < 1e-3);
        assert!(-arriving(5.0).log10() < 3.71);
    }
}

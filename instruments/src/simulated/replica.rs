//! A stand-in for any instrument, from its description alone: to rehearse a campaign before the hardware is there.
//!
//! It takes what the real one takes and brings what the real one brings, in the same time. The numbers are made up: a smooth
//! hill over the parameters for each output, the same for every replica of that name, with a hundredth of its range as noise.

use super::SimulatedError;
use super::instrument::{Bench, Model, Prepared};
use super::measure::{deviate, measurement, quantity};
use super::noise::generator;
use crate::child::read_description;
use crate::machine::{Manifest, ManifestError};
use crate::wire::capability::Effect;
use crate::wire::field_spec::Domain;
use crate::wire::instrument::TimeMode;
use crate::wire::series::Column;
use crate::wire::value::Kind;
use crate::wire::{
    Argument, Capability, ConformanceLevel, Context, Fault, FieldSpec, Instrument, Measurement, Operation,
    SampleEffect, Series, capability,
};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::Duration;

/// s, where the description says nothing.
const TYPICAL_S: f64 = 60.0;
/// Of an output's range.
const NOISE: f64 = 0.01;
/// Of an output's range; outputs without finite bounds are taken to go from 0 to 1.
const HILL: (f64, f64) = (0.1, 0.8);
const SERIES_POINTS: u32 = 101;

pub(super) struct Replica(Instrument);

impl Replica {
    pub(super) fn read(path: &Path) -> Result<Self, SimulatedError> {
        let failed = |words: String| SimulatedError::Description(path.to_owned(), words);
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Ok(Self(read_description(&text).map_err(failed)?.instrument().clone()))
    }
}

/// 0 to 1, always the same for the same words.
fn fixed(words: [&str; 3]) -> f64 {
    let digest = Sha256::digest(words.join("\0"));
    let bytes = digest.iter().take(4).fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
    f64::from(bytes) / f64::from(u32::MAX)
}

/// Where an argument lies within what its parameter allows, 0 to 1.
fn place(field: &FieldSpec, argument: &Argument) -> f64 {
    let kind = argument.value.as_ref().and_then(|value| value.kind.as_ref());
    #[expect(clippy::cast_precision_loss, reason = "a place within a range")]
    let place = match (&field.domain, kind) {
        (Some(Domain::Quantity(it)), Some(Kind::Quantity(given))) => {
            (given.value - it.minimum) / (it.maximum - it.minimum)
        }
        (Some(Domain::Integer(it)), Some(Kind::Integer(given))) => {
            (given - it.minimum) as f64 / (it.maximum - it.minimum) as f64
        }
        (_, Some(Kind::Choice(choice))) => fixed(["choice", &field.id, choice]),
        (_, Some(Kind::Boolean(flag))) => f64::from(u8::from(*flag)),
        _ => 0.5,
    };
    if place.is_finite() { place } else { 0.5 }
}

/// A hill over the parameters: 1 at its top.
fn height(capability: &Capability, output: &str, arguments: &[Argument]) -> f64 {
    let far = |field: &FieldSpec| {
        let argument = arguments.iter().find(|argument| argument.id == field.id)?;
        Some((place(field, argument) - (0.2 + 0.6 * fixed([&capability.id, output, &field.id]))).powi(2))
    };
    (-2.0 * capability.parameters.iter().filter_map(far).sum::<f64>()).exp()
}

/// One output, with its noise and without.
fn made_up(field: &FieldSpec, height: f64, operation: &str, noise: &mut ChaCha8Rng) -> [Option<Measurement>; 2] {
    let both = |kind: Kind| {
        let measured = measurement(&field.id, kind);
        [Some(measured.clone()), Some(measured)]
    };
    match &field.domain {
        Some(Domain::Quantity(it)) => {
            let finite = it.minimum.is_finite() && it.maximum.is_finite();
            let (low, high) = if finite { (it.minimum, it.maximum) } else { (0.0, 1.0) };
            let real = low + (high - low) * (HILL.0 + HILL.1 * height);
            let sd = NOISE * (high - low);
            let seen = (real + deviate(noise, sd)).clamp(low, high);
            [quantity(&field.id, seen, sd, &it.unit), quantity(&field.id, real, 0.0, &it.unit)].map(Some)
        }
        Some(Domain::Integer(it)) => both(Kind::Integer(it.minimum.midpoint(it.maximum))),
        Some(Domain::Choice(it)) => both(Kind::Choice(it.choices.first().map(|it| it.id.clone()).unwrap_or_default())),
        Some(Domain::Flag(_)) => both(Kind::Boolean(true)),
        Some(Domain::Text(_)) => both(Kind::Text("made up".to_owned())),
        Some(Domain::Sample(_)) => both(Kind::Sample(format!("{}-{operation}", field.id))),
        Some(Domain::Series(it)) => {
            let values: Vec<f64> = (0..SERIES_POINTS).map(f64::from).collect();
            let column = |axis: &crate::wire::series_domain::Axis| Column {
                id: axis.id.clone(),
                unit: axis.unit.clone(),
                values: values.clone(),
                standard_uncertainties: Vec::new(),
            };
            both(Kind::Series(Series { columns: it.axes.iter().map(column).collect() }))
        }
        Some(Domain::Artifact(_)) | None => [None, None],
    }
}

impl Model for Replica {
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError> {
        let mut instrument = self.0.clone();
        name.clone_into(&mut instrument.id);
        instrument.conformance_level = ConformanceLevel::Simulation.into();
        instrument.time_mode = TimeMode::Simulated.into();
        for capability in &mut instrument.capabilities {
            // Made up with everything else, so the driver can be asked after a crash.
            capability.probe = capability::Probe::Exact.into();
            // What makes files or counts stock can't be made up.
            capability.usages.clear();
            capability.outputs.retain(|field| !matches!(field.domain, Some(Domain::Artifact(_))));
        }
        Manifest::new(instrument)
    }

    fn prepare(&self, operation: &Operation, context: &Context, _bench: &Bench) -> Result<Prepared, Fault> {
        let declared = self.0.capabilities.iter().find(|it| it.id == operation.capability);
        let capability = declared.cloned().unwrap_or_default();
        let mut noise = generator(context, &operation.capability);
        let (mut measurements, mut truth) = (Vec::new(), Vec::new());
        for field in &capability.outputs {
            let height = height(&capability, &field.id, &operation.arguments);
            let [seen, real] = made_up(field, height, &operation.id, &mut noise);
            measurements.extend(seen);
            truth.extend(real);
        }
        let typical = capability.typical_duration.and_then(|it| Duration::try_from(it).ok());
        let effect = match capability.effect() {
            Effect::Repeatable => SampleEffect::None,
            Effect::Once | Effect::Unspecified => SampleEffect::Modified,
        };
        let seconds = typical.map_or(TYPICAL_S, |it| it.as_secs_f64());
        Ok(Prepared { seconds, measurements, truth, effect, stages: &["rehearsing"], ..Prepared::default() })
    }
}

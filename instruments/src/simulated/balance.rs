//! An analytical balance that doses a powder: calcite into a crucible, weighed in air.
//!
//! Weighing in air by convention: OIML R 111-1, conventional mass at 8000 kg/m3 and air of 1.2 kg/m3.

use super::furnace::Piece;
use super::instrument::{Bench, Model, Prepared, bad_request, described};
use super::measure::{deviate, quantity, sample};
use super::noise::generator;
use super::world::{Change, Shelf};
use crate::machine::{Arguments, Manifest, ManifestError, StatusReport};
use crate::sdk::capability;
use crate::wire::calibration::State as Validity;
use crate::wire::{Calibration, Consumable, Context, Fault, Operation, Quantity, SampleEffect};
use prost_types::Timestamp;
use std::time::Duration;

const DOSE: &str = "balance.dose";
const WEIGH: &str = "balance.weigh";
const CALIBRATE: &str = "balance.calibrate";
/// mg; what a reading scatters by.
const REPEATABILITY_MG: f64 = 0.05;
/// mg; the last digit.
const READABILITY_MG: f64 = 0.1;
/// mg an hour since the last calibration, at worst; the real one is this for every instrument.
const ZERO_DRIFT_MG_PER_H: f64 = 0.01;
/// Of the wanted mass; how well powder is dosed.
const DOSING_SD: f64 = 0.005;
/// kg/m3
const AIR: f64 = 1.2;
const CONVENTIONAL_DENSITY: f64 = 8000.0;
/// g in a full hopper.
const HOPPER_G: f64 = 100.0;
/// g; what the longest dose takes.
const DOSE_TYPICAL_G: f64 = 5.0;
const DAY_MS: i64 = 24 * 3_600_000;
/// Readings are suspect after so many days without calibration, and none is made after so many.
const DUE_DAYS: i64 = 1;
const INVALID_DAYS: i64 = 7;

pub(super) struct Balance {
    /// It was calibrated when it was set up.
    pub(super) set_up_ms: i64,
}

impl Balance {
    fn calibrated_ms(&self, bench: &Bench) -> i64 {
        bench.world.read(Shelf::Own, bench.world.own_name()).unwrap_or(self.set_up_ms)
    }

    /// A reading and its standard uncertainty, both in mg.
    fn reading(&self, piece: &Piece, context: &Context, bench: &Bench) -> (f64, f64) {
        let conventional = piece.mass_mg() * (1.0 - AIR / piece.density()) / (1.0 - AIR / CONVENTIONAL_DENSITY);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of some days")]
        let hours = (bench.now_ms() - self.calibrated_ms(bench)).max(0) as f64 / 3_600_000.0;
        let drift = ZERO_DRIFT_MG_PER_H * hours;
        let seen = conventional + drift + deviate(&mut generator(context, WEIGH), REPEATABILITY_MG);
        // A drift of this size either way, and the rounding to the last digit.
        let sd = (REPEATABILITY_MG.powi(2) + READABILITY_MG.powi(2) / 12.0 + drift.powi(2)).sqrt();
        ((seen / READABILITY_MG).round() * READABILITY_MG, sd)
    }
}

impl Model for Balance {
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError> {
        let minutes = |typical: u64| (Duration::from_secs(60 * typical), Duration::from_secs(1800));
        let (typical, max) = minutes(2);
        let dose = capability(DOSE)
            .described("Doses calcite powder into a new crucible and weighs it.")
            .quantity("amount", "mg", 10.0..=5000.0)
            .brings_sample("sample", "crucible")
            .brings_uncertain("mass", "mg", 0.0..=10_000.0)
            .uses("powder", DOSE_TYPICAL_G, "g")
            .abortable()
            .probed()
            .takes(typical, max);
        let (typical, max) = minutes(1);
        let weigh = capability(WEIGH)
            .described("Weighs what is in a crucible.")
            .sample("sample", "crucible")
            .brings_uncertain("mass", "mg", 0.0..=10_000.0)
            .repeatable()
            .probed()
            .takes(typical, max);
        let calibrate = capability(CALIBRATE)
            .described("Calibrates with the weight inside.")
            .repeatable()
            .probed()
            .takes(typical, max);
        described(name, "Simulated balance", "dosing balance").can(dose).can(weigh).can(calibrate).build()
    }

    fn status(&self, bench: &Bench) -> StatusReport {
        let calibrated = self.calibrated_ms(bench);
        let state = match (bench.now_ms() - calibrated) / DAY_MS {
            INVALID_DAYS.. => Validity::Invalid,
            DUE_DAYS.. => Validity::Due,
            _ => Validity::Valid,
        };
        let time = |ms: i64| Some(Timestamp { seconds: ms / 1000, nanos: 0 });
        let calibration = Calibration {
            id: "internal_weight".to_owned(),
            state: state.into(),
            calibrate_time: time(calibrated),
            due_time: time(calibrated + DUE_DAYS * DAY_MS),
            certificate_uri: String::new(),
            capability: CALIBRATE.to_owned(),
        };
        let grams = Some(Quantity { value: HOPPER_G, unit: "g".to_owned(), ..Quantity::default() });
        let powder = Consumable {
            id: "powder".to_owned(),
            display_name: "calcite in the hopper".to_owned(),
            remaining: grams.clone(),
            capacity: grams,
            ..Consumable::default()
        };
        StatusReport { calibrations: vec![calibration], consumables: vec![powder], ..StatusReport::default() }
    }

    fn prepare(&self, operation: &Operation, context: &Context, bench: &Bench) -> Result<Prepared, Fault> {
        let arguments = Arguments::of(&operation.arguments);
        if operation.capability == CALIBRATE {
            let changes = vec![Change::put(Shelf::Own, bench.world.own_name(), &bench.now_ms())];
            let stages = &["weighing the weight inside"];
            return Ok(Prepared { seconds: 45.0, effect: SampleEffect::None, changes, stages, ..Prepared::default() });
        }
        let mass = |value, sd| quantity("mass", value, sd, "mg");
        if operation.capability == WEIGH {
            let id = arguments.text("sample").unwrap_or_default();
            let piece = bench.world.read(Shelf::Pieces, id).ok_or_else(|| unknown(id))?;
            let (reading, sd) = self.reading(&piece, context, bench);
            return Ok(Prepared {
                seconds: 20.0,
                measurements: vec![mass(reading, sd)],
                truth: vec![mass(piece.mass_mg(), 0.0)],
                effect: SampleEffect::None,
                stages: &["settling"],
                ..Prepared::default()
            });
        }
        let wanted = arguments.quantity("amount").unwrap_or_default();
        let dosed = wanted * (1.0 + deviate(&mut generator(context, DOSE), DOSING_SD));
        let (id, piece) = (format!("crucible-{}", operation.id), Piece::calcite(dosed));
        let (reading, sd) = self.reading(&piece, context, bench);
        Ok(Prepared {
            seconds: 60.0 + wanted / 50.0,
            measurements: vec![sample("sample", id.clone()), mass(reading, sd)],
            truth: vec![mass(dosed, 0.0)],
            effect: SampleEffect::Modified,
            changes: vec![Change::put(Shelf::Pieces, &id, &piece)],
            stages: &["taking a crucible", "dosing", "settling"],
            ..Prepared::default()
        })
    }
}

/// Nobody has filled such a crucible.
pub(super) fn unknown(id: &str) -> Fault {
    bad_request("UNKNOWN_SAMPLE", format!("there is no crucible '{id}' on the bench; was it ever filled?"))
}

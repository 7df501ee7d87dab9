//! A liquid handler: three dyes and water into a well, by an air-displacement pipette of 1000 uL.
//!
//! Its errors are within ISO 8655-2 for that size: at most 8 uL systematic and 3 uL random.

use super::instrument::{Bench, Model, Prepared, bad_request, described};
use super::measure::{deviate, quantity, sample};
use super::noise::generator;
use super::world::{Change, Shelf};
use crate::machine::{Arguments, Manifest, ManifestError, StatusReport};
use crate::sdk::capability;
use crate::wire::{Consumable, Context, Fault, Operation, Quantity, SampleEffect};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const CAPABILITY: &str = "liquid_handler.dispense";
/// The stocks, in the order of [`Well::volumes`].
pub(super) const LIQUIDS: [&str; 4] = ["red", "yellow", "blue", "water"];
/// uL; a third of what the standard allows.
const SYSTEMATIC_UL: f64 = 2.5;
const RANDOM_SD_UL: f64 = 0.8;
/// uL in one stroke.
const STROKE_UL: f64 = 1000.0;
/// uL in a well.
const WELL_UL: f64 = 2000.0;
/// s for a tip, an aspiration and a dispense.
const STROKE_S: f64 = 12.0;
/// Tips in a full rack, and one a liquid.
const TIPS: f64 = 960.0;
/// uL in a full bottle, and of one dispense at most.
const BOTTLE_UL: f64 = 250_000.0;

/// What is in a well.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Well {
    /// uL of each of [`LIQUIDS`].
    pub(super) volumes: [f64; 4],
}

pub(super) struct LiquidHandler;

fn volumes(arguments: &Arguments) -> [f64; 4] {
    LIQUIDS.map(|liquid| arguments.quantity(liquid).unwrap_or_default())
}

impl Model for LiquidHandler {
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError> {
        let dispense = capability(CAPABILITY).described("Fills a new well from four stocks.");
        let dispense = LIQUIDS.iter().fold(dispense, |it, liquid| it.quantity(liquid, "uL", 0.0..=STROKE_UL));
        let dispense = LIQUIDS.iter().fold(dispense, |it, liquid| it.uses(liquid, STROKE_UL, "uL"));
        let dispense = dispense
            .uses("tips", 4.0, "1")
            .rule("red + yellow + blue + water <= 2000.0", "the well holds 2 mL")
            .brings_sample("well", "well")
            .brings_uncertain("volume", "uL", 0.0..=WELL_UL + 100.0)
            .abortable()
            .holdable()
            .probed()
            .takes(Duration::from_secs(48), Duration::from_secs(1800));
        described(name, "Simulated liquid handler", "liquid handler").can(dispense).build()
    }

    fn check(&self, _capability: &str, arguments: &Arguments) -> Result<(), Fault> {
        let sum: f64 = volumes(arguments).iter().sum();
        match sum <= WELL_UL {
            true => Ok(()),
            false => Err(bad_request("WELL_OVERFLOWS", format!("{sum} uL don't fit into a well of {WELL_UL} uL"))),
        }
    }

    fn status(&self, _bench: &Bench) -> StatusReport {
        let stock = |id: &str, full: f64, unit: &str| {
            let full = Some(Quantity { value: full, unit: unit.to_owned(), ..Quantity::default() });
            let (remaining, capacity) = (full.clone(), full);
            Consumable { id: id.to_owned(), remaining, capacity, ..Consumable::default() }
        };
        let mut consumables = vec![stock("tips", TIPS, "1")];
        consumables.extend(LIQUIDS.map(|liquid| stock(liquid, BOTTLE_UL, "uL")));
        StatusReport { consumables, ..StatusReport::default() }
    }

    fn prepare(&self, operation: &Operation, context: &Context, _bench: &Bench) -> Result<Prepared, Fault> {
        let wanted = volumes(&Arguments::of(&operation.arguments));
        let mut noise = generator(context, CAPABILITY);
        let mut real = |wanted: f64| match wanted > 0.0 {
            true => (wanted + SYSTEMATIC_UL * wanted / STROKE_UL + deviate(&mut noise, RANDOM_SD_UL)).max(0.0),
            false => 0.0,
        };
        let well = Well { volumes: wanted.map(&mut real) };
        let strokes = wanted.iter().filter(|volume| **volume > 0.0).count();
        let id = format!("well-{}", operation.id);
        #[expect(clippy::cast_precision_loss, reason = "four at most")]
        let strokes = strokes as f64;
        let sd = (strokes * (RANDOM_SD_UL.powi(2) + SYSTEMATIC_UL.powi(2) / 3.0)).sqrt().max(RANDOM_SD_UL);
        let volume = |value: f64, sd| quantity("volume", value, sd, "uL");
        Ok(Prepared {
            seconds: STROKE_S * strokes.max(1.0),
            measurements: vec![sample("well", id.clone()), volume(wanted.iter().sum(), sd)],
            truth: vec![volume(well.volumes.iter().sum(), 0.0)],
            effect: SampleEffect::Modified,
            stages: &["red", "yellow", "blue", "water"],
            changes: vec![Change::put(Shelf::Wells, &id, &well)],
            ..Prepared::default()
        })
    }
}

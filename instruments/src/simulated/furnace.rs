//! A tube furnace that calcines: CaCO3 -> CaO + CO2, by a temperature program.
//!
//! Kinetics of a shrinking grain, 1 - (1 - conversion)^(1/3) = integral of k, with A and E of calcium carbonate powder in
//! argon: Crystals 2020, 10, 849 (model R3). The control thermocouple is of type K, within class 1 of IEC 60584-1.

use super::balance::unknown;
use super::instrument::{Bench, Model, Prepared, described};
use super::measure::{deviate, quantity, series};
use super::noise::generator;
use super::world::{Change, Shelf};
use crate::machine::{Arguments, Manifest, ManifestError, StatusReport};
use crate::sdk::capability;
use crate::wire::{Context, Fault, Interlock, Operation, SampleEffect};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const CAPABILITY: &str = "furnace.calcine";
/// The name of no crucible at all.
const EMPTY: &str = "empty";
/// 1/s and J/mol.
const FREQUENCY_FACTOR: f64 = 3.50e12;
const ACTIVATION_ENERGY: f64 = 265.66e3;
/// J/(mol K)
const GAS_CONSTANT: f64 = 8.314;
/// g/mol of CO2 and of CaCO3.
const CO2_SHARE: f64 = 44.009 / 100.087;
/// kg/m3 of CaCO3 and of CaO.
const DENSITIES: (f64, f64) = (2710.0, 3340.0);
const ROOM: f64 = 25.0;
const KELVIN: f64 = 273.15;
/// Of the reading: half of class 1, which is 0.4 %.
const THERMOCOUPLE_SD: f64 = 0.002;
/// degC an hour above 800 degC; what the thermocouple reads too little with age.
const AGEING_PER_H: f64 = 0.02;
/// K/min when the heater is off.
const COOLING: f64 = 15.0;
/// W/K through the walls, J/K of tube and insulation.
const LOSS: f64 = 0.9;
const HEAT_CAPACITY: f64 = 4_000.0;
/// s between two steps of the integral.
const STEP_S: f64 = 10.0;
/// Points in the trace that is told.
const TRACE_POINTS: usize = 300;

/// Calcite in a crucible.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Piece {
    /// As it was dosed.
    calcite_mg: f64,
    /// 0 to 1.
    converted: f64,
}

impl Piece {
    pub(super) fn calcite(calcite_mg: f64) -> Self {
        Self { calcite_mg, converted: 0.0 }
    }

    pub(super) fn mass_mg(&self) -> f64 {
        self.calcite_mg * (1.0 - CO2_SHARE * self.converted)
    }

    /// kg/m3
    pub(super) fn density(&self) -> f64 {
        DENSITIES.0 + (DENSITIES.1 - DENSITIES.0) * self.converted
    }

    /// After so much of the integral of k.
    fn heated(self, integral: f64) -> Self {
        let radius = ((1.0 - self.converted).cbrt() - integral).max(0.0);
        Self { converted: 1.0 - radius.powi(3), ..self }
    }
}

/// What the tube goes through.
struct Course {
    /// s, degC
    trace: Vec<(f64, f64)>,
    /// of k
    integral: f64,
    energy_kwh: f64,
    /// h above 800 degC
    hot_h: f64,
}

/// To `peak`, held, and down until it can be opened.
fn course(peak: f64, ramp: f64, hold_min: f64) -> Course {
    let (up, down) = ((peak - ROOM) / ramp * 60.0, (peak - 80.0) / COOLING * 60.0);
    let total = up + hold_min * 60.0 + down;
    let at = |time: f64| match time {
        _ if time < up => ROOM + ramp / 60.0 * time,
        _ if time < up + hold_min * 60.0 => peak,
        _ => peak - COOLING / 60.0 * (time - up - hold_min * 60.0),
    };
    let mut course = Course { trace: Vec::new(), integral: 0.0, energy_kwh: 0.0, hot_h: 0.0 };
    let mut time = 0.0;
    while time < total {
        let step = STEP_S.min(total - time);
        let temperature = at(time + step / 2.0);
        course.integral += FREQUENCY_FACTOR * (-ACTIVATION_ENERGY / GAS_CONSTANT / (temperature + KELVIN)).exp() * step;
        let heating = HEAT_CAPACITY * (at(time + step) - at(time)) + LOSS * (temperature - ROOM) * step;
        course.energy_kwh += heating.max(0.0) / 3.6e6;
        course.hot_h += if temperature > 800.0 { step / 3600.0 } else { 0.0 };
        course.trace.push((time, temperature));
        time += step;
    }
    course
}

pub(super) struct Furnace;

impl Model for Furnace {
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError> {
        let calcine = capability(CAPABILITY)
            .described("Heats a crucible by a program and lets it cool.")
            .quantity("temperature", "Cel", 400.0..=1100.0)
            .quantity("ramp", "K/min", 1.0..=20.0)
            .by_default(10.0)
            .quantity("hold", "min", 0.0..=1440.0)
            .by_default(30.0)
            .sample("sample", "crucible")
            .brings_uncertain("peak", "Cel", 0.0..=1200.0)
            .brings("energy", "kW.h", 0.0..=100.0)
            .brings_series("trace", &[("time", "min"), ("temperature", "Cel")])
            .abortable()
            .probed()
            .takes(Duration::from_secs(3 * 3600), Duration::from_secs(44 * 3600));
        described(name, "Simulated tube furnace", "tube furnace").can(calcine).build()
    }

    fn status(&self, _bench: &Bench) -> StatusReport {
        let door = Interlock { id: "door".to_owned(), closed: true, message: String::new() };
        StatusReport { interlocks: vec![door], ..StatusReport::default() }
    }

    fn prepare(&self, operation: &Operation, context: &Context, bench: &Bench) -> Result<Prepared, Fault> {
        let arguments = Arguments::of(&operation.arguments);
        let number = |name: &str| arguments.quantity(name).unwrap_or_default();
        let (set, hold) = (number("temperature"), number("hold"));
        let id = arguments.text("sample").unwrap_or(EMPTY);
        let mut noise = generator(context, CAPABILITY);
        // The tube is as hot as the thermocouple says, but for what that reads wrong.
        let age_h: f64 = bench.world.read(Shelf::Own, bench.world.own_name()).unwrap_or_default();
        let real = set * (1.0 + deviate(&mut noise, THERMOCOUPLE_SD)) + AGEING_PER_H * age_h;
        let course = course(real, number("ramp"), hold);
        let mut changes = vec![Change::put(Shelf::Own, bench.world.own_name(), &(age_h + course.hot_h))];
        if id != EMPTY {
            let piece: Piece = bench.world.read(Shelf::Pieces, id).ok_or_else(|| unknown(id))?;
            changes.push(Change::put(Shelf::Pieces, id, &piece.heated(course.integral)));
        }
        let every = course.trace.len().div_ceil(TRACE_POINTS).max(1);
        let (times, temperatures) = course.trace.iter().step_by(every).map(|(time, it)| (time / 60.0, *it)).unzip();
        let energy = quantity("energy", course.energy_kwh, 0.0, "kW.h");
        let peak = |value, sd| quantity("peak", value, sd, "Cel");
        Ok(Prepared {
            seconds: course.trace.last().map_or(0.0, |(time, _)| time + STEP_S),
            measurements: vec![
                peak(set, THERMOCOUPLE_SD * set),
                energy.clone(),
                series("trace", vec![("time", "min", times), ("temperature", "Cel", temperatures)]),
            ],
            truth: vec![peak(real, 0.0), energy],
            effect: SampleEffect::Modified,
            stages: &["heating", "holding", "cooling"],
            changes,
            ..Prepared::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(temperature: f64, hold: f64) -> f64 {
        Piece::calcite(100.0).heated(course(temperature, 10.0, hold).integral).converted
    }

    #[test]
    fn calcite_is_lime_after_an_hour_at_800_and_hardly_touched_at_500() {
        assert!(converted(800.0, 60.0) > 0.999_999, "{}", converted(800.0, 60.0));
        assert!(converted(500.0, 60.0) < 0.05, "{}", converted(500.0, 60.0));
        let partly = converted(600.0, 10.0);
        assert!((0.2..0.95).contains(&partly), "{partly}");
    }

    #[test]
    fn lime_weighs_56_percent_of_its_calcite() {
        let lime = Piece { calcite_mg: 100.0, converted: 1.0 };
        assert!((lime.mass_mg() - 56.03).abs() < 0.01, "{}", lime.mass_mg());
    }

    #[test]
    fn heating_twice_is_heating_for_as_long_in_all() {
        let once = Piece::calcite(1.0).heated(0.3);
        let twice = Piece::calcite(1.0).heated(0.1).heated(0.2);
        assert!((once.converted - twice.converted).abs() < 1e-12);
    }
}

//! A flow reactor: pumps, a heated coil, and a vial that takes the outlet once it is steady.

use super::defect::flushed;
use super::instrument::{Bench, Model, Prepared, bad_request, described};
use super::measure::sample;
use super::snar::{Conditions, outlet};
use super::world::{Change, Shelf};
use crate::machine::{Arguments, Manifest, ManifestError};
use crate::sdk::capability;
use crate::wire::{Context, Fault, Operation, SampleEffect};
use std::time::Duration;

const CAPABILITY: &str = "flow_reactor.react";
const FLUSH: &str = "flow_reactor.flush";
const SELF_TEST: &str = "flow_reactor.self_test";
/// mol/L of the two stocks.
const STOCKS: (f64, f64) = (1.0, 2.0);
/// s until the temperature holds.
const HEATING_S: f64 = 60.0;
/// Residence times until the outlet is steady and the vial is filled.
const STEADY: f64 = 3.0;

pub(super) struct FlowReactor;

impl Model for FlowReactor {
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError> {
        let react = capability(CAPABILITY)
            .described("Runs difluoronitrobenzene and pyrrolidine through the coil and fills a vial.")
            .quantity("residence_time", "min", 0.5..=2.0)
            .quantity("equivalents", "1", 1.0..=5.0)
            .quantity("concentration", "mol/L", 0.1..=0.5)
            .quantity("temperature", "Cel", 30.0..=120.0)
            .rule(
                "concentration / 1.0 + equivalents * concentration / 2.0 <= 1.0",
                "the two stocks can't be mixed that strong",
            )
            .brings_sample("sample", "vial")
            .abortable()
            .probed()
            .takes(Duration::from_secs(300), Duration::from_secs(1800));
        let minutes = Duration::from_secs(60);
        let flush = capability(FLUSH)
            .described("Rinses the coil with solvent, against the usual direction.")
            .repeatable()
            .probed()
            .takes(2 * minutes, 10 * minutes);
        let self_test = capability(SELF_TEST)
            .described("Measures flow and pressure with solvent alone.")
            .repeatable()
            .probed()
            .takes(minutes, 10 * minutes);
        let described = described(name, "Simulated flow reactor", "flow reactor");
        described.can(react).can(flush).can(self_test).build()
    }

    fn check(&self, capability: &str, arguments: &Arguments) -> Result<(), Fault> {
        if capability != CAPABILITY {
            return Ok(());
        }
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

    fn prepare(&self, operation: &Operation, _context: &Context, bench: &Bench) -> Result<Prepared, Fault> {
        match operation.capability.as_str() {
            FLUSH => return Ok(Prepared { changes: vec![flushed(bench)], ..without_sample(120.0, &["rinsing"]) }),
            SELF_TEST => return Ok(without_sample(60.0, &["measuring flow and pressure"])),
            _ => {}
        }
        let at = conditions(&Arguments::of(&operation.arguments))?;
        let content = outlet(at).ok_or_else(|| bad_request("NO_SOLUTION", format!("{at:?} can't be integrated")))?;
        let vial = format!("vial-{}", operation.id);
        let changes = vec![Change::put(Shelf::Vials, &vial, &content)];
        let measurement = sample("sample", vial);
        Ok(Prepared {
            seconds: HEATING_S + STEADY * 60.0 * at.residence_time,
            truth: vec![measurement.clone()],
            measurements: vec![measurement],
            effect: SampleEffect::Modified,
            stages: &["heating", "reaching steady state", "collecting"],
            changes,
            artifact: None,
        })
    }
}

fn without_sample(seconds: f64, stages: &'static [&'static str]) -> Prepared {
    Prepared { seconds, stages, effect: SampleEffect::None, ..Prepared::default() }
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

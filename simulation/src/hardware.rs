//! The hardware behind a driver: it outlives it, moves on whatever becomes of it, and counts its own starts.

use super::lab::{MIXER, truth};
use eutectic_instruments::machine::{Outcome, Probe};
use eutectic_instruments::wire;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use wire::value::Kind;

/// A physical start, as the hardware itself notes it down.
pub(crate) struct Start {
    pub(crate) operation: String,
    pub(crate) experiment: i64,
    pub(crate) step: String,
    /// Which happening of the world it was part of.
    pub(crate) happening: u64,
    /// Something moved already.
    pub(crate) crowded: bool,
    /// Somebody else had the instrument.
    pub(crate) borrowed: bool,
    /// It was halted, and nobody who knew of this halt had cleared it.
    pub(crate) halted: bool,
}

/// What an instrument does and has done.
#[derive(Default)]
pub(crate) struct Hardware {
    pub(crate) starts: Vec<Start>,
    /// Ends at this time, with this value.
    moving: BTreeMap<String, (u64, wire::Value)>,
    /// What it measured.
    pub(crate) results: BTreeMap<String, wire::Value>,
    /// What was stopped on its way.
    stopped: BTreeSet<String>,
    /// Whose end the driver is to hear of.
    told: Vec<String>,
}

impl Hardware {
    pub(crate) fn start(&mut self, start: Start, value: wire::Value, now_ms: u64, rng: &mut ChaCha8Rng) {
        let id = start.operation.clone();
        self.starts.push(Start { crowded: !self.moving.is_empty(), ..start });
        self.moving.insert(id.clone(), (now_ms + rng.random_range(100..2_000), value));
        self.told.push(id);
    }

    /// Whom the driver listened for is forgotten with it.
    pub(crate) fn driver_gone(&mut self) {
        self.told.clear();
    }

    /// Time passes; what the driver hears of now, with its result.
    pub(crate) fn ended(&mut self, now_ms: u64) -> Vec<(String, wire::Value)> {
        let over: Vec<String> =
            self.moving.iter().filter(|(_, (at, _))| *at <= now_ms).map(|(id, _)| id.clone()).collect();
        for id in over {
            if let Some((_, value)) = self.moving.remove(&id) {
                self.results.insert(id, value);
            }
        }
        let results = &self.results;
        let heard: Vec<_> = self.told.iter().filter_map(|id| Some((id.clone(), results.get(id)?.clone()))).collect();
        self.told.retain(|id| !results.contains_key(id));
        heard
    }

    pub(crate) fn moving(&self) -> Vec<String> {
        self.moving.keys().cloned().collect()
    }

    /// Whether it did move.
    pub(crate) fn stop(&mut self, id: &str) -> bool {
        self.told.retain(|it| it != id);
        let moved = self.moving.remove(id).is_some();
        if moved {
            self.stopped.insert(id.to_owned());
        }
        moved
    }

    /// What it knows of an operation, where it is of the kind that can tell.
    pub(crate) fn probe(&mut self, instrument: &str, id: &str) -> Probe {
        if let Some(value) = self.results.get(id) {
            Probe::Ended(Ok(outcome(instrument, value.clone())))
        } else if self.stopped.contains(id) {
            Probe::Ended(Err(Box::new(stopped())))
        } else if self.moving.contains_key(id) {
            self.told.push(id.to_owned());
            Probe::Running
        } else if self.starts.iter().any(|it| it.operation == id) {
            Probe::Unknown
        } else {
            Probe::NeverStarted
        }
    }
}

/// The mixer's vial remembers its x; the meter reads it.
pub(crate) fn measured(operation: &wire::Operation, vials: &mut BTreeMap<String, f64>) -> wire::Value {
    let argument = operation.arguments.first().and_then(|it| it.value.as_ref()?.kind.clone());
    let kind = match argument {
        Some(Kind::Quantity(x)) => {
            let vial = format!("vial-{}", operation.id);
            vials.insert(vial.clone(), x.value);
            Kind::Sample(vial)
        }
        Some(Kind::Sample(vial)) => {
            Kind::Quantity(wire::Quantity { value: truth(vials[&vial]), unit: "1".into(), ..Default::default() })
        }
        None => Kind::Boolean(true),
        other => panic!("{other:?} is no argument of this lab"),
    };
    wire::Value { kind: Some(kind) }
}

pub(crate) fn outcome(instrument: &str, value: wire::Value) -> Outcome {
    if value.kind == Some(Kind::Boolean(true)) {
        return Outcome { sample_effect: wire::SampleEffect::None, ..Outcome::default() };
    }
    let (output, effect) =
        if instrument == MIXER { ("sample", wire::SampleEffect::Modified) } else { ("y", wire::SampleEffect::None) };
    let measurement = wire::Measurement { output: output.to_owned(), value: Some(value), ..Default::default() };
    Outcome { measurements: vec![measurement], sample_effect: effect, ..Outcome::default() }
}

pub(crate) fn stopped() -> wire::Fault {
    wire::Fault {
        reason: "STOPPED".to_owned(),
        sample_effect: wire::SampleEffect::Modified.into(),
        ..wire::Fault::default()
    }
}

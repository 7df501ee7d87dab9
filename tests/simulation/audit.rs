//! Judges a history by the raw log and by what the hardware itself counted, knowing nothing of how it came about.

use super::lab::{MIXER, truth};
use super::world::World;
use eutectic::engine::Step;
use eutectic_core::model::Level;
use eutectic_core::{Dispatch, Ended, Event, ExperimentNumber, OperationId, Time};
use eutectic_instruments::wire::Value;
use eutectic_instruments::wire::value::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// Every violation, in words.
pub(crate) fn audit(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let log = world.log();
    let mut dispatched: BTreeMap<OperationId, (Time, &Dispatch)> = BTreeMap::new();
    let mut ended: BTreeMap<OperationId, &Ended> = BTreeMap::new();
    let mut settings: BTreeMap<ExperimentNumber, f64> = BTreeMap::new();
    let (mut over, mut quarantines, mut last_epoch) = (false, 0, 0);
    for recorded in &log {
        #[expect(clippy::wildcard_enum_match_arm, reason = "an auditor looks for what it knows")]
        match &recorded.event {
            Event::OperationDispatched(dispatch) => {
                let before = dispatched.insert(dispatch.operation.clone(), (recorded.at, dispatch));
                found.extend(before.map(|_| format!("operation {} was dispatched twice", dispatch.operation)));
            }
            Event::OperationEnded { operation, ended: how } => {
                let before = ended.insert(operation.clone(), how);
                found.extend(before.map(|_| format!("operation {operation} ended twice")));
            }
            Event::ExperimentAdded { experiment, setting, .. } => {
                let x = setting.get("x").and_then(Level::number).unwrap();
                settings.insert(*experiment, x);
            }
            Event::ObservationRecorded { experiment, observation, .. } => {
                let (seen, due) = (observation.outcomes["y"].value, truth(settings[experiment]));
                if (seen - due).abs() > 1e-12 {
                    found.push(format!("experiment {experiment} has {seen}, measured was {due}"));
                }
            }
            Event::EpochTaken { epoch, .. } => {
                if *epoch <= last_epoch {
                    found.push(format!("epoch {epoch} came after {last_epoch}"));
                }
                last_epoch = *epoch;
            }
            Event::InstrumentQuarantined { .. } => quarantines += 1,
            Event::CampaignEnded { .. } => over = true,
            _ => {}
        }
    }
    if !over {
        found.push("the campaign never ends".to_owned());
    }
    let mut by_step: BTreeMap<(i64, String), BTreeSet<&str>> = BTreeMap::new();
    for driver in world.drivers.values() {
        let mut seen = BTreeSet::new();
        for start in &driver.hardware.starts {
            let id = OperationId::new(start.operation.as_str());
            if !seen.insert(&start.operation) {
                found.push(format!("operation {id} started twice"));
            }
            if driver.name == MIXER {
                by_step.entry(start.campaign_step.clone()).or_default().insert(&start.operation);
            }
            match dispatched.get(&id) {
                None => found.push(format!("operation {id} started without an intent in the log")),
                Some((at, _)) if at.0 > i64::try_from(start.at_ms).unwrap() => {
                    found.push(format!("operation {id} started before its intent was durable"));
                }
                Some(_) => {}
            }
            if over && !ended.contains_key(&id) {
                found.push(format!("operation {id} started and the log doesn't know how it ended"));
            }
        }
        for (id, value) in &driver.hardware.results {
            if let Some(Ended::Succeeded { outputs }) = ended.get(&OperationId::new(id.as_str())) {
                let told = serde_json::to_string(outputs).unwrap();
                let measured = measured(value);
                if !told.contains(&measured) {
                    found.push(format!("operation {id} measured {measured}, the log says {told}"));
                }
            }
        }
    }
    for ((experiment, step), operations) in by_step {
        if operations.len() > 1 {
            found.push(format!("step {step} of experiment {experiment} started twice: {operations:?}"));
        }
    }
    let excuses: u64 = world.drivers.values().map(|it| it.blind_crashes + it.wiped).sum();
    if quarantines > excuses {
        found
            .push(format!("{quarantines} quarantines, and only {excuses} crashes that nobody can tell the outcome of"));
    }
    if let Some(process) = &world.process {
        let replayed = Step::open(Box::new(world.journal.clone()), "auditor").unwrap();
        if replayed.workcell() != process.step.workcell() {
            found.push("the log replayed gives another state".to_owned());
        }
    }
    found
}

fn measured(value: &Value) -> String {
    if let Some(Kind::Sample(vial)) = &value.kind {
        return vial.clone();
    }
    let Some(Kind::Quantity(y)) = &value.kind else { panic!("{value:?} is no output of this lab") };
    serde_json::to_string(&y.value).unwrap()
}

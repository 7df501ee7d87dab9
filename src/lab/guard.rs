//! Instruments that guard the lab: a door, a room's sensors. While one of them is not as it should be nothing new is
//! dispatched anywhere; it lifts by itself.

use crate::engine::{EngineError, Handle};
use crate::files::LabSpec;
use crate::gateway::Fleet;
use eutectic_core::{Command, InstrumentId};
use eutectic_proto::instrument::v1 as wire;
use std::time::Duration;
use wire::instrument_status::Readiness;

/// How often a guard is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Looks in a row without answer after which nobody knows how the lab is.
const PATIENCE: u32 = 3;
/// How the causes begin by which guards hold dispatch.
const CAUSE: &str = "guard-";

fn cause(instrument: &InstrumentId) -> String {
    format!("{CAUSE}{instrument}")
}

/// Holds dispatch until each guard has said how it is, and lets go of those that are guards no more.
pub(super) async fn begin(spec: &LabSpec, engine: &Handle) -> Result<(), EngineError> {
    let guards: Vec<_> = spec.instruments.iter().filter(|it| it.guards_lab).map(|it| &it.name).collect();
    let held = engine.read(|workcell| workcell.suspended.keys().cloned().collect::<Vec<_>>()).await?;
    let former = |it: &String| it.starts_with(CAUSE) && guards.iter().all(|guard| cause(guard) != *it);
    for cause in held.into_iter().filter(former) {
        engine.report(Command::ResumeDispatch { cause }).await?;
    }
    for guard in guards {
        let reason = format!("{guard} has not said yet how it is");
        engine.report(Command::SuspendDispatch { cause: cause(guard), reason }).await?;
    }
    Ok(())
}

/// Looks at each guard from now on. Ends with the engine.
pub(super) fn watch(spec: &LabSpec, fleet: &Fleet, engine: &Handle) {
    for guard in spec.instruments.iter().filter(|it| it.guards_lab) {
        tokio::spawn(look(guard.name.clone(), fleet.clone(), engine.clone()));
    }
}

async fn look(guard: InstrumentId, fleet: Fleet, engine: Handle) {
    let mut silent = 0;
    loop {
        let trouble = match fleet.status(&guard).await {
            Ok(status) => {
                silent = 0;
                Some(trouble(&guard, &status))
            }
            Err(words) => {
                silent += 1;
                (silent >= PATIENCE).then(|| Some(format!("{guard} does not answer: {words}")))
            }
        };
        let cause = cause(&guard);
        let told = match trouble {
            // Too early to tell.
            None => Ok(()),
            // Said once: what stands already changes nothing.
            Some(Some(reason)) => engine.report(Command::SuspendDispatch { cause, reason }).await.map(|_| ()),
            Some(None) => engine.report(Command::ResumeDispatch { cause }).await.map(|_| ()),
        };
        if told.is_err() {
            return;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// What is not as it should be.
fn trouble(guard: &InstrumentId, status: &wire::InstrumentStatus) -> Option<String> {
    if let Some(open) = status.interlocks.iter().find(|it| !it.closed) {
        let words = if open.message.is_empty() { "open" } else { &open.message };
        return Some(format!("{guard}: interlock '{}': {words}", open.id));
    }
    let readiness = status.readiness();
    match matches!(readiness, Readiness::Ready | Readiness::Busy) {
        true => None,
        false => {
            let word = readiness.as_str_name().trim_start_matches("READINESS_").to_lowercase();
            Some(format!("{guard} is {word}{}{}", if status.message.is_empty() { "" } else { ": " }, status.message))
        }
    }
}

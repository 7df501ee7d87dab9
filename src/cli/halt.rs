//! `halt`: straight to the drivers, whatever has become of the process that runs the campaign.

use super::arguments::HaltArguments;
use super::output::{line, note};
use super::{Failure, Global, json};
use crate::lab;
use serde_json::json;
use std::process::ExitCode;

pub(super) async fn halt(global: &Global, arguments: HaltArguments) -> Result<ExitCode, Failure> {
    let HaltArguments { instruments, reason, lab, .. } = arguments;
    let wanted: Vec<_> = instruments.iter().map(|name| name.as_str().into()).collect();
    let halted = lab::halt(&global.data, lab.as_deref(), &wanted, &reason).await;
    let halted = halted.map_err(|words| Failure::new(words, "`--lab FILE` names the lab"))?;
    let all = halted.iter().all(|(_, halted)| halted.is_ok());
    for (instrument, halted) in halted {
        let (done, words) = match halted {
            Ok(words) => (true, words),
            Err(words) => (false, words),
        };
        if global.json {
            json::line(&json!({"instrument": instrument.as_str(), "halted": done, "message": words}));
        } else if done {
            line(&format!("{instrument}: {words}"));
        } else {
            note(&format!("{instrument}: NOT HALTED: {words}"));
        }
    }
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

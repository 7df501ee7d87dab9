//! `halt`: straight to the drivers.

use super::arguments::HaltArguments;
use super::connect::Connection;
use super::output::{line, note};
use super::{Failure, Global, json};
use eutectic_proto::control::v1 as wire;
use serde_json::json;
use std::process::ExitCode;

pub(super) async fn halt(global: &Global, arguments: HaltArguments) -> Result<ExitCode, Failure> {
    let mut connection = Connection::open(global).await?;
    let request = wire::HaltInstrumentsRequest { instruments: arguments.instruments, reason: arguments.reason };
    let halted = connection.client.halt_instruments(request).await?.into_inner().instruments;
    for it in &halted {
        if global.json {
            json::line(&json!({"instrument": it.instrument, "halted": it.halted, "message": it.message}));
        } else if it.halted {
            line(&format!("{}: {}", it.instrument, it.message));
        } else {
            note(&format!("{}: NOT HALTED: {}", it.instrument, it.message));
        }
    }
    connection.close().await?;
    Ok(if halted.iter().all(|it| it.halted) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

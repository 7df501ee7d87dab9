//! `driver simulated`: an instrument without hardware, as a process of its own.

use super::Failure;
use super::arguments::{DriverArguments, DriverVerb};
use crate::closest::did_you_mean;
use eutectic_instruments::simulated::{Kind, SimulatedOptions, serve};
use std::process::ExitCode;

pub(super) async fn driver(arguments: DriverArguments) -> Result<ExitCode, Failure> {
    let DriverVerb::Simulated(it) = arguments.verb;
    let known = Kind::ALL.iter().find(|(name, _)| *name == it.kind).map(|(_, kind)| *kind);
    let kind = known.ok_or_else(|| {
        let help = did_you_mean(&it.kind, Kind::ALL.map(|(name, _)| name));
        Failure::new(format!("there is no simulated '{}'", it.kind), help)
    })?;
    let options = SimulatedOptions {
        kind,
        instrument: it.instrument,
        folder: it.folder,
        world: it.world,
        address_file: it.address_file,
        idle_exit_s: it.idle_exit_s,
        speed: it.speed,
        fault: it.fault,
    };
    serve(options).await.map_err(|error| Failure::new(error.to_string(), ""))?;
    Ok(ExitCode::SUCCESS)
}

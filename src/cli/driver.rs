//! `driver`: instruments without hardware, and drivers in any language.

use super::Failure;
use super::arguments::{DriverArguments, DriverVerb, HostArguments, SimulatedArguments};
use crate::closest::did_you_mean;
use eutectic_instruments::sdk::Options;
use eutectic_instruments::simulated::{Kind, SimulatedOptions, serve};
use std::process::ExitCode;
use std::time::Duration;

pub(super) async fn driver(arguments: DriverArguments) -> Result<ExitCode, Failure> {
    match arguments.verb {
        DriverVerb::Host(it) => host(it).await,
        DriverVerb::Simulated(it) => simulated(it).await,
    }
}

async fn host(it: HostArguments) -> Result<ExitCode, Failure> {
    let options = Options {
        listen: it.listen,
        address_file: it.address_file,
        idle_exit: it.idle_exit_s.map(Duration::from_secs),
        ..Options::local(it.folder)
    };
    let served = eutectic_instruments::child::serve(it.command, options).await;
    served.map_err(|error| Failure::new(error.to_string(), ""))?;
    Ok(ExitCode::SUCCESS)
}

async fn simulated(it: SimulatedArguments) -> Result<ExitCode, Failure> {
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

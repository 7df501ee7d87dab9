//! `driver`: instruments without hardware, and drivers in any language.

use super::arguments::{CheckDriverArguments, DriverArguments, DriverVerb, HostArguments, SimulatedArguments};
use super::output::line;
use super::{Failure, Global};
use super::{driver_new, reach, simulate};
use crate::closest::did_you_mean;
use eutectic_instruments::conformance::{self, Format, Level, Start, Verdict};
use eutectic_instruments::simulated::{Kind, SimulatedOptions, serve};
use std::process::ExitCode;

pub(super) async fn driver(global: &Global, arguments: DriverArguments) -> Result<ExitCode, Failure> {
    match arguments.verb {
        DriverVerb::Check(it) => check(global, it).await,
        DriverVerb::Host(it) => host(it).await,
        DriverVerb::New(it) => driver_new::new(global, &it),
        DriverVerb::Simulate(it) => simulate::simulate(global, it).await,
        DriverVerb::Simulated(it) => simulated(it).await,
    }
}

async fn check(global: &Global, it: CheckDriverArguments) -> Result<ExitCode, Failure> {
    let level = Level::ALL.iter().find(|(name, _)| *name == it.level).map(|(_, level)| *level);
    let level = level.ok_or_else(|| {
        let help = did_you_mean(&it.level, Level::ALL.map(|(name, _)| name));
        Failure::new(format!("there is no level '{}'", it.level), help)
    })?;
    let pair = |text: &String| {
        let wrong = || Failure::new(format!("'{text}' is no argument"), "write --argument temperature=40");
        text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(wrong)
    };
    let options = conformance::Options {
        address: it.address,
        tls: reach::tls(&it.tls)?,
        start: it.start_command.map(|text| Start {
            command: text.split_whitespace().map(str::to_owned).collect(),
            journal: it.journal,
            ..Start::default()
        }),
        capability: it.capability,
        arguments: it.arguments.iter().map(pair).collect::<Result<_, _>>()?,
        starts: it.starts,
        only: it.only,
    };
    let shown = |checked: &conformance::Line| {
        if !global.json {
            line(&conformance::line(checked));
        }
    };
    let lines = conformance::check(options, level, shown).await.map_err(|words| Failure::new(words, ""))?;
    line(&conformance::write(&lines, if global.json { Format::Json } else { Format::Text }));
    if let Some(file) = it.junit {
        let written = std::fs::write(&file, conformance::write(&lines, Format::Junit));
        written.map_err(|error| Failure::new(format!("'{}' can't be written: {error}", file.display()), ""))?;
    }
    let failed = lines.iter().any(|line| matches!(line.verdict, Verdict::Failed(_)));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn host(it: HostArguments) -> Result<ExitCode, Failure> {
    let served = eutectic_instruments::child::serve(it.command, it.serve).await;
    served.map_err(|error| Failure::new(error.to_string(), ""))?;
    Ok(ExitCode::SUCCESS)
}

async fn simulated(it: SimulatedArguments) -> Result<ExitCode, Failure> {
    let SimulatedArguments { kind, instrument, world, speed, virtual_time, serve: options, fault } = it;
    let found = Kind::named(&kind).ok_or_else(|| {
        let help = did_you_mean(&kind, Kind::NAMES);
        Failure::new(format!("there is no simulated '{kind}'"), help)
    })?;
    let options = SimulatedOptions { kind: found, instrument, world, speed, virtual_time, fault, serve: options };
    serve(options).await.map_err(|error| Failure::new(error.to_string(), ""))?;
    Ok(ExitCode::SUCCESS)
}

//! `driver simulate`: a lab without hardware, each instrument a process of its own.

use super::arguments::SimulateArguments;
use super::output::{line, note};
use super::{Failure, Global, json};
use crate::files::{DriverSource, InstrumentSpec, LabSpec, load_lab};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a driver may take to say where it listens.
const START_LIMIT: Duration = Duration::from_secs(20);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The lab with every instrument simulated.
pub(super) fn twins(lab: &Path) -> Result<LabSpec, Failure> {
    let file = load_lab(lab).map_err(|report| Failure::diagnostics(&[report.to_string()]))?;
    file.spec.simulated().map_err(|lacking| {
        let names: Vec<_> = lacking.iter().map(|name| format!("'{name}'")).collect();
        let help = "say what takes its place: twin = \"flow_reactor\", or twin = \"reactor.json\" with a description\n\
                    that `eutectic instrument describe NAME > reactor.json` has written";
        Failure::new(format!("{}: no twin is named in {}", names.join(", "), lab.display()), help)
    })
}

pub(super) async fn simulate(global: &Global, it: SimulateArguments) -> Result<ExitCode, Failure> {
    let lab = twins(&it.lab)?;
    let folder = it.folder.unwrap_or_else(|| PathBuf::from(format!("{}-simulated", lab.name)));
    let mut children = Vec::new();
    let mut served = Vec::new();
    for instrument in &lab.instruments {
        let (child, address) = start(instrument, &folder, it.virtual_time).await?;
        children.push(child);
        served.push((instrument.name.to_string(), address));
    }
    tell(global, &lab.name, &served);
    // A driver that ends by itself takes the lab with it: half a lab would only puzzle.
    let ended = async {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            for (child, (name, _)) in children.iter_mut().zip(&served) {
                if child.try_wait().is_ok_and(|status| status.is_some()) {
                    return name.clone();
                }
            }
        }
    };
    tokio::select! {
        name = ended => Err(Failure::new(format!("the driver of '{name}' has ended"), "its words are above")),
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
    }
}

async fn start(instrument: &InstrumentSpec, folder: &Path, virtual_time: bool) -> Result<(Child, String), Failure> {
    let DriverSource::Simulated { kind, speed, fault } = &instrument.source else {
        return Err(Failure::new(format!("'{}' is not simulated", instrument.name), ""));
    };
    let cannot = |error: std::io::Error| Failure::new(format!("'{}' can't be started: {error}", instrument.name), "");
    let address = folder.join(format!("{}.address", instrument.name));
    std::fs::create_dir_all(folder.join("world")).map_err(cannot)?;
    let _ = std::fs::remove_file(&address);
    let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
    command.args(["driver", "simulated", "--listen", "127.0.0.1:0", "--kind", kind.as_str()]);
    command.args(["--instrument", instrument.name.as_str()]);
    command.arg("--folder").arg(folder.join(instrument.name.as_str()));
    command.arg("--world").arg(folder.join("world")).arg("--address-file").arg(&address);
    if virtual_time {
        command.arg("--virtual-time");
    } else if let Some(speed) = speed {
        command.args(["--speed", &speed.to_string()]);
    }
    if let Some(fault) = fault {
        command.args(["--fault", fault]);
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn().map_err(cannot)?;
    let begun = tokio::time::Instant::now();
    loop {
        if let Some(said) = std::fs::read_to_string(&address).ok().and_then(|it| it.lines().next().map(str::to_owned)) {
            return Ok((child, said));
        }
        if begun.elapsed() > START_LIMIT || child.try_wait().is_ok_and(|status| status.is_some()) {
            return Err(Failure::new(format!("the driver of '{}' did not come up", instrument.name), ""));
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// As a lab file that reaches them, so that it can be kept as one.
fn tell(global: &Global, lab: &str, served: &[(String, String)]) {
    if global.json {
        for (name, address) in served {
            json::line(&json!({"instrument": name, "address": address}));
        }
        return;
    }
    let entry = |(name, address): &(String, String)| InstrumentSpec::at(name, address, None);
    let spec = LabSpec { name: lab.to_owned(), instruments: served.iter().map(entry).collect(), ..LabSpec::default() };
    line(spec.to_toml().trim_end());
    note("they run until Ctrl-C");
}

#[cfg(test)]
mod tests {
    /// The files know no instruments, so the names stand in both.
    #[test]
    fn lab_files_name_the_kinds_that_can_be_simulated() {
        assert_eq!(crate::files::SIMULATED_KINDS, eutectic_instruments::simulated::Kind::NAMES);
    }
}

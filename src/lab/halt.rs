//! Halting: straight to the drivers, with nothing between that could hang.

use super::simulated::Simulated;
use crate::files::{DriverSource, InstrumentSpec, LabSpec, SafeStateSpec, TlsSpec, load_lab};
use crate::gateway::{AddressSource, Fleet, GatewayReport, Member, Tls};
use eutectic_core::InstrumentId;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Where the lab that was used last is named, within a data folder.
pub(super) const LAST_LAB: &str = "last-lab";

/// What became of each instrument: its driver's words, or why it was not reached.
pub type Halted = Vec<(InstrumentId, Result<String, String>)>;

/// Halts these instruments, or all, of this lab or else of the one that was used last in this data folder. Needs neither
/// the folder's owner nor its journal.
///
/// # Errors
/// In words, where no lab is known or an instrument isn't in it.
pub async fn halt(data: &Path, lab: Option<&Path>, wanted: &[InstrumentId], reason: &str) -> Result<Halted, String> {
    let spec = match lab {
        Some(path) => read(path)?,
        None => last_lab(&data.join(LAST_LAB))?,
    };
    let (fleet, _reports) = fleet_of(&spec, &Simulated::new(data, PathBuf::new()), String::new())?;
    halt_in_order(&spec, &fleet, wanted, reason).await
}

fn read(path: &Path) -> Result<LabSpec, String> {
    load_lab(path).map(|file| file.spec).map_err(|report| report.to_string())
}

/// The lab that this file names.
pub(super) fn last_lab(last: &Path) -> Result<LabSpec, String> {
    let path =
        std::fs::read_to_string(last).map_err(|_| "no lab is known here: no campaign has used one".to_owned())?;
    read(Path::new(path.trim()))
}

/// The way to a lab's drivers. `holder` is the workcell's name towards them.
pub(super) fn fleet_of(
    spec: &LabSpec,
    simulated: &Simulated,
    holder: String,
) -> Result<(Fleet, mpsc::Receiver<GatewayReport>), String> {
    let member = |it: &InstrumentSpec| Member {
        instrument: it.name.clone(),
        source: match &it.source {
            DriverSource::Address { address, .. } => AddressSource::Fixed(address.clone()),
            DriverSource::Simulated { .. } => AddressSource::File(simulated.address_file(&it.name)),
        },
        safe_when_alone: it.safe_when_alone,
    };
    Ok(Fleet::start(crate::gateway::Options {
        holder,
        members: spec.instruments.iter().map(member).collect(),
        tls: spec.tls.as_ref().map(tls).transpose()?,
    }))
}

fn tls(spec: &TlsSpec) -> Result<Tls, String> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| format!("error: '{}' can't be read: {error}", path.display()))
    };
    let identity = match &spec.identity {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => None,
    };
    Ok(Tls::new(&read(&spec.authority)?, identity))
}

/// Group by group.
pub(super) async fn halt_in_order(
    spec: &LabSpec,
    fleet: &Fleet,
    wanted: &[InstrumentId],
    reason: &str,
) -> Result<Halted, String> {
    let mut halted = Vec::new();
    for group in halt_order(spec, wanted)? {
        let halts = group.into_iter().map(|name| {
            let (fleet, reason) = (fleet.clone(), reason.to_owned());
            tokio::spawn(async move {
                let halted = fleet.halt(&name, &reason).await;
                (name, halted)
            })
        });
        // Of a group all at once: none waits for another that doesn't answer.
        for halt in halts.collect::<Vec<_>>() {
            halted.extend(halt.await.ok());
        }
    }
    Ok(halted)
}

/// Who is halted after whom: in the lab's order of safe states, and what stays on only by its name.
fn halt_order(spec: &LabSpec, wanted: &[InstrumentId]) -> Result<Vec<Vec<InstrumentId>>, String> {
    let names = || spec.instruments.iter().map(|it| &it.name);
    if let Some(unknown) = wanted.iter().find(|wanted| names().all(|name| name != *wanted)) {
        return Err(format!("there is no instrument '{unknown}' in the lab"));
    }
    let SafeStateSpec { order, stays_on } = &spec.safe_state;
    let meant = |name: &&InstrumentId| match wanted.is_empty() {
        true => !stays_on.contains(name),
        false => wanted.contains(name),
    };
    let mut groups: Vec<Vec<_>> = order.iter().map(|group| group.iter().filter(meant).cloned().collect()).collect();
    let unnamed = names().filter(meant).filter(|name| !order.iter().flatten().any(|it| it == *name)).cloned();
    match groups.first_mut() {
        Some(first) => first.extend(unnamed),
        None => groups.push(unnamed.collect()),
    }
    Ok(groups)
}

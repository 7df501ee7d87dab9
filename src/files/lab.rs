//! `lab.toml`: what there is.

use super::reader::{Table, parse, read, shortened};
use super::report::Report;
use crate::closest::did_you_mean;
use eutectic_core::InstrumentId;
use std::collections::BTreeSet;
use std::path::Path;

/// The most instruments of a lab.
pub const MAX_INSTRUMENTS: usize = 1_000;

/// A lab file, read and checked.
#[derive(Clone, Debug)]
pub struct LabFile {
    /// What it says.
    pub spec: LabSpec,
    /// What may not be meant.
    pub warnings: Report,
}

/// A lab.
#[derive(Clone, Debug, PartialEq)]
pub struct LabSpec {
    /// Its name.
    pub name: String,
    /// In the file's order.
    pub instruments: Vec<InstrumentSpec>,
}

/// An instrument of a lab.
#[derive(Clone, Debug, PartialEq)]
pub struct InstrumentSpec {
    /// Its name.
    pub name: InstrumentId,
    /// Where its driver is.
    pub source: DriverSource,
}

/// Where a driver is.
#[derive(Clone, Debug, PartialEq)]
pub enum DriverSource {
    /// It runs already: `http://HOST:PORT`.
    Address(String),
    /// There is no hardware; we start one ourselves.
    Simulated {
        /// What is simulated.
        kind: SimulatedKind,
        /// Seconds of the instrument in one of ours; `None`: the simulation's default.
        speed: Option<f64>,
        /// A defect on purpose, to test what finds it.
        fault: Option<String>,
    },
}

/// What can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimulatedKind {
    /// A flow reactor.
    FlowReactor,
    /// An HPLC.
    Hplc,
}

impl SimulatedKind {
    /// Their names in files.
    pub const ALL: [(&'static str, Self); 2] = [("flow_reactor", Self::FlowReactor), ("hplc", Self::Hplc)];
}

/// Defects on purpose.
const FAULTS: [&str; 1] = ["start-twice"];

/// Reads and checks a lab file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_lab(path: &Path) -> Result<LabFile, Box<Report>> {
    let text = read(path)?;
    let (spec, report) = parse(path, &text, lab);
    match spec {
        Some(spec) if report.errors() == 0 => Ok(LabFile { spec, warnings: report }),
        Some(_) | None => Err(Box::new(report)),
    }
}

fn lab(root: &Table<'_>, report: &mut Report) -> Option<LabSpec> {
    root.only(&["name", "description", "instrument"], report);
    root.text("description", report);
    let name = root.name("name = \"bench-3\"", true, &mut BTreeSet::new(), report);
    let tables = root.tables("instrument", "an instrument", report);
    if tables.is_empty() {
        report.error(None, "there is no instrument", "add [[instrument]] with a name and an address");
    }
    if tables.len() > MAX_INSTRUMENTS {
        report.error(None, format!("{} instruments; the limit is {MAX_INSTRUMENTS}", tables.len()), "");
    }
    let mut taken = BTreeSet::new();
    let read = |table: &Table<'_>| instrument(table, &mut taken, report);
    let instruments = tables.iter().take(MAX_INSTRUMENTS).filter_map(read).collect();
    Some(LabSpec { name: name?, instruments })
}

fn instrument(table: &Table<'_>, taken: &mut BTreeSet<String>, report: &mut Report) -> Option<InstrumentSpec> {
    table.only(&["name", "address", "simulated", "speed", "fault"], report);
    let name = table.name("name = \"reactor\"", true, taken, report);
    let (address, simulated) = (table.text("address", report), table.text("simulated", report));
    let source = match (table.has("address"), table.has("simulated")) {
        (true, false) => {
            for key in ["speed", "fault"].into_iter().filter(|key| table.has(key)) {
                report.error(Some(table.span.clone()), format!("a real instrument has no '{key}'"), "");
            }
            let address = address?;
            let plausible = address.value.parse::<tonic::transport::Uri>().is_ok_and(|it| {
                it.authority().is_some_and(|it| it.port().is_some())
                    && matches!(it.scheme_str(), Some("http" | "https"))
            });
            if !plausible {
                let message = format!("'{}' is no driver's address", shortened(address.value));
                report.error(Some(address.span), message, "for instance: address = \"http://10.0.0.7:50051\"");
                return None;
            }
            DriverSource::Address(address.value.to_owned())
        }
        (false, true) => {
            let simulated = simulated?;
            let kind = SimulatedKind::ALL.into_iter().find(|(name, _)| *name == simulated.value).map(|(_, kind)| kind);
            let Some(kind) = kind else {
                let help = did_you_mean(simulated.value, SimulatedKind::ALL.map(|(name, _)| name));
                let message = format!("there is no simulated '{}'", shortened(simulated.value));
                report.error(Some(simulated.span), message, help);
                return None;
            };
            let speed = table.number("speed", report);
            if let Some(speed) = speed.as_ref().filter(|it| it.value <= 0.0) {
                report.error(Some(speed.span.clone()), "a speed is above 0", "600 passes ten minutes in a second");
            }
            let fault = table.text("fault", report);
            if let Some(fault) = fault.as_ref().filter(|it| !FAULTS.contains(&it.value)) {
                let help = did_you_mean(fault.value, FAULTS);
                report.error(Some(fault.span.clone()), format!("there is no fault '{}'", shortened(fault.value)), help);
            }
            DriverSource::Simulated {
                kind,
                speed: speed.map(|it| it.value),
                fault: fault.map(|it| it.value.to_owned()),
            }
        }
        (true, true) => {
            report.error(Some(table.span.clone()), "an instrument has an address or is simulated, not both", "");
            return None;
        }
        (false, false) => {
            let help = "address = \"http://10.0.0.7:50051\", or simulated = \"flow_reactor\"";
            report.error(Some(table.span.clone()), "nothing says where this instrument's driver is", help);
            return None;
        }
    };
    Some(InstrumentSpec { name: InstrumentId::new(name?), source })
}

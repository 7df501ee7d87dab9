//! `lab.toml`: what there is.

use super::reader::{Table, parse, read, shortened};
use super::report::Report;
use super::unattended::{self, PagingSpec, SafeStateSpec};
use crate::closest::did_you_mean;
use eutectic_core::InstrumentId;
use eutectic_core::model::Policy;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabSpec {
    /// Its name.
    pub name: String,
    /// How drivers with an `https` address are spoken to.
    pub tls: Option<TlsSpec>,
    /// How people are called.
    pub paging: Option<PagingSpec>,
    /// In which order everything is halted.
    pub safe_state: SafeStateSpec,
    /// In the file's order.
    pub instruments: Vec<InstrumentSpec>,
}

/// Files (PEM) that prove who is who.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsSpec {
    /// Whose certificates drivers have.
    pub authority: PathBuf,
    /// Our own certificate and its private key, for drivers that want one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// An instrument of a lab.
#[derive(Clone, Debug, PartialEq)]
pub struct InstrumentSpec {
    /// Its name.
    pub name: InstrumentId,
    /// Where its driver is.
    pub source: DriverSource,
    /// What it does aborts to its safe state when we are gone, instead of finishing.
    pub safe_when_alone: bool,
    /// While it is not ready, or one of its interlocks is open, nothing new is dispatched in the whole lab.
    pub guards_lab: bool,
    /// What may be done in a person's place.
    pub policy: Option<Policy>,
}

/// Where a driver is.
#[derive(Clone, Debug, PartialEq)]
pub enum DriverSource {
    /// It runs already.
    Address {
        /// `http://HOST:PORT`
        address: String,
        /// What takes its place when a campaign is rehearsed: as in [`DriverSource::Simulated`].
        twin: Option<String>,
    },
    /// There is no hardware; we start one ourselves.
    Simulated {
        /// What is simulated: one of [`SIMULATED_KINDS`], or the path of a description whose outputs are made up.
        kind: String,
        /// Seconds of the instrument in one of ours; `None`: the simulation's default.
        speed: Option<f64>,
        /// A defect on purpose, to test what finds it.
        fault: Option<String>,
    },
}

/// What can be simulated by its own physics.
pub const SIMULATED_KINDS: [&str; 7] =
    ["balance", "flow_reactor", "furnace", "hplc", "liquid_handler", "robot_arm", "spectrometer"];
/// What an instrument does when it is alone, if it does not finish.
const SAFE_STATE: &str = "safe_state";
/// How the address of a driver begins that is spoken to by TLS.
const HTTPS: &str = "https://";
/// How the name of a description ends: `eutectic instrument describe` writes one.
const DESCRIPTION: &str = ".json";

impl LabSpec {
    /// The same lab without hardware: every instrument with an address is its twin.
    ///
    /// # Errors
    /// The names of those that have none.
    pub fn simulated(&self) -> Result<LabSpec, Vec<String>> {
        let mut lacking = Vec::new();
        let mut twin = |spec: &InstrumentSpec| {
            let source = match &spec.source {
                DriverSource::Address { twin: None, .. } => {
                    lacking.push(spec.name.to_string());
                    spec.source.clone()
                }
                DriverSource::Address { twin: Some(kind), .. } => {
                    DriverSource::Simulated { kind: kind.clone(), speed: None, fault: None }
                }
                DriverSource::Simulated { .. } => spec.source.clone(),
            };
            InstrumentSpec { source, ..spec.clone() }
        };
        let instruments = self.instruments.iter().map(&mut twin).collect();
        match lacking.is_empty() {
            // Nobody is called out of bed by a rehearsal.
            true => Ok(LabSpec { tls: None, paging: None, instruments, ..self.clone() }),
            false => Err(lacking),
        }
    }

    /// As a lab file has it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let tls = self.tls.as_ref().map(TlsSpec::to_toml).unwrap_or_default();
        let entries = self.instruments.iter().map(InstrumentSpec::to_toml).collect::<String>();
        let paging = self.paging.as_ref().map(PagingSpec::to_toml).unwrap_or_default();
        format!("name = {}\n{tls}{paging}{}{entries}", quoted(&self.name), self.safe_state.to_toml())
    }
}

impl TlsSpec {
    /// As a table of a lab file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let path = |path: &Path| quoted(&path.display().to_string());
        let mut table = format!("\n[tls]\nauthority = {}\n", path(&self.authority));
        if let Some((certificate, key)) = &self.identity {
            table.push_str(&format!("certificate = {}\nkey = {}\n", path(certificate), path(key)));
        }
        table
    }
}

impl InstrumentSpec {
    /// One whose driver runs at this address.
    #[must_use]
    pub fn at(name: &str, address: &str, twin: Option<String>) -> Self {
        let source = DriverSource::Address { address: address.to_owned(), twin };
        Self {
            name: InstrumentId::new(name.to_owned()),
            source,
            safe_when_alone: false,
            guards_lab: false,
            policy: None,
        }
    }

    /// As an entry of a lab file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut entry = format!("\n[[instrument]]\nname = {}\n", quoted(self.name.as_str()));
        let mut put = |key: &str, value: String| entry.push_str(&format!("{key} = {value}\n"));
        match &self.source {
            DriverSource::Address { address, twin } => {
                put("address", quoted(address));
                twin.iter().for_each(|twin| put("twin", quoted(twin)));
            }
            DriverSource::Simulated { kind, speed, fault } => {
                put("simulated", quoted(kind));
                speed.iter().for_each(|speed| put("speed", format!("{speed:?}")));
                fault.iter().for_each(|fault| put("fault", quoted(fault)));
            }
        }
        if self.safe_when_alone {
            entry.push_str(&format!("when_alone = {SAFE_STATE:?}\n"));
        }
        if self.guards_lab {
            entry.push_str("guards_lab = true\n");
        }
        self.policy.iter().for_each(|it| entry.push_str(&unattended::policy_toml(it)));
        entry
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Defects on purpose.
const FAULTS: [&str; 3] = ["clogs", "no-probe", "start-twice"];

/// Reads and checks a lab file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_lab(path: &Path) -> Result<LabFile, Box<Report>> {
    let text = read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (spec, report) = parse(path, &text, |root, report| lab(folder, root, report));
    match spec {
        Some(spec) if report.errors() == 0 => Ok(LabFile { spec, warnings: report }),
        Some(_) | None => Err(Box::new(report)),
    }
}

fn lab(folder: &Path, root: &Table<'_>, report: &mut Report) -> Option<LabSpec> {
    root.only(&["name", "description", "tls", "paging", "safe_state", "instrument"], report);
    root.text("description", report);
    let name = root.name("name = \"bench-3\"", true, &mut BTreeSet::new(), report);
    let tables = root.tables("instrument", "an instrument", report);
    if tables.is_empty() {
        report.error(None, "there is no instrument", "add [[instrument]] with a name and an address");
    }
    if tables.len() > MAX_INSTRUMENTS {
        report.error(None, format!("{} instruments; the limit is {MAX_INSTRUMENTS}", tables.len()), "");
    }
    let tls = root.table("tls", "the certificates", report).and_then(|table| tls(folder, &table, report));
    let mut taken = BTreeSet::new();
    let read = |table: &Table<'_>| instrument(folder, table, &mut taken, report);
    let instruments: Vec<_> = tables.iter().take(MAX_INSTRUMENTS).filter_map(read).collect();
    let unproven = |it: &&InstrumentSpec| matches!(&it.source, DriverSource::Address { address, .. } if address.starts_with(HTTPS));
    if let (None, false, Some(it)) = (&tls, root.has("tls"), instruments.iter().find(unproven)) {
        let message = format!("'{}' is reached by https, and nothing says whose certificate it has", it.name);
        report.error(None, message, "add [tls] with authority = \"authority.pem\"");
    }
    let paging = root.table("paging", "the pages", report).and_then(|table| unattended::paging(&table, report));
    let safe_state = root.table("safe_state", "the safe states", report);
    let safe_state = safe_state.map(|table| unattended::safe_state(&table, &taken, report)).unwrap_or_default();
    Some(LabSpec { name: name?, tls, paging, safe_state, instruments })
}

/// Paths count from the lab file's folder.
fn tls(folder: &Path, table: &Table<'_>, report: &mut Report) -> Option<TlsSpec> {
    table.only(&["authority", "certificate", "key"], report);
    if !table.has("authority") {
        let help = "authority = \"authority.pem\": whose certificates the drivers have";
        report.error(Some(table.span.clone()), "there is no authority", help);
    }
    let mut file = |key: &str| {
        let given = table.text(key, report)?;
        let path = std::path::absolute(folder.join(given.value)).ok().filter(|path| path.is_file());
        if path.is_none() {
            report.error(Some(given.span), format!("there is no file '{}'", shortened(given.value)), "");
        }
        path
    };
    let (authority, certificate, key) = (file("authority"), file("certificate"), file("key"));
    if table.has("certificate") != table.has("key") {
        let help = "mutual TLS takes both; without, leave both out";
        report.error(Some(table.span.clone()), "a certificate and its private key belong together", help);
    }
    Some(TlsSpec { authority: authority?, identity: certificate.zip(key) })
}

fn instrument(
    folder: &Path,
    table: &Table<'_>,
    taken: &mut BTreeSet<String>,
    report: &mut Report,
) -> Option<InstrumentSpec> {
    table.only(
        &["name", "address", "twin", "simulated", "speed", "fault", "when_alone", "guards_lab", "unattended"],
        report,
    );
    let name = table.name("name = \"reactor\"", true, taken, report);
    let source = match (table.has("address"), table.has("simulated")) {
        (true, false) => real(folder, table, report)?,
        (false, true) => simulated(folder, table, report)?,
        (true, true) => {
            let help = "give what takes its place in a rehearsal as 'twin'";
            report.error(Some(table.span.clone()), "an instrument has an address or is simulated, not both", help);
            return None;
        }
        (false, false) => {
            let help = "address = \"http://10.0.0.7:50051\", or simulated = \"flow_reactor\"";
            report.error(Some(table.span.clone()), "nothing says where this instrument's driver is", help);
            return None;
        }
    };
    let policy = table.table("unattended", "an unattended policy", report);
    let policy = policy.and_then(|table| unattended::policy(&table, report));
    let safe_when_alone = when_alone(table, report);
    let guards_lab = table.flag("guards_lab", report).unwrap_or_default();
    Some(InstrumentSpec { name: InstrumentId::new(name?), source, safe_when_alone, guards_lab, policy })
}

/// What becomes of an operation when nobody renews the instrument's lease: `true`, its safe state.
fn when_alone(table: &Table<'_>, report: &mut Report) -> bool {
    match table.text("when_alone", report) {
        None => false,
        Some(given) if given.value == "finish" => false,
        Some(given) if given.value == SAFE_STATE => true,
        Some(given) => {
            let message = format!("'{}' is nothing that an instrument does when it is alone", shortened(given.value));
            report.error(Some(given.span), message, "finish (as without this line), or safe_state");
            false
        }
    }
}

fn real(folder: &Path, table: &Table<'_>, report: &mut Report) -> Option<DriverSource> {
    for key in ["speed", "fault"].into_iter().filter(|key| table.has(key)) {
        report.error(Some(table.span.clone()), format!("a real instrument has no '{key}'"), "");
    }
    let twin = match table.has("twin") {
        true => Some(kind("twin", folder, table, report)?),
        false => None,
    };
    let address = table.text("address", report)?;
    let plausible = address.value.parse::<tonic::transport::Uri>().is_ok_and(|it| {
        it.authority().is_some_and(|it| it.port().is_some()) && matches!(it.scheme_str(), Some("http" | "https"))
    });
    if !plausible {
        let message = format!("'{}' is no driver's address", shortened(address.value));
        report.error(Some(address.span), message, "for instance: address = \"http://10.0.0.7:50051\"");
        return None;
    }
    Some(DriverSource::Address { address: address.value.to_owned(), twin })
}

fn simulated(folder: &Path, table: &Table<'_>, report: &mut Report) -> Option<DriverSource> {
    if table.has("twin") {
        report.error(Some(table.span.clone()), "what is simulated needs no twin", "");
    }
    let kind = kind("simulated", folder, table, report)?;
    let speed = table.number("speed", report);
    if let Some(speed) = speed.as_ref().filter(|it| it.value <= 0.0) {
        report.error(Some(speed.span.clone()), "a speed is above 0", "600 passes ten minutes in a second");
    }
    let fault = table.text("fault", report);
    if let Some(fault) = fault.as_ref().filter(|it| !FAULTS.contains(&it.value)) {
        let help = did_you_mean(fault.value, FAULTS);
        report.error(Some(fault.span.clone()), format!("there is no fault '{}'", shortened(fault.value)), help);
    }
    Some(DriverSource::Simulated { kind, speed: speed.map(|it| it.value), fault: fault.map(|it| it.value.to_owned()) })
}

/// A kind by its name, or a description by its path, which counts from the lab file's folder.
fn kind(key: &str, folder: &Path, table: &Table<'_>, report: &mut Report) -> Option<String> {
    let given = table.text(key, report)?;
    if SIMULATED_KINDS.contains(&given.value) {
        return Some(given.value.to_owned());
    }
    if !given.value.ends_with(DESCRIPTION) {
        let help = did_you_mean(given.value, SIMULATED_KINDS);
        report.error(Some(given.span), format!("there is no simulated '{}'", shortened(given.value)), help);
        return None;
    }
    let path = folder.join(given.value);
    let path = std::path::absolute(&path).unwrap_or(path);
    if !path.is_file() {
        let message = format!("there is no description '{}'", shortened(given.value));
        let help = "`eutectic instrument describe NAME > FILE.json` writes one";
        report.error(Some(given.span), message, help);
        return None;
    }
    Some(path.display().to_string())
}

//! A driver's place in the fleet: where it is reached and how it looks from here.

use eutectic_core::{InstrumentId, OperationId};
use eutectic_proto::instrument::v1 as wire;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An instrument of the lab.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name.
    pub instrument: InstrumentId,
    /// Where its driver listens.
    pub source: AddressSource,
}

/// Where a driver's address is to be had.
#[derive(Clone, Debug, PartialEq)]
pub enum AddressSource {
    /// As lab.toml says: `http://HOST:PORT`.
    Fixed(String),
    /// In a file that the driver writes at each start: its address, and on a second line its process.
    File(PathBuf),
}

/// An instrument as its driver shows it now. Volatile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstrumentView {
    /// Where it was reached last; empty before the first time.
    pub address: String,
    /// The driver's process, where it is one of this machine's that said so; else 0.
    pub pid: u32,
    /// Whether the driver answered last.
    pub connected: bool,
    /// Whether we hold the instrument.
    pub leased: bool,
    /// The driver's readiness, in its words.
    pub readiness: String,
    /// What is wrong between us and the driver; empty if nothing.
    pub problem: String,
    /// What it can do, once the driver has said it.
    pub manifest: Option<Box<wire::Instrument>>,
}

/// The fleet as it looks now. Volatile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Every member, by name.
    pub instruments: BTreeMap<InstrumentId, InstrumentView>,
    /// How far operations are: a fraction from 0 to 1, and the stage in the driver's words.
    pub progress: BTreeMap<OperationId, (f64, String)>,
}

impl AddressSource {
    /// The address and the process now.
    pub(super) fn read(&self) -> Result<(String, u32), String> {
        match self {
            Self::Fixed(address) => Ok((address.clone(), 0)),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|_| "the driver has not started yet".to_owned())?;
                let mut lines = text.lines();
                let address = lines.next().unwrap_or_default().to_owned();
                Ok((address, lines.next().and_then(|pid| pid.parse().ok()).unwrap_or_default()))
            }
        }
    }
}

/// A channel that connects when it is first used.
pub(super) fn channel(address: &str) -> Result<Channel, String> {
    let with_scheme = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let endpoint = Endpoint::from_shared(with_scheme).map_err(|error| format!("'{address}' is no address: {error}"))?;
    Ok(endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true).connect_lazy())
}

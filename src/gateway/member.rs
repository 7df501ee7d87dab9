//! A driver's place in the fleet: where it is reached and how it looks from here.

use eutectic_core::{InstrumentId, OperationId};
use eutectic_proto::instrument::v1 as wire;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An instrument of the lab.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name.
    pub instrument: InstrumentId,
    /// Where its driver listens.
    pub source: AddressSource,
    /// What it does aborts to its safe state when nobody has renewed its lease, instead of finishing.
    pub safe_when_alone: bool,
}

/// Where a driver's address is to be had.
#[derive(Clone, Debug, PartialEq)]
pub enum AddressSource {
    /// As lab.toml says: `http://HOST:PORT`.
    Fixed(String),
    /// In a file that the driver writes at each start: its address, and on a second line its process.
    File(PathBuf),
}

/// How drivers with an `https` address are spoken to: certificates and a private key as PEM.
#[derive(Clone, Debug)]
pub struct Tls(ClientTlsConfig);

impl Tls {
    /// Drivers have a certificate of this authority; `identity` is our own certificate and its key.
    #[must_use]
    pub fn new(authority: &[u8], identity: Option<(Vec<u8>, Vec<u8>)>) -> Self {
        let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
        Self(match identity {
            Some((certificate, key)) => config.identity(Identity::from_pem(certificate, key)),
            None => config,
        })
    }
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
pub(super) fn channel(address: &str, tls: Option<&Tls>) -> Result<Channel, String> {
    let with_scheme = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let mut endpoint =
        Endpoint::from_shared(with_scheme).map_err(|error| format!("'{address}' is no address: {error}"))?;
    if let Some(Tls(config)) = tls {
        endpoint = endpoint.tls_config(config.clone()).map_err(|error| format!("[tls] of the lab: {error}"))?;
    }
    Ok(endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true).connect_lazy())
}

//! How a driver is served, in code and as the flags that every driver has.

use super::Clock;
use clap::{CommandFactory as _, FromArgMatches as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where a driver listens unless told otherwise: only this machine reaches it there.
const LISTEN: &str = "127.0.0.1:50051";

/// How a driver is served.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The driver's own folder: its journal and its artifacts
    #[arg(long, value_name = "DIR")]
    pub folder: PathBuf,
    /// Where it listens; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = LISTEN)]
    pub listen: SocketAddr,
    /// Where to write its address and its process
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
    /// End when nobody has called for so many seconds and nothing moves
    #[arg(long = "idle-exit-s", value_name = "S", value_parser = seconds)]
    pub idle_exit: Option<Duration>,
    /// Serve by TLS with this certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Mutual TLS: only clients with a certificate of this authority (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_client_ca: Option<PathBuf>,
    /// Hold this device or file by a lock of the system, so that no second program of ours drives the same hardware
    #[arg(long, value_name = "FILE")]
    pub resource: Option<PathBuf>,
    /// The time it lives by.
    #[arg(skip)]
    pub clock: Clock,
}

#[derive(clap::Parser)]
struct Program {
    #[command(flatten)]
    options: Options,
}

impl Options {
    /// On loopback, on any free port.
    #[must_use]
    pub fn local(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            address_file: None,
            idle_exit: None,
            tls_certificate: None,
            tls_key: None,
            tls_client_ca: None,
            resource: None,
            clock: Clock::default(),
        }
    }

    /// As this program's command line has it (`--help` lists the flags); on a mistake the program ends with words.
    #[must_use]
    pub fn from_args(folder: &'static str) -> Self {
        let command = Program::command().mut_arg("folder", |it| it.required(false).default_value(folder));
        let parsed = Program::from_arg_matches(&command.get_matches());
        parsed.unwrap_or_else(|error| error.exit()).options
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|_| format!("'{text}' is no whole number of seconds"))
}

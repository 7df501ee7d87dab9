//! The way to a driver itself, for verbs that speak to it and not to a data folder's owner.

use super::arguments::TlsArguments;
use super::{Failure, Global};
use crate::closest::did_you_mean;
use crate::files::{DriverSource, TlsSpec, load_lab};
use eutectic_proto::instrument::v1::instrument_service_client::InstrumentServiceClient;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// How long a driver may take to take a connection, and to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// A driver's address: as it was given, or of an instrument of this lab, whose own [tls] holds unless another was given.
pub(super) fn address(
    global: &Global,
    given: &str,
    lab: &Path,
    tls: &TlsArguments,
) -> Result<(String, TlsArguments), Failure> {
    if given.contains("://") {
        return Ok((given.to_owned(), tls.clone()));
    }
    let file = load_lab(lab).map_err(|report| Failure::diagnostics(&[report.to_string()]))?;
    let found = file.spec.instruments.iter().find(|it| it.name.as_str() == given).ok_or_else(|| {
        let names = file.spec.instruments.iter().map(|it| it.name.as_str());
        let help = did_you_mean(given, names);
        Failure::new(format!("there is no instrument '{given}' in {}", lab.display()), help)
    })?;
    match &found.source {
        DriverSource::Address { address, .. } => {
            let of_lab = file.spec.tls.filter(|_| tls.tls_ca.is_none()).map(|it| {
                let (tls_certificate, tls_key) = it.identity.unzip();
                TlsArguments { tls_ca: Some(it.authority), tls_certificate, tls_key }
            });
            Ok((address.clone(), of_lab.unwrap_or_else(|| tls.clone())))
        }
        DriverSource::Simulated { .. } => {
            let said = std::fs::read_to_string(global.data.join("lab").join(format!("{given}.address")));
            let said = said.ok().and_then(|text| text.lines().next().map(str::to_owned));
            let help = "`eutectic check` or `eutectic run` starts it, and so does `eutectic driver simulate`";
            let said = said.ok_or_else(|| Failure::new(format!("'{given}' is simulated and does not run"), help))?;
            Ok((said, tls.clone()))
        }
    }
}

/// How to speak to a driver by TLS; `None` where nothing was said of it.
pub(super) fn tls(arguments: &TlsArguments) -> Result<Option<ClientTlsConfig>, Failure> {
    let Some(authority) = &arguments.tls_ca else { return Ok(None) };
    let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(authority)?));
    let (Some(certificate), Some(key)) = (&arguments.tls_certificate, &arguments.tls_key) else {
        return Ok(Some(config));
    };
    Ok(Some(config.identity(Identity::from_pem(read(certificate)?, read(key)?))))
}

/// What was said of TLS, as a lab file keeps it.
pub(super) fn proof(arguments: &TlsArguments) -> Result<Option<TlsSpec>, Failure> {
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).map_err(|error| Failure::new(format!("'{}': {error}", path.display()), ""))
    };
    let TlsArguments { tls_ca: Some(authority), tls_certificate, tls_key } = arguments else { return Ok(None) };
    let identity = match (tls_certificate, tls_key) {
        (Some(certificate), Some(key)) => Some((absolute(certificate)?, absolute(key)?)),
        (None | Some(_), None | Some(_)) => None,
    };
    Ok(Some(TlsSpec { authority: absolute(authority)?, identity }))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::new(format!("'{}' can't be read: {error}", path.display()), ""))
}

pub(super) async fn driver(address: &str, it: &TlsArguments) -> Result<InstrumentServiceClient<Channel>, Failure> {
    let wrong = |error: tonic::transport::Error| {
        let help = "for instance http://127.0.0.1:50051; https needs --tls-ca";
        Failure::new(format!("no driver can be reached at '{address}': {}", root(&error)), help)
    };
    let mut endpoint = Endpoint::from_shared(address.to_owned()).map_err(wrong)?;
    if let Some(tls) = tls(it)? {
        endpoint = endpoint.tls_config(tls).map_err(wrong)?;
    }
    let channel = endpoint.connect_timeout(LIMIT).timeout(LIMIT).connect().await.map_err(wrong)?;
    Ok(InstrumentServiceClient::new(channel))
}

/// The innermost words: the outer ones only say 'transport error'.
fn root(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

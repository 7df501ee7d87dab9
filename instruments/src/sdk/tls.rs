//! TLS by flags: a certificate of the driver's own, and where asked only clients with one of a named authority.

use super::{Options, ServeError};
use std::path::Path;
use std::time::Duration;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// A connection that hasn't shaken hands by then is closed: half-open ones must not pile up.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// `None` where no certificate was given.
pub(super) fn config(options: &Options) -> Result<Option<ServerTlsConfig>, ServeError> {
    let (Some(certificate), Some(key)) = (&options.tls_certificate, &options.tls_key) else { return Ok(None) };
    let config = ServerTlsConfig::new().identity(Identity::from_pem(read(certificate)?, read(key)?));
    let config = config.timeout(HANDSHAKE_LIMIT);
    Ok(Some(match &options.tls_client_ca {
        None => config,
        Some(authority) => config.client_ca_root(Certificate::from_pem(read(authority)?)),
    }))
}

fn read(path: &Path) -> Result<Vec<u8>, ServeError> {
    std::fs::read(path).map_err(|source| ServeError::Io { what: format!("can't read {}", path.display()), source })
}

//! The way to the owner of the data folder; where there is none, this process becomes it for a while.

use super::{Failure, Global};
use crate::host::{ADDRESS_FILE, Host, HostOptions};
use eutectic_proto::control::v1::control_service_client::ControlServiceClient;
use std::path::Path;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use uuid::Uuid;

/// How long the owner may take to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the owner of the folder may go in the middle of one thing that is asked of it, before this process gives up.
pub(super) const HANDOVERS: u32 = 10;
/// How often, and after what wait, a folder is tried again whose owner doesn't answer: it is beginning, or ending,
/// and closing its journal alone may take 10 s.
const HANDOVER_TRIES: u32 = 150;
/// See [`HANDOVER_TRIES`].
const HANDOVER_WAIT: Duration = Duration::from_millis(100);
/// A table of results can be large.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// The control service of the owner.
pub(super) type Client = ControlServiceClient<Channel>;

/// A connection to the owner, which may be this process.
pub(super) struct Connection {
    pub(super) client: Client,
    host: Option<Host>,
}

impl Connection {
    pub(super) async fn open(global: &Global) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::new(format!("this program can't find itself: {error}"), ""))?;
        let mut tries = HANDOVER_TRIES;
        loop {
            if let Some(client) = owner(&global.data).await {
                return Ok(Self { client, host: None });
            }
            match Host::start(HostOptions { data: global.data.clone(), program: program.clone() }).await {
                Ok(host) => {
                    let client = connect(host.address()).await;
                    let client = client.map_err(|error| Failure::new(error.to_string(), ""))?;
                    return Ok(Self { client, host: Some(host) });
                }
                // Another process is just beginning, or just ending.
                Err(error) if error.is_owned() && tries > 0 => tries -= 1,
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(HANDOVER_WAIT).await;
        }
    }

    /// Whether this process is the owner.
    pub(super) fn hosts(&self) -> bool {
        self.host.is_some()
    }

    /// Gives the folder back, if it was ours.
    pub(super) async fn close(self) -> Result<(), Failure> {
        drop(self.client);
        match self.host {
            None => Ok(()),
            Some(host) => Ok(host.finish().await?),
        }
    }
}

/// Asks whoever owns the folder; and the next owner once more where this one has gone in the middle of it. What was carried
/// out already is known by its request's name and changes nothing again.
pub(super) async fn ask<T>(
    global: &Global,
    mut request: impl AsyncFnMut(&mut Client) -> Result<Response<T>, Status>,
) -> Result<T, Failure> {
    let mut left = HANDOVERS;
    loop {
        let mut connection = Connection::open(global).await?;
        let answer = request(&mut connection.client).await.map_err(Failure::from);
        let hosts = connection.hosts();
        connection.close().await?;
        match answer {
            Err(failure) if failure.is_gone() && !hosts && left > 0 => left -= 1,
            answer => return Ok(answer?.into_inner()),
        }
    }
}

async fn owner(data: &Path) -> Option<Client> {
    let text = std::fs::read_to_string(data.join(ADDRESS_FILE)).ok()?;
    connect(text.lines().next()?).await.ok()
}

async fn connect(address: &str) -> Result<Client, tonic::transport::Error> {
    let channel = Endpoint::from_shared(address.to_owned())?.connect_timeout(CONNECT_TIMEOUT).connect().await?;
    let client = ControlServiceClient::new(channel);
    Ok(client.max_decoding_message_size(MAX_MESSAGE_BYTES).max_encoding_message_size(MAX_MESSAGE_BYTES))
}

/// A name for a request: a repeat of it changes nothing.
pub(super) fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// Who asks.
pub(super) fn person() -> String {
    std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "a person".to_owned())
}

/// The file as the owner finds it, whatever its own folder is.
pub(super) fn absolute(path: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(path)
        .map_err(|error| Failure::new(format!("'{}' is no path: {error}", path.display()), ""))?;
    let text = absolute.to_str().map(ToOwned::to_owned);
    text.ok_or_else(|| Failure::new(format!("'{}' is not UTF-8", path.display()), "rename it"))
}

/// The same for a file that may not have been named; empty if it wasn't.
pub(super) fn absolute_or_empty(path: Option<&Path>) -> Result<String, Failure> {
    path.map_or_else(|| Ok(String::new()), absolute)
}

//! Wires everything for one data folder: journal, engine, performer, lab, control service.

use crate::control::{ControlServer, Options};
use crate::engine::perform::perform;
use crate::engine::{Engine, Step, StepError};
use crate::journal::{EmbeddedJournal, Journal, OpenError, Results};
use crate::lab::Keeper;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

/// The file in a data folder that says where its owner listens: an address, and on a second line its process.
pub const ADDRESS_FILE: &str = "control.address";
/// The longest message that the control service takes: a table of results.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// What to host.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The data folder; made if it isn't there.
    pub data: PathBuf,
    /// The program that runs simulated instruments: this one.
    pub program: PathBuf,
}

/// Why a data folder can't be hosted.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The system said no.
    #[error("the data folder '{folder}' can't be used: {source}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The journal could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal could not be replayed, or the engine ended by itself.
    #[error(transparent)]
    Step(#[from] StepError),
}

impl HostError {
    /// Whether another process owns the folder.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        matches!(self, Self::Open(OpenError::Locked { .. }))
    }
}

/// The owner of a data folder, in this process.
pub struct Host {
    address: String,
    file: PathBuf,
    engine: Engine,
    keeper: Arc<Keeper>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Host {
    /// Opens the folder and serves it on a loopback socket.
    ///
    /// # Errors
    /// [`HostError`], for instance where another process owns the folder.
    pub async fn start(options: HostOptions) -> Result<Self, HostError> {
        let HostOptions { data, program } = options;
        let folder = |source| HostError::Folder { folder: data.clone(), source };
        std::fs::create_dir_all(&data).map_err(folder)?;
        let (journal, opened) = EmbeddedJournal::open(&data.join("journal"))?;
        for alarm in &opened.alarms {
            tracing::warn!(%alarm, "the journal");
        }
        let holder = journal.workcell().to_owned();
        let owner = format!("process {} of eutectic {}", std::process::id(), env!("CARGO_PKG_VERSION"));
        let step = Step::open(Box::new(journal), &owner)?;
        let (changes, changed) = mpsc::unbounded_channel();
        let engine = Engine::start(step, changes).map_err(folder)?;
        let (labs, lab) = mpsc::channel(1);
        tokio::spawn(perform(engine.handle(), Results::of(&data.join("journal")), changed, lab));
        tokio::spawn(engine.handle().tick());
        let keeper = Arc::new(Keeper::new(&data, program, holder, engine.handle(), labs));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(folder)?;
        let address = format!("http://{}", listener.local_addr().map_err(folder)?);
        let service = ControlServer::service(Options {
            engine: engine.handle(),
            keeper: Arc::clone(&keeper),
            data: data.clone(),
        })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let (stop, stopped) = oneshot::channel();
        let server = Server::builder().add_service(service).serve_with_incoming_shutdown(
            TcpListenerStream::new(listener),
            async {
                // Dropped or sent: either way it is time.
                let _ = stopped.await;
            },
        );
        let server = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the control service stopped");
            }
        });
        let file = data.join(ADDRESS_FILE);
        announce(&file, &address).map_err(folder)?;
        Ok(Self { address, file, engine, keeper, stop, server })
    }

    /// Where the control service listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Closes the journal in good order and gives the folder back. Instruments finish what they do.
    ///
    /// # Errors
    /// What ended the engine, if it ended by itself.
    pub async fn finish(self) -> Result<(), HostError> {
        // The file goes first, so that nobody new is sent here. It may have gone with the folder.
        let _ = std::fs::remove_file(&self.file);
        self.keeper.settle().await;
        let closed = self.engine.close().await;
        // The server ends at once where nobody is connected; whoever still is has nothing to hear any more.
        let _ = self.stop.send(());
        self.server.abort();
        Ok(closed?)
    }
}

/// Written aside and renamed, so that nobody reads half an address.
fn announce(file: &Path, address: &str) -> io::Result<()> {
    let aside = file.with_extension("address.new");
    std::fs::write(&aside, format!("{address}\n{}\n", std::process::id()))?;
    std::fs::rename(&aside, file)
}

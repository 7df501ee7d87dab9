//! From a driver to a process that serves it.

use super::Driver;
use super::keeper::{Clock, Input, Keeper, guarded};
use super::service::{Calls, Service};
use crate::journal::{Journal, JournalError, RedbJournal};
use crate::machine::{Arguments, Boot, Machine, ManifestError, OpenError, Report, Rules};
use crate::wire::Fault;
use crate::wire::instrument_service_server::InstrumentServiceServer;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;
use uuid::Uuid;

/// How often the instrument's state is asked for.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// How often an idle driver looks whether it may end.
const IDLE_LOOK: Duration = Duration::from_millis(500);

/// How a driver is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its journal lives; a folder of its own.
    pub folder: PathBuf,
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Where it writes its address, and on a second line its process; for those who started it.
    pub address_file: Option<PathBuf>,
    /// It ends when nobody has called for so long and nothing moves.
    pub idle_exit: Option<Duration>,
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
        }
    }
}

/// Why a driver can't be served, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The journal can't be used; a driver without memory must not serve.
    #[error("the driver's journal: {0}")]
    Journal(#[from] JournalError),
    /// The description breaks the contract.
    #[error("the instrument's description: {0}")]
    Manifest(#[from] ManifestError),
    /// The journal is not this instrument's.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address can't be listened on, or the address file not be written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The server broke down.
    #[error("the server: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// A fault of this program.
    #[error("the driver broke down: {0}")]
    Broken(String),
}

/// Serves a driver until it is told to end (SIGTERM, Ctrl-C) or has been idle for long enough.
///
/// # Errors
/// [`ServeError`].
pub async fn serve<D: Driver>(driver: D, options: Options) -> Result<(), ServeError> {
    serve_with(Arc::new(driver), options, |routes| routes).await
}

/// The same, with services of the vendor's own beside the contract's.
///
/// # Errors
/// [`ServeError`].
pub async fn serve_with<D: Driver>(
    driver: Arc<D>,
    options: Options,
    more: impl FnOnce(Routes) -> Routes,
) -> Result<(), ServeError> {
    let manifest = driver.manifest()?;
    let mut journal = RedbJournal::open(&options.folder)?;
    let clock = Clock::start();
    let boot = Boot {
        boot_id: Uuid::now_v7().to_string(),
        new_journal_id: Uuid::now_v7().to_string(),
        now: clock.now(),
        status: driver.status().await,
    };
    let rules = Arc::new(DriverRules(Arc::clone(&driver)));
    let (machine, opening) = Machine::open(manifest.clone(), rules, journal.load()?, boot)?;
    let (inbox, inputs) = mpsc::channel();
    let keeper = Keeper {
        machine,
        journal: Box::new(journal),
        driver: Arc::clone(&driver),
        clock,
        inbox: inbox.clone(),
        runtime: tokio::runtime::Handle::current(),
        replies: BTreeMap::new(),
        proceeds: BTreeMap::new(),
        watchers: Vec::new(),
        stops: BTreeMap::new(),
        last_call: 0,
    };
    let (ended, mut keeping) = oneshot::channel();
    let thread = std::thread::Builder::new().name("driver".into());
    let spawned = thread.spawn(move || {
        let _ = ended.send(guarded(|| keeper.keep(&inputs, opening)));
    });
    spawned.map_err(|source| ServeError::Io { what: "no thread for the driver".into(), source })?;

    let calls = Calls::new();
    let service = Service { manifest, inbox: inbox.clone(), calls: calls.clone() };
    let listener = listen(&options).await?;
    let server = Server::builder().tcp_nodelay(true).add_routes(more(routes(service).await?));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
        let _ = stopped.await;
    });
    let mut serving = std::pin::pin!(serving);
    let states = tokio::spawn(tell_status(Arc::clone(&driver), inbox.clone()));
    let outcome = tokio::select! {
        served = &mut serving => return Ok(served?),
        kept = &mut keeping => Some(kept),
        () = told_to_end() => None,
        () = idle(calls, inbox.clone(), options.idle_exit) => None,
    };
    states.abort();
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => {
            let _ = inbox.send(Input::ShutDown);
            // Calls are answered until the hardware rests.
            tokio::select! {
                kept = &mut keeping => kept,
                served = &mut serving => return Ok(served?),
            }
        }
    };
    drop(stop);
    match outcome {
        Ok(Ok(kept)) => Ok(kept?),
        Ok(Err(words)) => Err(ServeError::Broken(words)),
        Err(_) => Err(ServeError::Broken("its thread is gone".to_owned())),
    }
}

async fn routes(service: Service) -> Result<Routes, ServeError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<InstrumentServiceServer<Service>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(eutectic_proto::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| ServeError::Broken(error.to_string()))?;
    Ok(Routes::new(InstrumentServiceServer::new(service)).add_service(health).add_service(reflection))
}

async fn listen(options: &Options) -> Result<TcpListener, ServeError> {
    let what = format!("can't listen on {}", options.listen);
    let failed = |source| ServeError::Io { what: what.clone(), source };
    let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(%address, "the driver listens");
    if let Some(file) = &options.address_file {
        let what = format!("can't write {}", file.display());
        announce(file, address).map_err(|source| ServeError::Io { what, source })?;
    }
    Ok(listener)
}

/// Written aside and renamed, so that nobody reads half an address.
fn announce(file: &Path, address: SocketAddr) -> std::io::Result<()> {
    let aside = file.with_extension("address.new");
    std::fs::write(&aside, format!("http://{address}\n{}\n", std::process::id()))?;
    std::fs::rename(&aside, file)
}

struct DriverRules<D>(Arc<D>);

impl<D: Driver> Rules for DriverRules<D> {
    fn check(&self, capability: &str, arguments: &Arguments) -> Result<(), Fault> {
        self.0.check(capability, arguments)
    }
}

async fn tell_status<D: Driver>(driver: Arc<D>, inbox: mpsc::Sender<Input>) {
    loop {
        tokio::time::sleep(STATUS_INTERVAL).await;
        if inbox.send(Input::Report(Report::Status(driver.status().await))).is_err() {
            return;
        }
    }
}

async fn idle(calls: Calls, inbox: mpsc::Sender<Input>, limit: Option<Duration>) {
    let Some(limit) = limit else { return std::future::pending().await };
    loop {
        tokio::time::sleep(IDLE_LOOK.min(limit)).await;
        if calls.idle() < limit {
            continue;
        }
        let (answer, busy) = oneshot::channel();
        if inbox.send(Input::IsBusy(answer)).is_err() || !busy.await.unwrap_or(false) {
            return;
        }
    }
}

async fn told_to_end() {
    let interrupted = async {
        // Where the system offers no such signal nobody can send it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        let terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        match terminated {
            Ok(mut terminated) => tokio::select! { () = interrupted => {}, _ = terminated.recv() => {} },
            Err(_) => interrupted.await,
        }
    }
    #[cfg(not(unix))]
    interrupted.await;
}

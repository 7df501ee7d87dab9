//! From a driver to a process that serves it.

use super::artifacts::Artifacts;
use super::call::Served;
use super::keeper::{Input, Keeper, guarded};
use super::service::{Calls, Service};
use super::{Driver, Handle, Options, tls};
use crate::journal::{Journal, JournalError, RedbJournal};
use crate::machine::{Arguments, Boot, Machine, ManifestError, OpenError, Rules};
use crate::wire::Fault;
use crate::wire::instrument_service_server::InstrumentServiceServer;
use std::collections::BTreeMap;
use std::fs::File;
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
    /// Another program has the hardware.
    #[error("{} is held by another program: only one may drive the hardware", .0.display())]
    ResourceHeld(PathBuf),
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
    serve_with(Arc::new(driver), options, |routes, _| routes).await
}

/// The same, with services of the vendor's own beside the contract's.
///
/// # Errors
/// [`ServeError`].
pub async fn serve_with<D: Driver>(
    driver: Arc<D>,
    options: Options,
    more: impl FnOnce(Routes, Handle) -> Routes,
) -> Result<(), ServeError> {
    let manifest = driver.manifest()?;
    // To the end of this function.
    let _held = options.resource.as_deref().map(hold).transpose()?;
    let mut journal = RedbJournal::open(&options.folder)?;
    let (clock, artifacts) = (options.clock.clone(), Artifacts::within(&options.folder));
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
        served: Served { inbox: inbox.clone(), clock: clock.clone(), artifacts: artifacts.clone() },
        runtime: tokio::runtime::Handle::current(),
        replies: BTreeMap::new(),
        proceeds: BTreeMap::new(),
        watchers: Vec::new(),
        orders: BTreeMap::new(),
        resting: tokio::sync::watch::Sender::new(0),
        looks: Vec::new(),
        last_call: 0,
    };
    let (ended, mut keeping) = oneshot::channel();
    let thread = std::thread::Builder::new().name("driver".into());
    let spawned = thread.spawn(move || {
        let _ = ended.send(guarded(|| keeper.keep(&inputs, opening)));
    });
    spawned.map_err(|source| ServeError::Io { what: "no thread for the driver".into(), source })?;

    let calls = Calls::new();
    let handle = Handle { driver: driver.clone(), clock: clock.clone(), inbox: inbox.clone() };
    let service = Service { manifest, inbox: inbox.clone(), calls: calls.clone(), artifacts };
    let listener = listen(&options).await?;
    let mut server = Server::builder().tcp_nodelay(true);
    if let Some(tls) = tls::config(&options)? {
        server = server.tls_config(tls)?;
    }
    let server = server.add_routes(more(routes(service).await?, handle.clone()));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
        let _ = stopped.await;
    });
    let mut serving = std::pin::pin!(serving);
    let states = tokio::spawn(tell_status(handle));
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
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(eutectic_proto::FILE_DESCRIPTOR_SET)
    };
    let broken = |error: tonic_reflection::server::Error| ServeError::Broken(error.to_string());
    let routes = Routes::new(InstrumentServiceServer::new(service)).add_service(health);
    // Many clients (grpcio-reflection 1.85 among them) still ask by the older name.
    let routes = routes.add_service(described().build_v1alpha().map_err(broken)?);
    Ok(routes.add_service(described().build_v1().map_err(broken)?))
}

async fn listen(options: &Options) -> Result<TcpListener, ServeError> {
    let what = format!("can't listen on {}", options.listen);
    let failed = |source| ServeError::Io { what: what.clone(), source };
    let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(%address, "the driver listens");
    if let Some(file) = &options.address_file {
        let what = format!("can't write {}", file.display());
        let scheme = if options.tls_certificate.is_some() { "https" } else { "http" };
        announce(file, scheme, address).map_err(|source| ServeError::Io { what, source })?;
    }
    Ok(listener)
}

/// Written aside and renamed, so that nobody reads half an address.
fn announce(file: &Path, scheme: &str, address: SocketAddr) -> std::io::Result<()> {
    let aside = file.with_extension("address.new");
    std::fs::write(&aside, format!("{scheme}://{address}\n{}\n", std::process::id()))?;
    std::fs::rename(&aside, file)
}

struct DriverRules<D>(Arc<D>);

impl<D: Driver> Rules for DriverRules<D> {
    fn check(&self, capability: &str, arguments: &Arguments) -> Result<(), Fault> {
        self.0.check(capability, arguments)
    }
}

/// Where time is virtual, the state is asked for whenever time moves.
async fn tell_status(handle: Handle) {
    while !handle.clock().is_virtual() {
        tokio::time::sleep(STATUS_INTERVAL).await;
        if handle.refresh().await.is_err() {
            return;
        }
    }
}

/// A lock of the operating system, which ends with this process however it ends.
fn hold(resource: &Path) -> Result<File, ServeError> {
    let failed = |source| ServeError::Io { what: format!("can't hold {}", resource.display()), source };
    let file = File::open(resource).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ServeError::ResourceHeld(resource.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
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

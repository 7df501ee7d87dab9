//! A simulated instrument as a process of its own.

use super::SPEED_DEFAULT;
use super::flow_reactor::FlowReactor;
use super::hplc::Hplc;
use super::instrument::{Defect, Model, SharedTruth, Simulated};
use super::world::{World, WorldError};
use crate::machine::{ManifestError, Reason};
use crate::sdk::{Options, ServeError, serve_with};
use crate::wire;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};
use wire::simulation_service_server::{SimulationService, SimulationServiceServer};

/// The instruments that can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `flow_reactor.react`
    FlowReactor,
    /// `hplc.assay`
    Hplc,
}

impl Kind {
    /// Their names in files and on the command line.
    pub const ALL: [(&str, Self); 2] = [("flow_reactor", Self::FlowReactor), ("hplc", Self::Hplc)];
}

/// Which instrument, and where.
#[derive(Clone, Debug)]
pub struct SimulatedOptions {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub instrument: String,
    /// The driver's own folder: its journal.
    pub folder: PathBuf,
    /// The bench that it shares with others.
    pub world: PathBuf,
    /// Where it listens; on loopback, on any free port, if not given.
    pub listen: Option<SocketAddr>,
    /// Where it writes its address and its process.
    pub address_file: Option<PathBuf>,
    /// It ends when nobody has called for so many seconds.
    pub idle_exit_s: Option<u64>,
    /// Seconds of the instrument in one of ours; [`SPEED_DEFAULT`] if not given.
    pub speed: Option<f64>,
    /// A defect by its name: `start-twice`.
    pub fault: Option<String>,
}

/// Why a simulated instrument can't be served.
#[derive(Debug, thiserror::Error)]
pub enum SimulatedError {
    /// The bench can't be used.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The name breaks the contract.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The driver can't be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A speed that is no speed.
    #[error("a speed of {0} is not a positive number")]
    Speed(f64),
    /// No such defect.
    #[error("there is no fault '{0}'; known is 'start-twice'")]
    Fault(String),
}

/// Serves the instrument until it is told to end or has been idle for long enough.
///
/// # Errors
/// [`SimulatedError`].
pub async fn serve(options: SimulatedOptions) -> Result<(), SimulatedError> {
    match options.kind {
        Kind::FlowReactor => serve_model(FlowReactor, options).await,
        Kind::Hplc => serve_model(Hplc, options).await,
    }
}

async fn serve_model<M: Model>(model: M, options: SimulatedOptions) -> Result<(), SimulatedError> {
    let speed = options.speed.unwrap_or(SPEED_DEFAULT);
    if !(speed.is_finite() && speed > 0.0) {
        return Err(SimulatedError::Speed(speed));
    }
    let defect = match options.fault.as_deref() {
        None => None,
        Some("start-twice") => Some(Defect::StartTwice),
        Some(other) => return Err(SimulatedError::Fault(other.to_owned())),
    };
    let world = World::open(&options.world, &options.instrument)?;
    let manifest = model.manifest(&options.instrument)?;
    let driver = Arc::new(Simulated { model, manifest, world, speed, defect });
    let truth = Simulation { instrument: options.instrument, truth: Arc::clone(&driver) as SharedTruth };
    let local = Options::local(options.folder);
    let options = Options {
        listen: options.listen.unwrap_or(local.listen),
        address_file: options.address_file,
        idle_exit: options.idle_exit_s.map(Duration::from_secs),
        ..local
    };
    Ok(serve_with(driver, options, |routes| routes.add_service(SimulationServiceServer::new(truth))).await?)
}

struct Simulation {
    instrument: String,
    truth: SharedTruth,
}

#[tonic::async_trait]
impl SimulationService for Simulation {
    async fn get_truth(
        &self,
        request: Request<wire::GetTruthRequest>,
    ) -> Result<Response<wire::GetTruthResponse>, Status> {
        let request = request.into_inner();
        let known = (request.instrument == self.instrument).then(|| self.truth.truth(&request.operation_id));
        let measurements = known.flatten().ok_or_else(|| {
            let reason = Reason::OperationNotFound.name();
            Status::not_found(format!("{reason}: nothing is known of operation '{}'", request.operation_id))
        })?;
        Ok(Response::new(wire::GetTruthResponse { measurements }))
    }
}

//! A simulated instrument as a process of its own.

use super::balance::Balance;
use super::conditions::Conditions;
use super::defect::Defect;
use super::flow_reactor::FlowReactor;
use super::furnace::Furnace;
use super::hplc::Hplc;
use super::instrument::{Behind, Bench, Model, Simulated};
use super::liquid_handler::LiquidHandler;
use super::replica::Replica;
use super::robot_arm::RobotArm;
use super::service::{Simulation, virtual_now};
use super::spectrometer::Spectrometer;
use super::world::{World, WorldError};
use super::{SPEED_DEFAULT, SPEED_VIRTUAL};
use crate::machine::{Manifest, ManifestError};
use crate::sdk::{Clock, Options, ServeError, serve_with};
use crate::wire::instrument::TimeMode;
use crate::wire::simulation_service_server::SimulationServiceServer;
use std::path::PathBuf;
use std::sync::Arc;

/// The instruments that can be simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `balance.dose`, `balance.weigh`, `balance.calibrate`
    Balance,
    /// `flow_reactor.react`, `flow_reactor.flush`, `flow_reactor.self_test`
    FlowReactor,
    /// `furnace.calcine`
    Furnace,
    /// `hplc.assay`
    Hplc,
    /// `liquid_handler.dispense`
    LiquidHandler,
    /// `robot_arm.move`
    RobotArm,
    /// `spectrometer.scan`
    Spectrometer,
    /// What a description declares; its outputs are made up.
    Replica(PathBuf),
}

impl Kind {
    /// The names of those with physics of their own.
    pub const NAMES: [&str; 7] =
        ["balance", "flow_reactor", "furnace", "hplc", "liquid_handler", "robot_arm", "spectrometer"];

    /// By its name, or a replica by the path of its description (`.json`).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "balance" => Self::Balance,
            "flow_reactor" => Self::FlowReactor,
            "furnace" => Self::Furnace,
            "hplc" => Self::Hplc,
            "liquid_handler" => Self::LiquidHandler,
            "robot_arm" => Self::RobotArm,
            "spectrometer" => Self::Spectrometer,
            path => Self::Replica(path.ends_with(".json").then(|| PathBuf::from(path))?),
        })
    }
}

/// Which instrument, and where.
#[derive(Clone, Debug)]
pub struct SimulatedOptions {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub instrument: String,
    /// The bench that it shares with others.
    pub world: PathBuf,
    /// Seconds of the instrument in one of ours; [`SPEED_DEFAULT`] if not given.
    pub speed: Option<f64>,
    /// Its time moves only when `SimulationService.AdvanceTime` says so.
    pub virtual_time: bool,
    /// A defect by its name: `start-twice`, `no-probe`, `clogs`.
    pub fault: Option<String>,
    /// How it is served.
    pub serve: Options,
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
    /// The description can't be read.
    #[error("the description {0}: {1}")]
    Description(PathBuf, String),
    /// A speed that is no speed.
    #[error("a speed of {0} is not a positive number")]
    Speed(f64),
    /// Time that is told when to move has no speed of its own.
    #[error("virtual time moves when it is told to: leave the speed out")]
    SpeedOfVirtualTime,
    /// No such defect.
    #[error("there is no fault '{0}'; known are {known}", known = Defect::NAMES.join(", "))]
    Fault(String),
}

/// Serves the instrument until it is told to end or has been idle for long enough.
///
/// # Errors
/// [`SimulatedError`].
pub async fn serve(options: SimulatedOptions) -> Result<(), SimulatedError> {
    let time_file = options.serve.folder.join("virtual-time");
    let clock = match options.virtual_time {
        true => Clock::virtual_from(virtual_now(&time_file)),
        false => Clock::default(),
    };
    let bench = Bench { world: World::open(&options.world, &options.instrument)?, clock };
    match &options.kind {
        Kind::Balance => serve_model(Balance { set_up_ms: bench.now_ms() }, bench, time_file, options).await,
        Kind::FlowReactor => serve_model(FlowReactor, bench, time_file, options).await,
        Kind::Furnace => serve_model(Furnace, bench, time_file, options).await,
        Kind::Hplc => serve_model(Hplc, bench, time_file, options).await,
        Kind::LiquidHandler => serve_model(LiquidHandler, bench, time_file, options).await,
        Kind::RobotArm => serve_model(RobotArm, bench, time_file, options).await,
        Kind::Spectrometer => serve_model(Spectrometer, bench, time_file, options).await,
        Kind::Replica(description) => {
            let replica = Replica::read(description)?;
            serve_model(replica, bench, time_file, options).await
        }
    }
}

async fn serve_model<M: Model>(
    model: M,
    bench: Bench,
    time_file: PathBuf,
    options: SimulatedOptions,
) -> Result<(), SimulatedError> {
    let speed = match (options.virtual_time, options.speed) {
        (true, Some(_)) => return Err(SimulatedError::SpeedOfVirtualTime),
        (true, None) => SPEED_VIRTUAL,
        (false, given) => given.unwrap_or(SPEED_DEFAULT),
    };
    if !(speed.is_finite() && speed > 0.0) {
        return Err(SimulatedError::Speed(speed));
    }
    let defect = match options.fault.as_deref() {
        None => None,
        Some(name) => Some(Defect::named(name).ok_or_else(|| SimulatedError::Fault(name.to_owned()))?),
    };
    let manifest = described(&model, &options)?;
    let manifest = defect.map_or(Ok(manifest.clone()), |defect| defect.admitted(manifest))?;
    let serve = Options { clock: bench.clock.clone(), ..options.serve };
    let driver = Arc::new(Simulated { model, manifest, bench, conditions: Conditions::default(), speed, defect });
    let behind = Arc::clone(&driver) as Arc<dyn Behind>;
    let instrument = options.instrument;
    let served = serve_with(driver, serve, |routes, handle| {
        routes.add_service(SimulationServiceServer::new(Simulation { instrument, behind, handle, time_file }))
    });
    Ok(served.await?)
}

fn described<M: Model>(model: &M, options: &SimulatedOptions) -> Result<Manifest, ManifestError> {
    let manifest = model.manifest(&options.instrument)?;
    if !options.virtual_time {
        return Ok(manifest);
    }
    let mut instrument = manifest.instrument().clone();
    instrument.time_mode = TimeMode::Virtual.into();
    Manifest::new(instrument)
}

//! The service that simulated instruments have beside the contract's: time, faults, truth.

use super::conditions::Conditions;
use super::instrument::Behind;
use crate::machine::Reason;
use crate::sdk::{Handle, HandleError};
use crate::wire;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};
use wire::simulation_service_server::SimulationService;

/// 2026-01-01: where virtual time begins on a new bench.
const VIRTUAL_BEGIN: Duration = Duration::from_secs(1_767_225_600);

pub(super) struct Simulation {
    pub(super) instrument: String,
    pub(super) behind: Arc<dyn Behind>,
    pub(super) handle: Handle,
    /// Where virtual time is kept over restarts.
    pub(super) time_file: PathBuf,
}

/// Where virtual time goes on after a restart.
pub(super) fn virtual_now(time_file: &Path) -> Duration {
    let kept = std::fs::read_to_string(time_file).ok().and_then(|text| text.trim().parse().ok());
    kept.map_or(VIRTUAL_BEGIN, Duration::from_millis)
}

impl Simulation {
    fn own(&self, instrument: &str) -> Result<&Conditions, Status> {
        match instrument == self.instrument {
            true => Ok(self.behind.conditions()),
            false => {
                let reason = Reason::UnknownInstrument.name();
                Err(Status::not_found(format!(
                    "{reason}: this driver serves {:?}, not {instrument:?}",
                    self.instrument
                )))
            }
        }
    }
}

fn failed(error: HandleError) -> Status {
    match error {
        HandleError::Gone => Status::unavailable(error.to_string()),
        HandleError::NotVirtual => Status::failed_precondition(format!("NOT_VIRTUAL: {error}")),
    }
}

#[tonic::async_trait]
impl SimulationService for Simulation {
    async fn advance_time(
        &self,
        request: Request<wire::AdvanceTimeRequest>,
    ) -> Result<Response<wire::AdvanceTimeResponse>, Status> {
        let request = request.into_inner();
        self.own(&request.instrument)?;
        let missing = || Status::invalid_argument("INVALID_REQUEST: say until when, as a time since 1970");
        let to = request.to.ok_or_else(missing)?;
        let seconds = u64::try_from(to.seconds).map_err(|_| missing())?;
        let to = Duration::new(seconds, u32::try_from(to.nanos).map_err(|_| missing())?);
        self.handle.advance(to).await.map_err(failed)?;
        let kept = std::fs::write(&self.time_file, self.handle.clock().since_1970().as_millis().to_string());
        kept.map_err(|error| Status::internal(format!("virtual time can't be kept: {error}")))?;
        Ok(Response::new(wire::AdvanceTimeResponse { now: Some(self.handle.clock().timestamp()) }))
    }

    async fn inject_fault(
        &self,
        request: Request<wire::InjectFaultRequest>,
    ) -> Result<Response<wire::InjectFaultResponse>, Status> {
        let request = request.into_inner();
        self.own(&request.instrument)?.inject(request);
        Ok(Response::new(wire::InjectFaultResponse {}))
    }

    async fn set_conditions(
        &self,
        request: Request<wire::SetConditionsRequest>,
    ) -> Result<Response<wire::SetConditionsResponse>, Status> {
        let request = request.into_inner();
        self.own(&request.instrument)?.set(request);
        self.handle.refresh().await.map_err(failed)?;
        Ok(Response::new(wire::SetConditionsResponse {}))
    }

    async fn get_truth(
        &self,
        request: Request<wire::GetTruthRequest>,
    ) -> Result<Response<wire::GetTruthResponse>, Status> {
        let request = request.into_inner();
        self.own(&request.instrument)?;
        let measurements = self.behind.truth(&request.operation_id).ok_or_else(|| {
            let reason = Reason::OperationNotFound.name();
            Status::not_found(format!("{reason}: nothing is known of operation '{}'", request.operation_id))
        })?;
        Ok(Response::new(wire::GetTruthResponse { measurements }))
    }
}

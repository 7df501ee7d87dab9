//! Time that passes, and faults that are ordered: by the simulation's service, where the instrument has one.

use super::bench::{Bench, accepted};
use super::{Stop, left_out};
use crate::wire;
use crate::wire::instrument::TimeMode;
use crate::wire::simulation_service_client::SimulationServiceClient;
use std::time::Duration;
use tonic::Code;
use tonic::transport::Channel;

/// A day: how long the operation of check 46 may take.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

impl Bench {
    pub(super) fn is_virtual(&self) -> bool {
        self.instrument.time_mode() == TimeMode::Virtual
    }

    fn simulation(&self) -> SimulationServiceClient<Channel> {
        SimulationServiceClient::new(self.channel.clone())
    }

    /// Lets time pass for the driver, by its own clock.
    pub(super) async fn pass(&mut self, time: Duration) -> Result<(), Stop> {
        if !self.is_virtual() {
            tokio::time::sleep(time).await;
            return Ok(());
        }
        let mut to = self.status().await?.update_time.unwrap_or_default();
        to.seconds += i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        to.nanos += i32::try_from(time.subsec_nanos()).unwrap_or_default();
        to.normalize();
        let request = wire::AdvanceTimeRequest { instrument: self.instrument.id.clone(), to: Some(to) };
        let answer = SimulationServiceClient::new(self.patient_channel()).advance_time(request).await;
        accepted(answer, "AdvanceTime of an instrument with virtual time")?;
        Ok(())
    }

    /// Orders a fault for the next operation; left out where nobody can order one.
    pub(super) async fn inject(&mut self, fault: wire::Fault, at: f64, hang: bool) -> Result<(), Stop> {
        let request = wire::InjectFaultRequest {
            instrument: self.instrument.id.clone(),
            fault: Some(fault),
            trigger_progress: at,
            hang,
            crash_process: false,
        };
        served(self.simulation().inject_fault(request).await, "InjectFault")
    }

    /// What the instrument is to report of itself; left out where nobody can say.
    pub(super) async fn conditions(
        &mut self,
        calibrations: Vec<wire::Calibration>,
        interlocks: Vec<wire::Interlock>,
    ) -> Result<(), Stop> {
        let instrument = self.instrument.id.clone();
        let request = wire::SetConditionsRequest { instrument, calibrations, interlocks, ..Default::default() };
        served(self.simulation().set_conditions(request).await, "SetConditions")
    }
}

fn served<T>(answer: Result<tonic::Response<T>, tonic::Status>, call: &str) -> Result<(), Stop> {
    match answer {
        Err(status) if status.code() == Code::Unimplemented => {
            Err(left_out(format!("needs SimulationService.{call}: on real hardware nobody can order that")))
        }
        other => accepted(other, call).map(|_| ()),
    }
}

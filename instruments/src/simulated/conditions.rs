//! What a test orders to go wrong: a fault of the next operation, and what the instrument reports of itself.

use super::instrument::Broken;
use crate::machine::StatusReport;
use crate::sdk::Call;
use crate::wire::{Fault, InjectFaultRequest, SetConditionsRequest};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The exit code of a process that was told to end without a word.
const CRASH_CODE: i32 = 101;

#[derive(Debug, Default)]
pub(super) struct Conditions(Mutex<Ordered>);

#[derive(Debug, Default)]
struct Ordered {
    fault: Option<OrderedFault>,
    report: Option<SetConditionsRequest>,
}

/// A fault that comes when so much of the operation is done.
#[derive(Debug)]
pub(super) struct OrderedFault {
    pub(super) at: f64,
    pub(super) fault: Fault,
    pub(super) crash: bool,
    pub(super) hang: bool,
}

impl OrderedFault {
    /// A crash doesn't return, a hang only when the operation is stopped.
    pub(super) async fn strike(self, call: &mut Call) -> Result<(), Broken> {
        if self.crash {
            std::process::exit(CRASH_CODE);
        }
        if self.hang {
            call.sleep(std::time::Duration::MAX).await?;
        }
        Err(Broken::Fault(Box::new(self.fault)))
    }
}

impl Conditions {
    fn ordered(&self) -> MutexGuard<'_, Ordered> {
        // Plain data is sound whatever panicked while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn inject(&self, request: InjectFaultRequest) {
        let fault = request.fault.unwrap_or_default();
        let InjectFaultRequest { trigger_progress: at, crash_process: crash, hang, .. } = request;
        self.ordered().fault = Some(OrderedFault { at, fault, crash, hang });
    }

    pub(super) fn set(&self, request: SetConditionsRequest) {
        self.ordered().report = Some(request);
    }

    /// The fault that is meant for the operation which begins now.
    pub(super) fn take_fault(&self) -> Option<OrderedFault> {
        self.ordered().fault.take()
    }

    /// The instrument's own report, as it was ordered to be.
    pub(super) fn change(&self, mut report: StatusReport) -> StatusReport {
        let ordered = self.ordered();
        let Some(set) = &ordered.report else { return report };
        report.readiness = set.readiness();
        report.message.clone_from(&set.message);
        report.needs_on_site_reset = set.needs_on_site_reset;
        report.calibrations.retain(|own| set.calibrations.iter().all(|other| other.id != own.id));
        report.calibrations.extend(set.calibrations.iter().cloned());
        report.interlocks.retain(|own| set.interlocks.iter().all(|other| other.id != own.id));
        report.interlocks.extend(set.interlocks.iter().cloned());
        report
    }
}

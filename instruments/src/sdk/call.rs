//! One operation, as the vendor's code sees it.

use super::keeper::Input;
use crate::machine::{Arguments, Report, StopReason};
use crate::wire::fault::{Category, Retry};
use crate::wire::{Context, Fault, Measurement, Operation, SampleEffect};
use std::sync::mpsc;
use tokio::sync::{oneshot, watch};

/// An operation to do.
pub struct Call {
    operation: Operation,
    arguments: Arguments,
    context: Context,
    inbox: mpsc::Sender<Input>,
    stop: watch::Receiver<Option<StopReason>>,
}

impl Call {
    pub(super) fn new(
        operation: Operation,
        context: Context,
        inbox: mpsc::Sender<Input>,
        stop: watch::Receiver<Option<StopReason>>,
    ) -> Self {
        Self { arguments: Arguments::of(&operation.arguments), operation, context, inbox, stop }
    }

    /// The operation as journaled.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// For whom it is done. Never part of a decision; simulated hardware seeds its noise with it.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The arguments, defaults filled in.
    #[must_use]
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// The number of a quantity, in its declared unit.
    ///
    /// # Errors
    /// A fault that blames this driver: the manifest declares no such quantity.
    pub fn quantity(&self, parameter: &str) -> Result<f64, Fault> {
        self.arguments.quantity(parameter).ok_or_else(|| undeclared(parameter))
    }

    /// A text, a choice or a sample's id.
    ///
    /// # Errors
    /// A fault that blames this driver: the manifest declares no such parameter.
    pub fn text(&self, parameter: &str) -> Result<&str, Fault> {
        self.arguments.text(parameter).ok_or_else(|| undeclared(parameter))
    }

    /// Tells how far it is, 0 to 1, and a word for people.
    pub fn progress(&self, fraction: f64, stage: &str) {
        let report = Report::Progress { operation_id: self.operation.id.clone(), fraction, stage: stage.to_owned() };
        // A keeper that has ended hears nothing, and then nothing matters any more.
        let _ = self.inbox.send(Input::Report(report));
    }

    /// Tells a value that was measured on the way.
    pub fn intermediate(&self, measurement: Measurement) {
        let (operation_id, measurement) = (self.operation.id.clone(), Box::new(measurement));
        let _ = self.inbox.send(Input::Report(Report::Intermediate { operation_id, measurement }));
    }

    /// Journals that from here on the sample is affected so, and returns once that is durable.
    ///
    /// # Errors
    /// A fault if the journal has failed: the hardware must not be moved then.
    pub async fn point_of_no_return(&self, effect: SampleEffect) -> Result<(), Fault> {
        let (proceed, may_proceed) = oneshot::channel();
        let report = Report::PointOfNoReturn { operation_id: self.operation.id.clone(), effect };
        let sent = self.inbox.send(Input::Announce(report, proceed));
        match (sent, may_proceed.await) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(_), _) | (_, Err(_)) => Err(Fault {
                reason: "JOURNAL_FAILED".to_owned(),
                message: "the driver's journal has failed; nothing was moved".to_owned(),
                category: Category::DriverBug.into(),
                retry: Retry::NewId.into(),
                sample_effect: SampleEffect::None.into(),
                ..Fault::default()
            }),
        }
    }

    /// Why it is to stop, if it is.
    #[must_use]
    pub fn stopped(&self) -> Option<StopReason> {
        *self.stop.borrow()
    }

    /// What `run` returns as its error once it has stopped as it was told; `effect` is what became of the sample.
    #[must_use]
    pub fn cut_short(&self, effect: SampleEffect) -> Fault {
        Fault {
            reason: "CANCELLED".to_owned(),
            message: "stopped before it was done".to_owned(),
            category: Category::Safety.into(),
            retry: Retry::NewId.into(),
            sample_effect: effect.into(),
            ..Fault::default()
        }
    }

    /// Returns when it is to stop; [`Call::cut_short`] is what to return then.
    pub async fn cancelled(&mut self) -> StopReason {
        match self.stop.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(StopReason::Shutdown),
            // The keeper has ended: the driver goes down.
            Err(_) => StopReason::Shutdown,
        }
    }
}

fn undeclared(parameter: &str) -> Fault {
    Fault {
        reason: "DRIVER_BUG".to_owned(),
        message: format!("the driver reads {parameter:?}, which its manifest doesn't declare so"),
        category: Category::DriverBug.into(),
        retry: Retry::Never.into(),
        sample_effect: SampleEffect::None.into(),
        ..Fault::default()
    }
}

//! One operation, as the vendor's code sees it.

use super::artifacts::Artifacts;
use super::clock::Clock;
use super::keeper::{Input, Orders};
use crate::machine::{Arguments, Report, StopReason};
use crate::wire::fault::{Category, Retry};
use crate::wire::{Artifact, Context, Fault, Measurement, Operation, SampleEffect};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// An operation to do.
pub struct Call {
    operation: Operation,
    arguments: Arguments,
    context: Context,
    served: Served,
    orders: watch::Receiver<Orders>,
}

/// What a call needs of the driver around it.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) clock: Clock,
    pub(super) artifacts: Artifacts,
}

impl Call {
    pub(super) fn new(operation: Operation, context: Context, served: Served, orders: watch::Receiver<Orders>) -> Self {
        Self { arguments: Arguments::of(&operation.arguments), operation, context, served, orders }
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
        self.tell(Report::Progress { operation_id: self.operation.id.clone(), fraction, stage: stage.to_owned() });
    }

    /// Tells a value that was measured on the way.
    pub fn intermediate(&self, measurement: Measurement) {
        let (operation_id, measurement) = (self.operation.id.clone(), Box::new(measurement));
        self.tell(Report::Intermediate { operation_id, measurement });
    }

    fn tell(&self, report: Report) {
        // A keeper that has ended hears nothing, and then nothing matters any more.
        let _ = self.served.inbox.send(Input::Report(report));
    }

    /// Journals that from here on the sample is affected so, and returns once that is durable.
    ///
    /// # Errors
    /// A fault if the journal has failed: the hardware must not be moved then.
    pub async fn point_of_no_return(&self, effect: SampleEffect) -> Result<(), Fault> {
        let (proceed, may_proceed) = oneshot::channel();
        let report = Report::PointOfNoReturn { operation_id: self.operation.id.clone(), effect };
        let sent = self.served.inbox.send(Input::Announce(report, proceed));
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
        self.orders.borrow().stop
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
        match self.orders.wait_for(|orders| orders.stop.is_some()).await {
            Ok(orders) => orders.stop.unwrap_or(StopReason::Shutdown),
            // The keeper has ended: the driver goes down.
            Err(_) => StopReason::Shutdown,
        }
    }

    /// The time that the instrument lives by; a simulated one's may be virtual.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.served.clock
    }

    /// Waits by the instrument's clock.
    ///
    /// # Errors
    /// The reason as soon as it is to stop; [`Call::cut_short`] is what to return then.
    pub async fn sleep(&mut self, time: Duration) -> Result<(), StopReason> {
        let until = self.clock().since_1970().saturating_add(time);
        loop {
            if let Some(reason) = self.stopped() {
                return Err(reason);
            }
            let left = until.saturating_sub(self.clock().since_1970());
            if left.is_zero() {
                return Ok(());
            }
            let (clock, id) = (self.served.clock.clone(), self.operation.id.clone());
            tokio::select! {
                _ = self.cancelled() => {}
                () = clock.sleep(left, &id) => {}
            }
        }
    }

    /// A place where it can be held: waits here while it is. A capability that is declared holdable passes one often.
    ///
    /// # Errors
    /// The reason as soon as it is to stop; [`Call::cut_short`] is what to return then.
    pub async fn safe_point(&mut self) -> Result<(), StopReason> {
        if !self.orders.borrow().hold {
            return self.stopped().map_or(Ok(()), Err);
        }
        self.tell(Report::Held(self.operation.id.clone()));
        let clock = self.served.clock.clone();
        loop {
            let orders = *self.orders.borrow_and_update();
            if let Some(reason) = orders.stop {
                return Err(reason);
            }
            if !orders.hold {
                self.tell(Report::Resumed(self.operation.id.clone()));
                return Ok(());
            }
            tokio::select! {
                changed = self.orders.changed() => changed.map_err(|_| StopReason::Shutdown)?,
                // Held for ever, as far as time is concerned.
                () = clock.sleep(Duration::MAX, &self.operation.id), if clock.is_virtual() => {}
            }
        }
    }

    /// Returns when it is asked to wait, or to go on, other than it does.
    pub(crate) fn hold_changed(&self, held: bool) -> impl Future<Output = ()> + use<> {
        let mut orders = self.orders.clone();
        async move {
            if orders.wait_for(|orders| orders.hold != held).await.is_err() {
                // The driver goes down: then there is nothing to hold.
                std::future::pending::<()>().await;
            }
        }
    }

    /// It waits at a safe point of its own, or goes on.
    pub(crate) fn tell_held(&self, held: bool) {
        let id = self.operation.id.clone();
        self.tell(if held { Report::Held(id) } else { Report::Resumed(id) });
    }

    /// Keeps a result too large for a message, under an id of its own within the operation; it is on the disk when this
    /// returns. [`crate::sdk::Outcome::artifact`] takes it.
    ///
    /// # Errors
    /// A fault with what the file system said; the operation went on until here, so the sample effect is UNKNOWN.
    pub async fn artifact(&self, id: &str, media_type: &str, content: Vec<u8>) -> Result<Artifact, Fault> {
        self.keep(id, media_type, move || Ok(Cursor::new(content))).await
    }

    /// The same of a file, which is copied.
    ///
    /// # Errors
    /// As [`Call::artifact`].
    pub async fn artifact_file(&self, id: &str, media_type: &str, path: &Path) -> Result<Artifact, Fault> {
        let path = path.to_owned();
        self.keep(id, media_type, move || File::open(path)).await
    }

    async fn keep<R: Read>(
        &self,
        id: &str,
        media_type: &str,
        open: impl FnOnce() -> std::io::Result<R> + Send + 'static,
    ) -> Result<Artifact, Fault> {
        let (artifacts, operation) = (self.served.artifacts.clone(), self.operation.id.clone());
        let (name, media_type) = (id.to_owned(), media_type.to_owned());
        let keep = move || artifacts.keep(&operation, &name, &media_type, open()?);
        let kept = tokio::task::spawn_blocking(keep).await.map_err(std::io::Error::other).flatten();
        kept.map_err(|error| Fault {
            reason: "ARTIFACT_NOT_KEPT".to_owned(),
            message: format!("artifact '{id}' can't be kept: {error}"),
            category: Category::Measurement.into(),
            retry: Retry::AfterPerson.into(),
            sample_effect: SampleEffect::Unknown.into(),
            needs_person: true,
            ..Fault::default()
        })
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

//! What a service beside the contract's may ask of a driver that is served.

use super::keeper::Input;
use super::{Clock, Driver};
use crate::machine::Report;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;

/// A driver that is served.
#[derive(Clone)]
pub struct Handle {
    pub(super) driver: Arc<dyn Driver>,
    pub(super) clock: Clock,
    pub(super) inbox: mpsc::Sender<Input>,
}

/// The driver goes down, or its time is not ours to move.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// It is going down.
    #[error("the driver is going down")]
    Gone,
    /// Its clock is the system's.
    #[error("this instrument's time can't be moved: it is not virtual")]
    NotVirtual,
}

impl Handle {
    /// The time it lives by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Asks the driver for its state now; returns once clients are told.
    ///
    /// # Errors
    /// [`HandleError::Gone`].
    pub async fn refresh(&self) -> Result<(), HandleError> {
        let status = self.driver.status().await;
        self.inbox.send(Input::Report(Report::Status(status))).map_err(|_| HandleError::Gone)?;
        self.due().await.map(|_| ())
    }

    /// Lets virtual time pass up to this time since 1970, everything that is due on the way in its order. A time that is
    /// past changes nothing.
    ///
    /// # Errors
    /// [`HandleError`].
    pub async fn advance(&self, to_since_1970: Duration) -> Result<(), HandleError> {
        let to = self.clock.since_begin(to_since_1970).ok_or(HandleError::NotVirtual)?;
        self.refresh().await?;
        loop {
            self.clock.at_rest().await;
            let machine = self.due().await?;
            if !self.clock.is_at_rest() {
                continue;
            }
            let now = self.clock.now().monotonic;
            match self.clock.next_due().into_iter().chain(machine).min() {
                Some(next) if next <= to => self.clock.move_to(next.max(now)),
                _ if now >= to => return Ok(()),
                _ => self.clock.move_to(to),
            }
        }
    }

    /// Lets the machine see the time; returns when it is due next, everything sent before having been done.
    async fn due(&self) -> Result<Option<Duration>, HandleError> {
        let (answer, due) = oneshot::channel();
        self.inbox.send(Input::Look(answer)).map_err(|_| HandleError::Gone)?;
        due.await.map_err(|_| HandleError::Gone)
    }
}

//! The engine's thread: whatever wants something of the step waits in its inbox.

use super::clock::now;
use super::performing::{Change, Performing};
use super::step::{Step, StepError};
use crate::journal::Entry;
use eutectic_core::{Command, Recorded, Reply, Request, Time, Workcell};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that may wait; whoever comes later waits outside.
const INBOX_LIMIT: usize = 1024;
/// Requests that are decided and appended together.
const BATCH_LIMIT: usize = 64;

/// Why the engine gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// It has ended; the first reason is in its log.
    #[error("the engine has stopped")]
    Stopped,
}

enum Input {
    Request(Box<Request>, oneshot::Sender<Reply>),
    Read(Box<dyn FnOnce(&Step) + Send>),
    Close,
}

/// The engine's thread.
pub struct Engine {
    handle: Handle,
    thread: JoinHandle<Result<(), StepError>>,
}

/// A way in. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    inbox: mpsc::Sender<Input>,
    seq: watch::Receiver<u64>,
    wakeup: watch::Receiver<Option<Time>>,
    owns: watch::Receiver<bool>,
}

impl Engine {
    /// Starts the thread. `changes` hears what is owed, after it is durable.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(step: Step, changes: mpsc::UnboundedSender<Change>) -> std::io::Result<Self> {
        let (inbox, receiver) = mpsc::channel(INBOX_LIMIT);
        let (seq_sender, seq) = watch::channel(step.seq());
        let (wakeup_sender, wakeup) = watch::channel(step.workcell().next_wakeup());
        let (owns_sender, owns) = watch::channel(step.owns());
        let performing = Performing::default();
        let turn = Turn { step, performing, changes, seq: seq_sender, wakeup: wakeup_sender, owns: owns_sender };
        let thread = std::thread::Builder::new().name("engine".into()).spawn(move || turn.run(receiver))?;
        Ok(Self { handle: Handle { inbox, seq, wakeup, owns }, thread })
    }

    /// A way in.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Finishes what is in the inbox, closes the journal and ends the thread.
    ///
    /// # Errors
    /// What ended it, if that was not this call.
    pub async fn close(self) -> Result<(), StepError> {
        // A full or closed inbox: it is ending by itself already.
        let _ = self.handle.inbox.send(Input::Close).await;
        let thread = self.thread;
        tokio::task::spawn_blocking(move || thread.join().unwrap_or(Ok(()))).await.unwrap_or(Ok(()))
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Handle {
    /// Submits a request and waits until its verdict is durable.
    ///
    /// # Errors
    /// [`EngineError::Stopped`].
    pub async fn submit(&self, request: Request) -> Result<Reply, EngineError> {
        let (sender, reply) = oneshot::channel();
        let input = Input::Request(Box::new(request), sender);
        self.inbox.send(input).await.map_err(|_| EngineError::Stopped)?;
        reply.await.map_err(|_| EngineError::Stopped)
    }

    /// Puts what an effect reports into the inbox, in the caller's order, and doesn't wait for its verdict: what is
    /// reported together becomes durable together.
    ///
    /// # Errors
    /// [`EngineError::Stopped`].
    pub async fn post(&self, command: Command) -> Result<oneshot::Receiver<Reply>, EngineError> {
        let (sender, reply) = oneshot::channel();
        let input = Input::Request(Box::new(Request { id: None, command }), sender);
        self.inbox.send(input).await.map_err(|_| EngineError::Stopped)?;
        Ok(reply)
    }

    /// Submits what an effect reports.
    ///
    /// # Errors
    /// [`EngineError::Stopped`].
    pub async fn report(&self, command: Command) -> Result<Reply, EngineError> {
        self.submit(Request { id: None, command }).await
    }

    /// Looks at the state, between two batches.
    ///
    /// # Errors
    /// [`EngineError::Stopped`].
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Workcell) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        self.look(|step| look(step.workcell())).await
    }

    /// Entries of the journal.
    ///
    /// # Errors
    /// [`EngineError::Stopped`]; inside, what reading says.
    pub async fn log(&self, from: u64, limit: usize) -> Result<Result<Vec<(Entry, Recorded)>, StepError>, EngineError> {
        self.look(move |step| step.log(from, limit)).await
    }

    async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Step) -> T + Send + 'static) -> Result<T, EngineError> {
        let (sender, seen) = oneshot::channel();
        let input = Input::Read(Box::new(move |step| {
            // Whoever asked may have gone.
            let _ = sender.send(look(step));
        }));
        self.inbox.send(input).await.map_err(|_| EngineError::Stopped)?;
        seen.await.map_err(|_| EngineError::Stopped)
    }

    /// Whether what is owed is done here: a process that has only been asked to look does nothing.
    #[must_use]
    pub fn owns(&self) -> bool {
        *self.owns.borrow()
    }

    /// The place of the last durable entry, and its changes.
    #[must_use]
    pub fn seq(&self) -> watch::Receiver<u64> {
        self.seq.clone()
    }

    /// Ticks whenever the state says that one is due. Ends with the engine.
    pub async fn tick(self) {
        let mut wakeup = self.wakeup.clone();
        loop {
            let due = *wakeup.borrow_and_update();
            let wait = due.map(|due| std::time::Duration::from_millis(due.since(now()).max(0).unsigned_abs()));
            let changed = match wait {
                None => wakeup.changed().await.is_err(),
                Some(wait) => match tokio::time::timeout(wait, wakeup.changed()).await {
                    Ok(changed) => changed.is_err(),
                    Err(_) => self.report(Command::Tick).await.is_err(),
                },
            };
            if changed {
                return;
            }
        }
    }
}

struct Turn {
    step: Step,
    performing: Performing,
    changes: mpsc::UnboundedSender<Change>,
    seq: watch::Sender<u64>,
    wakeup: watch::Sender<Option<Time>>,
    owns: watch::Sender<bool>,
}

impl Turn {
    fn run(mut self, mut inbox: mpsc::Receiver<Input>) -> Result<(), StepError> {
        let mut inputs = Vec::new();
        loop {
            inputs.clear();
            if inbox.blocking_recv_many(&mut inputs, BATCH_LIMIT) == 0 {
                return self.step.close();
            }
            let (mut requests, mut askers, mut reads, mut closing) = (Vec::new(), Vec::new(), Vec::new(), false);
            // What drivers report comes before what people ask, and that before new plans.
            inputs.sort_by_key(rank);
            for input in inputs.drain(..) {
                match input {
                    Input::Request(request, asker) => {
                        requests.push(*request);
                        askers.push(asker);
                    }
                    Input::Read(read) => reads.push(read),
                    Input::Close => closing = true,
                }
            }
            if !requests.is_empty() {
                self.take(requests, askers)?;
            }
            for read in reads {
                read(&self.step);
            }
            if closing {
                return self.step.close();
            }
        }
    }

    fn take(&mut self, requests: Vec<Request>, askers: Vec<oneshot::Sender<Reply>>) -> Result<(), StepError> {
        let batch = self.step.take(now(), requests).inspect_err(|error| {
            tracing::error!(%error, "the engine stops");
        })?;
        for (asker, reply) in askers.into_iter().zip(batch.replies) {
            // Whoever asked may have gone; the verdict stands all the same.
            let _ = asker.send(reply);
        }
        if self.step.owns() {
            for change in self.performing.changes(self.step.workcell().owed()) {
                // The performer ends with the process.
                let _ = self.changes.send(change);
            }
        }
        self.seq.send_replace(self.step.seq());
        self.wakeup.send_replace(self.step.next_wakeup(now()));
        self.owns.send_replace(self.step.owns());
        Ok(())
    }
}

fn rank(input: &Input) -> u8 {
    match input {
        Input::Request(request, _) => match &request.command {
            Command::ReportOperation { .. }
            | Command::TakeLease { .. }
            | Command::DescribeInstrument { .. }
            | Command::DoubtJournal { .. }
            | Command::ReportSilence { .. }
            | Command::ReportHeard { .. }
            | Command::SuspendDispatch { .. }
            | Command::ResumeDispatch { .. } => 0,
            Command::TakeEpoch { .. }
            | Command::SetLab { .. }
            | Command::ReleaseInstrument { .. }
            | Command::ResolveIntervention { .. }
            | Command::AcknowledgePages { .. }
            | Command::AdoptJournal { .. }
            | Command::AddCampaign { .. }
            | Command::PauseCampaign { .. }
            | Command::ResumeCampaign { .. }
            | Command::StopCampaign { .. }
            | Command::AbortCampaign { .. }
            | Command::EnqueueExperiments { .. }
            | Command::SuggestExperiments { .. }
            | Command::RecordObservations { .. } => 1,
            Command::AddProposals { .. } | Command::FailPlan { .. } | Command::Tick => 2,
        },
        Input::Read(_) => 3,
        Input::Close => 4,
    }
}

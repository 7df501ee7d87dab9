//! The one thread that owns the machine and its journal: inputs in, one sync a batch, and then what the sync releases.

use super::{Call as DriverCall, Driver};
use crate::journal::{Journal, JournalError};
use crate::machine::{
    Answer, Batch, Call, CallId, Effect, Hardware, Machine, Now, Probe, Reason, Refusal, Report, StopReason,
};
use crate::wire::instrument_event::Event;
use crate::wire::{Context, InstrumentEvent, Operation, SampleEffect};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{oneshot, watch};

/// Inputs that share one sync.
const BATCH_MAX: usize = 64;
/// How long the vendor's code may take to come back after it was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How often an instrument is asked what became of an operation that still runs.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);

/// What the keeper takes.
pub(super) enum Input {
    /// A call, and where its answer goes.
    Call(Box<Call>, oneshot::Sender<Result<Answer, Refusal>>),
    /// A watcher: the answer to its call goes before later events.
    Watch(crate::wire::WatchInstrumentRequest, tokio::sync::mpsc::Sender<InstrumentEvent>),
    /// From the hardware side.
    Report(Report),
    /// A report whose durability is waited for.
    Announce(Report, oneshot::Sender<()>),
    /// Whether something moves or has to be asked.
    IsBusy(oneshot::Sender<bool>),
    /// Go down in good order.
    ShutDown,
}

/// The clocks of this process.
#[derive(Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Now {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let utc = prost_types::Timestamp {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(since.subsec_nanos()).unwrap_or_default(),
        };
        Now { monotonic: self.0.elapsed(), utc }
    }
}

pub(super) struct Keeper<D: Driver> {
    pub(super) machine: Machine,
    pub(super) journal: Box<dyn Journal>,
    pub(super) driver: Arc<D>,
    pub(super) clock: Clock,
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) replies: BTreeMap<CallId, oneshot::Sender<Result<Answer, Refusal>>>,
    pub(super) proceeds: BTreeMap<String, oneshot::Sender<()>>,
    pub(super) watchers: Vec<tokio::sync::mpsc::Sender<InstrumentEvent>>,
    /// How to stop what runs.
    pub(super) stops: BTreeMap<String, watch::Sender<Option<StopReason>>>,
    pub(super) last_call: u64,
}

impl<D: Driver> Keeper<D> {
    /// Until it is shut down and nothing moves any more, or the journal fails.
    pub(super) fn keep(
        mut self,
        inputs: &mpsc::Receiver<Input>,
        opening: crate::machine::Step,
    ) -> Result<(), JournalError> {
        let mut batch = Batch::default();
        for order in batch.add(opening) {
            self.order(order);
        }
        self.commit(batch)?;
        let mut going_down = false;
        while !going_down || self.machine.is_busy() {
            let wait = self.machine.next_wakeup().saturating_sub(self.clock.now().monotonic);
            let first = match inputs.recv_timeout(wait) {
                Ok(input) => Some(input),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let mut batch = Batch::default();
            let due = self.machine.next_wakeup() <= self.clock.now().monotonic;
            if due {
                let step = self.machine.wake(self.clock.now());
                self.take_up(&mut batch, step);
            }
            for input in first.into_iter().chain(inputs.try_iter().take(BATCH_MAX)) {
                going_down |= matches!(input, Input::ShutDown);
                self.input(input, &mut batch);
            }
            self.commit(batch)?;
        }
        Ok(())
    }

    fn input(&mut self, input: Input, batch: &mut Batch) {
        let now = self.clock.now();
        let step = match input {
            Input::Call(call, reply) => {
                let id = self.number();
                self.replies.insert(id, reply);
                self.machine.handle(now, id, *call)
            }
            Input::Watch(request, watcher) => {
                let id = self.number();
                let step = self.machine.handle(now, id, Call::Watch(request));
                self.watch(id, &step, watcher);
                step
            }
            Input::Report(report) => {
                if let Report::Finished { operation_id, .. } = &report {
                    self.stops.remove(operation_id);
                }
                self.machine.report(now, report)
            }
            Input::Announce(report, proceed) => {
                if let Report::PointOfNoReturn { operation_id, .. } = &report {
                    self.proceeds.insert(operation_id.clone(), proceed);
                }
                self.machine.report(now, report)
            }
            Input::IsBusy(answer) => {
                let _ = answer.send(self.machine.is_busy());
                return;
            }
            Input::ShutDown => self.machine.shut_down(now),
        };
        self.take_up(batch, step);
    }

    fn number(&mut self) -> CallId {
        self.last_call += 1;
        CallId(self.last_call)
    }

    /// A watcher gets what it missed now and joins the others.
    fn watch(&mut self, id: CallId, step: &crate::machine::Step, watcher: tokio::sync::mpsc::Sender<InstrumentEvent>) {
        for effect in &step.after {
            if let Effect::Reply(call, Ok(Answer::Watching(missed))) = effect
                && *call == id
            {
                // One that can't even hold what it missed loses its stream and resumes further on.
                if missed.iter().all(|event| watcher.try_send(event.clone()).is_ok()) {
                    self.watchers.push(watcher);
                }
                return;
            }
        }
    }

    fn take_up(&mut self, batch: &mut Batch, step: crate::machine::Step) {
        for order in batch.add(step) {
            self.order(order);
        }
    }

    fn commit(&mut self, batch: Batch) -> Result<(), JournalError> {
        if !batch.records().is_empty() {
            self.journal.append(batch.records())?;
        }
        let (effects, withdrawn) = batch.release();
        for effect in effects {
            match effect {
                Effect::Reply(id, answer) => {
                    if let Some(reply) = self.replies.remove(&id) {
                        // Whoever asked may have gone.
                        let _ = reply.send(answer);
                    }
                }
                Effect::Event(event) => self.tell(&event),
                Effect::Hardware(order) => self.order(order),
                Effect::Proceed(operation) => {
                    if let Some(proceed) = self.proceeds.remove(&operation) {
                        let _ = proceed.send(());
                    }
                }
            }
        }
        for report in withdrawn {
            // The keeper itself holds a sender: this can't fail.
            let _ = self.inbox.send(Input::Report(report));
        }
        Ok(())
    }

    /// A reader that falls behind loses Progress first, then its stream.
    fn tell(&mut self, event: &InstrumentEvent) {
        let progress = matches!(event.event, Some(Event::Progress(_)));
        self.watchers.retain(|watcher| match watcher.try_send(event.clone()) {
            Ok(()) => true,
            Err(tokio::sync::mpsc::error::TrySendError::Full(_)) => progress,
            Err(tokio::sync::mpsc::error::TrySendError::Closed(_)) => false,
        });
    }

    fn order(&mut self, order: Hardware) {
        match order {
            Hardware::Start { operation, context } => self.start(*operation, context),
            Hardware::Stop { operation_id, reason } => {
                self.stop(&operation_id, reason);
                self.safe_state(reason);
            }
            Hardware::StopAll(reason) => {
                for operation in self.stops.keys().cloned().collect::<Vec<_>>() {
                    self.stop(&operation, reason);
                }
                self.safe_state(reason);
            }
            Hardware::Probe(operation) => self.probe(*operation),
        }
    }

    fn start(&mut self, operation: Operation, context: Context) {
        let (stop, stopped) = watch::channel(None);
        let id = operation.id.clone();
        self.stops.insert(id.clone(), stop);
        let call = DriverCall::new(operation, context, self.inbox.clone(), stopped.clone());
        let (driver, inbox) = (Arc::clone(&self.driver), self.inbox.clone());
        let work = self.runtime.spawn(async move { driver.run(call).await });
        self.runtime.spawn(async move {
            let abort = work.abort_handle();
            let result = tokio::select! {
                result = work => match result {
                    Ok(result) => result.map_err(Box::new),
                    Err(error) => Err(Box::new(broken(&format!("the driver's code broke down: {error}")))),
                },
                () = overstayed(stopped) => {
                    abort.abort();
                    Err(Box::new(broken("the driver's code did not come back after it was told to stop")))
                }
            };
            let _ = inbox.send(Input::Report(Report::Finished { operation_id: id, result }));
        });
    }

    fn stop(&mut self, operation: &str, reason: StopReason) {
        if let Some(stop) = self.stops.get(operation) {
            let _ = stop.send(Some(reason));
        }
    }

    fn safe_state(&self, reason: StopReason) {
        let driver = Arc::clone(&self.driver);
        self.runtime.spawn(async move { driver.safe_state(reason).await });
    }

    /// Asks until the instrument says more than that it still runs.
    fn probe(&self, operation: Operation) {
        let (driver, inbox) = (Arc::clone(&self.driver), self.inbox.clone());
        self.runtime.spawn(async move {
            loop {
                let probe = driver.probe(&operation).await;
                let again = probe == Probe::Running;
                let report = Report::Probed { operation_id: operation.id.clone(), probe };
                if inbox.send(Input::Report(report)).is_err() || !again {
                    return;
                }
                tokio::time::sleep(PROBE_INTERVAL).await;
            }
        });
    }
}

async fn overstayed(mut stopped: watch::Receiver<Option<StopReason>>) {
    let told = stopped.wait_for(Option::is_some).await.is_ok();
    match told {
        true => tokio::time::sleep(STOP_GRACE).await,
        false => std::future::pending().await,
    }
}

fn broken(words: &str) -> crate::wire::Fault {
    let mut fault = Reason::DriverBug.fault(words);
    fault.sample_effect = SampleEffect::Unknown.into();
    fault
}

/// A panic of the keeper would leave every call without an answer: it ends the driver instead, with words.
pub(super) fn guarded<T>(keep: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(keep)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
    })
}

//! The one thread that owns the machine and its journal: inputs in, one sync a batch, and then what the sync releases.

use super::call::Served;
use super::{Call as DriverCall, Driver};
use crate::journal::{Journal, JournalError};
use crate::machine::{
    Answer, Batch, Call, CallId, Effect, Hardware, Machine, Probe, Reason, Record, RecordKind, Refusal, Report,
    StopReason,
};
use crate::wire::instrument_event::Event;
use crate::wire::operation::State;
use crate::wire::{Context, InstrumentEvent, Operation, SampleEffect};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Inputs that share one sync.
const BATCH_MAX: usize = 64;
/// How long the vendor's code may take to come back after it was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How often an instrument is asked what became of an operation that still runs.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);

/// Virtual time passes by itself for nobody: the keeper looks again when it is told to, or after this.
const ANYBODY: Duration = Duration::from_secs(3600);

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
    /// Let the machine see the time; the answer is when something is due by it, everything before this having been done.
    Look(oneshot::Sender<Option<Duration>>),
    /// Whether something moves or has to be asked.
    IsBusy(oneshot::Sender<bool>),
    /// Go down in good order.
    ShutDown,
}

/// What an operation is told while it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Orders {
    pub(super) stop: Option<StopReason>,
    /// Wait at the next safe point.
    pub(super) hold: bool,
}

pub(super) struct Keeper<D: Driver> {
    pub(super) machine: Machine,
    pub(super) journal: Box<dyn Journal>,
    pub(super) driver: Arc<D>,
    pub(super) served: Served,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) replies: BTreeMap<CallId, oneshot::Sender<Result<Answer, Refusal>>>,
    pub(super) proceeds: BTreeMap<String, oneshot::Sender<()>>,
    pub(super) watchers: Vec<tokio::sync::mpsc::Sender<InstrumentEvent>>,
    /// How to tell what runs to stop or to wait.
    pub(super) orders: BTreeMap<String, watch::Sender<Orders>>,
    /// How many orders to come to rest the driver's code is carrying out: what is started meanwhile begins after them.
    pub(super) resting: watch::Sender<u32>,
    /// Who asked to be told when everything before was done.
    pub(super) looks: Vec<oneshot::Sender<Option<Duration>>>,
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
            let wait = match self.served.clock.is_virtual() {
                true => ANYBODY,
                false => self.machine.next_wakeup().saturating_sub(self.served.clock.now().monotonic),
            };
            let first = match inputs.recv_timeout(wait) {
                Ok(input) => Some(input),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let mut batch = Batch::default();
            let now = self.served.clock.now();
            if self.machine.next_wakeup() <= now.monotonic {
                let step = self.machine.wake(now);
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
        let now = self.served.clock.now();
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
                if let Report::Finished { operation_id, .. } = &report
                    && self.orders.remove(operation_id).is_some()
                {
                    self.served.clock.end();
                }
                self.machine.report(now, report)
            }
            Input::Announce(report, proceed) => {
                if let Report::PointOfNoReturn { operation_id, .. } = &report {
                    self.proceeds.insert(operation_id.clone(), proceed);
                }
                self.machine.report(now, report)
            }
            Input::Look(answer) => {
                let step = self.machine.wake(now);
                self.take_up(batch, step);
                self.looks.push(answer);
                return;
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
            reach(batch.records(), "unsynced");
            self.journal.append(batch.records())?;
            reach(batch.records(), "synced");
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
                Effect::Forget(operation) => self.served.artifacts.forget(&operation),
                Effect::Proceed(operation) => {
                    if let Some(proceed) = self.proceeds.remove(&operation) {
                        let _ = proceed.send(());
                    }
                }
            }
        }
        for report in withdrawn {
            // The keeper itself holds a sender: this can't fail.
            let _ = self.served.inbox.send(Input::Report(report));
        }
        for look in self.looks.drain(..) {
            let _ = look.send(self.machine.next_deadline());
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
                for operation in self.orders.keys().cloned().collect::<Vec<_>>() {
                    self.stop(&operation, reason);
                }
                self.safe_state(reason);
            }
            Hardware::Hold(operation) => self.tell_operation(&operation, |orders| orders.hold = true),
            Hardware::Resume(operation) => self.tell_operation(&operation, |orders| orders.hold = false),
            Hardware::Probe(operation) => self.probe(*operation),
        }
    }

    fn start(&mut self, operation: Operation, context: Context) {
        let (tell, orders) = watch::channel(Orders::default());
        let id = operation.id.clone();
        self.orders.insert(id.clone(), tell);
        self.served.clock.begin();
        let call = DriverCall::new(operation, context, self.served.clone(), orders.clone());
        let (driver, inbox, mut resting) =
            (Arc::clone(&self.driver), self.served.inbox.clone(), self.resting.subscribe());
        let work = self.runtime.spawn(async move {
            // The sender lives as long as the keeper, and without it nothing may begin anyway.
            let _ = resting.wait_for(|resting| *resting == 0).await;
            driver.run(call).await
        });
        self.runtime.spawn(async move {
            let abort = work.abort_handle();
            let result = tokio::select! {
                result = work => match result {
                    Ok(result) => result.map_err(Box::new),
                    Err(error) => Err(Box::new(broken(&format!("the driver's code broke down: {error}")))),
                },
                () = overstayed(orders) => {
                    abort.abort();
                    Err(Box::new(broken("the driver's code did not come back after it was told to stop")))
                }
            };
            let _ = inbox.send(Input::Report(Report::Finished { operation_id: id, result }));
        });
    }

    fn stop(&mut self, operation: &str, reason: StopReason) {
        self.tell_operation(operation, |orders| orders.stop = Some(reason));
    }

    fn tell_operation(&self, operation: &str, change: impl FnOnce(&mut Orders)) {
        if let Some(orders) = self.orders.get(operation) {
            orders.send_modify(change);
            self.served.clock.rouse(operation);
        }
    }

    fn safe_state(&self, reason: StopReason) {
        let (driver, resting) = (Arc::clone(&self.driver), self.resting.clone());
        resting.send_modify(|resting| *resting += 1);
        self.runtime.spawn(async move {
            // A task of its own: code that panics must not keep everything waiting.
            let rest = tokio::spawn(async move { driver.safe_state(reason).await });
            if !matches!(tokio::time::timeout(STOP_GRACE, rest).await, Ok(Ok(()))) {
                tracing::error!("the driver's code did not bring its hardware to the safe state in time");
            }
            resting.send_modify(|resting| *resting -= 1);
        });
    }

    /// Asks until the instrument says more than that it still runs.
    fn probe(&self, operation: Operation) {
        let (driver, inbox, clock) = (Arc::clone(&self.driver), self.served.inbox.clone(), self.served.clock.clone());
        clock.begin();
        self.runtime.spawn(async move {
            loop {
                let probe = driver.probe(&operation).await;
                let again = probe == Probe::Running;
                let report = Report::Probed { operation_id: operation.id.clone(), probe };
                if inbox.send(Input::Report(report)).is_err() || !again {
                    clock.end();
                    return;
                }
                clock.sleep(PROBE_INTERVAL, &operation.id).await;
            }
        });
    }
}

/// The failpoints of a sync: `driver.running.unsynced` is where an operation is about to be journaled as RUNNING.
fn reach(records: &[Record], moment: &str) {
    for record in records {
        let Some(RecordKind::Operation(record)) = &record.kind else { continue };
        let state = match record.operation.state() {
            State::Accepted => "accepted",
            State::Running => "running",
            State::Held | State::Aborting => "stopping",
            State::Succeeded | State::Failed | State::Aborted | State::Interrupted | State::Unspecified => "ended",
        };
        eutectic_failpoints::reach(format_args!("driver.{state}.{moment}"));
    }
}

async fn overstayed(mut orders: watch::Receiver<Orders>) {
    let told = orders.wait_for(|orders| orders.stop.is_some()).await.is_ok();
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

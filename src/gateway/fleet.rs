//! The drivers of a lab over gRPC: one task an instrument, so that a slow one holds up nobody else.

use super::GatewayReport;
use super::call::{Answer, CallError, CallId};
use super::client::{CALL_TIMEOUT, failed, perform};
use super::convert;
use super::member::{AddressSource, Member, Tls, View, channel};
use super::session::{Action, Session};
use super::watch::watch;
use eutectic_core::model::Value;
use eutectic_core::{Attend, InstrumentId, OperationId};
use eutectic_proto::instrument::v1 as wire;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tonic::transport::Channel;
use wire::instrument_service_client::InstrumentServiceClient;
use wire::simulation_service_client::SimulationServiceClient;

/// Reports that may wait for the engine before drivers are heard no further.
const REPORTS_WAITING: usize = 256;
/// How long a halt may take before its driver counts as unreachable.
const HALT_TIMEOUT: Duration = Duration::from_secs(5);
/// Without anything to do a session is looked at this often.
const IDLE: Duration = Duration::from_secs(60);

/// Who is reached and under which name.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workcell's name towards drivers.
    pub holder: String,
    /// The instruments.
    pub members: Vec<Member>,
    /// For those that are spoken to by TLS.
    pub tls: Option<Tls>,
}

/// Why an operation would not be accepted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

enum Order {
    Hold(u64, Option<(String, i64)>),
    Attend(Box<Attend>),
    Forget(OperationId),
}

/// The drivers of a lab. A handle: cheap to clone; the tasks end with the last one.
#[derive(Clone)]
pub struct Fleet {
    members: Arc<BTreeMap<InstrumentId, (AddressSource, mpsc::UnboundedSender<Order>)>>,
    view: Arc<Mutex<View>>,
    tls: Option<Tls>,
}

impl Fleet {
    /// Begins to describe every driver. Instruments are held only when asked for.
    #[must_use]
    pub fn start(options: Options) -> (Self, mpsc::Receiver<GatewayReport>) {
        let (reports, heard) = mpsc::channel(REPORTS_WAITING);
        let view = Arc::new(Mutex::new(View::default()));
        let mut members = BTreeMap::new();
        for Member { instrument, source, safe_when_alone } in options.members {
            let (orders, ordered) = mpsc::unbounded_channel();
            let actor = Actor {
                session: Session::new(instrument.clone(), options.holder.clone()).safe_when_alone(safe_when_alone),
                instrument: instrument.clone(),
                source: source.clone(),
                tls: options.tls.clone(),
                channel: None,
                watching: None,
                calls: JoinSet::new(),
                reports: reports.clone(),
                view: Arc::clone(&view),
                begun: Instant::now(),
            };
            tokio::spawn(actor.act(ordered));
            members.insert(instrument, (source, orders));
        }
        (Self { members: Arc::new(members), view, tls: options.tls }, heard)
    }

    fn order(&self, instrument: &InstrumentId, order: Order) {
        if let Some((_, orders)) = self.members.get(instrument) {
            // Its task lives as long as this sender.
            let _ = orders.send(order);
        }
    }

    /// The instrument is to be held for this epoch; `known` is the newest lease that the log remembers.
    pub fn hold(&self, instrument: &InstrumentId, epoch: u64, known: Option<(String, i64)>) {
        self.order(instrument, Order::Hold(epoch, known));
    }

    /// This operation is to be seen through, or is owed differently than before.
    pub fn attend(&self, attend: Attend) {
        let instrument = attend.dispatch.instrument.clone();
        self.order(&instrument, Order::Attend(Box::new(attend)));
    }

    /// This operation is owed no more.
    pub fn forget(&self, instrument: &InstrumentId, operation: &OperationId) {
        self.order(instrument, Order::Forget(operation.clone()));
    }

    /// How everything looks now.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reach(&self, instrument: &InstrumentId) -> Result<Channel, String> {
        let (source, _) = self.members.get(instrument).ok_or_else(|| format!("no instrument '{instrument}'"))?;
        channel(&source.read()?.0, self.tls.as_ref())
    }

    /// Asks the driver whether it would accept this, without a lease and without acting.
    ///
    /// # Errors
    /// The driver's reason, or why it could not be asked.
    pub async fn validate(
        &self,
        instrument: &InstrumentId,
        capability: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<(), Refusal> {
        let manifest = self.view().instruments.remove(instrument).and_then(|it| it.manifest);
        let version = manifest.as_ref().and_then(|it| it.capabilities.iter().find(|it| it.id == capability));
        let version = version.map(|it| it.version.clone());
        let mut arguments = convert::arguments(arguments);
        if let Some(manifest) = &manifest {
            convert::fit(&mut arguments, manifest, capability);
        }
        let execute = wire::ExecuteRequest {
            instrument: instrument.to_string(),
            capability: capability.to_owned(),
            capability_version: version.unwrap_or_default(),
            arguments,
            ..wire::ExecuteRequest::default()
        };
        let mut client = InstrumentServiceClient::new(self.reach(instrument).map_err(Refusal)?);
        let request = wire::ValidateOperationRequest { execute: Some(execute) };
        let answer = in_time(CALL_TIMEOUT, client.validate_operation(request)).await.map_err(Refusal)?;
        match answer.fault {
            None => Ok(()),
            Some(fault) => Err(Refusal(format!("{}: {}", fault.reason, fault.message))),
        }
    }

    /// Halts the instrument: straight to its driver, without lease. Returns the driver's words.
    ///
    /// # Errors
    /// In words, where the driver can't be reached or refuses.
    pub async fn halt(&self, instrument: &InstrumentId, reason: &str) -> Result<String, String> {
        let mut client = InstrumentServiceClient::new(self.reach(instrument)?);
        let request = wire::HaltRequest { instrument: instrument.to_string(), reason: reason.to_owned() };
        let status = in_time(HALT_TIMEOUT, client.halt(request)).await?.status.unwrap_or_default();
        Ok(status.message)
    }

    /// Lets an instrument go on after a halt, in the name of the person who has looked at it. Returns whether it was halted.
    ///
    /// # Errors
    /// In words, where the driver can't be reached or refuses.
    pub async fn clear_halt(&self, instrument: &InstrumentId, person: &str) -> Result<bool, String> {
        let status = self.status(instrument).await?;
        if status.halt_id.is_empty() {
            return Ok(false);
        }
        let mut client = InstrumentServiceClient::new(self.reach(instrument)?);
        let request = wire::ClearHaltRequest {
            instrument: instrument.to_string(),
            halt_id: status.halt_id,
            person: person.to_owned(),
            statement: "released by the person's command".to_owned(),
        };
        in_time(CALL_TIMEOUT, client.clear_halt(request)).await.map(|_| true)
    }

    /// How the instrument is, in its driver's words.
    ///
    /// # Errors
    /// In words, where the driver can't be reached or refuses.
    pub async fn status(&self, instrument: &InstrumentId) -> Result<wire::InstrumentStatus, String> {
        let mut client = InstrumentServiceClient::new(self.reach(instrument)?);
        let request = wire::GetStatusRequest { instrument: instrument.to_string() };
        Ok(in_time(CALL_TIMEOUT, client.get_status(request)).await?.status.unwrap_or_default())
    }

    /// What a simulated instrument would have measured without noise; `None` where nobody knows.
    pub async fn truth(&self, instrument: &InstrumentId, operation: &OperationId) -> Option<BTreeMap<String, Value>> {
        let mut client = SimulationServiceClient::new(self.reach(instrument).ok()?);
        let request = wire::GetTruthRequest { instrument: instrument.to_string(), operation_id: operation.to_string() };
        let truth = in_time(CALL_TIMEOUT, client.get_truth(request)).await.ok()?;
        convert::outputs(&truth.measurements).ok()
    }
}

async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, String> {
    match tokio::time::timeout(limit, call).await {
        Err(_) => Err(format!("the driver did not answer within {} s", limit.as_secs())),
        Ok(Err(status)) => Err(failed(status).to_string()),
        Ok(Ok(answer)) => Ok(answer.into_inner()),
    }
}

/// One instrument's task: its session, and the calls under way.
struct Actor {
    session: Session,
    instrument: InstrumentId,
    source: AddressSource,
    tls: Option<Tls>,
    channel: Option<Channel>,
    /// Hears events of the present channel.
    watching: Option<tokio::task::AbortHandle>,
    calls: JoinSet<(CallId, Result<Answer, CallError>)>,
    reports: mpsc::Sender<GatewayReport>,
    view: Arc<Mutex<View>>,
    begun: Instant,
}

impl Actor {
    async fn act(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        loop {
            let actions = self.session.poll(self.now_ms());
            if self.carry_out(actions).await.is_err() {
                break;
            }
            self.show();
            let now_ms = self.now_ms();
            let wakeup = self.session.wakeup_ms(now_ms);
            let wakeup = wakeup.map_or(Instant::now() + IDLE, |at| self.begun + Duration::from_millis(at));
            tokio::select! {
                order = orders.recv() => match order {
                    None => break,
                    Some(Order::Hold(epoch, known)) => self.session.hold(epoch, known),
                    Some(Order::Attend(attend)) => self.session.attend(*attend),
                    Some(Order::Forget(operation)) => {
                        self.session.forget(&operation);
                        self.look(|view| { view.progress.remove(&operation); });
                    }
                },
                Some(called) = self.calls.join_next() => {
                    // A call that panicked has no number: its session waits for ever, which is safe, and says so.
                    let Ok((id, outcome)) = called else { continue };
                    if self.came_back(id, outcome).await.is_err() {
                        break;
                    }
                }
                () = sleep_until(wakeup) => {}
            }
        }
        self.unwatch();
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn came_back(&mut self, id: CallId, outcome: Result<Answer, CallError>) -> Result<(), Closed> {
        match &outcome {
            Ok(answer) => self.answered(answer),
            Err(CallError::Refused(_) | CallError::Overtaken(_) | CallError::Unusable(_)) => {
                self.look_at_own(|it| it.connected = true);
            }
            Err(CallError::Unknown(message)) => {
                tracing::debug!(instrument = %self.instrument, message, "a driver did not answer");
                // The next call looks its address up again: a driver that was started anew has another one.
                self.channel = None;
                self.unwatch();
                self.look_at_own(|it| it.connected = false);
            }
        }
        let actions = self.session.answered(id, outcome, self.now_ms());
        self.carry_out(actions).await
    }

    fn answered(&mut self, answer: &Answer) {
        match answer {
            Answer::Instrument(manifest) => self.look_at_own(|it| it.manifest = Some(manifest.clone())),
            Answer::Operation(operation) => {
                let (id, progress) = (OperationId::new(operation.id.as_str()), operation.progress);
                // A driver may name what it likes; only what is attended is shown.
                if self.session.attends(&id) {
                    self.look(|view| view.progress.entry(id).or_default().0 = progress);
                }
            }
            Answer::Lease(_) | Answer::Operations(_) => {}
        }
        self.look_at_own(|it| it.connected = true);
        if self.watching.is_none()
            && let Some(channel) = &self.channel
        {
            let task = tokio::spawn(watch(channel.clone(), self.instrument.clone(), Arc::clone(&self.view)));
            self.watching = Some(task.abort_handle());
        }
    }

    fn unwatch(&mut self) {
        if let Some(watching) = self.watching.take() {
            watching.abort();
        }
    }

    async fn carry_out(&mut self, actions: Vec<Action>) -> Result<(), Closed> {
        for action in actions {
            match action {
                Action::Report(report) => self.reports.send(*report).await.map_err(|_| Closed)?,
                Action::Call(id, call) => match self.connect() {
                    Ok(channel) => {
                        self.calls.spawn(async move { (id, perform(channel, *call).await) });
                    }
                    Err(message) => {
                        self.calls.spawn(async move { (id, Err(CallError::Unknown(message))) });
                    }
                },
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<Channel, String> {
        if let Some(channel) = &self.channel {
            return Ok(channel.clone());
        }
        let (address, pid) = self.source.read()?;
        let new = channel(&address, self.tls.as_ref())?;
        self.channel = Some(new.clone());
        self.look_at_own(|it| (it.address, it.pid) = (address, pid));
        Ok(new)
    }

    fn show(&self) {
        let (leased, problem) = (self.session.is_held(), self.session.problem().unwrap_or_default().to_owned());
        self.look_at_own(|it| (it.leased, it.problem) = (leased, problem));
    }

    fn look_at_own(&self, change: impl FnOnce(&mut super::InstrumentView)) {
        self.look(|view| change(view.instruments.entry(self.instrument.clone()).or_default()));
    }

    fn look(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Nobody listens to reports any more.
struct Closed;

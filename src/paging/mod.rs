//! Calls people: by webhook, by a command, again until somebody acknowledges; and a heartbeat whose silence calls them when
//! we are dead.
//!
//! What people are called for follows from the state (`projections::pages`), so a crash loses no call: at worst the same one
//! is made twice. `schedule` decides, without IO, what is due; `deliver` carries it out.

mod deliver;
mod schedule;

use crate::engine::{Handle, now};
use crate::files::PagingSpec;
use crate::projections::{Page, pages};
use deliver::{beat, deliver};
use schedule::Schedule;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long an ending process may take to tell its last news.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Without anything due the clock is looked at this often: quiet hours end.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// What became of pages, by their names, in words.
pub type Deliveries = BTreeMap<String, String>;

/// Whoever calls people for this process.
pub struct Pager {
    deliveries: Arc<Mutex<Deliveries>>,
    settle: oneshot::Sender<oneshot::Sender<()>>,
}

impl Pager {
    /// Begins to call people.
    #[must_use]
    pub fn start(spec: PagingSpec, engine: Handle) -> Self {
        let deliveries = Arc::new(Mutex::new(Deliveries::new()));
        let (settle, settled) = oneshot::channel();
        if let Some((address, every_ms)) = spec.heartbeat.clone() {
            let every = Duration::from_millis(every_ms.unsigned_abs());
            tokio::spawn(heartbeat(address, every, engine.clone()));
        }
        let caller = Caller {
            schedule: Schedule::new(spec.repeat_ms, spec.quiet, now()),
            spec: Arc::new(spec),
            engine,
            deliveries: Arc::clone(&deliveries),
        };
        tokio::spawn(caller.call(settled));
        Self { deliveries, settle }
    }

    /// What became of pages so far.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells what is still to be told, and ends.
    pub async fn settle(self) {
        let (done, told) = oneshot::channel();
        // Its task ends before only with the engine.
        if self.settle.send(done).is_ok() {
            let _ = timeout(SETTLE_TIMEOUT, told).await;
        }
    }
}

struct Caller {
    schedule: Schedule,
    spec: Arc<PagingSpec>,
    engine: Handle,
    deliveries: Arc<Mutex<Deliveries>>,
}

impl Caller {
    async fn call(mut self, mut settle: oneshot::Receiver<oneshot::Sender<()>>) {
        let mut seq = self.engine.seq();
        loop {
            seq.borrow_and_update();
            let Some(next) = self.turn().await else { return };
            tokio::select! {
                changed = seq.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(next) => {}
                done = &mut settle => {
                    self.turn().await;
                    // Whoever waits may have given up.
                    let _ = done.map(|done| done.send(()));
                    return;
                }
            }
        }
    }

    /// Sends what is due; says when to look again. `None` when the engine has ended.
    async fn turn(&mut self) -> Option<Duration> {
        let known = self.engine.read(pages).await.ok()?;
        self.schedule.know(&known);
        for page in self.schedule.due(now(), minute_of_day()) {
            let (spec, told) = (Arc::clone(&self.spec), page.clone());
            let sent = tokio::task::spawn_blocking(move || deliver(&spec, &told)).await;
            let sent = sent.unwrap_or_else(|error| Err(error.to_string()));
            self.sent(&page, sent);
        }
        let wait =
            self.schedule.next(minute_of_day()).map(|at| Duration::from_millis(at.since(now()).max(0).unsigned_abs()));
        Some(wait.unwrap_or(LOOK_INTERVAL).min(LOOK_INTERVAL))
    }

    fn sent(&mut self, page: &Page, sent: Result<String, String>) {
        self.schedule.sent(&page.id, now(), sent.is_ok());
        let words = match sent {
            Ok(how) => format!("sent by {how}"),
            Err(why) => {
                tracing::warn!(page = page.id, why, "nobody could be called");
                format!("NOT SENT: {why}")
            }
        };
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).insert(page.id.clone(), words);
    }
}

/// As long as the engine answers.
async fn heartbeat(address: String, every: Duration, engine: Handle) {
    while engine.read(|_| ()).await.is_ok() {
        let address = address.clone();
        match tokio::task::spawn_blocking(move || beat(&address)).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => tracing::warn!(why, "the heartbeat was not heard"),
            Err(error) => tracing::warn!(%error, "the heartbeat broke down"),
        }
        tokio::time::sleep(every).await;
    }
}

/// By the machine's own time zone: quiet hours are the people's.
fn minute_of_day() -> u32 {
    let time = jiff::ZonedDateTime::now().time();
    u32::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or_default()
}

//! The time that an instrument lives by: the system's, or one that moves only when it is told to.
//!
//! Virtual time moves in steps, from one thing that is due to the next, and each step waits until everybody who works has
//! gone to sleep again. So a day passes in a moment, and passes the same way each time.

use crate::machine::Now;
use prost_types::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{oneshot, watch};

/// See the module.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Real(Instant),
    Virtual(Arc<Virtual>),
}

#[derive(Debug)]
struct Virtual {
    /// Since 1970, when it began.
    epoch: Duration,
    state: Mutex<State>,
    /// How many work, that is don't sleep by this clock.
    working: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// Since it began.
    now: Duration,
    sleepers: BTreeMap<(Duration, u64), Sleeper>,
    last: u64,
}

#[derive(Debug)]
struct Sleeper {
    /// The operation that sleeps.
    owner: String,
    wake: oneshot::Sender<()>,
}

impl Default for Clock {
    fn default() -> Self {
        Self(Kind::Real(Instant::now()))
    }
}

impl Clock {
    /// A clock that stands still until it is told to advance.
    #[must_use]
    pub fn virtual_from(since_1970: Duration) -> Self {
        let working = watch::channel(0).0;
        Self(Kind::Virtual(Arc::new(Virtual { epoch: since_1970, state: Mutex::default(), working })))
    }

    /// Whether it moves only when it is told to.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        matches!(self.0, Kind::Virtual(_))
    }

    /// The time since 1970.
    #[must_use]
    pub fn since_1970(&self) -> Duration {
        match &self.0 {
            Kind::Real(_) => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
            Kind::Virtual(it) => it.epoch.saturating_add(it.state().now),
        }
    }

    /// The same, as the contract has it.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        let now = self.since_1970();
        Timestamp {
            seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(now.subsec_nanos()).unwrap_or_default(),
        }
    }

    pub(super) fn now(&self) -> Now {
        let monotonic = match &self.0 {
            Kind::Real(begun) => begun.elapsed(),
            Kind::Virtual(it) => it.state().now,
        };
        Now { monotonic, utc: self.timestamp() }
    }

    /// Sleeps; an operation that was told something wakes early.
    pub(super) async fn sleep(&self, time: Duration, owner: &str) {
        match &self.0 {
            Kind::Real(_) => tokio::time::sleep(time).await,
            Kind::Virtual(it) => it.sleep(time, owner).await,
        }
    }

    /// Somebody begins to work.
    pub(super) fn begin(&self) {
        if let Kind::Virtual(it) = &self.0 {
            it.working.send_modify(|working| *working += 1);
        }
    }

    /// Somebody has done with it.
    pub(super) fn end(&self) {
        if let Kind::Virtual(it) = &self.0 {
            it.working.send_modify(|working| *working = working.saturating_sub(1));
        }
    }

    /// Wakes an operation that is told something, before time can move on.
    pub(super) fn rouse(&self, owner: &str) {
        if let Kind::Virtual(it) = &self.0 {
            it.wake(|_, sleeper| sleeper.owner == owner, usize::MAX);
        }
    }

    /// Returns once nobody works.
    pub(super) async fn at_rest(&self) {
        if let Kind::Virtual(it) = &self.0 {
            // The sender lives as long as the clock, so this can't fail.
            let _ = it.working.subscribe().wait_for(|working| *working == 0).await;
        }
    }

    pub(super) fn is_at_rest(&self) -> bool {
        matches!(&self.0, Kind::Virtual(it) if *it.working.borrow() == 0)
    }

    /// When the next sleeper is due, as time since the clock began.
    pub(super) fn next_due(&self) -> Option<Duration> {
        match &self.0 {
            Kind::Real(_) => None,
            Kind::Virtual(it) => it.state().sleepers.keys().next().map(|(due, _)| *due),
        }
    }

    /// Moves on to this time and wakes one sleeper that is due by then: two at once would go on in any order.
    pub(super) fn move_to(&self, now: Duration) {
        if let Kind::Virtual(it) = &self.0 {
            let moved = {
                let mut state = it.state();
                state.now = state.now.max(now);
                state.now
            };
            it.wake(|due, _| due <= moved, 1);
        }
    }

    /// This time as one since the clock began; `None` if the clock is not virtual.
    pub(super) fn since_begin(&self, since_1970: Duration) -> Option<Duration> {
        match &self.0 {
            Kind::Real(_) => None,
            Kind::Virtual(it) => Some(since_1970.saturating_sub(it.epoch)),
        }
    }
}

impl Virtual {
    fn state(&self) -> MutexGuard<'_, State> {
        // Whatever panicked while holding it left a time and a list, both sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(self: &Arc<Self>, time: Duration, owner: &str) {
        let (wake, woken) = oneshot::channel();
        let key = {
            let mut state = self.state();
            state.last += 1;
            let key = (state.now.saturating_add(time), state.last);
            state.sleepers.insert(key, Sleeper { owner: owner.to_owned(), wake });
            key
        };
        let asleep = Asleep { clock: Arc::clone(self), key };
        self.working.send_modify(|working| *working = working.saturating_sub(1));
        let _ = woken.await;
        drop(asleep);
    }

    /// Who is woken works again before anybody else can look.
    fn wake(&self, which: impl Fn(Duration, &Sleeper) -> bool, most: usize) {
        let mut state = self.state();
        let keys = state.sleepers.iter().filter(|((due, _), sleeper)| which(*due, sleeper)).map(|(key, _)| *key);
        for key in keys.take(most).collect::<Vec<_>>() {
            if let Some(sleeper) = state.sleepers.remove(&key) {
                self.working.send_modify(|working| *working += 1);
                let _ = sleeper.wake.send(());
            }
        }
    }
}

/// Somebody who sleeps; one whose sleep is broken off works again.
struct Asleep {
    clock: Arc<Virtual>,
    key: (Duration, u64),
}

impl Drop for Asleep {
    fn drop(&mut self) {
        if self.clock.state().sleepers.remove(&self.key).is_some() {
            self.clock.working.send_modify(|working| *working += 1);
        }
    }
}

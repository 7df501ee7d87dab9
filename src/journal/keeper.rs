//! The keeper: a thread that does what nobody waits for. It makes the next segment ahead, and lets the index follow the
//! log.
//!
//! It is told only how far the log is durable and reads the rest from the log itself, so that nothing can pile up or get
//! lost between the two, and filling an empty index is the same as following.

use super::frame::Frame;
use super::index::{Index, IndexError, Snapshot};
use super::reader::{LogReader, Place};
use super::segment::{self, Spare};
use super::{JournalError, index};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::warn;
use uuid::Uuid;

/// Frames taken up at a time; more only to reach the end of a batch.
const CHUNK: usize = 256;
/// Frames taken up before they are handed to the operating system.
const FLUSH_AFTER: usize = 1024;
/// Frames still taken up while the journal is being closed; the rest follows when it is opened again.
const CLOSE_FRAMES: usize = 20_000;
/// How long closing waits for sled, which may hang; then its thread is left to the end of the process.
const CLOSE_WAIT: Duration = Duration::from_secs(10);
/// How soon making a spare segment is tried again after it failed.
const SPARE_RETRY: Duration = Duration::from_secs(10);
/// How often the index is made again before it is left alone until the journal is next opened.
const REPLACEMENTS: u32 = 3;

/// The owner's end.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when there is something to do.
    wake: Condvar,
    /// Told when the thread has ended.
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    /// The last durable sequence number.
    durable: u64,
    order: Order,
    /// The newest snapshot that isn't in the index yet.
    snapshot: Option<Arc<Snapshot>>,
    index: Option<Index>,
    /// Reading the index failed: it must be made again.
    distrusted: bool,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Follow,
    /// Catch up, then end.
    Finish,
    /// End as soon as what is being done is done.
    Stop,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the keeper works on.
#[derive(Debug)]
pub(super) struct Charge {
    /// The journal's folder.
    pub(super) journal: PathBuf,
    /// The log's folder in it.
    pub(super) log: PathBuf,
    pub(super) workcell: Uuid,
    pub(super) spare: Arc<Spare>,
    pub(super) index: Option<Index>,
    /// The last sequence number in the index.
    pub(super) applied: u64,
}

impl Keeper {
    /// Starts the thread. Without one the journal works as well, only slower and without snapshots.
    pub(super) fn start(charge: Charge, durable: u64) -> Self {
        let state = State {
            durable,
            order: Order::Follow,
            snapshot: None,
            index: charge.index.clone(),
            distrusted: false,
            ended: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), wake: Condvar::new(), ended: Condvar::new() });
        let worker = Worker {
            shared: Arc::clone(&shared),
            charge,
            reader: None,
            replaced: 0,
            unflushed: 0,
            finishing: CLOSE_FRAMES,
            spare_failed: None,
        };
        let thread = std::thread::Builder::new().name("journal-keeper".to_owned()).spawn(move || worker.work());
        if let Err(error) = &thread {
            warn!(%error, "the journal's keeper can't be started: no index, no spare segment");
            shared.state().ended = true;
        }
        Self { shared, thread: thread.ok() }
    }

    /// Says how far the log is durable.
    pub(super) fn follow(&self, durable: u64) {
        self.shared.state().durable = durable;
        self.shared.wake.notify_one();
    }

    /// Takes a snapshot to be kept; one that is still waiting gives way.
    pub(super) fn save(&self, snapshot: Snapshot) {
        self.shared.state().snapshot = Some(Arc::new(snapshot));
        self.shared.wake.notify_one();
    }

    /// The whole snapshots of a version, newest first.
    pub(super) fn snapshots(&self, version: u32) -> Vec<Snapshot> {
        let (waiting, index) = {
            let state = self.shared.state();
            (state.snapshot.clone(), state.index.clone())
        };
        let kept = index.map(|index| self.ask(index.snapshots_of(version))).unwrap_or_default();
        let mut all: Vec<Snapshot> = kept.unwrap_or_default();
        all.extend(waiting.filter(|waiting| waiting.version == version).map(|waiting| Snapshot::clone(&waiting)));
        all.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.seq));
        all
    }

    /// Where an entry stands, if the index knows.
    pub(super) fn place(&self, seq: u64) -> Option<Place> {
        let index = self.shared.state().index.clone()?;
        self.ask(index.place(seq))?
    }

    fn ask<T>(&self, answer: Result<T, IndexError>) -> Option<T> {
        if let Err(error) = &answer {
            warn!(%error, "the journal's index can't be read");
            self.shared.state().distrusted = true;
            self.shared.wake.notify_one();
        }
        answer.ok()
    }

    /// Lets the index catch up and ends the thread.
    pub(super) fn finish(&mut self) {
        self.end(Order::Finish);
    }

    fn end(&mut self, order: Order) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.state().order = order;
        self.shared.wake.notify_one();
        let waited = self.shared.ended.wait_timeout_while(self.shared.state(), CLOSE_WAIT, |state| !state.ended);
        if waited.map_or(true, |(state, _)| state.ended) && thread.join().is_err() {
            warn!("the journal's keeper panicked");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end(Order::Stop);
    }
}

struct Worker {
    shared: Arc<Shared>,
    charge: Charge,
    reader: Option<LogReader>,
    replaced: u32,
    unflushed: usize,
    /// How many frames may still be taken up once it was told to finish.
    finishing: usize,
    spare_failed: Option<Instant>,
}

/// Why following stopped.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Log(#[from] JournalError),
}

/// What is to be done next.
struct Work {
    durable: u64,
    snapshot: Option<Arc<Snapshot>>,
    distrusted: bool,
    order: Order,
}

impl Worker {
    fn work(mut self) {
        while let Some(work) = self.next_work() {
            if work.order == Order::Follow && self.spare_due() {
                self.make_spare();
            }
            match self.follow(&work) {
                Ok(()) => {}
                Err(FollowError::Index(error)) => self.replace_index(&error),
                Err(FollowError::Log(error)) => {
                    warn!(%error, "the journal's index can't follow the log");
                    self.drop_index();
                }
            }
        }
        if let Some(Err(error)) = self.charge.index.as_ref().map(Index::flush) {
            warn!(%error, "the journal's index can't be flushed");
        }
        self.drop_index();
    }

    /// Waits until there is something to do; `None` when it is time to end.
    fn next_work(&self) -> Option<Work> {
        let mut state = self.shared.state();
        loop {
            let behind = self.charge.applied < state.durable || state.snapshot.is_some() || state.distrusted;
            let work = self.charge.index.is_some() && behind;
            let go = match state.order {
                Order::Follow => work || self.spare_due(),
                Order::Finish if work && self.finishing > 0 => true,
                Order::Finish | Order::Stop => return None,
            };
            if go {
                let distrusted = std::mem::take(&mut state.distrusted);
                let (durable, snapshot, order) = (state.durable, state.snapshot.clone(), state.order);
                return Some(Work { durable, snapshot, distrusted, order });
            }
            state = if self.charge.spare.ready() {
                self.shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.shared.wake.wait_timeout(state, SPARE_RETRY).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    fn spare_due(&self) -> bool {
        !self.charge.spare.ready() && self.spare_failed.is_none_or(|failed| failed.elapsed() >= SPARE_RETRY)
    }

    fn make_spare(&mut self) {
        self.spare_failed = None;
        if let Err(error) = self.charge.spare.ensure() {
            warn!(%error, "no spare segment can be made: nothing new should be begun until the disk has room");
            self.spare_failed = Some(Instant::now());
        }
    }

    fn follow(&mut self, work: &Work) -> Result<(), FollowError> {
        let Some(index) = self.charge.index.clone() else { return Ok(()) };
        if work.distrusted {
            return Err(IndexError::Malformed.into());
        }
        if let Some(snapshot) = &work.snapshot {
            index.save(snapshot)?;
            let mut state = self.shared.state();
            state.snapshot.take_if(|waiting| Arc::ptr_eq(waiting, snapshot));
        }
        if self.charge.applied >= work.durable {
            return Ok(());
        }
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.reader(&index)?,
        };
        let mut frames = Vec::new();
        while reader.next() <= Some(work.durable) {
            let found = reader.frame()?;
            let whole = Frame::ends_batch(&found.decoded.frame);
            frames.push(found);
            if frames.len() >= CHUNK && whole {
                break;
            }
        }
        index.apply(&frames)?;
        self.charge.applied = frames.last().map_or(self.charge.applied, |last| last.decoded.frame.seq);
        self.reader = Some(reader);
        if work.order == Order::Finish {
            self.finishing = self.finishing.saturating_sub(frames.len());
        }
        self.unflushed += frames.len();
        if self.unflushed >= FLUSH_AFTER {
            index.flush()?;
            self.unflushed = 0;
        }
        Ok(())
    }

    /// A reader after the last frame taken up.
    fn reader(&self, index: &Index) -> Result<LogReader, FollowError> {
        let log = &self.charge.log;
        let segments = segment::list(log).map_err(|source| JournalError::Io { path: log.clone(), source })?;
        let applied = self.charge.applied;
        match index.place(applied)? {
            Some(place) => {
                let mut reader = LogReader::seek(log, &segments, applied, Some(place))?;
                reader.frame()?;
                Ok(reader)
            }
            None => Ok(LogReader::seek(log, &segments, applied + 1, None)?),
        }
    }

    fn replace_index(&mut self, error: &IndexError) {
        self.drop_index();
        self.replaced += 1;
        if self.replaced > REPLACEMENTS {
            warn!(%error, "the journal's index fails again and again; it is left alone until the next opening");
            return;
        }
        let folder = index::folder(&self.charge.journal);
        let (index, said) = Index::replace(&folder, &error.to_string());
        warn!(said, "the journal's index was replaced");
        let index = index.filter(|index| index.claim(self.charge.workcell).is_ok());
        self.charge.applied = 0;
        self.charge.index.clone_from(&index);
        self.shared.state().index = index;
    }

    /// Lets go of every handle on the index.
    fn drop_index(&mut self) {
        self.reader = None;
        self.charge.index = None;
        self.shared.state().index = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Also after a panic: whoever closes the journal must not wait for a thread that is gone.
        self.drop_index();
        self.shared.state().ended = true;
        self.shared.ended.notify_all();
    }
}

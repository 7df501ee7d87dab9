//! A journal in memory: the same contract, for tests and simulations.

use super::{
    AppendError, Entry, EntryHash, Head, Journal, JournalError, MAX_SNAPSHOT, SNAPSHOTS_KEPT, check_size, frame,
};
use eutectic_failpoints::mutant;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// A handle onto a log in memory. A clone is another process's handle onto the same log: dropping one and going on with
/// another is a crash.
#[derive(Debug)]
pub struct MemoryJournal {
    workcell: Arc<str>,
    storage: Arc<Mutex<Storage>>,
    poisoned: bool,
}

/// What happens to an append that is made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFault {
    /// It ends as unknown; the write was cut short, so nothing of it is found later.
    Cut,
    /// It ends as unknown; all of it is found later.
    Stored,
    /// It ends as [`AppendError::NoSpare`]: nothing is written, and the journal goes on.
    NoSpare,
}

#[derive(Debug, Default)]
struct Storage {
    entries: Vec<Stored>,
    snapshots: Vec<Snapshot>,
    fault: Option<AppendFault>,
    full: bool,
}

#[derive(Debug)]
struct Stored {
    entry: Entry,
    hash: EntryHash,
}

#[derive(Debug)]
struct Snapshot {
    seq: u64,
    version: u32,
    bytes: Vec<u8>,
}

impl Storage {
    fn head(&self) -> Head {
        self.entries.last().map(|last| Head { seq: last.entry.seq, hash: last.hash }).unwrap_or_default()
    }

    fn epoch(&self) -> u64 {
        self.entries.last().map_or(0, |last| last.entry.epoch)
    }

    fn append(&mut self, expected: u64, epoch: u64, payloads: &[Vec<u8>]) -> Result<Head, AppendError> {
        let head = self.head();
        if epoch < self.epoch() {
            return Err(AppendError::Fenced { epoch: self.epoch() });
        }
        if expected != head.seq {
            return Err(AppendError::Conflict { head });
        }
        check_size(payloads)?;
        if payloads.is_empty() {
            return Ok(head);
        }
        let unknown = |what| Err(AppendError::Unknown(io::Error::other(what)));
        match self.fault.take() {
            None => self.store(epoch, payloads),
            Some(AppendFault::NoSpare) => return Err(AppendError::NoSpare(io::ErrorKind::StorageFull.into())),
            Some(AppendFault::Cut) => return unknown("the write was cut short"),
            Some(AppendFault::Stored) => {
                self.store(epoch, payloads);
                return unknown("the sync failed");
            }
        }
        Ok(self.head())
    }

    fn store(&mut self, epoch: u64, payloads: &[Vec<u8>]) {
        let count = u32::try_from(payloads.len()).unwrap_or(u32::MAX);
        for (index, payload) in (0..count).zip(payloads) {
            let head = self.head();
            let (kind, seq) = (frame::Kind::Event, head.seq + 1);
            let stored = frame::Frame { kind, seq, epoch, index, count, previous: head.hash, payload: payload.clone() };
            // The hash is the embedded journal's, so that a log means the same wherever it is kept.
            let hash = stored.encode(&mut Vec::new());
            self.entries.push(Stored { entry: Entry { seq, epoch, payload: stored.payload }, hash });
        }
    }
}

impl MemoryJournal {
    /// An empty log of a new workcell.
    #[must_use]
    pub fn new() -> Self {
        Self::of(&Uuid::now_v7().to_string())
    }

    /// An empty log of a named workcell, for tests that must come out the same each time.
    #[must_use]
    pub fn of(workcell: &str) -> Self {
        Self { workcell: workcell.into(), storage: Arc::default(), poisoned: false }
    }

    /// Makes the next append, by whichever handle, end so.
    pub fn fail_next_append(&self, fault: AppendFault) {
        self.storage().fault = Some(fault);
    }

    /// Puts the log back to what it was at this entry, as from a backup.
    pub fn put_back(&self, seq: u64) {
        let mut storage = self.storage();
        storage.entries.retain(|stored| stored.entry.seq <= seq);
        storage.snapshots.retain(|snapshot| snapshot.seq <= seq);
    }

    /// Says whether the disk is full: then there is no spare, while appends still have room.
    pub fn set_full(&self, full: bool) {
        self.storage().full = full;
    }

    fn storage(&self) -> MutexGuard<'_, Storage> {
        self.storage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for MemoryJournal {
    /// Opens the same log again: the new handle is not poisoned.
    fn clone(&self) -> Self {
        Self { workcell: Arc::clone(&self.workcell), storage: Arc::clone(&self.storage), poisoned: false }
    }
}

impl Journal for MemoryJournal {
    fn workcell(&self) -> &str {
        &self.workcell
    }

    fn head(&self) -> Head {
        self.storage().head()
    }

    fn epoch(&self) -> u64 {
        self.storage().epoch()
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let skip = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX);
        Ok(self.storage().entries.iter().skip(skip).take(limit).map(|stored| stored.entry.clone()).collect())
    }

    fn append(&mut self, expected: u64, epoch: u64, payloads: &[Vec<u8>]) -> Result<Head, AppendError> {
        if self.poisoned && !mutant("blind_reappend") {
            return Err(AppendError::Poisoned);
        }
        let appended = self.storage().append(expected, epoch, payloads);
        self.poisoned = matches!(appended, Err(AppendError::Unknown(_)));
        appended
    }

    fn save_snapshot(&mut self, seq: u64, version: u32, bytes: &[u8]) -> Result<(), JournalError> {
        let mut storage = self.storage();
        let head = storage.head().seq;
        if seq == 0 || seq > head {
            return Err(JournalError::NoSuchSeq { seq, head });
        }
        if bytes.len() > MAX_SNAPSHOT {
            return Err(JournalError::SnapshotTooLarge { bytes: bytes.len() });
        }
        storage.snapshots.retain(|other| other.version == version && other.seq != seq);
        storage.snapshots.push(Snapshot { seq, version, bytes: bytes.to_vec() });
        storage.snapshots.sort_by_key(|snapshot| snapshot.seq);
        let surplus = storage.snapshots.len().saturating_sub(SNAPSHOTS_KEPT);
        storage.snapshots.drain(..surplus);
        Ok(())
    }

    fn newest_snapshot(&self, version: u32) -> Option<(u64, Vec<u8>)> {
        let storage = self.storage();
        let newest = storage.snapshots.iter().rev().find(|snapshot| snapshot.version == version);
        newest.map(|snapshot| (snapshot.seq, snapshot.bytes.clone()))
    }

    fn has_spare(&self) -> bool {
        !self.storage().full
    }

    fn close(self: Box<Self>) -> Result<(), JournalError> {
        Ok(())
    }
}

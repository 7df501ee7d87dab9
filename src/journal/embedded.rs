//! The journal in a folder of one machine: `log/` holds the segments, the truth; `sled/` the index derived from them;
//! `LOCK` the claim of the one process that owns the folder.

use super::index::Snapshot;
use super::keeper::{Charge, Keeper};
use super::log::Log;
use super::open::{self, OpenError, Opened, Options};
use super::reader::LogReader;
use super::{AppendError, Entry, Head, Journal, JournalError, MAX_SNAPSHOT, disk, index, lock};
use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A journal on the local disk; see the module's documentation for what it promises.
#[derive(Debug)]
pub struct EmbeddedJournal {
    // Fields are dropped in this order: the lock goes last, after the index is let go.
    keeper: Keeper,
    pub(super) log: Log,
    workcell: String,
    /// Where the last reading ended: most readings go on from there.
    reader: RefCell<Option<LogReader>>,
    _lock: File,
}

impl EmbeddedJournal {
    /// Opens the journal in a folder, or begins one there.
    ///
    /// # Errors
    /// As [`EmbeddedJournal::open_with`].
    pub fn open(folder: &Path) -> Result<(Self, Opened), OpenError> {
        Self::open_with(folder, Options::default())
    }

    /// Opens the journal in a folder, or begins one there, with options.
    ///
    /// The whole log is read and checked. What a crash left unfinished is cleared, what was damaged is healed from
    /// copies if the hash chain confirms them, and both are told in [`Opened`].
    ///
    /// # Errors
    /// [`OpenError::Locked`] if another process (or another handle of this one) has it; [`OpenError::Damaged`] if
    /// something durable can't be read or healed; and the others of [`OpenError`].
    pub fn open_with(folder: &Path, options: Options) -> Result<(Self, Opened), OpenError> {
        open::open(folder, options)
    }

    /// Sets the index of a journal that nobody owns aside; opening makes it again.
    ///
    /// # Errors
    /// [`OpenError::Locked`], [`OpenError::Io`].
    pub fn forget_index(folder: &Path) -> Result<(), OpenError> {
        let _lock = lock::take(folder)?;
        let path = index::folder(folder);
        match path.exists() {
            true => disk::set_aside(&path).map(|_| ()).map_err(|source| OpenError::Io { path, source }),
            false => Ok(()),
        }
    }

    /// Moves a journal that nobody owns out of the way, whole; returns where to.
    ///
    /// # Errors
    /// [`OpenError::Locked`], [`OpenError::Io`].
    pub fn set_aside(folder: &Path) -> Result<PathBuf, OpenError> {
        let _lock = lock::take(folder)?;
        disk::set_aside(folder).map_err(|source| OpenError::Io { path: folder.to_owned(), source })
    }

    /// Puts the parts together, all of them recovered.
    pub(super) fn start(log: Log, charge: Charge, lock: File) -> Self {
        let (keeper, workcell) = (Keeper::start(charge, log.head.seq), log.workcell.to_string());
        Self { keeper, log, workcell, reader: RefCell::new(None), _lock: lock }
    }

    fn reader_at(&self, seq: u64) -> Result<LogReader, JournalError> {
        match self.reader.take() {
            Some(reader) if reader.next() == Some(seq) => Ok(reader),
            Some(_) | None => self.log.reader(seq, self.keeper.place(seq)),
        }
    }
}

impl Journal for EmbeddedJournal {
    fn workcell(&self) -> &str {
        &self.workcell
    }

    fn head(&self) -> Head {
        self.log.head
    }

    fn epoch(&self) -> u64 {
        self.log.epoch
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let from = from.max(1);
        if from > self.log.head.seq || limit == 0 {
            return Ok(Vec::new());
        }
        let mut reader = self.reader_at(from)?;
        let mut entries = Vec::new();
        while entries.len() < limit && reader.next() <= Some(self.log.head.seq) {
            let frame = reader.frame()?.decoded.frame;
            entries.push(Entry { seq: frame.seq, epoch: frame.epoch, payload: frame.payload });
        }
        self.reader.replace(Some(reader));
        Ok(entries)
    }

    fn append(&mut self, expected: u64, epoch: u64, payloads: &[Vec<u8>]) -> Result<Head, AppendError> {
        let head = self.log.append(expected, epoch, payloads)?;
        self.keeper.follow(head.seq);
        Ok(head)
    }

    fn save_snapshot(&mut self, seq: u64, version: u32, bytes: &[u8]) -> Result<(), JournalError> {
        let head = self.log.head.seq;
        if seq == 0 || seq > head {
            return Err(JournalError::NoSuchSeq { seq, head });
        }
        if bytes.len() > MAX_SNAPSHOT {
            return Err(JournalError::SnapshotTooLarge { bytes: bytes.len() });
        }
        let hash = self.log.hash_at(seq, self.keeper.place(seq))?;
        self.keeper.save(Snapshot { seq, version, hash, bytes: bytes.to_vec() });
        Ok(())
    }

    fn newest_snapshot(&self, version: u32) -> Option<(u64, Vec<u8>)> {
        let stands = |snapshot: &Snapshot| {
            let hash = |seq| self.log.hash_at(seq, self.keeper.place(seq)).ok();
            snapshot.seq <= self.log.head.seq && hash(snapshot.seq) == Some(snapshot.hash)
        };
        self.keeper.snapshots(version).into_iter().find(stands).map(|snapshot| (snapshot.seq, snapshot.bytes))
    }

    fn has_spare(&self) -> bool {
        self.log.spare.promised()
    }

    fn close(mut self: Box<Self>) -> Result<(), JournalError> {
        let ended = self.log.end();
        self.keeper.finish();
        ended
    }
}

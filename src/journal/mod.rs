//! The journal: one workcell's totally ordered, durable log, which is the truth.
//!
//! It stores opaque payloads under contiguous sequence numbers from 1 on and knows nothing of events. An append is a
//! compare-and-append: it names the head it saw, is all or nothing (a crash never leaves half a batch), and is durable
//! when it returns. Everything here blocks: the engine, the only writer, has a thread of its own.
//!
//! - [`EmbeddedJournal`]: a synced segment log in a folder, with sled as its derived index.
//! - [`MemoryJournal`]: the same contract in memory, for tests and simulations.
//!
//! One suite, `contract.rs`, holds every implementation to the same behaviour.

use std::io;
use std::path::PathBuf;

mod disk;
mod embedded;
mod frame;
mod heal;
mod index;
mod keeper;
mod lock;
mod log;
mod memory;
mod open;
mod reader;
mod recover;
mod results;
mod segment;
mod verify;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod contract_model;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod embedded_tests;
#[cfg(all(test, unix))]
mod full_tests;
#[cfg(all(test, unix))]
mod fuzz_tests;
#[cfg(all(test, unix))]
mod power_tests;
#[cfg(test)]
mod testing;

pub use embedded::EmbeddedJournal;
pub use memory::{AppendFault, MemoryJournal};
pub use open::{OpenError, Opened, Options};
pub use results::{RESULTS, Results};
pub use verify::{Broken, Verified, verify};

/// The log's folder in a journal's.
const LOG_FOLDER: &str = "log";

/// The largest payload, in bytes. Larger results are files named by their digest.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// The most payloads in one append.
pub const MAX_BATCH: usize = 1024;
/// The most payload bytes in one append.
pub const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// The largest snapshot, in bytes.
pub const MAX_SNAPSHOT: usize = 256 * 1024 * 1024;
/// How many snapshots of a version are kept.
pub const SNAPSHOTS_KEPT: usize = 2;

/// The SHA-256 of a stored entry and, through the hash of its predecessor that it carries, of the whole log up to it.
pub type EntryHash = [u8; 32];

/// The end of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last sequence number; 0 while the log is empty.
    pub seq: u64,
    /// The hash of the last entry; zeros while the log is empty.
    pub hash: EntryHash,
}

/// One stored payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the order, from 1 on without gaps.
    pub seq: u64,
    /// The epoch of the owner that appended it.
    pub epoch: u64,
    /// What was appended, byte for byte.
    pub payload: Vec<u8>,
}

/// One workcell's log.
pub trait Journal: Send {
    /// The workcell's UUID, made when the journal was made.
    fn workcell(&self) -> &str;

    /// The end of the log.
    fn head(&self) -> Head;

    /// The highest epoch appended; 0 while the log is empty.
    fn epoch(&self) -> u64;

    /// Reads up to `limit` entries from the sequence number `from` on (0 means 1); fewer only at the end of the log.
    ///
    /// # Errors
    /// [`JournalError::Io`] and [`JournalError::Damaged`]; a wrong entry is never returned.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError>;

    /// Appends the payloads, all or none, if the head is still `expected` and no higher epoch has appended.
    ///
    /// When it returns `Ok` they are durable. No payloads: nothing is written, the head is returned.
    ///
    /// # Errors
    /// [`AppendError`]; only after [`AppendError::Unknown`] is it open whether the payloads are stored.
    fn append(&mut self, expected: u64, epoch: u64, payloads: &[Vec<u8>]) -> Result<Head, AppendError>;

    /// Takes a snapshot of the state after `seq`, of the writer's own `version`.
    ///
    /// A snapshot can always be made again, so it is kept without a promise: it may be written later, or be lost.
    ///
    /// # Errors
    /// [`JournalError::NoSuchSeq`], [`JournalError::SnapshotTooLarge`], or what reading the log at `seq` says.
    fn save_snapshot(&mut self, seq: u64, version: u32, bytes: &[u8]) -> Result<(), JournalError>;

    /// The newest whole snapshot of this version whose sequence number and hash stand in the log.
    fn newest_snapshot(&self, version: u32) -> Option<(u64, Vec<u8>)>;

    /// Whether the log can go past its present segment even if the disk is full: a spare segment is there, or is just being
    /// made. Where none could be made nothing new should be begun, while results are still recorded.
    fn has_spare(&self) -> bool;

    /// Closes the journal and marks that it was closed in good order.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the mark can't be made durable; nothing is lost by that.
    fn close(self: Box<Self>) -> Result<(), JournalError>;
}

/// Why the journal could not be read or closed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk said no.
    #[error("the journal's {path} can't be read or written: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An entry that was stored is not what stands there now.
    #[error("the journal is damaged: {path} at byte {offset}, where entry {seq} should stand")]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// The place in it, in bytes.
        offset: u64,
        /// The entry.
        seq: u64,
    },
    /// A snapshot of a state that the log hasn't reached.
    #[error("a snapshot at entry {seq} of a log that ends at {head}")]
    NoSuchSeq {
        /// The sequence number given.
        seq: u64,
        /// The last one there is.
        head: u64,
    },
    /// A snapshot past [`MAX_SNAPSHOT`].
    #[error("a snapshot of {bytes} bytes; the limit is {MAX_SNAPSHOT}")]
    SnapshotTooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// Why an append was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended first. Nothing was written.
    #[error("the log's head is {} by now", head.seq)]
    Conflict {
        /// The head as it is.
        head: Head,
    },
    /// A later owner has appended: this one must stop. Nothing was written.
    #[error("epoch {epoch} has taken over")]
    Fenced {
        /// The highest epoch appended.
        epoch: u64,
    },
    /// More than one append may hold. Nothing was written.
    #[error("an append of {got} {what}; the limit is {limit}")]
    TooLarge {
        /// What there is too much of: its unit.
        what: &'static str,
        /// How much there is.
        got: usize,
        /// How much there may be.
        limit: usize,
    },
    /// The segment is full and no next one could be made: the disk is full. Nothing was written.
    #[error("no room for a new segment: {0}")]
    NoSpare(#[source] io::Error),
    /// A write or sync failed, so the payloads may or may not be stored. Every later append is refused: only opening
    /// the journal again tells.
    #[error("it is unknown whether the append is stored: {0}")]
    Unknown(#[source] io::Error),
    /// An earlier append ended as unknown. Nothing was written.
    #[error("an earlier append failed; the journal must be opened again")]
    Poisoned,
}

/// Checks an append's size against the limits that hold for every implementation.
fn check_size(payloads: &[Vec<u8>]) -> Result<(), AppendError> {
    let largest = payloads.iter().map(Vec::len).max().unwrap_or(0);
    let total = payloads.iter().map(Vec::len).sum();
    for (what, got, limit) in [
        ("payloads", payloads.len(), MAX_BATCH),
        ("bytes in one payload", largest, MAX_PAYLOAD),
        ("bytes", total, MAX_BATCH_BYTES),
    ] {
        if got > limit {
            return Err(AppendError::TooLarge { what, got, limit });
        }
    }
    Ok(())
}

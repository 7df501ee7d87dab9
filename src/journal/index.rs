//! The index: what can be made again from the log at any time, kept in sled.
//!
//! It holds where each frame stands with a copy of the frame, the snapshots, and how far it has come. sled 0.34.7's flush
//! is no fsync and its files don't survive every crash, so nothing here is believed before the hash chain of the log
//! confirms it, and any error, a panic included, only means that the folder is set aside and filled again.
//!
//! Keys: `f` and the sequence number (big-endian) hold segment, offset and frame; `s` and the number a snapshot's
//! particulars; `c`, the number and the piece's number its bytes; `m:` what is said of the whole.

use super::reader::{Found, Place};
use super::recover::Copies;
use super::{EntryHash, Head, SNAPSHOTS_KEPT, disk, frame};
use sha2::{Digest as _, Sha256};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// sled's page cache, in bytes; its own default is a gigabyte.
const CACHE: u64 = 64 * 1024 * 1024;
/// The bytes of a snapshot under one key. sled would put values past 128 KiB in files that it never syncs.
const PIECE: usize = 64 * 1024;
/// How often opening is tried while sled's lock is held: its threads may outlive a journal of this process by a moment.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// The bytes of a place before the frame in a value.
const PLACE: usize = 16;

const WORKCELL: &[u8] = b"m:workcell";
const APPLIED: &[u8] = b"m:applied";

/// Why the index can't be used any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    #[error(transparent)]
    Sled(#[from] sled::Error),
    #[error("sled panicked")]
    Panicked,
    #[error("the index holds a value that can't be read")]
    Malformed,
}

/// A snapshot with what ties it to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) seq: u64,
    pub(super) version: u32,
    /// The hash of the entry at `seq`.
    pub(super) hash: EntryHash,
    pub(super) bytes: Vec<u8>,
}

/// An open index.
#[derive(Clone, Debug)]
pub(super) struct Index {
    db: sled::Db,
}

/// Calls sled and takes a panic for an error: its code paths for damaged files hold assertions.
fn guarded<T>(call: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(IndexError::Panicked))
}

impl Index {
    /// Opens the index, or makes an empty one.
    pub(super) fn open(folder: &Path) -> Result<Self, IndexError> {
        let open = || Ok(sled::Config::new().path(folder).cache_capacity(CACHE).flush_every_ms(None).open()?);
        for _ in 1..LOCK_TRIES {
            match guarded(open) {
                Err(IndexError::Sled(sled::Error::Io(error))) if error.to_string().contains("acquire lock") => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                opened => return opened.map(|db| Self { db }),
            }
        }
        guarded(open).map(|db| Self { db })
    }

    /// Opens the index; if it can't be read, sets it aside and begins another. Returns the reason and the new name too.
    pub(super) fn open_or_replace(folder: &Path) -> (Option<Self>, Option<String>) {
        match Self::open(folder) {
            Ok(index) => (Some(index), None),
            Err(error) => Self::replace(folder, &error.to_string()),
        }
    }

    /// Sets the folder aside and begins another. No handle may be in use any more.
    pub(super) fn replace(folder: &Path, why: &str) -> (Option<Self>, Option<String>) {
        let moved = match disk::set_aside(folder) {
            Ok(bad) => format!("{why}; it stands in {} now and is made again from the log", bad.display()),
            Err(error) => return (None, Some(format!("{why}; it can't be set aside ({error}) and is not used"))),
        };
        match Self::open(folder) {
            Ok(index) => (Some(index), Some(moved)),
            Err(error) => (None, Some(format!("{moved}; a new one can't be made: {error}"))),
        }
    }

    /// How far the index has come.
    pub(super) fn applied(&self) -> Result<Head, IndexError> {
        let Some(value) = guarded(|| Ok(self.db.get(APPLIED)?))? else { return Ok(Head::default()) };
        let head = frame::u64_at(&value, 0).zip(frame::array_at(&value, 8));
        head.map(|(seq, hash)| Head { seq, hash }).ok_or(IndexError::Malformed)
    }

    /// Says which workcell's log this is the index of.
    pub(super) fn claim(&self, workcell: Uuid) -> Result<(), IndexError> {
        guarded(|| Ok(self.db.insert(WORKCELL, workcell.as_bytes())?))?;
        Ok(())
    }

    /// Takes up frames, in one batch with how far that is.
    pub(super) fn apply(&self, frames: &[Found]) -> Result<(), IndexError> {
        let Some(last) = frames.last() else { return Ok(()) };
        let mut batch = sled::Batch::default();
        for found in frames {
            let mut value = Vec::with_capacity(PLACE + found.raw.len());
            value.extend_from_slice(&found.place.segment.to_be_bytes());
            value.extend_from_slice(&found.place.offset.to_be_bytes());
            value.extend_from_slice(&found.raw);
            batch.insert(key(b'f', found.decoded.frame.seq), value);
        }
        let mut applied = last.decoded.frame.seq.to_le_bytes().to_vec();
        applied.extend_from_slice(&last.decoded.hash);
        batch.insert(APPLIED, applied);
        guarded(|| Ok(self.db.apply_batch(batch)?))
    }

    /// Where a frame stands, if that is known.
    pub(super) fn place(&self, seq: u64) -> Result<Option<Place>, IndexError> {
        Ok(self.value(seq)?.map(|(place, _)| place))
    }

    fn value(&self, seq: u64) -> Result<Option<(Place, Vec<u8>)>, IndexError> {
        let Some(value) = guarded(|| Ok(self.db.get(key(b'f', seq))?))? else { return Ok(None) };
        let number = |at| frame::array_at(&value, at).map(u64::from_be_bytes).ok_or(IndexError::Malformed);
        let place = Place { segment: number(0)?, offset: number(8)? };
        Ok(Some((place, value.get(PLACE..).unwrap_or_default().to_vec())))
    }

    /// Hands what was taken up to the operating system. That is no promise against a power cut.
    pub(super) fn flush(&self) -> Result<(), IndexError> {
        guarded(|| Ok(self.db.flush()?))?;
        Ok(())
    }

    /// Keeps a snapshot, and no more than [`SNAPSHOTS_KEPT`], none of them of another version.
    pub(super) fn save(&self, snapshot: &Snapshot) -> Result<(), IndexError> {
        let mut batch = sled::Batch::default();
        let mut kept = 1;
        for (seq, version) in self.snapshots()?.into_iter().rev() {
            let replaced = seq == snapshot.seq || version != snapshot.version || kept == SNAPSHOTS_KEPT;
            if replaced {
                batch.remove(key(b's', seq));
                for piece in
                    guarded(|| Ok(self.db.scan_prefix(key(b'c', seq)).keys().collect::<Result<Vec<_>, _>>()?))?
                {
                    batch.remove(piece);
                }
            } else {
                kept += 1;
            }
        }
        let mut about = snapshot.version.to_le_bytes().to_vec();
        about.extend_from_slice(&snapshot.hash);
        about.extend_from_slice(&Sha256::digest(&snapshot.bytes));
        batch.insert(key(b's', snapshot.seq), about);
        for (number, piece) in (0_u32..).zip(snapshot.bytes.chunks(PIECE)) {
            batch.insert(piece_key(snapshot.seq, number), piece);
        }
        guarded(|| Ok(self.db.apply_batch(batch)?))
    }

    /// The sequence numbers and versions of the snapshots, in order.
    fn snapshots(&self) -> Result<Vec<(u64, u32)>, IndexError> {
        let items = guarded(|| Ok(self.db.scan_prefix(b"s").collect::<Result<Vec<_>, _>>()?))?;
        let read = |(key, about): (sled::IVec, sled::IVec)| {
            frame::array_at(&key, 1).map(u64::from_be_bytes).zip(frame::u32_at(&about, 0))
        };
        items.into_iter().map(|item| read(item).ok_or(IndexError::Malformed)).collect()
    }

    /// The snapshots of a version that are whole, newest first; whether they fit the log is for the caller to say.
    pub(super) fn snapshots_of(&self, version: u32) -> Result<Vec<Snapshot>, IndexError> {
        let mut whole = Vec::new();
        for (seq, _) in self.snapshots()?.into_iter().rev().filter(|(_, other)| *other == version) {
            whole.extend(self.load(seq, version)?);
        }
        Ok(whole)
    }

    fn load(&self, seq: u64, version: u32) -> Result<Option<Snapshot>, IndexError> {
        let about = guarded(|| Ok(self.db.get(key(b's', seq))?))?.unwrap_or_default();
        let pieces = guarded(|| Ok(self.db.scan_prefix(key(b'c', seq)).values().collect::<Result<Vec<_>, _>>()?))?;
        let bytes = pieces.concat();
        let (hash, digest) = (frame::array_at(&about, 4), frame::array_at::<32>(&about, 36));
        let whole = digest.is_some_and(|digest| digest == *Sha256::digest(&bytes));
        Ok(hash.filter(|_| whole).map(|hash| Snapshot { seq, version, hash, bytes }))
    }
}

fn key(kind: u8, seq: u64) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

fn piece_key(seq: u64, number: u32) -> Vec<u8> {
    let mut key = key(b'c', seq);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// What can't be read is as good as absent: the log decides without it.
impl Copies for Index {
    fn copy(&self, seq: u64) -> Option<(Place, Vec<u8>)> {
        self.value(seq).ok().flatten()
    }

    fn workcell(&self) -> Option<Uuid> {
        let value = guarded(|| Ok(self.db.get(WORKCELL)?)).ok().flatten();
        value.and_then(|value| frame::array_at(&value, 0).map(Uuid::from_bytes))
    }
}

/// The index's folder beside the log.
pub(super) fn folder(journal: &Path) -> PathBuf {
    journal.join("sled")
}

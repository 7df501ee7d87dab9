//! Segments: the files of the log, each of a fixed size, filled with zeros before it is used.
//!
//! `<first-seq>.segment` starts with a header of 96 bytes (little-endian):
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | magic `EuSegmnt` |
//! | 8..12 | format |
//! | 16..32 | the workcell's UUID |
//! | 32..40 | sequence number of its first entry |
//! | 40..48 | size of the file |
//! | 48..80 | hash of the entry before its first |
//! | 92..96 | CRC32C of bytes 0..92; the rest is zero |
//!
//! Magic, format and checksum keep their places in every later format, so that a newer file is told from a damaged one.
//! Everything in a header follows from what stands before it in the log, so that a damaged one can be written again.

use super::EntryHash;
use super::disk;
use super::frame::{array_at, u32_at, u64_at};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// The bytes before the first frame.
pub(super) const SEGMENT_HEADER: usize = 96;
/// The format written, and the newest one understood.
pub(super) const FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"EuSegmnt";
const CHECKED: usize = 92;
const SUFFIX: &str = ".segment";
const SPARE: &str = "spare.segment";
const UNFINISHED: &str = "spare.unfinished";

/// A segment's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) workcell: Uuid,
    pub(super) first: u64,
    /// The size of the file, in bytes.
    pub(super) size: u64,
    pub(super) previous: EntryHash,
}

/// What stands where a header should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderFound {
    /// A whole header.
    Whole(Header),
    /// A whole header of a format that this build doesn't know.
    Newer(u32),
    /// Anything else.
    Damaged,
}

impl Header {
    /// The header's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(self.workcell.as_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes.resize(CHECKED, 0);
        let check = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of a segment's bytes.
    pub(super) fn decode(bytes: &[u8]) -> HeaderFound {
        let checked = bytes.get(..CHECKED).filter(|checked| u32_at(bytes, CHECKED) == Some(crc32c::crc32c(checked)));
        let Some(format) = checked.filter(|bytes| bytes.starts_with(&MAGIC)).and_then(|bytes| u32_at(bytes, 8)) else {
            return HeaderFound::Damaged;
        };
        if format > FORMAT {
            return HeaderFound::Newer(format);
        }
        Self::fields(bytes).map_or(HeaderFound::Damaged, HeaderFound::Whole)
    }

    fn fields(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            workcell: Uuid::from_bytes(array_at(bytes, 16)?),
            first: u64_at(bytes, 32)?,
            size: u64_at(bytes, 40)?,
            previous: array_at(bytes, 48)?,
        })
    }
}

/// Where the segment that starts at this sequence number stands.
pub(super) fn path(log: &Path, first: u64) -> PathBuf {
    log.join(format!("{first:020}{SUFFIX}"))
}

/// The segments of a log by their first sequence numbers, in order.
pub(super) fn list(log: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for item in fs::read_dir(log)? {
        let name = item?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        let first = digits.and_then(|digits| digits.parse::<u64>().ok());
        firsts.extend(first.filter(|first| path(log, *first).file_name() == Some(&name)));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// The next segment, made before it is needed, so that a full disk is met while there is still room for results.
#[derive(Debug)]
pub(super) struct Spare {
    log: PathBuf,
    size: u64,
    ready: AtomicBool,
    /// The last one could not be made.
    failed: AtomicBool,
    /// Held while the spare is made or taken; it guards the file, not a value.
    busy: Mutex<()>,
}

/// Why a spare could not be taken.
#[derive(Debug)]
pub(super) enum TakeError {
    /// There is none and none could be made; the log is untouched.
    None(io::Error),
    /// Putting it in place failed halfway.
    Unknown(io::Error),
}

impl Spare {
    /// Looks whether a blank spare of the right size is there. Another one is thrown away: frames found in it would be
    /// nobody's.
    pub(super) fn find(log: &Path, size: u64) -> io::Result<Self> {
        let path = log.join(SPARE);
        let ready = match fs::read(&path) {
            Ok(bytes) => {
                let blank = bytes.iter().skip(SEGMENT_HEADER).all(|byte| *byte == 0);
                let fits = bytes.len() as u64 == size && blank;
                if !fits {
                    fs::remove_file(&path)?;
                }
                fits
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        Ok(Self {
            log: log.to_owned(),
            size,
            ready: AtomicBool::new(ready),
            failed: AtomicBool::new(false),
            busy: Mutex::new(()),
        })
    }

    /// Whether there is one, or will be when it has been made; never waits.
    pub(super) fn promised(&self) -> bool {
        !self.failed.load(Ordering::Acquire)
    }

    /// Whether there is one; never waits.
    pub(super) fn ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Makes one if there is none.
    pub(super) fn ensure(&self) -> io::Result<()> {
        let _busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        self.make()
    }

    fn make(&self) -> io::Result<()> {
        if self.ready() {
            return Ok(());
        }
        let unfinished = self.log.join(UNFINISHED);
        let made = disk::fill(&unfinished, self.size)
            .and_then(|()| disk::rename(&unfinished, &self.log.join(SPARE)))
            .and_then(|()| disk::sync_folder(&self.log));
        if let Err(error) = made {
            // A full disk is no place to leave half a segment. What is left if this fails too is written over later.
            let _ = fs::remove_file(&unfinished);
            self.failed.store(true, Ordering::Release);
            return Err(error);
        }
        self.ready.store(true, Ordering::Release);
        self.failed.store(false, Ordering::Release);
        Ok(())
    }

    /// Turns the spare into the segment of this header, durably, and opens it. Makes one first if there is none.
    pub(super) fn take(&self, workcell: Uuid, first: u64, previous: EntryHash) -> Result<File, TakeError> {
        let _busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        self.make().map_err(TakeError::None)?;
        let header = Header { workcell, first, size: self.size, previous };
        let place = || {
            let mut file = disk::open_both(&self.log.join(SPARE))?;
            disk::write_synced(&mut file, 0, &header.encode())?;
            disk::rename(&self.log.join(SPARE), &path(&self.log, first))?;
            disk::sync_folder(&self.log)?;
            Ok(file)
        };
        let file = place().map_err(TakeError::Unknown)?;
        self.ready.store(false, Ordering::Release);
        Ok(file)
    }

    /// The size of the segments it makes, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn header() -> Header {
        Header { workcell: Uuid::from_bytes([7; 16]), first: 12, size: 4096, previous: [3; 32] }
    }

    #[test]
    fn a_header_comes_back_as_it_was() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), SEGMENT_HEADER);
        assert_eq!(Header::decode(&bytes), HeaderFound::Whole(header()));
    }

    #[test]
    fn a_flipped_byte_in_a_header_is_damage_not_a_newer_format() {
        for at in 0..SEGMENT_HEADER {
            let mut bytes = header().encode();
            *bytes.get_mut(at).unwrap() ^= 1;
            assert_eq!(Header::decode(&bytes), HeaderFound::Damaged, "byte {at}");
        }
    }

    #[test]
    fn a_spare_with_something_in_it_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        Spare::find(folder.path(), 1024).unwrap().ensure().unwrap();
        assert!(Spare::find(folder.path(), 1024).unwrap().ready());
        assert!(!Spare::find(folder.path(), 2048).unwrap().ready(), "another size");
        let mut bytes = vec![0; 1024];
        *bytes.get_mut(500).unwrap() = 1;
        fs::write(folder.path().join(SPARE), bytes).unwrap();
        assert!(!Spare::find(folder.path(), 1024).unwrap().ready());
    }
}

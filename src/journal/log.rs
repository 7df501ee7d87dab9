//! The segment log while it is open: one writer at its end, readers anywhere.

use super::frame::{END_FRAME, Frame, Kind};
use super::reader::{LogReader, Place};
use super::recover::{NOTHING, Recovered};
use super::segment::{self, SEGMENT_HEADER, Spare, TakeError};
use super::{AppendError, EntryHash, Head, JournalError, check_size, disk};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// An open log.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) folder: PathBuf,
    pub(super) workcell: Uuid,
    pub(super) head: Head,
    pub(super) epoch: u64,
    pub(super) spare: Arc<Spare>,
    segments: Vec<u64>,
    /// The last segment.
    pub(super) file: File,
    tail: Place,
    tail_size: u64,
    /// Whether the log ends with an end frame.
    clean: bool,
    /// A write or sync failed: what stands on disk is unknown, and nothing may be built upon it.
    poisoned: bool,
}

impl Log {
    /// Goes on at the end that recovery found.
    pub(super) fn open(
        folder: PathBuf,
        workcell: Uuid,
        spare: Arc<Spare>,
        recovered: Recovered,
    ) -> Result<Self, JournalError> {
        let path = segment::path(&folder, recovered.tail.segment);
        let file = disk::open_both(&path).map_err(|source| JournalError::Io { path, source })?;
        let Recovered { segments, tail, tail_size, head, epoch, clean, .. } = recovered;
        Ok(Self { folder, workcell, head, epoch, spare, segments, file, tail, tail_size, clean, poisoned: false })
    }

    /// Appends a batch; see [`super::Journal::append`].
    pub(super) fn append(&mut self, expected: u64, epoch: u64, payloads: &[Vec<u8>]) -> Result<Head, AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        if epoch < self.epoch {
            return Err(AppendError::Fenced { epoch: self.epoch });
        }
        if expected != self.head.seq {
            return Err(AppendError::Conflict { head: self.head });
        }
        check_size(payloads)?;
        let count = u32::try_from(payloads.len()).unwrap_or(u32::MAX);
        let (mut bytes, mut head) = (Vec::new(), self.head);
        for (index, payload) in (0..count).zip(payloads) {
            let (seq, previous, payload) = (head.seq + 1, head.hash, payload.clone());
            let frame = Frame { kind: Kind::Event, seq, epoch, index, count, previous, payload };
            head = Head { seq, hash: frame.encode(&mut bytes) };
        }
        if !bytes.is_empty() {
            self.commit(&bytes, head, epoch)?;
        }
        Ok(self.head)
    }

    /// Writes a whole batch of frames that ends at `head`: one write, one sync.
    pub(super) fn commit(&mut self, bytes: &[u8], head: Head, epoch: u64) -> Result<(), AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        let limit = usize::try_from(self.spare.size()).unwrap_or(usize::MAX).saturating_sub(SEGMENT_HEADER + END_FRAME);
        if bytes.len() > limit {
            return Err(AppendError::TooLarge { what: "bytes with their frames", got: bytes.len(), limit });
        }
        if self.room() < bytes.len() + END_FRAME {
            self.roll_over()?;
        }
        self.write(bytes).map_err(AppendError::Unknown)?;
        self.head = head;
        self.epoch = epoch;
        self.clean = false;
        Ok(())
    }

    /// Marks that the log was closed in good order. Room for it is left by every append; what an older build's smaller
    /// segment may lack is only the mark.
    pub(super) fn end(&mut self) -> Result<(), JournalError> {
        if self.clean || self.poisoned || self.room() < END_FRAME {
            return Ok(());
        }
        let mut bytes = Vec::new();
        Frame::end(self.head.seq, self.epoch, self.head.hash).encode(&mut bytes);
        let path = segment::path(&self.folder, self.tail.segment);
        self.write(&bytes).map_err(|source| JournalError::Io { path, source })?;
        self.clean = true;
        Ok(())
    }

    /// Whether the log ends with an end frame.
    pub(super) fn is_clean(&self) -> bool {
        self.clean
    }

    fn room(&self) -> usize {
        usize::try_from(self.tail_size.saturating_sub(self.tail.offset)).unwrap_or(usize::MAX)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A failed sync is never tried again: the kernel may have dropped the pages it could not write.
        if let Err(error) = disk::write_synced(&mut self.file, self.tail.offset, bytes) {
            self.poisoned = true;
            return Err(error);
        }
        self.tail.offset += bytes.len() as u64;
        Ok(())
    }

    fn roll_over(&mut self) -> Result<(), AppendError> {
        let first = self.head.seq + 1;
        self.file = match self.spare.take(self.workcell, first, self.head.hash) {
            Ok(file) => file,
            Err(TakeError::None(error)) => return Err(AppendError::NoSpare(error)),
            Err(TakeError::Unknown(error)) => {
                self.poisoned = true;
                return Err(AppendError::Unknown(error));
            }
        };
        self.segments.push(first);
        self.tail = Place { segment: first, offset: SEGMENT_HEADER as u64 };
        self.tail_size = self.spare.size();
        Ok(())
    }

    /// A reader before the entry `seq`, which must exist.
    pub(super) fn reader(&self, seq: u64, hint: Option<Place>) -> Result<LogReader, JournalError> {
        LogReader::seek(&self.folder, &self.segments, seq, hint)
    }

    /// The hash of an entry, which must exist; zeros for 0.
    pub(super) fn hash_at(&self, seq: u64, hint: Option<Place>) -> Result<EntryHash, JournalError> {
        match seq {
            0 => Ok(NOTHING),
            _ if seq == self.head.seq => Ok(self.head.hash),
            _ => Ok(self.reader(seq, hint)?.frame()?.decoded.hash),
        }
    }
}

//! Reads frames in order, across segments, checking each against its checksums, its number and its predecessor.

use super::frame::{self, Decoded, Kind};
use super::segment::{self, SEGMENT_HEADER};
use super::{EntryHash, JournalError, MAX_PAYLOAD, disk};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// How much is read at a time, in bytes: always more than the largest frame.
const WINDOW: usize = 2 * MAX_PAYLOAD;

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The segment, by its first sequence number.
    pub(super) segment: u64,
    /// The byte in it.
    pub(super) offset: u64,
}

/// A frame and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) decoded: Decoded,
    /// The frame's bytes as they stand.
    pub(super) raw: Vec<u8>,
}

/// A place in the log from which frames are read on.
#[derive(Debug)]
pub(super) struct LogReader {
    log: PathBuf,
    file: File,
    place: Place,
    /// The sequence number that must come next here; unknown only at a hinted place.
    next: Option<u64>,
    previous: Option<EntryHash>,
    window: Vec<u8>,
    window_at: u64,
    /// Whether the window was read at this very place: what isn't in it then isn't in the file.
    fresh: bool,
}

impl LogReader {
    /// Stands at the start of the segment that begins with this sequence number.
    pub(super) fn at_segment(log: &Path, first: u64) -> Result<Self, JournalError> {
        let mut reader = Self::at(log, Place { segment: first, offset: SEGMENT_HEADER as u64 })?;
        reader.next = Some(first);
        Ok(reader)
    }

    fn at(log: &Path, place: Place) -> Result<Self, JournalError> {
        let path = segment::path(log, place.segment);
        let file = File::open(&path).map_err(|source| JournalError::Io { path, source })?;
        let (window, window_at) = (Vec::new(), place.offset);
        Ok(Self { log: log.to_owned(), file, place, next: None, previous: None, window, window_at, fresh: false })
    }

    /// Stands before the entry `seq`: at the hinted place if it is there, else by scanning the last segment that begins
    /// at or before it. `segments` are the log's first sequence numbers, in order.
    pub(super) fn seek(log: &Path, segments: &[u64], seq: u64, hint: Option<Place>) -> Result<Self, JournalError> {
        if let Some(place) = hint
            && let Ok(mut reader) = Self::at(log, place)
            && let Ok(Some(found)) = reader.decode_here()
            && found.frame.kind == Kind::Event
            && found.frame.seq == seq
        {
            reader.next = Some(seq);
            return Ok(reader);
        }
        let first = segments.iter().rev().find(|first| **first <= seq).copied().unwrap_or(1);
        let mut reader = Self::at_segment(log, first)?;
        while reader.next < Some(seq) {
            reader.frame()?;
        }
        Ok(reader)
    }

    /// The sequence number that comes next.
    pub(super) fn next(&self) -> Option<u64> {
        self.next
    }

    /// Reads the next entry, which must have been appended.
    pub(super) fn frame(&mut self) -> Result<Found, JournalError> {
        loop {
            let Some(decoded) = self.decode_here()? else {
                self.next_segment()?;
                continue;
            };
            let place = self.place;
            let raw = self.rest().get(..decoded.length).unwrap_or_default().to_vec();
            let breaks = |previous: EntryHash| previous != decoded.frame.previous;
            match decoded.frame.kind {
                Kind::End => self.advance(decoded.length),
                Kind::Event => {
                    if self.next.is_some_and(|next| next != decoded.frame.seq) || self.previous.is_some_and(breaks) {
                        return Err(self.damaged());
                    }
                    self.advance(decoded.length);
                    self.next = Some(decoded.frame.seq + 1);
                    self.previous = Some(decoded.hash);
                    return Ok(Found { place, decoded, raw });
                }
            }
        }
    }

    fn advance(&mut self, length: usize) {
        self.place.offset += length as u64;
        self.fresh = false;
    }

    /// The bytes of the window from this place on.
    fn rest(&self) -> &[u8] {
        let skip = self.place.offset.checked_sub(self.window_at).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.window.get(skip..)).unwrap_or_default()
    }

    fn decode_here(&mut self) -> Result<Option<Decoded>, JournalError> {
        let decoded = frame::decode(self.rest());
        if decoded.is_some() || self.fresh {
            return Ok(decoded);
        }
        self.window.resize(WINDOW, 0);
        self.window_at = self.place.offset;
        let size = disk::read_some(&mut self.file, self.window_at, &mut self.window)
            .map_err(|source| JournalError::Io { path: self.path(), source })?;
        self.window.truncate(size);
        self.fresh = true;
        Ok(frame::decode(self.rest()))
    }

    /// Goes on in the segment that begins with the entry looked for, if there is one.
    fn next_segment(&mut self) -> Result<(), JournalError> {
        let next = self.next.filter(|next| *next != self.place.segment).ok_or_else(|| self.damaged())?;
        match Self::at_segment(&self.log, next) {
            Ok(reader) => *self = Self { previous: self.previous, ..reader },
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(self.damaged());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        segment::path(&self.log, self.place.segment)
    }

    fn damaged(&self) -> JournalError {
        JournalError::Damaged { path: self.path(), offset: self.place.offset, seq: self.next.unwrap_or(0) }
    }
}

//! Reads the whole log when it is opened, and finds its true end.
//!
//! Every frame is checked against its checksums and the chain. Where no frame fits, three things may have happened:
//! - the segment is used up, and the next one goes on from here;
//! - the log ends here, perhaps with a **torn** batch: one that was never acknowledged, because nothing later was
//!   written. What is left of it is kept as evidence and cleared;
//! - **damage**: something later proves that what stood here was durable. It is healed (`heal.rs`) or opening is refused.
//!
//! A later frame of the *same* batch proves nothing: the parts of one write reach the disk in any order. One of a later
//! batch, an end frame, or a later segment does: each was only written once everything before it was synced.

use super::frame::{self, ALIGN, Decoded, Kind};
use super::heal;
use super::open::OpenError;
use super::reader::Place;
use super::segment::{self, Header, HeaderFound, SEGMENT_HEADER};
use super::{EntryHash, Head, disk};
use std::fs;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Second copies of frames, asked only when the log is damaged or short.
pub(super) trait Copies {
    /// The copy of a frame and where the original stood.
    fn copy(&self, seq: u64) -> Option<(Place, Vec<u8>)>;
    /// The workcell whose copies they are.
    fn workcell(&self) -> Option<Uuid>;
}

/// The log as it stands after recovery.
#[derive(Debug)]
pub(super) struct Recovered {
    /// The segments by their first sequence numbers.
    pub(super) segments: Vec<u64>,
    /// Where the next frame goes.
    pub(super) tail: Place,
    /// The size of the last segment, in bytes.
    pub(super) tail_size: u64,
    pub(super) head: Head,
    pub(super) epoch: u64,
    /// Whether the log ends with an end frame.
    pub(super) clean: bool,
    /// Frames and headers that were written again.
    pub(super) healed: u64,
    /// Bytes of a torn batch that were cleared.
    pub(super) torn: u64,
    pub(super) alarms: Vec<String>,
}

/// What the next frame must fit on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    /// The entries so far.
    pub(super) head: Head,
    pub(super) epoch: u64,
    clean: bool,
}

impl Chain {
    /// The chain after a head.
    pub(super) fn after(head: Head, epoch: u64) -> Self {
        Self { head, epoch, clean: false }
    }

    /// Whether an end frame was passed last.
    pub(super) fn is_clean(&self) -> bool {
        self.clean
    }

    /// The sequence number that comes next.
    pub(super) fn next(&self) -> u64 {
        self.head.seq + 1
    }

    /// Whether a frame continues the chain, its batch aside.
    pub(super) fn fits(&self, frame: &frame::Frame) -> bool {
        let seq = match frame.kind {
            Kind::Event => self.next(),
            Kind::End => self.head.seq,
        };
        frame.seq == seq && frame.previous == self.head.hash && frame.epoch >= self.epoch
    }

    /// Goes past a frame that fits.
    pub(super) fn pass(&mut self, decoded: &Decoded) {
        match decoded.frame.kind {
            Kind::Event => {
                self.head = Head { seq: decoded.frame.seq, hash: decoded.hash };
                self.epoch = decoded.frame.epoch;
                self.clean = false;
            }
            Kind::End => self.clean = true,
        }
    }
}

/// A segment in memory.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Image {
    /// The bytes from a place on.
    pub(super) fn from(&self, offset: usize) -> &[u8] {
        self.bytes.get(offset..).unwrap_or_default()
    }

    /// Writes over the segment, durably, with what was there kept as evidence. Returns where the evidence is.
    pub(super) fn patch(&mut self, offset: usize, patch: &[u8]) -> Result<PathBuf, OpenError> {
        let end = (offset + patch.len()).min(self.bytes.len());
        let old = self.bytes.get(offset..end).unwrap_or_default();
        let write = || {
            let bad = disk::keep_evidence(&self.path, old)?;
            disk::write_synced(&mut disk::open_both(&self.path)?, offset as u64, patch)?;
            Ok(bad)
        };
        let bad = write().map_err(|source| OpenError::Io { path: self.path.clone(), source })?;
        for (old, new) in self.bytes.iter_mut().skip(offset).zip(patch) {
            *old = *new;
        }
        Ok(bad)
    }

    pub(super) fn damaged(&self, offset: usize, seq: u64, what: &'static str) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), offset: offset as u64, seq, what }
    }
}

/// A batch whose frames are being read.
#[derive(Clone, Copy, Debug)]
struct OpenBatch {
    /// Where it begins, and the chain before it: what holds if it turns out to be torn.
    offset: usize,
    before: Chain,
    /// The index of the next frame.
    index: u32,
    count: u32,
}

/// The workcell that the log's headers name; `None` where there is no whole header.
pub(super) fn identify(log: &Path) -> Result<Option<Uuid>, OpenError> {
    let mut named = None;
    for first in segment::list(log).map_err(|source| OpenError::Io { path: log.to_owned(), source })? {
        let path = segment::path(log, first);
        let io = |source| OpenError::Io { path: path.clone(), source };
        let mut bytes = vec![0; SEGMENT_HEADER];
        let mut file = fs::File::open(&path).map_err(io)?;
        let size = disk::read_some(&mut file, 0, &mut bytes).map_err(io)?;
        bytes.truncate(size);
        match Header::decode(&bytes) {
            HeaderFound::Newer(format) => return Err(OpenError::Newer { path, format }),
            HeaderFound::Damaged => {}
            HeaderFound::Whole(header) => match named {
                None => named = Some(header.workcell),
                Some(workcell) if workcell == header.workcell => {}
                Some(workcell) => return Err(OpenError::Foreign { path, workcell, other: header.workcell }),
            },
        }
    }
    Ok(named)
}

/// Reads the log of a workcell, heals or clears what must be, and says where it ends. There must be a segment.
///
/// `size` is what a segment is taken to have been made with if its header can't be read, in bytes.
pub(super) fn recover(log: &Path, workcell: Uuid, size: u64, copies: &dyn Copies) -> Result<Recovered, OpenError> {
    let segments = segment::list(log).map_err(|source| OpenError::Io { path: log.to_owned(), source })?;
    let mut walk =
        Walk { workcell, size, copies, chain: Chain::default(), batch: None, healed: 0, torn: 0, alarms: Vec::new() };
    let mut tail = (Place { segment: 1, offset: 0 }, 0);
    for (at, first) in segments.iter().enumerate() {
        let mut image = walk.load(log, *first)?;
        walk.check_header(&mut image)?;
        let next = segments.get(at + 1).copied();
        let mut offset = walk.walk(&mut image, next)?;
        if next.is_none() {
            offset = walk.clear_torn(&mut image, offset)?;
        }
        tail = (Place { segment: *first, offset: offset as u64 }, image.bytes.len() as u64);
    }
    Ok(Recovered {
        segments,
        tail: tail.0,
        tail_size: tail.1,
        head: walk.chain.head,
        epoch: walk.chain.epoch,
        clean: walk.chain.clean,
        healed: walk.healed,
        torn: walk.torn,
        alarms: walk.alarms,
    })
}

struct Walk<'a> {
    workcell: Uuid,
    size: u64,
    copies: &'a dyn Copies,
    chain: Chain,
    batch: Option<OpenBatch>,
    healed: u64,
    torn: u64,
    alarms: Vec<String>,
}

impl Walk<'_> {
    /// Reads a segment. A file that has become shorter is filled up with zeros, which are then judged like any others.
    fn load(&mut self, log: &Path, first: u64) -> Result<Image, OpenError> {
        let path = segment::path(log, first);
        let io = |source| OpenError::Io { path: path.clone(), source };
        let mut bytes = fs::read(&path).map_err(io)?;
        let size = match Header::decode(&bytes) {
            HeaderFound::Newer(format) => return Err(OpenError::Newer { path, format }),
            HeaderFound::Whole(header) => usize::try_from(header.size).unwrap_or(usize::MAX),
            HeaderFound::Damaged => bytes.len().max(usize::try_from(self.size).unwrap_or(usize::MAX)),
        };
        if bytes.len() < size {
            let missing = vec![0; size - bytes.len()];
            let mut file = disk::open_both(&path).map_err(io)?;
            disk::write_synced(&mut file, bytes.len() as u64, &missing).map_err(io)?;
            self.alarms.push(format!("{} had lost its last {} bytes", path.display(), missing.len()));
        }
        bytes.resize(size.next_multiple_of(ALIGN), 0);
        Ok(Image { first, path, bytes })
    }

    fn check_header(&mut self, image: &mut Image) -> Result<(), OpenError> {
        let next = self.chain.next();
        if image.first != next {
            return Err(image.damaged(0, next, "the segment that begins with this entry is missing"));
        }
        let size = image.bytes.len() as u64;
        let expected = Header { workcell: self.workcell, first: next, size, previous: self.chain.head.hash };
        match Header::decode(&image.bytes) {
            HeaderFound::Whole(header) if header == expected => return Ok(()),
            HeaderFound::Whole(_) => return Err(image.damaged(0, next, "the header doesn't continue the chain")),
            HeaderFound::Newer(format) => return Err(OpenError::Newer { path: image.path.clone(), format }),
            HeaderFound::Damaged => {}
        }
        // A header follows from what stands before it, but it is only written again for a segment that is seen to be
        // the right one: by its first frame, or by the copy of that frame.
        let fits = |bytes: &[u8]| frame::decode(bytes).is_some_and(|first| self.chain.fits(&first.frame));
        let copy = || self.copies.copy(next).is_some_and(|(_, raw)| fits(&raw));
        if !fits(image.from(SEGMENT_HEADER)) && !copy() {
            return Err(image.damaged(0, next, "the header and the first frame can't be read"));
        }
        let bad = image.patch(0, &expected.encode())?;
        self.healed += 1;
        self.alarms.push(format!(
            "the header of {} was damaged and was written again; what stood there is in {}",
            image.path.display(),
            bad.display()
        ));
        Ok(())
    }

    /// Goes through a segment's frames up to the place where no frame follows. `next` is the first sequence number of
    /// the segment after it.
    fn walk(&mut self, image: &mut Image, next: Option<u64>) -> Result<usize, OpenError> {
        let mut offset = SEGMENT_HEADER;
        let mut patched = None;
        loop {
            while let Some(decoded) = frame::decode(image.from(offset)).filter(|decoded| self.fits(decoded)) {
                self.pass(&decoded, offset);
                offset += decoded.length;
            }
            match next {
                Some(next) if next == self.chain.next() && self.batch.is_none() => return Ok(offset),
                Some(_) => {}
                None if !self.durable_follows(image, offset) => return Ok(offset),
                None => {}
            }
            if patched.replace(offset) == Some(offset) {
                return Err(image.damaged(offset, self.chain.next(), "a copy fits the chain, but not its batch"));
            }
            let patch = heal::patch(image, offset, &self.chain, next, self.copies)?;
            let bad = image.patch(offset, &patch.bytes)?;
            self.healed += patch.frames;
            self.alarms.push(format!(
                "{} was damaged at byte {offset} and was healed from copies (entry {} on, {} bytes); what stood there is in {}",
                image.path.display(),
                self.chain.next(),
                patch.bytes.len(),
                bad.display()
            ));
        }
    }

    fn fits(&self, decoded: &Decoded) -> bool {
        let frame = &decoded.frame;
        let in_batch = match (self.batch, frame.kind) {
            (None, Kind::Event) => frame.index == 0 && frame.count > 0,
            (Some(batch), Kind::Event) => frame.index == batch.index && frame.count == batch.count,
            (batch, Kind::End) => batch.is_none(),
        };
        in_batch && self.chain.fits(frame)
    }

    fn pass(&mut self, decoded: &Decoded, offset: usize) {
        if decoded.frame.kind == Kind::Event {
            let (count, before) = (decoded.frame.count, self.chain);
            let mut batch = self.batch.unwrap_or(OpenBatch { offset, before, index: 0, count });
            batch.index += 1;
            self.batch = Some(batch).filter(|batch| batch.index < batch.count);
        }
        self.chain.pass(decoded);
    }

    /// Whether something after this place in the last segment proves that what stood here was durable.
    fn durable_follows(&self, image: &Image, offset: usize) -> bool {
        (offset..image.bytes.len()).step_by(ALIGN).any(|at| {
            let Some(Decoded { frame, .. }) = frame::decode(image.from(at)) else { return false };
            // A whole frame right here that doesn't fit was never written by us at this place.
            at == offset
                || match frame.kind {
                    Kind::End => frame.seq >= self.chain.head.seq,
                    Kind::Event => frame.batch_first() > self.chain.next() || self.begins_after_gap(&frame),
                }
        })
    }

    /// Whether the frame is the next batch's first: then an end frame stood in the gap before it.
    fn begins_after_gap(&self, frame: &frame::Frame) -> bool {
        self.batch.is_none() && frame.index == 0 && self.chain.fits(frame)
    }

    /// Goes back to before an unfinished batch and clears whatever stands from there on.
    fn clear_torn(&mut self, image: &mut Image, offset: usize) -> Result<usize, OpenError> {
        let cut = match self.batch.take() {
            Some(batch) => {
                self.chain = batch.before;
                batch.offset
            }
            None => offset,
        };
        let rest = image.from(cut);
        if let Some(last) = rest.iter().rposition(|byte| *byte != 0) {
            let zeros = vec![0; last + 1];
            image.patch(cut, &zeros)?;
            self.torn = zeros.len() as u64;
        }
        Ok(cut)
    }
}

/// No copies at all.
#[derive(Debug)]
pub(super) struct NoCopies;

impl Copies for NoCopies {
    fn copy(&self, _seq: u64) -> Option<(Place, Vec<u8>)> {
        None
    }

    fn workcell(&self) -> Option<Uuid> {
        None
    }
}

/// The copy of the frame that continues the chain, and where the original stood.
pub(super) fn fitting_copy(copies: &dyn Copies, chain: &Chain) -> Option<(Place, Vec<u8>, Decoded)> {
    let (place, raw) = copies.copy(chain.next())?;
    let decoded = frame::decode(&raw)?;
    let whole = decoded.length == raw.len() && decoded.frame.kind == Kind::Event && chain.fits(&decoded.frame);
    whole.then_some((place, raw, decoded))
}

/// The hash before the first entry.
pub(super) const NOTHING: EntryHash = [0; 32];

//! Looks at a log without changing a byte of it: what stands there, and where it stops making sense.

use super::frame::{self, ALIGN, Kind};
use super::recover::Chain;
use super::segment::{self, Header, HeaderFound, SEGMENT_HEADER};
use super::{Entry, Head, JournalError, LOG_FOLDER};
use std::fs;
use std::path::{Path, PathBuf};

/// What stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The workcell, where a header can be read.
    pub workcell: Option<String>,
    /// How many segments there are.
    pub segments: usize,
    /// The end of the unbroken chain.
    pub head: Head,
    /// The epoch of its last entry.
    pub epoch: u64,
    /// Whether it was closed in good order.
    pub clean: bool,
    /// Bytes after the end that are no frame: an append that was never acknowledged, or the damage.
    pub rest: usize,
    /// Where the chain breaks although later entries stand behind it; `None` for a sound log.
    pub broken: Option<Broken>,
}

/// A place where the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The segment.
    pub path: PathBuf,
    /// The byte in it.
    pub offset: u64,
    /// The entry that should stand there.
    pub seq: u64,
}

/// Reads a journal's log to the end of its unbroken chain, gives every entry to `each`, and changes nothing.
///
/// # Errors
/// [`JournalError::Io`] where a file can't be read.
pub fn verify(folder: &Path, mut each: impl FnMut(Entry)) -> Result<Verified, JournalError> {
    let log = folder.join(LOG_FOLDER);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| JournalError::Io { path, source }
    };
    let firsts = segment::list(&log).map_err(io(&log))?;
    let (mut chain, mut workcell, mut rest, mut broken) = (Chain::default(), None, 0, None);
    for (at, first) in firsts.iter().enumerate() {
        let path = segment::path(&log, *first);
        let bytes = fs::read(&path).map_err(io(&path))?;
        let here =
            |offset: usize, chain: &Chain| Broken { path: path.clone(), offset: offset as u64, seq: chain.next() };
        match Header::decode(&bytes) {
            HeaderFound::Whole(header) if *first == chain.next() => workcell = Some(header.workcell.to_string()),
            HeaderFound::Whole(_) | HeaderFound::Newer(_) | HeaderFound::Damaged => {
                broken = Some(here(0, &chain));
                break;
            }
        }
        let offset = walk(&bytes, &mut chain, &mut each);
        let last = at + 1 == firsts.len();
        let tail = bytes.get(offset..).unwrap_or_default();
        let frames_follow = || (0..tail.len()).step_by(ALIGN).any(|at| later(tail.get(at..), &chain));
        if last {
            rest = tail.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        }
        let continued = firsts.get(at + 1).is_some_and(|next| *next == chain.next());
        if !last && !continued || last && frames_follow() {
            broken = Some(here(offset, &chain));
            break;
        }
    }
    let (head, epoch, clean) = (chain.head, chain.epoch, chain.is_clean());
    Ok(Verified { workcell, segments: firsts.len(), head, epoch, clean, rest, broken })
}

/// Goes through the whole batches that fit; returns where the next frame would stand.
fn walk(bytes: &[u8], chain: &mut Chain, each: &mut impl FnMut(Entry)) -> usize {
    let (mut end, mut offset) = (SEGMENT_HEADER, SEGMENT_HEADER);
    let (mut ahead, mut batch) = (*chain, Vec::new());
    while let Some(decoded) = bytes.get(offset..).and_then(frame::decode).filter(|it| ahead.fits(&it.frame)) {
        ahead.pass(&decoded);
        offset += decoded.length;
        let whole = decoded.frame.kind == Kind::End || decoded.frame.ends_batch();
        if decoded.frame.kind == Kind::Event {
            let frame::Frame { seq, epoch, payload, .. } = decoded.frame;
            batch.push(Entry { seq, epoch, payload });
        }
        if whole {
            batch.drain(..).for_each(&mut *each);
            (*chain, end) = (ahead, offset);
        }
    }
    end
}

/// Whether a frame stands there that was only written once what should stand before it was durable.
fn later(bytes: Option<&[u8]>, chain: &Chain) -> bool {
    bytes.and_then(frame::decode).is_some_and(|it| match it.frame.kind {
        Kind::End => it.frame.seq >= chain.head.seq,
        Kind::Event => it.frame.batch_first() > chain.next(),
    })
}

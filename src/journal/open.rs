//! Opens an embedded journal: the lock, the log's recovery, and what the index can add to it.

use super::embedded::EmbeddedJournal;
use super::frame;
use super::index::{self, Index};
use super::keeper::Charge;
use super::log::Log;
use super::recover::{self, Chain, Copies, NOTHING, NoCopies, fitting_copy};
use super::segment::{self, Spare, TakeError};
use super::{AppendError, JournalError, LOG_FOLDER, disk, lock};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// The smallest segment, in bytes: one header, a small batch and an end frame.
const MIN_SEGMENT: u64 = 1024;
/// The size of a segment unless another is asked for, in bytes.
const SEGMENT: u64 = 16 * 1024 * 1024;
/// The largest segment, in bytes: recovery holds one in memory.
const MAX_SEGMENT: u64 = 1024 * 1024 * 1024;

/// How a journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The size of a new segment, in bytes: a multiple of 8 from 1 KiB to 1 GiB. Segments that exist keep theirs.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT }
    }
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// How many damaged frames and headers were written again from copies.
    pub healed: u64,
    /// How many bytes of an append that was never acknowledged were cleared.
    pub torn: u64,
    /// How many acknowledged entries the log had lost at its end and were appended again from the index.
    pub adopted_tail: u64,
    /// What a person should look at, a sentence each.
    pub alarms: Vec<String>,
    /// Whether the journal had been closed in good order, or is new.
    pub clean: bool,
}

/// Why a journal can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk said no.
    #[error("the journal's {path} can't be read or written: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The folder has an owner.
    #[error("another process owns {folder}: stop it first, or ask it")]
    Locked {
        /// The journal's folder.
        folder: PathBuf,
    },
    /// Locks and syncs don't mean enough there.
    #[error("{folder} is on a network file system ({file_system}): a journal needs a local disk")]
    Network {
        /// The journal's folder.
        folder: PathBuf,
        /// The kind of file system.
        file_system: String,
    },
    /// Written by a later version.
    #[error("{path} has format {format}, written by a newer version; this one reads up to {}", segment::FORMAT)]
    Newer {
        /// The segment.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// What was durable can't be read, and no copy can take its place.
    #[error("the journal is damaged: {path} at byte {offset}, where entry {seq} should stand: {what}")]
    Damaged {
        /// The segment, or the index.
        path: PathBuf,
        /// The place in it, in bytes.
        offset: u64,
        /// The first entry concerned.
        seq: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Segments of two journals in one folder.
    #[error("{path} belongs to workcell {other}, the segments before it to {workcell}")]
    Foreign {
        /// The segment.
        path: PathBuf,
        /// The workcell of the earlier segments.
        workcell: Uuid,
        /// Its own.
        other: Uuid,
    },
    /// A segment size out of bounds.
    #[error("segments of {bytes} bytes: a multiple of 8 from {MIN_SEGMENT} to {MAX_SEGMENT} is needed")]
    SegmentSize {
        /// What was asked for.
        bytes: u64,
    },
    /// The log was recovered but could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Lost entries could not be appended again.
    #[error("entries that the log had lost can't be appended again: {0}")]
    Adopt(#[source] AppendError),
}

/// Opens the journal in a folder; see [`EmbeddedJournal::open_with`].
pub(super) fn open(folder: &Path, options: Options) -> Result<(EmbeddedJournal, Opened), OpenError> {
    let size = options.segment_bytes;
    if !(MIN_SEGMENT..=MAX_SEGMENT).contains(&size) || !size.is_multiple_of(frame::ALIGN as u64) {
        return Err(OpenError::SegmentSize { bytes: size });
    }
    let path = folder.join(LOG_FOLDER);
    let io = |source| OpenError::Io { path: path.clone(), source };
    fs::create_dir_all(&path).and_then(|()| disk::sync_folder(folder)).map_err(io)?;
    lock::refuse_network(folder)?;
    let lock = lock::take(folder)?;

    let named = recover::identify(&path)?;
    let mut opened = Opened::default();
    let index = index_of(folder, named, &mut opened.alarms);
    let spare = Arc::new(Spare::find(&path, size).map_err(io)?);
    let (log, new) = open_log(path, named, spare, index.as_ref(), &mut opened)?;
    let (log, index, applied) = reconcile(log, folder, index, &mut opened)?;

    if let Err(error) = log.spare.ensure() {
        opened.alarms.push(format!("no spare segment can be made, so nothing new should be begun: {error}"));
    }
    let clean = log.is_clean() && opened.healed == 0 && opened.torn == 0 && opened.adopted_tail == 0;
    opened.clean = clean || (new && opened.adopted_tail == 0);
    let charge = Charge {
        journal: folder.to_owned(),
        log: log.folder.clone(),
        workcell: log.workcell,
        spare: Arc::clone(&log.spare),
        index,
        applied,
    };
    Ok((EmbeddedJournal::start(log, charge, lock), opened))
}

/// Opens the index, another one if it can't be read or is another workcell's.
fn index_of(folder: &Path, named: Option<Uuid>, alarms: &mut Vec<String>) -> Option<Index> {
    let path = index::folder(folder);
    let (mut index, said) = Index::open_or_replace(&path);
    alarms.extend(said.map(|said| format!("the index can't be read: {said}")));
    let owner = index.as_ref().and_then(Copies::workcell);
    if owner.is_some() && named.is_some() && owner != named {
        drop(index);
        let (another, said) = Index::replace(&path, "the index is another workcell's");
        alarms.extend(said);
        index = another;
    }
    index
}

/// Recovers the log, or begins one. Returns whether it is new.
fn open_log(
    path: PathBuf,
    named: Option<Uuid>,
    spare: Arc<Spare>,
    index: Option<&Index>,
    opened: &mut Opened,
) -> Result<(Log, bool), OpenError> {
    let copies: &dyn Copies = index.map_or(&NoCopies, |index| index);
    let io = |source| OpenError::Io { path: path.clone(), source };
    let new = segment::list(&path).map_err(io)?.is_empty();
    let workcell = match named.or_else(|| copies.workcell()) {
        Some(workcell) => workcell,
        None if new => Uuid::now_v7(),
        None => {
            let what = "no segment has a whole header, so that the workcell is unknown";
            return Err(OpenError::Damaged { path, offset: 0, seq: 1, what });
        }
    };
    if new {
        spare.take(workcell, 1, NOTHING).map_err(|error| match error {
            TakeError::None(source) | TakeError::Unknown(source) => io(source),
        })?;
    }
    let mut recovered = recover::recover(&path, workcell, spare.size(), copies)?;
    opened.healed = recovered.healed;
    opened.torn = recovered.torn;
    opened.alarms.append(&mut recovered.alarms);
    Ok((Log::open(path, workcell, spare, recovered)?, new))
}

/// Takes from the index what the log has lost at its end, and makes sure that the index is the log's own.
///
/// Returns how far the index goes, places included.
fn reconcile(
    mut log: Log,
    folder: &Path,
    index: Option<Index>,
    opened: &mut Opened,
) -> Result<(Log, Option<Index>, u64), OpenError> {
    let Some(index) = index else { return Ok((log, None, 0)) };
    let before = log.head.seq;
    opened.adopted_tail = adopt(&mut log, &index)?;
    if opened.adopted_tail > 0 {
        opened.alarms.push(format!(
            "the log had lost its acknowledged entries {} to {}; they were appended again from the index",
            before + 1,
            log.head.seq
        ));
    }
    let (index, applied) = match agrees(&log, &index)? {
        Agreement::Agrees(applied) => (Some(index), applied.min(before)),
        Agreement::Ahead => {
            let what = "the index knows of later acknowledged entries but lacks the one that follows the log's end; \
                        only without the index's folder can the journal go on, and then without these entries";
            return Err(OpenError::Damaged { path: index::folder(folder), offset: 0, seq: log.head.seq + 1, what });
        }
        Agreement::Differs(why) => {
            drop(index);
            let (index, said) = Index::replace(&index::folder(folder), why);
            opened.alarms.extend(said);
            (index, 0)
        }
    };
    let index = index.filter(|index| index.claim(log.workcell).is_ok());
    Ok((log, index, applied))
}

/// Appends the whole batches that continue the log; returns how many entries they held.
fn adopt(log: &mut Log, copies: &dyn Copies) -> Result<u64, OpenError> {
    let before = log.head.seq;
    while let Some((bytes, chain)) = whole_batch(Chain::after(log.head, log.epoch), copies) {
        log.commit(&bytes, chain.head, chain.epoch).map_err(OpenError::Adopt)?;
    }
    Ok(log.head.seq - before)
}

/// The copies of the next batch, if all of it is there.
fn whole_batch(mut chain: Chain, copies: &dyn Copies) -> Option<(Vec<u8>, Chain)> {
    let mut bytes = Vec::new();
    for index in 0.. {
        let (_, raw, decoded) = fitting_copy(copies, &chain)?;
        if decoded.frame.index != index {
            return None;
        }
        bytes.extend_from_slice(&raw);
        chain.pass(&decoded);
        if decoded.frame.ends_batch() {
            break;
        }
    }
    Some((bytes, chain))
}

/// How the index stands to the log.
enum Agreement {
    /// It is an index of this log up to an entry.
    Agrees(u64),
    /// It is one, and goes past the log's end.
    Ahead,
    /// It isn't, or can't be read.
    Differs(&'static str),
}

fn agrees(log: &Log, index: &Index) -> Result<Agreement, OpenError> {
    let Ok(applied) = index.applied() else { return Ok(Agreement::Differs("the index can't be read")) };
    let differs = Agreement::Differs("the index doesn't belong to this log");
    if applied.seq <= log.head.seq {
        let hint = index.place(applied.seq).ok().flatten();
        let same = log.hash_at(applied.seq, hint)? == applied.hash;
        return Ok(if same { Agreement::Agrees(applied.seq) } else { differs });
    }
    let at_head = index.copy(log.head.seq).and_then(|(_, raw)| frame::decode(&raw));
    Ok(if at_head.is_some_and(|copy| copy.hash != log.head.hash) { differs } else { Agreement::Ahead })
}

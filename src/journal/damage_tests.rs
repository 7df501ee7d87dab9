//! Torn writes and damaged bytes, everywhere in a log: healed, cleared or refused, never silently wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::frame::ALIGN;
use super::log::Log;
use super::open::OpenError;
use super::reader::{Found, LogReader, Place};
use super::recover::{self, Copies, NOTHING, NoCopies, Recovered};
use super::segment::{self, SEGMENT_HEADER, Spare};
use super::testing::payload;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// Segments small enough that a few batches fill one.
const TINY: u64 = 1024;
const WORKCELL: Uuid = Uuid::from_bytes([5; 16]);

/// A folder, in memory where the system offers that: these tests write some thousands of logs, and none needs a disk.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[derive(Default)]
struct Kept(BTreeMap<u64, (Place, Vec<u8>)>);

impl Copies for Kept {
    fn copy(&self, seq: u64) -> Option<(Place, Vec<u8>)> {
        self.0.get(&seq).cloned()
    }

    fn workcell(&self) -> Option<Uuid> {
        Some(WORKCELL)
    }
}

/// A log as it was written, to be damaged again and again.
struct Written {
    files: BTreeMap<String, Vec<u8>>,
    frames: Vec<Found>,
    copies: Kept,
    /// How many entries there were before the last batch.
    before_last: usize,
}

fn open(folder: &Path, copies: &dyn Copies) -> Result<(Log, Recovered), OpenError> {
    let spare = Arc::new(Spare::find(folder, TINY).unwrap());
    if segment::list(folder).unwrap().is_empty() {
        spare.take(WORKCELL, 1, NOTHING).unwrap();
    }
    let recovered = recover::recover(folder, WORKCELL, TINY, copies)?;
    let again = recover::recover(folder, WORKCELL, TINY, &NoCopies).unwrap();
    assert_eq!((again.healed, again.torn, again.head), (0, 0, recovered.head), "recovery is done at once");
    Ok((Log::open(folder.to_owned(), WORKCELL, spare, again).unwrap(), recovered))
}

fn frames(log: &Log) -> Vec<Found> {
    let mut reader = LogReader::at_segment(&log.folder, 1).unwrap();
    (0..log.head.seq).map(|_| reader.frame().unwrap()).collect()
}

/// Writes batches of so many frames each; `ends` says after which batches the log is closed in good order.
fn written(batches: &[u64], ends: &[usize]) -> Written {
    let folder = scratch();
    let (mut log, _) = open(folder.path(), &NoCopies).unwrap();
    let mut before_last = 0;
    for (number, batch) in batches.iter().enumerate() {
        before_last = usize::try_from(log.head.seq).unwrap();
        let payloads: Vec<_> = (0..*batch).map(|n| payload(log.head.seq + n + 1, 20)).collect();
        log.append(log.head.seq, 1, &payloads).unwrap();
        if ends.contains(&number) {
            log.end().unwrap();
        }
    }
    let frames = frames(&log);
    let copies = frames.iter().map(|found| (found.decoded.frame.seq, (found.place, found.raw.clone()))).collect();
    let files = segment::list(folder.path()).unwrap().into_iter().map(|first| segment::path(folder.path(), first));
    let named =
        |path: std::path::PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap());
    Written { files: files.map(named).collect(), frames, copies: Kept(copies), before_last }
}

impl Written {
    /// The log with one of its files changed, recovered.
    fn with(
        &self,
        changed: &str,
        change: impl Fn(&mut Vec<u8>),
        copies: &dyn Copies,
    ) -> Result<(Vec<Found>, Recovered), OpenError> {
        let folder = scratch();
        for (name, bytes) in &self.files {
            let mut bytes = bytes.clone();
            if name == changed {
                change(&mut bytes);
            }
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let (mut log, recovered) = open(folder.path(), copies)?;
        let found = frames(&log);
        // Whatever was found, the log goes on from there.
        log.append(log.head.seq, 1, &[b"more".to_vec()]).unwrap();
        let head = log.head;
        assert_eq!(open(folder.path(), &NoCopies).unwrap().1.head, head);
        Ok((found, recovered))
    }

    fn equals(&self, found: &[Found], count: usize) -> bool {
        let raw = |frames: &[Found]| frames.iter().map(|found| found.raw.clone()).collect::<Vec<_>>();
        raw(found) == raw(self.frames.get(..count).unwrap())
    }

    fn last_file(&self) -> &str {
        self.files.keys().next_back().unwrap()
    }

    /// The places at which bytes are changed: all that is used, and some of what is free.
    fn places(&self) -> Vec<(&str, usize)> {
        let of = |(name, bytes): (&'_ String, &Vec<u8>)| {
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            (name.clone(), (0..used).chain((used..bytes.len()).step_by(29)).collect::<Vec<_>>())
        };
        let mut places = Vec::new();
        for (name, (_, offsets)) in self.files.keys().zip(self.files.iter().map(of)) {
            places.extend(offsets.into_iter().map(|offset| (name.as_str(), offset)));
        }
        places
    }
}

fn flip(bytes: &mut [u8], at: usize) {
    *bytes.get_mut(at).unwrap() ^= 0x41;
}

#[test]
fn an_append_torn_at_any_byte_is_cleared_as_a_whole() {
    for batches in [&[2, 1, 1][..], &[1, 3], &[3, 2, 1, 2, 2, 3]] {
        let log = written(batches, &[]);
        let whole = log.frames.len();
        let first = log.frames.get(log.before_last).unwrap().place.offset;
        let start = usize::try_from(first).unwrap();
        let bytes = log.files.get(log.last_file()).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for cut in start..end {
            let cleared = |bytes: &mut Vec<u8>| bytes.iter_mut().skip(cut).for_each(|byte| *byte = 0);
            let (found, recovered) = log.with(log.last_file(), cleared, &NoCopies).unwrap();
            assert!(log.equals(&found, log.before_last), "cut at {cut}");
            assert_eq!(recovered.torn > 0, cut > start, "cut at {cut}: {recovered:?}");
            assert_eq!(recovered.healed, 0);
        }
        let (found, recovered) = log.with(log.last_file(), |_| {}, &NoCopies).unwrap();
        assert!(log.equals(&found, whole) && recovered.torn == 0);
    }
}

#[test]
fn the_parts_of_an_append_may_reach_the_disk_in_any_order() {
    let log = written(&[2, 4], &[]);
    let lengths: Vec<_> = log.frames.iter().skip(log.before_last).map(|found| found.raw.len()).collect();
    let start = usize::try_from(log.frames.get(log.before_last).unwrap().place.offset).unwrap();
    for present in 0..15_u32 {
        let lose = |bytes: &mut Vec<u8>| {
            let mut at = start;
            for (frame, length) in lengths.iter().enumerate() {
                let lost = present & (1 << frame) == 0;
                bytes.iter_mut().skip(at).take(length * usize::from(lost)).for_each(|byte| *byte = 0);
                at += length;
            }
        };
        let (found, recovered) = log.with(log.last_file(), lose, &NoCopies).unwrap();
        assert!(log.equals(&found, log.before_last), "frames {present:04b}");
        assert_eq!((recovered.torn > 0, recovered.healed), (present != 0, 0));
    }
}

#[test]
fn every_flipped_byte_is_healed_from_copies() {
    let log = written(&[2, 1, 3, 2, 1, 1, 2, 3], &[2, 7]);
    assert!(log.files.len() >= 2);
    let mut healed = 0;
    for (name, at) in log.places() {
        let (found, recovered) = log.with(name, |bytes| flip(bytes, at), &log.copies).unwrap();
        assert!(log.equals(&found, log.frames.len()), "{name}, byte {at}");
        assert_eq!(recovered.healed > 0, !recovered.alarms.is_empty());
        healed += recovered.healed;
    }
    assert!(healed > 500, "{healed}");
}

#[test]
fn without_copies_every_flipped_byte_is_refused_or_harmless_after_an_orderly_close() {
    let log = written(&[2, 1, 3, 2, 1, 1, 2, 3], &[2, 7]);
    let mut refused = 0;
    for (name, at) in log.places() {
        match log.with(name, |bytes| flip(bytes, at), &NoCopies) {
            Ok((found, _)) => assert!(log.equals(&found, log.frames.len()), "{name}, byte {at}"),
            Err(OpenError::Damaged { seq, .. }) => {
                assert!(seq <= log.frames.len() as u64);
                refused += 1;
            }
            Err(error) => panic!("{name}, byte {at}: {error}"),
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn after_a_crash_only_the_very_last_append_can_look_torn() {
    let log = written(&[2, 1, 3, 2, 1, 1, 2, 3], &[2]);
    let last = log.frames.get(log.before_last).unwrap().place.offset;
    for (name, at) in log.places() {
        match log.with(name, |bytes| flip(bytes, at), &NoCopies) {
            Ok((found, _)) if log.equals(&found, log.frames.len()) => {}
            Ok((found, recovered)) => {
                assert!(log.equals(&found, log.before_last), "{name}, byte {at}");
                assert!(name == log.last_file() && at as u64 >= last && recovered.torn > 0, "{name}, byte {at}");
            }
            Err(OpenError::Damaged { .. }) => {}
            Err(error) => panic!("{name}, byte {at}: {error}"),
        }
    }
}

#[test]
fn a_lost_block_is_healed_wherever_it_is() {
    let log = written(&[2, 1, 3, 2, 1, 1, 2, 3], &[2, 7]);
    for (name, bytes) in &log.files {
        for block in 0..bytes.len() / 128 {
            for fill in [0, 0xa5] {
                let lose = |bytes: &mut Vec<u8>| {
                    bytes.iter_mut().skip(block * 128).take(128).for_each(|byte| *byte = fill);
                };
                match log.with(name, lose, &log.copies) {
                    // Entries lost at the log's end are appended again by who opens the journal, not here.
                    Ok((found, _)) => {
                        let whole = log.equals(&found, log.frames.len());
                        assert!(whole || name == log.last_file(), "{name}, block {block}");
                        assert!(log.equals(&found, found.len()), "{name}, block {block}");
                    }
                    Err(error) => panic!("{name}, block {block}, {fill}: {error}"),
                }
            }
        }
    }
}

#[test]
fn a_damaged_end_mark_inside_the_log_needs_no_copy() {
    let log = written(&[1, 2], &[0]);
    let second = usize::try_from(log.frames.get(1).unwrap().place.offset).unwrap();
    let (found, recovered) = log.with(log.last_file(), |bytes| flip(bytes, second - 8), &NoCopies).unwrap();
    assert!(log.equals(&found, 3) && recovered.healed == 1);
}

#[test]
fn a_copy_that_does_not_fit_the_chain_heals_nothing() {
    let log = written(&[1, 1, 1], &[2]);
    let other = written(&[1, 2, 1], &[]);
    let copies = Kept(other.copies.0.into_iter().filter(|(seq, _)| *seq == 2).collect());
    let second = usize::try_from(log.frames.get(1).unwrap().place.offset).unwrap();
    let refused = log.with(log.last_file(), |bytes| flip(bytes, second), &copies);
    assert!(matches!(refused, Err(OpenError::Damaged { seq: 2, .. })), "{:?}", refused.err());
}

#[test]
fn a_shortened_segment_is_filled_up_and_healed() {
    let log = written(&[2, 1, 3, 2, 1, 1, 2, 3], &[7]);
    let first = log.files.keys().next().unwrap();
    for keep in [0, 50, SEGMENT_HEADER, 200, 500] {
        let (found, recovered) = log.with(first, |bytes| bytes.truncate(keep), &log.copies).unwrap();
        assert!(log.equals(&found, log.frames.len()), "kept {keep}");
        assert!(recovered.healed > 0 && !recovered.alarms.is_empty());
        assert!(log.with(first, |bytes| bytes.truncate(keep), &NoCopies).is_err());
    }
}

#[test]
fn a_missing_segment_is_named() {
    let mut log = written(&[2, 1, 3, 2, 1, 1, 2, 3, 3, 3, 3], &[]);
    assert!(log.files.len() >= 3);
    for gone in [0, 1] {
        let name = log.files.keys().nth(gone).unwrap().clone();
        let bytes = log.files.remove(&name).unwrap();
        let refused = log.with("none", |_| {}, &log.copies).err().unwrap();
        assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
        log.files.insert(name, bytes);
    }
}

#[test]
fn swapped_and_repeated_frames_are_refused() {
    let log = written(&[1, 1, 1, 1], &[3]);
    let at = |index: usize| usize::try_from(log.frames.get(index).unwrap().place.offset).unwrap();
    let length = log.frames.first().unwrap().raw.len();
    assert_eq!(length % ALIGN, 0);
    let swap = |bytes: &mut Vec<u8>| {
        let (one, two) = bytes.split_at_mut(at(2));
        one.get_mut(at(1)..at(1) + length).unwrap().swap_with_slice(two.get_mut(..length).unwrap());
    };
    let repeat = |bytes: &mut Vec<u8>| bytes.copy_within(at(0)..at(0) + length, at(1));
    for refused in [log.with(log.last_file(), swap, &NoCopies), log.with(log.last_file(), repeat, &NoCopies)] {
        assert!(matches!(refused, Err(OpenError::Damaged { seq: 2, .. })), "{:?}", refused.err());
    }
    let (found, _) = log.with(log.last_file(), swap, &log.copies).unwrap();
    assert!(log.equals(&found, 4));
}

//! The embedded journal as a whole: its folder, its index, its spare segment.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::frame::Frame;
use super::index::{self, Index};
use super::reader::{Found, LogReader, Place};
use super::recover::Copies as _;
use super::segment::{self, Header, HeaderFound};
use super::testing::{SMALL, all, append, fill, open_small, payload};
use super::{AppendError, EmbeddedJournal, Journal, OpenError, Options};
use std::fs;
use std::path::{Path, PathBuf};

/// Fills a journal, closes it in good order and returns its entries.
fn filled(folder: &Path, batches: u64) -> Vec<super::Entry> {
    let (mut journal, _) = open_small(folder);
    fill(&mut journal, batches);
    let entries = all(&journal);
    Box::new(journal).close().unwrap();
    entries
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let log = folder.join("log");
    segment::list(&log).unwrap().into_iter().map(|first| segment::path(&log, first)).collect()
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Where the frame of an entry stands.
fn found(folder: &Path, seq: u64) -> Found {
    let log = folder.join("log");
    LogReader::seek(&log, &segment::list(&log).unwrap(), seq, None).unwrap().frame().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_folder_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open_small(folder.path());
    let refused = EmbeddedJournal::open(folder.path()).err().unwrap();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains(folder.path().to_str().unwrap()), "{refused}");
    drop(journal);
    EmbeddedJournal::open(folder.path()).unwrap();
}

#[test]
fn only_an_orderly_close_is_called_clean() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, opened) = open_small(folder.path());
    assert!(opened.clean, "a new journal: {opened:?}");
    fill(&mut journal, 2);
    drop(journal);
    let (journal, opened) = open_small(folder.path());
    assert!(!opened.clean);
    Box::new(journal).close().unwrap();
    let (journal, opened) = open_small(folder.path());
    assert!(opened.clean && opened.alarms.is_empty(), "{opened:?}");
    Box::new(journal).close().unwrap();
    assert!(open_small(folder.path()).1.clean, "nothing was appended since");
}

#[test]
fn many_small_segments_hold_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open_small(folder.path());
    for round in 0..20 {
        fill(&mut journal, 10);
        let entries = all(&journal);
        assert_eq!(entries.len() as u64, journal.head().seq);
        if round % 3 == 0 {
            drop(journal);
            journal = open_small(folder.path()).0;
            assert_eq!(all(&journal), entries);
        }
    }
    assert!(segments(folder.path()).len() > 20);
    for path in segments(folder.path()) {
        assert_eq!(fs::metadata(path).unwrap().len(), SMALL);
    }
}

#[test]
fn segments_of_another_size_are_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let before = filled(folder.path(), 20);
    let options = Options { segment_bytes: 4 * SMALL };
    let (mut journal, _) = EmbeddedJournal::open_with(folder.path(), options).unwrap();
    assert_eq!(all(&journal), before);
    fill(&mut journal, 60);
    let entries = all(&journal);
    drop(journal);
    assert_eq!(all(&open_small(folder.path()).0), entries);
}

#[test]
fn a_batch_that_fits_no_segment_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open_small(folder.path());
    let refused = journal.append(0, 1, &[payload(1, 2000)]);
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })), "{refused:?}");
    journal.append(0, 1, &[payload(1, 1700)]).unwrap();
    for bytes in [0, 1000, 1028, u64::MAX] {
        let other = tempfile::tempdir().unwrap();
        let refused = EmbeddedJournal::open_with(other.path(), Options { segment_bytes: bytes }).err();
        assert!(matches!(refused, Some(OpenError::SegmentSize { .. })), "{refused:?}");
    }
}

#[test]
fn a_full_disk_is_met_where_the_spare_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open_small(folder.path());
    assert!(journal.has_spare());
    // Something stands where the spare would be made: the same to the journal as a disk without room.
    let obstacle = folder.path().join("log/spare.unfinished");
    fs::create_dir(&obstacle).unwrap();
    let refused = loop {
        let head = journal.head().seq;
        match journal.append(head, 1, &[payload(head, 100)]) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::NoSpare(_)), "{refused}");
    assert!(!journal.has_spare() && segments(folder.path()).len() == 2, "the spare that was there was used up first");
    fs::remove_dir(&obstacle).unwrap();
    append(&mut journal, &[payload(1, 100)]);
    let entries = all(&journal);
    drop(journal);
    assert_eq!(all(&open_small(folder.path()).0), entries);
}

#[test]
fn a_failed_write_poisons_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open_small(folder.path());
    fill(&mut journal, 2);
    let (head, path) = (journal.head(), segments(folder.path()).pop().unwrap());
    // A handle that may only read makes the write fail.
    journal.log.file = fs::File::open(path).unwrap();
    let failed = journal.append(head.seq, 1, &[payload(1, 1)]);
    assert!(matches!(failed, Err(AppendError::Unknown(_))), "{failed:?}");
    assert!(matches!(journal.append(head.seq, 1, &[payload(1, 1)]), Err(AppendError::Poisoned)));
    Box::new(journal).close().unwrap();
    let (mut journal, opened) = open_small(folder.path());
    assert_eq!((journal.head(), opened.clean), (head, false));
    append(&mut journal, &[payload(1, 1)]);
}

#[test]
fn a_newer_format_and_another_journal_s_segment_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 30);
    let path = segments(folder.path()).pop().unwrap();
    let original = fs::read(&path).unwrap();
    change(&path, |bytes| {
        *bytes.get_mut(8).unwrap() = 2;
        let check = crc32c::crc32c(bytes.get(..92).unwrap());
        bytes.get_mut(92..96).unwrap().copy_from_slice(&check.to_le_bytes());
    });
    let refused = EmbeddedJournal::open(folder.path()).err().unwrap();
    assert!(matches!(refused, OpenError::Newer { format: 2, .. }), "{refused}");

    fs::write(&path, original).unwrap();
    change(&path, |bytes| {
        let HeaderFound::Whole(header) = Header::decode(bytes) else { panic!("a whole header") };
        let foreign = Header { workcell: uuid::Uuid::now_v7(), ..header }.encode();
        bytes.get_mut(..foreign.len()).unwrap().copy_from_slice(&foreign);
    });
    let refused = EmbeddedJournal::open(folder.path()).err().unwrap();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
}

#[test]
fn damage_is_healed_from_the_index_and_kept_as_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let entries = filled(folder.path(), 40);
    for seq in [2, 30, entries.len() as u64] {
        let place = found(folder.path(), seq).place;
        let path = segment::path(&folder.path().join("log"), place.segment);
        change(&path, |bytes| *bytes.get_mut(usize::try_from(place.offset).unwrap() + 80).unwrap() ^= 1);
        let (journal, opened) = open_small(folder.path());
        assert_eq!((opened.healed, opened.alarms.len(), opened.clean), (1, 1, false), "{opened:?}");
        assert_eq!(all(&journal), entries);
        Box::new(journal).close().unwrap();
    }
    let evidence = names(&folder.path().join("log")).into_iter().filter(|name| name.contains(".bad.")).count();
    assert_eq!(evidence, 3);
    assert!(open_small(folder.path()).1.clean);
}

#[test]
fn damage_without_an_index_is_refused_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 10);
    fs::remove_dir_all(folder.path().join("sled")).unwrap();
    let place = found(folder.path(), 4).place;
    let path = segments(folder.path()).remove(0);
    let original = fs::read(&path).unwrap();
    change(&path, |bytes| *bytes.get_mut(usize::try_from(place.offset).unwrap()).unwrap() ^= 1);
    let refused = EmbeddedJournal::open(folder.path()).err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { seq: 4, offset, .. } if offset == place.offset), "{refused}");
    assert!(refused.to_string().contains(path.to_str().unwrap()));
    fs::write(&path, original).unwrap();
    EmbeddedJournal::open(folder.path()).unwrap();
}

#[test]
fn a_lost_tail_is_appended_again_from_the_index_with_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let entries = filled(folder.path(), 25);
    for (lost_from, as_zeros) in
        [(entries.len() as u64, true), (entries.len() as u64 - 4, true), (20, false), (1, false)]
    {
        // Everything from this entry's frame on is lost: zeroed, or with the segments that held it.
        let place = found(folder.path(), lost_from).place;
        for first in segment::list(&folder.path().join("log")).unwrap() {
            let path = segment::path(&folder.path().join("log"), first);
            let emptied = first == place.segment && !as_zeros && place.offset == 96;
            if first > place.segment || emptied {
                fs::remove_file(path).unwrap();
            } else if first == place.segment {
                let from = usize::try_from(place.offset).unwrap();
                change(&path, |bytes| bytes.iter_mut().skip(from).for_each(|byte| *byte = 0));
            }
        }
        let (journal, opened) = open_small(folder.path());
        assert!(opened.adopted_tail > entries.len() as u64 - lost_from, "{opened:?}");
        assert!(!opened.clean && opened.alarms.iter().any(|alarm| alarm.contains("lost")), "{opened:?}");
        assert_eq!(all(&journal), entries);
        Box::new(journal).close().unwrap();
        let (journal, opened) = open_small(folder.path());
        assert!(opened.clean, "{opened:?}");
        assert_eq!(all(&journal), entries);
    }
}

/// The index of a closed journal.
fn open_index(folder: &Path) -> Index {
    Index::open(&index::folder(folder)).unwrap()
}

#[test]
fn a_deleted_index_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let entries = filled(folder.path(), 200);
    fs::remove_dir_all(folder.path().join("sled")).unwrap();
    let (journal, opened) = open_small(folder.path());
    assert!(opened.clean && opened.alarms.is_empty(), "{opened:?}");
    assert_eq!(all(&journal), entries);
    Box::new(journal).close().unwrap();
    let index = open_index(folder.path());
    assert_eq!(index.applied().unwrap().seq, entries.len() as u64);
    for seq in 1..=entries.len() as u64 {
        let found = found(folder.path(), seq);
        assert_eq!(index.copy(seq), Some((found.place, found.raw)), "entry {seq}");
    }
}

#[test]
fn a_corrupted_index_is_set_aside_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let entries = filled(folder.path(), 50);
    let sled = folder.path().join("sled");
    for round in 1..4 {
        for name in names(&sled) {
            let path = sled.join(name);
            if path.is_file() {
                change(&path, |bytes| bytes.iter_mut().step_by(3).for_each(|byte| *byte ^= 0x5a));
            }
        }
        let (journal, opened) = open_small(folder.path());
        assert_eq!(opened.alarms.len(), 1, "{opened:?}");
        assert!(sled.with_file_name(format!("sled.bad.{round}")).exists());
        assert_eq!(all(&journal), entries);
        Box::new(journal).close().unwrap();
        assert_eq!(open_index(folder.path()).applied().unwrap().seq, entries.len() as u64);
    }
}

#[test]
fn no_flipped_byte_in_the_index_changes_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let entries = filled(folder.path(), 20);
    let db = folder.path().join("sled/db");
    let pristine = fs::read(&db).unwrap();
    let used = pristine.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for at in (0..used).step_by(used / 24 + 1) {
        fs::remove_dir_all(folder.path().join("sled")).unwrap();
        let (journal, _) = open_small(folder.path());
        Box::new(journal).close().unwrap();
        change(&db, |bytes| {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0x10;
            }
        });
        let (mut journal, _) = open_small(folder.path());
        assert_eq!(all(&journal), entries, "byte {at}");
        for seq in 1..=entries.len() as u64 {
            assert_eq!(journal.read(seq, 1).unwrap().first(), entries.get(usize::try_from(seq).unwrap() - 1));
        }
        assert_eq!(journal.newest_snapshot(1), None);
        journal.save_snapshot(3, 1, b"state").unwrap();
        assert_eq!(journal.newest_snapshot(1), Some((3, b"state".to_vec())));
    }
}

#[test]
fn the_index_of_another_journal_is_set_aside() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let entries = filled(one.path(), 10);
    filled(two.path(), 20);
    fs::remove_dir_all(one.path().join("sled")).unwrap();
    fs::rename(two.path().join("sled"), one.path().join("sled")).unwrap();
    let (journal, opened) = open_small(one.path());
    assert_eq!(opened.adopted_tail, 0);
    assert!(opened.alarms.iter().any(|alarm| alarm.contains("another workcell")), "{opened:?}");
    assert_eq!(all(&journal), entries);
}

#[test]
fn an_index_that_took_another_turn_never_overrides_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let entries = filled(folder.path(), 10);
    let head = entries.len() as u64;
    let mut other = found(folder.path(), head);
    other.decoded.frame = Frame { payload: b"never appended".to_vec(), ..other.decoded.frame };
    other.raw.clear();
    other.decoded.hash = other.decoded.frame.encode(&mut other.raw);
    open_index(folder.path()).apply(&[other]).unwrap();
    let (journal, opened) = open_small(folder.path());
    assert_eq!((opened.adopted_tail, opened.alarms.len()), (0, 1), "{opened:?}");
    assert_eq!(all(&journal), entries);
    assert!(folder.path().join("sled.bad.1").exists());
}

#[test]
fn an_index_ahead_of_the_log_with_a_gap_stops_the_opening() {
    let folder = tempfile::tempdir().unwrap();
    let entries = filled(folder.path(), 10);
    let head = entries.len() as u64;
    let mut later = found(folder.path(), head);
    later.decoded.frame.seq = head + 3;
    later.place = Place { segment: 1, offset: 1 << 20 };
    later.raw.clear();
    later.decoded.hash = later.decoded.frame.encode(&mut later.raw);
    open_index(folder.path()).apply(&[later]).unwrap();
    let refused = EmbeddedJournal::open(folder.path()).err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { seq, .. } if seq == head + 1), "{refused}");
    // A person decides, by taking the index away.
    fs::rename(folder.path().join("sled"), folder.path().join("sled.aside")).unwrap();
    assert_eq!(all(&open_small(folder.path()).0), entries);
}

#[test]
fn two_snapshots_of_the_present_version_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 30);
    for (seq, version) in [(5, 1), (10, 1), (15, 2), (20, 2), (25, 2), (30, 2)] {
        let (mut journal, _) = open_small(folder.path());
        journal.save_snapshot(seq, version, &payload(seq, 100_000)).unwrap();
        Box::new(journal).close().unwrap();
    }
    let index = open_index(folder.path());
    let kept: Vec<_> = index.snapshots_of(2).unwrap().into_iter().map(|snapshot| snapshot.seq).collect();
    assert_eq!((kept, index.snapshots_of(1).unwrap().len()), (vec![30, 25], 0));
}

#[test]
fn a_snapshot_of_a_state_that_is_not_in_the_log_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 30);
    let (mut journal, _) = open_small(folder.path());
    journal.save_snapshot(7, 1, b"seven").unwrap();
    Box::new(journal).close().unwrap();
    let foreign = index::Snapshot { seq: 9, version: 1, hash: [9; 32], bytes: b"another log's".to_vec() };
    open_index(folder.path()).save(&foreign).unwrap();
    assert_eq!(open_small(folder.path()).0.newest_snapshot(1), Some((7, b"seven".to_vec())));
}

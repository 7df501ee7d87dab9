//! The contract that every journal keeps: one suite, instantiated for each implementation.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::testing::{all, append, fill, open_small, payload};
use super::{AppendError, EmbeddedJournal, Journal, JournalError, MAX_BATCH, MAX_PAYLOAD, MemoryJournal, Options};

/// Opens the journal that a test is about, each time the same; the handle before must have been dropped.
type Open<'a> = &'a dyn Fn() -> Box<dyn Journal>;

macro_rules! contract {
    ($($fact:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $fact() { super::with_memory(super::$fact); })*
        }
        mod embedded {
            $(#[test] fn $fact() { super::with_embedded(super::$fact); })*
        }
    };
}

fn with_memory(fact: fn(Open<'_>)) {
    let journal = MemoryJournal::new();
    fact(&|| Box::new(journal.clone()));
}

fn with_embedded(fact: fn(Open<'_>)) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 512 * 1024 };
    fact(&|| Box::new(EmbeddedJournal::open_with(folder.path(), options).unwrap().0));
}

contract!(
    a_new_journal_is_empty_and_has_a_workcell,
    entries_come_back_in_order_as_they_were_appended,
    reading_keeps_to_its_limits,
    an_append_on_an_old_head_conflicts_and_writes_nothing,
    an_older_epoch_is_fenced_even_on_the_right_head,
    what_is_too_large_is_refused_and_writes_nothing,
    the_largest_payload_is_kept,
    an_empty_append_changes_nothing,
    a_crash_loses_nothing_acknowledged,
    an_orderly_close_loses_nothing,
    the_newest_snapshot_of_the_version_is_found,
    a_snapshot_survives_an_orderly_close,
    a_snapshot_past_the_head_is_refused,
    the_head_depends_on_every_entry_before_it,
);

fn a_new_journal_is_empty_and_has_a_workcell(open: Open<'_>) {
    let journal = open();
    assert_eq!((journal.head().seq, journal.head().hash, journal.epoch()), (0, [0; 32], 0));
    assert!(all(&*journal).is_empty());
    assert!(uuid::Uuid::parse_str(journal.workcell()).is_ok());
    assert!(journal.has_spare());
    assert_eq!(journal.newest_snapshot(1), None);
}

fn entries_come_back_in_order_as_they_were_appended(open: Open<'_>) {
    let mut journal = open();
    let first = journal.append(0, 3, &[payload(1, 0), payload(2, 100)]).unwrap();
    assert_eq!((first.seq, first), (2, journal.head()));
    let second = journal.append(2, 5, &[payload(3, 7)]).unwrap();
    assert_eq!((second.seq, journal.epoch()), (3, 5));
    let entries: Vec<_> = all(&*journal).into_iter().map(|entry| (entry.seq, entry.epoch, entry.payload)).collect();
    assert_eq!(entries, vec![(1, 3, payload(1, 0)), (2, 3, payload(2, 100)), (3, 5, payload(3, 7))]);
}

fn reading_keeps_to_its_limits(open: Open<'_>) {
    let mut journal = open();
    fill(&mut *journal, 30);
    let whole = all(&*journal);
    for from in 0..journal.head().seq + 3 {
        for limit in [0, 1, 2, 7, 1000] {
            let skip = usize::try_from(from.max(1) - 1).unwrap();
            let expected: Vec<_> = whole.iter().skip(skip).take(limit).cloned().collect();
            assert_eq!(journal.read(from, limit).unwrap(), expected, "from {from}, limit {limit}");
        }
    }
    // What is appended after a reading that came to the end is seen by the next.
    append(&mut *journal, &[payload(99, 9)]);
    assert_eq!(journal.read(journal.head().seq, 5).unwrap().len(), 1);
}

fn an_append_on_an_old_head_conflicts_and_writes_nothing(open: Open<'_>) {
    let mut journal = open();
    fill(&mut *journal, 2);
    let head = journal.head();
    for expected in [0, head.seq - 1, head.seq + 1] {
        let refused = journal.append(expected, 1, &[payload(9, 9)]);
        assert!(matches!(refused, Err(AppendError::Conflict { head: seen }) if seen == head), "{refused:?}");
    }
    assert_eq!((journal.head(), all(&*journal).len() as u64), (head, head.seq));
    append(&mut *journal, &[payload(4, 4)]);
}

fn an_older_epoch_is_fenced_even_on_the_right_head(open: Open<'_>) {
    let mut journal = open();
    journal.append(0, 7, &[payload(1, 1)]).unwrap();
    drop(journal);
    let mut journal = open();
    for expected in [0, 1] {
        let refused = journal.append(expected, 6, &[payload(2, 2)]);
        assert!(matches!(refused, Err(AppendError::Fenced { epoch: 7 })), "{refused:?}");
    }
    assert_eq!(journal.append(1, 7, &[payload(2, 2)]).unwrap().seq, 2);
    assert_eq!(journal.append(2, 8, &[payload(3, 3)]).unwrap().seq, 3);
}

fn what_is_too_large_is_refused_and_writes_nothing(open: Open<'_>) {
    let mut journal = open();
    let many = vec![Vec::new(); MAX_BATCH + 1];
    let long = vec![payload(1, MAX_PAYLOAD + 1)];
    let heavy = vec![payload(1, MAX_PAYLOAD); 129];
    for payloads in [many, long, heavy] {
        let refused = journal.append(0, 1, &payloads);
        assert!(matches!(refused, Err(AppendError::TooLarge { .. })), "{refused:?}");
    }
    assert_eq!(journal.head().seq, 0);
    append(&mut *journal, &[payload(1, 1)]);
    assert_eq!(all(&*open_again(journal, open)).len(), 1);
}

fn open_again(journal: Box<dyn Journal>, open: Open<'_>) -> Box<dyn Journal> {
    drop(journal);
    open()
}

fn the_largest_payload_is_kept(open: Open<'_>) {
    let mut journal = open();
    for number in 0..20 {
        append(&mut *journal, &[payload(number, MAX_PAYLOAD), payload(number + 100, MAX_PAYLOAD - 1)]);
    }
    let before = all(&*journal);
    let journal = open_again(journal, open);
    assert_eq!(all(&*journal), before);
    assert_eq!(before.last().unwrap().payload, payload(119, MAX_PAYLOAD - 1));
}

fn an_empty_append_changes_nothing(open: Open<'_>) {
    let mut journal = open();
    fill(&mut *journal, 1);
    let head = journal.head();
    assert_eq!(journal.append(head.seq, 9, &[]).unwrap(), head);
    assert_eq!((journal.head(), journal.epoch()), (head, 0));
}

fn a_crash_loses_nothing_acknowledged(open: Open<'_>) {
    let mut journal = open();
    let workcell = journal.workcell().to_owned();
    for round in 0..5 {
        fill(&mut *journal, 4);
        let (head, entries, epoch) = (journal.head(), all(&*journal), round + 1);
        journal.append(head.seq, epoch, &[payload(round, 11)]).unwrap();
        let head = journal.head();
        journal = open_again(journal, open);
        assert_eq!((journal.head(), journal.epoch(), journal.workcell()), (head, epoch, workcell.as_str()));
        assert!(all(&*journal).starts_with(&entries));
    }
}

fn an_orderly_close_loses_nothing(open: Open<'_>) {
    let mut journal = open();
    for _ in 0..3 {
        fill(&mut *journal, 3);
        let (head, entries) = (journal.head(), all(&*journal));
        journal.close().unwrap();
        journal = open();
        assert_eq!((journal.head(), all(&*journal)), (head, entries));
    }
}

fn the_newest_snapshot_of_the_version_is_found(open: Open<'_>) {
    let mut journal = open();
    fill(&mut *journal, 10);
    for seq in [3, 9, 6] {
        journal.save_snapshot(seq, 1, &payload(seq, 50)).unwrap();
    }
    let (seq, bytes) = journal.newest_snapshot(1).unwrap();
    assert_eq!(bytes, payload(seq, 50), "the bytes are those of the sequence number");
    assert_eq!(journal.newest_snapshot(2), None);
    journal.save_snapshot(12, 2, b"another version").unwrap();
    assert_eq!(journal.newest_snapshot(2), Some((12, b"another version".to_vec())));
}

fn a_snapshot_survives_an_orderly_close(open: Open<'_>) {
    let mut journal = open();
    fill(&mut *journal, 10);
    for (seq, length) in [(2, 0), (5, 300_000), (8, 64 * 1024), (8, 200_001)] {
        journal.save_snapshot(seq, 4, &payload(seq, length)).unwrap();
        journal.close().unwrap();
        journal = open();
        assert_eq!(journal.newest_snapshot(4), Some((seq, payload(seq, length))));
    }
}

fn a_snapshot_past_the_head_is_refused(open: Open<'_>) {
    let mut journal = open();
    fill(&mut *journal, 1);
    for seq in [0, journal.head().seq + 1] {
        let refused = journal.save_snapshot(seq, 1, b"state");
        assert!(matches!(refused, Err(JournalError::NoSuchSeq { .. })), "{refused:?}");
    }
}

fn the_head_depends_on_every_entry_before_it(open: Open<'_>) {
    let mut journal = open();
    let mut heads = vec![journal.head().hash];
    for _ in 0..5 {
        append(&mut *journal, &[payload(1, 8)]);
        assert!(!heads.contains(&journal.head().hash), "the same payload at another place has another hash");
        heads.push(journal.head().hash);
    }
}

#[test]
fn the_same_appends_give_the_same_head_wherever_they_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (mut embedded, mut memory) = (open_small(folder.path()).0, MemoryJournal::new());
    fill(&mut embedded, 20);
    fill(&mut memory, 20);
    assert_eq!(embedded.head(), memory.head());
    assert_eq!(all(&embedded), all(&memory));
}

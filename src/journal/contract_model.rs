//! Every journal against the simplest model of one, a `Vec`, under arbitrary sequences of calls, crashes and closings.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::testing::{SMALL, payload};
use super::{AppendError, AppendFault, EmbeddedJournal, Entry, Journal, MemoryJournal, Options};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Call {
    /// Payload lengths; how far the expected head and the epoch are from the true ones.
    Append(Vec<usize>, i8, i8),
    Read(u8, u8),
    Snapshot(u8),
    Crash,
    Close,
}

fn call() -> impl Strategy<Value = Call> {
    let lengths = prop::collection::vec(0_usize..300, 0..5);
    let off = || prop_oneof![8 => Just(0_i8), 1 => -2_i8..3];
    prop_oneof![
        8 => (lengths, off(), prop_oneof![6 => Just(0_i8), 1 => -1_i8..3]).prop_map(|(l, h, e)| Call::Append(l, h, e)),
        4 => (any::<u8>(), any::<u8>()).prop_map(|(from, limit)| Call::Read(from, limit)),
        2 => any::<u8>().prop_map(Call::Snapshot),
        1 => Just(Call::Crash),
        1 => Just(Call::Close),
    ]
}

#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    snapshots: Vec<u64>,
    numbers: u64,
}

impl Model {
    fn head(&self) -> u64 {
        self.entries.len() as u64
    }

    fn epoch(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.epoch)
    }

    fn append(&mut self, journal: &mut dyn Journal, lengths: &[usize], head_off: i8, epoch_off: i8) {
        let payloads: Vec<_> = lengths
            .iter()
            .map(|length| {
                self.numbers += 1;
                payload(self.numbers, *length)
            })
            .collect();
        let expected = self.head().saturating_add_signed(head_off.into());
        let epoch = self.epoch().saturating_add_signed(epoch_off.into());
        let result = journal.append(expected, epoch, &payloads);
        if epoch < self.epoch() {
            assert!(matches!(result, Err(AppendError::Fenced { epoch }) if epoch == self.epoch()), "{result:?}");
        } else if expected != self.head() {
            let head = self.head();
            assert!(matches!(result, Err(AppendError::Conflict { head: seen }) if seen.seq == head), "{result:?}");
        } else {
            for payload in payloads {
                self.entries.push(Entry { seq: self.head() + 1, epoch, payload });
            }
            assert_eq!(result.unwrap().seq, self.head());
        }
    }

    fn check(&self, journal: &dyn Journal, from: u64, limit: usize) {
        assert_eq!((journal.head().seq, journal.epoch()), (self.head(), self.epoch()));
        let expected: Vec<_> = self.entries.iter().filter(|entry| entry.seq >= from).take(limit).cloned().collect();
        assert_eq!(journal.read(from, limit).unwrap(), expected);
        if let Some((seq, bytes)) = journal.newest_snapshot(1) {
            assert!(self.snapshots.contains(&seq));
            assert_eq!(bytes, payload(seq, 77));
        }
    }
}

fn against_the_model(calls: Vec<Call>, open: impl Fn() -> Box<dyn Journal>) {
    let mut journal = open();
    let mut model = Model::default();
    for call in calls {
        match call {
            Call::Append(lengths, head, epoch) => model.append(&mut *journal, &lengths, head, epoch),
            Call::Read(from, limit) => model.check(&*journal, from.into(), limit.into()),
            Call::Snapshot(back) => {
                let seq = model.head().saturating_sub(back.into());
                if seq > 0 {
                    journal.save_snapshot(seq, 1, &payload(seq, 77)).unwrap();
                    model.snapshots.push(seq);
                }
            }
            Call::Crash => {
                drop(journal);
                journal = open();
                model.check(&*journal, 0, usize::MAX);
            }
            Call::Close => {
                journal.close().unwrap();
                journal = open();
                model.check(&*journal, 0, usize::MAX);
            }
        }
    }
    model.check(&*journal, 0, usize::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_journal_behaves_like_a_vec(calls in prop::collection::vec(call(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: SMALL };
        against_the_model(calls, || Box::new(EmbeddedJournal::open_with(folder.path(), options).unwrap().0));
    }
}

proptest! {
    #[test]
    fn the_memory_journal_behaves_like_a_vec(calls in prop::collection::vec(call(), 1..60)) {
        let journal = MemoryJournal::of("a workcell");
        against_the_model(calls, || Box::new(journal.clone()));
    }
}

#[test]
fn a_failed_append_poisons_the_handle_until_the_log_is_opened_again() {
    for (fault, found) in [(AppendFault::Cut, 1), (AppendFault::Stored, 3)] {
        let mut journal = MemoryJournal::new();
        journal.append(0, 1, &[payload(1, 1)]).unwrap();
        journal.fail_next_append(fault);
        let failed = journal.append(1, 1, &[payload(2, 2), payload(3, 3)]);
        assert!(matches!(failed, Err(AppendError::Unknown(_))), "{failed:?}");
        assert!(matches!(journal.append(found, 1, &[payload(4, 4)]), Err(AppendError::Poisoned)));
        let mut again = journal.clone();
        assert_eq!(again.head().seq, found);
        again.append(found, 1, &[payload(4, 4)]).unwrap();
    }
}

#[test]
fn a_full_disk_is_told_before_an_append_meets_it() {
    let mut journal = MemoryJournal::new();
    journal.set_full(true);
    assert!(!journal.has_spare());
    journal.append(0, 1, &[payload(1, 1)]).unwrap();
    journal.fail_next_append(AppendFault::NoSpare);
    assert!(matches!(journal.append(1, 1, &[payload(2, 2)]), Err(AppendError::NoSpare(_))));
    journal.set_full(false);
    assert_eq!(journal.append(1, 1, &[payload(2, 2)]).unwrap().seq, 2);
    assert!(journal.has_spare());
}

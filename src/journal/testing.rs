//! What the journal's tests share.

use super::open::Options;
use super::{EmbeddedJournal, Entry, Journal, Opened};
use std::path::Path;

/// Small enough that a test fills several.
pub(super) const SMALL: u64 = 2048;

/// Opens the embedded journal in a folder with small segments.
pub(super) fn open_small(folder: &Path) -> (EmbeddedJournal, Opened) {
    EmbeddedJournal::open_with(folder, Options { segment_bytes: SMALL }).expect("the journal opens")
}

/// A payload told from every other by its number.
pub(super) fn payload(number: u64, length: usize) -> Vec<u8> {
    number.to_be_bytes().into_iter().cycle().take(length).collect()
}

/// Appends a batch at the head, under the present epoch.
pub(super) fn append(journal: &mut dyn Journal, payloads: &[Vec<u8>]) {
    let (head, epoch) = (journal.head().seq, journal.epoch());
    journal.append(head, epoch, payloads).expect("the append is acknowledged");
}

/// Appends so many batches of one to three payloads.
pub(super) fn fill(journal: &mut dyn Journal, batches: u64) {
    for batch in 0..batches {
        let payloads: Vec<_> = (0..=batch % 3).map(|number| payload(batch * 10 + number, 40)).collect();
        append(journal, &payloads);
    }
}

/// The whole log.
pub(super) fn all(journal: &dyn Journal) -> Vec<Entry> {
    journal.read(1, usize::MAX).expect("the log can be read")
}

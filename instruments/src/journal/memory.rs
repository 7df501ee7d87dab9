//! A journal in memory: for tests and simulators. It outlives the machine, not the process.

use super::{Journal, JournalError};
use crate::machine::Record;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Clones share their records, as a restarted driver shares its disk with the one before.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal(Arc<Mutex<BTreeMap<String, Record>>>);

impl Journal for MemoryJournal {
    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(records.values().cloned().collect())
    }

    fn append(&mut self, appended: &[Record]) -> Result<(), JournalError> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for record in appended {
            if let Some(kind) = &record.kind {
                records.insert(kind.key(), record.clone());
            }
        }
        Ok(())
    }
}

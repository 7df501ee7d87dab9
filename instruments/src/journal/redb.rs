//! The durable journal: one redb file in a folder of its own, synced at every append.

use super::{Journal, JournalError};
use crate::machine::Record;
use prost::Message as _;
use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");
const FORMAT: TableDefinition<'_, &str, u64> = TableDefinition::new("format");
const FORMAT_KEY: &str = "format";
/// Raised when an older version could misread what a newer one writes.
const FORMAT_VERSION: u64 = 1;
/// The file in the folder.
const FILE_NAME: &str = "journal.redb";
/// Locked as long as the driver lives; the operating system lets it go with the process.
const LOCK_NAME: &str = "driver.lock";

/// A journal in a folder. Dropping it lets the folder go.
#[derive(Debug)]
pub struct RedbJournal {
    database: Database,
    _lock: File,
}

impl RedbJournal {
    /// Opens the journal of a folder, or creates both.
    ///
    /// # Errors
    /// [`JournalError::InUse`] while another driver has the folder; otherwise what the disk or the file says.
    pub fn open(folder: &Path) -> Result<RedbJournal, JournalError> {
        let io = |path: PathBuf| move |source| JournalError::Io { path, source };
        fs::create_dir_all(folder).map_err(io(folder.to_owned()))?;
        let lock = lock(folder)?;
        let path = folder.join(FILE_NAME);
        let database = Database::create(&path).map_err(|error| {
            let in_use = matches!(error, redb::DatabaseError::DatabaseAlreadyOpen);
            if in_use { JournalError::InUse { folder: folder.to_owned() } } else { database_error(error) }
        })?;
        // The file's entry in its folder must outlive a power cut as well as its content does. Windows has no such sync.
        #[cfg(unix)]
        File::open(folder).and_then(|opened| opened.sync_all()).map_err(io(folder.to_owned()))?;
        let journal = RedbJournal { database, _lock: lock };
        journal.check_format()?;
        Ok(journal)
    }

    fn check_format(&self) -> Result<(), JournalError> {
        let transaction = self.database.begin_write().map_err(database_error)?;
        {
            let mut table = transaction.open_table(FORMAT).map_err(database_error)?;
            let found = table.get(FORMAT_KEY).map_err(database_error)?.map(|found| found.value());
            match found {
                Some(found) if found > FORMAT_VERSION => {
                    return Err(JournalError::NewerFormat { found, known: FORMAT_VERSION });
                }
                Some(_) => {}
                None => {
                    table.insert(FORMAT_KEY, FORMAT_VERSION).map_err(database_error)?;
                }
            }
            transaction.open_table(RECORDS).map_err(database_error)?;
        }
        transaction.commit().map_err(database_error)
    }
}

impl Journal for RedbJournal {
    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        let transaction = self.database.begin_read().map_err(database_error)?;
        let table = transaction.open_table(RECORDS).map_err(database_error)?;
        let mut records = Vec::new();
        for entry in table.iter().map_err(database_error)? {
            let (key, bytes) = entry.map_err(database_error)?;
            let decoded = Record::decode(bytes.value());
            records.push(decoded.map_err(|source| JournalError::Damaged { key: key.value().to_owned(), source })?);
        }
        Ok(records)
    }

    fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut transaction = self.database.begin_write().map_err(database_error)?;
        transaction.set_durability(Durability::Immediate).map_err(database_error)?;
        {
            let mut table = transaction.open_table(RECORDS).map_err(database_error)?;
            for record in records {
                if let Some(kind) = &record.kind {
                    let bytes = record.encode_to_vec();
                    table.insert(kind.key().as_str(), bytes.as_slice()).map_err(database_error)?;
                }
            }
        }
        transaction.commit().map_err(database_error)
    }
}

fn lock(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join(LOCK_NAME);
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|source| JournalError::Io { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(JournalError::Io { path, source }),
    }
}

fn database_error(error: impl Into<redb::Error>) -> JournalError {
    JournalError::Database(Box::new(error.into()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::machine::{IdentityRecord, RecordKind};

    fn identity(journal_id: &str) -> Record {
        let (journal_id, instrument) = (journal_id.to_owned(), "pump".to_owned());
        RecordKind::Identity(IdentityRecord { journal_id, instrument }).into()
    }

    #[test]
    fn records_are_there_after_reopening_and_the_newest_of_a_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = RedbJournal::open(folder.path()).unwrap();
        assert_eq!(journal.load().unwrap(), []);
        journal.append(&[identity("a"), RecordKind::SequencesReserved(7).into()]).unwrap();
        journal.append(&[RecordKind::SequencesReserved(9).into()]).unwrap();
        drop(journal);
        let mut again = RedbJournal::open(folder.path()).unwrap();
        assert_eq!(again.load().unwrap(), [identity("a"), RecordKind::SequencesReserved(9).into()]);
    }

    #[test]
    fn a_second_driver_is_kept_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = RedbJournal::open(folder.path()).unwrap();
        assert!(matches!(RedbJournal::open(folder.path()), Err(JournalError::InUse { .. })));
        drop(first);
        assert!(RedbJournal::open(folder.path()).is_ok());
    }

    #[test]
    fn a_newer_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let journal = RedbJournal::open(folder.path()).unwrap();
        let transaction = journal.database.begin_write().unwrap();
        transaction.open_table(FORMAT).unwrap().insert(FORMAT_KEY, FORMAT_VERSION + 1).unwrap();
        transaction.commit().unwrap();
        drop(journal);
        let refused = RedbJournal::open(folder.path());
        assert!(matches!(refused, Err(JournalError::NewerFormat { found: 2, known: 1 })));
    }
}

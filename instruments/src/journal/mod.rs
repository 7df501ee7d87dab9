//! Where a driver's records become durable.

mod memory;
mod redb;

pub use self::redb::RedbJournal;
pub use memory::MemoryJournal;

use crate::machine::Record;
use std::path::PathBuf;

/// A driver's journal: a set of records, each replacing the one before it under its key.
pub trait Journal: Send {
    /// Every record, in any order.
    ///
    /// # Errors
    /// A [`JournalError`] if the journal can't be read whole; a driver must not serve then.
    fn load(&mut self) -> Result<Vec<Record>, JournalError>;

    /// Makes the records durable: all of them or none, and on the disk when it returns. Of two records with the same key
    /// the later one stays.
    ///
    /// # Errors
    /// A [`JournalError`] means *unknown*: they may or may not be there after a restart. The driver must end.
    fn append(&mut self, records: &[Record]) -> Result<(), JournalError>;
}

/// Why a journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has it.
    #[error("{folder} is in use by another driver; each driver needs a folder of its own")]
    InUse {
        /// The journal's folder.
        folder: PathBuf,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database refused.
    #[error("the journal's database failed")]
    Database(#[source] Box<::redb::Error>),
    /// A record that can't be read.
    #[error("record {key:?} is damaged")]
    Damaged {
        /// Its key.
        key: String,
        /// Why.
        source: prost::DecodeError,
    },
    /// Written by a newer version.
    #[error("the journal has format {found}, this version reads up to {known}")]
    NewerFormat {
        /// In the journal.
        found: u64,
        /// The newest this version reads.
        known: u64,
    },
}

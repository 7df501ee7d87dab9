//! What can be done with a journal that nobody owns at the moment: looking, healing, copying, making again.

mod backup;
mod replay;

pub use backup::{backup, restore};
pub use replay::{Replayed, replay};

use crate::engine::{Step, StepError};
pub use crate::journal::{Opened, Verified};

use crate::journal::{EmbeddedJournal, Entry, JournalError, OpenError, verify};
use std::io;
use std::path::{Path, PathBuf};

/// The journal of a data folder.
#[must_use]
pub fn journal_of(data: &Path) -> PathBuf {
    data.join("journal")
}

/// Why nothing could be done.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The journal can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It can't be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its entries can't be understood or continued.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A file can't be copied or moved.
    #[error("'{path}': {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no journal, or something stands where one should go.
    #[error("{0}")]
    Place(String),
}

fn io(path: &Path) -> impl FnOnce(io::Error) -> DoctorError + use<'_> {
    move |source| DoctorError::Io { path: path.to_owned(), source }
}

fn there(journal: &Path) -> Result<(), DoctorError> {
    match journal.join("log").is_dir() {
        true => Ok(()),
        false => Err(DoctorError::Place(format!("there is no journal in '{}'", journal.display()))),
    }
}

/// Checks every entry and changes nothing; gives each to `each`.
///
/// # Errors
/// [`DoctorError`] where there is no journal or a file can't be read.
pub fn look(journal: &Path, each: impl FnMut(Entry)) -> Result<Verified, DoctorError> {
    there(journal)?;
    Ok(verify(journal, each)?)
}

/// Heals what copies can heal, clears what was never acknowledged, and closes the journal in good order.
///
/// # Errors
/// [`DoctorError`]; what can't be healed stays as it is.
pub fn repair(journal: &Path) -> Result<Opened, DoctorError> {
    there(journal)?;
    let (opened, found) = EmbeddedJournal::open(journal)?;
    crate::journal::Journal::close(Box::new(opened))?;
    Ok(found)
}

/// Sets the index aside and makes it again from the log. Returns how many entries the log has.
///
/// # Errors
/// [`DoctorError`].
pub fn rebuild(journal: &Path) -> Result<u64, DoctorError> {
    there(journal)?;
    EmbeddedJournal::forget_index(journal)?;
    let (opened, _) = EmbeddedJournal::open(journal)?;
    let entries = crate::journal::Journal::head(&opened).seq;
    crate::journal::Journal::close(Box::new(opened))?;
    Ok(entries)
}

fn step(journal: &Path, owner: &str) -> Result<Step, DoctorError> {
    let (opened, _) = EmbeddedJournal::open(journal)?;
    Ok(Step::open(Box::new(opened), owner)?)
}

//! A copy of a journal, and a journal from a copy.

use super::{DoctorError, io, look, step, there};
use crate::engine::Step;
use crate::journal::{EmbeddedJournal, RESULTS, Verified};
use eutectic_core::{Command, Request, Time};
use std::fs;
use std::path::Path;

/// Copies the log into a new folder and checks the copy. The journal may be in use: what is appended meanwhile may be
/// missing from the copy's end, and nothing else.
///
/// # Errors
/// [`DoctorError`], for instance where the folder is there already.
pub fn backup(journal: &Path, to: &Path) -> Result<Verified, DoctorError> {
    there(journal)?;
    if to.exists() {
        return Err(DoctorError::Place(format!(
            "'{}' is there already: a backup never replaces anything",
            to.display()
        )));
    }
    let (from, into) = (journal.join("log"), to.join("log"));
    fs::create_dir_all(&into).map_err(io(&into))?;
    let mut segments = Vec::new();
    for item in fs::read_dir(&from).map_err(io(&from))? {
        let path = item.map_err(io(&from))?.path();
        let sealed = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.parse::<u64>().is_ok());
        if sealed && path.extension().is_some_and(|extension| extension == "segment") {
            segments.push(path);
        }
    }
    // The newest last: whatever stands in it, the ones before are whole.
    segments.sort();
    for path in segments {
        let copy = into.join(path.file_name().unwrap_or_default());
        fs::copy(&path, &copy).map_err(io(&copy))?;
        fs::File::open(&copy).and_then(|file| file.sync_all()).map_err(io(&copy))?;
    }
    copy_results(journal, to)?;
    look(to, |_| ())
}

/// The large results, which the entries name by their hashes. Whatever an entry names was there before it.
fn copy_results(from: &Path, to: &Path) -> Result<(), DoctorError> {
    let (from, into) = (from.join(RESULTS), to.join(RESULTS));
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(&into).map_err(io(&into))?;
    for item in fs::read_dir(&from).map_err(io(&from))? {
        let path = item.map_err(io(&from))?.path();
        if path.extension().is_none() {
            let copy = into.join(path.file_name().unwrap_or_default());
            fs::copy(&path, &copy).map_err(io(&copy))?;
            fs::File::open(&copy).and_then(|file| file.sync_all()).map_err(io(&copy))?;
        }
    }
    Ok(())
}

/// Puts a backup in the place of a journal. What stood there is set aside. Nothing is dispatched from it until a person has
/// adopted it: drivers have seen more than it holds.
///
/// # Errors
/// [`DoctorError`]: the backup is damaged, or the journal is in use.
pub fn restore(from: &Path, journal: &Path, now_ms: i64) -> Result<Verified, DoctorError> {
    let found = look(from, |_| ())?;
    if let Some(broken) = &found.broken {
        let words = format!("the backup is damaged at entry {}: '{}'", broken.seq, broken.path.display());
        return Err(DoctorError::Place(words));
    }
    if journal.exists() {
        EmbeddedJournal::set_aside(journal)?;
    }
    let into = journal.join("log");
    fs::create_dir_all(&into).map_err(io(&into))?;
    for item in fs::read_dir(from.join("log")).map_err(io(from))? {
        let path = item.map_err(io(from))?.path();
        let copy = into.join(path.file_name().unwrap_or_default());
        fs::copy(&path, &copy).map_err(io(&copy))?;
        fs::File::open(&copy).and_then(|file| file.sync_all()).map_err(io(&copy))?;
    }
    copy_results(from, journal)?;
    let mut step = step(journal, "doctor restore")?;
    doubt(&mut step, Time(now_ms))?;
    step.close()?;
    Ok(found)
}

/// As if each driver had said that it has seen more.
fn doubt(step: &mut Step, now: Time) -> Result<(), DoctorError> {
    // Beyond the epoch that the next request takes.
    let epoch = step.workcell().epoch + 2;
    let instruments: Vec<_> = step.workcell().instruments.keys().cloned().collect();
    for instrument in instruments {
        let command = Command::DoubtJournal { instrument, epoch, operation: None };
        step.take(now, vec![Request { id: None, command }])?;
    }
    Ok(())
}

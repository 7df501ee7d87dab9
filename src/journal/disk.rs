//! The few things the journal asks of a file system, each as durable as its name says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// How much is written at a time while a file is filled, in bytes.
const FILL: usize = 1024 * 1024;

/// What has happened to the disk, for a test that cuts the power at every moment of it.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(super) enum Happened {
    /// A file got a name; files are told by their inodes.
    Created(PathBuf, u64),
    Written(u64, u64, Vec<u8>),
    Synced(u64),
    Renamed(PathBuf, PathBuf),
    FolderSynced,
    /// Not the disk's doing: entries up to this one were acknowledged.
    Acknowledged(u64),
}

#[cfg(test)]
thread_local! {
    /// What has happened by this thread.
    pub(super) static HAPPENED: std::cell::RefCell<Vec<Happened>> = const { std::cell::RefCell::new(Vec::new()) };
}

#[cfg(test)]
thread_local! {
    /// Changes of the disk that there is still room for; `None`: any number.
    pub(super) static ROOM: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

/// Takes room for one change, or says that there is none, as a test has ordered it.
fn take_room() -> io::Result<()> {
    #[cfg(test)]
    match ROOM.get() {
        Some(0) => return Err(io::ErrorKind::StorageFull.into()),
        room => ROOM.set(room.map(|room| room - 1)),
    }
    match eutectic_failpoints::stands("disk.full") {
        true => Err(io::ErrorKind::StorageFull.into()),
        false => Ok(()),
    }
}

#[cfg(test)]
macro_rules! record {
    ($what:expr) => {
        HAPPENED.with_borrow_mut(|all| all.push($what))
    };
}

#[cfg(test)]
fn identity(file: &File) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().map(|it| it.ino()).unwrap_or_default()
}

/// Only tests keep a record.
#[cfg(not(test))]
macro_rules! record {
    ($what:expr) => {};
}

/// Makes the folder's entries durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Only POSIX systems let a folder be opened and synced; elsewhere the file's own sync is all there is.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    record!(Happened::FolderSynced);
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Opens an existing file to read and write.
pub(super) fn open_both(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Writes at a place and makes the content durable.
pub(super) fn write_synced(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    if let Err(full) = take_room() {
        // As much as there was room for.
        file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
        return Err(full);
    }
    file.write_all(bytes)?;
    record!(Happened::Written(identity(file), at, bytes.to_vec()));
    eutectic_failpoints::reach("journal.written");
    if eutectic_failpoints::mutant("no_sync") {
        return Ok(());
    }
    file.sync_data()?;
    record!(Happened::Synced(identity(file)));
    Ok(())
}

/// Renames a file; durable once its folder is synced.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    take_room()?;
    fs::rename(from, to)?;
    record!(Happened::Renamed(from.to_owned(), to.to_owned()));
    Ok(())
}

/// Reads from a place until the buffer is full or the file ends; returns how many bytes there were.
pub(super) fn read_some(file: &mut File, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Writes a new file of zeros, so that later writes in it need no room and change no length, and syncs it.
pub(super) fn fill(path: &Path, size: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    take_room()?;
    record!(Happened::Created(path.to_owned(), identity(&file)));
    let zeros = vec![0; FILL];
    let mut rest = usize::try_from(size).map_err(io::Error::other)?;
    while rest > 0 {
        let part = zeros.get(..rest.min(FILL)).unwrap_or(&zeros);
        file.write_all(part)?;
        rest -= part.len();
    }
    take_room()?;
    record!(Happened::Written(identity(&file), 0, vec![0; usize::try_from(size).unwrap_or_default()]));
    file.sync_all()?;
    record!(Happened::Synced(identity(&file)));
    Ok(())
}

/// The first free `<path>.bad.<n>`.
pub(super) fn bad_name(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let free = |n: u32| path.with_file_name(format!("{name}.bad.{n}"));
    (1..u32::MAX).map(free).find(|path| !path.exists()).unwrap_or_else(|| free(u32::MAX))
}

/// Keeps bytes that are about to be written over, as evidence, and returns where.
pub(super) fn keep_evidence(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let bad = bad_name(path);
    let mut file = File::create_new(&bad)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(bad)
}

/// Renames a folder or file to its first free `.bad.<n>`, durably, and returns the new name.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let bad = bad_name(path);
    fs::rename(path, &bad)?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(bad)
}

//! One owner for a folder: an advisory lock, on a file system where such a lock means something.

use super::open::OpenError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

const LOCK: &str = "LOCK";
const MOUNTS: &str = "/proc/self/mountinfo";

/// File systems on which another machine may hold the same folder, or a sync may end before the data is safe.
const NETWORK: [&str; 15] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "ceph",
    "lustre",
    "gpfs",
    "beegfs",
    "orangefs",
    "gfs2",
    "fuse.sshfs",
    "fuse.glusterfs",
];

/// Takes the folder for this process until the file is dropped.
pub(super) fn take(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| OpenError::Io { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

/// Refuses a folder on a network file system. Where the system doesn't list its mounts, nothing is refused.
pub(super) fn refuse_network(folder: &Path) -> Result<(), OpenError> {
    let (Ok(mounts), Ok(whole)) = (fs::read_to_string(MOUNTS), folder.canonicalize()) else { return Ok(()) };
    match file_system(&mounts, &whole) {
        Some(kind) if NETWORK.contains(&kind.as_str()) => {
            Err(OpenError::Network { folder: folder.to_owned(), file_system: kind })
        }
        Some(_) | None => Ok(()),
    }
}

/// The kind of file system that holds a path, by the lines of Linux's mountinfo: the longest mount point wins, and among
/// equal ones the last.
fn file_system(mounts: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (Some(point), Some(kind)) = (left.split(' ').nth(4), right.split(' ').next()) else { continue };
        let point = PathBuf::from(unescape(point));
        let depth = point.components().count();
        if path.starts_with(&point) && best.is_none_or(|(longest, _)| depth >= longest) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

/// Mount points write blanks and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "22 1 8:1 / / rw - ext4 /dev/a rw\n\
        30 22 0:5 / /home rw,relatime shared:1 - nfs4 server:/home rw\n\
        31 30 0:6 / /home/my\\040lab rw - xfs /dev/b rw\n\
        nonsense\n";

    #[test]
    fn the_deepest_mount_point_decides() {
        let kind = |path: &str| file_system(SAMPLE, Path::new(path));
        assert_eq!(kind("/var/lab").as_deref(), Some("ext4"));
        assert_eq!(kind("/home/ada/lab").as_deref(), Some("nfs4"));
        assert_eq!(kind("/home/my lab/data").as_deref(), Some("xfs"));
        assert_eq!(kind("/homes").as_deref(), Some("ext4"));
        assert_eq!(file_system("", Path::new("/")), None);
    }
}

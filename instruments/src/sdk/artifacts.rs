//! Results too large for a message: files beside the journal, each under its operation.

use crate::machine::ID_LENGTH_MAX;
use crate::wire::Artifact;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Read and written in pieces of this many bytes; also what one message of ReadArtifact carries.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

/// Where artifacts lie.
#[derive(Clone, Debug)]
pub(super) struct Artifacts(PathBuf);

impl Artifacts {
    pub(super) fn within(folder: &Path) -> Self {
        Self(folder.join("artifacts"))
    }

    fn folder(&self, operation: &str) -> PathBuf {
        self.0.join(operation)
    }

    /// Takes in what is read to its end; it is on the disk, whole, when this returns.
    pub(super) fn keep(
        &self,
        operation: &str,
        id: &str,
        media_type: &str,
        mut content: impl Read,
    ) -> io::Result<Artifact> {
        check_id(id)?;
        let folder = self.folder(operation);
        fs::create_dir_all(&folder)?;
        let (path, aside) = (folder.join(id), folder.join(format!("{id}.new")));
        let mut file = File::create(&aside)?;
        let (mut digest, mut size, mut piece) = (Sha256::new(), 0_u64, vec![0; PIECE_BYTES]);
        loop {
            let read = content.read(&mut piece)?;
            let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            digest.update(bytes);
            file.write_all(bytes)?;
            size += bytes.len() as u64;
        }
        file.sync_all()?;
        fs::rename(&aside, &path)?;
        sync_folder(&folder)?;
        sync_folder(&self.0)?;
        Ok(Artifact {
            id: id.to_owned(),
            uri: String::new(),
            media_type: media_type.to_owned(),
            size_bytes: i64::try_from(size).unwrap_or(i64::MAX),
            sha256: digest.finalize().to_vec(),
        })
    }

    /// The file, from this byte on. Operation and id must be ones that the machine knows.
    pub(super) fn open(&self, operation: &str, id: &str, offset: u64) -> io::Result<File> {
        check_id(id)?;
        let mut file = File::open(self.folder(operation).join(id))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
    }

    /// Their time is over. What can't be removed only takes room.
    pub(super) fn forget(&self, operation: &str) {
        if let Err(error) = fs::remove_dir_all(self.folder(operation))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, operation, "artifacts past their time can't be removed");
        }
    }
}

/// An artifact's id is a file's name, and leads nowhere else.
fn check_id(id: &str) -> io::Result<()> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    match !id.is_empty() && id.len() <= ID_LENGTH_MAX && !id.starts_with('.') && id.chars().all(allowed) {
        true => Ok(()),
        false => {
            let words = format!("an artifact's id has 1 to {ID_LENGTH_MAX} letters, digits, '.', '_', '-', not {id:?}");
            Err(io::Error::new(io::ErrorKind::InvalidInput, words))
        }
    }
}

/// A new name in a folder is durable only once the folder is. Windows has no such call and needs none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(folder)?.sync_all(),
        false => Ok(()),
    }
}

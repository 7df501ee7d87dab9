//! Results that are too large for an entry: files that are called by the hash of what is in them.

use super::disk;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Where they are within a journal's folder.
pub const RESULTS: &str = "results";

/// A folder of results.
#[derive(Clone, Debug)]
pub struct Results(PathBuf);

impl Results {
    /// Those of a journal.
    #[must_use]
    pub fn of(journal: &Path) -> Self {
        Self(journal.join(RESULTS))
    }

    /// Keeps these bytes; durable when it returns. Returns their SHA-256 in hexadecimal, which is the file's name.
    ///
    /// # Errors
    /// The system's.
    pub fn keep(&self, bytes: &[u8]) -> io::Result<String> {
        let hash = Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let path = self.0.join(&hash);
        // A file of that name is never half there, and never another.
        if path.exists() {
            return Ok(hash);
        }
        fs::create_dir_all(&self.0)?;
        let aside = self.0.join(format!("{hash}.new"));
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        disk::rename(&aside, &path)?;
        disk::sync_folder(&self.0)?;
        Ok(hash)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_called_by_what_is_in_it_and_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let results = Results::of(folder.path());
        let name = results.keep(b"abc").unwrap();
        assert_eq!(name, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(results.keep(b"abc").unwrap(), name);
        assert_eq!(fs::read(folder.path().join(RESULTS).join(&name)).unwrap(), b"abc");
        assert_eq!(fs::read_dir(folder.path().join(RESULTS)).unwrap().count(), 1);
    }
}

//! The bench that simulated instruments share, as files: what stands there, what each hardware is doing, and how often it started.

use crate::wire::Measurement;
use prost::Message as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Why the bench can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the simulated bench: {path}: {source}")]
pub struct WorldError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// One instrument's place at the bench.
#[derive(Clone, Debug)]
pub(super) struct World {
    folder: PathBuf,
    instrument: String,
}

/// Where things stand on the bench.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shelf {
    /// What the flow reactor has filled.
    Vials,
    /// What the liquid handler has filled.
    Wells,
    /// Solids in crucibles.
    Pieces,
    /// Where a robot arm can put labware.
    Sites,
    /// What an instrument remembers of itself.
    Own,
}

impl Shelf {
    fn name(self) -> &'static str {
        match self {
            Self::Vials => "vials",
            Self::Wells => "wells",
            Self::Pieces => "pieces",
            Self::Sites => "sites",
            Self::Own => "own",
        }
    }
}

/// A thing on the bench, as it is from now on; nothing: it is gone.
#[derive(Clone, Debug)]
pub(super) struct Change {
    shelf: Shelf,
    id: String,
    now: Option<serde_json::Value>,
}

impl Change {
    pub(super) fn put(shelf: Shelf, id: &str, thing: &impl Serialize) -> Self {
        Self { shelf, id: id.to_owned(), now: serde_json::to_value(thing).ok() }
    }

    pub(super) fn take(shelf: Shelf, id: &str) -> Self {
        Self { shelf, id: id.to_owned(), now: None }
    }
}

/// What a hardware knows of itself. It outlives the driver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Activity {
    /// The operation that it was ordered to do; how its driver finds it again after a crash.
    pub(super) operation: String,
    /// Its own count when it was ordered: a higher one now means that it began.
    pub(super) starts_before: usize,
    /// Milliseconds since 1970.
    pub(super) begins_ms: i64,
    /// Milliseconds since 1970.
    pub(super) ends_ms: i64,
    /// What it will have measured, encoded.
    measurements: Vec<Vec<u8>>,
}

impl Activity {
    pub(super) fn new(
        operation: &str,
        starts_before: usize,
        times_ms: (i64, i64),
        measurements: &[Measurement],
    ) -> Self {
        Self {
            operation: operation.to_owned(),
            starts_before,
            begins_ms: times_ms.0,
            ends_ms: times_ms.1,
            measurements: measurements.iter().map(prost::Message::encode_to_vec).collect(),
        }
    }

    pub(super) fn measurements(&self) -> Vec<Measurement> {
        self.measurements.iter().filter_map(|bytes| Measurement::decode(bytes.as_slice()).ok()).collect()
    }
}

impl World {
    pub(super) fn open(folder: &Path, instrument: &str) -> Result<Self, WorldError> {
        let world = Self { folder: folder.to_owned(), instrument: instrument.to_owned() };
        let shelves = [Shelf::Vials, Shelf::Wells, Shelf::Pieces, Shelf::Sites, Shelf::Own]
            .map(|it| world.folder.join(it.name()));
        for path in shelves.into_iter().chain([world.folder.join("truth")]) {
            fs::create_dir_all(&path).map_err(|source| WorldError { path, source })?;
        }
        Ok(world)
    }

    fn own(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.instrument))
    }

    /// Physical starts so far, by the hardware's own count.
    pub(super) fn starts(&self) -> usize {
        fs::read_to_string(self.own("starts")).map_or(0, |text| text.lines().count())
    }

    /// The hardware begins: one more line, on the disk when this returns. It knows no operation.
    pub(super) fn count_start(&self, now_ms: i64) -> Result<(), WorldError> {
        let path = self.own("starts");
        let append = || {
            let mut file = File::options().create(true).append(true).open(&path)?;
            writeln!(file, "{now_ms}")?;
            file.sync_all()
        };
        append().map_err(|source| WorldError { path: path.clone(), source })
    }

    pub(super) fn activity(&self) -> Option<Activity> {
        serde_json::from_slice(&fs::read(self.own("activity")).ok()?).ok()
    }

    pub(super) fn set_activity(&self, activity: &Activity) -> Result<(), WorldError> {
        write_json(&self.own("activity"), activity)
    }

    /// It was stopped: whatever it was doing is over.
    pub(super) fn clear_activity(&self) {
        // Not there is as good as gone.
        let _ = fs::remove_file(self.own("activity"));
    }

    fn place(&self, shelf: Shelf, id: &str) -> PathBuf {
        self.folder.join(shelf.name()).join(format!("{}.json", file_name(id)))
    }

    pub(super) fn apply(&self, change: &Change) -> Result<(), WorldError> {
        let path = self.place(change.shelf, &change.id);
        match &change.now {
            Some(thing) => write_json(&path, thing),
            None => match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => Err(WorldError { path, source }),
                Ok(()) | Err(_) => Ok(()),
            },
        }
    }

    /// `None`: there is no such thing.
    pub(super) fn read<T: DeserializeOwned>(&self, shelf: Shelf, id: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.place(shelf, id)).ok()?).ok()
    }

    /// Under which it remembers itself.
    pub(super) fn own_name(&self) -> &str {
        &self.instrument
    }

    fn truth(&self, operation: &str) -> PathBuf {
        self.folder.join("truth").join(format!("{}.json", file_name(operation)))
    }

    pub(super) fn keep_truth(&self, operation: &str, measurements: &[Measurement]) -> Result<(), WorldError> {
        let encoded: Vec<_> = measurements.iter().map(prost::Message::encode_to_vec).collect();
        write_json(&self.truth(operation), &encoded)
    }

    pub(super) fn read_truth(&self, operation: &str) -> Option<Vec<Measurement>> {
        let encoded: Vec<Vec<u8>> = serde_json::from_slice(&fs::read(self.truth(operation)).ok()?).ok()?;
        encoded.iter().map(|bytes| Measurement::decode(bytes.as_slice()).ok()).collect()
    }
}

/// An id from outside as a file's name: nothing in it can lead out of its folder.
fn file_name(id: &str) -> String {
    id.chars().map(|it| if it.is_ascii_alphanumeric() || it == '-' { it } else { '_' }).collect()
}

/// On the disk and whole when it returns.
fn write_json(path: &Path, value: &impl Serialize) -> Result<(), WorldError> {
    let write = || {
        let aside = path.with_extension("new");
        let mut file = File::create(&aside)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(|source| WorldError { path: path.to_owned(), source })
}

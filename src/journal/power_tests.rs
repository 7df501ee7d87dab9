//! The power is cut at every moment of a log's writing: what was synced is there, of the rest any sectors of the disk may be.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::disk::{HAPPENED, Happened};
use super::log::Log;
use super::recover::{self, NOTHING, NoCopies};
use super::segment::{self, Spare};
use super::testing::payload;
use eutectic_failpoints::mutate;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

pub(super) const TINY: u64 = 1024;
const SECTOR: usize = 512;
pub(super) const WORKCELL: Uuid = Uuid::from_bytes([5; 16]);
/// Batches that are written; a few fill a segment.
pub(super) const BATCHES: u64 = 24;
/// What of the unsynced sectors is there is drawn so often for each moment.
const DRAWS: u64 = 4;

pub(super) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(super) fn batch(number: u64) -> Vec<Vec<u8>> {
    (0..=number % 3).map(|part| payload(number * 10 + part, 30 + usize::try_from(number % 5).unwrap() * 20)).collect()
}

/// Writes a log, and takes down what happens to the disk meanwhile.
fn written(folder: &Path) -> Vec<Happened> {
    HAPPENED.with_borrow_mut(Vec::clear);
    let spare = Arc::new(Spare::find(folder, TINY).unwrap());
    spare.take(WORKCELL, 1, NOTHING).unwrap();
    let recovered = recover::recover(folder, WORKCELL, TINY, &NoCopies).unwrap();
    let mut log = Log::open(folder.to_owned(), WORKCELL, spare, recovered).unwrap();
    for number in 0..BATCHES {
        let head = log.append(log.head.seq, 1, &batch(number)).unwrap();
        HAPPENED.with_borrow_mut(|all| all.push(Happened::Acknowledged(head.seq)));
    }
    HAPPENED.take()
}

/// A file's bytes: what was synced, and of what was written later those sectors that happened to reach the disk.
#[derive(Default)]
struct Content {
    durable: Vec<u8>,
    later: Vec<(u64, Vec<u8>)>,
}

fn put(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.resize(bytes.len().max(at + part.len()), 0);
    bytes.get_mut(at..at + part.len()).unwrap().copy_from_slice(part);
}

/// The disk as it is after the power was cut; returns the last acknowledged entry.
fn cut(happened: &[Happened], original: &Path, folder: &Path, rng: &mut ChaCha8Rng) -> u64 {
    let mut files: BTreeMap<u64, Content> = BTreeMap::new();
    let (mut names, mut pending): (BTreeMap<PathBuf, u64>, Vec<Happened>) = (BTreeMap::new(), Vec::new());
    let mut acknowledged = 0;
    let name = |names: &mut BTreeMap<PathBuf, u64>, change: &Happened| match change {
        Happened::Created(path, file) => {
            names.insert(path.clone(), *file);
        }
        Happened::Renamed(from, to) => {
            let file = names.remove(from).unwrap();
            names.insert(to.clone(), file);
        }
        Happened::Written(..) | Happened::Synced(_) | Happened::FolderSynced | Happened::Acknowledged(_) => {}
    };
    for each in happened {
        match each {
            Happened::Written(file, at, bytes) => files.entry(*file).or_default().later.push((*at, bytes.clone())),
            Happened::Synced(file) => {
                let content = files.entry(*file).or_default();
                for (at, bytes) in content.later.drain(..) {
                    put(&mut content.durable, usize::try_from(at).unwrap(), &bytes);
                }
            }
            Happened::Created(..) | Happened::Renamed(..) => pending.push(each.clone()),
            Happened::FolderSynced => pending.drain(..).for_each(|change| name(&mut names, &change)),
            Happened::Acknowledged(seq) => acknowledged = *seq,
        }
    }
    // A journaling file system keeps the order of its names.
    let kept = usize::try_from(rng.next_u64()).unwrap() % (pending.len() + 1);
    pending.iter().take(kept).for_each(|change| name(&mut names, change));
    for (path, file) in names {
        let content = files.remove(&file).unwrap_or_default();
        let mut bytes = content.durable;
        for (at, part) in content.later {
            let start = usize::try_from(at).unwrap();
            for (index, sector) in part.chunks(SECTOR).enumerate() {
                if rng.next_u64().is_multiple_of(2) {
                    put(&mut bytes, start + index * SECTOR, sector);
                }
            }
        }
        fs::write(folder.join(path.strip_prefix(original).unwrap()), bytes).unwrap();
    }
    acknowledged
}

/// Whether every acknowledged entry is there after a cut at each moment, and nothing that was never appended.
fn survives(original: &Path, happened: &[Happened]) -> (u64, Vec<String>) {
    let appended: Vec<Vec<u8>> = (0..BATCHES).flat_map(batch).collect();
    let (mut cuts, mut lost) = (0, Vec::new());
    for moment in 0..=happened.len() {
        for draw in 0..DRAWS {
            cuts += 1;
            let folder = scratch();
            let mut rng = ChaCha8Rng::seed_from_u64(moment as u64 * DRAWS + draw);
            let acknowledged = cut(happened.get(..moment).unwrap(), original, folder.path(), &mut rng);
            if segment::list(folder.path()).unwrap().is_empty() {
                assert_eq!(acknowledged, 0, "moment {moment}: the log is gone");
                continue;
            }
            let words = match recover::recover(folder.path(), WORKCELL, TINY, &NoCopies) {
                Err(error) => Some(error.to_string()),
                Ok(found) if found.head.seq < acknowledged => {
                    Some(format!("entries up to {acknowledged} were acknowledged, {} are there", found.head.seq))
                }
                Ok(_) => {
                    let mut there = Vec::new();
                    let parent = scratch();
                    fs::rename(folder.path(), parent.path().join("log")).unwrap();
                    super::verify(parent.path(), |entry| there.push(entry.payload)).unwrap();
                    (!appended.starts_with(&there)).then(|| "something else than was appended".to_owned())
                }
            };
            lost.extend(words.map(|words| format!("moment {moment}, draw {draw}: {words}")));
        }
    }
    (cuts, lost)
}

#[test]
fn whenever_the_power_is_cut_what_was_acknowledged_is_there() {
    let folder = scratch();
    let happened = written(folder.path());
    let (cuts, lost) = survives(folder.path(), &happened);
    eprintln!("{cuts} power cuts");
    assert!(cuts >= 200, "{cuts} cuts");
    assert!(lost.is_empty(), "{} of {cuts} cuts: {lost:?}", lost.len());
}

#[test]
fn a_log_that_is_not_synced_loses_what_it_acknowledged() {
    let folder = scratch();
    mutate("no_sync");
    let happened = written(folder.path());
    mutate("");
    let (cuts, lost) = survives(folder.path(), &happened);
    eprintln!("without the sync {} of {cuts} power cuts lose what was acknowledged", lost.len());
    assert!(lost.len() > 20, "only {} of {cuts} cuts lost something", lost.len());
}

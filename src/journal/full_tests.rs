//! The disk is full at every single write, rename and new file of a log: nothing acknowledged is lost, and it goes on when
//! there is room again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::disk::ROOM;
use super::log::Log;
use super::power_tests::{BATCHES, TINY, WORKCELL, batch, scratch};
use super::recover::{self, NOTHING, NoCopies};
use super::segment::Spare;
use std::path::Path;
use std::sync::Arc;

/// Opens the log of a folder, and makes it where there is none.
fn open(folder: &Path) -> Result<Log, String> {
    let spare = Arc::new(Spare::find(folder, TINY).map_err(|error| error.to_string())?);
    if super::segment::list(folder).unwrap().is_empty() {
        spare.take(WORKCELL, 1, NOTHING).map_err(|_| "no spare segment".to_owned())?;
    }
    let recovered = recover::recover(folder, WORKCELL, TINY, &NoCopies).map_err(|error| error.to_string())?;
    Log::open(folder.to_owned(), WORKCELL, spare, recovered).map_err(|error| error.to_string())
}

/// Appends until the disk is full, and returns the last acknowledged entry; `None`: all of it had room.
fn until_full(folder: &Path, room: u64) -> (u64, bool) {
    ROOM.set(Some(room));
    let mut acknowledged = 0;
    let mut write = || -> Result<(), String> {
        let mut log = open(folder)?;
        for number in 0..BATCHES {
            // What an append says that failed is unknown: its process ends, as the engine does.
            acknowledged = log.append(log.head.seq, 1, &batch(number)).map_err(|error| error.to_string())?.seq;
        }
        Ok(())
    };
    let full = write().is_err();
    ROOM.set(None);
    (acknowledged, full)
}

#[test]
fn wherever_the_disk_is_full_nothing_acknowledged_is_lost_and_it_goes_on_when_there_is_room() {
    let appended: Vec<Vec<u8>> = (0..BATCHES).flat_map(batch).collect();
    let mut fulls = 0;
    for room in 0.. {
        let parent = scratch();
        let folder = parent.path().join("log");
        std::fs::create_dir(&folder).unwrap();
        let (acknowledged, full) = until_full(&folder, room);
        if !full {
            break;
        }
        fulls += 1;
        let mut log = open(&folder).unwrap_or_else(|error| panic!("room for {room} changes: {error}"));
        assert!(log.head.seq >= acknowledged, "room for {room}: {} of {acknowledged} are there", log.head.seq);
        let more = vec![b"there is room again".to_vec()];
        log.append(log.head.seq, 1, &more).unwrap_or_else(|error| panic!("room for {room} changes: {error}"));
        drop(log);
        let mut there = Vec::new();
        super::verify(parent.path(), |entry| there.push(entry.payload)).unwrap();
        assert_eq!(there.pop(), more.first().cloned());
        assert!(appended.starts_with(&there), "room for {room}: something else than was appended");
        assert!(there.len() as u64 >= acknowledged);
    }
    eprintln!("the disk was full at {fulls} moments");
    assert!(fulls > 40, "{fulls}");
}

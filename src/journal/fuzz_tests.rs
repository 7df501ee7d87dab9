//! Logs that somebody has changed on purpose, with every checksum made right again: refused or cleared, never believed beyond
//! what the chain of hashes proves, and nothing panics. A fixed number on every push.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::log::Log;
use super::power_tests::{BATCHES, TINY, WORKCELL, batch, scratch};
use super::recover::{self, NOTHING, NoCopies};
use super::segment::{self, SEGMENT_HEADER, Spare};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Logs that are changed.
const LOGS: u64 = 4_000;
/// Of a frame's header.
const CHECK_AT: usize = 68;

fn written(folder: &Path) {
    let spare = Arc::new(Spare::find(folder, TINY).unwrap());
    spare.take(WORKCELL, 1, NOTHING).unwrap();
    let recovered = recover::recover(folder, WORKCELL, TINY, &NoCopies).unwrap();
    let mut log = Log::open(folder.to_owned(), WORKCELL, spare, recovered).unwrap();
    for number in 0..BATCHES {
        log.append(log.head.seq, 1, &batch(number)).unwrap();
    }
}

/// Changes a frame, or the segment's header, and makes the checksums right.
fn change(bytes: &mut [u8], rng: &mut ChaCha8Rng) {
    let below = |rng: &mut ChaCha8Rng, bound: usize| usize::try_from(rng.next_u64()).unwrap() % bound.max(1);
    let mut starts = vec![0];
    let mut at = SEGMENT_HEADER;
    while let Some(frame) = bytes.get(at..).and_then(super::frame::decode) {
        starts.push(at);
        at += frame.length;
    }
    let start = *starts.get(below(rng, starts.len())).unwrap();
    let values = [0, 1, 0x7f, 0x80, 0xff, u8::try_from(rng.next_u64() & 0xff).unwrap()];
    let mut put = |at: usize, value: u8| {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
    };
    for _ in 0..=below(rng, 4) {
        let place = start + below(rng, SEGMENT_HEADER);
        put(place, *values.get(below(rng, values.len())).unwrap());
    }
    if start == 0 {
        return;
    }
    let Some(header) = bytes.get(start..start + CHECK_AT) else { return };
    let check = crc32c::crc32c(header).to_le_bytes();
    bytes.get_mut(start + CHECK_AT..start + CHECK_AT + 4).unwrap().copy_from_slice(&check);
    let size = super::frame::u32_at(bytes, start + 4).map_or(0, |it| usize::try_from(it).unwrap());
    let end = start + super::frame::length(size.min(usize::from(u16::MAX)));
    if let Some(body) = bytes.get(start..end.saturating_sub(4)) {
        let check = crc32c::crc32c(body).to_le_bytes();
        if let Some(place) = bytes.get_mut(end - 4..end) {
            place.copy_from_slice(&check);
        }
    }
}

#[test]
fn a_log_that_was_changed_with_its_checksums_is_never_believed_beyond_its_chain() {
    let original = scratch();
    written(original.path());
    let files: Vec<_> = segment::list(original.path()).unwrap();
    let files: Vec<_> = files.iter().map(|first| segment::path(original.path(), *first)).collect();
    let files: Vec<_> = files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let appended: Vec<Vec<u8>> = (0..BATCHES).flat_map(batch).collect();
    let (mut refused, mut shorter, mut whole, mut other) = (0, 0, 0, 0);
    for seed in 0..LOGS {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let parent = scratch();
        let folder = parent.path().join("log");
        fs::create_dir(&folder).unwrap();
        let chosen = usize::try_from(rng.next_u64()).unwrap() % files.len();
        for (index, (path, bytes)) in files.iter().enumerate() {
            let mut bytes = bytes.clone();
            if index == chosen {
                change(&mut bytes, &mut rng);
            }
            fs::write(folder.join(path.file_name().unwrap()), bytes).unwrap();
        }
        if recover::recover(&folder, WORKCELL, TINY, &NoCopies).is_err() {
            refused += 1;
            continue;
        }
        let mut there = Vec::new();
        super::verify(parent.path(), |entry| there.push(entry.payload)).unwrap();
        match (appended.starts_with(&there), there.len() == appended.len()) {
            (true, true) => whole += 1,
            (true, false) => shorter += 1,
            // Only the newest frame has no successor whose hash would give the change away.
            (false, _) => {
                let before = there.len() - 1;
                assert_eq!(
                    there.get(..before),
                    appended.get(..before),
                    "seed {seed}: more than the last entry is another"
                );
                other += 1;
            }
        }
    }
    eprintln!("{refused} refused, {shorter} cut at their end, {whole} whole, {other} with another last entry");
    assert!(refused > 1_000 && whole > 10, "{refused} {shorter} {whole}");
}

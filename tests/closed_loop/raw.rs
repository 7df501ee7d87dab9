//! The journal's segments, read by a parser that shares nothing with the journal's own.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Bytes of a frame before its payload.
const HEADER: usize = 72;

/// Every event in order; checks that they are numbered without a gap and chained by their hashes.
pub(super) fn events(folder: &Path) -> Vec<Value> {
    let mut segments: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|it| it == "segment"));
    segments.sort();
    let (mut events, mut previous) = (Vec::new(), vec![0; 32]);
    for segment in segments {
        let bytes = std::fs::read(segment).unwrap();
        let mut at = 0;
        while at + HEADER <= bytes.len() {
            if &bytes[at..at + 4] != b"EuFr" {
                at += 8;
                continue;
            }
            let number = |from: usize| u32::from_le_bytes(bytes[at + from..at + from + 4].try_into().unwrap());
            let length = number(4) as usize;
            let payload = &bytes[at + HEADER..at + HEADER + length];
            if number(64) == 1 {
                assert_eq!(number(8) as usize, events.len() + 1, "a number is missing or stands twice");
                assert_eq!(&bytes[at + 32..at + 64], previous, "the chain is broken");
                previous =
                    Sha256::new().chain_update(&bytes[at..at + HEADER]).chain_update(payload).finalize().to_vec();
                events.push(serde_json::from_slice(payload).unwrap());
            }
            at += (HEADER + length + 4).next_multiple_of(8);
        }
    }
    events
}

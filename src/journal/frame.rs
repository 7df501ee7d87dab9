//! Frames: how one entry stands in a segment.
//!
//! All numbers are little-endian. A frame starts at a multiple of 8 and its length is a multiple of 8:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..4 | magic `EuFr` |
//! | 4..8 | length of the payload |
//! | 8..16 | sequence number (end frame: of the last event) |
//! | 16..24 | epoch |
//! | 24..28 | index of the frame in its batch, from 0 |
//! | 28..32 | number of frames in its batch |
//! | 32..64 | hash of the previous event frame; zeros for the first |
//! | 64..68 | kind: 1 an event, 2 an end frame (closed in good order) |
//! | 68..72 | CRC32C of bytes 0..68 |
//! | 72.. | payload, then zeros, then in the last four bytes the CRC32C of everything before |
//!
//! The hash of a frame is the SHA-256 of its first 72 bytes and its payload. End frames aren't part of the chain.
//!
//! The batch's index and count are what make an append all or nothing, and what tells a torn batch (its frames may reach
//! the disk in any order) from damage (a later batch proves that this one was durable).

use super::EntryHash;
use sha2::{Digest as _, Sha256};

/// The bytes before the payload.
pub(super) const FRAME_HEADER: usize = 72;
/// The length of an end frame, in bytes.
pub(super) const END_FRAME: usize = 80;
/// Frames start and end at multiples of this.
pub(super) const ALIGN: usize = 8;

const MAGIC: [u8; 4] = *b"EuFr";
const EVENT: u32 = 1;
const END: u32 = 2;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It holds an entry.
    Event,
    /// The journal was closed here in good order.
    End,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) seq: u64,
    pub(super) epoch: u64,
    /// Its place in its batch, from 0.
    pub(super) index: u32,
    /// How many frames its batch has.
    pub(super) count: u32,
    pub(super) previous: EntryHash,
    pub(super) payload: Vec<u8>,
}

/// A frame read back, whole by its checksums.
#[derive(Clone, Debug)]
pub(super) struct Decoded {
    pub(super) frame: Frame,
    pub(super) hash: EntryHash,
    /// Its length in the segment, in bytes.
    pub(super) length: usize,
}

impl Frame {
    /// The mark of an orderly close after the entry `seq`.
    pub(super) fn end(seq: u64, epoch: u64, previous: EntryHash) -> Self {
        Self { kind: Kind::End, seq, epoch, index: 0, count: 1, previous, payload: Vec::new() }
    }

    /// Whether it is the last of its batch.
    pub(super) fn ends_batch(&self) -> bool {
        self.index.checked_add(1) == Some(self.count)
    }

    /// The sequence number of the first frame of its batch.
    pub(super) fn batch_first(&self) -> u64 {
        self.seq.saturating_sub(u64::from(self.index))
    }

    /// Appends the frame's bytes to `out` and returns its hash.
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> EntryHash {
        let mut header = Vec::with_capacity(FRAME_HEADER);
        header.extend_from_slice(&MAGIC);
        // Payloads are checked against MAX_PAYLOAD first; a longer one would fail its checksum, not pass as another.
        header.extend_from_slice(&u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        header.extend_from_slice(&self.seq.to_le_bytes());
        header.extend_from_slice(&self.epoch.to_le_bytes());
        header.extend_from_slice(&self.index.to_le_bytes());
        header.extend_from_slice(&self.count.to_le_bytes());
        header.extend_from_slice(&self.previous);
        let kind = match self.kind {
            Kind::Event => EVENT,
            Kind::End => END,
        };
        header.extend_from_slice(&kind.to_le_bytes());
        let check = crc32c::crc32c(&header);
        header.extend_from_slice(&check.to_le_bytes());

        let padding = length(self.payload.len()) - FRAME_HEADER - self.payload.len() - 4;
        let padding = vec![0; padding];
        let mut checksum = 0;
        for part in [&header, &self.payload, &padding] {
            checksum = crc32c::crc32c_append(checksum, part);
            out.extend_from_slice(part);
        }
        out.extend_from_slice(&checksum.to_le_bytes());
        hash(&header, &self.payload)
    }
}

/// The length of a frame with a payload of so many bytes.
pub(super) fn length(payload: usize) -> usize {
    (FRAME_HEADER + payload + 4).next_multiple_of(ALIGN)
}

fn hash(header: &[u8], payload: &[u8]) -> EntryHash {
    Sha256::new().chain_update(header).chain_update(payload).finalize().into()
}

/// Reads the frame at the start of `bytes`; `None` if no whole frame stands there.
pub(super) fn decode(bytes: &[u8]) -> Option<Decoded> {
    let header = bytes.get(..FRAME_HEADER)?;
    if header.get(..4)? != MAGIC || crc32c::crc32c(header.get(..68)?) != u32_at(header, 68)? {
        return None;
    }
    let size = usize::try_from(u32_at(header, 4)?).ok()?;
    if size > super::MAX_PAYLOAD {
        return None;
    }
    let length = length(size);
    let body = bytes.get(..length - 4)?;
    if crc32c::crc32c(body) != u32_at(bytes, length - 4)? {
        return None;
    }
    let payload = bytes.get(FRAME_HEADER..FRAME_HEADER + size)?;
    let kind = match u32_at(header, 64)? {
        EVENT => Kind::Event,
        END => Kind::End,
        _ => return None,
    };
    let frame = Frame {
        kind,
        seq: u64_at(header, 8)?,
        epoch: u64_at(header, 16)?,
        index: u32_at(header, 24)?,
        count: u32_at(header, 28)?,
        previous: array_at(header, 32)?,
        payload: payload.to_vec(),
    };
    Some(Decoded { hash: hash(header, payload), frame, length })
}

/// The bytes at a place as an array; `None` past the end.
pub(super) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The number at a place; `None` past the end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

/// The number at a place; `None` past the end.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_frame() -> impl Strategy<Value = Frame> {
        (any::<u64>(), any::<u64>(), any::<u32>(), any::<u32>(), any::<[u8; 32]>(), any::<Vec<u8>>()).prop_map(
            |(seq, epoch, index, count, previous, payload)| Frame {
                kind: if payload.is_empty() { Kind::End } else { Kind::Event },
                seq,
                epoch,
                index,
                count,
                previous,
                payload,
            },
        )
    }

    proptest! {
        #[test]
        fn a_frame_comes_back_as_it_was(frame in any_frame()) {
            let mut bytes = Vec::new();
            let hash = frame.encode(&mut bytes);
            let back = decode(&bytes).unwrap();
            prop_assert_eq!(&back.frame, &frame);
            prop_assert_eq!(back.hash, hash);
            prop_assert_eq!(back.length, bytes.len());
            prop_assert_eq!(bytes.len() % ALIGN, 0);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
            prop_assert!(decode(&bytes).is_none());
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unseen() {
        let mut bytes = Vec::new();
        Frame { payload: b"thirteen byte".to_vec(), kind: Kind::Event, ..Frame::end(7, 3, [9; 32]) }.encode(&mut bytes);
        for at in 0..bytes.len() {
            assert!(decode(bytes.get(..at).unwrap()).is_none(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                *flipped.get_mut(at).unwrap() ^= 1 << bit;
                assert!(decode(&flipped).is_none(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn an_end_frame_has_the_length_that_is_reserved_for_it() {
        let mut bytes = Vec::new();
        Frame::end(1, 1, [0; 32]).encode(&mut bytes);
        assert_eq!(bytes.len(), END_FRAME);
    }
}

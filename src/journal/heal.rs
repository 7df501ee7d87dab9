//! Writes again what damage took, from second copies, if the hash chain confirms them.

use super::frame::{self, END_FRAME, Frame, Kind};
use super::open::OpenError;
use super::reader::Place;
use super::recover::{Chain, Copies, Image, fitting_copy};
use super::segment::{self, Header, HeaderFound};

/// What goes over the damaged bytes.
#[derive(Debug)]
pub(super) struct Patch {
    pub(super) bytes: Vec<u8>,
    /// How many frames are in it.
    pub(super) frames: u64,
}

/// Finds the frames that stood from this place on, up to one on disk whose `previous` is the last copy's hash.
///
/// `next` is the first sequence number of the segment after this one.
pub(super) fn patch(
    image: &Image,
    offset: usize,
    chain: &Chain,
    next: Option<u64>,
    copies: &dyn Copies,
) -> Result<Patch, OpenError> {
    let refused = |what| image.damaged(offset, chain.next(), what);
    let (mut patch, mut chain) = (Patch { bytes: Vec::new(), frames: 0 }, *chain);
    loop {
        let at = offset + patch.bytes.len();
        if patch.frames > 0 && (stands(image, at, &chain) || next_segment_follows(image, &chain, next)) {
            return Ok(patch);
        }
        let room = image.from(at).len();
        let copy = fitting_copy(copies, &chain);
        let here = |place: &Place, at: usize| place.segment == image.first && place.offset == at as u64;
        let gap = copy.as_ref().is_some_and(|(place, ..)| here(place, at + END_FRAME));
        if room >= END_FRAME && (gap || begins_batch(image, at + END_FRAME, &chain)) {
            Frame::end(chain.head.seq, chain.epoch, chain.head.hash).encode(&mut patch.bytes);
        } else if let Some((place, raw, decoded)) = copy {
            if !here(&place, at) || raw.len() > room {
                return Err(refused("a copy exists, but of another place"));
            }
            patch.bytes.extend_from_slice(&raw);
            chain.pass(&decoded);
        } else {
            return Err(refused("later entries prove that it was durable, and no copy of it fits the chain"));
        }
        patch.frames += 1;
    }
}

/// Whether a frame stands there that continues the chain.
fn stands(image: &Image, at: usize, chain: &Chain) -> bool {
    frame::decode(image.from(at)).is_some_and(|decoded| chain.fits(&decoded.frame))
}

/// Whether the first event frame of a batch stands there that continues the chain.
fn begins_batch(image: &Image, at: usize, chain: &Chain) -> bool {
    frame::decode(image.from(at)).is_some_and(|decoded| {
        decoded.frame.kind == Kind::Event && decoded.frame.index == 0 && chain.fits(&decoded.frame)
    })
}

/// Whether the next segment's header continues the chain, or, if it is damaged itself, at least its name.
fn next_segment_follows(image: &Image, chain: &Chain, next: Option<u64>) -> bool {
    let Some(next) = next.filter(|next| *next == chain.next()) else { return false };
    let Some(log) = image.path.parent() else { return false };
    let Ok(bytes) = std::fs::read(segment::path(log, next)) else { return false };
    match Header::decode(&bytes) {
        HeaderFound::Whole(header) => header.previous == chain.head.hash,
        HeaderFound::Damaged | HeaderFound::Newer(_) => false,
    }
}

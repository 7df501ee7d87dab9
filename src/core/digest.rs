//! Hashes over several parts, each told from its neighbour by its length.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// A SHA-256 that is fed part by part.
pub(crate) struct Digest(Sha256);

impl Digest {
    /// Starts a digest of its own kind: two kinds never agree by accident.
    pub(crate) fn new(kind: &str) -> Self {
        let mut digest = Self(Sha256::new());
        digest.text("eutectic").text(kind);
        digest
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
        self
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(number.to_be_bytes());
        self
    }

    pub(crate) fn bytes(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    pub(crate) fn hex(self) -> String {
        self.bytes().iter().fold(String::new(), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The first eight bytes as a number: a seed.
    pub(crate) fn seed(self) -> u64 {
        self.bytes().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }

    /// The digest in the form of a UUID of version 8 (RFC 9562: made by the application's own rule).
    pub(crate) fn uuid(self) -> String {
        let mut hex: Vec<char> = self.hex().chars().take(32).collect();
        for (place, mark) in [(12, '8'), (16, 'a')] {
            if let Some(digit) = hex.get_mut(place) {
                *digit = mark;
            }
        }
        let mut text = String::new();
        for (place, digit) in hex.into_iter().enumerate() {
            if matches!(place, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(digit);
        }
        text
    }
}

//! Noise that a repeated campaign meets again, whatever its operations are called.

use crate::wire::Context;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

/// A generator for what this instrument measures in this attempt of this step.
pub(super) fn generator(context: &Context, instrument: &str) -> ChaCha8Rng {
    let mut digest = Sha256::new();
    digest.update(context.seed.to_le_bytes());
    digest.update(context.experiment.to_le_bytes());
    digest.update(context.attempt.to_le_bytes());
    // The lengths keep neighbours apart.
    for text in [context.step.as_str(), instrument] {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    ChaCha8Rng::from_seed(digest.finalize().into())
}

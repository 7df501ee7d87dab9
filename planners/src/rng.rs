//! Seeds and random numbers: each purpose draws from a stream of its own, so that adding one moves no other.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What random numbers are drawn for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// The random planner's points.
    Random,
    /// The scrambling of the initial design.
    Design,
    /// The way into a region that the initial design's sequence misses.
    Rescue,
    /// Draws of hyperparameters.
    Hyper,
    /// The sampled outcomes at the points that could be best.
    Fantasy,
    /// Candidates and starts of the search.
    Search,
    /// Weights of scalarised objectives.
    Weights,
    /// Whole functions.
    Paths,
}

impl Stream {
    fn number(self) -> u64 {
        match self {
            Self::Random => 1,
            Self::Design => 2,
            Self::Rescue => 3,
            Self::Hyper => 4,
            Self::Fantasy => 5,
            Self::Search => 6,
            Self::Weights => 7,
            Self::Paths => 8,
        }
    }
}

/// Mixes two numbers into one (the finaliser of `SplitMix64`, Steele et al., OOPSLA 2014).
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_add(b.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The seed of a stream: `index` tells apart the calls, and whatever else draws from the same stream.
pub(crate) fn derive(seed: u64, stream: Stream, index: u64) -> u64 {
    mix(mix(seed, stream.number()), index)
}

/// A number in the open unit interval from 64 random bits.
pub(crate) fn unit(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

/// A source of random numbers that gives the same ones everywhere.
#[derive(Debug)]
pub(crate) struct Source(ChaCha8Rng);

impl Source {
    pub(crate) fn new(seed: u64, stream: Stream, index: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(derive(seed, stream, index)))
    }

    /// Uniform in the open unit interval.
    pub(crate) fn unit(&mut self) -> f64 {
        unit(self.0.next_u64())
    }

    /// Uniform below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The multiplication's bias is below 2^-32 for any bound in use here.
        usize::try_from((u128::from(self.0.next_u64()) * bound as u128) >> 64).unwrap_or(0)
    }

    /// Standard normal, by the inverse distribution function: one uniform a normal, so streams stay aligned.
    pub(crate) fn normal(&mut self) -> f64 {
        crate::normal::quantile(self.unit())
    }
}

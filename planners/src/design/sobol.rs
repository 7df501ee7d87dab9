//! Sobol's sequence in double precision, with Owen's nested uniform scrambling.
//!
//! Sources: I. M. Sobol, USSR Comput. Math. Math. Phys. 7 (1967), 86-112; S. Joe and F. Y. Kuo (see `joe_kuo`);
//! A. B. Owen, "Randomly permuted (t,m,s)-nets and (t,s)-sequences", 1995.

use super::joe_kuo::JOE_KUO;
use crate::rng;

/// Coordinates from this one on are independent uniform numbers rather than part of the sequence.
pub(crate) const SOBOL_DIMENSIONS: usize = JOE_KUO.len() + 1;

/// Scrambling looks at this many leading bits; the rest of a double's 52 come from one hash.
const SCRAMBLED_BITS: u32 = 40;

/// A scrambled (or plain) Sobol sequence of some dimension.
#[derive(Clone, Debug)]
pub(crate) struct Sobol {
    /// Direction numbers, one array of 64 a dimension, most significant bit first.
    directions: Vec<[u64; 64]>,
    dimension: usize,
    scramble: Option<u64>,
}

impl Sobol {
    /// A sequence scrambled by a seed, or the plain one without a seed.
    pub(crate) fn new(dimension: usize, scramble: Option<u64>) -> Self {
        let directions = (0..dimension.min(SOBOL_DIMENSIONS)).map(directions).collect();
        Self { directions, dimension, scramble }
    }

    /// The point of an index, in the unit cube: `[0, 1)` if plain, the open interval if scrambled.
    pub(crate) fn point(&self, index: u64) -> Vec<f64> {
        let gray = index ^ (index >> 1);
        let coordinate = |dimension: usize| {
            let Some(directions) = self.directions.get(dimension) else {
                return rng::unit(rng::mix(rng::mix(self.scramble.unwrap_or(0), dimension as u64), index));
            };
            let bits = directions.iter().enumerate().filter(|(bit, _)| gray >> bit & 1 == 1).fold(0, |x, (_, v)| x ^ v);
            match self.scramble {
                None => (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64),
                Some(seed) => rng::unit(owen(bits, rng::mix(seed, dimension as u64))),
            }
        };
        (0..self.dimension).map(coordinate).collect()
    }
}

/// The direction numbers of one dimension by the recurrence of its primitive polynomial.
fn directions(dimension: usize) -> [u64; 64] {
    let mut v = [0u64; 64];
    let row = dimension.checked_sub(1).and_then(|row| JOE_KUO.get(row));
    for bit in 0..64usize {
        let shifted = |m: u64| m << (63 - bit);
        let value = match row {
            None => shifted(1),
            Some((_, m)) if bit < m.len() => shifted(m.get(bit).copied().map_or(1, u64::from)),
            Some((a, m)) => {
                let degree = m.len();
                let back = |k: usize| v.get(bit - k).copied().unwrap_or(0);
                let mut value = back(degree) ^ (back(degree) >> degree);
                for k in 1..degree {
                    if a >> (degree - 1 - k) & 1 == 1 {
                        value ^= back(k);
                    }
                }
                value
            }
        };
        if let Some(slot) = v.get_mut(bit) {
            *slot = value;
        }
    }
    v
}

/// Flips each bit by a coin that depends on all the bits above it: Owen's scrambling, exactly.
fn owen(bits: u64, seed: u64) -> u64 {
    let mut out = 0;
    for level in 0..SCRAMBLED_BITS {
        let prefix = if level == 0 { 0 } else { bits >> (64 - level) };
        let coin = rng::mix(rng::mix(seed, u64::from(level)), prefix) >> 63;
        out |= ((bits >> (63 - level) & 1) ^ coin) << (63 - level);
    }
    out | rng::mix(seed ^ 0x5bd1_e995, bits) >> SCRAMBLED_BITS
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "dyadic fractions are exact")]
    use super::*;

    #[test]
    fn the_first_points_are_the_published_ones() {
        // Joe and Kuo's own listing for five dimensions, in Gray-code order.
        let published = [
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5, 0.5, 0.5],
            [0.75, 0.25, 0.25, 0.25, 0.75],
            [0.25, 0.75, 0.75, 0.75, 0.25],
            [0.375, 0.375, 0.625, 0.875, 0.375],
            [0.875, 0.875, 0.125, 0.375, 0.875],
            [0.625, 0.125, 0.875, 0.625, 0.625],
            [0.125, 0.625, 0.375, 0.125, 0.125],
        ];
        let sobol = Sobol::new(5, None);
        for (index, point) in (0..).zip(published) {
            assert_eq!(sobol.point(index), point);
        }
    }

    #[test]
    fn a_late_point_in_128_dimensions_agrees_with_scipy() {
        let point = Sobol::new(128, None).point(1000);
        let at = |dimension: usize| point.get(dimension).copied();
        let expected = [
            (0, 0.219_726_562_5),
            (1, 0.096_679_687_5),
            (5, 0.907_226_562_5),
            (63, 0.446_289_062_5),
            (100, 0.768_554_687_5),
            (127, 0.543_945_312_5),
        ];
        for (dimension, value) in expected {
            assert_eq!(at(dimension), Some(value));
        }
        assert_eq!(point.iter().sum::<f64>(), 66.060_546_875);
    }

    #[test]
    fn scrambling_keeps_one_point_in_every_elementary_interval() {
        for seed in 0..5 {
            let sobol = Sobol::new(3, Some(seed));
            for dimension in 0..3 {
                let mut cells: Vec<_> = (0..64)
                    .filter_map(|index| sobol.point(index).get(dimension).map(|x| (x * 64.0).floor().to_bits()))
                    .collect();
                cells.sort_unstable();
                cells.dedup();
                assert_eq!(cells.len(), 64, "seed {seed}, dimension {dimension}");
            }
        }
    }

    #[test]
    fn every_dimension_is_uniform_and_beyond_the_table_too() {
        let sobol = Sobol::new(140, Some(3));
        let points: Vec<_> = (0..256).map(|index| sobol.point(index)).collect();
        for dimension in 0..140 {
            let mean = points.iter().filter_map(|point| point.get(dimension)).sum::<f64>() / 256.0;
            assert!((mean - 0.5).abs() < 0.07, "dimension {dimension}: {mean}");
        }
        assert!(points.iter().flatten().all(|x| *x > 0.0 && *x < 1.0));
    }
}

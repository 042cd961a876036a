//! Random numbers by a seed (splitmix64): the same seed gives the same numbers on every machine.

use std::time::Duration;

/// A source of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

/// So many in a thousand.
pub(super) type Permille = u64;

// === impl Rng ===

impl Rng {
    /// The numbers of this seed.
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring numbers, which one step of the mixer prevents.
        let mut rng = Self(seed ^ 0x5851_f42d_4c95_7f2d);
        Self(rng.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// An index below `len`, which must not be 0.
    pub(super) fn below(&mut self, len: usize) -> usize {
        usize::try_from(self.between(0, len as u64 - 1)).unwrap()
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, permille: Permille) -> bool {
        self.between(0, 999) < permille
    }

    /// A duration from `low` to `high` milliseconds.
    pub(super) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// One of the items, if there is one.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len())) }
    }
}

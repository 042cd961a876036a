//! Random numbers by a seed.

use std::time::Duration;

use crate::random::Random;

/// A source of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Rng(Random);

/// So many in a thousand.
pub(super) type Permille = u64;

// === impl Rng ===

impl Rng {
    /// The numbers of this seed.
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring numbers, which one step of the mixer prevents.
        Self(Random(Random(seed ^ 0x5851_f42d_4c95_7f2d).draw()))
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.draw() % (high - low + 1)
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

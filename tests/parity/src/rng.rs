//! Random numbers that a seed determines.

use edge_core::random::Random;

/// A generator of random numbers: the same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Rng(Random);

// === impl Rng ===

impl Rng {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(Random(seed))
    }

    /// A number from 0 to less than `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// A number from `least` to `most`.
    pub fn range(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most + 1 - least)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

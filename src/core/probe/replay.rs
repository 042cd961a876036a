//! Each sequence number is accepted once.

/// How many numbers below the highest are still accepted: packets may overtake each other.
const WINDOW: u32 = 256;
const BITS: u32 = u64::BITS;

/// Which sequence numbers of a sender were accepted: the highest, and which of those just below it. Lower ones
/// count as accepted, so that it takes no more memory however long it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    highest: Option<u32>,
    /// Bit `n % 256` is set if number `n`, not above the highest and less than 256 below it, was accepted.
    accepted: [u64; (WINDOW / BITS) as usize],
}

// === impl ReplayWindow ===

impl ReplayWindow {
    /// Accepts a number; false if it was accepted before, or is too far below the highest to tell.
    pub fn accept(&mut self, number: u32) -> bool {
        match self.highest {
            Some(highest) if number <= highest => {
                if highest - number >= WINDOW || self.bit(number) {
                    return false;
                }
            }
            Some(highest) => {
                // Between the two lie numbers that were not accepted; their places hold what was long ago.
                for passed in (highest + 1..=number).take(WINDOW as usize) {
                    self.set_bit(passed, false);
                }
                self.highest = Some(number);
            }
            None => self.highest = Some(number),
        }
        self.set_bit(number, true);
        true
    }

    fn bit(&self, number: u32) -> bool {
        self.accepted.get(word(number)).is_some_and(|word| word & mask(number) != 0)
    }

    fn set_bit(&mut self, number: u32, on: bool) {
        if let Some(word) = self.accepted.get_mut(word(number)) {
            *word = if on { *word | mask(number) } else { *word & !mask(number) };
        }
    }
}

fn word(number: u32) -> usize {
    (number % WINDOW / BITS) as usize
}

fn mask(number: u32) -> u64 {
    1 << (number % BITS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Random;

    #[test]
    fn a_number_is_accepted_once() {
        // Numbers that hop about, against a set that remembers all of them.
        let (mut window, mut all) = (ReplayWindow::default(), BTreeSet::new());
        let (mut random, mut base) = (Random(1), 1_000_u32);
        for _ in 0..200_000 {
            let random = random.below(u32::MAX);
            base += if random.is_multiple_of(97) { random % 700 } else { random % 3 };
            let number = base - (random >> 8) % 300;
            let highest: u32 = all.last().copied().unwrap_or(0);
            let expected = (all.is_empty() || highest.saturating_sub(number) < WINDOW) && all.insert(number);
            assert_eq!(window.accept(number), expected, "{number}, highest {highest}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_numbers_too() {
        let mut window = ReplayWindow::default();
        for (number, accepted) in [(0, true), (0, false), (u32::MAX, true), (u32::MAX, false), (0, false)] {
            assert_eq!(window.accept(number), accepted, "{number}");
        }
    }
}

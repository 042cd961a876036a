//! Numbers that look random and are the same in every run and on every machine: `SplitMix64` (Steele, Lea and Flood, "Fast
//! splittable pseudorandom number generators", OOPSLA 2014).

/// A row of numbers; which one is decided by the seed.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

/// What is added for the next number: 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl Random ===

impl Random {
    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// One from 0 to below `end`; 0 if that is 0.
    pub fn below<N: Copy + TryFrom<u64> + TryInto<u64>>(&mut self, end: N) -> N {
        let bound = end.try_into().unwrap_or(1).max(1);
        N::try_from(self.draw() % bound).unwrap_or(end)
    }

    /// One from 0 to 1, the latter left out.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts a list into any order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// Spreads a number over all bits: each bit that goes in changes half of those that come out.
pub fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of seed 0, as the reference implementation gives them (Vigna, `splitmix64.c`).
    #[test]
    fn the_numbers_are_those_of_everybody() {
        let mut random = Random(0);
        assert_eq!([random.draw(), random.draw()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }
}

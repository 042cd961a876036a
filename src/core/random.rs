//! Tests only: numbers that look random and are the same in every run, on every machine (xorshift64*).

/// A row of numbers; which one is decided by the seed, which must not be 0.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number, below 2³¹.
    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        u32::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap()
    }

    /// The next one below `bound`, which must not be 0.
    pub(crate) fn below<N: TryFrom<u64> + TryInto<u64>>(&mut self, bound: N) -> N {
        let bound = bound.try_into().ok().unwrap();
        N::try_from(u64::from(self.next()) % bound).ok().unwrap()
    }

    /// The next one from 0 to 1, the latter left out.
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.next()) / f64::from(1_u32 << 31)
    }
}

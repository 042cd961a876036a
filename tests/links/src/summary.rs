//! Percentiles.

use std::{fmt, time::Duration};

/// Percentiles of some durations, by nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// The smallest.
    pub min: Duration,
    /// The median.
    pub p50: Duration,
    /// The 95th percentile.
    pub p95: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The greatest.
    pub max: Duration,
}

// === impl Summary ===

impl Summary {
    /// Of these durations; none if there are none.
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(place).copied()
        };
        Some(Self {
            count: sorted.len(),
            min: *sorted.first()?,
            p50: rank(50)?,
            p95: rank(95)?,
            p99: rank(99)?,
            max: *sorted.last()?,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        write!(
            f,
            "{} of min {:.3}, p50 {:.3}, p95 {:.3}, p99 {:.3}, max {:.3} ms",
            self.count,
            ms(self.min),
            ms(self.p50),
            ms(self.p95),
            ms(self.p99),
            ms(self.max)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let of = |count: u64| Summary::of((1..=count).rev().map(Duration::from_millis));
        let ms = Duration::from_millis;
        assert_eq!(of(0), None);
        let one = of(1).unwrap();
        assert_eq!((one.min, one.p50, one.p99, one.max), (ms(1), ms(1), ms(1), ms(1)));
        let many = of(32).unwrap();
        assert_eq!((many.p50, many.p95, many.p99, many.max), (ms(16), ms(31), ms(32), ms(32)));
    }
}

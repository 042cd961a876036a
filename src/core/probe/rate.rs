//! How often something may happen: token buckets, by source and in all.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::model::Time;

/// So many at once, and in the long run one each `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How long until one more.
    pub every: Duration,
}

/// What may still happen at once. It is kept as the time at which all of it would be there again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: Time,
}

/// A bucket for each source, and one for all of them. It takes bounded memory, whoever sends.
#[derive(Clone, Debug)]
pub struct SourceLimit<S> {
    each: Rate,
    all: Rate,
    most_sources: usize,
    sources: HashMap<S, Bucket>,
    /// For the sources that there is no room for.
    others: Bucket,
    whole: Bucket,
}

// === impl Bucket ===

impl Bucket {
    /// When the next may happen.
    pub fn ready_at(&self, rate: Rate) -> Time {
        self.full_at - rate.every.saturating_mul(rate.burst.saturating_sub(1))
    }

    /// Takes one if one is there at `now`.
    pub fn take(&mut self, rate: Rate, now: Time) -> bool {
        let ready = self.ready_at(rate) <= now;
        if ready {
            self.full_at = self.full_at.max(now) + rate.every;
        }
        ready
    }
}

// === impl SourceLimit ===

impl<S: Eq + Hash> SourceLimit<S> {
    /// A limit for each source, of which so many are told apart, and one for all together.
    pub fn new(each: Rate, all: Rate, most_sources: usize) -> Self {
        let sources = HashMap::new();
        Self { each, all, most_sources, sources, others: Bucket::default(), whole: Bucket::default() }
    }

    /// Whether one more of this source is within the limits at `now`.
    pub fn admit(&mut self, source: S, now: Time) -> bool {
        if self.sources.len() >= self.most_sources && !self.sources.contains_key(&source) {
            // A bucket that is full says no more than none at all.
            self.sources.retain(|_, bucket| bucket.full_at > now);
        }
        let has_room = self.sources.len() < self.most_sources || self.sources.contains_key(&source);
        let bucket = if has_room { self.sources.entry(source).or_default() } else { &mut self.others };
        bucket.take(self.each, now) && self.whole.take(self.all, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_origin(Duration::from_millis(millis))
    }

    const RATE: Rate = Rate { burst: 3, every: Duration::from_millis(100) };

    #[test]
    fn so_many_at_once_and_then_one_by_one() {
        let mut bucket = Bucket::default();
        let mut taken = |from: u64, to: u64| (from..to).filter(|ms| bucket.take(RATE, at(*ms))).count();
        assert_eq!(taken(5_000, 5_001) + taken(5_001, 5_002) + taken(5_002, 5_003), 3);
        assert_eq!(taken(5_003, 5_099), 0);
        assert_eq!(taken(5_099, 6_099), 10);
        assert_eq!(taken(9_000, 9_010), 3);
    }

    #[test]
    fn a_source_takes_nothing_from_others() {
        let all = Rate { burst: 1000, every: Duration::ZERO };
        let mut limit = SourceLimit::new(RATE, all, 2);
        let mut admitted = |source, ms| (0..10).filter(|_| limit.admit(source, at(ms))).count();
        assert_eq!([admitted('a', 1_000), admitted('b', 1_000)], [3, 3]);
        // There is no room for more: these share what is left.
        assert_eq!([admitted('c', 1_000), admitted('d', 1_000)], [3, 0]);
        // Those that have been silent make room.
        assert_eq!([admitted('e', 1_300), admitted('f', 1_300), admitted('a', 1_300)], [3, 3, 3]);
    }

    #[test]
    fn all_together_are_limited_too() {
        let mut limit = SourceLimit::new(RATE, Rate { burst: 5, every: Duration::from_millis(10) }, 100);
        assert_eq!((0..50).filter(|source| limit.admit(*source, at(1_000))).count(), 5);
    }
}

//! How long a packet lay before it was read.
//!
//! The kernel says when a packet came in, by the wall clock. That wall clock may be stepped at any time, so it is used
//! for nothing but the little time between the kernel's stamp and our reading, and only where it is plausible.

use std::time::Duration;

use crate::model::Time;

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The clock that delays are taken with: it is never set.
    pub at: Time,
    /// The wall clock, counted from its own origin: it may be set at any time.
    pub wall: Duration,
}

/// By how much the two clocks may drift apart between two readings; more means that the wall clock was set. Both are
/// sped up and slowed down together, so all there is, is the time between reading the one and the other.
const DRIFT: Duration = Duration::from_micros(20);

/// How long a packet that came in at `stamp`, by the wall clock, lay before it was read at `read`. `before` is an
/// earlier reading from before the packet came in. Zero if it is not known, which makes a delay too large and never
/// too small.
pub fn lag(stamp: Option<Duration>, before: Reading, read: Reading) -> Duration {
    let elapsed = read.at.since(before.at);
    let by_wall = read.wall.checked_sub(before.wall);
    let was_set = by_wall.is_none_or(|by_wall| by_wall.abs_diff(elapsed) > DRIFT);
    let lag = stamp.and_then(|stamp| read.wall.checked_sub(stamp));
    lag.filter(|lag| !was_set && *lag <= elapsed).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: u64, wall: u64) -> Reading {
        Reading { at: Time::from_origin(Duration::from_micros(at)), wall: Duration::from_micros(wall) }
    }

    #[track_caller]
    fn check(stamp: Option<u64>, before: (u64, u64), read: (u64, u64), expected: u64) {
        let found =
            lag(stamp.map(Duration::from_micros), reading(before.0, before.1), reading(read.0, read.1));
        assert_eq!(found, Duration::from_micros(expected), "{stamp:?} {before:?} {read:?}");
    }

    #[test]
    fn a_lag_that_is_not_plausible_counts_as_none() {
        check(Some(51_900), (1_000, 50_000), (3_000, 52_000), 100);
        check(Some(51_900), (1_000, 50_000), (3_000, 52_010), 110);
        check(None, (1_000, 50_000), (3_000, 52_000), 0);
        // The stamp is from before the probe was sent, or of the future.
        check(Some(49_000), (1_000, 50_000), (3_000, 52_000), 0);
        check(Some(52_001), (1_000, 50_000), (3_000, 52_000), 0);
        // The clock was set, forward, back, and far back.
        check(Some(51_900), (1_000, 50_000), (3_000, 52_500), 0);
        check(Some(51_900), (1_000, 50_500), (3_000, 52_000), 0);
        check(Some(51_900), (1_000, 90_000), (3_000, 52_000), 0);
    }
}

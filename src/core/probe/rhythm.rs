//! Turns: every peer has its place in the period, and the places are spread evenly, so that probes go out one by one
//! and never as a herd.

use std::time::Duration;

use crate::model::Time;

/// A peer's place: its turn comes each period, so long after the period's begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) period: Duration,
    pub(super) offset: Duration,
}

// === impl Turn ===

impl Turn {
    /// The middle of the largest gap that turns of the same period leave. With no other the begin is at `chance`.
    pub(super) fn between(
        period: Duration,
        others: impl IntoIterator<Item = Self>,
        chance: Duration,
    ) -> Self {
        let same = others.into_iter().filter(|turn| turn.period == period);
        let mut offsets: Vec<Duration> = same.map(|turn| turn.offset).collect();
        offsets.sort_unstable();
        let (Some(first), Some(last)) = (offsets.first().copied(), offsets.last().copied()) else {
            return Self { period, offset: modulo(chance, period) };
        };
        let inner = offsets.iter().zip(offsets.iter().skip(1)).map(|(a, b)| (b.saturating_sub(*a), *a));
        let around = (period.saturating_sub(last).saturating_add(first), last);
        let (gap, from) = inner.chain([around]).max_by_key(|(gap, _)| *gap).unwrap_or(around);
        Self { period, offset: modulo(from + gap / 2, period) }
    }

    /// The first time after `now` that it is this turn.
    pub(super) fn after(self, now: Time) -> Time {
        let into = modulo(now.since_origin(), self.period);
        let begin = now - into;
        let turn = begin + self.offset;
        if turn > now { turn } else { turn + self.period }
    }
}

/// What is left of a time after whole periods; a period of zero leaves nothing.
fn modulo(time: Duration, period: Duration) -> Duration {
    let left = time.as_nanos().checked_rem(period.as_nanos()).unwrap_or_default();
    Duration::from_nanos(u64::try_from(left).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn turns_are_spread_evenly_however_many_there_are() {
        let mut turns: Vec<Turn> = Vec::new();
        for n in 1..=300_u32 {
            let turn = Turn::between(TEN, turns.iter().copied(), Duration::from_secs(123));
            turns.push(turn);
            let mut offsets: Vec<Duration> = turns.iter().map(|turn| turn.offset).collect();
            offsets.sort_unstable();
            let around = (TEN + offsets[0]).saturating_sub(offsets[offsets.len() - 1]);
            let gaps = || offsets.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).chain([around]);
            let (smallest, largest) = (gaps().min().unwrap(), gaps().max().unwrap());
            assert!(largest <= smallest * 2 + Duration::from_nanos(2), "{n}: {smallest:?} to {largest:?}");
        }
    }

    #[test]
    fn a_turn_comes_once_a_period() {
        let turn = Turn { period: TEN, offset: Duration::from_secs(3) };
        let at = |seconds| Time::from_origin(Duration::from_secs(seconds));
        for (now, next) in [(0, 3), (2, 3), (3, 13), (9, 13), (10, 13), (1234, 1243)] {
            assert_eq!(turn.after(at(now)), at(next), "{now}");
        }
    }

    #[test]
    fn turns_of_another_period_are_no_matter() {
        let ring = Turn { period: Duration::from_secs(1), offset: Duration::ZERO };
        let turn = Turn::between(TEN, [ring], Duration::from_secs(14));
        assert_eq!(turn.offset, Duration::from_secs(4));
    }
}

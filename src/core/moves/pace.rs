//! How often pods are moved.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::model::Time;

/// How often pods may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// So many pods in any minute, all workloads together.
    pub per_minute: u32,
    /// For so long a pod stays where it was placed, at least.
    pub dwell: Duration,
}

/// What was moved when.
///
/// Two workloads that are each other's anchors, or a link that flaps, could have pods moved to and fro for ever. So
/// each move of a workload that comes soon after the one before doubles the time that its pods stay.
#[derive(Clone, Debug)]
pub struct Pace<W> {
    /// When the moves of the last minute began.
    begun: VecDeque<Time>,
    workloads: BTreeMap<W, Moved>,
}

#[derive(Clone, Copy, Debug)]
struct Moved {
    last: Time,
    /// How many moves came soon after one another.
    in_a_row: u32,
}

const MINUTE: Duration = Duration::from_mins(1);
/// The time that pods stay is doubled so often at most.
const MAX_DOUBLINGS: u32 = 6;

// === impl Rhythm ===

impl Default for Rhythm {
    fn default() -> Self {
        Self { per_minute: 6, dwell: Duration::from_mins(2) }
    }
}

// === impl Pace ===

impl<W> Default for Pace<W> {
    fn default() -> Self {
        Self { begun: VecDeque::new(), workloads: BTreeMap::new() }
    }
}

impl<W: Ord> Pace<W> {
    /// When the next move may begin, as far as all workloads together are concerned; never, if none may.
    pub fn free_at(&self, rhythm: Rhythm) -> Time {
        let per_minute = usize::try_from(rhythm.per_minute).unwrap_or(usize::MAX);
        if per_minute == 0 {
            return Time::NEVER;
        }
        // The oldest of those that are in the way.
        let oldest = self.begun.len().checked_sub(per_minute).and_then(|idx| self.begun.get(idx));
        oldest.map_or(Time::ZERO, |begun| *begun + MINUTE)
    }

    /// Until when a pod of this workload stays where it is, if it is there since `placed`.
    pub fn stays_until(&self, workload: &W, placed: Time, rhythm: Rhythm) -> Time {
        let after_placing = placed + rhythm.dwell;
        let after_move = self.workloads.get(workload).map(|moved| moved.last + moved.rest(rhythm));
        after_move.map_or(after_placing, |at| at.max(after_placing))
    }

    /// A pod of this workload begins to be moved.
    pub fn begin(&mut self, workload: W, rhythm: Rhythm, now: Time) {
        while self.begun.front().is_some_and(|begun| *begun + MINUTE <= now) {
            self.begun.pop_front();
        }
        self.begun.push_back(now);
        // Those that would be forgotten anyway take no memory.
        self.workloads.retain(|_, moved| !moved.is_over(rhythm, now));
        let moved = self.workloads.entry(workload).or_insert(Moved { last: now, in_a_row: 0 });
        moved.last = now;
        moved.in_a_row = moved.in_a_row.saturating_add(1);
    }
}

// === impl Moved ===

impl Moved {
    /// How long the workload's pods stay after its last move.
    fn rest(self, rhythm: Rhythm) -> Duration {
        rhythm.dwell.saturating_mul(1 << self.in_a_row.saturating_sub(1).min(MAX_DOUBLINGS))
    }

    /// Whether it was so long ago that the next move is a first one.
    fn is_over(self, rhythm: Rhythm, now: Time) -> bool {
        self.last + self.rest(rhythm).saturating_mul(2) <= now
    }
}

//! What the agent's threads have done, for health and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use edge_core::model::Time;
use edge_core::probe::Sample;

/// After this long without a sign of life a thread counts as stuck. Both show one every few seconds.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// Counts, shared by the threads and whoever looks.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Arc<Counts>);

#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Probes that were answered.
    pub(super) answered: AtomicU64,
    /// Probes that were not.
    pub(super) lost: AtomicU64,
    /// Probes of others that we answered.
    pub(super) echoed: AtomicU64,
    /// Packets that we did not answer.
    pub(super) refused: AtomicU64,
    /// Reports that were taken.
    pub(super) reported: AtomicU64,
    /// Reports that were not.
    pub(super) unreported: AtomicU64,
    /// How many peers are probed.
    pub(super) peers: AtomicU64,
    /// Whether the agent lacks CPU.
    pub(super) starved: AtomicBool,
    /// When the sending thread was last alive, in milliseconds.
    sender_alive: AtomicU64,
    /// The same of the one that answers; zero if there is none.
    echo_alive: AtomicU64,
}

// === impl Counters ===

impl Counters {
    /// One more of these.
    pub(super) fn add(&self, which: impl FnOnce(&Counts) -> &AtomicU64) {
        which(&self.0).fetch_add(1, Ordering::Relaxed);
    }

    /// How many there are.
    pub(super) fn get(&self, which: impl FnOnce(&Counts) -> &AtomicU64) -> u64 {
        which(&self.0).load(Ordering::Relaxed)
    }

    /// Something came of a probe.
    pub(super) fn count(&self, sample: Sample) {
        match sample {
            Sample::Answered(_) => self.add(|it| &it.answered),
            Sample::Lost => self.add(|it| &it.lost),
        }
    }

    /// The sending thread is alive.
    pub(super) fn beat(&self, now: Time) {
        self.0.sender_alive.store(millis(now), Ordering::Relaxed);
    }

    /// The thread that answers is alive.
    pub(super) fn echo_beat(&self, now: Time) {
        self.0.echo_alive.store(millis(now), Ordering::Relaxed);
    }

    pub(super) fn set_state(&self, peers: usize, starved: bool) {
        self.0.peers.store(u64::try_from(peers).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.starved.store(starved, Ordering::Relaxed);
    }

    pub(super) fn is_starved(&self) -> bool {
        self.0.starved.load(Ordering::Relaxed)
    }

    /// Whether others are answered.
    pub(super) fn is_answering(&self) -> bool {
        self.0.echo_alive.load(Ordering::Relaxed) > 0
    }

    /// The threads that show no life, by name.
    pub(super) fn stuck(&self, now: Time) -> Vec<&'static str> {
        let is_stuck = |alive: &AtomicU64| match alive.load(Ordering::Relaxed) {
            0 => false,
            alive => millis(now).saturating_sub(alive) > millis(Time::from_origin(STUCK_AFTER)),
        };
        let threads = [("sender", &self.0.sender_alive), ("echo", &self.0.echo_alive)];
        threads.into_iter().filter(|(_, alive)| is_stuck(alive)).map(|(name, _)| name).collect()
    }
}

fn millis(time: Time) -> u64 {
    u64::try_from(time.since_origin().as_millis()).unwrap_or(u64::MAX)
}

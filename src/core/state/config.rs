//! Settings of the state machine.

use std::time::Duration;

use super::{HealingRules, Watched, WatchedSet};
use crate::delay::DelayRules;
use crate::placement::Profile;

/// What [`super::State`] needs to know.
pub struct Config {
    /// The profiles; pods that name none of them belong to other schedulers.
    pub profiles: Vec<Profile>,
    /// The kinds of objects that are told. Nothing is decided before everything there is of each was told
    /// once; one that may not be watched is told to be empty.
    pub watched: WatchedSet,
    /// Waiting after failures.
    pub backoff: Backoff,
    /// After this long a waiting pod is tried again even if nothing happened that could cure it: a
    /// safety net (upstream: `--pod-max-in-unschedulable-pods-duration`).
    pub max_unschedulable: Duration,
    /// How many bindings may be on their way at once.
    pub max_in_flight: usize,
    /// How often delays that nobody uses any more are given up.
    pub delay_sweep: Duration,
    /// What is made of measurements.
    pub delays: DelayRules,
    /// What is done about nodes that fail.
    pub healing: HealingRules,
}

/// Exponential waiting (upstream: `podInitialBackoffSeconds`, `podMaxBackoffSeconds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub initial: Duration,
    /// At most.
    pub max: Duration,
}

// === impl Config ===

impl Config {
    /// These profiles, and upstream's defaults for the rest.
    pub fn new(profiles: Vec<Profile>) -> Self {
        Self {
            profiles,
            watched: WatchedSet::all(),
            backoff: Backoff::default(),
            max_unschedulable: Duration::from_mins(5),
            max_in_flight: 100,
            delay_sweep: Duration::from_mins(5),
            delays: DelayRules::default(),
            healing: HealingRules::default(),
        }
    }

    /// The same for a cluster of which nothing but pods and nodes will be told.
    #[must_use]
    pub fn of_pods_and_nodes(self) -> Self {
        Self { watched: [Watched::Pods, Watched::Nodes].into_iter().collect(), ..self }
    }
}

// === impl Backoff ===

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), max: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// How long to wait after this many failures in a row.
    pub fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.initial.saturating_mul(1 << doublings).min(self.max)
    }
}

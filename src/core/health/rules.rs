//! The numbers that verdicts are made by.

use std::time::Duration;

/// When a node is suspect, when it is lost, and when neither may be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRules {
    /// So many probes in a row that were not answered are a miss of the peer. Probes are a second apart.
    pub misses: u16,
    /// How long no change of a Lease may be seen before it is overdue. A kubelet renews it every 10 to 10.4 s.
    pub lease_overdue: Duration,
    /// How long a node is suspect at least before it is lost, so that others that fail with it are seen too.
    pub settle: Duration,
    /// If more than this share of the nodes, in percent, and at least [`Self::freeze_least`] of them become suspect
    /// within [`Self::freeze_window`], nothing is acted on.
    pub freeze_percent: usize,
    /// See [`Self::freeze_percent`].
    pub freeze_least: usize,
    /// See [`Self::freeze_percent`].
    pub freeze_window: Duration,
    /// How long verdicts have to be stable before that ends.
    pub calm: Duration,
    /// How long a node that comes back has to be well before it is used again.
    pub dwell: Duration,
    /// An agent that said that it ends, as in a roll-out, is expected back for so long; that nobody reaches it says
    /// nothing meanwhile.
    pub expected_back: Duration,
}

// === impl HealthRules ===

impl Default for HealthRules {
    fn default() -> Self {
        Self {
            misses: 3,
            lease_overdue: Duration::from_secs(12),
            settle: Duration::from_secs(1),
            freeze_percent: 20,
            freeze_least: 2,
            freeze_window: Duration::from_mins(1),
            calm: Duration::from_mins(1),
            dwell: Duration::from_secs(30),
            expected_back: Duration::from_mins(5),
        }
    }
}

impl HealthRules {
    /// An agent's word counts for so many of its report periods.
    pub(super) const FRESH_PERIODS: u32 = 3;
    /// An agent that said nothing for so many of its report periods is not heard.
    pub(super) const HEARD_PERIODS: u32 = 2;
    /// How far apart the probes of neighbours are.
    pub(super) const PROBED_EVERY: Duration = crate::probe::RING_PERIOD;

    /// Whether so many nodes of `all` are too many to have failed by chance.
    pub(super) fn is_too_many(&self, suspects: usize, all: usize) -> bool {
        suspects >= self.freeze_least && suspects * 100 > all * self.freeze_percent
    }
}

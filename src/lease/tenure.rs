//! Until when this replica may act.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use edge_core::model::Time;

/// The Lease may be overdue by so much before the replica counts as stuck (upstream: the watchdog's time-out).
const TOLERANCE: Duration = Duration::from_secs(20);

/// This replica's right to act, shared between the elector, which renews it, and those who act by it.
#[derive(Clone, Debug)]
pub struct Tenure {
    renewed: Arc<AtomicU64>,
    /// How long after a renewal one may act.
    acting: Duration,
    /// How long after a renewal the Lease runs out.
    lease: Duration,
}

/// As `renewed`: not elected.
const NEVER: u64 = 0;
/// As `renewed`: there is no election.
const ALWAYS: u64 = u64::MAX;

// === impl Tenure ===

impl Tenure {
    /// For a replica that needs no Lease.
    pub fn always() -> Self {
        Self { renewed: Arc::new(ALWAYS.into()), acting: Duration::ZERO, lease: Duration::ZERO }
    }

    /// For one that has yet to be elected. It may act for `acting` after a renewal, which is less than what
    /// the Lease lasts, so that a request that was sent last arrives before the Lease can be another's.
    pub fn elected(acting: Duration, lease: Duration) -> Self {
        Self { renewed: Arc::new(NEVER.into()), acting, lease }
    }

    /// A renewal that was sent at `sent` came about.
    pub fn renew(&self, sent: Time) {
        let micros = u64::try_from(sent.since_origin().as_micros()).unwrap_or(ALWAYS - 1);
        self.renewed.store(micros.clamp(NEVER + 1, ALWAYS - 1), Ordering::Release);
    }

    /// The Lease is not ours any more.
    pub fn end(&self) {
        self.renewed.store(NEVER, Ordering::Release);
    }

    /// Whether one may act at `now`.
    pub fn holds(&self, now: Time) -> bool {
        match self.renewed.load(Ordering::Acquire) {
            NEVER => false,
            ALWAYS => true,
            micros => now < at(micros) + self.acting,
        }
    }

    /// Whether the replica is known to lead, be it by a Lease that is overdue.
    pub fn is_leader(&self) -> bool {
        self.renewed.load(Ordering::Acquire) != NEVER
    }

    /// The watchdog (upstream: `HealthzAdaptor`): fails where a leader should have given up long ago.
    pub fn is_stuck(&self, now: Time) -> bool {
        match self.renewed.load(Ordering::Acquire) {
            NEVER | ALWAYS => false,
            micros => at(micros) + self.lease + TOLERANCE < now,
        }
    }
}

fn at(micros: u64) -> Time {
    Time::from_origin(Duration::from_micros(micros))
}

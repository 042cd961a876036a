//! The scheduler's only clock.

use edge_core::model::Time;
use tokio::time::Instant;

/// Monotonic time since the process began to run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

// === impl Clock ===

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time.
    pub fn now(self) -> Time {
        Time::from_origin(self.origin.elapsed())
    }

    /// How long from now until `at`; zero if that is past.
    pub fn until(self, at: Time) -> std::time::Duration {
        at.since(self.now())
    }
}

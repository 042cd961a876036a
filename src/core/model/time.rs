//! Time as a value.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on the shell's monotonic clock, counted from an origin that only the shell knows.
///
/// The core never reads a clock: every function that needs the time takes it as an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

// === impl Time ===

impl Time {
    /// The origin.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// A moment that never comes.
    pub const NEVER: Self = Self(Duration::MAX);

    /// The moment this long after the origin.
    pub fn from_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the origin this is.
    pub fn since_origin(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

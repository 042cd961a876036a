//! Whether the agent gets its share of CPU.

use std::collections::VecDeque;
use std::time::Duration;

/// Over how many wake-ups it is judged.
const WINDOW: usize = 32;
/// With so many late ones among them the agent is starved, and stays so until at most one is left.
const STARVED_FROM: usize = 4;

/// How late a thread runs after it could: an answer came in, or it was time to send. Both the sender's own delays and
/// what its peers' silence means depend on that.
#[derive(Clone, Debug)]
pub struct Starvation {
    tolerance: Duration,
    late: VecDeque<bool>,
    starved: bool,
}

// === impl Starvation ===

impl Starvation {
    /// Of an agent that has just begun. `tolerance` is how late does no harm yet: more where the kernel says when
    /// answers came in.
    pub fn new(tolerance: Duration) -> Self {
        Self { tolerance, late: VecDeque::new(), starved: false }
    }

    /// The thread ran this long after it could have.
    pub fn woke(&mut self, lag: Duration) {
        if self.late.len() >= WINDOW {
            self.late.pop_front();
        }
        self.late.push_back(lag > self.tolerance);
        let late = self.late.iter().filter(|late| **late).count();
        self.starved = late >= STARVED_FROM || (self.starved && late > 1);
    }

    /// Whether delays taken now are not to be trusted.
    pub fn is_starved(&self) -> bool {
        self.starved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_late_wake_ups_are_none_and_many_last() {
        let mut starvation = Starvation::new(Duration::from_millis(20));
        let mut wake = |millis: u64, times: usize| {
            for _ in 0..times {
                starvation.woke(Duration::from_millis(millis));
            }
            starvation.is_starved()
        };
        assert!(!wake(20, 100));
        assert!(!wake(21, 3));
        assert!(wake(500, 1));
        assert!(wake(0, 29));
        assert!(wake(0, 1));
        assert!(!wake(0, 1));
        assert!(!wake(100, 1));
    }
}

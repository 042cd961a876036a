//! PrioritySort (upstream: `plugins/queuesort`).

use std::cmp::Ordering;

use crate::model::Time;
use crate::placement::Plugin;

/// The order of the queue, [`compare`]. It takes part in no cycle; it is a plugin so that
/// configurations can name it.
pub struct PrioritySort;

/// Compares two pods, each by its priority and the time since when it waits in the queue: the one that
/// is less is tried first. That is the one of higher priority and, among equals, the one that waits
/// longer.
pub fn compare(a: (i32, Time), b: (i32, Time)) -> Ordering {
    b.0.cmp(&a.0).then(a.1.cmp(&b.1))
}

impl Plugin for PrioritySort {
    fn name(&self) -> &'static str {
        "PrioritySort"
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(a: (i32, u64), b: (i32, u64), expected: Ordering) {
        let at = |(priority, seconds)| (priority, Time::from_origin(Duration::from_secs(seconds)));
        assert_eq!(compare(at(a), at(b)), expected, "{a:?} {b:?}");
        assert_eq!(compare(at(b), at(a)), expected.reverse(), "{b:?} {a:?}");
    }

    #[test]
    fn the_higher_priority_goes_first_then_the_longer_wait() {
        check((10, 5), (5, 1), Ordering::Less);
        check((0, 9), (-1, 1), Ordering::Less);
        check((i32::MAX, 1), (i32::MIN, 1), Ordering::Less);
        check((5, 1), (5, 2), Ordering::Less);
        check((5, 2), (5, 2), Ordering::Equal);
    }
}

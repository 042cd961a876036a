//! How often agents report at least.

use std::time::Duration;

/// The least there is.
const LEAST: Duration = Duration::from_mins(1);
/// How many agents may report in a second, all of them together, where nothing happens.
const PER_SECOND: u32 = 40;
/// The interval is a multiple of this, and stays until it is too short or more than twice this too long: every
/// change of it is written to every node.
const STEP: Duration = Duration::from_secs(20);

/// Within what time each of so many nodes is to report, where it was `before`.
pub(super) fn report_every(nodes: usize, before: Option<Duration>) -> Duration {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    let needed = LEAST.max(Duration::from_secs(nodes.div_ceil(PER_SECOND).into()));
    if let Some(before) = before
        && needed <= before
        && before <= needed + STEP * 2
    {
        return before;
    }
    let steps = needed.as_secs().div_ceil(STEP.as_secs());
    STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(nodes: usize, before: Option<u64>, expected: u64) {
        let every = report_every(nodes, before.map(Duration::from_secs));
        assert_eq!(every, Duration::from_secs(expected), "{nodes} {before:?}");
    }

    #[test]
    fn agents_report_every_minute_and_no_more_than_forty_a_second() {
        check(0, None, 60);
        check(2_400, None, 60);
        check(2_401, None, 80);
        check(5_000, None, 140);
        check(1_000_000, None, 25_000);
    }

    #[test]
    fn the_interval_does_not_follow_every_node_that_comes_or_goes() {
        check(2_401, Some(60), 80);
        check(2_400, Some(80), 80);
        check(1_000, Some(80), 80);
        check(1_000, Some(120), 60);
        check(5_600, Some(140), 140);
        check(5_601, Some(140), 160);
        check(1_000, Some(100), 100);
    }
}

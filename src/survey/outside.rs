//! What sources outside say, as far as it is worth writing.

use std::collections::BTreeMap;
use std::time::Duration;

use edge_core::delay::{Measurement, Report, Statistics};
use edge_core::model::{Delay, NodeName, Time};

/// How many rows of a node are written, the nearest ones: a matrix of thousands of nodes is not for an object.
const ROWS: usize = 48;
/// A delay has moved if by a tenth of what it was, and by half a millisecond.
const MOVED_SHARE: u32 = 10;
const MOVED_MICROS: u32 = 500;
/// Where a source reports now and then, it is written so often at least that people see that it lives.
const LEAST_EVERY: Duration = Duration::from_mins(1);

/// Reports of sources outside, the latest of each node.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// Worth writing, not written yet.
    pending: BTreeMap<NodeName, Report>,
    /// As last written.
    written: BTreeMap<NodeName, (Report, Time)>,
}

// === impl Outside ===

impl Outside {
    /// A source says this.
    pub(super) fn tell(&mut self, report: Report, now: Time) {
        let is_news = self.written.get(&report.from).is_none_or(|(before, at)| {
            let is_due = report.every.is_some_and(|every| *at + every.max(LEAST_EVERY) <= now);
            is_due || differs(before, &report)
        });
        if is_news {
            self.pending.insert(report.from.clone(), report);
        }
    }

    /// The first report that is worth writing, of those nodes that may be written.
    pub(super) fn next(&self, may: impl Fn(&NodeName) -> bool) -> Option<&Report> {
        self.pending.iter().find(|(node, _)| may(node)).map(|(_, report)| report)
    }

    /// This was written.
    pub(super) fn written(&mut self, report: Report, now: Time) {
        if self.pending.get(&report.from) == Some(&report) {
            self.pending.remove(&report.from);
        }
        self.written.insert(report.from.clone(), (report, now));
    }

    /// The object is gone, and what was written with it.
    pub(super) fn forget(&mut self, node: &NodeName) {
        if let Some((report, _)) = self.written.remove(node) {
            self.pending.entry(node.clone()).or_insert(report);
        }
    }
}

/// Those rows that are written, the nearest ones, by peer in ascending order.
pub(super) fn nearest(mut rows: Vec<Measurement>) -> Vec<Measurement> {
    rows.sort_by_key(|row| row.statistics.p50.map_or(u32::MAX, Delay::as_micros));
    rows.truncate(ROWS);
    rows.shrink_to_fit();
    rows.sort_by(|a, b| a.peer.cmp(&b.peer));
    rows
}

fn differs(before: &Report, after: &Report) -> bool {
    let rows = || before.rows.iter().zip(&after.rows);
    before.source != after.source
        || before.rows.len() != after.rows.len()
        || rows()
            .any(|(before, after)| before.peer != after.peer || moved(&before.statistics, &after.statistics))
}

fn moved(before: &Statistics, after: &Statistics) -> bool {
    let moved = |before: Option<Delay>, after: Option<Delay>| match (before, after) {
        (Some(before), Some(after)) => {
            let by = before.as_micros().abs_diff(after.as_micros());
            by >= MOVED_MICROS && by >= before.as_micros() / MOVED_SHARE
        }
        (before, after) => before.is_some() != after.is_some(),
    };
    moved(before.p50, after.p50) || moved(before.p95, after.p95)
}

#[cfg(test)]
mod tests {
    use edge_core::delay::DelaySource;

    use super::*;

    fn report(every: Option<u64>, rows: &[(&str, Option<&str>)]) -> Report {
        let row = |(peer, millis): &(&str, Option<&str>)| {
            let p50 = millis.map(|millis| Delay::parse_millis(millis).unwrap());
            Measurement {
                peer: (*peer).into(),
                statistics: Statistics { p50, samples: 1, ..Statistics::default() },
            }
        };
        let rows = rows.iter().map(row).collect();
        let every = every.map(Duration::from_secs);
        Report { from: "a".into(), source: DelaySource::Goldpinger, every, starved: false, rows }
    }

    /// Whether `after`, told so many seconds after `before` was written, is worth writing.
    #[track_caller]
    fn check(before: &[(&str, Option<&str>)], after: &[(&str, Option<&str>)], seconds: u64, expected: bool) {
        let mut outside = Outside::default();
        outside.written(report(Some(30), before), Time::ZERO);
        outside.tell(report(Some(30), after), Time::from_origin(Duration::from_secs(seconds)));
        assert_eq!(outside.next(|_| true).is_some(), expected, "{before:?} {after:?} {seconds}");
    }

    #[test]
    fn a_report_is_written_if_a_delay_moved_or_it_is_time() {
        check(&[("b", Some("10"))], &[("b", Some("10"))], 59, false);
        check(&[("b", Some("10"))], &[("b", Some("10"))], 60, true);
        check(&[("b", Some("10"))], &[("b", Some("10.9"))], 1, false);
        check(&[("b", Some("10"))], &[("b", Some("11"))], 1, true);
        check(&[("b", Some("1"))], &[("b", Some("1.4"))], 1, false);
        check(&[("b", Some("1"))], &[("b", None)], 1, true);
        check(&[("b", None)], &[("b", None)], 1, false);
        check(&[("b", Some("1"))], &[("c", Some("1"))], 1, true);
        check(&[("b", Some("1"))], &[], 1, true);
    }

    #[test]
    fn of_many_rows_the_nearest_are_written() {
        let names: Vec<String> = (0..100).map(|idx| format!("n{idx:02}")).collect();
        let rows: Vec<(&str, Option<&str>)> = names.iter().map(|name| (name.as_str(), None)).collect();
        let mut report = report(None, &rows);
        report.rows[99].statistics.p50 = Some(Delay::ZERO);
        let rows = nearest(report.rows);
        assert_eq!((rows.len(), rows[46].peer.as_str(), rows[47].peer.as_str()), (48, "n46", "n99"));
    }

    #[test]
    fn what_goes_with_its_object_is_written_again_once_there_is_one() {
        let mut outside = Outside::default();
        let report = report(None, &[("b", Some("1"))]);
        outside.tell(report.clone(), Time::ZERO);
        outside.written(report.clone(), Time::ZERO);
        assert_eq!(outside.next(|_| true), None);
        outside.forget(&"a".into());
        assert_eq!(outside.next(|_| false), None);
        assert_eq!(outside.next(|_| true), Some(&report));
    }
}

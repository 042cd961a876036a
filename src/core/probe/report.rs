//! When to report: as soon as it matters, as seldom as possible.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::UNREACHABLE_AFTER;
use super::rate::{Bucket, Rate};
use super::step::moved;
use crate::delay::Statistics;
use crate::model::{Delay, NodeName, Time};

/// How long what has moved waits for more to come along.
const SETTLE: Duration = Duration::from_secs(1);
/// How many reports of what has moved may follow each other; one more comes in each half of a report period.
const MOVED_BURST: u32 = 4;
/// The same for what can't wait.
const URGENT: Rate = Rate { burst: 8, every: Duration::from_secs(10) };
/// How long after a bound's crossing was told it is told again, by newer samples: a placed pod counts as violated, or
/// as cured, by two reports in a row.
const CONFIRM_AFTER: Duration = Duration::from_secs(2);
/// The first pause after a report that was not taken; each further one is twice as long, up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// Why there is something to report, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A value has moved by 10 % and 0.5 ms.
    Moved,
    /// A peer came or went out of reach, a delay has crossed a bound, or somebody waits for a result.
    Urgent,
    /// The agent ends.
    Last,
}

/// Decides when the next report is due.
#[derive(Clone, Debug)]
pub struct Reporter {
    every: Duration,
    /// Between 0.8 and one: agents that begin together do not go on together.
    share: f64,
    told: BTreeMap<NodeName, Told>,
    reported_at: Option<Time>,
    pending: Option<Pending>,
    /// The peers whose delay crossed a bound since the last report.
    crossed: BTreeSet<NodeName>,
    phase: Phase,
    failures: u32,
    usual: Bucket,
    urgent: Bucket,
}

/// What was said of a peer last.
#[derive(Clone, Copy, Debug)]
struct Told {
    delays: [Option<Delay>; 3],
    is_reachable: bool,
    /// Whether there are samples enough for the delays to count.
    counts: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    reason: Reason,
    since: Time,
}

#[derive(Clone, Debug)]
enum Phase {
    /// There is nobody to report to.
    Paused,
    Idle,
    /// A report is on its way, for this reason; none if it was simply time. It tells that the delays of these peers
    /// crossed a bound.
    Writing(Option<Pending>, BTreeSet<NodeName>),
    /// The last one was not taken; the next is due then.
    Failed(Time),
}

// === impl Reporter ===

impl Reporter {
    /// With nobody to report to yet. `chance` is a random number between 0 and 1.
    pub fn new(every: Duration, chance: f64) -> Self {
        Self {
            every,
            share: 0.8 + 0.2 * chance.clamp(0.0, 1.0),
            told: BTreeMap::new(),
            reported_at: None,
            pending: None,
            crossed: BTreeSet::new(),
            phase: Phase::Paused,
            failures: 0,
            usual: Bucket::default(),
            urgent: Bucket::default(),
        }
    }

    /// There is somebody to report to, at least as often as this. With `anew` nothing of what was said is there any
    /// more.
    pub fn resume(&mut self, every: Duration, anew: bool) {
        self.every = every;
        if matches!(self.phase, Phase::Paused) {
            self.phase = Phase::Idle;
        }
        if anew {
            self.reported_at = None;
        }
    }

    /// There is nobody to report to.
    pub fn pause(&mut self) {
        self.phase = Phase::Paused;
        self.reported_at = None;
    }

    /// Something is to be said.
    pub fn note(&mut self, reason: Reason, now: Time) {
        let since = self.pending.map_or(now, |pending| pending.since.min(now));
        let reason = self.pending.map_or(reason, |pending| pending.reason.max(reason));
        self.pending = Some(Pending { reason, since });
    }

    /// Compares what is known of a peer with what was said last. In a burst only whether it can be reached counts:
    /// the rest is about to be known better.
    pub fn observe(
        &mut self,
        peer: &NodeName,
        statistics: &Statistics,
        bounds: &[Delay],
        in_burst: bool,
        now: Time,
    ) {
        let new = Told::of(statistics);
        let turned = self.told.get(peer).is_some_and(|old| old.is_reachable != new.is_reachable);
        let reason = match self.told.get(peer) {
            _ if in_burst => None,
            Some(old) if old.counts || !new.counts => old.reason(&new, bounds),
            // Nothing was said of it yet, or too little to count.
            Some(_) | None if bounds.is_empty() => Some(Reason::Moved),
            Some(_) | None => Some(Reason::Urgent),
        };
        if reason == Some(Reason::Urgent) {
            self.crossed.insert(peer.clone());
        }
        if let Some(reason) = if turned { Some(Reason::Urgent) } else { reason } {
            self.note(reason, now);
        }
    }

    /// When the next report is due.
    pub fn due_at(&self) -> Time {
        match self.phase {
            Phase::Paused | Phase::Writing(..) => Time::NEVER,
            Phase::Failed(until) => until,
            Phase::Idle => self.in_time().min(self.pending.map_or(Time::NEVER, |it| self.ready_at(it))),
        }
    }

    /// When the next is due although nothing happens: a while before the others count on it.
    fn in_time(&self) -> Time {
        self.reported_at.map_or(Time::ZERO, |at| at + self.every.mul_f64(0.95 * self.share))
    }

    fn ready_at(&self, pending: Pending) -> Time {
        match pending.reason {
            Reason::Moved => (pending.since + SETTLE).max(self.usual.ready_at(self.usual_rate())),
            Reason::Urgent => pending.since.max(self.urgent.ready_at(URGENT)),
            Reason::Last => Time::ZERO,
        }
    }

    fn usual_rate(&self) -> Rate {
        Rate { burst: MOVED_BURST, every: self.every / 2 }
    }

    /// A report goes out at `now` that says this of the peers. How it fared is told by [`Self::written`] or
    /// [`Self::failed`], and until then there is no other.
    pub fn begin<'a>(&mut self, rows: impl IntoIterator<Item = (&'a NodeName, &'a Statistics)>, now: Time) {
        self.told = rows.into_iter().map(|(peer, statistics)| (peer.clone(), Told::of(statistics))).collect();
        // One that was only due in time leaves the buckets as they are.
        match self.pending.map(|pending| pending.reason) {
            Some(Reason::Moved) => _ = self.usual.take(self.usual_rate(), now),
            Some(Reason::Urgent) => _ = self.urgent.take(URGENT, now),
            Some(Reason::Last) | None => (),
        }
        self.phase = Phase::Writing(self.pending.take(), std::mem::take(&mut self.crossed));
        self.reported_at = Some(now);
    }

    /// The report was taken at `now`. Gives the peers of which it told that a bound was crossed: that will be told again soon,
    /// and is to be measured once more before.
    pub fn written(&mut self, now: Time) -> BTreeSet<NodeName> {
        self.failures = 0;
        let Phase::Writing(_, crossed) = &mut self.phase else { return BTreeSet::new() };
        let crossed = std::mem::take(crossed);
        self.phase = Phase::Idle;
        if !crossed.is_empty() {
            self.note(Reason::Urgent, now + CONFIRM_AFTER);
        }
        crossed
    }

    /// The report was not taken: it is to be made anew after a pause, which grows. `chance` is a random number between
    /// 0 and 1, so that agents that were turned away together don't come back together.
    pub fn failed(&mut self, now: Time, chance: f64) {
        let Phase::Writing(pending, crossed) = &mut self.phase else { return };
        self.crossed.append(crossed);
        if let Some(Pending { reason, since }) = *pending {
            self.note(reason, since);
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5)).min(LAST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Failed(now + pause.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0)));
    }

    /// How long at most until the next report.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Whether a report is on its way, or waits until it may be.
    pub fn is_busy(&self) -> bool {
        self.pending.is_some() || matches!(self.phase, Phase::Writing(..) | Phase::Failed(_))
    }
}

// === impl Told ===

impl Told {
    fn of(statistics: &Statistics) -> Self {
        Self {
            delays: [statistics.min, statistics.p50, statistics.p95],
            is_reachable: statistics.missed < UNREACHABLE_AFTER,
            counts: statistics.samples >= Statistics::ENOUGH_SAMPLES,
        }
    }

    /// Why what is known now is worth a report.
    fn reason(&self, new: &Self, bounds: &[Delay]) -> Option<Reason> {
        let pairs = || self.delays.into_iter().zip(new.delays);
        let crossed = |(old, new): (Option<Delay>, Option<Delay>)| {
            // What is not known is beyond every bound.
            let within = |delay: Option<Delay>, bound| delay.is_some_and(|delay| delay <= bound);
            bounds.iter().any(|bound| within(old, *bound) != within(new, *bound))
        };
        // The smallest is no statistic that bounds are held against.
        if pairs().skip(1).any(crossed) {
            return Some(Reason::Urgent);
        }
        let has_moved = |(old, new): (Option<Delay>, Option<Delay>)| match (old, new) {
            (Some(old), Some(new)) => moved(old, new),
            (old, new) => old != new,
        };
        pairs().any(has_moved).then_some(Reason::Moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_of_which_too_little_was_said_is_told_again_once_it_counts() {
        let at = |secs| Time::from_origin(Duration::from_secs(secs));
        let of = |samples| Statistics { samples, p50: Delay::from_micros(40).ok(), ..Statistics::default() };
        let peer = NodeName::from("a");
        let mut reporter = Reporter::new(Duration::from_mins(10), 0.5);
        reporter.resume(Duration::from_mins(10), true);
        reporter.begin([(&peer, &of(3))], at(1_000));
        reporter.written(at(1_000));
        reporter.observe(&peer, &of(4), &[], false, at(1_001));
        assert!(!reporter.is_busy());
        reporter.observe(&peer, &of(8), &[], false, at(1_002));
        assert!(reporter.is_busy());
    }
}

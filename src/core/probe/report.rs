//! When to report: as soon as it matters, as seldom as possible.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::UNREACHABLE_AFTER;
use super::prober::Known;
use super::rate::{Bucket, Rate};
use super::step::moved;
use crate::delay::Statistics;
use crate::model::{Delay, NodeName, Time};

/// How long what has moved waits for more to come along.
const SETTLE: Duration = Duration::from_secs(1);
/// How many reports of what has moved may follow each other; one more comes in each half of a report period.
const MOVED_BURST: u32 = 4;
/// The same for what can't wait. A delay that wobbles around a bound leaves some of them to what is more than that.
const URGENT: Rate = Rate { burst: 12, every: Duration::from_secs(10) };
const WOBBLING: Rate = Rate { burst: 8, ..URGENT };
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
    /// A delay has crossed a bound and moved by less than that.
    Wobbled,
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
    /// What is said now counts for nothing.
    starved: bool,
    /// What was said of the peers last that counts.
    told: BTreeMap<NodeName, Told>,
    /// Of which peers it was told that a bound was crossed, and when that is to be told again, as urgently as this.
    again: BTreeMap<NodeName, Pending>,
    /// Of which peers that was in a report that may not have been taken.
    unsure: BTreeMap<NodeName, Reason>,
    reported_at: Option<Time>,
    pending: Option<Pending>,
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
    /// A report is on its way.
    Writing(Writing),
    /// The last one was not taken; the next is due then.
    Failed(Time),
}

/// A report on its way.
#[derive(Clone, Debug)]
struct Writing {
    /// Why; none if it was simply time.
    pending: Option<Pending>,
    /// It tells that the delays of these peers crossed a bound.
    crossed: BTreeMap<NodeName, Reason>,
    /// What was to be said again, before it.
    again: BTreeMap<NodeName, Pending>,
}

// === impl Reporter ===

impl Reporter {
    /// With nobody to report to yet. `chance` is a random number between 0 and 1.
    pub fn new(every: Duration, chance: f64) -> Self {
        Self {
            every,
            share: 0.8 + 0.2 * chance.clamp(0.0, 1.0),
            starved: false,
            told: BTreeMap::new(),
            again: BTreeMap::new(),
            unsure: BTreeMap::new(),
            reported_at: None,
            pending: None,
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
            self.forget();
        }
    }

    /// There is nobody to report to.
    pub fn pause(&mut self) {
        self.phase = Phase::Paused;
        self.forget();
    }

    /// Nothing is there of what was said.
    fn forget(&mut self) {
        self.reported_at = None;
        self.told.clear();
        self.again.clear();
        self.unsure.clear();
        if let Phase::Writing(writing) = &mut self.phase {
            writing.again.clear();
        }
    }

    /// From now on what is said counts for nothing, or counts again. That is to be said, too.
    pub fn set_starved(&mut self, starved: bool, now: Time) {
        self.starved = starved;
        self.note(Reason::Moved, now);
    }

    /// Something is to be said.
    pub fn note(&mut self, reason: Reason, now: Time) {
        let since = self.pending.map_or(now, |pending| pending.since.min(now));
        let reason = self.pending.map_or(reason, |pending| pending.reason.max(reason));
        self.pending = Some(Pending { reason, since });
    }

    /// Compares what is known of a peer with what was said last. In a burst only whether it can be reached counts:
    /// the rest is about to be known better.
    pub fn observe(&mut self, known: &Known<'_>, now: Time) {
        if self.starved {
            return;
        }
        let new = Told::of(&known.statistics);
        let old = self.told.get(known.name);
        let turned = old.is_some_and(|old| old.is_reachable != new.is_reachable);
        let reason = if known.soon { None } else { new.reason(old, known.bounds) };
        if let Some(reason) = if turned { Some(Reason::Urgent) } else { reason } {
            self.note(reason, now);
        }
    }

    /// When the next report is due.
    pub fn due_at(&self) -> Time {
        match self.phase {
            Phase::Paused | Phase::Writing(_) => Time::NEVER,
            Phase::Failed(until) => until,
            Phase::Idle => {
                // Again is told what counts.
                let again = self.again.values().filter(|_| !self.starved);
                let reasons = self.pending.iter().chain(again);
                reasons.map(|it| self.ready_at(*it)).min().unwrap_or(Time::NEVER).min(self.in_time())
            }
        }
    }

    /// When the next is due although nothing happens: a while before the others count on it.
    fn in_time(&self) -> Time {
        self.reported_at.map_or(Time::ZERO, |at| at + self.every.mul_f64(0.95 * self.share))
    }

    fn ready_at(&self, pending: Pending) -> Time {
        match pending.reason {
            Reason::Moved => (pending.since + SETTLE).max(self.usual.ready_at(self.usual_rate())),
            Reason::Wobbled => pending.since.max(self.urgent.ready_at(WOBBLING)),
            Reason::Urgent => pending.since.max(self.urgent.ready_at(URGENT)),
            Reason::Last => Time::ZERO,
        }
    }

    fn usual_rate(&self) -> Rate {
        Rate { burst: MOVED_BURST, every: self.every / 2 }
    }

    /// A report goes out at `now` that says this of the peers. How it fared is told by [`Self::written`] or
    /// [`Self::failed`], and until then there is no other.
    pub fn begin(&mut self, known: &[Known<'_>], now: Time) {
        let again = self.again.values().filter(|it| !self.starved && it.since <= now);
        let reason = self.pending.iter().chain(again).map(|it| it.reason).max();
        // One that was only due in time leaves the buckets as they are.
        match reason {
            Some(Reason::Moved) => _ = self.usual.take(self.usual_rate(), now),
            Some(Reason::Wobbled) => _ = self.urgent.take(WOBBLING, now),
            Some(Reason::Urgent) => _ = self.urgent.take(URGENT, now),
            Some(Reason::Last) | None => (),
        }
        let (pending, again) = (self.pending.take(), self.again.clone());
        let mut crossed = BTreeMap::new();
        if !self.starved {
            crossed.append(&mut self.unsure);
            for it in known {
                let reason = Told::of(&it.statistics).reason(self.told.get(it.name), it.bounds);
                // What a burst has shown so far is said as well.
                crossed
                    .extend(reason.filter(|it| *it > Reason::Moved).map(|reason| (it.name.clone(), reason)));
            }
            self.told = known.iter().map(|it| (it.name.clone(), Told::of(&it.statistics))).collect();
            self.again.retain(|_, it| it.since > now);
        }
        self.phase = Phase::Writing(Writing { pending, crossed, again });
        self.reported_at = Some(now);
    }

    /// The report was taken at `now`. Gives the peers of which it told that a bound was crossed: that will be told again soon,
    /// and is to be measured once more before.
    pub fn written(&mut self, now: Time) -> BTreeSet<NodeName> {
        self.failures = 0;
        let Phase::Writing(Writing { crossed, .. }) = &mut self.phase else { return BTreeSet::new() };
        let crossed = std::mem::take(crossed);
        self.phase = Phase::Idle;
        let since = now + CONFIRM_AFTER;
        let again = |(peer, reason): (&NodeName, &Reason)| (peer.clone(), Pending { reason: *reason, since });
        self.again.extend(crossed.iter().map(again));
        crossed.into_keys().collect()
    }

    /// The report was not taken: it is to be made anew after a pause, which grows. `chance` is a random number between
    /// 0 and 1, so that agents that were turned away together don't come back together.
    pub fn failed(&mut self, now: Time, chance: f64) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5)).min(LAST_PAUSE);
        let until = now + pause.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0));
        match std::mem::replace(&mut self.phase, Phase::Failed(until)) {
            Phase::Writing(Writing { pending, mut crossed, again }) => {
                self.failures = self.failures.saturating_add(1);
                self.again = again;
                // Nobody knows whether it was taken and only its answer lost: what it told stays what was told.
                self.unsure.append(&mut crossed);
                if let Some(Pending { reason, since }) = pending {
                    self.note(reason, since);
                }
            }
            other => self.phase = other,
        }
    }

    /// How long at most until the next report.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Whether a report is on its way, or waits until it may be.
    #[cfg(test)]
    fn is_busy(&self) -> bool {
        self.pending.is_some()
            || !self.again.is_empty()
            || matches!(self.phase, Phase::Writing(_) | Phase::Failed(_))
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

    /// Why this is worth a report if that was said before.
    fn reason(&self, old: Option<&Self>, bounds: &[Delay]) -> Option<Reason> {
        match old {
            Some(old) if old.counts || !self.counts => self.change(old, bounds),
            // Nothing was said of it yet, or too little to count.
            Some(_) | None if bounds.is_empty() => Some(Reason::Moved),
            Some(_) | None => Some(Reason::Urgent),
        }
    }

    fn change(&self, old: &Self, bounds: &[Delay]) -> Option<Reason> {
        let pairs = || old.delays.into_iter().zip(self.delays);
        let has_crossed = |(old, new): (Option<Delay>, Option<Delay>)| {
            // What is not known is beyond every bound.
            let within = |delay: Option<Delay>, bound| delay.is_some_and(|delay| delay <= bound);
            bounds.iter().any(|bound| within(old, *bound) != within(new, *bound))
        };
        let has_moved = |(old, new): (Option<Delay>, Option<Delay>)| match (old, new) {
            (Some(old), Some(new)) => moved(old, new),
            (old, new) => old != new,
        };
        // The smallest is no statistic that bounds are held against.
        let crossed = || pairs().skip(1).filter(|pair| has_crossed(*pair));
        match () {
            () if crossed().any(has_moved) => Some(Reason::Urgent),
            () if crossed().next().is_some() => Some(Reason::Wobbled),
            () => pairs().any(has_moved).then_some(Reason::Moved),
        }
    }
}

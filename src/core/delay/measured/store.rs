//! All reports, by source and node: 28 bytes a row.

use std::time::Duration;

use super::DelayRules;
use crate::delay::{DelaySource, Measurement, Report, Statistics};
use crate::model::{Delay, Time};
use crate::placement::{NodeSlot, Nodes};

/// What was measured between nodes.
#[derive(Debug)]
pub struct Measured {
    rules: DelayRules,
    /// The sources that go before a file of delays, in order, and those that come after it.
    ahead: Vec<DelaySource>,
    behind: Vec<DelaySource>,
    /// By source and then by slot.
    heard: [Vec<Option<Box<Heard>>>; NUM_SOURCES],
}

const NUM_SOURCES: usize = 3;

/// What one node last said, or a source of it.
#[derive(Debug, Default)]
struct Heard {
    /// When the last word came, and for how long it is one.
    at: Time,
    every: Option<Duration>,
    /// The same of the rows: a word of one who is starved has none that count.
    rows_at: Time,
    rows_every: Option<Duration>,
    /// By peer, in order of their slots.
    rows: Box<[Reported]>,
}

/// What a node reported of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The peer.
    pub peer: NodeSlot,
    /// The smallest delay.
    pub min: Option<Delay>,
    /// The median.
    pub p50: Option<Delay>,
    /// The 95th percentile.
    pub p95: Option<Delay>,
    /// How old the newest answered probe was, in milliseconds.
    pub age_millis: u32,
    /// How many samples.
    pub samples: u16,
    /// How many of them were lost.
    pub lost: u16,
    /// How many of the last probes in a row were lost.
    pub missed: u16,
}

/// What is known of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// It has a delay that counts.
    Fresh {
        /// The larger of both directions that are fresh.
        delay: Delay,
        /// Who says so.
        source: DelaySource,
        /// When that is to be looked at again if nothing is heard.
        until: Time,
    },
    /// It had one.
    Stale {
        /// The last.
        delay: Delay,
        /// Since when it doesn't count any more.
        since: Time,
    },
    /// It was never measured, not often enough, or all probes are lost.
    Unknown,
}

/// What is known of a pair on either side of a file of delays in the order of precedence.
#[derive(Clone, Copy, Debug)]
pub(in crate::delay) struct Sides {
    /// By the sources that go before it.
    pub(in crate::delay) ahead: Pair,
    /// By those that come after it.
    pub(in crate::delay) behind: Pair,
}

// === impl Measured ===

impl Default for Measured {
    fn default() -> Self {
        Self::new(DelayRules::default())
    }
}

impl Measured {
    /// A store that knows nothing yet.
    pub fn new(rules: DelayRules) -> Self {
        let mut order = rules.sources.split(|source| *source == DelaySource::File);
        let ahead = order.next().unwrap_or_default().to_vec();
        let mut behind = order.next().unwrap_or_default().to_vec();
        // What is reported of a file comes right after the file itself.
        if ahead.len() < rules.sources.len() {
            behind.insert(0, DelaySource::File);
        }
        Self { rules, ahead, behind, heard: Default::default() }
    }

    /// The rules.
    pub fn rules(&self) -> &DelayRules {
        &self.rules
    }

    /// Whether a file of delays counts at all.
    pub fn has_file(&self) -> bool {
        self.rules.sources.contains(&DelaySource::File)
    }

    /// Takes in a report. Gives the peers of which something was said, now or before.
    pub fn put(&mut self, report: &Report, nodes: &mut Nodes, now: Time) -> Vec<NodeSlot> {
        if !self.counted().any(|source| source == report.source) {
            return Vec::new();
        }
        let from = nodes.slot_of(&report.from);
        let Some(slots) = self.heard.get_mut(index(report.source)) else { return Vec::new() };
        if slots.len() <= from.idx() {
            slots.resize_with(from.idx() + 1, || None);
        }
        let Some(entry) = slots.get_mut(from.idx()) else { return Vec::new() };
        if report.starved {
            // Its numbers say nothing, and so those from before stay what is known.
            let heard = entry.get_or_insert_default();
            heard.at = now;
            heard.every = report.every;
            return Vec::new();
        }
        let mut rows: Vec<Reported> = report.rows.iter().map(|row| Reported::of(row, nodes)).collect();
        rows.sort_by_key(|row| row.peer);
        rows.dedup_by_key(|row| row.peer);
        rows.retain(|row| row.peer != from);
        let is_gone = rows.is_empty() && report.every.is_none();
        let every = report.every;
        let heard = Heard { at: now, every, rows_at: now, rows_every: every, rows: rows.into() };
        let old = if is_gone { entry.take() } else { entry.replace(Box::new(heard)) };
        let old = old.map_or_else(Box::default, |old| old.rows);
        let new = entry.as_deref().map_or(&[][..], |heard| &*heard.rows);
        let mut touched: Vec<NodeSlot> = old.iter().chain(new).map(|row| row.peer).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// What is known of a pair by measurements, at `now`.
    pub fn pair(&self, a: NodeSlot, b: NodeSlot, now: Time) -> Pair {
        let Sides { ahead, behind } = self.sides(a, b, now);
        ahead.or(behind)
    }

    /// The same, apart by whether it goes before a file.
    pub(in crate::delay) fn sides(&self, a: NodeSlot, b: NodeSlot, now: Time) -> Sides {
        let first = |sources: &[DelaySource]| {
            let pairs = sources.iter().map(|source| self.by(*source, a, b, now));
            pairs.fold(Pair::Unknown, Pair::or)
        };
        Sides { ahead: first(&self.ahead), behind: first(&self.behind) }
    }

    /// What a node reported last by this source, by peer.
    pub fn reported(&self, source: DelaySource, from: NodeSlot) -> &[Reported] {
        self.heard(source, from).map_or(&[], |heard| &heard.rows)
    }

    /// The delay that one node last reported to another, if that is fresh.
    pub fn said(&self, source: DelaySource, from: NodeSlot, to: NodeSlot, now: Time) -> Option<Delay> {
        self.direction(source, from, to, now).fresh()
    }

    /// Since when nothing is heard of a node that reports by itself now and then; none if something is, or if
    /// it never did.
    pub fn silent_since(&self, node: NodeSlot, now: Time) -> Option<Time> {
        let deadline = self.silent_at(node)?;
        (deadline <= now).then_some(deadline)
    }

    /// When nothing will be heard any more of a node, if it goes on saying nothing.
    pub fn silent_at(&self, node: NodeSlot) -> Option<Time> {
        let heard = self.counted().filter_map(|source| self.heard(source, node));
        heard.filter_map(|heard| Some(heard.at + self.rules.stale_after(heard.every)?)).max()
    }

    /// How long the measurements of a node last, by the source that lasts longest.
    pub fn lasts(&self, node: NodeSlot) -> Option<Duration> {
        let heard = self.counted().filter_map(|source| self.heard(source, node));
        heard.filter_map(|heard| self.rules.stale_after(heard.every)).max()
    }

    /// All nodes of which something is known to this one or from it.
    pub fn peers(&self, node: NodeSlot) -> Vec<NodeSlot> {
        let mut peers = Vec::new();
        for source in self.counted() {
            peers.extend(self.reported(source, node).iter().map(|row| row.peer));
            let others = self.heard.get(index(source)).into_iter().flatten().zip((0..).map(NodeSlot));
            let names = |heard: &Option<Box<Heard>>| heard.as_ref().is_some_and(|it| it.find(node).is_some());
            peers.extend(others.filter(|(heard, _)| names(heard)).map(|(_, slot)| slot));
        }
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// How much memory this takes, in bytes.
    pub fn size(&self) -> usize {
        let entry = |heard: &Option<Box<Heard>>| {
            let rows = heard.as_ref().map_or(0, |it| size_of::<Heard>() + size_of_val(&*it.rows));
            size_of::<Option<Box<Heard>>>() + rows
        };
        self.heard.iter().flatten().map(entry).sum()
    }

    /// The sources that count.
    fn counted(&self) -> impl Iterator<Item = DelaySource> {
        self.ahead.iter().chain(&self.behind).copied()
    }

    fn heard(&self, source: DelaySource, from: NodeSlot) -> Option<&Heard> {
        self.heard.get(index(source))?.get(from.idx())?.as_deref()
    }

    fn by(&self, source: DelaySource, a: NodeSlot, b: NodeSlot, now: Time) -> Pair {
        self.direction(source, a, b, now).and(self.direction(source, b, a, now))
    }

    /// What is known of one direction.
    fn direction(&self, source: DelaySource, from: NodeSlot, to: NodeSlot, now: Time) -> Pair {
        let known = || {
            let heard = self.heard(source, from)?;
            let row = heard.find(to)?;
            let delay = self.rules.statistic.of(source, &row.statistics())?;
            let limit = self.rules.stale_after(heard.rows_every);
            Some((delay, limit.map_or(Time::NEVER, |limit| heard.rows_at + limit - row.age())))
        };
        match known() {
            None => Pair::Unknown,
            Some((delay, until)) if now < until => Pair::Fresh { delay, source, until },
            Some((delay, since)) => Pair::Stale { delay, since },
        }
    }
}

fn index(source: DelaySource) -> usize {
    match source {
        DelaySource::Probe => 0,
        DelaySource::Goldpinger => 1,
        DelaySource::File => 2,
    }
}

// === impl Heard ===

impl Heard {
    fn find(&self, peer: NodeSlot) -> Option<&Reported> {
        let idx = self.rows.binary_search_by_key(&peer, |row| row.peer).ok()?;
        self.rows.get(idx)
    }
}

// === impl Reported ===

impl Reported {
    fn of(row: &Measurement, nodes: &mut Nodes) -> Self {
        let Measurement { peer, statistics } = row;
        let Statistics { min, p50, p95, jitter: _, lost, samples, missed, age } = *statistics;
        let age_millis = age.map_or(0, |age| u32::try_from(age.as_millis()).unwrap_or(u32::MAX));
        Self { peer: nodes.slot_of(peer), min, p50, p95, age_millis, samples, lost, missed }
    }

    fn age(&self) -> Duration {
        Duration::from_millis(self.age_millis.into())
    }

    fn statistics(&self) -> Statistics {
        let Self { peer: _, min, p50, p95, age_millis: _, samples, lost, missed } = *self;
        Statistics { min, p50, p95, lost, samples, missed, ..Statistics::default() }
    }
}

// === impl Pair ===

impl Pair {
    /// The delay, if it is fresh.
    pub fn fresh(self) -> Option<Delay> {
        match self {
            Self::Fresh { delay, .. } => Some(delay),
            Self::Stale { .. } | Self::Unknown => None,
        }
    }

    /// Who says that it is fresh.
    pub fn source(self) -> Option<DelaySource> {
        match self {
            Self::Fresh { source, .. } => Some(source),
            Self::Stale { .. } | Self::Unknown => None,
        }
    }

    /// When it is to be looked at again if nothing is heard.
    pub fn until(self) -> Time {
        match self {
            Self::Fresh { until, .. } => until,
            Self::Stale { .. } | Self::Unknown => Time::NEVER,
        }
    }

    /// This, or else what a source says that comes after it.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fresh { .. }, _) | (Self::Stale { .. }, Self::Stale { .. } | Self::Unknown) => self,
            (_, other) => other,
        }
    }

    /// Two directions by one source.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Fresh { delay, source, until },
                Self::Fresh { delay: back, source: _, until: back_until },
            ) => Self::Fresh { delay: delay.max(back), source, until: until.min(back_until) },
            // What counted last is what was fresh for longer.
            (Self::Stale { delay, since }, Self::Stale { delay: back, since: back_since }) => {
                let (since, delay) = (since, delay).max((back_since, back));
                Self::Stale { delay, since }
            }
            (this, other) => this.or(other),
        }
    }
}

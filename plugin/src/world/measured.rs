//! What was measured between nodes, out of the `NodeDelays` objects.

use std::collections::HashMap;
use std::time::Duration;

use edge_api::{DelaySource, NodeDelaysStatus, PeerDelay, Transport};
use edge_core::delay::{self, DelayRules};
use edge_core::model::Delay;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

use super::reports::listed;
use crate::cluster::{Cluster, Gaps};
use crate::failure::Failure;

/// What was measured between nodes, direction by direction.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// The nodes that measured or were measured.
    pub(crate) nodes: Vec<Measuring>,
    by_name: HashMap<String, usize>,
    /// By the node that measured, then by peer in ascending order.
    rows: Vec<Vec<Cell>>,
    /// Which sources count, the first one that is fresh before the others.
    sources: Vec<delay::DelaySource>,
    /// How many nodes report by a source that does not count.
    pub(crate) passed_over: usize,
    /// Objects that can't be read, each with the reason.
    pub(crate) unreadable: Vec<String>,
    /// Whether the cluster knows such objects at all.
    pub(crate) is_installed: bool,
}

/// What is read of an object. What is to be measured is passed over.
#[derive(Deserialize)]
pub(super) struct NodeReport {
    metadata: Named,
    #[serde(default)]
    status: Option<NodeDelaysStatus>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// A node that measures.
#[derive(Debug)]
pub(crate) struct Measuring {
    pub(crate) name: String,
    /// None before its first report.
    pub(crate) report: Option<ReportHead>,
}

/// What a node's report says of itself.
#[derive(Clone, Debug)]
pub(crate) struct ReportHead {
    pub(crate) source: DelaySource,
    pub(crate) transport: Option<Transport>,
    /// How long ago it was written, if the clocks agree.
    pub(crate) age: Option<Duration>,
    pub(crate) every: Option<Duration>,
    pub(crate) starved: bool,
}

/// The delay from one node to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) peer: usize,
    pub(crate) min: Option<Delay>,
    pub(crate) p50: Option<Delay>,
    pub(crate) p95: Option<Delay>,
    pub(crate) jitter: Option<Delay>,
    pub(crate) lost: u32,
    pub(crate) samples: u32,
    /// How long ago the newest probe was answered.
    pub(crate) age: Option<Duration>,
    pub(crate) freshness: Freshness,
}

/// Whether a delay can be relied upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It can.
    Fresh,
    /// Nothing was heard for too long.
    Stale,
    /// Probes are not answered.
    Unanswered,
}

/// What is told of the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Statistic {
    // The median.
    P50,
    // The 95th percentile.
    #[default]
    P95,
    // The smallest.
    Min,
}

/// What is known between two nodes, either direction considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pair {
    /// The larger of the fresh directions.
    Fresh(Delay),
    /// Measured, but too long ago.
    Stale(Delay),
    /// Probes are not answered.
    Unanswered,
    /// Not measured.
    Unknown,
}

/// So many samples an agent's statistics need to be trusted, as the scheduler trusts them.
const ENOUGH_SAMPLES: u32 = 5;
/// How often an agent reports that doesn't say.
const USUAL: Duration = Duration::from_mins(1);

// === impl Measured ===

impl Measured {
    /// Reads the cluster's `NodeDelays`.
    pub(crate) async fn read(
        cluster: &Cluster,
        rules: &DelayRules,
        gaps: &mut Gaps,
    ) -> Result<Self, Failure> {
        let Some((objects, unreadable)) = listed::<NodeReport>(cluster, gaps).await? else {
            return Ok(Self::default());
        };
        Ok(Self { unreadable, ..Self::of(objects, rules, Timestamp::now()) })
    }

    /// What these objects say, read at this time.
    pub(super) fn of(
        objects: impl IntoIterator<Item = NodeReport>,
        rules: &DelayRules,
        now: Timestamp,
    ) -> Self {
        let mut measured = Self { is_installed: true, sources: rules.sources.clone(), ..Self::default() };
        for NodeReport { metadata: Named { name }, status } in objects {
            let from = measured.idx_of(&name);
            let Some(status) = status else { continue };
            let head = ReportHead::of(&status, now);
            if !measured.sources.contains(&source(head.source)) {
                measured.passed_over += 1;
                continue;
            }
            let limit = rules.stale_after(head.every);
            let mut row: Vec<Cell> =
                status.rows.iter().map(|it| Cell::of(measured.idx_of(&it.peer), it, &head, limit)).collect();
            row.sort_unstable_by_key(|cell| cell.peer);
            if let (Some(slot), Some(node)) = (measured.rows.get_mut(from), measured.nodes.get_mut(from)) {
                *slot = row;
                node.report = Some(head);
            }
        }
        measured
    }

    fn idx_of(&mut self, name: &str) -> usize {
        if let Some(idx) = self.by_name.get(name) {
            return *idx;
        }
        let idx = self.nodes.len();
        self.nodes.push(Measuring { name: name.to_owned(), report: None });
        self.rows.push(Vec::new());
        self.by_name.insert(name.to_owned(), idx);
        idx
    }

    /// The node of this name, if it measured or was measured.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The node's name.
    pub(crate) fn name(&self, idx: usize) -> &str {
        self.nodes.get(idx).map_or("", |node| &node.name)
    }

    /// What a node measured.
    pub(crate) fn row(&self, from: usize) -> &[Cell] {
        self.rows.get(from).map_or(&[], Vec::as_slice)
    }

    /// What a node measured of another.
    pub(crate) fn cell(&self, from: usize, to: usize) -> Option<&Cell> {
        let row = self.row(from);
        row.binary_search_by_key(&to, |cell| cell.peer).ok().and_then(|idx| row.get(idx))
    }

    /// What is known between two nodes, as constraints are judged: by the first source that is fresh, and of its
    /// fresh directions the larger (core: `delay::Measured`).
    pub(crate) fn pair(&self, a: usize, b: usize, statistic: Statistic) -> Pair {
        if a == b {
            return Pair::Fresh(Delay::ZERO);
        }
        let direction = |from: usize, to: usize| {
            let head = self.nodes.get(from)?.report.as_ref()?;
            Some((source(head.source), self.cell(from, to)?.known(statistic)))
        };
        let both = [direction(a, b), direction(b, a)];
        let by = |wanted: &delay::DelaySource| {
            let said = both.iter().flatten().filter(|(source, _)| source == wanted).map(|(_, pair)| *pair);
            said.reduce(Pair::and).unwrap_or(Pair::Unknown)
        };
        self.sources.iter().map(by).fold(Pair::Unknown, Pair::or)
    }
}

// === impl ReportHead ===

impl ReportHead {
    fn of(status: &NodeDelaysStatus, now: Timestamp) -> Self {
        let millis = |millis: u32| Duration::from_millis(u64::from(millis));
        let age = status.reported_at.as_ref().map(|MicroTime(time)| now.duration_since(*time));
        // An agent reports again, even if it doesn't say when (core: `wire::NodeDelaysObject`).
        let fallback = (status.source == DelaySource::Probe).then_some(USUAL);
        Self {
            source: status.source,
            transport: status.transport,
            // A clock that is ahead is as good as one that agrees.
            age: age.map(|age| Duration::try_from(age).unwrap_or_default()),
            every: status.report_every_ms.filter(|every| *every > 0).map(millis).or(fallback),
            starved: status.starved,
        }
    }
}

/// The source as the core has it.
fn source(source: DelaySource) -> delay::DelaySource {
    match source {
        DelaySource::Probe => delay::DelaySource::Probe,
        DelaySource::Goldpinger => delay::DelaySource::Goldpinger,
        DelaySource::File => delay::DelaySource::File,
    }
}

// === impl NodeReport ===

impl NodeReport {
    /// How long ago it was written, by this machine's clock.
    pub(super) fn age(&self, now: Timestamp) -> Duration {
        let head = self.status.as_ref().map(|status| ReportHead::of(status, now));
        head.and_then(|head| head.age).unwrap_or_default()
    }
}

// === impl Cell ===

impl Cell {
    /// So old a delay is stale as `limit` says; none if it may be of any age.
    fn of(peer: usize, row: &PeerDelay, head: &ReportHead, limit: Option<Duration>) -> Self {
        let delay = |micros: Option<u32>| micros.and_then(|micros| Delay::from_micros(micros).ok());
        let own = row.age_ms.map(|age| Duration::from_millis(u64::from(age)));
        let age = own.map(|own| own + head.age.unwrap_or_default());
        let is_few = head.source == DelaySource::Probe && row.samples < ENOUGH_SAMPLES;
        let is_silent = row.min_micros.is_none() || row.samples > 0 && row.missed >= row.samples;
        let freshness = if is_silent {
            Freshness::Unanswered
        } else if head.starved || is_few || limit.zip(age).is_some_and(|(limit, age)| age > limit) {
            Freshness::Stale
        } else {
            Freshness::Fresh
        };
        Self {
            peer,
            min: delay(row.min_micros),
            p50: delay(row.p50_micros),
            p95: delay(row.p95_micros),
            jitter: delay(row.jitter_micros),
            lost: row.lost,
            samples: row.samples,
            age,
            freshness,
        }
    }

    /// The statistic, or what there is of the others (core: `delay::Statistic`).
    pub(crate) fn delay(&self, statistic: Statistic) -> Option<Delay> {
        let Self { min, p50, p95, .. } = *self;
        match statistic {
            Statistic::P50 => p50.or(p95).or(min),
            Statistic::P95 => p95.or(p50).or(min),
            Statistic::Min => min.or(p50).or(p95),
        }
    }

    /// What is known by this direction alone.
    pub(crate) fn known(&self, statistic: Statistic) -> Pair {
        match (self.freshness, self.delay(statistic)) {
            (Freshness::Fresh, Some(delay)) => Pair::Fresh(delay),
            (Freshness::Stale, Some(delay)) => Pair::Stale(delay),
            (Freshness::Unanswered, _) => Pair::Unanswered,
            (Freshness::Fresh | Freshness::Stale, None) => Pair::Unknown,
        }
    }
}

// === impl Statistic ===

impl Statistic {
    /// As views call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::Min => "min",
        }
    }
}

impl From<delay::Statistic> for Statistic {
    fn from(statistic: delay::Statistic) -> Self {
        match statistic {
            delay::Statistic::Min => Self::Min,
            delay::Statistic::P50 => Self::P50,
            delay::Statistic::P95 => Self::P95,
        }
    }
}

// === impl Pair ===

impl Pair {
    /// This, or else what a source says that comes after it.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fresh(_), _)
            | (Self::Stale(_), Self::Stale(_) | Self::Unanswered)
            | (_, Self::Unknown) => self,
            (_, other) => other,
        }
    }

    /// Both directions together.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fresh(a), Self::Fresh(b)) => Self::Fresh(a.max(b)),
            (Self::Fresh(delay), _) | (_, Self::Fresh(delay)) => Self::Fresh(delay),
            (Self::Stale(a), Self::Stale(b)) => Self::Stale(a.max(b)),
            (Self::Stale(delay), _) | (_, Self::Stale(delay)) => Self::Stale(delay),
            (Self::Unanswered, _) | (_, Self::Unanswered) => Self::Unanswered,
            (Self::Unknown, Self::Unknown) => Self::Unknown,
        }
    }

    /// The delay, if pods are judged by it.
    pub(crate) fn fresh(self) -> Option<Delay> {
        match self {
            Self::Fresh(delay) => Some(delay),
            Self::Stale(_) | Self::Unanswered | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, age_seconds: i64, rows: &[(&str, u32, u32)], now: Timestamp) -> NodeReport {
        let row = |(peer, micros, missed): &(&str, u32, u32)| PeerDelay {
            peer: (*peer).to_owned(),
            min_micros: Some(micros / 2),
            p50_micros: Some(*micros),
            samples: 32,
            missed: *missed,
            age_ms: Some(1000),
            ..PeerDelay::default()
        };
        let reported_at = now - k8s_openapi::jiff::SignedDuration::from_secs(age_seconds);
        let status = NodeDelaysStatus {
            reported_at: Some(MicroTime(reported_at)),
            report_every_ms: Some(10_000),
            rows: rows.iter().map(row).collect(),
            ..NodeDelaysStatus::default()
        };
        NodeReport { metadata: Named { name: name.to_owned() }, status: Some(status) }
    }

    #[test]
    fn of_two_fresh_directions_the_larger_counts() {
        let now = Timestamp::now();
        let delays = |micros| Delay::from_micros(micros).unwrap();
        let check = |there: Option<(i64, u32, u32)>, back: Option<(i64, u32, u32)>, expected: Pair| {
            let there = there.map(|(age, micros, missed)| object("a", age, &[("b", micros, missed)], now));
            let back = back.map(|(age, micros, missed)| object("b", age, &[("a", micros, missed)], now));
            let measured = Measured::of(there.into_iter().chain(back), &DelayRules::default(), now);
            let ends = measured.find("a").zip(measured.find("b"));
            let seen = ends.map_or(Pair::Unknown, |(a, b)| measured.pair(a, b, Statistic::P95));
            assert_eq!(seen, expected);
        };
        check(Some((1, 500, 0)), Some((1, 900, 0)), Pair::Fresh(delays(900)));
        check(Some((1, 500, 0)), Some((60, 900, 0)), Pair::Fresh(delays(500)));
        check(Some((60, 500, 0)), Some((60, 900, 0)), Pair::Stale(delays(900)));
        check(Some((1, 500, 32)), None, Pair::Unanswered);
        check(None, None, Pair::Unknown);
    }

    #[test]
    fn the_first_source_that_is_fresh_says_it() {
        let now = Timestamp::now();
        let delays = |micros| Delay::from_micros(micros).unwrap();
        let check = |sources: &[delay::DelaySource], age_of_probe: i64, expected: Pair| {
            let mut outside = object("b", 1, &[("a", 900, 0)], now);
            outside.status.as_mut().unwrap().source = DelaySource::Goldpinger;
            let objects = [object("a", age_of_probe, &[("b", 500, 0)], now), outside];
            let rules = DelayRules { sources: sources.to_vec(), ..DelayRules::default() };
            let measured = Measured::of(objects, &rules, now);
            let ends = measured.find("a").zip(measured.find("b")).unwrap();
            assert_eq!(measured.pair(ends.0, ends.1, Statistic::P95), expected);
        };
        let (probe, goldpinger) = (delay::DelaySource::Probe, delay::DelaySource::Goldpinger);
        check(&[probe, goldpinger], 1, Pair::Fresh(delays(500)));
        check(&[goldpinger, probe], 1, Pair::Fresh(delays(900)));
        check(&[probe, goldpinger], 60, Pair::Fresh(delays(900)));
        check(&[probe], 60, Pair::Stale(delays(500)));
        check(&[goldpinger], 1, Pair::Fresh(delays(900)));
    }
}

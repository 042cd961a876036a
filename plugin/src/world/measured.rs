//! What was measured between nodes, out of the `NodeDelays` objects.

use std::collections::HashMap;
use std::time::Duration;

use edge_api::{DelaySource, NodeDelays, NodeDelaysStatus, PeerDelay, Transport};
use edge_core::delay::{DelayRow, DelayRules};
use edge_core::model::{Delay, NodeName};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;

use super::list;
use crate::cluster::{Cluster, Gaps, is_not_found};
use crate::failure::Failure;

/// What was measured between nodes, direction by direction.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// The nodes that measured or were measured.
    pub(crate) nodes: Vec<Measuring>,
    by_name: HashMap<String, usize>,
    /// By the node that measured, then by peer in ascending order.
    rows: Vec<Vec<Cell>>,
    /// Whether the cluster knows such objects at all.
    pub(crate) is_installed: bool,
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
    // The 95th percentile: what constraints are judged by.
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

// === impl Measured ===

impl Measured {
    /// Reads the cluster's `NodeDelays`.
    pub(crate) async fn read(cluster: &Cluster, gaps: &mut Gaps) -> Result<Self, Failure> {
        let path = format!("/apis/{}/nodedelays", edge_api::API_VERSION);
        let answer = match list::<NodeDelays>(cluster, &path).await {
            Err(error) if is_not_found(&error) => return Ok(Self::default()),
            answer => answer,
        };
        let Some(objects) = gaps.allow(cluster, answer, "list nodedelays", "delays")? else {
            return Ok(Self { is_installed: true, ..Self::default() });
        };
        Ok(Self::of(objects.into_iter().flatten(), Timestamp::now()))
    }

    /// What these objects say, read at this time.
    pub(crate) fn of(objects: impl IntoIterator<Item = NodeDelays>, now: Timestamp) -> Self {
        let mut measured = Self { is_installed: true, ..Self::default() };
        for object in objects {
            let Some(name) = object.metadata.name else { continue };
            let from = measured.idx_of(&name);
            let Some(status) = object.status else { continue };
            let head = ReportHead::of(&status, now);
            let mut row: Vec<Cell> =
                status.rows.iter().map(|it| Cell::of(measured.idx_of(&it.peer), it, &head)).collect();
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

    /// What is known between two nodes: of the fresh directions the larger, as constraints are judged.
    pub(crate) fn pair(&self, a: usize, b: usize, statistic: Statistic) -> Pair {
        if a == b {
            return Pair::Fresh(Delay::ZERO);
        }
        let both = [self.cell(a, b), self.cell(b, a)].into_iter().flatten();
        both.map(|cell| cell.known(statistic)).reduce(Pair::and).unwrap_or(Pair::Unknown)
    }

    /// The delays from a node that pods can be judged by.
    pub(crate) fn delay_row(&self, from: &NodeName) -> DelayRow {
        let Some(idx) = self.find(from.as_str()) else {
            return DelayRow { from: from.clone(), to: Vec::new() };
        };
        let others = (0..self.nodes.len()).filter(|other| *other != idx);
        let to = others.filter_map(|other| match self.pair(idx, other, Statistic::P95) {
            Pair::Fresh(delay) => Some((NodeName::new(self.name(other)), delay)),
            Pair::Stale(_) | Pair::Unanswered | Pair::Unknown => None,
        });
        DelayRow { from: from.clone(), to: to.collect() }
    }
}

// === impl ReportHead ===

impl ReportHead {
    fn of(status: &NodeDelaysStatus, now: Timestamp) -> Self {
        let millis = |millis: u32| Duration::from_millis(u64::from(millis));
        let age = status.reported_at.as_ref().map(|MicroTime(time)| now.duration_since(*time));
        Self {
            source: status.source,
            transport: status.transport,
            // A clock that is ahead is as good as one that agrees.
            age: age.map(|age| Duration::try_from(age).unwrap_or_default()),
            every: status.report_every_ms.map(millis),
            starved: status.starved,
        }
    }

    /// So old a delay is stale; none if it may be of any age (core: `DelayRules::stale_after`).
    fn stale_after(&self) -> Option<Duration> {
        DelayRules::default().stale_after(self.every)
    }
}

// === impl Cell ===

impl Cell {
    fn of(peer: usize, row: &PeerDelay, head: &ReportHead) -> Self {
        let delay = |micros: Option<u32>| micros.and_then(|micros| Delay::from_micros(micros).ok());
        let own = row.age_ms.map(|age| Duration::from_millis(u64::from(age)));
        let age = own.map(|own| own + head.age.unwrap_or_default());
        let limit = head.stale_after();
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

    /// The statistic; where there is one sample only, what there is.
    pub(crate) fn delay(&self, statistic: Statistic) -> Option<Delay> {
        match statistic {
            Statistic::P50 => self.p50,
            Statistic::P95 => self.p95.or(self.p50),
            Statistic::Min => self.min,
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

// === impl Pair ===

impl Pair {
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

    fn object(name: &str, age_seconds: i64, rows: &[(&str, u32, u32)], now: Timestamp) -> NodeDelays {
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
        let mut object = NodeDelays { status: Some(status), ..NodeDelays::default() };
        object.metadata.name = Some(name.to_owned());
        object
    }

    #[test]
    fn of_two_fresh_directions_the_larger_counts() {
        let now = Timestamp::now();
        let delays = |micros| Delay::from_micros(micros).unwrap();
        let check = |there: Option<(i64, u32, u32)>, back: Option<(i64, u32, u32)>, expected: Pair| {
            let there = there.map(|(age, micros, missed)| object("a", age, &[("b", micros, missed)], now));
            let back = back.map(|(age, micros, missed)| object("b", age, &[("a", micros, missed)], now));
            let measured = Measured::of(there.into_iter().chain(back), now);
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
}

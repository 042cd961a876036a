//! One watch of the scheduler: late, doubled, reordered, broken and taken up again.
//!
//! What is promised, as by the server and its clients: each object's changes come in their order, a list
//! shows one moment of the server, and what is told after it happened after it. Everything else may happen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::faults::WatchFaults;
use super::rng::Rng;
use super::server::{Fact, Write};
use crate::model::Time;
use crate::state::Change;

/// The server tells again what happened this long ago, no more (upstream: `--etcd-compaction-interval` is
/// five minutes).
const KEPT: Duration = Duration::from_mins(4);

/// When there are more writes than this, old ones are forgotten.
const LOGGED: usize = 2_000;

/// Which objects a watch is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pods.
    Pods,
    /// Nodes.
    Nodes,
    /// The nodes' Leases.
    Leases,
    /// What agents say.
    Agents,
}

/// A watch.
#[derive(Debug)]
pub(super) struct Stream {
    kind: Kind,
    /// Counts connections: what was sent on one that broke is lost.
    connection: u32,
    connected: bool,
    /// Whether a list has arrived: only then can a connection be taken up again without one.
    listed: bool,
    /// The list comes then, and nothing before it.
    listed_at: Time,
    /// Writes that the scheduler has not been told of.
    unknown: BTreeSet<u64>,
    /// All writes since the list.
    log: Vec<(Time, Write)>,
    last_at: Time,
    last_at_of: BTreeMap<String, Time>,
    /// By how much it is late, and until when.
    lag: (Duration, Time),
}

/// The watches of a scheduler.
#[derive(Debug)]
pub(super) struct Streams {
    by_kind: [Stream; 4],
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// On which watch.
    pub(super) kind: Kind,
    /// On which connection; none for one that the client holds already and tells again.
    connection: Option<u32>,
    /// What it says.
    pub(super) write: Write,
}

// === impl Streams ===

impl Default for Streams {
    fn default() -> Self {
        Self { by_kind: Kind::ALL.map(Stream::new) }
    }
}

impl Streams {
    /// The watch of these objects.
    pub(super) fn of(&mut self, kind: Kind) -> &mut Stream {
        &mut self.by_kind[kind as usize]
    }

    /// All watches tell what happened this long ago, until then: the server behind them is not up to date.
    pub(super) fn lag(&mut self, by: Duration, until: Time) {
        for stream in &mut self.by_kind {
            stream.lag = (by, until);
        }
    }
}

// === impl Kind ===

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Pods, Self::Nodes, Self::Leases, Self::Agents];
    /// Those that every run has.
    pub(super) const OF_PODS_AND_NODES: [Self; 2] = [Self::Pods, Self::Nodes];
}

// === impl Delivery ===

impl Delivery {
    /// Whether it was told before.
    pub(super) fn is_straggler(&self) -> bool {
        self.connection.is_none()
    }
}

// === impl Stream ===

impl Stream {
    /// A watch that is not connected yet.
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            connection: 0,
            connected: false,
            listed: false,
            listed_at: Time::ZERO,
            unknown: BTreeSet::new(),
            log: Vec::new(),
            last_at: Time::ZERO,
            last_at_of: BTreeMap::new(),
            lag: (Duration::ZERO, Time::ZERO),
        }
    }

    /// Something was written: what is sent of it, and when it arrives.
    pub(super) fn written(
        &mut self,
        write: &Write,
        faults: &WatchFaults,
        rng: &mut Rng,
        now: Time,
    ) -> Vec<(Time, Delivery)> {
        self.unknown.insert(write.revision);
        self.log.push((now, write.clone()));
        self.forget_old(now);
        if !self.connected {
            return Vec::new();
        }
        let mut sent = vec![self.send(write, faults, rng, now)];
        if rng.chance(faults.doubled) {
            sent.push(self.send(write, faults, rng, now));
        }
        sent
    }

    /// What nobody will ask for any more.
    fn forget_old(&mut self, now: Time) {
        if self.log.len() > LOGGED {
            let unknown = self.unknown.first().copied().unwrap_or(u64::MAX);
            let kept = |(at, write): &(Time, Write)| now.since(*at) > KEPT && write.revision < unknown;
            let old = self.log.partition_point(kept);
            self.log.drain(..old);
            self.last_at_of.retain(|_, at| *at > now);
        }
    }

    /// The connection breaks. What was on its way is lost.
    pub(super) fn disconnect(&mut self) {
        self.connected = false;
        self.connection += 1;
    }

    /// Whether there is a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether a connection can be taken up without a list.
    pub(super) fn can_resume(&self) -> bool {
        self.listed
    }

    /// A new connection, which begins with a list.
    pub(super) fn list(&mut self, all: &Write, rng: &mut Rng, now: Time, slow: bool) -> (Time, Delivery) {
        self.connected = true;
        self.listed = false;
        self.listed_at = now + self.late(now) + if slow { rng.millis(100, 5_000) } else { rng.millis(1, 50) };
        self.last_at = self.listed_at;
        self.last_at_of.clear();
        (self.listed_at, self.delivery(all))
    }

    /// A new connection, which begins a while before the old one broke: nothing is missed, and some is told
    /// again.
    pub(super) fn resume(&mut self, faults: &WatchFaults, rng: &mut Rng, now: Time) -> Vec<(Time, Delivery)> {
        self.connected = true;
        let first = self.unknown.first().copied().unwrap_or(u64::MAX);
        let first = self.log.partition_point(|(_, write)| write.revision < first);
        let kept = self.log.partition_point(|(at, _)| now.since(*at) > KEPT);
        let begin = first.saturating_sub(rng.below(20)).max(kept.min(first));
        let writes = self.log.split_off(begin);
        let sent = writes.iter().map(|(_, write)| self.send(write, faults, rng, now)).collect();
        self.log.extend(writes);
        sent
    }

    /// Whether a message arrives, or was lost with its connection; and if it comes once more, when.
    pub(super) fn arrives(
        &mut self,
        delivery: &Delivery,
        faults: &WatchFaults,
        rng: &mut Rng,
        now: Time,
    ) -> (bool, Option<(Time, Delivery)>) {
        let Some(connection) = delivery.connection else { return (true, None) };
        if connection != self.connection {
            return (false, None);
        }
        let revision = delivery.write.revision;
        if delivery.write.fact.is_list() {
            self.unknown = self.unknown.split_off(&(revision + 1));
            self.log.retain(|(_, write)| write.revision > revision);
            self.listed = true;
            return (true, None);
        }
        self.unknown.remove(&revision);
        let again = Delivery { connection: None, ..delivery.clone() };
        // Old news of Leases and agents would not be told apart from new ones, and no client tells them.
        let straggles = matches!(self.kind, Kind::Pods | Kind::Nodes) && rng.chance(faults.straggling);
        let again = straggles.then(|| (now + rng.millis(100, 20_000), again));
        (true, again)
    }

    /// The scheduler has been told of all writes up to this revision; `last` is the server's.
    pub(super) fn known(&self, last: u64) -> u64 {
        self.unknown.first().map_or(last, |first| first - 1)
    }

    fn send(&mut self, write: &Write, faults: &WatchFaults, rng: &mut Rng, now: Time) -> (Time, Delivery) {
        let takes = if rng.chance(faults.late) { rng.millis(50, 5_000) } else { rng.millis(1, 20) };
        let mut at = (now + takes + self.late(now)).max(self.listed_at);
        if let Some(object) = write.fact.object() {
            let last = self.last_at_of.entry(object).or_default();
            at = at.max(if faults.reordered { *last } else { self.last_at });
            *last = at;
        }
        self.last_at = self.last_at.max(at);
        (at, self.delivery(write))
    }

    fn late(&self, now: Time) -> Duration {
        if now < self.lag.1 { self.lag.0 } else { Duration::ZERO }
    }

    fn delivery(&self, write: &Write) -> Delivery {
        Delivery { kind: self.kind, connection: Some(self.connection), write: write.clone() }
    }
}

// === impl Fact ===

impl Fact {
    /// Which watch tells of it.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Pods(_) => Kind::Pods,
            Self::Nodes(_) => Kind::Nodes,
            Self::Leases(_) => Kind::Leases,
            Self::Agents(_) => Kind::Agents,
        }
    }

    /// Whether it is of all objects.
    pub(super) fn is_list(&self) -> bool {
        match self {
            Self::Pods(change) => matches!(change, Change::Reset(_)),
            Self::Nodes(change) => matches!(change, Change::Reset(_)),
            Self::Leases(change) => matches!(change, Change::Reset(_)),
            Self::Agents(change) => matches!(change, Change::Reset(_)),
        }
    }

    /// The name of the object; none for a list.
    fn object(&self) -> Option<String> {
        match self {
            Self::Pods(Change::Put(pod) | Change::Gone(pod)) => Some(pod.key.to_string()),
            Self::Nodes(Change::Put(node) | Change::Gone(node)) => Some(node.name.to_string()),
            Self::Leases(Change::Put(seen) | Change::Gone(seen)) => Some(format!("lease {}", seen.node)),
            Self::Agents(Change::Put(it) | Change::Gone(it)) => Some(format!("agent {}", it.from)),
            Self::Pods(_) | Self::Nodes(_) | Self::Leases(_) | Self::Agents(_) => None,
        }
    }
}

//! `NodeDelays` as the API has it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use serde::Deserialize;

use crate::delay::{DelaySource, Measurement, Report, Statistics};
use crate::health::{Seen, Sighting};
use crate::measure::{Agent, Interval, Peer};
use crate::model::{Delay, Name, NodeName};

use super::decode::or_default;
use super::error::{Fault, Problem, WireError};
use super::intern::Interner;
use super::meta::{Identity, Meta};

/// Within this time the next report is due where one does not say: a report that held for ever would be believed
/// long after its agent is gone.
const EVERY: Duration = Duration::from_mins(1);

/// What a node's `NodeDelays` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDelays {
    /// The node.
    pub node: NodeName,
    /// The UID of the Node that owns the object; none if nobody does.
    pub owner: Option<Name>,
    /// Where the node's agent answers; none if there is none, or one that never reported.
    pub addresses: Vec<Name>,
    /// Whether the agent said that it is about to end.
    pub leaving: bool,
    /// What stands in `spec`.
    pub spec: SpecDigest,
    /// Whom the node is to probe every second.
    pub neighbours: Vec<NodeName>,
    /// Tells one report from the next: an object also changes when its spec does, and that is no news of its peers.
    pub told: u64,
    /// What was measured; none before the first report.
    pub report: Option<Report>,
}

/// Tells one plan of a node from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecDigest(u64);

/// `NodeDelays` as the API has it; only what the scheduler needs is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeDelaysObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    spec: Spec,
    #[serde(deserialize_with = "or_default")]
    status: Option<Status>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "or_default")]
    peers: Vec<PeerObject>,
    report_every_ms: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PeerObject {
    name: String,
    address: String,
    interval: String,
    #[serde(deserialize_with = "or_default")]
    bounds_micros: Vec<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    source: Option<String>,
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<String>,
    reported_at: Option<String>,
    report_every_ms: Option<u32>,
    starved: bool,
    leaving: bool,
    #[serde(deserialize_with = "or_default")]
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Default, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Row {
    peer: String,
    min_micros: Option<u32>,
    p50_micros: Option<u32>,
    p95_micros: Option<u32>,
    jitter_micros: Option<u32>,
    lost: u32,
    samples: u32,
    missed: u32,
    age_ms: Option<u32>,
}

// === impl NodeDelays ===

impl NodeDelays {
    /// Of a node of which nothing is known.
    pub fn none_of(node: NodeName) -> Self {
        let (owner, addresses, leaving, neighbours) = (None, Vec::new(), false, Vec::new());
        let spec = SpecDigest::of(&[], None);
        Self { node, owner, addresses, leaving, spec, neighbours, told: 0, report: None }
    }

    /// What the node's agent says of its neighbours; none if it never reported.
    pub fn sighting(&self) -> Option<Sighting> {
        let report = self.report.as_ref().filter(|report| report.source == DelaySource::Probe)?;
        let seen = |row: &Measurement| Seen { peer: row.peer.clone(), missed: row.statistics.missed };
        let rows = report.rows.iter().filter(|row| self.neighbours.contains(&row.peer));
        Some(Sighting {
            from: self.node.clone(),
            told: self.told,
            every: report.every.unwrap_or(EVERY),
            starved: report.starved,
            leaving: self.leaving,
            peers: rows.map(seen).collect(),
        })
    }

    /// The node's agent, for the plan; none where there is none.
    pub fn agent(&self) -> Option<Agent> {
        let Self { node, addresses, .. } = self;
        (!addresses.is_empty()).then(|| Agent { node: node.clone(), addresses: addresses.clone() })
    }
}

// === impl SpecDigest ===

impl SpecDigest {
    /// Of what a node is to measure, and within what time it is to report.
    pub fn of(peers: &[Peer], every: Option<Duration>) -> Self {
        let mut hasher = DefaultHasher::new();
        for Peer { node, address, interval, bounds } in peers {
            let bounds = bounds.iter().map(|bound| bound.as_micros());
            digest(&mut hasher, node.as_str(), address, interval_name(*interval), bounds);
        }
        Self::done(hasher, every.map(|every| u32::try_from(every.as_millis()).unwrap_or(u32::MAX)))
    }

    fn done(mut hasher: DefaultHasher, report_every_ms: Option<u32>) -> Self {
        report_every_ms.hash(&mut hasher);
        Self(hasher.finish())
    }
}

fn digest(
    hasher: &mut DefaultHasher,
    peer: &str,
    address: &str,
    interval: &str,
    bounds: impl ExactSizeIterator<Item = u32>,
) {
    (peer, address, interval, bounds.len()).hash(hasher);
    bounds.for_each(|bound| bound.hash(hasher));
}

/// What an interval is called in the API.
fn interval_name(interval: Interval) -> &'static str {
    match interval {
        Interval::Ring => "Ring",
        Interval::Mesh => "Mesh",
        Interval::Near => "Near",
        Interval::Anchor => "Anchor",
    }
}

// === impl NodeDelaysObject ===

impl NodeDelaysObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object.
    pub fn into_node_delays(self, interner: &mut Interner) -> Result<NodeDelays, WireError> {
        self.read(interner).map_err(|fault| fault.of("nodedelays", self.metadata.name_or_unnamed()))
    }

    fn read(&self, interner: &mut Interner) -> Result<NodeDelays, Fault> {
        let Self { metadata, spec, status } = self;
        let node = NodeName::new(interner.intern(metadata.required_name()?));
        let neighbours = spec.neighbours(interner);
        let spec = spec.digest();
        let owner = metadata.controller_uid();
        let Some(status) = status else {
            return Ok(NodeDelays { owner, spec, neighbours, ..NodeDelays::none_of(node) });
        };
        let report = status.report(&node, interner).map_err(|fault| fault.under(format_args!("status")))?;
        let addresses = status.addresses.iter().map(|address| address.as_str().into()).collect();
        let (leaving, told) = (status.leaving, status.digest());
        Ok(NodeDelays { node, owner, addresses, leaving, spec, neighbours, told, report: Some(report) })
    }
}

// === impl Spec ===

impl Spec {
    fn digest(&self) -> SpecDigest {
        let mut hasher = DefaultHasher::new();
        for PeerObject { name, address, interval, bounds_micros } in &self.peers {
            digest(&mut hasher, name, address, interval, bounds_micros.iter().copied());
        }
        SpecDigest::done(hasher, self.report_every_ms)
    }

    fn neighbours(&self, interner: &mut Interner) -> Vec<NodeName> {
        let ring = self.peers.iter().filter(|peer| peer.interval == interval_name(Interval::Ring));
        ring.map(|peer| NodeName::new(interner.intern(&peer.name))).collect()
    }
}

// === impl Status ===

impl Status {
    fn report(&self, from: &NodeName, interner: &mut Interner) -> Result<Report, Fault> {
        let source = self.source()?;
        // What a source outside says holds until it says something else, unless it says for how long.
        let fallback = (source == DelaySource::Probe).then_some(EVERY);
        let every = self.report_every_ms.filter(|ms| *ms > 0);
        Ok(Report {
            from: from.clone(),
            source,
            every: every.map(|ms| Duration::from_millis(ms.into())).or(fallback),
            starved: self.starved,
            rows: self.rows.iter().map(|row| row.read(interner)).collect(),
        })
    }

    fn digest(&self) -> u64 {
        let Self { source, addresses, reported_at, report_every_ms, starved, leaving, rows } = self;
        let mut hasher = DefaultHasher::new();
        (source, addresses, reported_at, report_every_ms, starved, leaving, rows).hash(&mut hasher);
        hasher.finish()
    }

    fn source(&self) -> Result<DelaySource, Fault> {
        match self.source.as_deref() {
            None | Some("Probe") => Ok(DelaySource::Probe),
            Some("Goldpinger") => Ok(DelaySource::Goldpinger),
            Some("File") => Ok(DelaySource::File),
            Some(other) => Err(Problem::word(other, "Probe, Goldpinger, File").at("source")),
        }
    }
}

// === impl Row ===

impl Row {
    fn read(&self, interner: &mut Interner) -> Measurement {
        // A delay that is larger than any is none.
        let delay = |micros: Option<u32>| micros.and_then(|micros| Delay::from_micros(micros).ok());
        let count = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
        let statistics = Statistics {
            min: delay(self.min_micros),
            p50: delay(self.p50_micros),
            p95: delay(self.p95_micros),
            jitter: delay(self.jitter_micros),
            lost: count(self.lost),
            samples: count(self.samples),
            missed: count(self.missed),
            age: self.age_ms.map(|ms| Duration::from_millis(ms.into())),
        };
        Measurement { peer: NodeName::new(interner.intern(&self.peer)), statistics }
    }
}

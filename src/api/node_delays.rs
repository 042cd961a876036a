//! `NodeDelays`: what a node is to measure, and what it measured.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::{ClusterResourceScope, ListableResource, Metadata, Resource};
use serde::{Deserialize, Serialize};

/// Delays from one node to others. Cluster-scoped, named after the node, and owned by it.
///
/// The scheduler writes `spec`. `status` is written by the node's own agent and nobody else, unless the delays
/// come from a source outside ([`DelaySource`]), for which the scheduler writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeDelays {
    /// Name, owner, labels.
    pub metadata: ObjectMeta,
    /// What the node's agent is to measure.
    pub spec: NodeDelaysSpec,
    /// What was measured; none before the first report.
    pub status: Option<NodeDelaysStatus>,
}

/// What a node's agent is to measure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeDelaysSpec {
    /// Whom to measure, by name in ascending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerToMeasure>,
    /// Measurements that somebody asked for once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<ProbeRequest>,
    /// How many milliseconds at most between two reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_every_ms: Option<u32>,
}

/// A peer to measure, again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerToMeasure {
    /// The peer's node.
    pub name: String,
    /// Where its agent answers: `address:port`, an IPv6 address in brackets.
    pub address: String,
    /// How often.
    pub interval: Interval,
    /// Round-trip times in microseconds at which somebody's bound lies: crossing one is reported at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounds_micros: Vec<u32>,
}

/// How often a peer is measured, by the reason why it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Interval {
    /// A neighbour on the ring: every second, which also serves failure detection.
    Ring,
    /// Everybody measures everybody, in a small cluster: every 10 s.
    Mesh,
    /// Near by network coordinates: every 10 s.
    Near,
    /// An anchor of a pod, or a candidate for one: every 10 s.
    Anchor,
}

/// A measurement that somebody asked for once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeRequest {
    /// Names the request, so that its result is found.
    pub id: String,
    /// The peer's node.
    pub peer: String,
    /// Where its agent answers.
    pub address: String,
    /// How many probes.
    pub count: u32,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeDelaysStatus {
    /// Who measured.
    #[serde(default)]
    pub source: DelaySource,
    /// Where this node's agent answers: `address:port`, of each address family at most one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// When this was written, by the writer's clock. For people: nothing is decided by comparing it with another clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<MicroTime>,
    /// How many milliseconds at most until the next report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_every_ms: Option<u32>,
    /// Whether the agent got its share of CPU, so that its numbers can be trusted.
    #[serde(default)]
    pub starved: bool,
    /// Whether the agent is about to end in an orderly way, such as in a roll-out.
    #[serde(default)]
    pub leaving: bool,
    /// The transport of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// How many peers there are rows of: a column of `kubectl get`. Set by [`Self::set_rows`].
    #[serde(default)]
    pub measured: u32,
    /// The nearest peer and the median delay to it, for people: a column of `kubectl get`. Set by
    /// [`Self::set_rows`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// By peer in ascending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<PeerDelay>,
    /// Results of [`NodeDelaysSpec::requests`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ProbeResult>,
}

/// Who measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DelaySource {
    /// The node's probe agent.
    #[default]
    Probe,
    /// Goldpinger, read by the scheduler.
    Goldpinger,
    /// A matrix in a file, read by the scheduler.
    File,
}

/// How round-trip times are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// Echo between agents.
    #[serde(rename = "UDP")]
    Udp,
    /// Echo of the kernel.
    #[serde(rename = "ICMP")]
    Icmp,
    /// Setting up a connection.
    #[serde(rename = "TCP")]
    Tcp,
    /// A request of Goldpinger.
    #[serde(rename = "HTTP")]
    Http,
}

/// The delay to one peer: statistics over the last samples. Times are microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerDelay {
    /// The peer's node.
    pub peer: String,
    /// The smallest; none if no probe was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_micros: Option<u32>,
    /// The median, by nearest rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_micros: Option<u32>,
    /// The 95th percentile, by nearest rank; none where there is one sample only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_micros: Option<u32>,
    /// The mean difference between one answered probe and the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_micros: Option<u32>,
    /// How many of the samples are lost probes.
    #[serde(default)]
    pub lost: u32,
    /// How many probes, lost ones too, the statistics are of.
    pub samples: u32,
    /// How many of the last probes in a row were not answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u32,
    /// How old the newest answered probe was when this was written, in milliseconds; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u32>,
}

/// The result of a measurement that somebody asked for once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeResult {
    /// The request.
    pub id: String,
    /// The round-trip time of each probe in microseconds, in order; none where it was lost.
    pub micros: Vec<Option<u32>>,
    /// Whether more will follow.
    #[serde(default)]
    pub running: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

// === impl NodeDelaysStatus ===

impl NodeDelaysStatus {
    /// Puts in the rows, and what `kubectl get` shows of them.
    pub fn set_rows(&mut self, rows: Vec<PeerDelay>) {
        let answered = rows.iter().filter_map(|row| Some((row.p50_micros?, row)));
        self.nearest = answered.min_by_key(|(p50, _)| *p50).map(|(p50, row)| {
            let (millis, hundredths) = (p50 / 1000, p50 % 1000 / 10);
            format!("{} {millis}.{hundredths:02} ms", row.peer)
        });
        self.measured = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        self.rows = rows;
    }
}

// === impl NodeDelays ===

impl Resource for NodeDelays {
    const API_VERSION: &'static str = super::API_VERSION;
    const GROUP: &'static str = super::GROUP;
    const KIND: &'static str = "NodeDelays";
    const VERSION: &'static str = super::VERSION;
    const URL_PATH_SEGMENT: &'static str = "nodedelays";
    type Scope = ClusterResourceScope;
}

impl ListableResource for NodeDelays {
    const LIST_KIND: &'static str = "NodeDelaysList";
}

impl Metadata for NodeDelays {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &Self::Ty {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut Self::Ty {
        &mut self.metadata
    }
}

/// The object as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(default)]
    api_version: Cow<'a, str>,
    #[serde(default)]
    kind: Cow<'a, str>,
    #[serde(default)]
    metadata: Cow<'a, ObjectMeta>,
    #[serde(default)]
    spec: Cow<'a, NodeDelaysSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Cow<'a, NodeDelaysStatus>>,
}

impl Serialize for NodeDelays {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = Wire {
            api_version: Cow::Borrowed(Self::API_VERSION),
            kind: Cow::Borrowed(Self::KIND),
            metadata: Cow::Borrowed(&self.metadata),
            spec: Cow::Borrowed(&self.spec),
            status: self.status.as_ref().map(Cow::Borrowed),
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NodeDelays {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { metadata, spec, status, .. } = Wire::deserialize(deserializer)?;
        Ok(Self {
            metadata: metadata.into_owned(),
            spec: spec.into_owned(),
            status: status.map(Cow::into_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_tell_the_nearest_that_answered() {
        let row = |peer: &str, p50_micros| PeerDelay { peer: peer.into(), p50_micros, ..Default::default() };
        let mut status = NodeDelaysStatus::default();
        status.set_rows(vec![row("a", Some(12_345)), row("b", Some(809)), row("c", None)]);
        assert_eq!((status.measured, status.nearest.as_deref()), (3, Some("b 0.80 ms")));
        status.set_rows(vec![row("c", None)]);
        assert_eq!((status.measured, status.nearest), (1, None));
    }

    #[test]
    fn an_object_is_read_as_it_was_written() {
        let row = PeerDelay {
            peer: "edge-2".to_owned(),
            p95_micros: Some(812),
            samples: 32,
            lost: 1,
            ..Default::default()
        };
        let status =
            NodeDelaysStatus { rows: vec![row], transport: Some(Transport::Udp), ..Default::default() };
        let object = NodeDelays { status: Some(status), ..Default::default() };
        let json = serde_json::to_value(&object).unwrap();
        assert_eq!(json["kind"], "NodeDelays");
        assert_eq!(json["status"]["rows"][0]["p95Micros"], 812);
        assert_eq!(json["status"]["transport"], "UDP");
        assert_eq!(serde_json::from_value::<NodeDelays>(json).unwrap(), object);
    }
}

//! What `simulate` prints.

use std::time::Duration;

use edge_core::model::{Delay, NodeName, PodKey};
use edge_core::simulation::{KeptRadius, MetBound, Outcome, PendingPod, PlacedPod, Scenario};
use serde::Serialize;

use super::reserve::ReserveReport;
use crate::view::API_VERSION;

/// What came of a simulation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SimulationReport {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) nodes: usize,
    pub(super) placed: Vec<Placed>,
    pub(super) pending: Vec<Pending>,
    pub(super) reserve: ReserveReport,
    pub(super) timing: Timing,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clustering: Option<Clustering>,
}

/// The same with the anchors' clusters instead of radii.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Clustering {
    pub(super) placed: Vec<Placed>,
    pub(super) pending: Vec<Pending>,
    pub(super) reserve: ReserveReport,
    pub(super) timing: Timing,
    /// How long it took to make the layers.
    pub(super) layering_microseconds: f64,
    pub(super) radii: Vec<Radius>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Placed {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) node: String,
    /// Where its backup is, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scheduler_name: Option<String>,
    pub(super) delays: Vec<Met>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Met {
    pub(super) anchor: String,
    /// Where the anchor is; none if the pod is its first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delay_ms: Option<Millis>,
    pub(super) bound_ms: Millis,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pending {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) scheduler_name: String,
    pub(super) message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Radius {
    pub(super) anchor: String,
    pub(super) namespace: String,
    pub(super) bound_ms: Millis,
    pub(super) nodes: usize,
    pub(super) kept: usize,
}

/// How long decisions took.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timing {
    pub(super) decisions: usize,
    pub(super) min_microseconds: f64,
    pub(super) median_microseconds: f64,
    pub(super) p99_microseconds: f64,
    pub(super) max_microseconds: f64,
    /// All of it, from the first event to the last; what is re-optimised afterwards does not count.
    pub(super) total_microseconds: f64,
}

/// Milliseconds, without decimals where there are none.
pub(super) struct Millis(pub(super) Delay);

// === impl SimulationReport ===

impl SimulationReport {
    pub(super) fn new(scenario: &Scenario, exact: &Outcome, clustering: Option<Clustering>) -> Self {
        Self {
            api_version: API_VERSION,
            kind: "SimulationReport",
            nodes: scenario.nodes.len(),
            placed: exact.placed.iter().map(Placed::from).collect(),
            pending: exact.pending.iter().map(Pending::from).collect(),
            reserve: ReserveReport::new(&exact.reserve),
            timing: Timing::of(exact),
            clustering,
        }
    }
}

// === impl Clustering ===

impl Clustering {
    pub(super) fn new(clustered: &Outcome, layering: Duration) -> Self {
        Self {
            placed: clustered.placed.iter().map(Placed::from).collect(),
            pending: clustered.pending.iter().map(Pending::from).collect(),
            reserve: ReserveReport::new(&clustered.reserve),
            timing: Timing::of(clustered),
            layering_microseconds: micros(layering),
            radii: clustered.radii.iter().map(Radius::from).collect(),
        }
    }
}

// === impl Placed ===

impl From<&PlacedPod> for Placed {
    fn from(pod: &PlacedPod) -> Self {
        Self {
            namespace: pod.pod.namespace.to_string(),
            pod: pod.pod.name.to_string(),
            node: pod.node.to_string(),
            backup: pod.backup.as_ref().map(NodeName::to_string),
            scheduler_name: pod.profile.as_ref().map(ToString::to_string),
            delays: pod.delays.iter().map(Met::from).collect(),
        }
    }
}

// === impl Met ===

impl From<&MetBound> for Met {
    fn from(met: &MetBound) -> Self {
        let (from, delay) =
            met.from.as_ref().map(|(from, delay)| (NodeName::to_string(from), *delay)).unzip();
        Self { anchor: met.anchor.clone(), from, delay_ms: delay.map(Millis), bound_ms: Millis(met.bound) }
    }
}

// === impl Pending ===

impl From<&PendingPod> for Pending {
    fn from(pod: &PendingPod) -> Self {
        let PendingPod { pod: PodKey { namespace, name }, profile, message } = pod;
        Self {
            namespace: namespace.to_string(),
            pod: name.to_string(),
            scheduler_name: profile.to_string(),
            message: message.clone(),
        }
    }
}

// === impl Radius ===

impl From<&KeptRadius> for Radius {
    fn from(radius: &KeptRadius) -> Self {
        let KeptRadius { anchor, namespace, bound, nodes, kept } = radius;
        let (anchor, namespace) = (anchor.to_string(), namespace.to_string());
        Self { anchor, namespace, bound_ms: Millis(*bound), nodes: *nodes, kept: *kept }
    }
}

// === impl Timing ===

impl Timing {
    fn of(outcome: &Outcome) -> Self {
        let mut decisions = outcome.decisions.clone();
        decisions.sort_unstable();
        let last = decisions.len().saturating_sub(1);
        let at = |idx: usize| decisions.get(idx).copied().map_or(0.0, micros);
        Self {
            decisions: decisions.len(),
            min_microseconds: at(0),
            median_microseconds: at(last / 2),
            // The nearest rank: of 100 decisions the 99th.
            p99_microseconds: at((decisions.len() * 99).div_ceil(100).saturating_sub(1)),
            max_microseconds: at(last),
            total_microseconds: micros(outcome.total),
        }
    }
}

// === impl Millis ===

impl Serialize for Millis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let micros = self.0.as_micros();
        if micros.is_multiple_of(1000) {
            serializer.serialize_u32(micros / 1000)
        } else {
            serializer.serialize_f64(self.0.as_millis_f64())
        }
    }
}

/// Microseconds with one decimal.
fn micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

//! CloudOffload: pods without a delay constraint go to cloud nodes and leave the edge to those with one.

use crate::delay::DelayConstraints;
use crate::model::{Labels, Node, Pod};
use crate::placement::{
    ClusterEvent, Cycle, MAX_NODE_SCORE, NodeFilter, NodeScorer, NodeSlot, NodeView, Plugin, PreFilter,
    PreScore, Reason, Rejection, Verdict,
};

/// How strictly pods are offloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloudOffloadMode {
    /// Cloud nodes get the highest score.
    #[default]
    Preferred,
    /// Only cloud nodes are admitted, as the BME scheduler has it.
    Required,
    /// Pods go anywhere.
    Disabled,
}

/// Offloads pods without a delay constraint. Exempt are pods of a DaemonSet, and pods whose own node
/// selector or required node affinity admits no cloud node: they can't be meant.
pub struct CloudOffload {
    /// How strictly.
    pub mode: CloudOffloadMode,
    /// The labels of a cloud node.
    pub node_selector: Labels,
}

const NOT_CLOUD: Reason = Reason::Fixed("node(s) were not cloud nodes");

// === impl CloudOffload ===

impl Default for CloudOffload {
    fn default() -> Self {
        Self::with_mode(CloudOffloadMode::default())
    }
}

impl CloudOffload {
    /// Offloads in this mode to nodes labelled `kubernetes.io/role=cloud`.
    pub fn with_mode(mode: CloudOffloadMode) -> Self {
        Self { mode, node_selector: [("kubernetes.io/role", "cloud")].into_iter().collect() }
    }

    fn is_cloud(&self, node: &Node) -> bool {
        self.node_selector.iter().all(|(key, value)| node.labels.shared(key) == Some(value))
    }

    fn applies(&self, cycle: Cycle<'_>) -> bool {
        let pod = cycle.pod;
        if DelayConstraints::any(pod) || pod.owner.as_ref().is_some_and(|owner| &*owner.kind == "DaemonSet") {
            return false;
        }
        let selective = !pod.node_selector.is_empty() || pod.node_affinity.required.is_some();
        !selective
            || cycle.snapshot.nodes.iter().any(|node| self.is_cloud(node.node) && pod.admits(node.node))
    }
}

impl Plugin for CloudOffload {
    fn name(&self) -> &'static str {
        "CloudOffload"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        if self.mode == CloudOffloadMode::Required && self.applies(cycle) {
            return PreFilter::Check(Box::new(CloudNodes(self)));
        }
        PreFilter::Skip
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        if self.mode == CloudOffloadMode::Preferred && self.applies(cycle) {
            return PreScore::Score(Box::new(CloudNodes(self)));
        }
        PreScore::Skip
    }

    fn cured_by(&self, _pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            // When the last cloud node that the pod's selector admits is gone, the pod is exempt.
            ClusterEvent::NodeAdded(node) | ClusterEvent::NodeRemoved(node) => self.is_cloud(node),
            ClusterEvent::NodeUpdated { old, new } => {
                (self.is_cloud(old) || self.is_cloud(new)) && old.labels != new.labels
            }
            ClusterEvent::PodPlaced(_)
            | ClusterEvent::PodUpdated { .. }
            | ClusterEvent::PodFreed(_)
            | ClusterEvent::DelaysChanged(_) => false,
        }
    }
}

struct CloudNodes<'a>(&'a CloudOffload);

impl NodeFilter for CloudNodes<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if self.0.is_cloud(node.node) { Verdict::Fits } else { Rejection::unresolvable(NOT_CLOUD).into() }
    }
}

impl NodeScorer for CloudNodes<'_> {
    fn score(&self, node: NodeView<'_>) -> i64 {
        if self.0.is_cloud(node.node) { MAX_NODE_SCORE } else { 0 }
    }
}

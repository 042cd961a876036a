//! CloudOffload: pods without a delay constraint go to cloud nodes and leave the edge to those with one.

use crate::delay::DelayConstraints;
use crate::model::{Labels, Node, Pod};
use crate::placement::{
    ClusterEvent, Cycle, MAX_NODE_SCORE, NodeFilter, NodeScorer, NodeSlot, NodeView, Plugin, PreFilter,
    PreScore, Reason, Rejection, Snapshot, Verdict,
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

// === impl CloudOffloadMode ===

impl CloudOffloadMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Preferred, Self::Required, Self::Disabled];

    /// The name that configurations use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preferred => "Preferred",
            Self::Required => "Required",
            Self::Disabled => "Disabled",
        }
    }

    /// The mode of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// The mode where a profile of this name says nothing: the BME scheduler's own for its name, and none
    /// for profiles that are not ours, so that they place pods as kube-scheduler does.
    pub fn default_of_profile(scheduler_name: &str) -> Self {
        match scheduler_name {
            "edge-scheduler" => Self::Preferred,
            "custom-scheduler" => Self::Required,
            _ => Self::Disabled,
        }
    }
}

// === impl CloudOffload ===

impl Default for CloudOffload {
    fn default() -> Self {
        Self::with_mode(CloudOffloadMode::default())
    }
}

impl CloudOffload {
    /// The label of a cloud node, where nothing else is said.
    pub const DEFAULT_LABEL: (&'static str, &'static str) = ("kubernetes.io/role", "cloud");

    /// Offloads in this mode to nodes labelled `kubernetes.io/role=cloud`.
    pub fn with_mode(mode: CloudOffloadMode) -> Self {
        Self { mode, node_selector: [Self::DEFAULT_LABEL].into_iter().collect() }
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
        !selective || self.cloud_nodes(cycle.snapshot).any(|node| pod.admits(node.node))
    }

    fn cloud_nodes<'a>(&'a self, snapshot: &'a Snapshot) -> impl Iterator<Item = NodeView<'a>> {
        let labelled =
            self.node_selector.iter().next().map(|(key, value)| snapshot.nodes.labelled(key, value));
        labelled.into_iter().flatten().filter(|node| self.is_cloud(node.node))
    }

    /// The cloud nodes by slot, so that each of the other nodes costs one look and not a search of its labels.
    fn prepare(&self, snapshot: &Snapshot) -> CloudNodes {
        let mut is_cloud = vec![false; snapshot.nodes.num_slots()];
        for node in self.cloud_nodes(snapshot) {
            if let Some(is_cloud) = is_cloud.get_mut(node.slot.idx()) {
                *is_cloud = true;
            }
        }
        CloudNodes(is_cloud)
    }
}

impl Plugin for CloudOffload {
    fn name(&self) -> &'static str {
        "CloudOffload"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        if self.mode == CloudOffloadMode::Required && self.applies(cycle) {
            return PreFilter::Check(Box::new(self.prepare(cycle.snapshot)));
        }
        PreFilter::Skip
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        if self.mode == CloudOffloadMode::Preferred && self.applies(cycle) {
            let nodes = self.prepare(cycle.snapshot);
            // Without a cloud node all nodes are equal.
            if nodes.0.contains(&true) {
                return PreScore::Score(Box::new(nodes));
            }
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
            _ => false,
        }
    }
}

/// Whether there is a cloud node, by slot.
struct CloudNodes(Vec<bool>);

// === impl CloudNodes ===

impl CloudNodes {
    fn has(&self, slot: NodeSlot) -> bool {
        self.0.get(slot.idx()).copied().unwrap_or(false)
    }
}

impl NodeFilter for CloudNodes {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if self.has(node.slot) { Verdict::Fits } else { Rejection::unresolvable(NOT_CLOUD).into() }
    }

    fn is_local(&self) -> bool {
        true
    }

    fn is_of_node(&self) -> bool {
        true
    }
}

impl NodeScorer for CloudNodes {
    fn score(&self, node: NodeView<'_>) -> i64 {
        if self.has(node.slot) { MAX_NODE_SCORE } else { 0 }
    }

    fn is_local(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Owner;
    use crate::placement::testing::{TestNode, filter, node, score};

    fn cloud(name: &str) -> TestNode {
        let mut cloud = node(name);
        cloud.node.labels = [("kubernetes.io/role", "cloud"), ("zone", "core")].into_iter().collect();
        cloud
    }

    #[track_caller]
    fn check(mode: CloudOffloadMode, pod: &Pod, on: &TestNode, expected: &str) {
        assert_eq!(filter(&CloudOffload::with_mode(mode), pod, on), expected);
    }

    #[test]
    fn where_required_only_cloud_nodes_are_admitted() {
        let pod = Pod::pending("default", "web");
        check(CloudOffloadMode::Required, &pod, &cloud("c"), "fits");
        check(CloudOffloadMode::Required, &pod, &node("e"), "final: node(s) were not cloud nodes");
        check(CloudOffloadMode::Preferred, &pod, &node("e"), "fits");
        check(CloudOffloadMode::Disabled, &pod, &node("e"), "fits");
    }

    #[test]
    fn where_preferred_cloud_nodes_score_highest() {
        let nodes = [cloud("c"), node("e")];
        let pod = Pod::pending("default", "web");
        assert_eq!(
            score(&CloudOffload::with_mode(CloudOffloadMode::Preferred), &pod, &nodes),
            Some(vec![100, 0])
        );
        assert_eq!(score(&CloudOffload::with_mode(CloudOffloadMode::Disabled), &pod, &nodes), None);
    }

    #[test]
    fn pods_that_can_not_be_meant_are_exempt() {
        let pod = Pod::pending("default", "web");
        let delayed = Pod { labels: [("delay_e", "5")].into_iter().collect(), ..pod.clone() };
        let owner = Some(Owner { kind: "DaemonSet".into(), name: "agent".into() });
        let daemon = Pod { owner, ..pod.clone() };
        let elsewhere = Pod { node_selector: [("zone", "edge")].into_iter().collect(), ..pod.clone() };
        for exempt in [&delayed, &daemon, &elsewhere] {
            check(CloudOffloadMode::Required, exempt, &node("e"), "fits");
        }
        // This one's selector admits the cloud node, so the cloud node it is.
        let core = Pod { node_selector: [("zone", "core")].into_iter().collect(), ..pod };
        let nodes = [cloud("c"), node("e")];
        assert_eq!(score(&CloudOffload::default(), &core, &nodes), Some(vec![100, 0]));
    }
}

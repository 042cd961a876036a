//! VMICapacity: how many virtual machine interfaces a DPDK node can host, as Filter and as Score
//! (after the plugin of the Contrail CN2 scheduler).

use crate::model::{Labels, Node, Pod, Vmis};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeScorer, NodeSlot, NodeView, Plugin, PreFilter, PreScore, Reason,
    Rejection, Snapshot, Verdict, normalize,
};

/// Whose placement depends on VMIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmiCapacityMode {
    /// Every pod goes to a DPDK node with enough VMIs left, and the nodes with the fewest are preferred. It
    /// is what the Contrail scheduler does.
    Required,
    /// Every pod that goes to a DPDK node finds enough VMIs left there; other nodes are not limited. Pods
    /// with further networks prefer the nodes with the fewest VMIs.
    Limited,
    /// The same, for pods with further networks alone.
    OnRequest,
}

/// Rejects DPDK nodes whose VMIs are used up. One that is in use counts whatever scheduler placed its
/// pod, and before the API server has confirmed it.
///
/// A pod on its node's own network takes none and is never rejected for the number of them.
pub struct VmiCapacity {
    /// Whose placement depends on VMIs.
    pub mode: VmiCapacityMode,
    /// How many VMIs a DPDK node can host.
    pub max_vmi_count: u32,
    /// The labels of a DPDK node, all of them.
    pub node_labels: Labels,
}

const NOT_DPDK: Reason = Reason::Fixed("node(s) didn't have the labels required by VMICapacity");
const FULL: Reason = Reason::Fixed("node(s) exceed max VMI count");
const UNREADABLE: Reason = Reason::Fixed(
    "pod's annotation k8s.v1.cni.cncf.io/networks was neither a comma-separated list of networks \
     nor a JSON list of objects with a name",
);

// === impl VmiCapacityMode ===

impl VmiCapacityMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Required, Self::Limited, Self::OnRequest];

    /// The name that configurations use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "Required",
            Self::Limited => "Limited",
            Self::OnRequest => "OnRequest",
        }
    }

    /// The mode of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// The mode where a profile of this name says nothing: the Contrail scheduler's own for its name, and
    /// for profiles that are not ours the one that changes least.
    pub fn default_of_profile(scheduler_name: &str) -> Self {
        match scheduler_name {
            "contrail-scheduler" => Self::Required,
            "edge-scheduler" | "custom-scheduler" => Self::Limited,
            _ => Self::OnRequest,
        }
    }
}

// === impl VmiCapacity ===

impl Default for VmiCapacity {
    fn default() -> Self {
        Self::with_mode(VmiCapacityMode::OnRequest)
    }
}

impl VmiCapacity {
    /// How many VMIs a DPDK node can host, where nothing else is said.
    pub const DEFAULT_MAX: u32 = 32;
    /// The label of a DPDK node, where nothing else is said.
    pub const DEFAULT_LABEL: (&'static str, &'static str) = ("agent-mode", "dpdk");

    /// Counts on nodes labelled `agent-mode=dpdk`, up to 32.
    pub fn with_mode(mode: VmiCapacityMode) -> Self {
        Self {
            mode,
            max_vmi_count: Self::DEFAULT_MAX,
            node_labels: [Self::DEFAULT_LABEL].into_iter().collect(),
        }
    }

    fn is_dpdk(&self, node: &Node) -> bool {
        self.node_labels.iter().all(|(key, value)| node.labels.shared(key) == Some(value))
    }

    /// The DPDK nodes by slot. Without labels every node is one.
    fn dpdk_nodes(&self, snapshot: &Snapshot) -> Vec<bool> {
        let nodes = &snapshot.nodes;
        let Some((key, value)) = self.node_labels.iter().next() else { return vec![true; nodes.num_slots()] };
        let mut is_dpdk = vec![false; nodes.num_slots()];
        for node in nodes.labelled(key, value).filter(|node| self.is_dpdk(node.node)) {
            if let Some(is_dpdk) = is_dpdk.get_mut(node.slot.idx()) {
                *is_dpdk = true;
            }
        }
        is_dpdk
    }

    /// The DPDK nodes, if `pod` depends on them.
    fn prepare(&self, pod: &Pod, snapshot: &Snapshot) -> Option<Vec<bool>> {
        if self.mode == VmiCapacityMode::OnRequest && !pod.vmis.asks_for_more() {
            return None;
        }
        let is_dpdk = self.dpdk_nodes(snapshot);
        (self.mode == VmiCapacityMode::Required || is_dpdk.contains(&true)).then_some(is_dpdk)
    }
}

impl Plugin for VmiCapacity {
    fn name(&self) -> &'static str {
        "VMICapacity"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        let Some(is_dpdk) = self.prepare(cycle.pod, cycle.snapshot) else { return PreFilter::Skip };
        PreFilter::Check(Box::new(Room {
            is_dpdk,
            dpdk_only: self.mode == VmiCapacityMode::Required,
            requested: cycle.pod.vmis,
            max: self.max_vmi_count.into(),
        }))
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        let asks = self.mode == VmiCapacityMode::Required || cycle.pod.vmis.asks_for_more();
        if asks && self.prepare(cycle.pod, cycle.snapshot).is_some() {
            return PreScore::Score(Box::new(FewestVmis));
        }
        PreScore::Skip
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        let admits_others = self.mode != VmiCapacityMode::Required;
        match event {
            ClusterEvent::NodeAdded(node) => admits_others || self.is_dpdk(node),
            ClusterEvent::NodeUpdated { old, new } => self.is_dpdk(old) != self.is_dpdk(new),
            // With the last DPDK node the networks that can't be read cease to matter.
            ClusterEvent::NodeRemoved(node) => {
                admits_others && pod.vmis == Vmis::Unreadable && self.is_dpdk(node)
            }
            ClusterEvent::PodFreed(other) => other.vmis.taken() > 0,
            ClusterEvent::PodUpdated { old, new } => old.vmis.taken() > new.vmis.taken(),
            _ => false,
        }
    }
}

/// What a pod needs and where it counts.
struct Room {
    /// By slot.
    is_dpdk: Vec<bool>,
    dpdk_only: bool,
    requested: Vmis,
    max: i64,
}

/// The fewer VMIs are in use, the better.
struct FewestVmis;

impl NodeFilter for Room {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        let is_dpdk = self.is_dpdk.get(node.slot.idx()).copied().unwrap_or(false);
        let requested = match self.requested {
            Vmis::Unreadable => return Rejection::unresolvable(UNREADABLE).into(),
            Vmis::Known(count) => i64::from(count),
        };
        if !is_dpdk {
            return if self.dpdk_only { Rejection::unresolvable(NOT_DPDK).into() } else { Verdict::Fits };
        }
        if requested > self.max {
            return Rejection::unresolvable(FULL).into();
        }
        if requested > 0 && requested > self.max - node.usage.vmis {
            return Rejection::unschedulable(FULL).into();
        }
        Verdict::Fits
    }

    fn is_local(&self) -> bool {
        true
    }
}

impl NodeScorer for FewestVmis {
    fn score(&self, node: NodeView<'_>) -> i64 {
        node.usage.vmis
    }

    fn is_local(&self) -> bool {
        true
    }

    fn normalize(&self, scores: &mut [i64]) {
        normalize::lowest_is_best(scores);
    }
}

#[cfg(test)]
mod tests;

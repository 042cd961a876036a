//! NetworkDelay as the BME scheduler had it with clustering on.

use std::sync::Arc;

use super::Layers;
use crate::delay::{AnchorNodes, DelayConstraint, DelayConstraints, Replicas, resolve};
use crate::model::{NodeName, Pod};
use crate::placement::plugins::network_delay::NetworkDelay;
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeScorer, NodeSlot, NodeView, Plugin, PreFilter, PreScore, Reason,
    Rejection, Verdict,
};

/// NetworkDelay, and in addition only nodes of the anchor's own cluster are admitted. For comparison alone:
/// a cluster is part of the radius at most, so nodes that would do are lost.
pub(super) struct ClusteredDelay {
    exact: NetworkDelay,
    layers: Arc<Layers>,
}

/// What is checked for one pod.
struct InClusters<'a> {
    exact: Box<dyn NodeFilter + 'a>,
    layers: &'a Layers,
    replicas: Replicas,
    anchors: Vec<AnchorCluster<'a>>,
}

struct AnchorCluster<'a> {
    constraint: DelayConstraint,
    nodes: Vec<&'a NodeName>,
    outside: Reason,
}

// === impl ClusteredDelay ===

impl ClusteredDelay {
    pub(super) fn new(layers: Arc<Layers>) -> Self {
        Self { exact: NetworkDelay, layers }
    }

    fn in_clusters<'a>(&'a self, cycle: Cycle<'a>, exact: Box<dyn NodeFilter + 'a>) -> InClusters<'a> {
        let DelayConstraints { list, replicas } = DelayConstraints::of_pod(cycle.pod).unwrap_or_default();
        let anchors = list.into_iter().filter_map(|it| AnchorCluster::of(cycle, it)).collect();
        InClusters { exact, layers: &self.layers, replicas, anchors }
    }
}

impl Plugin for ClusteredDelay {
    fn name(&self) -> &'static str {
        self.exact.name()
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        match self.exact.pre_filter(cycle) {
            PreFilter::Check(exact) => PreFilter::Check(Box::new(self.in_clusters(cycle, exact))),
            PreFilter::Narrow(nodes, exact) => {
                PreFilter::Narrow(nodes, Box::new(self.in_clusters(cycle, exact)))
            }
            other @ (PreFilter::Skip | PreFilter::Reject(_) | PreFilter::AwaitDelays(_)) => other,
        }
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, feasible: &[NodeSlot]) -> PreScore<'a> {
        self.exact.pre_score(cycle, feasible)
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        self.exact.cured_by(pod, event)
    }
}

// === impl AnchorCluster ===

impl<'a> AnchorCluster<'a> {
    fn of(cycle: Cycle<'a>, constraint: DelayConstraint) -> Option<Self> {
        let Ok(AnchorNodes::On(slots)) = resolve(cycle.snapshot, cycle.pod, &constraint.anchor) else {
            return None;
        };
        let DelayConstraint { anchor, bound } = &constraint;
        let outside = Reason::said(format!("node(s) were outside the cluster of {anchor} ({bound} ms)"));
        let nodes = slots.into_iter().filter_map(|slot| cycle.snapshot.nodes.name(slot)).collect();
        Some(Self { constraint, nodes, outside })
    }
}

// === impl InClusters ===

impl NodeFilter for InClusters<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        let verdict = self.exact.filter(node);
        if verdict != Verdict::Fits {
            return verdict;
        }
        for AnchorCluster { constraint, nodes, outside } in &self.anchors {
            let mut together = nodes
                .iter()
                .map(|anchor| self.layers.are_together(anchor, &node.node.name, constraint.bound));
            let admitted = match self.replicas {
                Replicas::Nearest => together.any(|it| it),
                Replicas::All => together.all(|it| it),
            };
            if !admitted {
                return Rejection::unresolvable(outside.clone()).into();
            }
        }
        Verdict::Fits
    }

    fn scorer(&self) -> Option<&dyn NodeScorer> {
        self.exact.scorer()
    }

    fn reserve(&self, node: NodeView<'_>) -> Vec<(&'static str, String)> {
        self.exact.reserve(node)
    }
}

//! NodeName (upstream: `plugins/nodename`).

use crate::model;
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeView, Plugin, PreFilter, Reason, Rejection, Verdict,
};

/// Admits the node that the pod's `spec.nodeName` names, if it names one.
pub struct NodeName;

const OTHER_NODE: Reason = Reason::Fixed("node(s) didn't match the requested node name");

struct Named<'a>(&'a model::NodeName);

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        match &cycle.pod.node {
            Some(name) => PreFilter::Check(Box::new(Named(name))),
            None => PreFilter::Skip,
        }
    }

    /// Upstream wakes the pod for every new node; no other than the one it names can help.
    fn cured_by(&self, pod: &model::Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(node) => pod.node.as_ref().is_none_or(|name| *name == node.name),
            _ => false,
        }
    }
}

impl NodeFilter for Named<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if node.node.name == *self.0 { Verdict::Fits } else { Rejection::unresolvable(OTHER_NODE).into() }
    }

    fn is_local(&self) -> bool {
        true
    }

    fn is_of_node(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::testing::{TestPod, filter, node, pod};

    #[track_caller]
    fn check(pod: &TestPod, expected: &str) {
        assert_eq!(filter(&NodeName, pod, &node("n1")), expected);
    }

    #[test]
    fn a_pod_that_names_a_node_goes_nowhere_else() {
        check(&pod("p"), "fits");
        check(&pod("p").on("n1"), "fits");
        check(&pod("p").on("n10"), "final: node(s) didn't match the requested node name");
    }

    #[test]
    fn the_named_node_wakes_it() {
        let pod = pod("p").on("n1");
        assert!(NodeName.cured_by(&pod, &ClusterEvent::NodeAdded(&node("n1").node)));
        assert!(!NodeName.cured_by(&pod, &ClusterEvent::NodeAdded(&node("n2").node)));
        let (old, new) = (node("n1").cordoned().node, node("n1").node);
        assert!(!NodeName.cured_by(&pod, &ClusterEvent::NodeUpdated { old: &old, new: &new }));
    }
}

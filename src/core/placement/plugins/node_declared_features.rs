//! NodeDeclaredFeatures: the node has the features that the pod can't do without (upstream:
//! `plugins/nodedeclaredfeatures/nodedeclaredfeatures.go`).

use crate::model::{NodeFeatures, Pod};
use crate::placement::{ClusterEvent, Cycle, NodeFilter, NodeView, Plugin, PreFilter, Rejection, Verdict};

const MISSING: &str = "node(s) didn't match Pod's required features";

/// The plugin.
pub struct NodeDeclaredFeatures;

struct Required(NodeFeatures);

impl Plugin for NodeDeclaredFeatures {
    fn name(&self) -> &'static str {
        "NodeDeclaredFeatures"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        match cycle.pod.features {
            features if features.is_empty() => PreFilter::Skip,
            features => PreFilter::Check(Box::new(Required(features))),
        }
    }

    fn cured_by(&self, _pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::NodeUpdated { old, new } => old.features != new.features,
            _ => false,
        }
    }
}

impl NodeFilter for Required {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if node.node.features.contain(self.0) {
            Verdict::Fits
        } else {
            Rejection::unresolvable(MISSING).into()
        }
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
    use crate::model::Node;
    use crate::placement::testing::{filter, node, pod};

    const BOTH: [&str; 2] = ["RestartAllContainersOnContainerExits", "UserNamespacesHostNetworkSupport"];

    #[track_caller]
    fn check(required: &[&str], declared: &[&str], expected: &str) {
        let features = |names: &[&str]| names.iter().map(|name| NodeFeatures::named(name)).collect();
        let pod = Pod { features: features(required), ..pod("web").build() };
        let mut node = node("n");
        node.node = Node { features: features(declared), ..node.node };
        assert_eq!(filter(&NodeDeclaredFeatures, &pod, &node), expected, "{required:?} {declared:?}");
    }

    #[test]
    fn a_node_has_to_declare_every_feature_that_the_pod_requires() {
        let missing = format!("final: {MISSING}");
        check(&[], &[], "fits");
        check(&BOTH, &BOTH, "fits");
        check(&BOTH[..1], &BOTH, "fits");
        check(&BOTH, &BOTH[..1], &missing);
        check(&BOTH[..1], &BOTH[1..], &missing);
        check(&["NoPodCanRequireThis"], &[], "fits");
    }

    #[test]
    fn a_new_declaration_may_cure() {
        let (old, new) =
            (Node::named("n"), Node { features: NodeFeatures::named(BOTH[0]), ..Node::named("n") });
        let cured = |event| NodeDeclaredFeatures.cured_by(&pod("web"), &event);
        assert!(cured(ClusterEvent::NodeAdded(&old)));
        assert!(cured(ClusterEvent::NodeUpdated { old: &old, new: &new }));
        assert!(!cured(ClusterEvent::NodeUpdated { old: &new, new: &new }));
        assert!(!cured(ClusterEvent::NodeRemoved(&old)));
    }
}

//! NodeUnschedulable (upstream: `plugins/nodeunschedulable`).

use crate::model::{Pod, Taint, TaintEffect};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeView, Plugin, PreFilter, Reason, Rejection, Verdict,
};

/// Rejects cordoned nodes, unless the pod tolerates the taint that a cordoned node has.
///
/// `spec.unschedulable` is looked at, and not the taint alone, because the node controller adds the
/// taint a moment later.
pub struct NodeUnschedulable;

const UNSCHEDULABLE: Reason = Reason::Fixed("node(s) were unschedulable");

struct NotCordoned;

fn tolerates_cordon(pod: &Pod) -> bool {
    // Making the taint allocates, and most pods tolerate nothing.
    !pod.tolerations.is_empty()
        && pod.tolerates(&Taint {
            key: "node.kubernetes.io/unschedulable".into(),
            value: "".into(),
            effect: TaintEffect::NoSchedule,
        })
}

impl Plugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        if tolerates_cordon(cycle.pod) { PreFilter::Skip } else { PreFilter::Check(Box::new(NotCordoned)) }
    }

    fn cured_by(&self, _pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(node) => !node.unschedulable,
            ClusterEvent::NodeUpdated { old, new } => old.unschedulable && !new.unschedulable,
            _ => false,
        }
    }
}

impl NodeFilter for NotCordoned {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if node.node.unschedulable { Rejection::unresolvable(UNSCHEDULABLE).into() } else { Verdict::Fits }
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
    use crate::placement::testing::{TestNode, TestPod, filter, node, pod, tolerates_key, tolerates_value};

    const CORDON: &str = "node.kubernetes.io/unschedulable";
    const REJECTED: &str = "final: node(s) were unschedulable";

    #[track_caller]
    fn check(pod: &TestPod, node: &TestNode, expected: &str) {
        assert_eq!(filter(&NodeUnschedulable, pod, node), expected);
    }

    #[test]
    fn a_cordoned_node_takes_only_pods_that_tolerate_it() {
        let cordoned = node("n1").cordoned();
        check(&pod("p"), &node("n1"), "fits");
        check(&pod("p"), &cordoned, REJECTED);
        check(&pod("p").tolerate(tolerates_key(CORDON, Some(TaintEffect::NoSchedule))), &cordoned, "fits");
        check(&pod("p").tolerate(tolerates_key(CORDON, None)), &cordoned, "fits");
        check(&pod("p").tolerate(tolerates_key("", None)), &cordoned, "fits");
        check(&pod("p").tolerate(tolerates_value(CORDON, "", None)), &cordoned, "fits");
        check(&pod("p").tolerate(tolerates_value(CORDON, "true", None)), &cordoned, REJECTED);
        check(&pod("p").tolerate(tolerates_key(CORDON, Some(TaintEffect::NoExecute))), &cordoned, REJECTED);
        check(&pod("p").tolerate(tolerates_key("other", None)), &cordoned, REJECTED);
    }

    #[test]
    fn a_node_that_can_be_used_wakes_it() {
        let (open, cordoned) = (node("n1").node, node("n1").cordoned().node);
        let cured = |event: ClusterEvent<'_>| NodeUnschedulable.cured_by(&pod("p"), &event);
        assert!(cured(ClusterEvent::NodeAdded(&open)));
        assert!(!cured(ClusterEvent::NodeAdded(&cordoned)));
        assert!(cured(ClusterEvent::NodeUpdated { old: &cordoned, new: &open }));
        assert!(!cured(ClusterEvent::NodeUpdated { old: &open, new: &cordoned }));
        assert!(!cured(ClusterEvent::NodeUpdated { old: &open, new: &open }));
        assert!(!cured(ClusterEvent::PodFreed(&pod("other").on("n1"))));
    }
}

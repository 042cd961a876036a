//! TaintToleration (upstream: `plugins/tainttoleration`).

use crate::model::{Node, Pod, Taint, TaintEffect};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeScorer, NodeSlot, NodeView, Plugin, PreFilter, PreScore, Reason,
    Rejection, Verdict, normalize,
};

/// Rejects nodes with a `NoSchedule` or `NoExecute` taint that the pod doesn't tolerate, and prefers
/// those with the fewest `PreferNoSchedule` taints that it doesn't tolerate.
pub struct TaintToleration;

const UNTOLERATED: Reason = Reason::Fixed("node(s) had untolerated taint(s)");

struct Tolerated<'a>(&'a Pod);

/// Whether `taint` keeps the pod off the node.
fn keeps_off(pod: &Pod, taint: &Taint) -> bool {
    taint.effect != TaintEffect::PreferNoSchedule && !pod.tolerates(taint)
}

/// Whether `taint` makes the node less wanted.
fn puts_off(pod: &Pod, taint: &Taint) -> bool {
    taint.effect == TaintEffect::PreferNoSchedule && !pod.tolerates(taint)
}

/// Whether no taint of the node keeps the pod off.
pub(super) fn admits(pod: &Pod, node: &Node) -> bool {
    !node.taints.iter().any(|taint| keeps_off(pod, taint))
}

impl Plugin for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        PreFilter::Check(Box::new(Tolerated(cycle.pod)))
    }

    /// Where no feasible node has such a taint, all would score the same, so the score is skipped.
    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, feasible: &[NodeSlot]) -> PreScore<'a> {
        let tainted = |slot: &NodeSlot| {
            let node = cycle.snapshot.nodes.get(*slot);
            node.is_some_and(|node| node.node.taints.iter().any(|taint| puts_off(cycle.pod, taint)))
        };
        if feasible.iter().any(tainted) {
            return PreScore::Score(Box::new(Tolerated(cycle.pod)));
        }
        PreScore::Skip
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(node) => admits(pod, node),
            ClusterEvent::NodeUpdated { old, new } => !admits(pod, old) && admits(pod, new),
            _ => false,
        }
    }
}

impl NodeFilter for Tolerated<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if admits(self.0, node.node) { Verdict::Fits } else { Rejection::unresolvable(UNTOLERATED).into() }
    }

    fn is_local(&self) -> bool {
        true
    }

    fn is_of_node(&self) -> bool {
        true
    }
}

impl NodeScorer for Tolerated<'_> {
    /// How many taints put the pod off.
    fn score(&self, node: NodeView<'_>) -> i64 {
        let taints = node.node.taints.iter().filter(|taint| puts_off(self.0, taint)).count();
        i64::try_from(taints).unwrap_or(i64::MAX)
    }

    fn is_local(&self) -> bool {
        true
    }

    fn normalize(&self, scores: &mut [i64]) {
        normalize::lowest_is_best(scores);
    }
}

#[cfg(test)]
mod tests {
    use TaintEffect::{NoExecute, NoSchedule, PreferNoSchedule};

    use super::*;
    use crate::placement::testing::{
        TestNode, TestPod, filter, node, pod, score, tolerates_key, tolerates_value,
    };

    const REJECTED: &str = "final: node(s) had untolerated taint(s)";

    #[track_caller]
    fn check(pod: &TestPod, node: &TestNode, expected: &str) {
        assert_eq!(filter(&TaintToleration, pod, node), expected);
    }

    #[test]
    fn a_taint_keeps_off_pods_that_do_not_tolerate_it() {
        check(&pod("p"), &node("n"), "fits");
        check(&pod("p"), &node("n").taint("gpu", "a", NoSchedule), REJECTED);
        check(&pod("p"), &node("n").taint("gpu", "a", NoExecute), REJECTED);
        check(&pod("p"), &node("n").taint("gpu", "a", PreferNoSchedule), "fits");
    }

    #[test]
    fn a_toleration_matches_by_key_value_and_effect() {
        let tainted = node("n").taint("gpu", "a", NoSchedule);
        check(&pod("p").tolerate(tolerates_value("gpu", "a", Some(NoSchedule))), &tainted, "fits");
        check(&pod("p").tolerate(tolerates_value("gpu", "a", None)), &tainted, "fits");
        check(&pod("p").tolerate(tolerates_value("gpu", "b", None)), &tainted, REJECTED);
        check(&pod("p").tolerate(tolerates_value("cpu", "a", None)), &tainted, REJECTED);
        check(&pod("p").tolerate(tolerates_value("gpu", "a", Some(NoExecute))), &tainted, REJECTED);
        check(&pod("p").tolerate(tolerates_key("gpu", None)), &tainted, "fits");
        check(&pod("p").tolerate(tolerates_key("", None)), &tainted, "fits");
        check(&pod("p").tolerate(tolerates_value("", "a", None)), &tainted, "fits");
        check(&pod("p").tolerate(tolerates_value("", "b", None)), &tainted, REJECTED);
    }

    #[test]
    fn every_taint_must_be_tolerated() {
        let tainted = node("n").taint("gpu", "a", NoSchedule).taint("disk", "b", NoExecute);
        let one = pod("p").tolerate(tolerates_key("gpu", None));
        check(&one, &tainted, REJECTED);
        check(&one.clone().tolerate(tolerates_key("disk", None)), &tainted, "fits");
    }

    #[track_caller]
    fn check_scores(pod: &TestPod, nodes: &[TestNode], expected: Option<&[i64]>) {
        assert_eq!(score(&TaintToleration, pod, nodes).as_deref(), expected);
    }

    #[test]
    fn fewer_taints_that_put_off_are_better() {
        let nodes = [
            node("none"),
            node("one").taint("a", "", PreferNoSchedule),
            node("three").taint("a", "", PreferNoSchedule).taint("b", "", PreferNoSchedule).taint(
                "c",
                "",
                PreferNoSchedule,
            ),
            node("others").taint("x", "", NoSchedule).taint("y", "", NoExecute),
        ];
        check_scores(&pod("p"), &nodes, Some(&[100, 67, 0, 100]));
        let tolerant = pod("p").tolerate(tolerates_key("b", Some(PreferNoSchedule)));
        check_scores(&tolerant, &nodes, Some(&[100, 50, 0, 100]));
        // A toleration of another effect doesn't help.
        let strict = pod("p").tolerate(tolerates_key("b", Some(NoSchedule)));
        check_scores(&strict, &nodes, Some(&[100, 67, 0, 100]));
    }

    #[test]
    fn without_such_a_taint_the_score_is_skipped() {
        let nodes = [node("n1"), node("n2").taint("a", "", PreferNoSchedule)];
        check_scores(&pod("p").tolerate(tolerates_key("a", None)), &nodes, None);
        check_scores(&pod("p"), &nodes[..1], None);
    }

    #[test]
    fn a_node_that_the_pod_tolerates_now_wakes_it() {
        let (clean, tainted) = (node("n").node, node("n").taint("a", "", NoSchedule).node);
        let soft = node("n").taint("a", "", PreferNoSchedule).node;
        let cured = |event: ClusterEvent<'_>| TaintToleration.cured_by(&pod("p"), &event);
        assert!(cured(ClusterEvent::NodeAdded(&clean)));
        assert!(cured(ClusterEvent::NodeAdded(&soft)));
        assert!(!cured(ClusterEvent::NodeAdded(&tainted)));
        assert!(cured(ClusterEvent::NodeUpdated { old: &tainted, new: &clean }));
        assert!(!cured(ClusterEvent::NodeUpdated { old: &clean, new: &soft }));
        assert!(!cured(ClusterEvent::NodeUpdated { old: &tainted, new: &tainted }));
        assert!(!cured(ClusterEvent::PodFreed(&pod("other"))));
    }
}

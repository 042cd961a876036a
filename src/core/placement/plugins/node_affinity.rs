//! NodeAffinity (upstream: `plugins/nodeaffinity`).

use crate::model::{self, Node, NodeName, NodeSelector, NodeSelectorTerm, Pod, PreferredTerm};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeScorer, NodeSlot, NodeView, Plugin, PreFilter, PreScore, Reason,
    Rejection, Verdict, normalize,
};

/// Admits the nodes that match the pod's node selector and required node affinity, and prefers those
/// that match more of its preferred terms, by weight.
#[derive(Default)]
pub struct NodeAffinity {
    /// What is required and preferred of nodes on top, for every pod of the profile.
    pub added: model::NodeAffinity,
}

const NO_MATCH: Reason = Reason::Fixed("node(s) didn't match Pod's node affinity/selector");
const NO_MATCH_ADDED: Reason = Reason::Fixed("node(s) didn't match scheduler-enforced node affinity");
const CONFLICT: Reason = Reason::Fixed("pod affinity terms conflict");

/// What is required, without the terms that can match no node.
struct Required<'a> {
    pod: &'a Pod,
    terms: Option<Vec<&'a NodeSelectorTerm>>,
    added: Option<Vec<&'a NodeSelectorTerm>>,
}

/// What is preferred, likewise.
struct Preferred<'a>(Vec<&'a PreferredTerm>);

fn any_holds(terms: Option<&Vec<&NodeSelectorTerm>>, node: &Node) -> bool {
    terms.is_none_or(|terms| terms.iter().any(|term| term.holds(node)))
}

/// What of the pod's preferred terms can't be read. A required term that can't only matches no node.
fn unreadable(preferred: &[PreferredTerm]) -> Option<String> {
    let preferred = preferred.iter().enumerate().filter(|(_, it)| it.weight != 0);
    let bounds = preferred
        .flat_map(|(term, it)| it.term.unreadable_bounds().map(move |(idx, bound)| (term, idx, bound)));
    let faults: Vec<String> = bounds
        .map(|(term, idx, bound)| {
            format!(
                "[{term}].matchExpressions[{idx}].values[0]: Invalid value: {bound:?}: \
                 for 'Gt', 'Lt' operators, the value must be an integer"
            )
        })
        .collect();
    match &faults[..] {
        [] => None,
        [fault] => Some(fault.clone()),
        [..] => Some(format!("[{}]", faults.join(", "))),
    }
}

// === impl NodeAffinity ===

impl NodeAffinity {
    /// Whether profile and pod both admit the node.
    fn admits(&self, pod: &Pod, node: &Node) -> bool {
        self.added.required.as_ref().is_none_or(|added| added.matches(node)) && pod.admits(node)
    }
}

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        let pod = cycle.pod;
        let required = pod.node_affinity.required.as_ref();
        if required.is_none() && self.added.required.is_none() && pod.node_selector.is_empty() {
            return PreFilter::Skip;
        }
        let check = Box::new(Required {
            pod,
            terms: required.map(NodeSelector::usable_terms),
            added: self.added.required.as_ref().map(NodeSelector::usable_terms),
        });
        match required.and_then(NodeSelector::node_names) {
            None => PreFilter::Check(check),
            Some(names) if names.is_empty() => PreFilter::Reject(Rejection::unresolvable(CONFLICT)),
            Some(names) => {
                let names = names.into_iter().map(|name| NodeName::new(name.clone())).collect();
                PreFilter::Narrow(names, check)
            }
        }
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        if let Some(unreadable) = unreadable(&cycle.pod.node_affinity.preferred) {
            return PreScore::Fail(unreadable);
        }
        let preferred = self.added.preferred.iter().chain(&cycle.pod.node_affinity.preferred);
        let usable = preferred.filter(|preferred| preferred.weight != 0 && preferred.term.is_usable());
        let usable: Vec<_> = usable.collect();
        if usable.is_empty() { PreScore::Skip } else { PreScore::Score(Box::new(Preferred(usable))) }
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(node) => self.admits(pod, node),
            // Where the labels are the same the verdict is: a node never changes its name.
            ClusterEvent::NodeUpdated { old, new } => {
                old.labels != new.labels && self.admits(pod, new) && !self.admits(pod, old)
            }
            _ => false,
        }
    }
}

impl NodeFilter for Required<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        let node = node.node;
        if !any_holds(self.added.as_ref(), node) {
            return Rejection::unresolvable(NO_MATCH_ADDED).into();
        }
        if !self.pod.selects(node) || !any_holds(self.terms.as_ref(), node) {
            return Rejection::unresolvable(NO_MATCH).into();
        }
        Verdict::Fits
    }

    fn is_local(&self) -> bool {
        true
    }

    fn is_of_node(&self) -> bool {
        true
    }
}

impl NodeScorer for Preferred<'_> {
    fn score(&self, node: NodeView<'_>) -> i64 {
        self.0.iter().filter(|preferred| preferred.term.holds(node.node)).map(|it| it.weight).sum()
    }

    fn is_local(&self) -> bool {
        true
    }

    fn normalize(&self, scores: &mut [i64]) {
        normalize::highest_is_best(scores);
    }
}

#[cfg(test)]
mod tests {
    use model::RequirementOp::{Exists, Gt, In, NotIn};

    use super::*;
    use crate::placement::testing::{TestNode, TestPod, filter, node, on_label, on_name, pod, score};

    const REJECTED: &str = "final: node(s) didn't match Pod's node affinity/selector";

    fn plugin() -> NodeAffinity {
        NodeAffinity::default()
    }

    fn east() -> TestNode {
        node("n1").label("zone", "east").label("disk", "ssd")
    }

    #[track_caller]
    fn check(pod: &TestPod, expected: &str) {
        assert_eq!(filter(&plugin(), pod, &east()), expected);
    }

    #[test]
    fn every_label_of_the_selector_must_match() {
        check(&pod("p"), "fits");
        check(&pod("p").select("zone", "east"), "fits");
        check(&pod("p").select("zone", "east").select("disk", "ssd"), "fits");
        check(&pod("p").select("zone", "east").select("disk", "hdd"), REJECTED);
        check(&pod("p").select("none", ""), REJECTED);
    }

    #[test]
    fn one_required_term_must_match_and_the_selector_too() {
        let (west, exists) = (on_label("zone", In, &["west"]), on_label("disk", Exists, &[]));
        check(&pod("p").require(west.clone()), REJECTED);
        check(&pod("p").require(west.clone()).require(exists.clone()), "fits");
        check(&pod("p").require(exists.clone()).select("zone", "east"), "fits");
        check(&pod("p").require(exists).select("zone", "west"), REJECTED);
        check(&pod("p").require(west).select("zone", "east"), REJECTED);
    }

    #[test]
    fn a_term_that_is_empty_or_can_not_be_parsed_matches_nothing() {
        check(&pod("p").require(NodeSelectorTerm::default()), REJECTED);
        let broken = on_label("cores", Gt, &["many"]);
        check(&pod("p").require(broken.clone()), REJECTED);
        check(&pod("p").require(broken).require(on_label("zone", Exists, &[])), "fits");
        let mut none = pod("p").build();
        none.node_affinity.required = Some(NodeSelector::default());
        assert_eq!(filter(&plugin(), &none, &east()), REJECTED);
    }

    #[track_caller]
    fn check_narrow(pod: &TestPod, expected: &str) {
        let snapshot = crate::placement::Snapshot::default();
        let found = match plugin().pre_filter(Cycle::of(pod, &snapshot)) {
            PreFilter::Skip => "skip".into(),
            PreFilter::Check(_) => "all".into(),
            PreFilter::Narrow(names, _) => names.iter().map(NodeName::as_str).collect::<Vec<_>>().join(" "),
            PreFilter::Reject(rejection) => rejection.reason.as_str().to_owned(),
            PreFilter::AwaitDelays(_) => "delays".into(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn names_narrow_the_nodes_that_are_looked_at() {
        check_narrow(&pod("p"), "skip");
        check_narrow(&pod("p").select("zone", "east"), "all");
        check_narrow(&pod("p").require(on_name(&[&["n1"]])), "n1");
        check_narrow(&pod("p").require(on_name(&[&["n2"]])).require(on_name(&[&["n1"]])), "n1 n2");
        check_narrow(&pod("p").require(on_name(&[&["n1"]])).require(on_label("a", NotIn, &["b"])), "all");
        check_narrow(&pod("p").require(on_name(&[&["n1"], &["n2"]])), "pod affinity terms conflict");
        // Two names in one requirement can't be parsed, so no node matches, but they narrow.
        check_narrow(&pod("p").require(on_name(&[&["n1", "n2"]])), "n1 n2");
        check(&pod("p").require(on_name(&[&["n1"]])), "fits");
        check(&pod("p").require(on_name(&[&["n2"]])), REJECTED);
        check(&pod("p").require(on_name(&[&["n1", "n2"]])), REJECTED);
    }

    #[test]
    fn a_profile_may_require_and_prefer_more() {
        let terms = [on_label("zone", In, &["west"])].into();
        let preferred = [PreferredTerm { weight: 1, term: on_label("zone", In, &["east"]) }].into();
        let added = model::NodeAffinity { required: Some(NodeSelector { terms }), preferred };
        let plugin = NodeAffinity { added };
        let enforced = "final: node(s) didn't match scheduler-enforced node affinity";
        assert_eq!(filter(&plugin, &pod("p").select("zone", "west"), &east()), enforced);
        let west = node("n2").label("zone", "west");
        assert_eq!(filter(&plugin, &pod("p"), &west), "fits");
        assert_eq!(score(&plugin, &pod("p"), &[east(), west.clone()]), Some(vec![100, 0]));
        assert!(!plugin.cured_by(&pod("p"), &ClusterEvent::NodeAdded(&east().node)));
        assert!(plugin.cured_by(&pod("p"), &ClusterEvent::NodeAdded(&west.node)));
    }

    #[track_caller]
    fn check_scores(pod: &TestPod, expected: Option<&[i64]>) {
        let nodes = [east(), node("n2").label("zone", "east"), node("n3").label("disk", "ssd"), node("n4")];
        assert_eq!(score(&plugin(), pod, &nodes).as_deref(), expected);
    }

    #[test]
    fn the_weights_of_matching_terms_add_up() {
        let zone = on_label("zone", In, &["east"]);
        let disk = on_label("disk", In, &["ssd"]);
        check_scores(&pod("p").prefer(2, zone.clone()).prefer(5, disk), Some(&[100, 28, 71, 0]));
        check_scores(&pod("p").prefer(7, on_name(&[&["n2"]])), Some(&[0, 100, 0, 0]));
        check_scores(&pod("p").prefer(2, on_label("zone", In, &["west"])), Some(&[0, 0, 0, 0]));
        let ignored = pod("p").prefer(9, NodeSelectorTerm::default()).prefer(0, zone);
        check_scores(&ignored, None);
        check_scores(&pod("p"), None);
    }

    #[track_caller]
    fn check_cured(event: ClusterEvent<'_>, expected: bool) {
        assert_eq!(plugin().cured_by(&pod("p").select("zone", "east"), &event), expected, "{event:?}");
    }

    #[test]
    fn a_node_that_matches_now_wakes_it() {
        let (matching, other, plain) = (east().node, node("n1").label("zone", "west").node, node("n1").node);
        check_cured(ClusterEvent::NodeAdded(&matching), true);
        check_cured(ClusterEvent::NodeAdded(&other), false);
        check_cured(ClusterEvent::NodeUpdated { old: &other, new: &matching }, true);
        check_cured(ClusterEvent::NodeUpdated { old: &matching, new: &other }, false);
        check_cured(ClusterEvent::NodeUpdated { old: &plain, new: &other }, false);
        let cordoned = east().cordoned().node;
        check_cured(ClusterEvent::NodeUpdated { old: &cordoned, new: &matching }, false);
        check_cured(ClusterEvent::PodFreed(&pod("o")), false);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let said = |pod: &TestPod| unreadable(&pod.node_affinity.preferred);
        let readable = pod("p").prefer(1, on_label("size", Gt, &["5"])).prefer(1, on_label("a", Exists, &[]));
        assert_eq!(said(&readable), None);
        let text = "[2].matchExpressions[0].values[0]: Invalid value: \"big\": \
                    for 'Gt', 'Lt' operators, the value must be an integer";
        let one = readable.prefer(1, on_label("size", Gt, &["big"]));
        assert_eq!(said(&one).as_deref(), Some(text));
        let two = one.prefer(1, on_label("size", Gt, &["big"]));
        assert_eq!(said(&two), Some(format!("[{text}, {}]", text.replacen('2', "3", 1))));
    }
}

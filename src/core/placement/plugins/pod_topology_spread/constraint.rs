//! The constraints on a pod (upstream: `plugins/podtopologyspread/common.go`).

use std::borrow::Cow;

use super::PodTopologySpread;
use crate::model::{LabelSelector, Node, Pod, SpreadConstraint, WhenUnsatisfiable};
use crate::placement::plugins::taint_toleration;
use crate::placement::{Cycle, Topology};

/// A constraint on one pod.
#[derive(Clone)]
pub(super) struct Constraint<'a> {
    /// What it demands.
    pub(super) terms: &'a SpreadConstraint,
    /// The pods that count.
    pub(super) selector: Cow<'a, LabelSelector>,
    /// Its domains.
    pub(super) topology: Cow<'a, Topology>,
}

/// The constraints on the pod with this consequence: its own if it has any at all, else those by default on the
/// pods that are selected with it.
pub(super) fn constraints<'a>(
    plugin: &'a PodTopologySpread,
    cycle: Cycle<'a>,
    consequence: WhenUnsatisfiable,
) -> Vec<Constraint<'a>> {
    let Cycle { pod, snapshot, .. } = cycle;
    let own = !pod.spread.is_empty();
    let all = if own { &pod.spread[..] } else { &plugin.defaults[..] };
    let mut terms = all.iter().filter(|terms| terms.when_unsatisfiable == consequence).peekable();
    if terms.peek().is_none() {
        return Vec::new();
    }
    let default = if own { LabelSelector::Nothing } else { snapshot.selectors.of_pod(pod) };
    if default.is_empty() {
        return Vec::new();
    }
    let constraint = |terms: &'a SpreadConstraint| Constraint {
        terms,
        selector: if own { Cow::Borrowed(&terms.selector) } else { Cow::Owned(default.clone()) },
        topology: snapshot.nodes.topology(&terms.topology_key),
    };
    terms.map(constraint).collect()
}

// === impl Constraint ===

impl Constraint<'_> {
    /// Whether the pods on a node count, and its domain is there to be filled.
    pub(super) fn includes(&self, pod: &Pod, node: &Node) -> bool {
        (!self.terms.honors_affinity || pod.admits(node))
            && (!self.terms.honors_taints || taint_toleration::admits(pod, node))
    }

    /// How many of the selected pods are on each node, by slot, those left out that are ending. A selector that
    /// leaves everything in counts none, as upstream.
    pub(super) fn count_by_slot(&self, cycle: Cycle<'_>) -> Vec<i64> {
        let mut by_slot = vec![0; cycle.snapshot.nodes.num_slots()];
        if self.selector.is_empty() {
            return by_slot;
        }
        for (slot, pods) in cycle.snapshot.pods.selected(&cycle.pod.key.namespace, &self.selector) {
            if let Some(count) = by_slot.get_mut(slot.idx()) {
                *count += i64::from(pods.live());
            }
        }
        by_slot
    }
}

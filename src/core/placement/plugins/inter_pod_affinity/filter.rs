//! Filter (upstream: `plugins/interpodaffinity/filtering.go`).

use super::term::{self, all_match, matched_by, matched_by_all, namespace_labels, own_matches};
use crate::model::{Labels, Pod, PodAffinityTerm};
use crate::placement::topology_counts::TopologyCounts;
use crate::placement::{Cycle, NodeFilter, NodeView, Reason, Rejection, Verdict};

const NO_AFFINITY: Reason = Reason::Fixed("node(s) didn't match pod affinity rules");
const ANTI_AFFINITY: Reason = Reason::Fixed("node(s) didn't match pod anti-affinity rules");
const EXISTING: Reason = Reason::Fixed("node(s) didn't satisfy existing pods anti-affinity rules");

/// What must and must not be near.
#[derive(Clone)]
pub(super) struct Check<'a> {
    cycle: Cycle<'a>,
    required: &'a [PodAffinityTerm],
    required_anti: &'a [PodAffinityTerm],
    namespace_labels: Labels,
    /// Pods that must be near, by the topologies of all required terms.
    near: TopologyCounts<'a>,
    /// Pods that must not be near, by the topology of each term.
    kept_from: TopologyCounts<'a>,
    /// Pods that this one must not be near to by their own terms.
    kept_off: TopologyCounts<'a>,
    /// Whether the pod is one that it must be near to.
    is_near_itself: bool,
}

// === impl Check ===

impl<'a> Check<'a> {
    /// What there is to check for the pod, if anything.
    pub(super) fn of(cycle: Cycle<'a>) -> Option<Self> {
        let Cycle { pod, snapshot, .. } = cycle;
        let (required, required_anti) = term::required(pod);
        if required.is_empty() && required_anti.is_empty() && snapshot.affinities.is_empty() {
            return None;
        }
        let none = TopologyCounts::new(&snapshot.nodes);
        let mut check = Self {
            cycle,
            required,
            required_anti,
            namespace_labels: namespace_labels(cycle),
            near: none.clone(),
            kept_from: none.clone(),
            kept_off: none,
            is_near_itself: all_match(required, pod, snapshot),
        };
        check.count_existing();
        if check.kept_off.is_zero() && required.is_empty() && required_anti.is_empty() {
            return None;
        }
        check.count_own();
        Some(check)
    }

    /// Placed pods that keep such pods as this one off.
    fn count_existing(&mut self) {
        for (affinity, slots) in self.cycle.snapshot.affinities.iter() {
            for term in &affinity.required_anti {
                if !term.matches(self.cycle.pod, &self.namespace_labels) {
                    continue;
                }
                for (slot, count) in slots {
                    self.kept_off.add(&term.topology_key, *slot, i64::from(*count));
                }
            }
        }
    }

    /// Placed pods that the terms of this one mean.
    fn count_own(&mut self) {
        let snapshot = self.cycle.snapshot;
        if !self.required.is_empty() {
            for (slot, count) in matched_by_all(self.required, snapshot) {
                for term in self.required {
                    self.near.add(&term.topology_key, slot, count);
                }
            }
        }
        for term in self.required_anti {
            for (slot, count) in matched_by(term, snapshot) {
                self.kept_from.add(&term.topology_key, slot, count);
            }
        }
    }

    /// Tries out what would be with so many more pods such as `pod` on a node.
    fn change(&mut self, pod: &Pod, node: NodeView<'_>, by: i64) {
        let Cycle { pod: judged, snapshot, .. } = self.cycle;
        let existing = pod.pod_affinity.iter().flat_map(|affinity| &affinity.required_anti);
        for term in existing.filter(|term| term.matches(judged, &self.namespace_labels)) {
            self.kept_off.change(&term.topology_key, node, by);
        }
        if all_match(self.required, pod, snapshot) {
            for term in self.required {
                self.near.change(&term.topology_key, node, by);
            }
        }
        for term in self.required_anti.iter().filter(|term| own_matches(term, pod, snapshot)) {
            self.kept_from.change(&term.topology_key, node, by);
        }
    }

    fn is_near(&self, node: NodeView<'_>) -> bool {
        let has_label = |term: &PodAffinityTerm| node.node.labels.get(&term.topology_key).is_some();
        if !self.required.iter().all(has_label) {
            return false;
        }
        self.required.iter().all(|term| self.near.get(&term.topology_key, node) > 0)
            // The first of pods that must be near to one another has to be let in somewhere.
            || (self.is_near_itself && self.near.is_zero())
    }

    fn is_kept_from(&self, node: NodeView<'_>) -> bool {
        self.required_anti.iter().any(|term| self.kept_from.get(&term.topology_key, node) > 0)
    }
}

impl NodeFilter for Check<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if !self.is_near(node) {
            return Rejection::unresolvable(NO_AFFINITY).into();
        }
        if self.is_kept_from(node) {
            return Rejection::unschedulable(ANTI_AFFINITY).into();
        }
        if self.kept_off.any_above_zero(node) {
            return Rejection::unschedulable(EXISTING).into();
        }
        Verdict::Fits
    }

    fn fork(&self) -> Option<Box<dyn NodeFilter + '_>> {
        Some(Box::new(self.clone()))
    }

    fn pod_added(&mut self, pod: &Pod, node: NodeView<'_>) {
        self.change(pod, node, 1);
    }

    fn pod_removed(&mut self, pod: &Pod, node: NodeView<'_>) {
        self.change(pod, node, -1);
    }
}

//! Placed pods by namespace and labels: a look at the index instead of one at every pod.
//!
//! Pods of one workload have equal labels, so a selector is held against each set of labels once, however
//! many pods bear it.

use std::collections::{BTreeMap, HashMap};

use super::NodeSlot;
use crate::model::{LabelSelector, Labels, Name, Pod};

/// The placed pods.
#[derive(Debug, Default)]
pub struct PodIndex {
    by_namespace: HashMap<Name, HashMap<Labels, Group>>,
}

/// Pods of one namespace with the same labels: how many are on each node.
type Group = BTreeMap<NodeSlot, PodCount>;

/// How many pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodCount {
    /// All of them.
    pub all: u32,
    /// Those of them whose deletion has begun.
    pub terminating: u32,
}

// === impl PodCount ===

impl PodCount {
    /// Those whose deletion has not begun.
    pub fn live(self) -> u32 {
        self.all.saturating_sub(self.terminating)
    }
}

// === impl PodIndex ===

impl PodIndex {
    /// Counts a pod on `slot`.
    pub(super) fn add(&mut self, pod: &Pod, slot: NodeSlot) {
        // The namespace is nearly always there, and then needs no owned key.
        let groups = match self.by_namespace.get_mut(&pod.key.namespace) {
            Some(groups) => groups,
            None => self.by_namespace.entry(pod.key.namespace.clone()).or_default(),
        };
        let count = groups.entry(pod.labels.clone()).or_default().entry(slot).or_default();
        count.all += 1;
        count.terminating += u32::from(pod.terminating);
    }

    /// Counts a pod on `slot` no longer.
    pub(super) fn remove(&mut self, pod: &Pod, slot: NodeSlot) {
        let Some(groups) = self.by_namespace.get_mut(&pod.key.namespace) else { return };
        let Some(group) = groups.get_mut(&pod.labels) else { return };
        if let Some(count) = group.get_mut(&slot) {
            count.all = count.all.saturating_sub(1);
            count.terminating = count.terminating.saturating_sub(u32::from(pod.terminating));
            if count.all == 0 {
                group.remove(&slot);
            }
        }
        if group.is_empty() {
            groups.remove(&pod.labels);
        }
        if groups.is_empty() {
            self.by_namespace.remove(&pod.key.namespace);
        }
    }

    /// The namespaces that have placed pods.
    pub fn namespaces(&self) -> impl Iterator<Item = &Name> {
        self.by_namespace.keys()
    }

    /// Where the pods of a namespace are that `matches` holds for, some nodes more than once.
    pub fn matching<'a>(
        &'a self,
        namespace: &str,
        matches: impl Fn(&Labels) -> bool + 'a,
    ) -> impl Iterator<Item = (NodeSlot, PodCount)> + 'a {
        let groups = self.by_namespace.get(namespace).into_iter().flatten();
        let groups = groups.filter(move |(labels, _)| matches(labels));
        groups.flat_map(|(_, group)| group.iter().map(|(slot, count)| (*slot, *count)))
    }

    /// The same for a selector.
    pub fn selected<'a>(
        &'a self,
        namespace: &str,
        selector: &'a LabelSelector,
    ) -> impl Iterator<Item = (NodeSlot, PodCount)> + 'a {
        self.matching(namespace, |labels| selector.matches(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(namespace: &str, name: &str, app: &str) -> Pod {
        let labels = [("app", app)].into_iter().collect();
        Pod { labels, ..Pod::pending(namespace, name) }
    }

    #[track_caller]
    fn check(index: &PodIndex, namespace: &str, app: &str, expected: &[(u32, u32, u32)]) {
        let selector = LabelSelector::from(&[("app", app)].into_iter().collect::<Labels>());
        let found = index.selected(namespace, &selector);
        let mut found: Vec<_> = found.map(|(slot, count)| (slot.0, count.all, count.live())).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{namespace} {app}");
    }

    #[test]
    fn the_index_follows_the_pods() {
        let mut index = PodIndex::default();
        let ending = Pod { terminating: true, ..pod("a", "p3", "web") };
        index.add(&pod("a", "p1", "web"), NodeSlot(0));
        index.add(&pod("a", "p2", "web"), NodeSlot(1));
        index.add(&ending, NodeSlot(1));
        index.add(&pod("b", "p1", "web"), NodeSlot(1));
        index.add(&pod("a", "p4", "db"), NodeSlot(1));
        check(&index, "a", "web", &[(0, 1, 1), (1, 2, 1)]);
        check(&index, "b", "web", &[(1, 1, 1)]);
        check(&index, "a", "db", &[(1, 1, 1)]);
        check(&index, "c", "web", &[]);
        index.remove(&ending, NodeSlot(1));
        index.remove(&pod("a", "p1", "web"), NodeSlot(0));
        check(&index, "a", "web", &[(1, 1, 1)]);
        index.remove(&pod("a", "p2", "web"), NodeSlot(1));
        index.remove(&pod("b", "p1", "web"), NodeSlot(1));
        index.remove(&pod("a", "p4", "db"), NodeSlot(1));
        assert!(index.by_namespace.is_empty());
    }
}

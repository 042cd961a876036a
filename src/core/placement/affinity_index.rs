//! The affinities of placed pods to other pods. Pods of one workload have the same, so there are few.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::NodeSlot;
use crate::model::{Pod, PodAffinity};

/// The affinities that placed pods have, and how many pods have each on each node.
#[derive(Debug, Default)]
pub struct AffinityIndex {
    bearers: HashMap<Arc<PodAffinity>, BTreeMap<NodeSlot, u32>>,
}

// === impl AffinityIndex ===

impl AffinityIndex {
    /// Counts a pod on `slot`.
    pub(super) fn add(&mut self, pod: &Pod, slot: NodeSlot) {
        if let Some(affinity) = &pod.pod_affinity {
            let slots = self.bearers.entry(Arc::clone(affinity)).or_default();
            *slots.entry(slot).or_default() += 1;
        }
    }

    /// Counts a pod on `slot` no longer.
    pub(super) fn remove(&mut self, pod: &Pod, slot: NodeSlot) {
        let Some(affinity) = &pod.pod_affinity else { return };
        let Some(slots) = self.bearers.get_mut(affinity) else { return };
        if let Some(count) = slots.get_mut(&slot) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                slots.remove(&slot);
            }
        }
        if slots.is_empty() {
            self.bearers.remove(affinity);
        }
    }

    /// Whether no placed pod has any.
    pub fn is_empty(&self) -> bool {
        self.bearers.is_empty()
    }

    /// Each affinity, and how many pods have it on which nodes.
    pub fn iter(&self) -> impl Iterator<Item = (&PodAffinity, &BTreeMap<NodeSlot, u32>)> {
        self.bearers.iter().map(|(affinity, slots)| (affinity.as_ref(), slots))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_follows_the_pods() {
        let term = crate::model::PodAffinityTerm {
            topology_key: "zone".into(),
            selector: crate::model::LabelSelector::Nothing,
            namespaces: Box::default(),
            namespace_selector: crate::model::LabelSelector::Nothing,
        };
        let affinity = PodAffinity { required: [term].into(), ..PodAffinity::default() };
        let pod = |name| Pod { pod_affinity: Some(Arc::new(affinity.clone())), ..Pod::pending("a", name) };
        let mut index = AffinityIndex::default();
        index.add(&Pod::pending("a", "plain"), NodeSlot(0));
        assert!(index.is_empty());
        index.add(&pod("p1"), NodeSlot(1));
        index.add(&pod("p2"), NodeSlot(1));
        index.add(&pod("p3"), NodeSlot(2));
        index.remove(&pod("p1"), NodeSlot(1));
        let expected = BTreeMap::from([(NodeSlot(1), 1), (NodeSlot(2), 1)]);
        assert_eq!(index.iter().collect::<Vec<_>>(), [(&affinity, &expected)]);
        index.remove(&pod("p2"), NodeSlot(1));
        index.remove(&pod("p3"), NodeSlot(2));
        assert_eq!(index.iter().count(), 0);
    }
}

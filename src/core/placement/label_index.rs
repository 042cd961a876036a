//! Which nodes have which label: a look at the index instead of one at every node's labels.

use std::collections::{BTreeSet, HashMap};

use super::NodeSlot;
use crate::model::{Labels, Name};

/// The slots of the nodes that have a label, by key and value.
#[derive(Debug, Default)]
pub(super) struct LabelIndex {
    by_key: HashMap<Name, HashMap<Name, BTreeSet<NodeSlot>>>,
}

// === impl LabelIndex ===

impl LabelIndex {
    /// The nodes that have this label.
    pub(super) fn get(&self, key: &str, value: &str) -> Option<&BTreeSet<NodeSlot>> {
        self.by_key.get(key)?.get(value)
    }

    /// Replaces the labels of a node.
    pub(super) fn change(&mut self, slot: NodeSlot, old: Option<&Labels>, new: Option<&Labels>) {
        if old == new {
            return;
        }
        for (key, value) in old.into_iter().flat_map(Labels::iter) {
            self.remove(slot, key, value);
        }
        for (key, value) in new.into_iter().flat_map(Labels::iter) {
            let values = self.by_key.entry(key.clone()).or_default();
            values.entry(value.clone()).or_default().insert(slot);
        }
    }

    fn remove(&mut self, slot: NodeSlot, key: &Name, value: &Name) {
        let Some(values) = self.by_key.get_mut(key) else { return };
        if let Some(slots) = values.get_mut(value) {
            slots.remove(&slot);
            if slots.is_empty() {
                values.remove(value);
            }
        }
        if values.is_empty() {
            self.by_key.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_follows_the_labels() {
        let labels = |pairs: &[(&str, &str)]| -> Labels { pairs.iter().copied().collect() };
        let mut index = LabelIndex::default();
        let (edge, cloud) = (labels(&[("role", "edge"), ("zone", "a")]), labels(&[("role", "cloud")]));
        index.change(NodeSlot(0), None, Some(&edge));
        index.change(NodeSlot(1), None, Some(&cloud));
        index.change(NodeSlot(0), Some(&edge), Some(&cloud));
        let slots =
            |value| index.get("role", value).map(|slots| slots.iter().map(|slot| slot.0).collect::<Vec<_>>());
        assert_eq!(slots("cloud"), Some(vec![0, 1]));
        assert_eq!(slots("edge"), None);
        assert_eq!(index.get("zone", "a"), None);
        index.change(NodeSlot(0), Some(&cloud), None);
        index.change(NodeSlot(1), Some(&cloud), None);
        assert!(index.by_key.is_empty());
    }
}

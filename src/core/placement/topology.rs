//! Topologies: which nodes have the same value of a label.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{NodeSlot, NodeView, Nodes};
use crate::model::{Labels, Name};

/// The label that tells every node from every other.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label of a node's zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// The label of a node's region.
pub const REGION: &str = "topology.kubernetes.io/region";

/// The topologies that are kept up to date. Of others a table is made when it is needed.
const KEPT: [&str; 3] = [HOSTNAME, ZONE, REGION];

/// A domain of one topology: the nodes with one value of its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(pub u32);

/// Which domain of a topology each node is in.
#[derive(Clone, Debug)]
pub struct Topology {
    by_slot: Vec<Option<Domain>>,
    by_value: HashMap<Name, Domain>,
}

/// The topologies that are kept.
#[derive(Debug, Default)]
pub(super) struct Topologies([Topology; KEPT.len()]);

// === impl Domain ===

impl Domain {
    /// The domain of the empty value.
    pub const EMPTY: Self = Self(0);

    /// The domain as an index.
    pub fn idx(self) -> usize {
        self.0 as usize
    }
}

// === impl Topology ===

impl Default for Topology {
    fn default() -> Self {
        Self { by_slot: Vec::new(), by_value: HashMap::from([("".into(), Domain::EMPTY)]) }
    }
}

impl Topology {
    /// The domain that a node is in; none if it doesn't have the label.
    pub fn of(&self, slot: NodeSlot) -> Option<Domain> {
        self.by_slot.get(slot.idx()).copied().flatten()
    }

    /// The domain of this value of the label.
    pub fn domain(&self, value: &str) -> Option<Domain> {
        self.by_value.get(value).copied()
    }

    /// How many domains there are or ever were: every domain, as an index, is below.
    pub fn num_domains(&self) -> usize {
        self.by_value.len()
    }

    fn set(&mut self, slot: NodeSlot, value: Option<&Name>) {
        let new = Domain(u32::try_from(self.by_value.len()).unwrap_or(u32::MAX));
        let domain = value.map(|value| *self.by_value.entry(value.clone()).or_insert(new));
        if self.by_slot.len() <= slot.idx() {
            if domain.is_none() {
                return;
            }
            self.by_slot.resize(slot.idx() + 1, None);
        }
        if let Some(place) = self.by_slot.get_mut(slot.idx()) {
            *place = domain;
        }
    }
}

// === impl Topologies ===

impl Topologies {
    /// Takes in the labels of a node, or that it is gone.
    pub(super) fn change(&mut self, slot: NodeSlot, labels: Option<&Labels>) {
        for (topology, key) in self.0.iter_mut().zip(KEPT) {
            topology.set(slot, labels.and_then(|labels| labels.shared(key)));
        }
    }

    fn get(&self, key: &str) -> Option<&Topology> {
        self.0.iter().zip(KEPT).find(|(_, kept)| *kept == key).map(|(topology, _)| topology)
    }
}

// === impl Nodes ===

impl Nodes {
    /// The topology of this label.
    pub fn topology(&self, key: &str) -> Cow<'_, Topology> {
        if let Some(kept) = self.topologies().get(key) {
            return Cow::Borrowed(kept);
        }
        let mut topology = Topology::default();
        for NodeView { slot, node, .. } in self.iter() {
            topology.set(slot, node.labels.shared(key));
        }
        Cow::Owned(topology)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Node;

    fn node(name: &str, key: &str, value: &str) -> Node {
        Node { labels: [(key, value)].into_iter().collect(), ..Node::named(name) }
    }

    #[track_caller]
    fn check(nodes: &Nodes, key: &str, expected: &[Option<usize>]) {
        let topology = nodes.topology(key);
        let domains = (0..3).map(NodeSlot).map(|slot| topology.of(slot).map(Domain::idx));
        assert_eq!(domains.collect::<Vec<_>>(), expected, "{key}");
    }

    #[test]
    fn nodes_with_equal_labels_are_in_one_domain() {
        for key in [ZONE, "example.com/rack"] {
            let mut nodes = Nodes::default();
            for (name, value) in [("a", "east"), ("b", "west"), ("c", "east")] {
                nodes.put(node(name, key, value));
            }
            check(&nodes, key, &[Some(1), Some(2), Some(1)]);
            assert_eq!(nodes.topology(key).num_domains(), 3);
            nodes.put(node("a", key, ""));
            nodes.put(node("b", "other", "west"));
            nodes.remove("c");
            check(&nodes, key, &[Some(Domain::EMPTY.idx()), None, None]);
        }
    }
}

//! Sums over the domains of several topologies.

use std::borrow::Cow;
use std::rc::Rc;

use super::{NodeSlot, NodeView, Nodes, Topology};
use crate::model::Name;

/// A sum for each domain of each topology that something was added for, and changes to try out on top.
#[derive(Clone)]
pub(crate) struct TopologyCounts<'a> {
    nodes: &'a Nodes,
    /// What was found. Copies share it and differ by their changes.
    found: Rc<Vec<Found<'a>>>,
    changes: Vec<Change>,
}

/// The sums of one topology.
#[derive(Clone)]
struct Found<'a> {
    key: Name,
    topology: Cow<'a, Topology>,
    by_domain: Vec<i64>,
}

/// A change of one domain's sum.
#[derive(Clone)]
struct Change {
    key: Name,
    value: Name,
    by: i64,
}

// === impl TopologyCounts ===

impl<'a> TopologyCounts<'a> {
    /// No sums yet.
    pub(crate) fn new(nodes: &'a Nodes) -> Self {
        Self { nodes, found: Rc::default(), changes: Vec::new() }
    }

    /// Adds to the domain that a node is in; nothing, if the node doesn't have the label.
    pub(crate) fn add(&mut self, key: &Name, slot: NodeSlot, by: i64) {
        let found = Rc::make_mut(&mut self.found);
        let idx = found.iter().position(|found| found.key == *key).unwrap_or_else(|| {
            let topology = self.nodes.topology(key);
            let by_domain = vec![0; topology.num_domains()];
            found.push(Found { key: key.clone(), topology, by_domain });
            found.len() - 1
        });
        let Some(found) = found.get_mut(idx) else { return };
        let domain = found.topology.of(slot);
        if let Some(sum) = domain.and_then(|domain| found.by_domain.get_mut(domain.idx())) {
            *sum += by;
        }
    }

    /// Tries out what would be if so much were added to the domain that a node is in.
    pub(crate) fn change(&mut self, key: &Name, node: NodeView<'_>, by: i64) {
        let Some(value) = node.node.labels.shared(key) else { return };
        match self.changes.iter_mut().find(|change| change.key == *key && change.value == *value) {
            Some(change) => change.by += by,
            None => self.changes.push(Change { key: key.clone(), value: value.clone(), by }),
        }
    }

    /// The sum for the domain that a node is in.
    pub(crate) fn get(&self, key: &Name, node: NodeView<'_>) -> i64 {
        let found = self.found.iter().find(|found| found.key == *key);
        found.map_or(0, |found| found.get(node.slot)) + self.changed(Some(key), node)
    }

    /// All sums for the domains that a node is in, added up.
    pub(crate) fn sum(&self, node: NodeView<'_>) -> i64 {
        let found: i64 = self.found.iter().map(|found| found.get(node.slot)).sum();
        found + self.changed(None, node)
    }

    /// Whether the sum is above 0 for one of the domains that a node is in.
    pub(crate) fn any_above_zero(&self, node: NodeView<'_>) -> bool {
        if self.changes.is_empty() {
            return self.found.iter().any(|found| found.get(node.slot) > 0);
        }
        let keys = self.found.iter().map(|found| &found.key);
        keys.chain(self.changes.iter().map(|change| &change.key)).any(|key| self.get(key, node) > 0)
    }

    /// Whether no domain has a sum other than 0.
    pub(crate) fn is_zero(&self) -> bool {
        let is_changed = |key: &Name, topology: &Topology, domain: usize| {
            let mut changes = self.changes.iter().filter(|change| change.key == *key);
            changes.any(|change| topology.domain(&change.value).is_some_and(|it| it.idx() == domain))
        };
        let found = self.found.iter().all(|found| {
            let mut sums = found.by_domain.iter().enumerate();
            sums.all(|(domain, sum)| *sum == 0 || is_changed(&found.key, &found.topology, domain))
        });
        found && self.changes.iter().all(|change| self.before(change) + change.by == 0)
    }

    /// The sum that was found for the domain of a change.
    fn before(&self, change: &Change) -> i64 {
        let found = self.found.iter().find(|found| found.key == change.key);
        let sum = found.and_then(|it| it.by_domain.get(it.topology.domain(&change.value)?.idx()));
        sum.copied().unwrap_or(0)
    }

    fn changed(&self, key: Option<&Name>, node: NodeView<'_>) -> i64 {
        let changes = self.changes.iter().filter(|change| key.is_none_or(|key| *key == change.key));
        let here = changes.filter(|change| node.node.labels.shared(&change.key) == Some(&change.value));
        here.map(|change| change.by).sum()
    }
}

// === impl Found ===

impl Found<'_> {
    fn get(&self, slot: NodeSlot) -> i64 {
        let domain = self.topology.of(slot);
        domain.and_then(|domain| self.by_domain.get(domain.idx())).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::testing::{TestNode, node, snapshot};

    fn zone(name: &str, zone: &str) -> TestNode {
        node(name).label("zone", zone)
    }

    #[test]
    fn sums_are_kept_by_domain_and_changes_come_on_top() {
        let snapshot = snapshot(&[zone("a", "east"), zone("b", "west"), zone("c", "east"), node("d")]);
        let view = |slot| snapshot.nodes.get(NodeSlot(slot)).unwrap();
        let (zone, rack): (Name, Name) = ("zone".into(), "rack".into());
        let mut counts = TopologyCounts::new(&snapshot.nodes);
        assert!(counts.is_zero());
        counts.add(&zone, NodeSlot(0), 2);
        counts.add(&zone, NodeSlot(2), 1);
        counts.add(&rack, NodeSlot(0), 5);
        counts.add(&zone, NodeSlot(3), 5);
        let found = |counts: &TopologyCounts<'_>| (0..4).map(|slot| counts.get(&zone, view(slot))).collect();
        let sums: Vec<i64> = found(&counts);
        assert_eq!(sums, [3, 0, 3, 0]);
        assert!(counts.any_above_zero(view(2)) && !counts.any_above_zero(view(1)) && !counts.is_zero());
        let mut fork = counts.clone();
        fork.change(&zone, view(0), -3);
        assert!(fork.is_zero());
        fork.change(&zone, view(1), 1);
        fork.change(&zone, view(3), 1);
        let (forked, sums): (Vec<i64>, Vec<i64>) = (found(&fork), found(&counts));
        assert_eq!((forked, sums), (vec![0, 1, 0, 0], vec![3, 0, 3, 0]));
        assert!(fork.any_above_zero(view(1)) && !fork.any_above_zero(view(0)) && !fork.is_zero());
        assert_eq!(fork.sum(view(1)), 1);
    }
}

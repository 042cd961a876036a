//! The BME scheduler's rule for placeholders, as it was.
//!
//! Pods go to the node of their radius with the most memory available. The placeholder of a pod is the first that
//! applies of: a placeholder in the radius that covers nothing of the pod's node yet, whatever its size; one
//! that is large enough; a new one of the pod's size, on the first node without one; one that is made larger by the pod's
//! size. Memory alone counts. The first of these makes placeholders that are too small for unequal pods, so both are
//! told: what it reserves, and what it would have to.

use std::collections::BTreeMap;

use edge_core::cover::{Book, Covered};
use edge_core::model::PodUid;
use edge_core::placement::NodeSlot;

use crate::world::{Arrival, Workload};

/// What the rule came to, in bytes.
pub(crate) struct Bme {
    /// The sizes of its placeholders.
    pub(crate) reserves: i64,
    /// The sizes they would have to have.
    pub(crate) needs: i64,
    /// How many pods have found no place or no placeholder.
    pub(crate) left_out: usize,
}

/// Nodes and placeholders while pods arrive.
struct Rule {
    memory: i64,
    used: BTreeMap<NodeSlot, i64>,
    sizes: BTreeMap<NodeSlot, i64>,
    book: Book,
}

// === impl Bme ===

impl Bme {
    pub(crate) fn of(workload: &Workload) -> Self {
        let memory = workload.allocatable.memory.0;
        let mut rule = Rule { memory, used: BTreeMap::new(), sizes: BTreeMap::new(), book: Book::default() };
        let mut left_out = 0;
        for (idx, Arrival { radius, demand, .. }) in workload.pods.iter().enumerate() {
            let memory = demand.memory.0;
            let Some((primary, backup)) = rule.place(radius, memory) else {
                left_out += 1;
                continue;
            };
            *rule.used.entry(primary).or_default() += memory;
            let covered = Covered { primary, backup, demand: demand.clone() };
            rule.book.put(PodUid::new(format!("pod-{idx}")), covered);
        }
        let needs = |node: &NodeSlot| rule.book.reserve(*node).memory.0;
        Self { reserves: rule.sizes.values().sum(), needs: rule.sizes.keys().map(needs).sum(), left_out }
    }
}

// === impl Rule ===

impl Rule {
    fn free(&self, node: NodeSlot) -> i64 {
        let of = |map: &BTreeMap<NodeSlot, i64>| map.get(&node).copied().unwrap_or(0);
        self.memory - of(&self.used) - of(&self.sizes)
    }

    fn place(&mut self, radius: &[NodeSlot], memory: i64) -> Option<(NodeSlot, NodeSlot)> {
        let fitting = radius.iter().copied().filter(|node| self.free(*node) >= memory);
        let primary = fitting.max_by_key(|node| (self.free(*node), std::cmp::Reverse(*node)))?;
        let others: Vec<NodeSlot> = radius.iter().copied().filter(|node| *node != primary).collect();
        let share = |node: NodeSlot| self.book.share(primary, node).memory.0;
        let opened = |node: &NodeSlot| self.sizes.contains_key(node);
        let unused = others.iter().copied().find(|node| opened(node) && share(*node) == 0);
        let large = |node: &NodeSlot| self.sizes.get(node).is_some_and(|size| share(*node) + memory <= *size);
        if let Some(backup) = unused.or_else(|| others.iter().copied().find(large)) {
            return Some((primary, backup));
        }
        let has_room = |node: &NodeSlot| self.free(*node) >= memory;
        let fresh = others.iter().copied().find(|node| !opened(node) && has_room(node));
        let backup = fresh.or_else(|| others.iter().copied().find(|node| opened(node) && has_room(node)))?;
        *self.sizes.entry(backup).or_default() += memory;
        Some((primary, backup))
    }
}

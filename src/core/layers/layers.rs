//! The partitions, made from one tree.

use std::collections::{BTreeSet, HashMap};

use super::linkage::Dendrogram;
use super::{Delays, PairDelays};
use crate::model::{Delay, NodeName};
use crate::placement::NodeSlot;

/// A node that layers are made over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its slot, by which delays are asked for.
    pub slot: NodeSlot,
    /// Its name, which decides where delays are equal.
    pub name: NodeName,
}

/// A partition of the nodes in which every pair of a cluster is within a delay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The delay.
    pub bound: Delay,
    /// The clusters by the name of their first member, each with its members in ascending order of name.
    pub clusters: Vec<Vec<NodeSlot>>,
}

/// Which part of all pairs of nodes has a known delay. The others count as infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many pairs are known.
    pub known: usize,
    /// How many pairs there are.
    pub pairs: usize,
}

/// The layers of several delay values.
///
/// Linked in full they are those of complete linkage, and equal whatever the order in which nodes and delays
/// were given. After changes they are still partitions, nested, and within their values, but a full link may
/// make fewer clusters.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    pub(super) names: HashMap<NodeSlot, NodeName>,
    /// In ascending order of bound.
    pub(super) levels: Vec<Level>,
}

/// A layer as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Level {
    pub(super) bound: Delay,
    /// Members in the order of names; an empty one stands for none.
    pub(super) clusters: Vec<Vec<NodeSlot>>,
    /// Where in `clusters` each node is.
    pub(super) cluster_of: HashMap<NodeSlot, usize>,
}

// === impl Coverage ===

impl Coverage {
    /// Of the pairs of these members.
    pub fn of(members: &[Member], delays: &(impl Delays + ?Sized)) -> Self {
        let slots: Vec<NodeSlot> = members.iter().map(|member| member.slot).collect();
        Self::in_table(slots.len(), &PairDelays::between_members(&slots, delays))
    }

    fn in_table(n: usize, table: &PairDelays) -> Self {
        Self { known: table.known_pairs(), pairs: n * n.saturating_sub(1) / 2 }
    }

    /// The share, from 0 to 1; of no pairs all are known.
    #[expect(clippy::cast_precision_loss, reason = "a share is for people")]
    pub fn share(self) -> f64 {
        if self.pairs == 0 { 1.0 } else { self.known as f64 / self.pairs as f64 }
    }
}

// === impl Layers ===

impl Layers {
    /// Links in full: the layers of `bounds` over `members`, all of them from one tree, and which part of the
    /// pairs is known. It takes O(n²) time, and 2·n² bytes or, where few pairs are known, less.
    pub fn link(
        members: &[Member],
        bounds: impl IntoIterator<Item = Delay>,
        delays: &(impl Delays + ?Sized),
    ) -> (Self, Coverage) {
        let mut members: Vec<&Member> = members.iter().collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members.dedup_by(|a, b| a.name == b.name);
        let slots: Vec<NodeSlot> = members.iter().map(|member| member.slot).collect();
        let table = PairDelays::between_members(&slots, delays);
        let coverage = Coverage::in_table(slots.len(), &table);
        let bounds: Vec<Delay> = bounds.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let cuts = Dendrogram::of(table).cut(&bounds);
        let levels = bounds.into_iter().zip(cuts);
        let levels = levels.map(|(bound, roots)| Level::of(bound, &slots, &roots)).collect();
        let names = members.into_iter().map(|member| (member.slot, member.name.clone())).collect();
        (Self { names, levels }, coverage)
    }

    /// The delay values, in ascending order.
    pub fn bounds(&self) -> impl Iterator<Item = Delay> {
        self.levels.iter().map(|level| level.bound)
    }

    /// The layers, in ascending order of their delay values.
    pub fn layers(&self) -> Vec<Layer> {
        self.levels.iter().map(|level| self.layer(level)).collect()
    }

    fn layer(&self, level: &Level) -> Layer {
        let mut clusters: Vec<_> = level.clusters.iter().filter(|it| !it.is_empty()).cloned().collect();
        clusters.sort_by_key(|cluster| cluster.first().and_then(|slot| self.names.get(slot)));
        Layer { bound: level.bound, clusters }
    }

    /// Whether two nodes are in one cluster of the layer of `bound`. In a layer that there is not, no two are.
    pub fn are_together(&self, a: NodeSlot, b: NodeSlot, bound: Delay) -> bool {
        self.cluster(a, bound).contains(&b)
    }

    /// The cluster of a node, itself included; empty if there is no such layer or node.
    pub fn cluster(&self, node: NodeSlot, bound: Delay) -> &[NodeSlot] {
        let level = self.levels.iter().find(|level| level.bound == bound);
        level.and_then(|level| level.cluster(node)).map_or(&[], |(_, members)| members)
    }
}

// === impl Level ===

impl Level {
    /// Of members in the order of names, and of each the first of its cluster.
    fn of(bound: Delay, slots: &[NodeSlot], roots: &[u32]) -> Self {
        let mut level = Self { bound, clusters: Vec::new(), cluster_of: HashMap::with_capacity(slots.len()) };
        for cluster in by_root(slots, roots) {
            level.add(cluster);
        }
        level
    }

    pub(super) fn cluster(&self, node: NodeSlot) -> Option<(usize, &[NodeSlot])> {
        let idx = *self.cluster_of.get(&node)?;
        Some((idx, self.clusters.get(idx)?))
    }

    pub(super) fn add(&mut self, cluster: Vec<NodeSlot>) {
        let idx = self.clusters.len();
        self.cluster_of.extend(cluster.iter().map(|node| (*node, idx)));
        self.clusters.push(cluster);
    }
}

/// Groups items by the first of their group.
pub(super) fn by_root<T: Clone>(items: &[T], roots: &[u32]) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = vec![Vec::new(); items.len()];
    for (item, root) in items.iter().zip(roots) {
        if let Some(group) = groups.get_mut(*root as usize) {
            group.push(item.clone());
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

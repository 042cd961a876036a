//! Layers kept true while nodes come and go and delays change.
//!
//! Every change touches only the clusters that it concerns, which takes a look at the pairs of those clusters.
//! What could be joined because a delay became smaller is left for the next full link.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::layers::{Level, by_root};
use super::linkage::Dendrogram;
use super::{Delays, Layers, Member, PairDelays};
use crate::model::{Delay, NodeName};
use crate::placement::NodeSlot;

type Names = HashMap<NodeSlot, NodeName>;

// === impl Layers ===

impl Layers {
    /// Makes the layers true of these members and delays: those who went are taken out, clusters with a pair that
    /// is too far are split, and those who came join. It looks at all pairs in clusters.
    pub fn refresh(&mut self, members: &[Member], delays: &(impl Delays + ?Sized)) {
        let present: HashMap<NodeSlot, &NodeName> = members.iter().map(|it| (it.slot, &it.name)).collect();
        let gone = |(slot, name): &(&NodeSlot, &NodeName)| present.get(*slot) != Some(name);
        let gone: Vec<NodeSlot> = self.names.iter().filter(gone).map(|(slot, _)| *slot).collect();
        for node in gone {
            self.leave(node);
        }
        for idx in 0..self.levels.len() {
            let Some(level) = self.levels.get(idx) else { continue };
            let broken = |cluster: &&Vec<NodeSlot>| farthest(cluster, cluster, level.bound, delays).is_none();
            let broken: Vec<NodeSlot> =
                level.clusters.iter().filter(broken).filter_map(|cluster| cluster.first().copied()).collect();
            self.split(idx, &broken, delays);
        }
        let mut new: Vec<&Member> = members.iter().filter(|it| !self.names.contains_key(&it.slot)).collect();
        new.sort_by(|a, b| a.name.cmp(&b.name));
        for member in new {
            self.join(member, delays);
        }
    }

    /// Takes in that the delays of these pairs changed. Clusters in which one is too far now are split, and linked
    /// again out of their parts in the layer below.
    pub fn changed(&mut self, pairs: &[(NodeSlot, NodeSlot)], delays: &(impl Delays + ?Sized)) {
        for idx in 0..self.levels.len() {
            let Some(level) = self.levels.get(idx) else { continue };
            let broken = |(a, b): &&(NodeSlot, NodeSlot)| {
                let together =
                    level.cluster_of.get(a).is_some_and(|own| level.cluster_of.get(b) == Some(own));
                together && a != b && delays.between(*a, *b).is_none_or(|delay| delay > level.bound)
            };
            let broken: Vec<NodeSlot> = pairs.iter().filter(broken).map(|pair| pair.0).collect();
            self.split(idx, &broken, delays);
        }
    }

    /// A node is new: in each layer it joins the cluster whose farthest member is nearest to it, if that is within
    /// the layer's value, and below only a part of the cluster it joined above. Else it is a cluster of its own.
    pub fn join(&mut self, member: &Member, delays: &(impl Delays + ?Sized)) {
        self.leave(member.slot);
        self.names.insert(member.slot, member.name.clone());
        // All clusters are open to it in the last layer, and then those that are part of the one it chose.
        let mut within: Option<Vec<NodeSlot>> = None;
        for level in self.levels.iter_mut().rev() {
            let open: BTreeSet<usize> = match &within {
                None => (0..level.clusters.len()).collect(),
                Some(nodes) => nodes.iter().filter_map(|node| level.cluster_of.get(node)).copied().collect(),
            };
            let clusters = open.into_iter().filter_map(|idx| Some((idx, level.clusters.get(idx)?)));
            let fits = clusters.filter(|(_, cluster)| !cluster.is_empty()).filter_map(|(idx, cluster)| {
                let height = farthest(&[member.slot], cluster, level.bound, delays)?;
                Some((height, self.names.get(cluster.first()?)?, idx))
            });
            if let Some((_, _, idx)) = fits.min() {
                within = level.clusters.get(idx).cloned();
                level.insert(idx, member.slot, &self.names);
            } else {
                within = Some(Vec::new());
                level.add(vec![member.slot]);
            }
        }
    }

    /// A node is gone. What is left of its clusters is still true.
    pub fn leave(&mut self, node: NodeSlot) {
        self.names.remove(&node);
        for level in &mut self.levels {
            level.take(node);
        }
    }

    /// Has layers of these delay values and no others. A new one is linked out of the clusters of the layer below,
    /// within those of the layer above.
    pub fn set_bounds(&mut self, bounds: &BTreeSet<Delay>, delays: &(impl Delays + ?Sized)) {
        self.levels.retain(|level| bounds.contains(&level.bound));
        for bound in bounds {
            let idx = self.levels.partition_point(|level| level.bound < *bound);
            let level = match self.levels.get(idx) {
                Some(above) if above.bound == *bound => continue,
                Some(above) => above.clusters.clone(),
                None => {
                    let mut all: Vec<NodeSlot> = self.names.keys().copied().collect();
                    sort(&mut all, &self.names);
                    vec![all]
                }
            };
            let below = idx.checked_sub(1).and_then(|idx| self.levels.get(idx));
            let mut new = Level { bound: *bound, clusters: Vec::new(), cluster_of: HashMap::new() };
            for cluster in level.into_iter().filter(|cluster| !cluster.is_empty()) {
                for part in regroup(&parts(&cluster, below), *bound, &self.names, delays) {
                    new.add(part);
                }
            }
            self.levels.insert(idx, new);
        }
    }

    /// Splits the clusters of these nodes in a layer, of which all layers below are true.
    fn split(&mut self, idx: usize, nodes: &[NodeSlot], delays: &(impl Delays + ?Sized)) {
        let (below, rest) = self.levels.split_at_mut_checked(idx).unwrap_or((&mut [], &mut []));
        let Some(level) = rest.first_mut() else { return };
        let clusters: BTreeSet<usize> =
            nodes.iter().filter_map(|node| level.cluster_of.get(node)).copied().collect();
        for idx in clusters {
            let cluster = level.clusters.get_mut(idx).map(std::mem::take).unwrap_or_default();
            for part in regroup(&parts(&cluster, below.last()), level.bound, &self.names, delays) {
                level.add(part);
            }
        }
        level.tidy();
    }
}

// === impl Level ===

impl Level {
    /// Adds a node to a cluster.
    fn insert(&mut self, idx: usize, node: NodeSlot, names: &Names) {
        if let Some(cluster) = self.clusters.get_mut(idx) {
            let place = cluster.partition_point(|other| names.get(other) < names.get(&node));
            cluster.insert(place, node);
            self.cluster_of.insert(node, idx);
        }
    }

    /// Takes a node out.
    fn take(&mut self, node: NodeSlot) {
        if let Some(cluster) = self.cluster_of.remove(&node).and_then(|idx| self.clusters.get_mut(idx)) {
            cluster.retain(|other| *other != node);
        }
        self.tidy();
    }

    /// Drops empty clusters when they are the most.
    fn tidy(&mut self) {
        let empty = self.clusters.iter().filter(|cluster| cluster.is_empty()).count();
        if empty * 2 > self.clusters.len() {
            let clusters = std::mem::take(&mut self.clusters);
            clusters.into_iter().filter(|cluster| !cluster.is_empty()).for_each(|cluster| self.add(cluster));
        }
    }
}

/// The parts of a cluster in the layer below; its members, if there is none. Each is in the order of names, and so
/// are their first members.
fn parts(cluster: &[NodeSlot], below: Option<&Level>) -> Vec<Vec<NodeSlot>> {
    let Some(below) = below else { return cluster.iter().map(|node| vec![*node]).collect() };
    let mut parts: Vec<Vec<NodeSlot>> = Vec::new();
    let mut place_of: BTreeMap<usize, usize> = BTreeMap::new();
    for node in cluster {
        let Some(own) = below.cluster_of.get(node) else { continue };
        let place = *place_of.entry(*own).or_insert_with(|| {
            parts.push(Vec::new());
            parts.len() - 1
        });
        if let Some(part) = parts.get_mut(place) {
            part.push(*node);
        }
    }
    parts
}

/// Links parts by complete linkage as far as `bound`.
fn regroup(
    parts: &[Vec<NodeSlot>],
    bound: Delay,
    names: &Names,
    delays: &(impl Delays + ?Sized),
) -> Vec<Vec<NodeSlot>> {
    let n = parts.len();
    let mut table = PairDelays::new(n, n * n);
    for (a, one) in (0..).map(NodeSlot).zip(parts) {
        for (b, other) in (0..).map(NodeSlot).zip(parts).skip(a.idx() + 1) {
            if let Some(delay) = farthest(one, other, bound, delays) {
                table.put(a, b, delay);
            }
        }
    }
    let roots = Dendrogram::of(table).cut(&[bound]).pop().unwrap_or_default();
    let joined = by_root(parts, &roots).into_iter().map(|parts| {
        let mut cluster = parts.concat();
        sort(&mut cluster, names);
        cluster
    });
    joined.collect()
}

/// The delay between the farthest two of different nodes, one of each; none if that is over `bound` or not known.
fn farthest(
    one: &[NodeSlot],
    other: &[NodeSlot],
    bound: Delay,
    delays: &(impl Delays + ?Sized),
) -> Option<Delay> {
    let mut farthest = Delay::ZERO;
    for a in one {
        for b in other.iter().filter(|b| *b != a) {
            farthest = farthest.max(delays.between(*a, *b).filter(|delay| *delay <= bound)?);
        }
    }
    Some(farthest)
}

fn sort(nodes: &mut [NodeSlot], names: &Names) {
    nodes.sort_by_key(|node| names.get(node));
}

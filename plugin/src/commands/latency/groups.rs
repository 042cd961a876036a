//! Nodes in groups: sites, and clusters of a layer.

use std::collections::{BTreeMap, HashMap};

use edge_api::PublishedLayers;
use edge_core::layers::{Delays, Layers, Member};
use edge_core::model::{Delay, NodeName};
use edge_core::placement::NodeSlot;

use super::By;
use super::scene::{Placed, Scene, natural};
use crate::world::{Pair, Statistic};

/// A group of nodes.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) nodes: Vec<Placed>,
}

// === impl Group ===

impl Group {
    /// Named after the first of its nodes.
    fn of_cluster(nodes: Vec<Placed>) -> Self {
        let first = nodes.first().map_or("", |node| &node.name);
        let name = if nodes.len() > 1 { format!("{first} +{}", nodes.len() - 1) } else { first.to_owned() };
        Self { name, nodes }
    }
}

/// The groups that a matrix has rows of.
pub(super) fn groups(scene: &Scene, by: By, layer: Delay) -> Vec<Group> {
    match by {
        By::Node => by_node(scene),
        By::Site => sites(scene),
        By::Layer => clusters(scene, layer),
    }
}

/// Each node alone; those of a site beside each other, because they are near each other.
fn by_node(scene: &Scene) -> Vec<Group> {
    let mut nodes: Vec<&Placed> = scene.nodes.iter().collect();
    nodes.sort_by_cached_key(|node| natural(node.zone.as_deref().unwrap_or_default()));
    nodes.into_iter().map(|node| Group { name: node.name.clone(), nodes: vec![node.clone()] }).collect()
}

/// By zone; a node without one is a site of its own.
fn sites(scene: &Scene) -> Vec<Group> {
    let mut by_name: BTreeMap<String, Vec<Placed>> = BTreeMap::new();
    for node in &scene.nodes {
        let site = node.zone.clone().unwrap_or_else(|| node.name.clone());
        by_name.entry(site).or_default().push(node.clone());
    }
    let mut groups: Vec<Group> = by_name.into_iter().map(|(name, nodes)| Group { name, nodes }).collect();
    groups.sort_by_cached_key(|group| natural(&group.name));
    groups
}

/// The clusters of the layer of this delay: as the scheduler published them, or else by its own linkage. A node of which
/// nothing is known is a cluster of its own.
fn clusters(scene: &Scene, layer: Delay) -> Vec<Group> {
    // They are of the statistic that pods are judged by.
    let published = scene.layers.as_ref().filter(|_| scene.statistic == Statistic::default());
    published
        .and_then(|published| of_published(scene, published, layer))
        .unwrap_or_else(|| linked(scene, layer))
}

/// The clusters that were published; none if that layer was not.
fn of_published(scene: &Scene, published: &PublishedLayers, layer: Delay) -> Option<Vec<Group>> {
    let layer = published.layers.iter().find(|it| it.delay_micros == layer.as_micros())?;
    let mut left: HashMap<&str, &Placed> =
        scene.nodes.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut groups = Vec::new();
    for cluster in published.clusters(layer)? {
        // Some may have gone meanwhile.
        let nodes: Vec<Placed> =
            cluster.iter().filter_map(|name| left.remove(name.as_str()).cloned()).collect();
        groups.extend((!nodes.is_empty()).then(|| Group::of_cluster(nodes)));
    }
    let new = scene.nodes.iter().filter(|node| left.contains_key(node.name.as_str()));
    groups.extend(new.map(|node| Group::of_cluster(vec![node.clone()])));
    groups.sort_by_cached_key(|group| natural(&group.name));
    Some(groups)
}

fn linked(scene: &Scene, layer: Delay) -> Vec<Group> {
    let slot = |idx: usize| u32::try_from(idx).ok().map(NodeSlot);
    let mut by_slot: HashMap<NodeSlot, &Placed> = HashMap::new();
    let mut alone = Vec::new();
    for node in &scene.nodes {
        match node.idx.and_then(slot) {
            Some(slot) => _ = by_slot.insert(slot, node),
            None => alone.push(Group { name: node.name.clone(), nodes: vec![node.clone()] }),
        }
    }
    let member =
        |(slot, node): (&NodeSlot, &&Placed)| Member { slot: *slot, name: NodeName::new(node.name.as_str()) };
    let members: Vec<Member> = by_slot.iter().map(member).collect();
    let (layers, _) = Layers::link(&members, [layer], &Fresh(scene));
    let clusters = layers.layers().into_iter().flat_map(|layer| layer.clusters);
    let groups = clusters.map(|cluster| {
        Group::of_cluster(
            cluster.iter().filter_map(|slot| by_slot.get(slot).map(|it| (*it).clone())).collect(),
        )
    });
    groups.chain(alone).collect()
}

/// Fresh delays, as layers see them.
struct Fresh<'a>(&'a Scene);

impl Delays for Fresh<'_> {
    fn between(&self, a: NodeSlot, b: NodeSlot) -> Option<Delay> {
        self.0.measured.pair(a.idx(), b.idx(), self.0.statistic).fresh()
    }

    fn each_known(&self, from: NodeSlot, each: &mut dyn FnMut(NodeSlot, Delay)) {
        for cell in self.0.measured.row(from.idx()) {
            if let (Ok(peer), Some(delay)) = (
                u32::try_from(cell.peer),
                self.0.measured.pair(from.idx(), cell.peer, self.0.statistic).fresh(),
            ) {
                each(NodeSlot(peer), delay);
            }
        }
    }
}

/// What is measured from each group to each that it has anything to: the p95 of the pairs that are known, or what
/// they all are. Rows are short where there are many nodes, so they are gone through once.
pub(super) fn between(scene: &Scene, groups: &[Group]) -> HashMap<(usize, usize), Pair> {
    let mut group_of: Vec<Option<usize>> = vec![None; scene.measured.nodes.len()];
    for (group, node) in
        groups.iter().enumerate().flat_map(|(idx, it)| it.nodes.iter().map(move |node| (idx, node)))
    {
        if let Some(slot) = node.idx.and_then(|idx| group_of.get_mut(idx)) {
            *slot = Some(group);
        }
    }
    let group_of = |idx: usize| group_of.get(idx).copied().flatten();
    let mut found: HashMap<(usize, usize), Seen> = HashMap::new();
    for (from, idx) in (0..scene.measured.nodes.len()).filter_map(|idx| Some((group_of(idx)?, idx))) {
        for cell in scene.measured.row(idx).iter().filter(|cell| cell.peer != idx) {
            let Some(to) = group_of(cell.peer) else { continue };
            found.entry((from, to)).or_default().add(cell.known(scene.statistic));
        }
    }
    found.into_iter().map(|(ends, seen)| (ends, seen.pair())).collect()
}

/// What was seen of the pairs between two groups.
#[derive(Default)]
struct Seen {
    fresh: Vec<Delay>,
    stale: Vec<Delay>,
    is_unanswered: bool,
}

// === impl Seen ===

impl Seen {
    fn add(&mut self, pair: Pair) {
        match pair {
            Pair::Fresh(delay) => self.fresh.push(delay),
            Pair::Stale(delay) => self.stale.push(delay),
            Pair::Unanswered => self.is_unanswered = true,
            Pair::Unknown => (),
        }
    }

    fn pair(mut self) -> Pair {
        match (high(&mut self.fresh), high(&mut self.stale)) {
            (Some(delay), _) => Pair::Fresh(delay),
            (None, Some(delay)) => Pair::Stale(delay),
            (None, None) if self.is_unanswered => Pair::Unanswered,
            (None, None) => Pair::Unknown,
        }
    }
}

/// The 95th percentile, by nearest rank.
fn high(delays: &mut [Delay]) -> Option<Delay> {
    delays.sort_unstable();
    let rank = (delays.len() * 95).div_ceil(100);
    delays.get(rank.checked_sub(1)?).copied()
}

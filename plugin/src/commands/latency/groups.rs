//! Nodes in groups: sites, and clusters of a layer.

use std::collections::BTreeMap;

use edge_core::model::Delay;

use super::By;
use super::scene::{Placed, Scene};
use crate::world::Pair;

/// A group of nodes.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) nodes: Vec<Placed>,
}

/// The groups that a matrix has rows of.
pub(super) fn groups(scene: &Scene, by: By, layer: Delay) -> Vec<Group> {
    match by {
        By::Node => scene
            .nodes
            .iter()
            .map(|node| Group { name: node.name.clone(), nodes: vec![node.clone()] })
            .collect(),
        By::Site => sites(scene),
        By::Layer => clusters(scene, layer),
    }
}

/// By zone; a node without one is a site of its own.
fn sites(scene: &Scene) -> Vec<Group> {
    let mut by_name: BTreeMap<String, Vec<Placed>> = BTreeMap::new();
    for node in &scene.nodes {
        let site = node.zone.clone().unwrap_or_else(|| node.name.clone());
        by_name.entry(site).or_default().push(node.clone());
    }
    by_name.into_iter().map(|(name, nodes)| Group { name, nodes }).collect()
}

/// A partition in which all of a cluster are within this delay of each other: each node joins the first cluster
/// whose every member is near enough.
fn clusters(scene: &Scene, layer: Delay) -> Vec<Group> {
    let is_near = |a: &Placed, b: &Placed| {
        let ends = a.idx.zip(b.idx);
        ends.and_then(|(a, b)| scene.measured.pair(a, b, scene.statistic).fresh())
            .is_some_and(|it| it <= layer)
    };
    let mut groups: Vec<Group> = Vec::new();
    for node in &scene.nodes {
        match groups.iter_mut().find(|group| group.nodes.iter().all(|member| is_near(member, node))) {
            Some(group) => group.nodes.push(node.clone()),
            None => groups.push(Group { name: node.name.clone(), nodes: vec![node.clone()] }),
        }
    }
    for group in &mut groups {
        if group.nodes.len() > 1 {
            group.name = format!("{} +{}", group.name, group.nodes.len() - 1);
        }
    }
    groups
}

/// What is measured from one group to another: the p95 of the pairs that are known, or what they all are.
pub(super) fn between(scene: &Scene, from: &Group, to: &Group) -> (Pair, usize) {
    let (mut fresh, mut stale) = (Vec::new(), Vec::new());
    let mut is_unanswered = false;
    // Of each row only what was measured is looked at: rows are short where there are many nodes.
    let mut members: Vec<usize> = to.nodes.iter().filter_map(|node| node.idx).collect();
    members.sort_unstable();
    for a in from.nodes.iter().filter_map(|node| node.idx) {
        for cell in scene.measured.row(a) {
            if cell.peer == a || members.binary_search(&cell.peer).is_err() {
                continue;
            }
            match cell.known(scene.statistic) {
                Pair::Fresh(delay) => fresh.push(delay),
                Pair::Stale(delay) => stale.push(delay),
                Pair::Unanswered => is_unanswered = true,
                Pair::Unknown => (),
            }
        }
    }
    let count = fresh.len();
    let pair = match (high(&mut fresh), high(&mut stale)) {
        (Some(delay), _) => Pair::Fresh(delay),
        (None, Some(delay)) => Pair::Stale(delay),
        (None, None) if is_unanswered => Pair::Unanswered,
        (None, None) => Pair::Unknown,
    };
    (pair, count)
}

/// The 95th percentile, by nearest rank.
fn high(delays: &mut [Delay]) -> Option<Delay> {
    delays.sort_unstable();
    let rank = (delays.len() * 95).div_ceil(100);
    delays.get(rank.checked_sub(1)?).copied()
}

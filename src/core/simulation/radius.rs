//! What clustering costs: how many nodes of a radius the anchor's cluster keeps.

use std::collections::BTreeMap;

use super::Layers;
use crate::delay::{Anchor, AnchorNodes, DelayConstraints, Row, resolve};
use crate::model::{Delay, Name, Pod};
use crate::placement::{NodeSlot, Snapshot};

/// A radius and what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRadius {
    /// The anchor, as pods name it.
    pub anchor: Anchor,
    /// The namespace of those pods, which a workload is looked for in.
    pub namespace: Name,
    /// The bound.
    pub bound: Delay,
    /// How many nodes are within it.
    pub nodes: usize,
    /// How many of them are in the cluster.
    pub kept: usize,
}

/// Counts for every constraint of the pods whose anchor is placed.
pub(super) fn kept(snapshot: &Snapshot, pods: &[Pod], layers: &Layers) -> Vec<KeptRadius> {
    let mut radii = BTreeMap::new();
    for pod in pods {
        let Ok(constraints) = DelayConstraints::of_pod(pod) else { continue };
        for constraint in constraints.list {
            let namespace = pod.key.namespace.clone();
            let key = (constraint.anchor.to_string(), namespace.clone(), constraint.bound);
            if radii.contains_key(&key) {
                continue;
            }
            if let Ok(AnchorNodes::On(slots)) = resolve(snapshot, pod, &constraint.anchor) {
                let (nodes, kept) = count(snapshot, &slots, constraint.bound, layers);
                let (anchor, bound) = (constraint.anchor, constraint.bound);
                radii.insert(key, KeptRadius { anchor, namespace, bound, nodes, kept });
            }
        }
    }
    radii.into_values().collect()
}

fn count(snapshot: &Snapshot, anchors: &[NodeSlot], bound: Delay, layers: &Layers) -> (usize, usize) {
    let is_within = |from: NodeSlot, to: NodeSlot| {
        from == to || snapshot.delays.row(from).and_then(|row| Row::to(row, to)).is_some_and(|it| it <= bound)
    };
    let is_kept = |from: NodeSlot, to: NodeSlot| {
        let names = snapshot.nodes.name(from).zip(snapshot.nodes.name(to));
        names.is_some_and(|(from, to)| layers.are_together(from, to, bound))
    };
    let (mut nodes, mut kept) = (0, 0);
    for node in snapshot.nodes.iter() {
        let mut near = anchors.iter().filter(|from| is_within(**from, node.slot)).peekable();
        nodes += usize::from(near.peek().is_some());
        kept += usize::from(near.any(|from| is_kept(*from, node.slot)));
    }
    (nodes, kept)
}

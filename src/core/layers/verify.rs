//! Checks layers pair by pair, from what they say alone.

use std::collections::{HashMap, HashSet};

use super::{Delays, Layer};
use crate::model::Delay;
use crate::placement::NodeSlot;

/// What is wrong with layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A node is in no cluster of a layer, or in several, or should not be there.
    NotAPartition {
        /// The layer.
        bound: Delay,
        /// The node.
        node: NodeSlot,
    },
    /// Two nodes of a cluster are farther from each other than the layer's value, or their delay is not known.
    TooFar {
        /// The layer.
        bound: Delay,
        /// The nodes.
        pair: [NodeSlot; 2],
    },
    /// Two nodes are together in a layer and not in a later one.
    NotNested {
        /// The later layer.
        bound: Delay,
        /// The nodes.
        pair: [NodeSlot; 2],
    },
    /// A layer's value is not over that of the one before.
    NotAscending {
        /// The layer.
        bound: Delay,
    },
}

/// The first thing that is wrong with the layers of `nodes`. It takes as many look-ups as there are pairs in
/// clusters.
pub fn verify(
    nodes: &[NodeSlot],
    layers: &[Layer],
    delays: &(impl Delays + ?Sized),
) -> Result<(), Violation> {
    let expected: HashSet<NodeSlot> = nodes.iter().copied().collect();
    let mut before: Option<&Layer> = None;
    for layer in layers {
        if before.is_some_and(|before| before.bound >= layer.bound) {
            return Err(Violation::NotAscending { bound: layer.bound });
        }
        let cluster_of = partition(&expected, layer)?;
        for cluster in &layer.clusters {
            for (idx, a) in cluster.iter().enumerate() {
                for b in cluster.iter().skip(idx + 1) {
                    if delays.between(*a, *b).is_none_or(|delay| delay > layer.bound) {
                        return Err(Violation::TooFar { bound: layer.bound, pair: [*a, *b] });
                    }
                }
            }
        }
        for cluster in before.iter().flat_map(|before| &before.clusters) {
            for pair in cluster.windows(2) {
                if let [a, b] = pair
                    && cluster_of.get(a) != cluster_of.get(b)
                {
                    return Err(Violation::NotNested { bound: layer.bound, pair: [*a, *b] });
                }
            }
        }
        before = Some(layer);
    }
    Ok(())
}

/// The cluster of each node, if each has exactly one.
fn partition(expected: &HashSet<NodeSlot>, layer: &Layer) -> Result<HashMap<NodeSlot, usize>, Violation> {
    let mut cluster_of = HashMap::new();
    for (idx, cluster) in layer.clusters.iter().enumerate() {
        for node in cluster {
            if !expected.contains(node) || cluster_of.insert(*node, idx).is_some() {
                return Err(Violation::NotAPartition { bound: layer.bound, node: *node });
            }
        }
    }
    match expected.iter().filter(|node| !cluster_of.contains_key(*node)).min() {
        Some(node) => Err(Violation::NotAPartition { bound: layer.bound, node: *node }),
        None => Ok(cluster_of),
    }
}

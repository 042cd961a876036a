//! Layers in a form that is short to write down.

use std::collections::HashMap;

use super::Layer;
use crate::model::Delay;
use crate::placement::NodeSlot;

/// The nodes in an order in which every cluster of every layer stands in one piece, which is so because layers are
/// nested. A layer is then no more than the sizes of its clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nested {
    /// The nodes.
    pub order: Vec<NodeSlot>,
    /// By delay value, ascending: the sizes of the clusters in that order.
    pub sizes: Vec<(Delay, Vec<usize>)>,
}

// === impl Nested ===

impl Nested {
    /// Of layers in ascending order of their delay values.
    pub fn of(layers: &[Layer]) -> Self {
        let mut order: Vec<NodeSlot> = Vec::new();
        if let Some(finest) = layers.first() {
            order = finest.clusters.concat();
        }
        // Sorting is stable: from the finest layer to the coarsest each brings its own clusters together and
        // leaves the order within them.
        for layer in layers {
            let cluster_of: HashMap<NodeSlot, usize> = layer
                .clusters
                .iter()
                .enumerate()
                .flat_map(|(idx, nodes)| nodes.iter().map(move |node| (*node, idx)))
                .collect();
            order.sort_by_key(|node| cluster_of.get(node));
        }
        let sizes = layers.iter().map(|layer| (layer.bound, Self::sizes_in(&order, layer))).collect();
        Self { order, sizes }
    }

    fn sizes_in(order: &[NodeSlot], layer: &Layer) -> Vec<usize> {
        let by_first: HashMap<NodeSlot, usize> = layer
            .clusters
            .iter()
            .flat_map(|cluster| cluster.iter().map(|node| (*node, cluster.len())))
            .collect();
        let mut sizes = Vec::with_capacity(layer.clusters.len());
        let mut rest = order;
        while let Some(size) = rest.first().and_then(|node| by_first.get(node)) {
            sizes.push(*size);
            rest = rest.get(*size..).unwrap_or(&[]);
        }
        sizes
    }
}

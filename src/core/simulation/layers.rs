//! The layers of a simulation's delays, by the names of its nodes.

use std::collections::HashMap;

use crate::delay::file::DelayFiles;
use crate::layers::{self, Member, PairDelays};
use crate::model::{Delay, NodeName};
use crate::placement::NodeSlot;

/// The layers of some delay values. A node without a row of delays is a cluster of its own.
#[derive(Debug)]
pub struct Layers {
    slots: HashMap<NodeName, NodeSlot>,
    layers: layers::Layers,
}

// === impl Layers ===

impl Layers {
    /// Makes the layers of `bounds` over the nodes that have a row.
    pub fn new(delays: &DelayFiles, nodes: &[&NodeName], bounds: impl IntoIterator<Item = Delay>) -> Self {
        let row_of = |name: &NodeName| delays.metadata.idx(name.as_str());
        let known = nodes.iter().filter_map(|name| Some(((*name).clone(), row_of(name)?)));
        let known: Vec<(NodeSlot, NodeName, usize)> =
            (0..).map(NodeSlot).zip(known).map(|(slot, (name, row))| (slot, name, row)).collect();
        let mut table = PairDelays::new(known.len(), known.len() * known.len());
        for (from, _, row) in &known {
            let cells = delays.rows.row(*row).unwrap_or(&[]);
            for (to, _, column) in &known {
                if let Some(delay) = cells.get(*column) {
                    table.put(*from, *to, *delay);
                }
            }
        }
        let member = |(slot, name, _): &(NodeSlot, NodeName, _)| Member { slot: *slot, name: name.clone() };
        let members: Vec<Member> = known.iter().map(member).collect();
        let (layers, _) = layers::Layers::link(&members, bounds, &table);
        Self { slots: known.into_iter().map(|(slot, name, _)| (name, slot)).collect(), layers }
    }

    /// Whether two nodes are in one cluster of the layer of `bound`.
    pub fn are_together(&self, a: &NodeName, b: &NodeName, bound: Delay) -> bool {
        a == b
            || match (self.slots.get(a), self.slots.get(b)) {
                (Some(a), Some(b)) => self.layers.are_together(*a, *b, bound),
                _ => false,
            }
    }
}

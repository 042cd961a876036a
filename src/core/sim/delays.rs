//! A model of a delay source: what is measured, and which rows the scheduler uses.

use std::collections::{BTreeMap, BTreeSet};

use super::rng::Rng;
use crate::delay::DelayRow;
use crate::model::{Delay, NodeName};

/// The source, which is the truth about delays.
#[derive(Debug, Default)]
pub(super) struct Delays {
    /// The larger of both directions, by pair; both orders are there. A pair that is not is unknown.
    pairs: BTreeMap<NodeName, BTreeMap<NodeName, Delay>>,
    in_use: BTreeSet<NodeName>,
}

/// Delays to choose from, and so bounds: both sides of each bound occur, and the bound itself.
pub(super) const MILLIS: [u32; 6] = [0, 1, 5, 10, 20, 50];

// === impl Delays ===

impl Delays {
    /// Measures each pair of these nodes, or leaves it unknown.
    pub(super) fn measure_all(&mut self, nodes: &[NodeName], rng: &mut Rng) {
        for (idx, from) in nodes.iter().enumerate() {
            for to in &nodes[..idx] {
                if rng.chance(900) {
                    self.measure(from, to, rng);
                }
            }
        }
    }

    /// Measures a pair anew. The rows in use that changed.
    pub(super) fn measure(&mut self, from: &NodeName, to: &NodeName, rng: &mut Rng) -> Vec<DelayRow> {
        if from == to {
            return Vec::new();
        }
        let millis = MILLIS[rng.below(MILLIS.len())];
        self.set(from, to, Delay::from_micros(millis * 1_000).unwrap())
    }

    /// A pair is so far apart from now on. The rows in use that changed.
    pub(super) fn set(&mut self, from: &NodeName, to: &NodeName, delay: Delay) -> Vec<DelayRow> {
        self.pairs.entry(from.clone()).or_default().insert(to.clone(), delay);
        self.pairs.entry(to.clone()).or_default().insert(from.clone(), delay);
        self.rows_in_use(&[from, to])
    }

    /// A pair is not known any more. The rows in use that changed.
    pub(super) fn forget(&mut self, from: &NodeName, to: &NodeName) -> Vec<DelayRow> {
        for (from, to) in [(from, to), (to, from)] {
            if let Some(row) = self.pairs.get_mut(from) {
                row.remove(to);
            }
        }
        self.rows_in_use(&[from, to])
    }

    /// A node is not measured any more. The rows in use that changed.
    pub(super) fn forget_node(&mut self, node: &NodeName) -> Vec<DelayRow> {
        self.pairs.remove(node);
        for row in self.pairs.values_mut() {
            row.remove(node);
        }
        self.in_use.iter().map(|from| self.row(from)).collect()
    }

    /// These rows are in use from now on. The rows of those that are new.
    pub(super) fn use_rows(&mut self, names: &[NodeName]) -> Vec<DelayRow> {
        let before = std::mem::replace(&mut self.in_use, names.iter().cloned().collect());
        self.in_use.difference(&before).map(|from| self.row(from)).collect()
    }

    /// Nobody uses any row.
    pub(super) fn disconnect(&mut self) {
        self.in_use.clear();
    }

    /// All pairs.
    pub(super) fn pairs(&self) -> &BTreeMap<NodeName, BTreeMap<NodeName, Delay>> {
        &self.pairs
    }

    fn rows_in_use(&self, names: &[&NodeName]) -> Vec<DelayRow> {
        names.iter().filter(|name| self.in_use.contains(**name)).map(|name| self.row(name)).collect()
    }

    fn row(&self, from: &NodeName) -> DelayRow {
        let cells = self.pairs.get(from).into_iter().flatten();
        DelayRow { from: from.clone(), to: cells.map(|(to, delay)| (to.clone(), *delay)).collect() }
    }
}

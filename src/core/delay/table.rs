//! What is known of delays: the rows of the nodes that anchors are on.

use std::collections::HashMap;

use crate::model::{Delay, NodeName};
use crate::placement::{NodeSlot, Nodes};

/// Delays from one node to others, as a source gives them: the larger of both directions. A pair
/// that is not listed is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayRow {
    /// The node the delays are measured from.
    pub from: NodeName,
    /// The delay to each other node that is known.
    pub to: Vec<(NodeName, Delay)>,
}

/// The row of a node that is in use.
#[derive(Debug)]
pub enum Row {
    /// It was asked for and is not here yet.
    Loading,
    /// What the source knows, by slot.
    Loaded(Vec<Option<Delay>>),
}

/// The rows in use.
#[derive(Debug, Default)]
pub struct DelayTable {
    rows: HashMap<NodeSlot, Row>,
}

// === impl DelayTable ===

impl DelayTable {
    /// The row of the node in `slot`, if it is in use.
    pub fn row(&self, slot: NodeSlot) -> Option<&Row> {
        self.rows.get(&slot)
    }

    /// Marks the row of `slot` as asked for, unless it is in use already. Whether it was not.
    pub fn ask(&mut self, slot: NodeSlot) -> bool {
        let new = !self.rows.contains_key(&slot);
        if new {
            self.rows.insert(slot, Row::Loading);
        }
        new
    }

    /// Replaces a row. A delay that is no longer listed is unknown from now on. Whether it changed.
    pub fn load(&mut self, row: &DelayRow, nodes: &mut Nodes) -> bool {
        let mut cells = Vec::new();
        for (name, delay) in &row.to {
            let slot = nodes.slot_of(name);
            if cells.len() <= slot.idx() {
                cells.resize(slot.idx() + 1, None);
            }
            if let Some(cell) = cells.get_mut(slot.idx()) {
                *cell = Some(*delay);
            }
        }
        let from = nodes.slot_of(&row.from);
        let changed = !matches!(self.rows.get(&from), Some(Row::Loaded(known)) if *known == cells);
        self.rows.insert(from, Row::Loaded(cells));
        changed
    }

    /// Forgets every row that `in_use` doesn't list.
    pub fn retain(&mut self, in_use: impl Fn(NodeSlot) -> bool) {
        self.rows.retain(|slot, _| in_use(*slot));
    }

    /// The slots of all rows in use.
    pub fn slots(&self) -> impl Iterator<Item = NodeSlot> {
        self.rows.keys().copied()
    }
}

// === impl Row ===

impl Row {
    /// The delay to the node in `slot`, if it is known.
    pub fn to(&self, slot: NodeSlot) -> Option<Delay> {
        self.cells().get(slot.idx()).copied().flatten()
    }

    /// All that is known, by slot; slots beyond the end are unknown.
    pub fn cells(&self) -> &[Option<Delay>] {
        match self {
            Self::Loading => &[],
            Self::Loaded(cells) => cells,
        }
    }
}

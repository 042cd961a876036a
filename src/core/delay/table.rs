//! What is known of delays: everything measured, and the rows of the nodes that anchors are on.

use std::collections::{BTreeSet, HashMap};

use super::falls::{Change, Falls};
use super::measured::{DelayRules, Measured};
use super::row::LoadedRow;
use super::{DelaySource, Report};
use crate::model::{Delay, Node, NodeName, Time};
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
    /// What is known.
    Loaded(LoadedRow),
}

/// The rows in use, and what is measured.
///
/// A file of delays gives rows on request and in whole; they are kept for the nodes in use alone. Measurements are
/// kept in whole, and laid over the rows in use.
#[derive(Debug, Default)]
pub struct DelayTable {
    measured: Measured,
    rows: HashMap<NodeSlot, Row>,
    /// When something in a row may change by itself.
    reviews: BTreeSet<(Time, NodeSlot)>,
}

/// What came of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who reported.
    pub from: NodeSlot,
    /// By which source.
    pub source: DelaySource,
    /// The peers of which something was said, now or before.
    pub peers: Vec<NodeSlot>,
    /// The rows in use in which delays fell.
    pub falls: Vec<(NodeSlot, Falls)>,
    /// Whether nothing was heard of the node itself before, and its row is in use.
    pub heard_again: bool,
}

/// What came of looking over a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviewed {
    /// The delays that fell.
    pub falls: Falls,
    /// Whether its node is not heard of any more, or is again.
    pub heard_otherwise: bool,
}

/// The taints of a node that the cluster hears nothing of (upstream: `core/v1.TaintNodeNotReady`,
/// `TaintNodeUnreachable`).
const UNHEARD: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/// Whether the cluster hears nothing of the node.
pub fn is_unheard(node: &Node) -> bool {
    node.taints.iter().any(|taint| UNHEARD.contains(&&*taint.key))
}

// === impl DelayTable ===

impl DelayTable {
    /// A table that knows nothing.
    pub fn new(rules: DelayRules) -> Self {
        Self { measured: Measured::new(rules), ..Self::default() }
    }

    /// All that is measured.
    pub fn measured(&self) -> &Measured {
        &self.measured
    }

    /// The rules by which measurements count.
    pub fn rules(&self) -> &DelayRules {
        self.measured.rules()
    }

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

    /// Replaces what a file says of a row. A delay that is no longer listed is unknown to it from now on.
    pub fn load(&mut self, row: &DelayRow, nodes: &mut Nodes, now: Time) -> Reviewed {
        let mut cells = Vec::new();
        // Where files don't count, the row is in use all the same.
        for (name, delay) in row.to.iter().filter(|_| self.measured.has_file()) {
            let slot = nodes.slot_of(name);
            if cells.len() <= slot.idx() {
                cells.resize(slot.idx() + 1, None);
            }
            if let Some(cell) = cells.get_mut(slot.idx()) {
                *cell = Some(*delay);
            }
        }
        let from = nodes.slot_of(&row.from);
        let Self { measured, rows, reviews } = self;
        let known = rows.entry(from).or_insert(Row::Loading);
        if let Row::Loaded(known) = known {
            return Reviewed { falls: known.replace_file(cells), heard_otherwise: false };
        }
        let mut loaded = LoadedRow::new(from, cells);
        for to in measured.peers(from) {
            loaded.look_again(to, measured, now);
        }
        loaded.review(measured, nodes, now);
        loaded.plan_review(reviews);
        let falls = Falls::of(loaded.cells().iter().map(|new| Change { old: None, new: *new }));
        let heard_otherwise = loaded.is_unheard();
        *known = Row::Loaded(loaded);
        Reviewed { falls, heard_otherwise }
    }

    /// Takes in a report. It costs as much as the report has rows.
    pub fn hear(&mut self, report: &Report, nodes: &mut Nodes, now: Time) -> Heard {
        let from = nodes.slot_of(&report.from);
        let peers = self.measured.put(report, nodes, now);
        let Self { measured, rows, reviews } = self;
        let mut heard_again = false;
        let mut falls = Vec::new();
        let mut note = |row: NodeSlot, fell: Falls| {
            if !fell.is_empty() {
                falls.push((row, fell));
            }
        };
        if let Some(Row::Loaded(row)) = rows.get_mut(&from) {
            let mut changes: Vec<Change> =
                peers.iter().map(|to| row.look_again(*to, measured, now)).collect();
            heard_again = row.hears(measured, nodes, now);
            if heard_again {
                changes.extend(row.review(measured, nodes, now));
            }
            row.plan_review(reviews);
            note(from, Falls::of(changes));
        }
        for peer in &peers {
            if let Some(Row::Loaded(row)) = rows.get_mut(peer) {
                let change = row.look_again(from, measured, now);
                row.plan_review(reviews);
                note(*peer, Falls::of([change]));
            }
        }
        Heard { from, source: report.source, peers, falls, heard_again }
    }

    /// Looks over a row because its node changed, if it is in use.
    pub fn look_over(&mut self, slot: NodeSlot, nodes: &Nodes, now: Time) -> Reviewed {
        let Self { measured, rows, reviews } = self;
        let Some(Row::Loaded(row)) = rows.get_mut(&slot) else { return Reviewed::default() };
        let was_unheard = row.is_unheard();
        let falls = Falls::of(row.review(measured, nodes, now));
        row.plan_review(reviews);
        Reviewed { falls, heard_otherwise: row.is_unheard() != was_unheard }
    }

    /// When something may change by itself.
    pub fn next_review(&self) -> Option<Time> {
        self.reviews.first().map(|(at, _)| *at)
    }

    /// Looks over a row in which something may have changed by `now`; none if there is no such row.
    pub fn review_due(&mut self, nodes: &Nodes, now: Time) -> Option<(NodeSlot, Reviewed)> {
        let (at, slot) = *self.reviews.first()?;
        if at > now {
            return None;
        }
        self.reviews.remove(&(at, slot));
        Some((slot, self.look_over(slot, nodes, now)))
    }

    /// Forgets every row that `in_use` doesn't list, but for those of nodes that are not heard of: nobody uses them
    /// because that is known of them.
    pub fn retain(&mut self, in_use: impl Fn(NodeSlot) -> bool) {
        let Self { measured: _, rows, reviews } = self;
        rows.retain(|slot, row| in_use(*slot) || matches!(row, Row::Loaded(row) if row.is_unheard()));
        reviews.retain(|(_, slot)| rows.contains_key(slot));
    }

    /// Who says how far the node in `slot` is from an anchor's node whose row is in use; none if nobody does now.
    pub fn counts(&self, anchor: NodeSlot, slot: NodeSlot, now: Time) -> Option<DelaySource> {
        let Row::Loaded(row) = self.row(anchor)? else { return None };
        if row.is_of_file(slot) {
            Some(DelaySource::File)
        } else {
            self.measured.pair(anchor, slot, now).source()
        }
    }

    /// Whether nothing is heard of the node in `slot`, whose row is in use.
    pub fn is_unheard(&self, slot: NodeSlot) -> bool {
        matches!(self.row(slot), Some(Row::Loaded(row)) if row.is_unheard())
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
            Self::Loaded(row) => row.cells(),
        }
    }

    /// Whether there was a delay to the node in `slot` that is not fresh any more.
    pub fn is_stale(&self, slot: NodeSlot) -> bool {
        matches!(self, Self::Loaded(row) if row.is_stale(slot))
    }
}

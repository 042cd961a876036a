//! A row in use: what a file says, what is measured, and what was measured last of a node that is not heard of.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::falls::{Change, Falls};
use super::measured::{Measured, Pair, Sides};
use super::table::is_unheard;
use crate::model::{Delay, Time};
use crate::placement::{NodeSlot, Nodes};

/// The delays from a node.
#[derive(Debug)]
pub struct LoadedRow {
    from: NodeSlot,
    /// What counts, by slot. Where nothing is laid over it, it is what a file says.
    cells: Vec<Option<Delay>>,
    laid_over: HashMap<NodeSlot, Overlay>,
    /// Delays that were measured and are not known any more.
    lost: HashMap<NodeSlot, Lost>,
    /// Since when nothing is heard of the node itself.
    unheard: Option<Time>,
    /// Whether lost delays stay in force, of those that were lost since then.
    frozen: bool,
    horizon: Time,
    review_at: Time,
    planned: Time,
}

/// What is known of a pair beside what is in its cell.
#[derive(Clone, Copy, Debug, Default)]
struct Overlay {
    /// What a file says.
    file: Option<Delay>,
    /// What is measured by sources that go before it, and by those that come after it.
    ahead: Option<Delay>,
    behind: Option<Delay>,
    /// Whether nothing is fresh that once was.
    stale: bool,
}

/// A delay that is not known any more.
#[derive(Clone, Copy, Debug)]
struct Lost {
    delay: Delay,
    since: Time,
}

/// A node is found not to be heard of a while after it fell silent, and some of its delays are lost before that: so
/// much earlier, where its own measurements say nothing of how long they last.
const NOTICED_WITHIN: Duration = Duration::from_mins(3);

// === impl LoadedRow ===

impl LoadedRow {
    /// The row of a node of which a file says this.
    pub(super) fn new(from: NodeSlot, file: Vec<Option<Delay>>) -> Self {
        Self {
            from,
            cells: file,
            laid_over: HashMap::new(),
            lost: HashMap::new(),
            unheard: None,
            frozen: false,
            horizon: Time::ZERO,
            review_at: Time::NEVER,
            planned: Time::NEVER,
        }
    }

    /// All that is known, by slot; slots beyond the end are unknown.
    pub fn cells(&self) -> &[Option<Delay>] {
        &self.cells
    }

    /// Whether there was a delay to the node in `slot` that is not fresh any more.
    pub fn is_stale(&self, slot: NodeSlot) -> bool {
        let was_measured = || self.laid_over.get(&slot).is_some_and(|overlay| overlay.stale);
        self.cell(slot).is_none() && (self.lost.contains_key(&slot) || was_measured())
    }

    /// Whether it is a file that says how far the node in `slot` is.
    pub(super) fn is_of_file(&self, slot: NodeSlot) -> bool {
        match self.laid_over.get(&slot) {
            Some(overlay) => overlay.ahead.is_none() && overlay.file.is_some(),
            None => self.cell(slot).is_some(),
        }
    }

    /// Whether nothing is heard of the node itself.
    pub fn is_unheard(&self) -> bool {
        self.unheard.is_some()
    }

    /// Replaces what a file says.
    pub(super) fn replace_file(&mut self, file: Vec<Option<Delay>>) -> Falls {
        let old = std::mem::replace(&mut self.cells, file);
        for to in self.laid_over.keys().copied().collect::<Vec<_>>() {
            let file = self.cell(to);
            if let Some(overlay) = self.laid_over.get_mut(&to) {
                overlay.file = file;
            }
            self.compose(to);
        }
        let len = old.len().max(self.cells.len());
        let at = |cells: &[Option<Delay>], idx: usize| cells.get(idx).copied().flatten();
        Falls::of((0..len).map(|idx| Change { old: at(&old, idx), new: at(&self.cells, idx) }))
    }

    /// Looks again what is measured of a pair.
    pub(super) fn look_again(&mut self, to: NodeSlot, measured: &Measured, now: Time) -> Change {
        let old = self.cell(to);
        let Sides { ahead, behind } = measured.sides(self.from, to, now);
        let file = self.laid_over.get(&to).map_or(old, |overlay| overlay.file);
        let stale = [ahead, behind].into_iter().find_map(|pair| match pair {
            Pair::Stale { delay, since } => Some(Lost { delay, since }),
            Pair::Fresh { .. } | Pair::Unknown => None,
        });
        let overlay = Overlay { file, ahead: ahead.fresh(), behind: behind.fresh(), stale: stale.is_some() };
        self.review_at = self.review_at.min(ahead.until()).min(behind.until());
        self.laid_over.insert(to, overlay);
        if overlay.known().is_some() {
            self.lost.remove(&to);
        } else if let Some(lost) = old.map(|delay| Lost { delay, since: now }).or(stale) {
            // What is lost already stays as it was then.
            self.lost.entry(to).or_insert(lost);
        }
        self.compose(to);
        if overlay.says_nothing() && !self.lost.contains_key(&to) {
            self.laid_over.remove(&to);
        }
        Change { old, new: self.cell(to) }
    }

    /// The node itself was heard of. Whether it was not before, so that everything is to be looked over.
    pub(super) fn hears(&mut self, measured: &Measured, nodes: &Nodes, now: Time) -> bool {
        self.review_at = measured.silent_at(self.from).map_or(self.review_at, |at| self.review_at.min(at));
        self.unheard_since(measured, nodes, now).is_some() != self.unheard.is_some()
    }

    /// Looks everything over that time or the node's state may have changed, and when that is to be done again.
    pub(super) fn review(&mut self, measured: &Measured, nodes: &Nodes, now: Time) -> Vec<Change> {
        let before: Vec<(NodeSlot, Option<Delay>)> =
            self.laid_over.keys().map(|to| (*to, self.cell(*to))).collect();
        self.unheard = self.unheard_since(measured, nodes, now).map(|since| self.unheard.unwrap_or(since));
        let until = self.unheard.zip(measured.rules().anchor_grace).map(|(since, grace)| since + grace);
        self.frozen = self.unheard.is_some() && until.is_none_or(|until| now < until);
        let silent_at = measured.silent_at(self.from).filter(|at| now < *at);
        self.review_at =
            silent_at.into_iter().chain(until.filter(|_| self.frozen)).min().unwrap_or(Time::NEVER);
        let noticed_within = measured.lasts(self.from).unwrap_or(NOTICED_WITHIN);
        self.horizon = self.unheard.unwrap_or(now) - noticed_within;
        self.lost.retain(|_, lost| lost.since >= self.horizon);
        for (to, _) in &before {
            self.look_again(*to, measured, now);
        }
        before.into_iter().map(|(to, old)| Change { old, new: self.cell(to) }).collect()
    }

    /// Sees to it that the next review is planned.
    pub(super) fn plan_review(&mut self, reviews: &mut BTreeSet<(Time, NodeSlot)>) {
        if self.planned != self.review_at {
            reviews.remove(&(self.planned, self.from));
            self.planned = self.review_at;
            if self.planned != Time::NEVER {
                reviews.insert((self.planned, self.from));
            }
        }
    }

    fn unheard_since(&self, measured: &Measured, nodes: &Nodes, now: Time) -> Option<Time> {
        let node = nodes.get(self.from)?.node;
        let silent = measured.silent_since(self.from, now);
        is_unheard(node).then_some(now).into_iter().chain(silent).min()
    }

    fn compose(&mut self, to: NodeSlot) {
        let Some(overlay) = self.laid_over.get(&to) else { return };
        let is_held = |lost: &&Lost| self.frozen && lost.since >= self.horizon;
        let held = || self.lost.get(&to).filter(is_held).map(|lost| lost.delay);
        let delay = overlay.known().or_else(held);
        if self.cells.len() <= to.idx() && delay.is_some() {
            self.cells.resize(to.idx() + 1, None);
        }
        if let Some(cell) = self.cells.get_mut(to.idx()) {
            *cell = delay;
        }
    }

    fn cell(&self, to: NodeSlot) -> Option<Delay> {
        self.cells.get(to.idx()).copied().flatten()
    }
}

// === impl Overlay ===

impl Overlay {
    /// The delay that counts.
    fn known(self) -> Option<Delay> {
        self.ahead.or(self.file).or(self.behind)
    }

    /// Whether the cell says it all.
    fn says_nothing(self) -> bool {
        self.ahead.is_none() && self.behind.is_none() && !self.stale
    }
}

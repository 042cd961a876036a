//! Backups of a node are made into a single one of the right size.
//!
//! The new one is made before the old ones go, so for a moment more is taken than either takes, and another scheduler
//! that fills the node just then would have its pod refused by the kubelet. So this is done under the taint of a
//! handover, which keeps others off, and seldom: where too much is reserved, or in many pieces.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Resources, Time};
use crate::placement::NodeSlot;
use crate::state::State;

/// For so long the book must have said the same of a node.
const LONG_QUIET: Duration = Duration::from_mins(1);
/// So many pieces are many. Each of them takes a place for a pod.
const MANY: usize = 5;
/// How long after the taint is seen to stand others may still place what they decided on before.
const OTHERS_SEE: Duration = Duration::from_secs(1);
/// How long it may take altogether. What is not done by then waits for the next quiet while.
const WITHIN: Duration = Duration::from_secs(15);

/// The nodes whose backups are made into one.
pub(super) type Merging = BTreeMap<NodeSlot, Merge>;

/// Backups are made into one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merge {
    until: Time,
    /// Since when the taint stands, if it does.
    tainted: Option<Time>,
}

// === impl State ===

impl State {
    /// Makes a node's backups into one, step by step, if there are many `pieces` or too much, none of which can be done
    /// without.
    pub(super) fn merge(
        &mut self,
        slot: NodeSlot,
        pieces: usize,
        is_too_much: bool,
        reserve: &Resources,
        now: Time,
    ) {
        match self.cover.merging.get(&slot).copied() {
            Some(_) if pieces <= 1 && !is_too_much => self.end_merge(slot, now),
            Some(merge) => self.go_on_merging(slot, merge, reserve, now),
            None if is_too_much || pieces >= MANY => self.begin_to_merge(slot, reserve, now),
            None => (),
        }
    }

    /// Begins with it, if there is room for one more.
    fn begin_to_merge(&mut self, slot: NodeSlot, reserve: &Resources, now: Time) {
        if reserve.is_nothing() || !self.takes_backups(slot) || !self.fits_beside(slot, reserve) {
            return;
        }
        let changed = self.cover.changed.get(&slot).copied().unwrap_or(Time::ZERO);
        if now < changed + LONG_QUIET {
            self.cover.nodes_later.insert((changed + LONG_QUIET, slot));
            return;
        }
        self.cover.merging.insert(slot, Merge { until: now + WITHIN, tainted: None });
        self.handovers.is_due = true;
        self.cover.nodes_later.insert((now + WITHIN, slot));
    }

    fn go_on_merging(&mut self, slot: NodeSlot, merge: Merge, reserve: &Resources, now: Time) {
        if !self.is_tainted(slot) {
            return;
        }
        let since = merge.tainted.unwrap_or(now);
        self.cover.merging.insert(slot, Merge { tainted: Some(since), ..merge });
        if now < since + OTHERS_SEE {
            self.cover.nodes_later.insert((since + OTHERS_SEE, slot));
        } else if !self.cover.pieces.is_asked_on(slot) && self.fits_beside(slot, reserve) {
            self.make_backup(slot, reserve.clone(), now);
        }
    }

    /// Ends it if it takes too long, or others are awaited there.
    pub(super) fn end_merge_in_time(&mut self, slot: NodeSlot, now: Time) {
        let is_late = self.cover.merging.get(&slot).is_some_and(|merge| merge.until <= now);
        if is_late || self.snapshot.backups.handed_over.contains(&slot) {
            self.end_merge(slot, now);
        }
    }

    fn end_merge(&mut self, slot: NodeSlot, now: Time) {
        if self.cover.merging.remove(&slot).is_some() {
            self.handovers.is_due = true;
            // What could not be done is tried again after another quiet while.
            self.cover.changed.insert(slot, now);
        }
    }

    /// Whether there is room for so much besides all that is on the node.
    fn fits_beside(&self, slot: NodeSlot, reserve: &Resources) -> bool {
        let backups = &self.snapshot.backups;
        let node = self.snapshot.nodes.get(slot);
        node.is_some_and(|node| reserve.exceeding(&backups.spare(node)).is_nothing())
    }
}

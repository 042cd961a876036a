//! Defects that tests put in, to show that they would be caught. Outside of tests [`State::has`] is
//! constant, so that nothing of this is in the product.

use super::State;
use crate::delay::DelayRow;
use crate::model::Pod;
use crate::placement::NodeSlot;

/// A defect that a scheduler of this kind is known to have had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// A decided pod takes up no room until the watch says so.
    NoAssumedPods,
    /// A deletion that the watch missed is not made up for when it begins anew.
    EventLostOnReconnect,
    /// Delays that a source no longer gives stay in force.
    StaleDelays,
    /// A pod's room is given back when its deletion begins, and again when it is gone.
    CapacityFreedTwice,
}

// === impl State ===

impl State {
    /// Puts a defect in.
    #[cfg(test)]
    pub(crate) fn with_defect(mut self, defect: Option<Defect>) -> Self {
        self.defect = defect;
        self
    }

    #[cfg(test)]
    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the same signature as in tests")]
    pub(super) const fn has(&self, _defect: Defect) -> bool {
        false
    }

    pub(super) fn merge_with_known(&self, row: &DelayRow) -> DelayRow {
        let known =
            self.snapshot.nodes.slot(row.from.as_str()).and_then(|slot| self.snapshot.delays.row(slot));
        let mut merged = row.clone();
        for view in self.snapshot.nodes.iter() {
            let listed = row.to.iter().any(|(name, _)| *name == view.node.name);
            if let Some(delay) = known.and_then(|known| known.to(view.slot)).filter(|_| !listed) {
                merged.to.push((view.node.name.clone(), delay));
            }
        }
        merged
    }

    pub(super) fn free_again(&mut self, pod: &Pod, slot: NodeSlot) {
        if let Some(usage) = self.snapshot.nodes.usage_mut(slot) {
            usage.remove(pod);
        }
    }
}

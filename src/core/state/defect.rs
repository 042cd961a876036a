//! Defects that tests put in, to show that they would be caught. Outside of tests [`State::has`] is
//! constant, so that nothing of this is in the product.

use super::State;
use crate::delay::{DelayRow, DelaySource, Report};
use crate::model::{Delay, Pod, Time};
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
    /// Where all probes were lost there is no value, and none is read as zero.
    LostIsDelay,
    /// Goldpinger cuts off what is below a millisecond, and what is left is read as the delay.
    TruncatedIsDelay,
    /// What was measured counts however long ago that was.
    StaleIsFresh,
    /// Of both directions the smaller one counts.
    SmallerDirection,
    /// Pods are covered by a node's backup though it is too small for them.
    ReserveNeverGrows,
    /// A reserve grows by what is covered though there is slack in it.
    GrowsThoughThereIsSlack,
    /// A pod's backup is on its own node.
    BackupOnOwnNode,
    /// Nothing is held for pods that come in place of those of a failed node.
    NothingHeld,
    /// A pod that comes for a hold is bound before the backups are gone whose room it has.
    BoundBeforeRoom,
    /// A pod is evicted to be moved before room is held for what replaces it.
    EvictsBeforeHeld,
    /// All replicas of a workload are moved at once.
    MovesAllAtOnce,
    /// Pods are moved as fast as it goes.
    MovesWithoutMeasure,
    /// A pod for which no backup is found is never looked at again.
    ForgottenWithoutBackup,
    /// What was reserved and is gone is not reserved anew.
    ReserveNotRebuilt,
    /// Who is not reached by probes is dead, and whether too many are is not asked.
    ProbesAlone,
    /// Of several nodes that are lost the first one is looked after.
    FirstLossOnly,
    /// Pods go of which two must never run.
    StatefulToo,
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

    /// Whether reports are read wrong.
    pub(super) fn misreads(&self) -> bool {
        let defects =
            [Defect::LostIsDelay, Defect::TruncatedIsDelay, Defect::StaleIsFresh, Defect::SmallerDirection];
        defects.into_iter().any(|defect| self.has(defect))
    }

    /// A report as a scheduler with such a defect reads it.
    pub(super) fn misread(&self, report: &Report, now: Time) -> Report {
        let lower = |delay: Delay| Delay::from_micros(delay.as_micros().saturating_sub(1_000)).ok();
        let mut read = report.clone();
        if self.has(Defect::StaleIsFresh) {
            read.every = read.every.map(|every| every.saturating_mul(1_000));
        }
        for row in &mut read.rows {
            let known = &mut row.statistics;
            if self.has(Defect::LostIsDelay) {
                known.p95 = known.p95.or(Some(Delay::ZERO));
                known.age = known.age.or(Some(std::time::Duration::ZERO));
            } else if self.has(Defect::TruncatedIsDelay) && report.source == DelaySource::Goldpinger {
                known.p95 = known.p95.and_then(lower);
            } else if self.has(Defect::SmallerDirection) {
                let slots = (
                    self.snapshot.nodes.slot(row.peer.as_str()),
                    self.snapshot.nodes.slot(report.from.as_str()),
                );
                let (Some(peer), Some(from)) = slots else { continue };
                let other = self.snapshot.delays.measured().said(report.source, peer, from, now);
                known.p95 = known.p95.map(|delay| other.map_or(delay, |other| delay.min(other)));
            }
        }
        read
    }

    pub(super) fn free_again(&mut self, pod: &Pod, slot: NodeSlot) {
        if let Some(usage) = self.snapshot.nodes.usage_mut(slot) {
            usage.remove(pod);
        }
    }
}

//! Holds in the state machine: room for pods that come in place of others.
//!
//! ```text
//!  a covered pod begins to end on a failed node ──► the book's entry becomes a hold, in one step
//!  a pod is to be moved ──────────────────────────► a hold at its target, kept by backups; then it goes
//!  the next pod of the same workload ─────────────► takes it: see `handover`
//!  it has to go again: not bound, OutOf… ─────────► the hold stands for the next one
//!  its time is over ──────────────────────────────► what is kept shrinks as usual
//! ```
//!
//! No hold outlives a restart, and none has to: a pod that ends on a failed node still says where its backup was. When the
//! node is suspected anew, waiting pods of the same workload get holds from that.

use std::collections::BTreeSet;
use std::time::Duration;

use super::verdicts::is_failed_node;
use crate::cover::{Covered, Hold};
use crate::model::{NodeName, Pod, PodKey, PodUid, Resources, Time};
use crate::placement::{BACKUP_NODE_ANNOTATION, IN_PLACE_OF_ANNOTATION, NodeSlot, WorkloadRef};
use crate::state::{Defect, State, queue};

/// How long a hold lasts, whether or not somebody comes.
pub(super) const HELD_FOR: Duration = Duration::from_secs(30);

// === impl State ===

impl State {
    /// Holds room on a node for the next pod of the workload that `pod` belongs to, in addition to all that is to be
    /// kept there. Where it finds none by itself, backups are made for it as for any reserve.
    pub(super) fn hold(&mut self, pod: &Pod, node: NodeSlot, demand: Resources, now: Time) {
        let owner = WorkloadRef::top_of(pod);
        let hold = Hold { owner: owner.clone(), node, demand, until: now + HELD_FOR };
        self.snapshot.backups.holds.put(pod.uid.clone(), hold);
        self.held_changed(node, now);
        self.wake_for_hold(&owner, now);
    }

    /// Whether all that is held on the node of the hold in place of this pod is kept by backups that the server has.
    pub(super) fn hold_stands(&self, uid: &PodUid) -> bool {
        self.snapshot.backups.holds.of(uid).is_some_and(|hold| !self.is_short(hold.node))
    }

    /// Ends the hold in place of this pod, if there is one.
    pub(super) fn end_hold(&mut self, uid: &PodUid, now: Time) {
        if let Some(hold) = self.snapshot.backups.holds.remove(uid) {
            self.held_changed(hold.node, now);
        }
    }

    /// A covered pod leaves cover as it begins to end, or is gone. If that is because its node failed, what is reserved
    /// for it is held for its successor.
    pub(super) fn hold_for_successor(&mut self, pod: &Pod, now: Time) {
        let was_there = pod.node.is_some();
        let Some(Covered { primary, backup, demand }) = self.snapshot.backups.book.of(&pod.uid).cloned()
        else {
            return;
        };
        if was_there
            && self.healing.rules.failover
            && self.rule_of(pod).failover.is_on
            && is_failed_node(&self.snapshot, primary)
            && !self.has(Defect::NothingHeld)
        {
            self.hold(pod, backup, demand, now);
        }
    }

    /// A node is suspected. Pods that end there and that nobody has held room for are seen to now: whoever took them off
    /// is not there any more.
    pub(super) fn hold_for_ended(&mut self, slot: NodeSlot, now: Time) {
        let Some(view) = self.snapshot.nodes.get(slot) else { return };
        let ended: Vec<_> = view.usage.pods.iter().filter(|pod| pod.terminating).cloned().collect();
        for pod in ended {
            let told = pod.annotations.get(BACKUP_NODE_ANNOTATION).map(NodeName::from);
            let owner = WorkloadRef::top_of(&pod);
            let is_awaited = self.queue.iter().any(|it| WorkloadRef::top_of(&it.pod) == owner);
            let is_new = self.snapshot.backups.holds.of(&pod.uid).is_none();
            if let Some(backup) = told.filter(|_| is_awaited && is_new) {
                let backup = self.snapshot.nodes.slot_of(&backup);
                if self.has_successor(&pod.uid, backup) {
                    continue;
                }
                self.hold(&pod, backup, pod.requests.clone(), now);
            }
        }
    }

    /// Whether somebody on its backup's node has come in place of this pod.
    fn has_successor(&self, uid: &PodUid, backup: NodeSlot) -> bool {
        let there = self.snapshot.nodes.get(backup);
        let mut there = there.into_iter().flat_map(|view| &view.usage.pods);
        there.any(|pod| pod.annotations.get(IN_PLACE_OF_ANNOTATION) == Some(uid.as_str()))
    }

    /// A pod has come to a node, or is to: if somebody of its workload was awaited, it is this one, wherever it goes.
    pub(in crate::state) fn note_successor(&mut self, pod: &Pod, slot: NodeSlot, now: Time) {
        let holds = &self.snapshot.backups.holds;
        if holds.is_empty() || holds.taken_by(&pod.uid).is_some() || pod.terminating {
            self.handovers.is_due |= !holds.is_empty();
            return;
        }
        let owner = WorkloadRef::top_of(pod);
        let awaited = holds.standing().filter(|(_, hold)| hold.owner == owner);
        let first = awaited.min_by_key(|(_, hold)| (hold.node != slot, hold.until));
        let Some((gone, node)) = first.map(|(gone, hold)| (gone.clone(), hold.node)) else { return };
        if node == slot {
            self.snapshot.backups.holds.take(&gone, &pod.uid);
        } else {
            self.snapshot.backups.holds.remove(&gone);
        }
        self.held_changed(node, now);
    }

    /// A pod that came for a hold is on no node any more: its binding failed, its kubelet refused it, it was deleted.
    pub(in crate::state) fn give_back_hold(&mut self, uid: &PodUid, now: Time) {
        if let Some(hold) = self.snapshot.backups.holds.give_back(uid) {
            self.held_changed(hold.node, now);
            self.wake_for_hold(&hold.owner, now);
        }
    }

    /// Ends the holds whose time is over.
    pub(super) fn end_holds(&mut self, now: Time) {
        for hold in self.snapshot.backups.holds.end(now) {
            self.held_changed(hold.node, now);
        }
    }

    /// What is held on a node is something else.
    pub(super) fn held_changed(&mut self, node: NodeSlot, now: Time) {
        self.note_book(node, now);
        self.handovers.is_due = true;
    }

    /// A backup is there on a node: who is awaited there may have found it missing.
    pub(super) fn backup_came(&mut self, node: NodeSlot, now: Time) {
        let holds = &self.snapshot.backups.holds;
        let standing = holds.standing().filter(|(_, hold)| hold.node == node);
        let owners: BTreeSet<WorkloadRef> = standing.map(|(_, hold)| hold.owner.clone()).collect();
        for owner in owners {
            self.wake_for_hold(&owner, now);
        }
        self.handovers.is_due = true;
    }

    /// Waiting pods of a workload are tried again: there is a hold for one of them.
    pub(super) fn wake_for_hold(&mut self, owner: &WorkloadRef, now: Time) {
        let of_owner = self.queue.unschedulable().filter(|(pod, _)| WorkloadRef::top_of(pod) == *owner);
        let mut keys: Vec<PodKey> = of_owner.map(|(pod, _)| pod.key.clone()).collect();
        keys.sort_unstable();
        for key in keys {
            self.requeue(&key, queue::POD_DELETE, now);
        }
    }
}

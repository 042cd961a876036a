//! Handovers: a pod comes for a hold, and backups go for it.
//!
//! ```text
//!  a pod fits at its hold ──► assumed there; the node is tainted ──► backups go ──► it is bound
//!                                                                                    │
//!           the taint goes ◄── what is still to be kept is made anew ◄── nobody else is awaited there
//! ```
//!
//! Between the end of a backup and the binding the room is free, and the taint keeps others off. Whatever is asked for
//! is answered by an event, and follows from what is held and what the watches tell: a scheduler that starts in the
//! middle takes the taint away, makes the reserve good, and judges the pod as any other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::handover_taint::Taints;
use crate::cover::Hold;
use crate::model::{Pod, PodKey, PodUid, Resources, Time};
use crate::placement::{
    AtHold, ClusterEvent, IN_PLACE_OF_ANNOTATION, NodeSlot, Placement, VolumePlan, WorkloadRef, judge_at_hold,
};
use crate::state::flight::{Awaits, Flight};
use crate::state::{Action, Binding, Defect, Placed, PodRef, Queued, State};

/// How long a pod waits for backups to go before it is tried again elsewhere.
const ROOM_WITHIN: Duration = Duration::from_secs(10);

/// The handovers there are.
#[derive(Debug, Default)]
pub(in crate::state) struct Handovers {
    /// The pods that wait for backups to go.
    waiting: BTreeMap<PodUid, Waiting>,
    /// The taints that stand meanwhile.
    pub(super) taints: Taints,
    /// Whether something changed.
    pub(super) is_due: bool,
}

/// A pod that waits for backups to go.
#[derive(Debug)]
struct Waiting {
    slot: NodeSlot,
    /// The backups that have to go and are still there.
    backups: BTreeSet<PodKey>,
    /// Whether they were asked to go.
    asked: bool,
    /// What has to come about before it can be bound.
    volumes: Option<VolumePlan>,
}

/// What came of looking at holds.
pub(in crate::state) enum Tried {
    /// The pod is on its way to one, or waits for delays.
    Done,
    /// There is none for it.
    NotHeld(Queued),
}

// === impl Handovers ===

impl Handovers {
    /// Whether a pod waits for backups of this node to go.
    pub(super) fn is_waited_for(&self, slot: NodeSlot) -> bool {
        self.waiting.values().any(|waiting| waiting.slot == slot)
    }

    /// The nodes whose backups somebody waits for to go.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeSlot> {
        self.waiting.values().map(|waiting| waiting.slot)
    }
}

// === impl State ===

impl State {
    /// Tries a pod at the holds that stand for it, one after the other.
    pub(in crate::state) fn try_holds(&mut self, mut queued: Queued, now: Time) -> Tried {
        if self.snapshot.backups.holds.is_empty() {
            return Tried::NotHeld(queued);
        }
        let pod = Arc::clone(&queued.pod);
        let owner = WorkloadRef::top_of(&pod);
        let standing = self.snapshot.backups.holds.standing().filter(|(_, hold)| hold.owner == owner);
        let holds: Vec<(PodUid, Hold)> = standing.map(|(gone, hold)| (gone.clone(), hold.clone())).collect();
        let Some(profile) = self.profile(&pod.scheduler_name) else { return Tried::NotHeld(queued) };
        let may_go = |backup: &Pod| !backup.terminating && !self.is_backup_on_its_way(&backup.key);
        for (gone, hold) in holds {
            let promised = self.promised_on(hold.node);
            match judge_at_hold(&self.snapshot, &pod, profile, &hold, &promised, may_go) {
                AtHold::No => (),
                AtHold::AwaitDelays(nodes) => {
                    self.queue.add_awaiting_delays(queued, now);
                    self.use_delays(&nodes);
                    return Tried::Done;
                }
                AtHold::Fits(mut placement, backups) => {
                    placement.annotations.push((IN_PLACE_OF_ANNOTATION, gone.to_string()));
                    queued.attempts += 1;
                    self.snapshot.backups.holds.take(&gone, &pod.uid);
                    self.held_changed(hold.node, now);
                    self.take_over(queued, *placement, &backups, now);
                    return Tried::Done;
                }
            }
        }
        Tried::NotHeld(queued)
    }

    /// What those take on a node who wait for its backups to go.
    fn promised_on(&self, slot: NodeSlot) -> Resources {
        let mut sum = Resources::default();
        let Some(view) = self.snapshot.nodes.get(slot) else { return sum };
        let waits = |pod: &&Arc<Pod>| self.handovers.waiting.contains_key(&pod.uid);
        view.usage.pods.iter().filter(waits).for_each(|pod| sum.add(&pod.requests));
        sum
    }

    /// The pod is to have the room of these backups.
    fn take_over(&mut self, queued: Queued, placement: Placement, backups: &[Arc<Pod>], now: Time) {
        if backups.is_empty() || self.has(Defect::BoundBeforeRoom) {
            self.assume_and_bind(queued, placement, now);
            return;
        }
        let pod = queued.pod.clone();
        let Placement { slot, node, annotations, feasible: _, volumes } = placement;
        self.denominate(&pod, Some(slot), now);
        self.cache.put(&mut self.snapshot, Placed { pod: pod.clone(), slot, confirmed: false });
        self.cover_assumed(&pod, slot, &annotations, now);
        let keys = backups.iter().map(|backup| backup.key.clone()).collect();
        let waiting = Waiting { slot, backups: keys, asked: false, volumes };
        self.handovers.waiting.insert(pod.uid.clone(), waiting);
        self.snapshot.backups.handed_over.insert(slot);
        let binding = Binding { pod: PodRef::of(&pod), node, annotations };
        let awaits = Awaits::Room { until: now + ROOM_WITHIN };
        self.flights.put(Flight { binding, queued, awaits, failures: 0, volumes: Vec::new() });
        self.wake(&ClusterEvent::PodPlaced(&pod), now);
        self.look_after_taints(now);
        self.ask_backups_to_go(now);
    }

    /// Asks backups to go that pods wait for, where the taint stands or can't be had.
    pub(super) fn ask_backups_to_go(&mut self, now: Time) {
        let may = |(_, waiting): &(&PodUid, &Waiting)| !waiting.asked && self.may_hand_over(waiting.slot);
        let ready: Vec<PodUid> =
            self.handovers.waiting.iter().filter(may).map(|(uid, _)| uid.clone()).collect();
        for uid in ready {
            let Some(waiting) = self.handovers.waiting.get_mut(&uid) else { continue };
            waiting.asked = true;
            let (slot, keys) = (waiting.slot, waiting.backups.clone());
            for key in keys {
                let backup = self.cache.get(&key).map(|placed| Arc::clone(&placed.pod));
                match backup {
                    Some(backup) => self.take_backup_at_once(&backup),
                    // It is gone already.
                    None => self.backup_has_gone(&key, now),
                }
            }
            self.cover.nodes_due.insert(slot);
        }
    }

    /// A backup is gone, by the server's word or the watch's. Who waited for it alone is bound.
    pub(super) fn backup_has_gone(&mut self, key: &PodKey, now: Time) {
        let mut ready = Vec::new();
        for (uid, waiting) in &mut self.handovers.waiting {
            waiting.backups.remove(key);
            if waiting.backups.is_empty() {
                ready.push(uid.clone());
            }
        }
        for uid in ready {
            self.has_room(&uid, now);
        }
    }

    fn has_room(&mut self, uid: &PodUid, now: Time) {
        let Some(Waiting { slot, volumes, .. }) = self.handovers.waiting.remove(uid) else { return };
        self.note_book(slot, now);
        self.handovers.is_due = true;
        let Some(flight) = self.flights.take(uid) else { return };
        if let Some(plan) = volumes {
            self.write_volumes(flight.queued, flight.binding, plan);
        } else {
            self.actions.push_back(Action::Bind(flight.binding.clone()));
            self.flights.put(Flight { awaits: Awaits::Outcome, ..flight });
        }
    }

    /// A pod waits no more for backups to go: it is gone, or has waited too long.
    pub(in crate::state) fn wait_for_room_no_more(&mut self, uid: &PodUid, now: Time) {
        if let Some(waiting) = self.handovers.waiting.remove(uid) {
            self.note_book(waiting.slot, now);
            self.handovers.is_due = true;
        }
    }

    /// Sees to what has become due: holds end, handovers end, taints come and go.
    pub(in crate::state) fn look_after_handovers(&mut self, now: Time) {
        if self.handovers_wake_at() > now {
            return;
        }
        self.handovers.is_due = false;
        self.end_holds(now);
        self.end_handovers(now);
        self.look_after_taints(now);
        self.ask_backups_to_go(now);
    }

    /// When that has to be done again though nothing happens.
    pub(in crate::state) fn handovers_wake_at(&self) -> Time {
        if self.handovers.is_due {
            return Time::ZERO;
        }
        let hold = self.snapshot.backups.holds.next_end();
        let taint = if self.leads { self.handovers.taints.next_due() } else { None };
        hold.into_iter().chain(taint).min().unwrap_or(Time::NEVER)
    }

    /// Whether the watch has not told yet that the pod is on the node.
    fn is_arriving(&self, uid: &PodUid, slot: NodeSlot) -> bool {
        let pods = self.snapshot.nodes.get(slot).into_iter().flat_map(|view| &view.usage.pods);
        let mut arrived = pods.filter(|pod| pod.uid == *uid);
        arrived.any(|pod| self.cache.get(&pod.key).is_some_and(|placed| !placed.confirmed))
    }

    /// Where nobody is awaited any more, and nobody waits, a handover is over.
    fn end_handovers(&mut self, now: Time) {
        let holds = &self.snapshot.backups.holds;
        let arriving = holds.takers().filter(|(uid, slot)| self.is_arriving(uid, *slot));
        let awaited: BTreeSet<NodeSlot> =
            holds.nodes().chain(self.handovers.nodes()).chain(arriving.map(|(_, slot)| slot)).collect();
        let all = std::mem::take(&mut self.snapshot.backups.handed_over);
        let (still, over): (BTreeSet<_>, BTreeSet<_>) =
            all.into_iter().partition(|slot| awaited.contains(slot));
        self.snapshot.backups.handed_over = still;
        for slot in &over {
            self.handovers.taints.outlast(*slot, now);
            self.note_book(*slot, now);
        }
        if !over.is_empty() {
            self.wake(&ClusterEvent::BackupsChanged, now);
        }
    }
}

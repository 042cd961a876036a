//! Placed pods are judged again: when delays of their anchors are told, and when their anchors move.

use std::collections::{BTreeMap, BTreeSet};

use super::bounds::{BoundPod, PlacedBound};
use super::{Action, DelayTurn, PodRef, Queued, State, Violation};
use crate::delay::{
    AnchorNodes, Compared, DelayConstraint, DelayConstraints, DelaySource, is_node, is_replica, is_unheard,
    resolve,
};
use crate::measure::AnchorInUse;
use crate::model::{Delay, NodeName, Pod, PodUid, Time};
use crate::placement::{ClusterEvent, NodeSlot, Snapshot};

// === impl State ===

impl State {
    /// The delay constraints of placed pods that are broken.
    pub fn violations(&self) -> impl Iterator<Item = Violation<'_>> {
        self.bounds.violations()
    }

    /// The nodes that pods want to be near, for the plan of who measures whom: one for each node and bound, in order.
    pub fn anchors_in_use(&self) -> Vec<AnchorInUse> {
        let mut in_use: BTreeMap<(NodeSlot, Delay), (bool, BTreeSet<NodeSlot>)> = BTreeMap::new();
        for Queued { pod, .. } in self.queue.iter() {
            let constraints = DelayConstraints::of_pod(pod).unwrap_or_default();
            for DelayConstraint { anchor, bound } in constraints.list {
                let Ok(AnchorNodes::On(slots)) = resolve(&self.snapshot, pod, &anchor) else { continue };
                for slot in slots {
                    in_use.entry((slot, bound)).or_default().0 = true;
                }
            }
        }
        for BoundPod { slot: user, bounds, .. } in self.bounds.iter() {
            for PlacedBound { constraint, anchors, .. } in bounds {
                for anchor in anchors {
                    in_use.entry((*anchor, constraint.bound)).or_default().1.insert(*user);
                }
            }
        }
        let name = |slot: NodeSlot| self.snapshot.nodes.name(slot).cloned();
        let anchors = in_use.into_iter().filter_map(|((node, bound), (waiting, users))| {
            let users = users.into_iter().filter_map(name).collect();
            let broken_over = self.snapshot.delays.rules().hysteresis.limit(bound);
            Some(AnchorInUse { node: name(node)?, bound, broken_over, waiting, users })
        });
        anchors.collect()
    }

    /// The cluster changed, and the anchors of placed pods may be elsewhere by that.
    pub(super) fn note_moved_anchors(&mut self, event: &ClusterEvent<'_>) {
        match event {
            ClusterEvent::PodPlaced(pod) | ClusterEvent::PodFreed(pod) => self.bounds.replica_moved(pod),
            ClusterEvent::PodUpdated { old, new } => {
                self.bounds.replica_moved(old);
                self.bounds.replica_moved(new);
            }
            ClusterEvent::NodeAdded(_) | ClusterEvent::NodeRemoved(_) | ClusterEvent::NodeSuspect(_) => {
                self.bounds.nodes_changed();
            }
            ClusterEvent::NodeUpdated { old, new } if is_unheard(old) != is_unheard(new) => {
                self.bounds.nodes_changed();
            }
            ClusterEvent::NodeUpdated { .. }
            | ClusterEvent::DelaysChanged(_)
            | ClusterEvent::NamespaceChanged { .. }
            | ClusterEvent::BackupsChanged
            | ClusterEvent::Storage(_)
            | ClusterEvent::SelectorChanged { .. } => (),
        }
    }

    /// Finds the anchors of placed pods again that may be elsewhere by now.
    pub(super) fn find_anchors(&mut self, now: Time) {
        let mut used = Vec::new();
        for uid in self.bounds.take_unsure() {
            let Some(bound_pod) = self.bounds.get(&uid) else { continue };
            let (pod, slot) = (bound_pod.pod.clone(), bound_pod.slot);
            let found =
                bound_pod.bounds.iter().map(|it| anchors_beside(&self.snapshot, &pod, slot, &it.constraint));
            for (idx, anchors) in found.collect::<Vec<_>>().into_iter().enumerate() {
                used.extend(anchors.iter().filter_map(|slot| self.snapshot.nodes.name(*slot).cloned()));
                if self.bounds.move_anchors(&uid, idx, anchors) {
                    self.cover_due(&uid);
                    self.judge_moved(&uid, idx, now);
                }
            }
        }
        self.use_delays(&used);
    }

    /// A report by this source says something of these pairs.
    pub(super) fn judge_between(
        &mut self,
        from: NodeSlot,
        peers: &[NodeSlot],
        source: DelaySource,
        now: Time,
    ) {
        for peer in peers {
            for (anchor, slot) in [(from, *peer), (*peer, from)] {
                for (uid, idx) in self.bounds.between(anchor, slot) {
                    // Of two directions the report tells one. It is no second word for what the other one says.
                    let said = self.snapshot.delays.measured().said(source, from, *peer, now);
                    if self.snapshot.delays.counts(anchor, slot, now) == Some(source)
                        && let Some(said) = said
                    {
                        self.judge(&uid, idx, source, Some(said), now);
                    }
                }
            }
        }
    }

    /// A file says something of all delays from this node.
    pub(super) fn judge_around(&mut self, anchor: NodeSlot, now: Time) {
        for (uid, idx) in self.bounds.around(anchor) {
            let slot = self.bounds.get(&uid).map(|pod| pod.slot);
            if slot.and_then(|slot| self.snapshot.delays.counts(anchor, slot, now)) == Some(DelaySource::File)
            {
                self.judge(&uid, idx, DelaySource::File, None, now);
            }
        }
    }

    /// An anchor of a placed pod is elsewhere now. What is known already counts as one report.
    fn judge_moved(&mut self, uid: &PodUid, idx: usize, now: Time) {
        let Some(bound_pod) = self.bounds.get(uid) else { return };
        let Some((from, _)) =
            bound_pod.bounds.get(idx).and_then(|it| it.measured(&self.snapshot, bound_pod.slot, now))
        else {
            return;
        };
        // What has become stale since it was looked at last is no report.
        let Some(source) = self.snapshot.delays.counts(from, bound_pod.slot, now) else { return };
        if !self.snapshot.delays.is_unheard(from) {
            self.judge(uid, idx, source, None, now);
        }
    }

    /// Judges a constraint of a placed pod by one more report, which said this of one of its delays.
    fn judge(&mut self, uid: &PodUid, idx: usize, source: DelaySource, said: Option<Delay>, now: Time) {
        let hysteresis = self.snapshot.delays.rules().hysteresis;
        let Some(bound_pod) = self.bounds.get(uid) else { return };
        let (pod, slot) = (bound_pod.pod.clone(), bound_pod.slot);
        let Some(bound) = bound_pod.bounds.get(idx) else { return };
        let Some((from, delay)) = bound.measured(&self.snapshot, slot, now) else { return };
        let limit = bound.constraint.bound;
        let compared = Compared::of(delay, limit, hysteresis);
        let agrees = said.is_none_or(|said| Compared::of(said, limit, hysteresis) == compared);
        if !agrees && compared != Compared::Between {
            return;
        }
        let Some(bound) = self.bounds.bound_mut(uid, idx) else { return };
        let Some(turn) = bound.standing.observe(compared, source) else { return };
        bound.turned = Some((now, from, delay));
        let constraint = bound.constraint.clone();
        self.moves_due(now);
        if self.leads {
            let from = self.snapshot.nodes.name(from).cloned().unwrap_or_else(|| NodeName::from(""));
            let scheduler_name = pod.scheduler_name.clone();
            let turn = DelayTurn { pod: PodRef::of(&pod), scheduler_name, constraint, from, delay, turn };
            self.actions.push_back(Action::AnnounceDelay(turn));
        }
    }
}

/// The nodes that an anchor of a placed pod is on, beside the pod itself: a replica is near itself only if there is
/// another one.
fn anchors_beside(
    snapshot: &Snapshot,
    pod: &Pod,
    slot: NodeSlot,
    constraint: &DelayConstraint,
) -> Vec<NodeSlot> {
    let anchor = &constraint.anchor;
    let Ok(AnchorNodes::On(mut slots)) = resolve(snapshot, pod, anchor) else { return Vec::new() };
    if is_replica(pod, anchor, pod) && !is_node(snapshot, anchor) {
        let is_another =
            |other: &Pod| other.uid != pod.uid && !other.terminating && is_replica(pod, anchor, other);
        let another =
            snapshot.nodes.get(slot).is_some_and(|it| it.usage.pods.iter().any(|other| is_another(other)));
        slots.retain(|it| *it != slot || another);
    }
    slots
}

//! Pods are taken off failed nodes.

use std::time::Duration;

use super::evidence::Door;
use super::fate::{Fate, is_healed};
use super::{Knock, State};
use crate::health::{Haste, LeaseSeen};
use crate::model::{Name, NodeName, Pod, Time, Version};
use crate::placement::{NodeSlot, NodeView};
use crate::state::{Action, Defect, PodRef};

/// A pod to be taken off a failed node: it is given the condition `DisruptionTarget` and deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// The pod. Its UID goes into the requests, so that a new pod of the same name is left alone.
    pub pod: PodRef,
    /// Its generation, for the condition's `observedGeneration`.
    pub generation: i64,
    /// Which profile placed it.
    pub scheduler_name: Name,
    /// The node.
    pub node: NodeName,
    /// The version in which the node's Lease was last seen: if it has another one by now, the node lives and the pod
    /// is left alone.
    pub lease: Option<Version>,
    /// The Job that the pod belongs to: it is left alone if its end would use up what may fail of the Job.
    pub job: Option<Name>,
    /// Whether it is removed at once: somebody has seen to it that the node is off, so nobody else would.
    pub is_fenced: bool,
}

/// How it ended. The variants are named by what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvictOutcome {
    /// The pod goes.
    Deleted,
    /// It was gone already.
    Gone,
    /// The node's Lease was renewed: this is its version. Nothing was written.
    Renewed(Version),
    /// The pod is to stay, and why.
    Refused(String),
    /// It may or may not have been written; it is tried again.
    Failed(String),
}

/// A pod was taken off a failed node: an event on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// The pod.
    pub pod: PodRef,
    /// Which profile placed it.
    pub scheduler_name: Name,
    /// The node.
    pub node: NodeName,
    /// Why it stays, if it does.
    pub refused: Option<String>,
}

/// A pod that was asked to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    slot: NodeSlot,
    /// Until then it is not asked again; none while the request is on its way.
    rests_until: Option<Time>,
}

/// A pod that can't be asked, or was, is asked again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// The same of a pod that is to stay.
const REFUSED_FOR: Duration = Duration::from_mins(5);
/// What a knock told is true for so long.
const KNOCK_HOLDS: Duration = Duration::from_secs(3);
/// A request to knock that nobody answered is made again after this.
const KNOCK_LOST: Duration = Duration::from_secs(10);
/// The taint by which somebody says that a node is off, and that its volumes may be used elsewhere (upstream:
/// `core/v1.TaintNodeOutOfService`).
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

// === impl Asked ===

impl Asked {
    pub(super) fn is_on_its_way(&self) -> bool {
        self.rests_until.is_none()
    }
}

// === impl State ===

impl State {
    /// Asks the pods of failed nodes to go that may.
    pub(super) fn fail_over(&mut self, now: Time) {
        self.healing.asked.retain(|_, asked| asked.rests_until.is_none_or(|until| now < until));
        let unwell = self.healing.detector.unwell().filter(|(_, verdict)| !verdict.is_alive());
        let many = if self.has(Defect::FirstLossOnly) { 1 } else { usize::MAX };
        let unwell: Vec<NodeSlot> = unwell.take(many).map(|(slot, _)| slot).collect();
        for slot in unwell {
            let haste = self.healing.detector.haste(slot, now);
            let least = if self.healing.detector.is_failed(slot) || self.has(Defect::ProbesAlone) {
                if self.has(Defect::StatefulToo) { Fate::AfterFencing } else { Fate::Goes }
            } else if haste != Haste::None {
                Fate::GoesQuickly
            } else {
                continue;
            };
            let evictions = self.evictions(slot, least);
            if evictions.is_empty() || !self.may_begin(slot, now) {
                continue;
            }
            // An answer takes its time, so it is asked for before it is needed.
            if least == Fate::GoesQuickly && !(self.is_silent(slot, now) && haste == Haste::Go) {
                continue;
            }
            self.begin(slot, now);
            for eviction in evictions {
                let asked = Asked { slot, rests_until: None };
                self.healing.asked.insert(eviction.pod.uid.clone(), asked);
                self.actions.push_back(Action::Evict(eviction));
            }
        }
    }

    /// The next pods of a node that may go, anchors of others first, as many as may be asked at once.
    fn evictions(&self, slot: NodeSlot, least: Fate) -> Vec<Eviction> {
        let Some(view) = self.snapshot.nodes.get(slot) else { return Vec::new() };
        let is_fenced =
            least == Fate::Goes && view.node.taints.iter().any(|taint| &*taint.key == OUT_OF_SERVICE);
        let least = if is_fenced { Fate::AfterFencing } else { least };
        let under_way =
            self.healing.asked.values().filter(|it| it.slot == slot && it.is_on_its_way()).count();
        let room = self.healing.rules.parallel.saturating_sub(under_way);
        let goes = |pod: &&std::sync::Arc<Pod>| {
            // Kubernetes deletes what doesn't tolerate the fence, and then waits for the kubelet that is no more.
            (!pod.terminating || is_fenced)
                && !self.healing.asked.contains_key(&pod.uid)
                && self.heals(pod)
                && Fate::of(pod, &self.snapshot) >= least
                && (least != Fate::GoesQuickly || self.rule_of(pod).failover.is_fast)
                && self.cache.get(&pod.key).is_some_and(|placed| placed.confirmed)
        };
        let mut pods: Vec<_> = view.usage.pods.iter().filter(goes).collect();
        pods.sort_by_key(|pod| (!self.bounds.is_anchor(pod), -i64::from(pod.priority), pod.key.clone()));
        pods.truncate(room);
        pods.into_iter().map(|pod| self.eviction(pod, view, is_fenced)).collect()
    }

    fn eviction(&self, pod: &Pod, view: NodeView<'_>, is_fenced: bool) -> Eviction {
        let job = pod.owner.as_ref().filter(|owner| &*owner.kind == "Job").map(|owner| owner.name.clone());
        Eviction {
            pod: PodRef::of(pod),
            generation: pod.generation,
            scheduler_name: pod.scheduler_name.clone(),
            node: view.node.name.clone(),
            lease: self.healing.detector.lease_version(view.slot),
            job,
            is_fenced,
        }
    }

    /// Whether it is ours to see to the pod.
    pub(super) fn heals(&self, pod: &Pod) -> bool {
        self.profile_by_name.contains_key(&pod.scheduler_name)
            && self.rule_of(pod).failover.is_on
            && is_healed(pod)
    }

    /// Whether pods of this node may be asked now; if another node's were just begun with, it waits.
    fn may_begin(&mut self, slot: NodeSlot, now: Time) -> bool {
        if self.healing.begun.contains_key(&slot) {
            return true;
        }
        // A node that was reached in between is no further one.
        let last = self.healing.last_begun.filter(|(last, _)| *last != slot);
        let free_at = last.map_or(now, |(_, at)| at + self.healing.rules.node_every);
        if free_at > now {
            self.healing.next_pass = self.healing.next_pass.min(free_at);
        }
        free_at <= now
    }

    fn begin(&mut self, slot: NodeSlot, now: Time) {
        if self.healing.begun.insert(slot, now).is_none() {
            self.healing.last_begun = Some((slot, now));
        }
    }

    /// Whether a suspect node answers nobody; if that is not known, it is asked.
    fn is_silent(&mut self, slot: NodeSlot, now: Time) -> bool {
        match self.healing.doors.get(&slot) {
            Some(Door { at, knock: Some(knock) }) if now < *at + KNOCK_HOLDS => {
                return *knock == Knock::Silent;
            }
            Some(Door { at, knock: None }) if now < *at + KNOCK_LOST => return false,
            Some(_) | None => (),
        }
        if let Some(name) = self.snapshot.nodes.name(slot) {
            self.actions.push_back(Action::Knock(name.clone()));
            self.healing.doors.insert(slot, Door { at: now, knock: None });
        }
        false
    }

    pub(in crate::state) fn apply_evicted(&mut self, eviction: &Eviction, outcome: EvictOutcome, now: Time) {
        let Eviction { pod, scheduler_name, node, .. } = eviction;
        let slot = self.snapshot.nodes.slot_of(node);
        let (rest, refused) = match outcome {
            // The watch tells that it goes; if it did not, it would be asked again.
            EvictOutcome::Deleted => (REFUSED_FOR, Some(None)),
            EvictOutcome::Gone => (REFUSED_FOR, None),
            EvictOutcome::Renewed(version) => {
                let seen = LeaseSeen { node: node.clone(), version };
                self.healing.detector.see_lease(slot, &seen, now);
                (AGAIN_AFTER, None)
            }
            EvictOutcome::Refused(why) => (REFUSED_FOR, Some(Some(why))),
            EvictOutcome::Failed(_) => (AGAIN_AFTER, None),
        };
        if let Some(refused) = refused {
            let (pod, scheduler_name) = (pod.clone(), scheduler_name.clone());
            let node = node.clone();
            self.actions.push_back(Action::AnnounceEvicted(Evicted { pod, scheduler_name, node, refused }));
        }
        self.healing.asked.insert(pod.uid.clone(), Asked { slot, rests_until: Some(now + rest) });
        self.healing.next_pass = now;
    }
}

//! Keeping the promise: pods whose delay constraints are broken go where they are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::moves::REST;
use super::relocation::{MoveReason, MoveTurn};
use crate::model::{Pod, PodUid, Time};
use crate::moves::{Link, in_order};
use crate::placement::{Better, NodeSlot, WorkloadRef, better_place};
use crate::state::{Defect, State, Violation};

/// How many pods are judged in one go.
const AT_ONCE: usize = 8;

/// A pod whose delay constraint is broken.
#[derive(Clone, Debug)]
struct Broken {
    pod: Arc<Pod>,
    slot: NodeSlot,
    owner: WorkloadRef,
    /// In words.
    because: String,
}

// === impl State ===

impl State {
    /// Begins to move pods whose constraints are broken; whether there are such pods.
    pub(super) fn keep_promises(&mut self, now: Time) -> bool {
        let broken = self.broken();
        let uids: BTreeSet<&PodUid> = broken.iter().map(|it| &it.pod.uid).collect();
        let steps = &self.healing.moves.steps;
        self.healing.moves.told.retain(|uid| uids.contains(uid) || steps.contains_key(uid));
        if broken.is_empty() || self.may_not_move() {
            return !broken.is_empty();
        }
        let mut judged = 0;
        for it in &broken {
            let rhythm = self.move_rule_of(&it.pod.scheduler_name).rhythm;
            let is_free =
                self.healing.moves.pace.free_at(rhythm) <= now || self.has(Defect::MovesWithoutMeasure);
            if !is_free || judged >= AT_ONCE {
                break;
            }
            if self.waits(it, now) {
                continue;
            }
            judged += 1;
            self.keep_promise(it, now);
        }
        true
    }

    /// The pods whose constraints are broken, of profiles that move them, in the order in which they go.
    fn broken(&self) -> Vec<Broken> {
        let mut by_pod: BTreeMap<PodUid, Broken> = BTreeMap::new();
        for violation in self.violations() {
            let Violation { pod, slot, .. } = violation;
            if !pod.terminating
                && !by_pod.contains_key(&pod.uid)
                && self.move_rule_of(&pod.scheduler_name).keeps_promise
            {
                let (pod, owner) = (Arc::clone(pod), WorkloadRef::top_of(pod));
                let because = self.say(&violation);
                by_pod.insert(pod.uid.clone(), Broken { pod, slot, owner, because });
            }
        }
        if by_pod.len() < 2 {
            return by_pod.into_values().collect();
        }
        let mut named: BTreeMap<String, BTreeSet<&WorkloadRef>> = BTreeMap::new();
        for owner in by_pod.values().map(|it| &it.owner) {
            named.entry(owner.name.to_string()).or_default().insert(owner);
            named.entry(format!("{}.{}", owner.name, owner.namespace)).or_default().insert(owner);
        }
        let anchors = |pod: &Pod| -> BTreeSet<WorkloadRef> {
            let names = self.bounds.anchors_of(&pod.uid).filter_map(|name| Some((name, named.get(&**name)?)));
            let owners = names.flat_map(|(name, owners)| owners.iter().map(move |owner| (name, *owner)));
            owners
                .filter(|(name, owner)| is_meant(name, pod, owner))
                .map(|(_, owner)| owner.clone())
                .collect()
        };
        let link = |it: &Broken| Link { workload: it.owner.clone(), anchors: anchors(&it.pod) };
        let order = in_order(&by_pod.values().map(link).collect::<Vec<_>>());
        let rank: BTreeMap<WorkloadRef, usize> = order.into_iter().zip(0..).collect();
        let mut broken: Vec<Broken> = by_pod.into_values().collect();
        broken.sort_by_key(|it| (rank.get(&it.owner).copied(), it.pod.key.clone()));
        broken
    }

    fn say(&self, violation: &Violation<'_>) -> String {
        let Violation { constraint, from, delay, .. } = violation;
        let node = self.snapshot.nodes.name(*from).map_or("", |name| name.as_str());
        format!(
            "the delay to {} on node {node} is {delay} ms, over the bound of {} ms",
            constraint.anchor, constraint.bound
        )
    }

    /// Whether a pod waits for its turn.
    fn waits(&self, it: &Broken, now: Time) -> bool {
        let Broken { pod, slot: _, owner, because: _ } = it;
        let moves = &self.healing.moves;
        let rhythm = self.move_rule_of(&pod.scheduler_name).rhythm;
        let placed = self.bounds.get(&pod.uid).map_or(now, |bound| bound.since);
        moves.steps.contains_key(&pod.uid)
            || moves.rests.contains_key(&pod.uid)
            || moves.pace.stays_until(owner, placed, rhythm) > now
            || self.is_incomplete(owner)
            // Its anchor is on its way: it is judged by where that goes.
            || moves.steps.values().any(|step| step.owner != *owner && self.follows(pod, &step.owner))
    }

    fn follows(&self, pod: &Pod, owner: &WorkloadRef) -> bool {
        self.bounds.anchors_of(&pod.uid).any(|name| is_meant(name, pod, owner))
    }

    fn keep_promise(&mut self, it: &Broken, now: Time) {
        let Broken { pod, slot, owner: _, because } = it;
        if let Some(why) = self.why_not_moved(pod, *slot) {
            self.rest_of(pod, now);
            if !why.is_empty() {
                self.tell_unmoved(pod, MoveReason::Delay, because.clone(), MoveTurn::Stays(why));
            }
            return;
        }
        let idx = self.profile_by_name.get(&pod.scheduler_name).copied();
        let Some(profile) = idx.and_then(|idx| self.config.profiles.get(idx)) else { return };
        match better_place(&mut self.snapshot, pod, profile, *slot) {
            Better::There(to) => {
                self.begin_move(pod, [*slot, to], (MoveReason::Delay, because.clone()), now);
            }
            Better::Here => self.rest_of(pod, now),
            Better::AwaitDelays(nodes) => {
                self.use_delays(&nodes);
                self.rest_of(pod, now);
            }
            Better::Nowhere(why) => {
                self.rest_of(pod, now);
                self.tell_unmoved(pod, MoveReason::Delay, because.clone(), MoveTurn::Nowhere(why));
            }
        }
    }

    /// The pod is looked at again after a while.
    fn rest_of(&mut self, pod: &Pod, now: Time) {
        self.healing.moves.rests.insert(pod.uid.clone(), now + REST / 6);
    }
}

/// Whether a pod means this workload by an anchor of this name.
fn is_meant(name: &str, pod: &Pod, owner: &WorkloadRef) -> bool {
    if name == &*owner.name {
        return owner.namespace == pod.key.namespace;
    }
    name.strip_suffix(&*owner.namespace).and_then(|rest| rest.strip_suffix('.')) == Some(&*owner.name)
}

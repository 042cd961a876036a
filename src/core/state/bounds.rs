//! The delay constraints of placed pods: whether each still holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::delay::{DelayConstraint, DelayConstraints, Replicas, Standing};
use crate::model::{Delay, Name, Pod, PodUid, Time};
use crate::placement::{NodeSlot, Snapshot, WorkloadRef};

/// The placed pods that have delay constraints.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pods: BTreeMap<PodUid, BoundPod>,
    /// By the node of an anchor and the pod's own.
    by_pair: BTreeMap<(NodeSlot, NodeSlot), BTreeSet<PodUid>>,
    /// By the anchors' names, as the pods give them.
    by_name: HashMap<Name, BTreeSet<PodUid>>,
    /// Those whose anchors may be elsewhere by now.
    unsure: Unsure,
}

/// Pods whose anchors are to be found again.
#[derive(Debug)]
enum Unsure {
    /// All of them.
    All,
    /// These.
    These(BTreeSet<PodUid>),
}

/// A placed pod that has delay constraints.
#[derive(Debug)]
pub(super) struct BoundPod {
    /// The pod.
    pub(super) pod: Arc<Pod>,
    /// Where it is.
    pub(super) slot: NodeSlot,
    /// Since when it is known to be there.
    pub(super) since: Time,
    /// Its constraints.
    pub(super) bounds: Vec<PlacedBound>,
}

/// A delay constraint of a placed pod.
#[derive(Clone, Debug)]
pub(super) struct PlacedBound {
    /// The constraint.
    pub(super) constraint: DelayConstraint,
    /// Which replicas of the anchor count.
    pub(super) replicas: Replicas,
    /// The nodes that the anchor is on beside the pod itself; none if that is not known.
    pub(super) anchors: Vec<NodeSlot>,
    /// Whether it holds.
    pub(super) standing: Standing,
    /// Since when it is so, with the delay seen then.
    pub(super) turned: Option<(Time, NodeSlot, Delay)>,
}

/// A delay constraint of a placed pod is broken.
#[derive(Clone, Copy, Debug)]
pub struct Violation<'a> {
    /// The pod.
    pub pod: &'a Arc<Pod>,
    /// Where it is.
    pub slot: NodeSlot,
    /// The constraint.
    pub constraint: &'a DelayConstraint,
    /// The node of the anchor that the delay was measured from.
    pub from: NodeSlot,
    /// The delay when it was found broken.
    pub delay: Delay,
    /// When that was.
    pub since: Time,
}

// === impl Bounds ===

impl Bounds {
    /// A pod is on a node, or changed there.
    pub(super) fn put(&mut self, pod: &Arc<Pod>, slot: NodeSlot, now: Time) {
        let known = self.take(&pod.uid);
        let Ok(DelayConstraints { list, replicas }) = DelayConstraints::of_pod(pod) else { return };
        if list.is_empty() {
            return;
        }
        let known = known.filter(|known| known.slot == slot);
        let since = known.as_ref().map_or(now, |known| known.since);
        let known = known.map_or_else(Vec::new, |known| known.bounds);
        let bound = |constraint: DelayConstraint| {
            let before = known.iter().find(|it| it.constraint == constraint && it.replicas == replicas);
            before.cloned().unwrap_or_else(|| PlacedBound::new(constraint, replicas))
        };
        let bounds: Vec<PlacedBound> = list.into_iter().map(bound).collect();
        for bound in &bounds {
            let name = bound.constraint.anchor.name.clone();
            self.by_name.entry(name).or_default().insert(pod.uid.clone());
            for anchor in &bound.anchors {
                self.by_pair.entry((*anchor, slot)).or_default().insert(pod.uid.clone());
            }
        }
        self.unsure.add(&pod.uid);
        self.pods.insert(pod.uid.clone(), BoundPod { pod: Arc::clone(pod), slot, since, bounds });
    }

    /// A pod is on no node any more.
    pub(super) fn remove(&mut self, uid: &PodUid) {
        self.take(uid);
    }

    fn take(&mut self, uid: &PodUid) -> Option<BoundPod> {
        let pod = self.pods.remove(uid)?;
        for bound in &pod.bounds {
            drop_from(&mut self.by_name, &bound.constraint.anchor.name, uid);
            for anchor in &bound.anchors {
                self.leave_pair((*anchor, pod.slot), uid);
            }
        }
        Some(pod)
    }

    fn leave_pair(&mut self, pair: (NodeSlot, NodeSlot), uid: &PodUid) {
        if let Some(uids) = self.by_pair.get_mut(&pair) {
            uids.remove(uid);
            if uids.is_empty() {
                self.by_pair.remove(&pair);
            }
        }
    }

    /// A replica of these workloads came, went or changed.
    pub(super) fn replica_moved(&mut self, replica: &Pod) {
        if self.pods.is_empty() {
            return;
        }
        for WorkloadRef { kind: _, namespace, name } in WorkloadRef::of_pod(replica) {
            let elsewhere = format!("{name}.{namespace}");
            for name in [&*name, elsewhere.as_str()] {
                for uid in self.by_name.get(name).into_iter().flatten() {
                    self.unsure.add(uid);
                }
            }
        }
    }

    /// Whether a pod that is on a node names a workload of this one as its anchor.
    pub(super) fn is_anchor(&self, pod: &Pod) -> bool {
        !self.by_name.is_empty()
            && WorkloadRef::of_pod(pod).iter().any(|WorkloadRef { kind: _, namespace, name }| {
                self.by_name.contains_key(name)
                    || self.by_name.contains_key(format!("{name}.{namespace}").as_str())
            })
    }

    /// A node came, went, or is heard of other than before, so that any anchor may be elsewhere.
    pub(super) fn nodes_changed(&mut self) {
        if !self.pods.is_empty() {
            self.unsure = Unsure::All;
        }
    }

    /// Whether there are pods whose anchors are to be found again.
    pub(super) fn is_unsure(&self) -> bool {
        !matches!(&self.unsure, Unsure::These(uids) if uids.is_empty())
    }

    /// The pods whose anchors are to be found again; the caller does.
    pub(super) fn take_unsure(&mut self) -> Vec<PodUid> {
        match std::mem::take(&mut self.unsure) {
            Unsure::All => self.pods.keys().cloned().collect(),
            Unsure::These(uids) => uids.into_iter().collect(),
        }
    }

    /// The anchors of a pod's constraint are here. Whether they were elsewhere.
    pub(super) fn move_anchors(&mut self, uid: &PodUid, idx: usize, anchors: Vec<NodeSlot>) -> bool {
        let Some(pod) = self.pods.get_mut(uid) else { return false };
        let slot = pod.slot;
        let Some(bound) = pod.bounds.get_mut(idx).filter(|bound| bound.anchors != anchors) else {
            return false;
        };
        if anchors.is_empty() {
            // It can't be told any more whether it holds.
            bound.standing = Standing::default();
            bound.turned = None;
        }
        let old = std::mem::replace(&mut bound.anchors, anchors.clone());
        for anchor in old {
            let is_other = |bound: &PlacedBound| bound.anchors.contains(&anchor);
            if !self.pods.get(uid).is_some_and(|pod| pod.bounds.iter().any(is_other)) {
                self.leave_pair((anchor, slot), uid);
            }
        }
        for anchor in anchors {
            self.by_pair.entry((anchor, slot)).or_default().insert(uid.clone());
        }
        true
    }

    /// A placed pod that has constraints.
    pub(super) fn get(&self, uid: &PodUid) -> Option<&BoundPod> {
        self.pods.get(uid)
    }

    /// A constraint of a placed pod.
    pub(super) fn bound_mut(&mut self, uid: &PodUid, idx: usize) -> Option<&mut PlacedBound> {
        self.pods.get_mut(uid)?.bounds.get_mut(idx)
    }

    /// The pods on a node that have an anchor on another, and which of their constraints that is.
    pub(super) fn between(&self, anchor: NodeSlot, slot: NodeSlot) -> Vec<(PodUid, usize)> {
        let uids = self.by_pair.get(&(anchor, slot)).into_iter().flatten();
        uids.flat_map(|uid| self.bounds_to(uid, anchor)).collect()
    }

    /// The pods that have an anchor on a node, with where they are.
    pub(super) fn around(&self, anchor: NodeSlot) -> Vec<(PodUid, usize)> {
        let pairs = self.by_pair.range((anchor, NodeSlot(0))..=(anchor, NodeSlot(u32::MAX)));
        pairs.flat_map(|(_, uids)| uids).flat_map(|uid| self.bounds_to(uid, anchor)).collect()
    }

    fn bounds_to<'a>(
        &'a self,
        uid: &'a PodUid,
        anchor: NodeSlot,
    ) -> impl Iterator<Item = (PodUid, usize)> + 'a {
        let bounds = self.pods.get(uid).into_iter().flat_map(|pod| pod.bounds.iter().enumerate());
        bounds.filter(move |(_, it)| it.anchors.contains(&anchor)).map(|(idx, _)| (uid.clone(), idx))
    }

    /// The placed pods that have constraints.
    pub(super) fn iter(&self) -> impl Iterator<Item = &BoundPod> {
        self.pods.values()
    }

    /// The anchors of a pod, as it names them.
    pub(super) fn anchors_of(&self, uid: &PodUid) -> impl Iterator<Item = &Name> {
        self.pods.get(uid).into_iter().flat_map(|pod| &pod.bounds).map(|bound| &bound.constraint.anchor.name)
    }

    /// Whether a constraint of this pod is broken.
    pub(super) fn is_broken(&self, uid: &PodUid) -> bool {
        self.pods.get(uid).is_some_and(|pod| pod.bounds.iter().any(|bound| bound.standing.is_broken()))
    }

    /// The constraints that are broken.
    pub(super) fn violations(&self) -> impl Iterator<Item = Violation<'_>> {
        self.pods.values().flat_map(|BoundPod { pod, slot, bounds, .. }| {
            bounds.iter().filter(|bound| bound.standing.is_broken()).filter_map(|bound| {
                let (since, from, delay) = bound.turned?;
                Some(Violation { pod, slot: *slot, constraint: &bound.constraint, from, delay, since })
            })
        })
    }
}

fn drop_from(index: &mut HashMap<Name, BTreeSet<PodUid>>, name: &Name, uid: &PodUid) {
    if let Some(uids) = index.get_mut(name) {
        uids.remove(uid);
        if uids.is_empty() {
            index.remove(name);
        }
    }
}

// === impl Unsure ===

impl Default for Unsure {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl Unsure {
    fn add(&mut self, uid: &PodUid) {
        match self {
            Self::All => (),
            Self::These(uids) => _ = uids.insert(uid.clone()),
        }
    }
}

// === impl PlacedBound ===

impl PlacedBound {
    fn new(constraint: DelayConstraint, replicas: Replicas) -> Self {
        Self { constraint, replicas, anchors: Vec::new(), standing: Standing::default(), turned: None }
    }

    /// The delay that counts for the node in `slot`, and where it is measured from: to the nearest replica, or, where
    /// all count, to the farthest. None if those that are not known may be what matters. What is stale by `now`
    /// is not known here, though it may count for those who are to be placed: it is no news of whether the bound is kept.
    pub(super) fn measured(
        &self,
        snapshot: &Snapshot,
        slot: NodeSlot,
        now: Time,
    ) -> Option<(NodeSlot, Delay)> {
        let delays = &snapshot.delays;
        let to = |from: &NodeSlot| {
            let is_fresh = || delays.counts(*from, slot, now).is_some();
            let known = || delays.row(*from)?.to(slot).filter(|_| is_fresh());
            Some((*from, if *from == slot { Delay::ZERO } else { known()? }))
        };
        let known: Vec<(NodeSlot, Delay)> = self.anchors.iter().filter_map(to).collect();
        let is_complete = known.len() == self.anchors.len();
        let is_within = |delay: Delay| delay <= self.constraint.bound;
        let known = known.into_iter();
        match self.replicas {
            Replicas::Nearest => {
                known.min_by_key(|(_, it)| *it).filter(|(_, it)| is_complete || is_within(*it))
            }
            Replicas::All => known.max_by_key(|(_, it)| *it).filter(|(_, it)| is_complete || !is_within(*it)),
        }
    }
}

//! Where a pod that is on a node could be instead, and what would become of its cover there.

use std::cmp::Reverse;
use std::sync::Arc;

use super::cycle::by_score;
use super::filters::{Filters, Prepared, diagnose, find_feasible, prepare};
use super::{
    BACKUP_LABEL, BACKUP_NAMESPACE, BackupSearch, Cycle, FitError, NodeSlot, Profile, Snapshot, Trial, Usage,
    unplaced,
};
use crate::cover::Covered;
use crate::model::{NodeName, Pod, PodUid};
use crate::moves::{Board, Hop, Resident};

/// What there is for a pod that should be somewhere else.
#[derive(Debug)]
pub enum Better {
    /// This node: the best one of those that it fits on, with a backup if it is to have one.
    There(NodeSlot),
    /// The node that it is on admits it after all.
    Here,
    /// No node, and why.
    Nowhere(String),
    /// Delays from these nodes have to be loaded first.
    AwaitDelays(Vec<NodeName>),
}

/// How many nodes are looked at for one that leaves another one for the pod's backup.
const MAX_TRIES: usize = 16;
/// How many nodes a pod may be moved to are tried, where another one needs its room.
const MAX_PLACES: usize = 16;
/// How many pods of a node may be moved for another one.
const MAX_RESIDENTS: usize = 32;

/// Looks for a better place of a pod that is on `from`. Until it has gone from there it takes up room on both. If it
/// has a backup only nodes count that leave another one for that.
pub fn better_place(snapshot: &mut Snapshot, pod: &Arc<Pod>, profile: &Profile, from: NodeSlot) -> Better {
    let cover = snapshot.take_out(pod, from);
    let judged = unplaced(pod);
    let is_good = prepare(Cycle::within(&judged, snapshot, profile), profile).admits(snapshot, from);
    let better = if is_good {
        Better::Here
    } else {
        let ends = ghost(pod);
        count(snapshot, from, |usage| usage.add(&ends));
        let better = look_around(snapshot, &judged, profile, cover.is_some());
        count(snapshot, from, |usage| usage.remove(&ends));
        better
    };
    snapshot.put_back(pod, from, cover);
    better
}

/// What is left of a pod that ends: nothing but its requests and its ports count.
fn ghost(pod: &Pod) -> Arc<Pod> {
    let uid = PodUid::new(format!("ends/{}", pod.uid));
    let (requests, non_zero, ports) = (pod.requests.clone(), pod.non_zero, pod.ports.clone());
    let Pod { priority, vmis, .. } = pod;
    let plain = Pod::pending(&pod.key.namespace, &pod.key.name);
    Arc::new(Pod { uid, requests, non_zero, ports, priority: *priority, vmis: *vmis, ..plain })
}

fn count(snapshot: &mut Snapshot, slot: NodeSlot, change: impl FnOnce(&mut Usage)) {
    if let Some(usage) = snapshot.nodes.usage_mut(slot) {
        change(usage);
    }
}

fn look_around(snapshot: &Snapshot, pod: &Pod, profile: &Profile, covered: bool) -> Better {
    let cycle = Cycle::within(pod, snapshot, profile);
    let num_nodes = snapshot.nodes.len();
    let nowhere =
        |diagnosis| Better::Nowhere(FitError { num_nodes, diagnosis, ..FitError::default() }.to_string());
    let filters = match prepare(cycle, profile) {
        Prepared::Filters(filters) => filters,
        Prepared::Rejected(_, diagnosis) => return nowhere(diagnosis),
        Prepared::AwaitDelays(nodes) => return Better::AwaitDelays(nodes),
    };
    let mut feasible = find_feasible(&filters);
    feasible.retain(|slot| !snapshot.suspects.contains(slot));
    if feasible.is_empty() {
        return nowhere(diagnose(&filters));
    }
    let ranked = by_score(&filters, profile, &feasible);
    let has_backup =
        |slot: &NodeSlot| BackupSearch::new(cycle, profile, *slot).is_ok_and(|search| search.finds_any());
    let with_backup = ranked.iter().take(MAX_TRIES).find(|slot| !covered || has_backup(slot));
    // Where a pod can be on one node alone, nothing can cover it.
    let alone = || ranked.first().filter(|_| allowed_nodes(snapshot, pod, profile).len() < 2);
    with_backup.or_else(alone).map_or_else(
        || Better::Nowhere("no node that it fits on leaves another one for its backup".to_owned()),
        |slot| Better::There(*slot),
    )
}

impl Prepared<'_> {
    fn admits(&self, snapshot: &Snapshot, slot: NodeSlot) -> bool {
        let Self::Filters(filters) = self else { return false };
        snapshot.nodes.get(slot).is_some_and(|node| filters.judge(node).is_ok())
    }
}

/// The nodes that a pod may be on whatever else is there: by its delay constraints, and by what nodes are.
pub fn allowed_nodes(snapshot: &Snapshot, pod: &Pod, profile: &Profile) -> Arc<[NodeSlot]> {
    let Prepared::Filters(filters) = prepare(Cycle::within(pod, snapshot, profile), profile) else {
        return Arc::default();
    };
    let checks: Vec<_> = filters.checks.iter().filter(|(_, check)| check.is_of_node()).collect();
    let mut nodes = Vec::new();
    _ = filters.for_each_node(|node| {
        if checks.iter().all(|(_, check)| check.admits(node)) {
            nodes.push(node.slot);
        }
    });
    nodes.into()
}

/// Whether a pod that is on `from` may as well be on `to`, and have a backup then if it has one now. Until it has gone
/// it takes up room on both.
pub fn may_go_to(
    snapshot: &mut Snapshot,
    pod: &Arc<Pod>,
    profile: &Profile,
    from: NodeSlot,
    to: NodeSlot,
) -> bool {
    let by_name = |name: &str| (name == &*profile.scheduler_name).then_some(profile);
    let may = |_: &Snapshot, _: &Pod| true;
    let mut rehearsal = Rehearsal::new(snapshot, pod, profile, Vec::new(), &by_name, &may);
    rehearsal.try_move(&Hop { pod: pod.uid.clone(), from, to })
}

/// A cluster in which pods are moved in thought, so that one that fits nowhere finds room.
pub struct Rehearsal<'s> {
    snapshot: &'s mut Snapshot,
    pod: &'s Pod,
    profile: &'s Profile,
    homes: Vec<NodeSlot>,
    profiles: &'s dyn Fn(&str) -> Option<&'s Profile>,
    may_move: &'s dyn Fn(&Snapshot, &Pod) -> bool,
    made: Vec<Made>,
}

/// A pod that was moved in thought.
struct Made {
    pod: Arc<Pod>,
    moved: Arc<Pod>,
    from: NodeSlot,
    to: NodeSlot,
    cover: Option<Covered>,
    /// What would be reserved in addition, and where.
    reserve: Option<(Arc<Pod>, NodeSlot)>,
}

/// A node takes a pod in.
struct Admitted {
    /// The node of its backup, if it is to have one.
    backup: Option<NodeSlot>,
}

// === impl Rehearsal ===

impl<'s> Rehearsal<'s> {
    /// `pod` needs room on one of `homes`. Moved are pods that `may_move`, each judged by its profile.
    pub fn new(
        snapshot: &'s mut Snapshot,
        pod: &'s Pod,
        profile: &'s Profile,
        homes: Vec<NodeSlot>,
        profiles: &'s dyn Fn(&str) -> Option<&'s Profile>,
        may_move: &'s dyn Fn(&Snapshot, &Pod) -> bool,
    ) -> Self {
        Self { snapshot, pod, profile, homes, profiles, may_move, made: Vec::new() }
    }

    fn find(&self, uid: &PodUid, slot: NodeSlot) -> Option<Arc<Pod>> {
        let usage = self.snapshot.nodes.get(slot)?.usage;
        usage.pods.iter().find(|pod| pod.uid == *uid).cloned()
    }

    /// Whether a pod of the same workload was moved already: one at a time.
    fn has_moved(&self, pod: &Pod) -> bool {
        self.made.iter().any(|made| {
            made.pod.uid == pod.uid
                || made.pod.key.namespace == pod.key.namespace && made.pod.owner == pod.owner
        })
    }

    fn filters(&self) -> Option<Filters<'_>> {
        match prepare(Cycle::within(self.pod, self.snapshot, self.profile), self.profile) {
            Prepared::Filters(filters) => Some(filters),
            Prepared::Rejected(..) | Prepared::AwaitDelays(_) => None,
        }
    }

    /// Whether a pod that is counted nowhere fits on a node; then the node of its backup, if it is to have one.
    fn admits(&self, pod: &Pod, to: NodeSlot, covered: bool) -> Option<Admitted> {
        let snapshot = &*self.snapshot;
        let profile = (self.profiles)(&pod.scheduler_name)?;
        let node = snapshot.nodes.get(to).filter(|_| !snapshot.suspects.contains(&to))?;
        let cycle = Cycle::within(pod, snapshot, profile);
        let Prepared::Filters(filters) = prepare(cycle, profile) else { return None };
        filters.judge(node).ok()?;
        if !covered {
            return Some(Admitted { backup: None });
        }
        let backup = BackupSearch::new(cycle, profile, to).ok()?.choose().ok()?;
        Some(Admitted { backup: Some(backup) })
    }
}

impl Board for Rehearsal<'_> {
    type Pod = PodUid;

    fn homes(&self) -> Vec<NodeSlot> {
        self.homes.clone()
    }

    fn fits(&self, home: NodeSlot) -> bool {
        self.fits_without(home, &[])
    }

    fn fits_without(&self, home: NodeSlot, gone: &[&PodUid]) -> bool {
        let (Some(filters), Some(node)) = (self.filters(), self.snapshot.nodes.get(home)) else {
            return false;
        };
        let mut trial = Trial::of(&filters, node);
        for uid in gone {
            if let Some(pod) = self.find(uid, home) {
                trial.remove(&pod);
            }
        }
        trial.judge().is_ok()
    }

    fn residents(&self, node: NodeSlot) -> Vec<Resident<PodUid>> {
        let Some(view) = self.snapshot.nodes.get(node) else { return Vec::new() };
        let may = |pod: &&Arc<Pod>| {
            pod.priority <= self.pod.priority && !self.has_moved(pod) && (self.may_move)(self.snapshot, pod)
        };
        let mut pods: Vec<&Arc<Pod>> = view.usage.pods.iter().filter(may).collect();
        pods.sort_by_key(|pod| (pod.priority, pod.key.clone()));
        pods.truncate(MAX_RESIDENTS);
        let resident = |pod: &Arc<Pod>| Resident { pod: pod.uid.clone(), priority: pod.priority };
        pods.into_iter().map(resident).collect()
    }

    fn places(&self, uid: &PodUid) -> Vec<NodeSlot> {
        let mut nodes = self.snapshot.nodes.iter();
        let is_here = |pod: &&Arc<Pod>| pod.uid == *uid;
        let Some((own, pod)) =
            nodes.find_map(|node| Some((node.slot, node.usage.pods.iter().find(is_here)?)))
        else {
            return Vec::new();
        };
        let Some(profile) = (self.profiles)(&pod.scheduler_name) else { return Vec::new() };
        let judged = unplaced(pod);
        let Prepared::Filters(filters) = prepare(Cycle::within(&judged, self.snapshot, profile), profile)
        else {
            return Vec::new();
        };
        let radius = profile.place_of("NetworkDelay").and_then(|idx| filters.check_of(idx));
        let mut places = Vec::new();
        _ = filters.for_each_node(|node| {
            let is_closed = self.snapshot.backups.is_closed(node.node, node.slot, false);
            let fits_at_all = pod.requests.exceeding(&node.node.allocatable).is_nothing();
            if node.slot != own && !is_closed && fits_at_all && radius.is_none_or(|it| it.admits(node)) {
                let mut free = node.node.allocatable.clone();
                free.subtract(&node.usage.requested);
                places.push((Reverse((free.memory, free.cpu)), node.slot));
            }
        });
        places.sort_unstable();
        places.truncate(MAX_PLACES);
        places.into_iter().map(|(_, slot)| slot).collect()
    }

    fn try_move(&mut self, hop: &Hop<PodUid>) -> bool {
        let Hop { pod: uid, from, to } = hop;
        let Some(pod) = self.find(uid, *from).filter(|pod| from != to && !self.has_moved(pod)) else {
            return false;
        };
        let cover = self.snapshot.take_out(&pod, *from);
        // Until it has gone it takes up room on both.
        let ends = ghost(&pod);
        count(self.snapshot, *from, |usage| usage.add(&ends));
        let admitted = self.admits(&unplaced(&pod), *to, cover.is_some());
        count(self.snapshot, *from, |usage| usage.remove(&ends));
        let Some(Admitted { backup }) = admitted else {
            self.snapshot.put_back(&pod, *from, cover);
            return false;
        };
        let node = self.snapshot.nodes.name(*to).cloned();
        let moved = Arc::new(Pod { node, ..(*pod).clone() });
        self.snapshot.add_pod(&moved, *to);
        let reserve = backup.and_then(|backup| {
            let covered = Covered { primary: *to, backup, demand: pod.requests.clone() };
            self.snapshot.backups.book.put(uid.clone(), covered);
            self.reserve_on(backup)
        });
        self.made.push(Made { pod, moved, from: *from, to: *to, cover, reserve });
        true
    }

    fn undo(&mut self) {
        if let Some(Made { pod, moved, from, to, cover, reserve }) = self.made.pop() {
            if let Some((more, backup)) = reserve {
                self.snapshot.remove_pod(&more, backup);
            }
            self.snapshot.take_out(&moved, to);
            self.snapshot.put_back(&pod, from, cover);
        }
    }
}

impl Rehearsal<'_> {
    /// What is to be reserved on a node beyond what is takes up room there as well.
    fn reserve_on(&mut self, slot: NodeSlot) -> Option<(Arc<Pod>, NodeSlot)> {
        let backups = &self.snapshot.backups;
        let requests = backups.to_keep(slot).exceeding(&backups.held(slot));
        if requests.is_nothing() {
            return None;
        }
        let uid = PodUid::new(format!("in-thought/{}", self.made.len()));
        let labels = [BACKUP_LABEL].into_iter().collect();
        let priority = i32::MAX;
        let plain = Pod::pending(BACKUP_NAMESPACE, "in-thought");
        let more = Arc::new(Pod { uid, labels, priority, requests, ..plain });
        self.snapshot.add_pod(&more, slot);
        Some((more, slot))
    }
}

impl Drop for Rehearsal<'_> {
    /// Whatever was tried last is taken back.
    fn drop(&mut self) {
        while !self.made.is_empty() {
            self.undo();
        }
    }
}

//! Whether a pod can take over the room that is held for it on a node, and which backups have to go for that.

use std::sync::Arc;

use super::search::without_handover;
use super::{BACKUP_LABEL, BACKUP_NAMESPACE};
use crate::cover::Hold;
use crate::model::{NodeName, Pod, Resources};
use crate::placement::filters::{Filters, Prepared, prepare};
use crate::placement::{Cycle, NodeView, Placement, Profile, Snapshot, Trial};

/// What a pod finds at a hold.
#[derive(Debug)]
pub enum AtHold {
    /// It fits, once these backups are gone; they may be none.
    Fits(Box<Placement>, Vec<Arc<Pod>>),
    /// It does not fit there.
    No,
    /// Delays from these nodes have to be loaded first.
    AwaitDelays(Vec<NodeName>),
}

/// What has room on the node of a hold beside the pod that comes.
struct Beside {
    /// What backups hold there for others, once the pod has taken what is held for it.
    rest: Resources,
    /// What others are to have who are to come, where it is free and not kept by backups. One that takes no more than
    /// what is held for it leaves that in any case.
    awaited: Resources,
}

/// Judges `pod` for the node of `hold`, which stands for it. What backups there hold is free for it, up to the hold;
/// what is held for others is not. `promised` is what others take of what backups hold there, who wait for them to go;
/// `may_go` is whether a backup can be taken away.
pub fn judge_at_hold(
    snapshot: &Snapshot,
    pod: &Pod,
    profile: &Profile,
    hold: &Hold,
    promised: &Resources,
    may_go: impl Fn(&Pod) -> bool,
) -> AtHold {
    let filters = match prepare(Cycle::within(pod, snapshot, profile), profile) {
        // It heals; that it may have to wait for cover itself, and that others are kept off, is not for it.
        Prepared::Filters(filters) => filters.not_asking(profile, "BackupReservation"),
        Prepared::AwaitDelays(nodes) => return AtHold::AwaitDelays(nodes),
        Prepared::Rejected(..) => return AtHold::No,
    };
    let Some(node) = snapshot.nodes.get(hold.node) else { return AtHold::No };
    if snapshot.suspects.contains(&hold.node) || !filters.leave_in(node) {
        return AtHold::No;
    }
    let untainted = without_handover(node.node);
    let node = NodeView { node: untainted.as_ref().unwrap_or(node.node), ..node };
    let beside = Beside::of(snapshot, pod, hold, promised);
    match backups_to_go(&filters, node, &beside, may_go) {
        Some(go) => AtHold::Fits(Box::new(filters.reserve(profile, node, 1)), go),
        None => AtHold::No,
    }
}

/// Which backups have to go for the pod, as few as can be; none if it doesn't fit though all did that may go.
fn backups_to_go(
    filters: &Filters<'_>,
    node: NodeView<'_>,
    beside: &Beside,
    may_go: impl Fn(&Pod) -> bool,
) -> Option<Vec<Arc<Pod>>> {
    let backups = filters.cycle.snapshot.backups.on(node.slot);
    let mut as_it_is = Trial::of(filters, node);
    beside.awaited(node).iter().for_each(|pod| as_it_is.add(pod));
    if as_it_is.judge().is_ok() {
        return Some(Vec::new());
    }
    let mut after = Trial::of(filters, node);
    beside.awaited(node).iter().chain(&beside.rest(node)).for_each(|pod| after.add(pod));
    let mut going: Vec<Arc<Pod>> = backups.iter().filter(|pod| may_go(pod)).cloned().collect();
    for pod in backups {
        after.remove(pod);
    }
    after.judge().ok()?;
    // A single one that is enough, the smallest first; else the largest ones until they are.
    going.sort_by_key(|pod| (pod.requests.memory, pod.requests.cpu, pod.key.clone()));
    let is_enough = |go: &[Arc<Pod>]| {
        let mut trial = Trial::of(filters, node);
        beside.awaited(node).iter().for_each(|pod| trial.add(pod));
        for pod in go {
            trial.remove(pod);
        }
        trial.judge().is_ok()
    };
    if let Some(one) = going.iter().find(|pod| is_enough(std::slice::from_ref(pod))) {
        return Some(vec![Arc::clone(one)]);
    }
    let mut go: Vec<Arc<Pod>> = Vec::new();
    while let Some(largest) = going.pop() {
        go.push(largest);
        if is_enough(&go) {
            return Some(go);
        }
    }
    None
}

// === impl Beside ===

impl Beside {
    fn of(snapshot: &Snapshot, pod: &Pod, hold: &Hold, promised: &Resources) -> Self {
        let backups = &snapshot.backups;
        let held = backups.held(hold.node).exceeding(promised);
        let rest = held.exceeding(&hold.demand);
        let is_larger = !pod.requests.exceeding(&hold.demand).is_nothing();
        if !is_larger || !backups.handed_over.contains(&hold.node) {
            return Self { rest, awaited: Resources::default() };
        }
        let mut others = backups.holds.sum(hold.node);
        others.subtract(&hold.demand);
        Self { rest, awaited: others.exceeding(&held.exceeding(&backups.book.reserve(hold.node))) }
    }

    fn rest(&self, node: NodeView<'_>) -> Option<Arc<Pod>> {
        taking("rest", &self.rest, node)
    }

    fn awaited(&self, node: NodeView<'_>) -> Option<Arc<Pod>> {
        taking("awaited", &self.awaited, node)
    }
}

/// A pod, in thought alone, that takes so much of a node; none if that is nothing.
fn taking(name: &str, requests: &Resources, node: NodeView<'_>) -> Option<Arc<Pod>> {
    let pod = Pod::pending(BACKUP_NAMESPACE, name);
    (!requests.is_nothing()).then(|| {
        Arc::new(Pod {
            labels: [BACKUP_LABEL].into_iter().collect(),
            node: Some(node.node.name.clone()),
            requests: requests.clone(),
            ..pod
        })
    })
}

//! Which node can be a pod's backup.

use std::borrow::Cow;
use std::sync::Arc;

use super::HANDOVER_TAINT;
use crate::cover::{Candidate, Choice, choose};
use crate::model::{Node, NodeName, Pod};
use crate::placement::cycle::spread;
use crate::placement::filters::{Filters, Prepared, prepare};
use crate::placement::{
    Cycle, Diagnosis, FitError, NodeFilter, NodeSlot, NodeView, Profile, Reason, Rejection, Usage, Verdict,
};

/// Looks for the backup node of a pod that is on a node, or is to go there. The pod itself must not be counted
/// anywhere, nor be in the book: it is judged as one that has to be placed anew when that node is lost.
pub struct BackupSearch<'a> {
    cycle: Cycle<'a>,
    filters: Filters<'a>,
    primary: NodeSlot,
    /// The check of its delay constraints, if it has any: it costs little, and rejects most nodes.
    radius: Option<usize>,
    /// By their backups' nodes, the pods that would come from the lost node too.
    company: Vec<(NodeSlot, Arc<Pod>)>,
}

/// Why no backup can be looked for.
#[derive(Debug)]
pub enum NoSearch {
    /// No node can be it, whatever it is like.
    Rejected(Rejection),
    /// Delays from these nodes have to be loaded first.
    AwaitDelays(Vec<NodeName>),
}

/// Why a pod has no backup.
#[derive(Debug)]
pub enum NoBackup {
    /// No node can be it now, and why each can't.
    Nowhere(Box<FitError>),
    /// Delays from these nodes have to be loaded first.
    AwaitDelays(Vec<NodeName>),
}

/// What keeps backups off a node.
enum Obstacle<'s> {
    /// This.
    Fixed(Reason),
    /// It is too far, as this check can say.
    Radius(&'s dyn NodeFilter),
}

/// So many nodes that are nobody's backup yet are compared with each other.
const COMPARED: usize = 32;

const OWN: Reason = Reason::Fixed("node(s) were the pod's own");
const CLOSED: Reason = Reason::Fixed("node(s) took no backups");
const SUSPECT: Reason = Reason::Fixed("node(s) were suspected to be lost");
const FULL: Reason = Reason::Fixed("node(s) had no room for a larger reserve");

// === impl BackupSearch ===

impl<'a> BackupSearch<'a> {
    /// Looks for the backup of `pod` on the node in `primary`, by the checks of its profile.
    pub fn new(cycle: Cycle<'a>, profile: &'a Profile, primary: NodeSlot) -> Result<Self, NoSearch> {
        let cycle = Cycle { lost: Some(primary), ..cycle };
        let filters = match prepare(cycle, profile) {
            Prepared::Filters(filters) => filters,
            Prepared::AwaitDelays(nodes) => return Err(NoSearch::AwaitDelays(nodes)),
            Prepared::Rejected(_, diagnosis) => {
                let unsaid = || Rejection::unresolvable("the pod was rejected");
                return Err(NoSearch::Rejected(diagnosis.pre_filter.unwrap_or_else(unsaid)));
            }
        };
        let radius = profile.place_of("NetworkDelay");
        let book = &cycle.snapshot.backups.book;
        let on_primary = cycle.snapshot.nodes.get(primary);
        let pods = on_primary.into_iter().flat_map(|node| &node.usage.pods);
        let company = pods.filter_map(|pod| Some((book.of(&pod.uid)?.backup, Arc::clone(pod)))).collect();
        Ok(Self { cycle, filters, primary, radius, company })
    }

    /// The best node: the one whose reserve grows least.
    ///
    /// Nodes that are nobody's backup all grow by the whole demand, so they are looked at only if none that is
    /// somebody's grows by less; and then so many, from a place that the pod's UID gives, that the least loaded of
    /// them is as good as any, on however many nodes the cluster has.
    pub fn choose(&self) -> Result<NodeSlot, NoBackup> {
        let demand = &self.cycle.pod.requests;
        let shared = self.best(&self.shared());
        if let Some(Choice { node, increment }) = &shared
            && !demand.exceeding(increment).is_nothing()
        {
            return Ok(*node);
        }
        let mut equal: Vec<Candidate<'_>> = self.fresh().take(COMPARED).collect();
        equal.extend(shared.and_then(|choice| self.candidate(choice.node)));
        self.best(&equal).map(|choice| choice.node).ok_or_else(|| self.nowhere())
    }

    /// Whether there is a node that can be the backup.
    pub fn finds_any(&self) -> bool {
        self.fresh().next().is_some() || self.best(&self.shared()).is_some()
    }

    /// The one whose reserve grows least of those that the checks admit.
    fn best(&self, candidates: &[Candidate<'_>]) -> Option<Choice> {
        let Cycle { snapshot, pod, .. } = self.cycle;
        let admits = |slot| snapshot.nodes.get(slot).is_some_and(|node| self.admit(node, false).is_ok());
        choose(&snapshot.backups.book, self.primary, &pod.requests, candidates, admits)
    }

    /// The nodes that are somebody's backup and may be this pod's, the checks left aside.
    fn shared(&self) -> Vec<Candidate<'a>> {
        let snapshot = self.cycle.snapshot;
        let nodes = snapshot.backups.book.backups().filter_map(|slot| snapshot.nodes.get(slot));
        let open = nodes.filter(|node| self.may_be(*node));
        open.filter_map(|node| self.candidate(node.slot)).collect()
    }

    /// Nodes that are nobody's backup and can be this pod's.
    fn fresh(&self) -> impl Iterator<Item = Candidate<'a>> {
        let Cycle { snapshot, pod, .. } = self.cycle;
        let start = spread(pod.uid.as_str(), snapshot.nodes.num_slots());
        let nodes = snapshot.nodes.iter_from(start);
        let fresh = nodes.filter(|node| !snapshot.backups.book.is_backup(node.slot));
        let admitted = fresh.filter(|node| self.may_be(*node) && self.admit(*node, false).is_ok());
        let candidates = admitted.filter_map(|node| self.candidate(node.slot));
        candidates.filter(|candidate| candidate.has_room_for(&pod.requests))
    }

    /// Whether a node may be the backup as far as that costs little to ask.
    fn may_be(&self, node: NodeView<'_>) -> bool {
        self.filters.leave_in(node) && self.obstacle(node, false).is_none()
    }

    fn candidate(&self, slot: NodeSlot) -> Option<Candidate<'a>> {
        let snapshot = self.cycle.snapshot;
        let node = snapshot.nodes.get(slot)?;
        Some(Candidate { node: slot, allocatable: &node.node.allocatable, free: snapshot.backups.free(node) })
    }

    /// What is said where no node can be the backup.
    fn nowhere(&self) -> NoBackup {
        let mut diagnosis = Diagnosis::default();
        let looked_at = self.filters.for_each_node(|node| {
            let rejection = self.admit(node, false).err().unwrap_or(Rejection::unresolvable(FULL));
            diagnosis.note(node.slot, rejection);
        });
        let num_nodes = self.cycle.snapshot.nodes.len();
        if let Some((_, rejection)) = self.filters.left_out() {
            diagnosis.left_out = Some((rejection, num_nodes - looked_at));
        }
        NoBackup::Nowhere(Box::new(FitError { num_nodes, diagnosis, ..FitError::default() }))
    }

    /// Whether the node in `slot`, which is the pod's backup, can stay so.
    pub fn may_keep(&self, slot: NodeSlot) -> bool {
        self.is_good(slot, true)
    }

    /// Whether the node in `slot` can be the pod's backup.
    pub fn can_be(&self, slot: NodeSlot) -> bool {
        self.is_good(slot, false)
    }

    fn is_good(&self, slot: NodeSlot, keeps: bool) -> bool {
        let snapshot = self.cycle.snapshot;
        let Some(node) = snapshot.nodes.get(slot) else { return false };
        if self.admit(node, keeps).is_err() {
            return false;
        }
        let increment = snapshot.backups.book.increment(self.primary, slot, &self.cycle.pod.requests);
        self.candidate(slot).is_some_and(|candidate| candidate.has_room_for(&increment))
    }

    /// What keeps backups of the pod off a node, of that what costs little to ask and rejects most.
    fn obstacle(&self, node: NodeView<'_>, keeps: bool) -> Option<Obstacle<'_>> {
        let snapshot = self.cycle.snapshot;
        if node.slot == self.primary {
            return Some(Obstacle::Fixed(OWN));
        }
        if snapshot.backups.is_closed(node.node, node.slot, keeps) {
            return Some(Obstacle::Fixed(CLOSED));
        }
        if !keeps && snapshot.suspects.contains(&node.slot) {
            return Some(Obstacle::Fixed(SUSPECT));
        }
        let radius = self.radius.and_then(|idx| self.filters.check_of(idx))?;
        (!radius.admits(node)).then_some(Obstacle::Radius(radius))
    }

    /// Whether a node can be the backup but for the room that is to be reserved. `keeps` is whether it is already.
    fn admit(&self, node: NodeView<'_>, keeps: bool) -> Result<(), Rejection> {
        match self.obstacle(node, keeps) {
            Some(Obstacle::Fixed(reason)) => return Err(Rejection::unresolvable(reason)),
            Some(Obstacle::Radius(check)) => {
                if let Verdict::Rejected(rejection) = check.filter(node) {
                    return Err(rejection);
                }
            }
            None => (),
        }
        let snapshot = self.cycle.snapshot;
        let mut share = snapshot.backups.book.share(self.primary, node.slot);
        share.add(&self.cycle.pod.requests);
        // To reserve more takes one more backup, which is a pod like others.
        let has_slot = share.exceeding(&snapshot.backups.held(node.slot)).is_nothing()
            || node.usage.num_pods() < node.node.allowed_pods;
        let mut room = snapshot.backups.room(node);
        room.subtract(&snapshot.backups.holds.sum(node.slot));
        if !has_slot || !share.exceeding(&room).is_nothing() {
            return Err(Rejection::unresolvable(FULL));
        }
        let usage = self.usage_after_loss(node);
        let without_taint = keeps.then(|| without_handover(node.node)).flatten();
        let after =
            NodeView { slot: node.slot, node: without_taint.as_ref().unwrap_or(node.node), usage: &usage };
        for (_, check) in &self.filters.checks {
            if let Verdict::Rejected(rejection) = NodeFilter::filter(check.as_ref(), after) {
                return Err(rejection);
            }
        }
        Ok(())
    }

    /// What is used on a node when the pods of the lost node have come there that it covers, in place of its backups.
    fn usage_after_loss<'n>(&self, node: NodeView<'n>) -> Cow<'n, Usage> {
        let mut usage = Cow::Borrowed(node.usage);
        for backup in self.cycle.snapshot.backups.on(node.slot) {
            usage.to_mut().remove(backup);
        }
        for (_, pod) in self.company.iter().filter(|(slot, _)| *slot == node.slot) {
            usage.to_mut().add(pod);
        }
        usage
    }
}

/// The node without the taint of a handover, if it has it: it keeps others off, not those that come there by it.
pub(super) fn without_handover(node: &Node) -> Option<Node> {
    let is_handover = |taint: &crate::model::Taint| &*taint.key == HANDOVER_TAINT;
    node.taints.iter().any(is_handover).then(|| {
        let taints = node.taints.iter().filter(|taint| !is_handover(taint)).cloned().collect();
        Node { taints, ..node.clone() }
    })
}

// === impl NoBackup ===

impl From<NoSearch> for NoBackup {
    fn from(no_search: NoSearch) -> Self {
        match no_search {
            NoSearch::AwaitDelays(nodes) => Self::AwaitDelays(nodes),
            NoSearch::Rejected(rejection) => {
                let diagnosis = Diagnosis { pre_filter: Some(rejection), ..Diagnosis::default() };
                Self::Nowhere(Box::new(FitError { num_nodes: 1, diagnosis, ..FitError::default() }))
            }
        }
    }
}

/// The pod as one that has to be placed, though it may be on a node.
#[must_use]
pub fn unplaced(pod: &Pod) -> Pod {
    Pod { node: None, nominated_node: None, ..pod.clone() }
}

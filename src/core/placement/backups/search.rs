//! Which node can be a pod's backup.

use std::borrow::Cow;
use std::sync::Arc;

use super::HANDOVER_TAINT;
use crate::cover::{Candidate, Choice, choose};
use crate::model::{Node, NodeName, Pod, Resources};
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
        let radius = profile.plugins().iter().find(|it| it.plugin.name() == "NetworkDelay").map(|it| it.idx);
        let book = &cycle.snapshot.backups.book;
        let on_primary = cycle.snapshot.nodes.get(primary);
        let pods = on_primary.into_iter().flat_map(|node| &node.usage.pods);
        let company = pods.filter_map(|pod| Some((book.of(&pod.uid)?.backup, Arc::clone(pod)))).collect();
        Ok(Self { cycle, filters, primary, radius, company })
    }

    /// The best node: the one whose reserve grows least.
    pub fn choose(&self) -> Result<NodeSlot, NoBackup> {
        let mut diagnosis = Diagnosis::default();
        let mut candidates = Vec::new();
        let backups = &self.cycle.snapshot.backups;
        let looked_at = self.filters.for_each_node(|node| match self.admit(node, false) {
            Ok(()) => candidates.push((node.slot, backups.free(node))),
            Err(rejection) => diagnosis.note(node.slot, rejection),
        });
        if let Some((_, rejection)) = self.filters.left_out() {
            diagnosis.left_out = Some((rejection, self.cycle.snapshot.nodes.len() - looked_at));
        }
        let of_node = |(slot, free): (NodeSlot, Resources)| {
            let node = self.cycle.snapshot.nodes.get(slot)?;
            Some(Candidate { node: slot, allocatable: &node.node.allocatable, free })
        };
        let candidates: Vec<Candidate<'_>> = candidates.into_iter().filter_map(of_node).collect();
        let demand = &self.cycle.pod.requests;
        if let Some(Choice { node, increment: _ }) = choose(&backups.book, self.primary, demand, &candidates)
        {
            return Ok(node);
        }
        for candidate in candidates {
            diagnosis.note(candidate.node, Rejection::unresolvable(FULL));
        }
        let num_nodes = self.cycle.snapshot.nodes.len();
        Err(NoBackup::Nowhere(Box::new(FitError { num_nodes, diagnosis, ..FitError::default() })))
    }

    /// Whether the node in `slot`, which is the pod's backup, can stay so.
    pub fn may_keep(&self, slot: NodeSlot) -> bool {
        let snapshot = self.cycle.snapshot;
        let Some(node) = snapshot.nodes.get(slot) else { return false };
        if self.admit(node, true).is_err() {
            return false;
        }
        let free = snapshot.backups.free(node);
        let candidate = Candidate { node: slot, allocatable: &node.node.allocatable, free };
        choose(&snapshot.backups.book, self.primary, &self.cycle.pod.requests, &[candidate]).is_some()
    }

    /// Whether a node can be the backup but for the room that is to be reserved. `keeps` is whether it is already.
    fn admit(&self, node: NodeView<'_>, keeps: bool) -> Result<(), Rejection> {
        let snapshot = self.cycle.snapshot;
        if node.slot == self.primary {
            return Err(Rejection::unresolvable(OWN));
        }
        if snapshot.backups.is_closed(node.node, node.slot, keeps) {
            return Err(Rejection::unresolvable(CLOSED));
        }
        if !keeps && snapshot.suspects.contains(&node.slot) {
            return Err(Rejection::unresolvable(SUSPECT));
        }
        if let Some(radius) = self.radius.and_then(|idx| self.filters.check_of(idx))
            && !radius.admits(node)
        {
            return match radius.filter(node) {
                Verdict::Rejected(rejection) => Err(rejection),
                Verdict::Fits => Ok(()),
            };
        }
        let mut share = snapshot.backups.book.share(self.primary, node.slot);
        share.add(&self.cycle.pod.requests);
        let has_slot = !snapshot.backups.on(node.slot).is_empty()
            || self.cycle.pod.requests.is_nothing()
            || node.usage.num_pods() < node.node.allowed_pods;
        if !has_slot || !share.exceeding(&snapshot.backups.room(node)).is_nothing() {
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
fn without_handover(node: &Node) -> Option<Node> {
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

//! BackupReservation: a place on another node for a pod whose node dies, as Filter and Score, and at Reserve.

use crate::cover::{GROWS_WHOLLY, Site, fits, least_growth};
use crate::model::Pod;
use crate::placement::{
    BACKUP_ANNOTATION, BACKUP_NODE_ANNOTATION, BackupMode, BackupPolicy, BackupRule, BackupSearch,
    ClusterEvent, Cycle, MAX_NODE_SCORE, MoveRule, NodeFilter, NodeScorer, NodeSlot, NodeView, Plugin,
    PreFilter, PreScore, Reason, Rejection, Verdict, WantsBackup, unreadable,
};

/// Chooses the node that has a pod's backup: another one, within the pod's own delay constraints and fit for it in
/// every other way, whose reserve has to grow least. What is to be reserved there is made by the state machine.
///
/// **Filter.** Nodes that are suspected to be lost admit nobody, nor do those whose backups are being handed over to
/// pods that come for them. Where the policy is `Required`, a node admits a pod
/// that is to be covered only if another one can be its backup.
///
/// **Score.** A pod that is to be covered goes where least has to be reserved for it: a node scores by how little a reserve
/// has to grow if the pod goes there, with the best of the other feasible nodes as its backup. Nothing is the best, the
/// whole pod the worst. Pods that are not to be covered are not scored.
///
/// **Reserve.** The backup's node is written into the pod with the binding. Where the policy is `BestEffort` a
/// pod that can't be covered is bound without.
#[derive(Default)]
pub struct BackupReservation {
    /// Which pods, and how strictly.
    pub rule: BackupRule,
}

/// The check for one pod.
struct Reservation<'a> {
    cycle: Cycle<'a>,
    /// What is asked for; none if the pod is not to be covered.
    policy: Option<BackupPolicy>,
}

/// How the feasible nodes score, in their order.
struct Thrift(Vec<(NodeSlot, i64)>);

const SUSPECT: Reason = Reason::Fixed("node(s) were suspected to be lost");
const HANDED_OVER: Reason = Reason::Fixed("node(s) were handing over backups");
const NO_BACKUP: Reason = Reason::Fixed("node(s) had no other node for the pod's backup");

// === impl BackupReservation ===

impl BackupReservation {
    /// Covers the pods of a profile of this name as it does by default.
    pub fn default_of_profile(scheduler_name: &str) -> Self {
        let mode = BackupMode::default_of_profile(scheduler_name);
        let moves = MoveRule::default_of_profile(scheduler_name);
        Self { rule: BackupRule { mode, moves, ..BackupRule::default() } }
    }

    /// Covers no pod and moves none.
    pub fn off() -> Self {
        Self { rule: BackupRule { mode: BackupMode::Off, ..BackupRule::default() } }
    }
}

impl Plugin for BackupReservation {
    fn name(&self) -> &'static str {
        "BackupReservation"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        // Who looks for a backup asks what the others say.
        if cycle.lost.is_some() {
            return PreFilter::Skip;
        }
        if let Some(text) = unreadable(cycle.pod) {
            return PreFilter::Reject(Rejection::unresolvable(Reason::said(text)));
        }
        let policy = match self.rule.wants(cycle.pod) {
            WantsBackup::Yes => Some(self.rule.policy),
            WantsBackup::No
                if cycle.snapshot.suspects.is_empty() && cycle.snapshot.backups.handed_over.is_empty() =>
            {
                return PreFilter::Skip;
            }
            WantsBackup::No => None,
            WantsBackup::Unclear(value) => {
                let text = format!(
                    "annotation {BACKUP_ANNOTATION}: value {value:?} is neither \"true\" nor \"false\""
                );
                return PreFilter::Reject(Rejection::unresolvable(Reason::said(text)));
            }
        };
        PreFilter::Check(Box::new(Reservation { cycle, policy }))
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, feasible: &[NodeSlot]) -> PreScore<'a> {
        let backups = &cycle.snapshot.backups;
        if backups.book.is_empty()
            || backups.refused.is_some()
            || self.rule.wants(cycle.pod) != WantsBackup::Yes
        {
            return PreScore::Skip;
        }
        PreScore::Score(Box::new(Thrift::of(cycle, feasible)))
    }

    fn backup_rule(&self) -> Option<BackupRule> {
        Some(self.rule)
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        // One whose annotation can't be read waits for that alone, which makes it another pod.
        match event {
            ClusterEvent::BackupsChanged | ClusterEvent::NodeAdded(_) => true,
            _ if self.rule.policy != BackupPolicy::Required => false,
            // Whatever may let the pod onto another node may give it a backup there.
            ClusterEvent::NodeUpdated { old, new } => old != new,
            ClusterEvent::PodFreed(_) | ClusterEvent::PodPlaced(_) | ClusterEvent::PodUpdated { .. } => {
                self.rule.wants(pod) == WantsBackup::Yes
            }
            ClusterEvent::DelaysChanged(_) | ClusterEvent::Storage(_) => true,
            _ => false,
        }
    }
}

// === impl Reservation ===

impl Reservation<'_> {
    fn search(&self, primary: NodeSlot) -> Option<BackupSearch<'_>> {
        BackupSearch::new(self.cycle, self.cycle.profile?, primary).ok()
    }
}

impl NodeFilter for Reservation<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if self.cycle.snapshot.suspects.contains(&node.slot) {
            return Rejection::unresolvable(SUSPECT).into();
        }
        if self.cycle.snapshot.backups.handed_over.contains(&node.slot) {
            return Rejection::unresolvable(HANDED_OVER).into();
        }
        if self.policy != Some(BackupPolicy::Required) {
            return Verdict::Fits;
        }
        if let Some(why) = &self.cycle.snapshot.backups.refused {
            let text = format!("node(s) had no other node for the pod's backup: {why}");
            return Rejection::unresolvable(Reason::said(text)).into();
        }
        match self.search(node.slot) {
            Some(search) if search.finds_any() => Verdict::Fits,
            Some(_) | None => Rejection::unresolvable(NO_BACKUP).into(),
        }
    }

    fn reserve(&self, node: NodeView<'_>) -> Vec<(&'static str, String)> {
        let Cycle { snapshot, .. } = self.cycle;
        // Where none can be made, there is nothing to look for.
        let wanted = self.policy.is_some() && snapshot.backups.refused.is_none();
        let search = wanted.then(|| self.search(node.slot)).flatten();
        let backup = search.and_then(|search| search.choose().ok());
        let name = backup.and_then(|slot| snapshot.nodes.name(slot));
        name.map(|name| (BACKUP_NODE_ANNOTATION, name.to_string())).into_iter().collect()
    }
}

// === impl Thrift ===

impl Thrift {
    fn of(cycle: Cycle<'_>, feasible: &[NodeSlot]) -> Self {
        let Cycle { pod, snapshot, .. } = cycle;
        let views = feasible.iter().filter_map(|slot| snapshot.nodes.get(*slot));
        let mut sites: Vec<Site<'_>> =
            views.map(|view| Site { node: view.slot, allocatable: &view.node.allocatable }).collect();
        sites.sort_unstable_by_key(|site| site.node);
        let has_room = |slot: NodeSlot, increment: &_| {
            let node = snapshot.nodes.get(slot);
            node.is_some_and(|node| fits(increment, &snapshot.backups.free(node)))
        };
        let least = least_growth(&snapshot.backups.book, &pod.requests, &sites, has_room);
        let score = |growth: i64| MAX_NODE_SCORE * (GROWS_WHOLLY - growth) / GROWS_WHOLLY;
        Self(sites.iter().zip(least).map(|(site, growth)| (site.node, score(growth))).collect())
    }
}

impl NodeScorer for Thrift {
    fn score(&self, node: NodeView<'_>) -> i64 {
        let found = self.0.binary_search_by_key(&node.slot, |(slot, _)| *slot);
        found.ok().and_then(|idx| self.0.get(idx)).map_or(0, |(_, score)| *score)
    }
}

#[cfg(test)]
mod tests;

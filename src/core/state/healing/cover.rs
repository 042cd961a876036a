//! Cover: which placed pods have a backup where, kept in step with what the watches tell.
//!
//! ```text
//!  pods placed, moved, ended ──► who is to be covered ──► judged: kept, moved, missing ──► the book
//!  nodes, delays, a sweep ─────► who is to be judged                                         │
//!  backups seen and asked for ─────────────────────────────► reserve ◄───────────────────────┘
//!                                                              └─► one more, one less, or nothing
//! ```
//!
//! Nothing of it has to be remembered beyond a crash: where a pod's backup is stands in the pod, and what is
//! reserved is pods.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cover_events::MAX_WRITES;
use super::cover_merge::Merging;
use super::cover_owed::Owed;
use super::cover_pieces::Pieces;
use crate::cover::Covered;
use crate::delay::{AnchorNodes, DelayConstraints, after_loss, resolve};
use crate::model::{Node, NodeName, Pod, PodKey, PodUid, Resources, Time};
use crate::placement::{
    BACKUP_NODE_ANNOTATION, BackupMode, BackupRule, ClusterEvent, NodeSlot, WantsBackup, is_backup,
};
use crate::state::State;

/// In so many turns every covered pod is judged again, whether or not something is known to have happened.
pub(super) const SWEEP: usize = 20;
/// No more pods than this are judged again in a turn, which takes longer then: a hundredth of a core, more or less.
pub(super) const SWEPT_AT_ONCE: usize = 100;
/// How often the sweep goes on, and pods without a backup are tried again after something happened.
pub(super) const TURN: Duration = Duration::from_secs(1);
/// How long placing pods may keep cover waiting.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// The state of cover.
#[derive(Debug, Default)]
pub(in crate::state) struct Cover {
    /// The placed pods that are to be covered.
    pub(super) pods: BTreeMap<PodUid, CoveredPod>,
    /// Those that are to be judged now.
    pub(super) due: BTreeSet<PodUid>,
    /// Those of which it has to be written where their backup is.
    pub(super) to_write: BTreeSet<PodUid>,
    /// Those of which that is tried again, and when.
    pub(super) write_later: BTreeSet<(Time, PodUid)>,
    /// How many such writes are on their way.
    pub(super) writing: usize,
    /// Nodes whose reserve is to be compared with what they have.
    pub(super) nodes_due: BTreeSet<NodeSlot>,
    /// The same, later.
    pub(super) nodes_later: BTreeSet<(Time, NodeSlot)>,
    /// When a node's part of the book last changed.
    pub(super) changed: BTreeMap<NodeSlot, Time>,
    /// Where backups are made into one.
    pub(super) merging: Merging,
    /// The pods that wait for one node alone.
    pub(super) owed: Owed,
    /// The backups that are on their way, and what keeps them from being made.
    pub(super) pieces: Pieces,
    /// When the pods were last judged that a node covers which has too little room.
    pub(super) crowded: BTreeMap<NodeSlot, Time>,
    /// Whether something happened by which pods without a backup may get one.
    pub(super) may_help: bool,
    pub(super) next_turn: Time,
    /// Up to where the sweep has come.
    pub(super) swept: Option<PodUid>,
    /// When cover was last looked after.
    pub(super) looked: Time,
}

/// A placed pod that is to be covered.
#[derive(Clone, Debug)]
pub(super) struct CoveredPod {
    pub(super) key: PodKey,
    /// Where it is.
    pub(super) slot: NodeSlot,
    /// Where it says that its backup is.
    pub(super) told: Option<NodeName>,
    /// Whether that is being written.
    pub(super) writing: bool,
    /// How often that failed.
    pub(super) failures: u32,
    /// Why it has no backup, if it has none and was judged.
    pub(super) missing: Option<String>,
}

/// How many pods are covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoverCount {
    /// Those that have a backup, and all that is to be reserved there is.
    pub covered: usize,
    /// Those that are to be covered and are not, or not fully.
    pub uncovered: usize,
}

// === impl Cover ===

impl Cover {
    /// Whether there is something to do at once.
    pub(super) fn has_work(&self) -> bool {
        !self.due.is_empty()
            || !self.nodes_due.is_empty()
            || (!self.to_write.is_empty() && self.writing < MAX_WRITES)
    }
}

// === impl State ===

impl State {
    /// A pod is on a node, or changed there; its annotations say where its backup is.
    pub(in crate::state) fn cover_placed(&mut self, pod: &Pod, slot: NodeSlot, now: Time) {
        if is_backup(pod) {
            self.backup_seen(pod, slot, now);
        } else {
            let told = pod.annotations.get(BACKUP_NODE_ANNOTATION).map(NodeName::from);
            self.enter_cover(pod, slot, told.as_ref(), now);
        }
        self.cover.nodes_due.insert(slot);
    }

    /// A pod is to go to a node, and these annotations with it.
    pub(in crate::state) fn cover_assumed(
        &mut self,
        pod: &Pod,
        slot: NodeSlot,
        annotations: &[(&'static str, String)],
        now: Time,
    ) {
        let told = annotations.iter().find(|(key, _)| *key == BACKUP_NODE_ANNOTATION);
        let told = told.map(|(_, node)| NodeName::from(node.as_str()));
        self.enter_cover(pod, slot, told.as_ref(), now);
        if told.is_some() {
            // It was chosen this moment.
            self.cover.due.remove(&pod.uid);
        }
        self.cover.nodes_due.insert(slot);
    }

    /// A pod is on no node any more, or ends.
    pub(in crate::state) fn cover_gone(&mut self, pod: &Pod, slot: NodeSlot, now: Time) {
        if is_backup(pod) {
            self.backup_gone(pod, slot, now);
        } else {
            self.hold_for_successor(pod, now);
            self.leave_cover(&pod.uid, now);
        }
        self.cover.nodes_due.insert(slot);
    }

    /// A node came, went, or changed in a way that matters to backups.
    pub(in crate::state) fn cover_node_changed(&mut self, old: Option<&Node>, new: Option<&Node>) {
        let Some(name) = new.or(old).map(|node| &node.name) else { return };
        let slot = self.snapshot.nodes.slot_of(name);
        self.note_taint(slot, new);
        let same = |old: &Node, new: &Node| {
            old.labels == new.labels
                && old.taints == new.taints
                && old.unschedulable == new.unschedulable
                && old.allocatable == new.allocatable
                && old.allowed_pods == new.allowed_pods
        };
        if let (Some(old), Some(new)) = (old, new)
            && same(old, new)
        {
            return;
        }
        self.cover_by_due(slot);
        self.cover.nodes_due.insert(slot);
    }

    /// Something happened.
    pub(in crate::state) fn cover_notes(&mut self, event: &ClusterEvent<'_>) {
        self.cover.may_help |= match event {
            ClusterEvent::NodeAdded(_)
            | ClusterEvent::NodeUpdated { .. }
            | ClusterEvent::PodFreed(_)
            | ClusterEvent::DelaysChanged(_)
            | ClusterEvent::Storage(_)
            | ClusterEvent::BackupsChanged => true,
            ClusterEvent::PodPlaced(_)
            | ClusterEvent::PodUpdated { .. }
            | ClusterEvent::NodeRemoved(_)
            | ClusterEvent::NodeSuspect(_)
            | ClusterEvent::NamespaceChanged { .. }
            | ClusterEvent::SelectorChanged { .. } => false,
        };
    }

    /// The pods that have their backups on a node are to be judged now.
    pub(super) fn cover_by_due(&mut self, slot: NodeSlot) {
        let covered = self.snapshot.backups.book.covered_by(slot);
        self.cover.due.extend(covered.map(|(uid, _)| uid.clone()));
    }

    /// A placed pod's anchors are elsewhere.
    pub(in crate::state) fn cover_due(&mut self, uid: &PodUid) {
        if self.cover.pods.contains_key(uid) {
            self.cover.due.insert(uid.clone());
        }
    }

    /// Everything is to be judged now: this replica begins to act.
    pub(in crate::state) fn cover_all_due(&mut self) {
        self.cover.due.extend(self.cover.pods.keys().cloned());
        self.cover.nodes_due.extend(self.snapshot.backups.nodes());
        self.cover.nodes_due.extend(self.snapshot.backups.keepers());
        self.handovers.is_due = true;
    }

    /// The nodes that anchors of covered pods would be on once the pods' own nodes are lost.
    pub(in crate::state) fn rows_for_cover(&self) -> BTreeSet<NodeSlot> {
        let mut rows = BTreeSet::new();
        for CoveredPod { key, slot, .. } in self.cover.pods.values() {
            let Some(pod) = self.cache.get(key).map(|placed| &placed.pod) else { continue };
            for constraint in DelayConstraints::of_pod(pod).unwrap_or_default().list {
                let nodes = resolve(&self.snapshot, pod, &constraint.anchor);
                let after = |nodes| after_loss(&self.snapshot, pod, &constraint.anchor, nodes, *slot);
                if let Ok(AnchorNodes::On(slots)) = nodes.and_then(after) {
                    rows.extend(slots);
                }
            }
        }
        rows
    }

    /// How many pods are covered.
    pub fn cover_count(&self) -> CoverCount {
        let backups = &self.snapshot.backups;
        let short: BTreeSet<NodeSlot> = backups.book.backups().filter(|slot| self.is_short(*slot)).collect();
        let is_covered =
            |uid: &&PodUid| backups.book.of(uid).is_some_and(|covered| !short.contains(&covered.backup));
        let covered = self.cover.pods.keys().filter(is_covered).count();
        CoverCount { covered, uncovered: self.cover.pods.len() - covered }
    }

    /// What backups hold on each node that has some, by the server's word or on its way.
    pub fn reserves(&self) -> impl Iterator<Item = (&NodeName, Resources)> {
        let backups = &self.snapshot.backups;
        backups.nodes().filter_map(|slot| Some((self.snapshot.nodes.name(slot)?, backups.held(slot))))
    }

    /// What the pods that have a backup request together.
    pub fn covered_requests(&self) -> Resources {
        let mut sum = Resources::default();
        let covered = self.cover.pods.keys().filter_map(|uid| self.snapshot.backups.book.of(uid));
        covered.for_each(|covered| sum.add(&covered.demand));
        sum
    }

    /// The placed pods that are to be covered and have no backup, and why.
    pub fn missing_backups(&self) -> impl Iterator<Item = (&PodKey, &str)> {
        self.cover.pods.values().filter_map(|pod| Some((&pod.key, pod.missing.as_deref()?)))
    }

    /// How the pods of this scheduler name are covered.
    pub(super) fn rule_of(&self, pod: &Pod) -> BackupRule {
        let rule = self.profile(&pod.scheduler_name).and_then(crate::placement::Profile::backup_rule);
        rule.unwrap_or(BackupRule { mode: BackupMode::Off, ..BackupRule::default() })
    }

    fn is_to_be_covered(&self, pod: &Pod) -> bool {
        let rule = self.rule_of(pod);
        let wants = match rule.wants(pod) {
            WantsBackup::Yes => true,
            WantsBackup::No => false,
            // It was placed before it said so; until that is mended it counts as not said.
            WantsBackup::Unclear(_) => rule.mode == BackupMode::Pods && DelayConstraints::any(pod),
        };
        wants && !pod.terminating && !pod.phase.is_terminal()
    }

    fn enter_cover(&mut self, pod: &Pod, slot: NodeSlot, told: Option<&NodeName>, now: Time) {
        if !self.is_to_be_covered(pod) {
            if pod.terminating {
                self.hold_for_successor(pod, now);
            }
            self.leave_cover(&pod.uid, now);
            return;
        }
        let uid = &pod.uid;
        let known = self.cover.pods.remove(uid);
        if known.as_ref().is_some_and(|known| known.slot != slot) {
            self.strike_cover(uid, now);
        }
        let entry = CoveredPod {
            key: pod.key.clone(),
            slot,
            told: told.cloned(),
            writing: known.as_ref().is_some_and(|known| known.writing),
            failures: known.as_ref().map_or(0, |known| known.failures),
            missing: known.as_ref().and_then(|known| known.missing.clone()),
        };
        self.cover.pods.insert(uid.clone(), entry);
        // What is written counts for a pod that is new here, and for one that doesn't act.
        let adopts = known.is_none() || !self.leads;
        let covered = self.snapshot.backups.book.of(uid).filter(|_| !adopts);
        let (backup, demand) = match covered {
            Some(covered) => (Some(covered.backup), Some(covered.demand.clone())),
            None if adopts => (told.map(|node| self.snapshot.nodes.slot_of(node)), None),
            None => (None, None),
        };
        if let Some(backup) = backup.filter(|backup| *backup != slot) {
            if demand.as_ref() != Some(&pod.requests) {
                let covered = Covered { primary: slot, backup, demand: pod.requests.clone() };
                self.enter_book(uid, covered, now);
                self.cover.due.insert(uid.clone());
            }
        } else {
            self.strike_cover(uid, now);
            self.cover.due.insert(uid.clone());
        }
        let name = |slot: NodeSlot| self.snapshot.nodes.name(slot).cloned();
        if told != self.snapshot.backups.book.of(uid).and_then(|covered| name(covered.backup)).as_ref() {
            self.cover.to_write.insert(uid.clone());
        }
    }

    fn leave_cover(&mut self, uid: &PodUid, now: Time) {
        if self.cover.pods.remove(uid).is_some() {
            self.cover.due.remove(uid);
            self.cover.to_write.remove(uid);
            self.strike_cover(uid, now);
        }
    }

    /// Enters a pod into the book.
    pub(super) fn enter_book(&mut self, uid: &PodUid, covered: Covered, now: Time) {
        let new = covered.backup;
        let before = self.snapshot.backups.book.put(uid.clone(), covered);
        for slot in before.map(|before| before.backup).into_iter().chain([new]) {
            self.note_book(slot, now);
        }
    }

    /// Strikes a pod out of the book.
    pub(super) fn strike_cover(&mut self, uid: &PodUid, now: Time) {
        if let Some(before) = self.snapshot.backups.book.remove(uid) {
            self.note_book(before.backup, now);
        }
    }

    /// The book says something else of a node.
    pub(super) fn note_book(&mut self, slot: NodeSlot, now: Time) {
        self.cover.changed.insert(slot, now);
        self.cover.nodes_due.insert(slot);
    }
}

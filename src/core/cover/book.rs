//! The book of cover: which pod is covered where, and what each node has to reserve for that.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};
use std::iter::Peekable;

use crate::model::{PodUid, Resources};
use crate::placement::NodeSlot;

/// A pod and its backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The node that the pod is on.
    pub primary: NodeSlot,
    /// The node that has room for it when `primary` fails; another one, which the book does not check.
    pub backup: NodeSlot,
    /// What the pod requests.
    pub demand: Resources,
}

/// Who is covered where. The figures are exact after every change: nothing is estimated, and what a removed pod
/// took is summed up again rather than taken away.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pods: HashMap<PodUid, Covered>,
    on: BTreeMap<NodeSlot, BTreeSet<PodUid>>,
    by: BTreeMap<NodeSlot, Backup>,
}

/// What a node is the backup of.
#[derive(Clone, Debug, Default)]
pub(super) struct Backup {
    /// By the node that the pods are on.
    shares: BTreeMap<NodeSlot, Share>,
    /// The maximum over the shares' sums, per resource.
    reserve: Resources,
}

/// The pods of one node that have their backups on one other.
#[derive(Clone, Debug, Default)]
struct Share {
    pods: BTreeSet<PodUid>,
    sum: Resources,
}

/// What a backup node covers of other nodes, looked up in the order of these.
pub(super) struct Shares<'a>(Peekable<btree_map::Iter<'a, NodeSlot, Share>>);

// === impl Book ===

impl Book {
    /// Enters a pod, in place of what the book said of it before, which is returned.
    pub fn put(&mut self, uid: PodUid, covered: Covered) -> Option<Covered> {
        let before = self.remove(&uid);
        self.on.entry(covered.primary).or_default().insert(uid.clone());
        let backup = self.by.entry(covered.backup).or_default();
        let share = backup.shares.entry(covered.primary).or_default();
        share.pods.insert(uid.clone());
        share.sum.add(&covered.demand);
        backup.reserve.raise_to(&share.sum);
        self.pods.insert(uid, covered);
        before
    }

    /// Strikes a pod out.
    pub fn remove(&mut self, uid: &PodUid) -> Option<Covered> {
        let covered = self.pods.remove(uid)?;
        if let Some(pods) = self.on.get_mut(&covered.primary) {
            pods.remove(uid);
            if pods.is_empty() {
                self.on.remove(&covered.primary);
            }
        }
        if let Some(backup) = self.by.get_mut(&covered.backup) {
            backup.strike(uid, covered.primary, &self.pods);
            if backup.shares.is_empty() {
                self.by.remove(&covered.backup);
            }
        }
        Some(covered)
    }

    /// What the book says of a pod.
    pub fn of(&self, uid: &PodUid) -> Option<&Covered> {
        self.pods.get(uid)
    }

    /// What has to be reserved on a node: per resource the maximum over other nodes of the sum of the demands
    /// that it covers from there. Nothing on a node that is nobody's backup.
    pub fn reserve(&self, backup: NodeSlot) -> Resources {
        self.by.get(&backup).map(|backup| backup.reserve.clone()).unwrap_or_default()
    }

    /// The sum of the demands of `primary`'s pods that have their backups on `backup`: what would come there if
    /// `primary` failed.
    pub fn share(&self, primary: NodeSlot, backup: NodeSlot) -> Resources {
        let share = self.by.get(&backup).and_then(|backup| backup.shares.get(&primary));
        share.map(|share| share.sum.clone()).unwrap_or_default()
    }

    /// By how much the reserve of `backup` would grow if a pod on `primary` with this demand were covered there
    /// too. For a pod that is in the book already, remove it first.
    pub fn increment(&self, primary: NodeSlot, backup: NodeSlot, demand: &Resources) -> Resources {
        let Some(backup) = self.by.get(&backup) else { return demand.exceeding(&Resources::default()) };
        backup.increment(backup.shares.get(&primary).map(|share| &share.sum), demand)
    }

    /// What a node is the backup of, if it is anybody's.
    pub(super) fn backup(&self, node: NodeSlot) -> Option<&Backup> {
        self.by.get(&node)
    }

    /// The covered pods that are on a node, by UID.
    pub fn covered_on(&self, primary: NodeSlot) -> impl Iterator<Item = (&PodUid, &Covered)> {
        let uids = self.on.get(&primary).into_iter().flatten();
        uids.filter_map(|uid| self.pods.get_key_value(uid))
    }

    /// The pods that have their backups on a node, by the nodes they are on and then by UID.
    pub fn covered_by(&self, backup: NodeSlot) -> impl Iterator<Item = (&PodUid, &Covered)> {
        let shares = self.by.get(&backup).into_iter().flat_map(|backup| backup.shares.values());
        shares.flat_map(|share| &share.pods).filter_map(|uid| self.pods.get_key_value(uid))
    }

    /// The nodes that are somebody's backup, in the order of their slots.
    pub fn backups(&self) -> impl Iterator<Item = NodeSlot> {
        self.by.keys().copied()
    }

    /// Whether a node is somebody's backup.
    pub fn is_backup(&self, node: NodeSlot) -> bool {
        self.by.contains_key(&node)
    }

    /// The nodes that covered pods are on, in the order of their slots.
    pub fn primaries(&self) -> impl Iterator<Item = NodeSlot> {
        self.on.keys().copied()
    }

    /// How many pods are in the book.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether no pod is in the book.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }
}

// === impl Backup ===

impl Backup {
    /// The maximum over the nodes of what is covered of each, per resource.
    pub(super) fn reserve(&self) -> &Resources {
        &self.reserve
    }

    /// What is covered of each node.
    pub(super) fn shares(&self) -> Shares<'_> {
        Shares(self.shares.iter().peekable())
    }

    /// By how much the reserve would grow if so much more were covered of a node of which this much is.
    pub(super) fn increment(&self, share: Option<&Resources>, demand: &Resources) -> Resources {
        let mut share = share.cloned().unwrap_or_default();
        share.add(demand);
        share.exceeding(&self.reserve)
    }

    /// Strikes out a pod that is no longer among `pods`.
    fn strike(&mut self, uid: &PodUid, primary: NodeSlot, pods: &HashMap<PodUid, Covered>) {
        if let Some(share) = self.shares.get_mut(&primary) {
            share.pods.remove(uid);
            // Sums saturate, so what was added can't just be subtracted.
            share.sum = Resources::default();
            for covered in share.pods.iter().filter_map(|uid| pods.get(uid)) {
                share.sum.add(&covered.demand);
            }
            if share.pods.is_empty() {
                self.shares.remove(&primary);
            }
        }
        self.reserve = Resources::default();
        for share in self.shares.values() {
            self.reserve.raise_to(&share.sum);
        }
    }
}

// === impl Shares ===

impl<'a> Shares<'a> {
    /// What is covered of a node that comes after all those that were asked for before.
    pub(super) fn of_next(&mut self, primary: NodeSlot) -> Option<&'a Resources> {
        while self.0.next_if(|(node, _)| **node < primary).is_some() {}
        self.0.next_if(|(node, _)| **node == primary).map(|(_, share)| &share.sum)
    }
}

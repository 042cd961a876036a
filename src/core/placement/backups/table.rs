//! What is known of backups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cover::{Book, Holds};
use crate::model::{Name, Node, Pod, Resources};
use crate::placement::{NodeSlot, NodeView};

/// The namespace of backups.
pub const BACKUP_NAMESPACE: &str = "edge-system";
/// The label by which backups are known.
pub const BACKUP_LABEL: (&str, &str) = ("app.kubernetes.io/name", "edge-backup");

/// What begins the keys of taints by which the cluster says that a node is not well, or goes.
const LIFECYCLE: [&str; 2] = ["node.kubernetes.io/", "node.cloudprovider.kubernetes.io/"];
/// Taints by which autoscalers say that they take a node away.
const GOING: [&str; 3] =
    ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"];

/// Who is covered where, and the pods by which room is reserved for that.
#[derive(Debug, Default)]
pub struct Backups {
    /// Who is covered where.
    pub book: Book,
    /// What is held for pods that are to come, beyond what the book says.
    pub holds: Holds,
    /// Nodes whose backups are being handed over: room is free there that is not for everybody.
    pub handed_over: BTreeSet<NodeSlot>,
    /// The backups there are, those on their way included, by node.
    pods: BTreeMap<NodeSlot, Vec<Arc<Pod>>>,
    /// Nodes that take no backups for now.
    pub closed: BTreeSet<NodeSlot>,
    /// Why no backup can be made anywhere, if so.
    pub refused: Option<Name>,
    /// What pods that belong to a node wait for there: backups leave that free.
    pub owed: BTreeMap<NodeSlot, Owed>,
}

/// What backups leave to others on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// What these request together.
    pub requests: Resources,
    /// How many they are: a backup takes the place of a pod as well.
    pub pods: i64,
}

/// Whether a pod is a backup.
pub fn is_backup(pod: &Pod) -> bool {
    let (key, value) = BACKUP_LABEL;
    &*pod.key.namespace == BACKUP_NAMESPACE && pod.labels.get(key) == Some(value)
}

// === impl Backups ===

impl Backups {
    /// Counts a pod, if it is a backup.
    pub(crate) fn add_pod(&mut self, pod: &Arc<Pod>, slot: NodeSlot) {
        if is_backup(pod) {
            self.pods.entry(slot).or_default().push(Arc::clone(pod));
        }
    }

    /// Counts a pod no longer.
    pub(crate) fn remove_pod(&mut self, pod: &Pod, slot: NodeSlot) {
        if !is_backup(pod) {
            return;
        }
        if let Some(pods) = self.pods.get_mut(&slot) {
            pods.retain(|known| known.uid != pod.uid);
            if pods.is_empty() {
                self.pods.remove(&slot);
            }
        }
    }

    /// The backups on a node.
    pub fn on(&self, slot: NodeSlot) -> &[Arc<Pod>] {
        self.pods.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// The nodes that backups are on.
    pub fn nodes(&self) -> impl Iterator<Item = NodeSlot> {
        self.pods.keys().copied()
    }

    /// What the backups on a node request.
    pub fn held(&self, slot: NodeSlot) -> Resources {
        let mut held = Resources::default();
        for pod in self.on(slot) {
            held.add(&pod.requests);
        }
        held
    }

    /// What is to be kept on a node: what the book reserves, and what is held for pods that are to come.
    pub fn to_keep(&self, slot: NodeSlot) -> Resources {
        let mut sum = self.book.reserve(slot);
        sum.add(&self.holds.sum(slot));
        sum
    }

    /// The nodes on which something is to be kept.
    pub fn keepers(&self) -> impl Iterator<Item = NodeSlot> {
        self.book.backups().chain(self.holds.nodes())
    }

    /// What of a node neither other pods request nor is to be kept. It is negative where a node is overfull.
    pub fn free(&self, node: NodeView<'_>) -> Resources {
        let mut free = self.room(node);
        free.subtract(&self.to_keep(node.slot));
        free
    }

    /// What of a node nobody takes, neither pods nor backups.
    pub fn spare(&self, node: NodeView<'_>) -> Resources {
        let mut spare = self.room(node);
        spare.subtract(&self.held(node.slot));
        spare
    }

    /// What of a node backups may take: what no other pod requests, nor waits for because it belongs there.
    pub fn room(&self, node: NodeView<'_>) -> Resources {
        let mut room = node.node.allocatable.clone();
        room.subtract(&node.usage.requested);
        room.add(&self.held(node.slot));
        let Some(Owed { requests, pods }) = self.owed.get(&node.slot) else { return room };
        let backups = i64::try_from(self.on(node.slot).len()).unwrap_or(i64::MAX);
        let places = node.node.allowed_pods - (node.usage.num_pods() - backups) - pods;
        if places < 0 || !requests.exceeding(&room).is_nothing() {
            // Who would not fit without backups either is not helped by their going.
            return room;
        }
        if places < backups.max(1) {
            return Resources::default();
        }
        room.subtract(requests);
        room
    }

    /// Whether a node takes no backups: it is cordoned, or tainted as one that is not well or goes. `keeps` is
    /// whether it is asked about one that it has.
    pub fn is_closed(&self, node: &Node, slot: NodeSlot, keeps: bool) -> bool {
        let is_going = |key: &str| {
            LIFECYCLE.iter().any(|prefix| key.starts_with(prefix))
                || GOING.contains(&key)
                || (!keeps && key == super::HANDOVER_TAINT)
        };
        node.unschedulable
            || self.closed.contains(&slot)
            || node.taints.iter().any(|taint| is_going(&taint.key))
    }
}

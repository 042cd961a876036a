//! The state of the cluster that a pod is judged against.
//!
//! Upstream copies changed nodes from its cache into a snapshot before each cycle, because informers
//! write to the cache meanwhile. Here one owner applies events and decides, in turn, so the table that
//! is kept up to date *is* the snapshot and nothing is copied.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::label_index::LabelIndex;
use super::topology::Topologies;
use super::{
    AffinityIndex, Backups, Budgets, ImageState, Images, Nominations, PodIndex, Revision, Selectors, Volumes,
    Workloads,
};
use crate::cover::Covered;
use crate::delay::DelayTable;
use crate::model::{HostPort, Image, Labels, Name, Node, NodeName, NonZeroRequest, Pod, Resources};

/// A place in the table of nodes. A name keeps its slot when its node goes, so that whatever is
/// known of it (its pods, its delays) is there when the node comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeSlot(pub u32);

/// What the pods on a node use, assumed ones included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requested in all.
    pub requested: Resources,
    /// The same for scoring.
    pub non_zero: NonZeroRequest,
    /// The pods.
    pub pods: Vec<Arc<Pod>>,
    /// Host ports in use.
    pub ports: Vec<HostPort>,
    /// Virtual machine interfaces in use.
    pub vmis: i64,
    /// The lowest priority of the pods, so that it costs little to see that none can be taken away.
    lowest_priority: Option<i32>,
}

/// A node and what its pods use.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    /// Its slot.
    pub slot: NodeSlot,
    /// The node.
    pub node: &'a Node,
    /// What is used.
    pub usage: &'a Usage,
}

/// The nodes of the cluster.
#[derive(Debug, Default)]
pub struct Nodes {
    entries: Vec<Entry>,
    by_name: HashMap<NodeName, NodeSlot>,
    images: Images,
    labels: LabelIndex,
    topologies: Topologies,
    live: usize,
    /// By slot; none where there is no node.
    revisions: Vec<Option<Revision>>,
    last_revision: Revision,
}

#[derive(Debug)]
struct Entry {
    name: NodeName,
    node: Option<Node>,
    usage: Usage,
}

/// Everything a pod is judged against.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The nodes.
    pub nodes: Nodes,
    /// The labels of the namespaces, by name.
    pub namespaces: HashMap<Name, Labels>,
    /// Where workloads run, for anchors.
    pub workloads: Workloads,
    /// The placed pods by their labels.
    pub pods: PodIndex,
    /// The affinities that placed pods have.
    pub affinities: AffinityIndex,
    /// What selects pods.
    pub selectors: Selectors,
    /// Delays from the nodes that anchors are on.
    pub delays: DelayTable,
    /// Claims, volumes and what else there is of storage.
    pub volumes: Volumes,
    /// Which pods are to go where as soon as there is room.
    pub nominations: Nominations,
    /// The PodDisruptionBudgets.
    pub budgets: Budgets,
    /// Who is covered where, and what is reserved for that.
    pub backups: Backups,
    /// The nodes that are suspected to be lost: nothing new goes there.
    pub suspects: BTreeSet<NodeSlot>,
}

// === impl NodeSlot ===

impl NodeSlot {
    /// The slot as an index.
    pub fn idx(self) -> usize {
        self.0 as usize
    }
}

// === impl Usage ===

impl Usage {
    /// How many pods, as a node's allowance of them counts.
    pub fn num_pods(&self) -> i64 {
        i64::try_from(self.pods.len()).unwrap_or(i64::MAX)
    }

    /// Whether there is a pod of lower priority than this.
    pub fn has_below(&self, priority: i32) -> bool {
        self.lowest_priority.is_some_and(|lowest| lowest < priority)
    }

    /// Counts `pod`.
    pub fn add(&mut self, pod: &Arc<Pod>) {
        self.lowest_priority = Some(self.lowest_priority.map_or(pod.priority, |it| it.min(pod.priority)));
        self.requested.add(&pod.requests);
        self.non_zero.add(pod.non_zero);
        self.pods.push(Arc::clone(pod));
        self.ports.extend(pod.ports.iter().cloned());
        self.vmis += i64::from(pod.vmis.taken());
    }

    /// Counts `pod` no longer.
    pub fn remove(&mut self, pod: &Pod) {
        self.requested.subtract(&pod.requests);
        self.non_zero.subtract(pod.non_zero);
        self.vmis -= i64::from(pod.vmis.taken());
        if let Some(idx) = self.pods.iter().position(|known| known.uid == pod.uid) {
            self.pods.swap_remove(idx);
        }
        if self.lowest_priority == Some(pod.priority) {
            self.lowest_priority = self.pods.iter().map(|pod| pod.priority).min();
        }
        for port in &pod.ports {
            if let Some(idx) = self.ports.iter().position(|used| used == port) {
                self.ports.swap_remove(idx);
            }
        }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// Counts a pod on `slot`.
    pub fn add_pod(&mut self, pod: &Arc<Pod>, slot: NodeSlot) {
        if let Some(usage) = self.nodes.usage_mut(slot) {
            usage.add(pod);
        }
        self.volumes.add_uses(pod, slot);
        // A replica that is ending is none that others may be near to.
        if !pod.terminating {
            self.workloads.add(pod, slot);
        }
        self.pods.add(pod, slot);
        self.affinities.add(pod, slot);
        self.backups.add_pod(pod, slot);
    }

    /// Counts a pod on `slot` no longer; it is as it was when it was counted.
    pub fn remove_pod(&mut self, pod: &Pod, slot: NodeSlot) {
        if let Some(usage) = self.nodes.usage_mut(slot) {
            usage.remove(pod);
        }
        self.volumes.remove_uses(pod, slot);
        if !pod.terminating {
            self.workloads.remove(pod, slot);
        }
        self.pods.remove(pod, slot);
        self.affinities.remove(pod, slot);
        self.backups.remove_pod(pod, slot);
    }

    /// Counts a pod on `slot` nowhere, nor in the book of cover, so that it can be judged as one that has to be placed.
    /// What the book said of it; [`Self::put_back`] takes both back.
    pub(crate) fn take_out(&mut self, pod: &Pod, slot: NodeSlot) -> Option<Covered> {
        self.remove_pod(pod, slot);
        self.backups.book.remove(&pod.uid)
    }

    /// Counts a pod again as before it was taken out.
    pub(crate) fn put_back(&mut self, pod: &Arc<Pod>, slot: NodeSlot, cover: Option<Covered>) {
        self.add_pod(pod, slot);
        if let Some(cover) = cover {
            self.backups.book.put(pod.uid.clone(), cover);
        }
    }
}

// === impl Nodes ===

impl Nodes {
    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.live
    }

    /// How many slots there are: at least as many as nodes.
    pub fn num_slots(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// All nodes, by slot.
    pub fn iter(&self) -> impl Iterator<Item = NodeView<'_>> {
        self.entries.iter().zip(0..).filter_map(|(entry, slot)| entry.view(NodeSlot(slot)))
    }

    /// All nodes, from the slot `start` on, and then those before it.
    pub fn iter_from(&self, start: usize) -> impl Iterator<Item = NodeView<'_>> {
        let slots = (start..self.entries.len()).chain(0..start);
        slots.filter_map(|idx| self.entries.get(idx)?.view(NodeSlot(u32::try_from(idx).ok()?)))
    }

    /// The slots of all nodes, each with how new its node is.
    pub fn revisions(&self) -> impl Iterator<Item = (NodeSlot, Revision)> {
        let revisions = self.revisions.iter().zip(0..);
        revisions.filter_map(|(revision, slot)| revision.map(|revision| (NodeSlot(slot), revision)))
    }

    /// How new the node in `slot` is, if there is one.
    pub fn revision(&self, slot: NodeSlot) -> Option<Revision> {
        self.revisions.get(slot.idx()).copied().flatten()
    }

    /// Something in `slot` changes.
    fn revise(&mut self, slot: NodeSlot) {
        self.last_revision = Revision(self.last_revision.0 + 1);
        let is_live = self.entries.get(slot.idx()).is_some_and(|entry| entry.node.is_some());
        if let Some(revision) = self.revisions.get_mut(slot.idx()) {
            *revision = is_live.then_some(self.last_revision);
        }
    }

    /// The node in `slot`, if there is one.
    pub fn get(&self, slot: NodeSlot) -> Option<NodeView<'_>> {
        self.entries.get(slot.idx())?.view(slot)
    }

    /// The node called `name`, if there is one.
    pub fn find(&self, name: &str) -> Option<NodeView<'_>> {
        self.get(*self.by_name.get(name)?)
    }

    /// The slot of `name`, if the name was ever heard of.
    pub fn slot(&self, name: &str) -> Option<NodeSlot> {
        self.by_name.get(name).copied()
    }

    /// The name that `slot` belongs to.
    pub fn name(&self, slot: NodeSlot) -> Option<&NodeName> {
        self.entries.get(slot.idx()).map(|entry| &entry.name)
    }

    /// The slot of `name`, made if it is new.
    pub fn slot_of(&mut self, name: &NodeName) -> NodeSlot {
        if let Some(slot) = self.by_name.get(name.as_str()) {
            return *slot;
        }
        let slot = NodeSlot(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        self.entries.push(Entry { name: name.clone(), node: None, usage: Usage::default() });
        self.revisions.push(None);
        self.by_name.insert(name.clone(), slot);
        slot
    }

    /// Adds or replaces a node; gives back the one it replaced.
    pub fn put(&mut self, node: Node) -> Option<Node> {
        let slot = self.slot_of(&node.name);
        let entry = self.entries.get_mut(slot.idx())?;
        self.images.change(slot, entry.images(), &node.images);
        self.labels.change(slot, entry.node.as_ref().map(|node| &node.labels), Some(&node.labels));
        self.topologies.change(slot, Some(&node.labels));
        let old = entry.node.replace(node);
        if old.is_none() {
            self.live += 1;
        }
        self.revise(slot);
        old
    }

    /// Takes a node away; gives it back. Its slot and the count of its pods stay.
    pub fn remove(&mut self, name: &str) -> Option<Node> {
        let slot = *self.by_name.get(name)?;
        let old = self.entries.get_mut(slot.idx())?.node.take()?;
        self.images.change(slot, &old.images, &[]);
        self.labels.change(slot, Some(&old.labels), None);
        self.topologies.change(slot, None);
        self.live -= 1;
        self.revise(slot);
        Some(old)
    }

    /// What is used on `slot`, to count a pod there or no longer.
    pub fn usage_mut(&mut self, slot: NodeSlot) -> Option<&mut Usage> {
        self.revise(slot);
        self.entries.get_mut(slot.idx()).map(|entry| &mut entry.usage)
    }

    /// The nodes that have this label.
    pub fn labelled(&self, key: &str, value: &str) -> impl Iterator<Item = NodeView<'_>> {
        self.labels.get(key, value).into_iter().flatten().filter_map(|slot| self.get(*slot))
    }

    /// The topologies that are kept.
    pub(super) fn topologies(&self) -> &Topologies {
        &self.topologies
    }

    /// The image of this name, if a node has it.
    pub fn image(&self, name: &str) -> Option<&ImageState> {
        self.images.get(name)
    }
}

// === impl Entry ===

impl Entry {
    fn view(&self, slot: NodeSlot) -> Option<NodeView<'_>> {
        self.node.as_ref().map(|node| NodeView { slot, node, usage: &self.usage })
    }

    fn images(&self) -> &[Image] {
        self.node.as_ref().map_or(&[], |node| &node.images)
    }
}

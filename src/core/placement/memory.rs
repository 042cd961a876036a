//! What was found of nodes for pods with the same needs, so that it is not found again for those that haven't changed.
//!
//! The replicas of a workload come one after the other and need the same, and placing one of them changes one node. So most of
//! what a plugin says, if it depends on nothing but the pod's needs and the node, was said a moment ago
//! (upstream comes near with `OpportunisticBatching`, which keeps the list of best nodes for pods of one signature).

use std::collections::BTreeMap;

use super::{NodeSlot, PluginSet};
use crate::model::{
    HostPort, Labels, Name, NodeAffinity, NodeFeatures, NodeName, NonZeroRequest, Pod, Resources, Toleration,
    Vmis,
};

/// For so many different needs nodes are remembered.
const NEEDS: usize = 4;

/// How often a node or what is used on it has changed; all nodes count together, so that no two states are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub(super) u64);

/// What was found of nodes. It belongs to one snapshot.
#[derive(Debug, Default)]
pub struct Memory {
    /// The one that was used last comes last.
    recollections: Vec<Recollection>,
}

/// What was found for pods with these needs.
#[derive(Debug)]
pub(super) struct Recollection {
    profile: Name,
    needs: Needs,
    /// The plugins that have judged.
    judges: PluginSet,
    /// Which of them rejects the node first, counted among them, or that none does.
    pub(super) rejected: Column<Option<u8>>,
    /// By plugin: how it scores the node.
    pub(super) scores: BTreeMap<usize, Column<i64>>,
}

/// What was found, by node.
#[derive(Debug, Default)]
pub(super) struct Column<T> {
    found: Vec<(Revision, T)>,
}

/// All of a pod that a plugin may look at whose word is remembered.
#[derive(Debug, PartialEq)]
struct Needs {
    node: Option<NodeName>,
    requests: Resources,
    non_zero: NonZeroRequest,
    scored: NonZeroRequest,
    ports: Box<[HostPort]>,
    node_selector: Labels,
    node_affinity: NodeAffinity,
    tolerations: Box<[Toleration]>,
    vmis: Vmis,
    features: NodeFeatures,
}

// === impl Memory ===

impl Memory {
    /// What is remembered for pods like this one under a profile.
    pub(super) fn of(&mut self, profile: &Name, pod: &Pod) -> Option<&mut Recollection> {
        let is_it = |it: &Recollection| it.profile == *profile && it.needs.are_of(pod);
        let recollection = match self.recollections.iter().position(is_it) {
            Some(idx) => self.recollections.remove(idx),
            None => Recollection::new(profile.clone(), Needs::of(pod)),
        };
        if self.recollections.len() >= NEEDS {
            self.recollections.remove(0);
        }
        self.recollections.push(recollection);
        self.recollections.last_mut()
    }
}

// === impl Recollection ===

impl Recollection {
    fn new(profile: Name, needs: Needs) -> Self {
        let (judges, rejected, scores) = (PluginSet::default(), Column::default(), BTreeMap::new());
        Self { profile, needs, judges, rejected, scores }
    }

    /// These plugins judge the nodes; what others have said counts no longer.
    pub(super) fn judged_by(&mut self, judges: PluginSet) -> &mut Column<Option<u8>> {
        if self.judges != judges {
            self.judges = judges;
            self.rejected = Column::default();
        }
        &mut self.rejected
    }
}

// === impl Column ===

impl<T: Copy + Default> Column<T> {
    /// What was found of the node in `slot` at this revision of it.
    pub(super) fn get(&self, slot: NodeSlot, revision: Revision) -> Option<T> {
        self.found.get(slot.idx()).filter(|(known, _)| *known == revision).map(|(_, found)| *found)
    }

    /// Remembers what was found.
    pub(super) fn put(&mut self, slot: NodeSlot, revision: Revision, found: T) {
        if self.found.len() <= slot.idx() {
            self.found.resize(slot.idx() + 1, <(Revision, T)>::default());
        }
        if let Some(entry) = self.found.get_mut(slot.idx()) {
            *entry = (revision, found);
        }
    }
}

// === impl Needs ===

impl Needs {
    fn of(pod: &Pod) -> Self {
        Self {
            node: pod.node.clone(),
            requests: pod.requests.clone(),
            non_zero: pod.non_zero,
            scored: pod.scored,
            ports: pod.ports.clone(),
            node_selector: pod.node_selector.clone(),
            node_affinity: pod.node_affinity.clone(),
            tolerations: pod.tolerations.clone(),
            vmis: pod.vmis,
            features: pod.features,
        }
    }

    fn are_of(&self, pod: &Pod) -> bool {
        let Self {
            node,
            requests,
            non_zero,
            scored,
            ports,
            node_selector,
            node_affinity,
            tolerations,
            vmis,
            features,
        } = self;
        *node == pod.node
            && *requests == pod.requests
            && *non_zero == pod.non_zero
            && *scored == pod.scored
            && *ports == pod.ports
            && *node_selector == pod.node_selector
            && *node_affinity == pod.node_affinity
            && *tolerations == pod.tolerations
            && *vmis == pod.vmis
            && *features == pod.features
    }
}

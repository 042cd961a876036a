//! Storage as pods are judged against it: claims, volumes, classes, and what nodes can attach.

mod binding;
mod event;
mod migration;
mod table;

pub use binding::{VolumePlan, VolumeWrite, check_bound};
pub use event::StorageEvent;
pub use table::{Keyed, Put, Table};

use std::collections::HashMap;

use super::NodeSlot;
use crate::model::{
    Claim, ClaimKey, CsiDriver, CsiNode, Name, NodeName, PersistentVolume, Pod, PodVolume, StorageCapacity,
    StorageClass, Version, VolumeAttachment,
};

pub(super) use migration::{
    Affinity, Attached, affinity_on, attached_by_class, attached_disk, attached_volume,
};

/// Everything that is known of storage.
#[derive(Debug, Default)]
pub struct Volumes {
    /// Claims.
    pub claims: Table<Claim>,
    /// PersistentVolumes.
    pub volumes: Table<PersistentVolume>,
    /// Storage classes.
    pub classes: Table<StorageClass>,
    /// What each node can attach.
    pub csi_nodes: Table<CsiNode>,
    /// CSI drivers.
    pub drivers: Table<CsiDriver>,
    /// How much storage there is.
    pub capacities: Table<StorageCapacity>,
    /// What is attached where.
    pub attachments: Table<VolumeAttachment>,
    /// On which nodes the pods are that name each claim, one entry a use.
    used: HashMap<ClaimKey, Vec<NodeSlot>>,
}

// === impl Volumes ===

impl Volumes {
    /// A claim as it is, or as it is assumed to be once what was decided has been written.
    pub fn claim(&self, namespace: &Name, name: &Name) -> Option<&Claim> {
        let key = ClaimKey { namespace: namespace.clone(), name: name.clone() };
        self.claims.get(&key).map(AsRef::as_ref)
    }

    /// What is attached to a node.
    pub fn attached_to<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = &'a VolumeAttachment> {
        let all = self.attachments.from((node.clone(), Name::from("")));
        all.map(AsRef::as_ref).take_while(move |attached: &&VolumeAttachment| attached.node == *node)
    }

    /// How much storage of a class there is.
    pub fn capacities_of<'a>(&'a self, class: &'a Name) -> impl Iterator<Item = &'a StorageCapacity> {
        let all = self.capacities.from((class.clone(), Name::from(""), Name::from("")));
        all.map(AsRef::as_ref).take_while(move |capacity: &&StorageCapacity| capacity.class == *class)
    }

    /// Counts that a pod on `slot` names its claims. Claims of ephemeral volumes are the pod's own.
    pub fn add_uses(&mut self, pod: &Pod, slot: NodeSlot) {
        for key in named_claims(pod) {
            self.used.entry(key).or_default().push(slot);
        }
    }

    /// Counts that no longer.
    pub fn remove_uses(&mut self, pod: &Pod, slot: NodeSlot) {
        for key in named_claims(pod) {
            let Some(slots) = self.used.get_mut(&key) else { continue };
            if let Some(idx) = slots.iter().position(|used| *used == slot) {
                slots.swap_remove(idx);
            }
            if slots.is_empty() {
                self.used.remove(&key);
            }
        }
    }

    /// On which nodes pods are that name a claim.
    pub fn uses(&self, key: &ClaimKey) -> &[NodeSlot] {
        self.used.get(key).map_or(&[], Vec::as_slice)
    }
}

/// The claims that a pod names itself.
fn named_claims(pod: &Pod) -> impl Iterator<Item = ClaimKey> + '_ {
    pod.volumes.iter().filter_map(|volume| match volume {
        PodVolume::Claim(name) => Some(ClaimKey { namespace: pod.key.namespace.clone(), name: name.clone() }),
        PodVolume::Ephemeral(_) | PodVolume::Disk(_) => None,
    })
}

// === impl Keyed ===

macro_rules! keyed {
    ($kind:ident, $key:ty, $object:ident => $make:expr) => {
        impl Keyed for $kind {
            type Key = $key;

            fn key(&self) -> $key {
                let $object = self;
                $make
            }

            fn version(&self) -> Version {
                self.version
            }
        }
    };
}

keyed!(Claim, ClaimKey, it => it.key.clone());
keyed!(PersistentVolume, Name, it => it.name.clone());
keyed!(StorageClass, Name, it => it.name.clone());
keyed!(CsiNode, NodeName, it => it.name.clone());
keyed!(CsiDriver, Name, it => it.name.clone());
keyed!(StorageCapacity, (Name, Name, Name), it => (it.class.clone(), it.namespace.clone(), it.name.clone()));
keyed!(VolumeAttachment, (NodeName, Name), it => (it.node.clone(), it.name.clone()));

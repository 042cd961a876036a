//! What happens to storage.

use crate::model::{
    Claim, CsiDriver, CsiNode, PersistentVolume, StorageCapacity, StorageClass, VolumeAttachment,
};

/// A change of storage that may cure a rejection.
#[derive(Clone, Copy, Debug)]
pub enum StorageEvent<'a> {
    /// A claim appeared, or changed.
    ClaimChanged {
        /// As it was, if it was there.
        old: Option<&'a Claim>,
        /// As it is.
        new: &'a Claim,
    },
    /// A PersistentVolume appeared, or changed.
    VolumeChanged {
        /// As it was, if it was there.
        old: Option<&'a PersistentVolume>,
        /// As it is.
        new: &'a PersistentVolume,
    },
    /// A storage class appeared, or changed.
    ClassChanged {
        /// As it was, if it was there.
        old: Option<&'a StorageClass>,
        /// As it is.
        new: &'a StorageClass,
    },
    /// What a node can attach became known, or changed.
    CsiNodeChanged {
        /// As it was, if it was known.
        old: Option<&'a CsiNode>,
        /// As it is.
        new: &'a CsiNode,
    },
    /// A CSI driver appeared, or changed.
    CsiDriverChanged {
        /// As it was, if it was there.
        old: Option<&'a CsiDriver>,
        /// As it is.
        new: &'a CsiDriver,
    },
    /// How much storage there is became known, or changed.
    CapacityChanged {
        /// As it was, if it was known.
        old: Option<&'a StorageCapacity>,
        /// As it is.
        new: &'a StorageCapacity,
    },
    /// A volume was detached from a node.
    Detached(&'a VolumeAttachment),
}

// === impl StorageEvent ===

impl StorageEvent<'_> {
    /// What upstream's metrics call it (`ClusterEvent.Label`).
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::ClaimChanged { old: None, .. } => "PersistentVolumeClaimAdd",
            Self::ClaimChanged { old: Some(_), .. } => "PersistentVolumeClaimUpdate",
            Self::VolumeChanged { old: None, .. } => "PersistentVolumeAdd",
            Self::VolumeChanged { old: Some(_), .. } => "PersistentVolumeUpdate",
            Self::ClassChanged { old: None, .. } => "storage.k8s.io/StorageClassAdd",
            Self::ClassChanged { old: Some(_), .. } => "storage.k8s.io/StorageClassUpdate",
            Self::CsiNodeChanged { old: None, .. } => "storage.k8s.io/CSINodeAdd",
            Self::CsiNodeChanged { old: Some(_), .. } => "storage.k8s.io/CSINodeUpdate",
            Self::CsiDriverChanged { old: None, .. } => "storage.k8s.io/CSIDriverAdd",
            Self::CsiDriverChanged { old: Some(_), .. } => "storage.k8s.io/CSIDriverUpdate",
            Self::CapacityChanged { old: None, .. } => "storage.k8s.io/CSIStorageCapacityAdd",
            Self::CapacityChanged { old: Some(_), .. } => "storage.k8s.io/CSIStorageCapacityUpdate",
            Self::Detached(_) => "storage.k8s.io/VolumeAttachmentDelete",
        }
    }
}

//! What is known of storage itself: classes, drivers, what nodes can attach and how much there is.

use super::{LabelSelector, Name, NodeName, Requirement, StorageSize, Version};

/// A StorageClass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageClass {
    /// The name.
    pub name: Name,
    /// How new this reading is.
    pub version: Version,
    /// Who makes its volumes.
    pub provisioner: Name,
    /// Whether a claim is bound only when a pod uses it (`volumeBindingMode: WaitForFirstConsumer`).
    pub waits_for_consumer: bool,
    /// Where its volumes can be made: one of the terms must hold, each with all of its requirements; anywhere
    /// if there is no term.
    pub allowed_topologies: Box<[Box<[Requirement]>]>,
}

/// A CSINode: the CSI drivers of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsiNode {
    /// The node.
    pub name: NodeName,
    /// How new this reading is.
    pub version: Version,
    /// The drivers, with how many volumes of each the node can attach, if that is limited.
    pub drivers: Box<[(Name, Option<i64>)]>,
    /// In-tree plugins that CSI drivers have taken over on the node (annotation
    /// `storage.alpha.kubernetes.io/migrated-plugins`).
    pub migrated: Box<[Name]>,
}

/// A CSIDriver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsiDriver {
    /// The name.
    pub name: Name,
    /// How new this reading is.
    pub version: Version,
    /// Whether it tells how much storage there is, and wants to be asked for no more.
    pub storage_capacity: bool,
}

/// A CSIStorageCapacity: how much storage of a class some nodes can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageCapacity {
    /// The namespace.
    pub namespace: Name,
    /// The name.
    pub name: Name,
    /// How new this reading is.
    pub version: Version,
    /// The storage class.
    pub class: Name,
    /// Which nodes can reach it; none if it doesn't say.
    pub topology: Option<LabelSelector>,
    /// How large a volume can be: its maximum size if that is told, else all that is left.
    pub limit: Option<StorageSize>,
}

/// A VolumeAttachment: a volume that is attached to a node, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeAttachment {
    /// The name.
    pub name: Name,
    /// How new this reading is.
    pub version: Version,
    /// The CSI driver.
    pub attacher: Name,
    /// The node.
    pub node: NodeName,
    /// The PersistentVolume, if it is one.
    pub volume: Option<Name>,
}

// === impl StorageClass ===

impl StorageClass {
    /// A class whose claims are bound at once, to be filled in by struct update.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            version: Version::UNKNOWN,
            provisioner: "".into(),
            waits_for_consumer: false,
            allowed_topologies: Box::default(),
        }
    }
}

// === impl CsiNode ===

impl CsiNode {
    /// A node without drivers, to be filled in by struct update.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            version: Version::UNKNOWN,
            drivers: Box::default(),
            migrated: Box::default(),
        }
    }
}

// === impl CsiDriver ===

impl CsiDriver {
    /// A driver that does not tell how much storage there is.
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), version: Version::UNKNOWN, storage_capacity: false }
    }
}

// === impl StorageCapacity ===

impl StorageCapacity {
    /// No storage that no node can reach, to be filled in by struct update.
    pub fn named(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            version: Version::UNKNOWN,
            class: "".into(),
            topology: None,
            limit: None,
        }
    }
}

// === impl VolumeAttachment ===

impl VolumeAttachment {
    /// An attachment of nothing to no node, to be filled in by struct update.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            version: Version::UNKNOWN,
            attacher: "".into(),
            node: "".into(),
            volume: None,
        }
    }
}

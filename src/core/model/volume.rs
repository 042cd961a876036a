//! Claims, and the volumes that they are bound to.

use std::fmt;

use super::{Disk, LabelSelector, Labels, Name, NodeName, NodeSelector, StorageSize, Version};

/// Access modes, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessModes(u8);

/// Namespace and name of a claim, printed as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimKey {
    /// The namespace.
    pub namespace: Name,
    /// The name.
    pub name: Name,
}

/// One claim, and no later one of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimRef {
    /// Namespace and name.
    pub key: ClaimKey,
    /// The UID. A volume that a user bound to a claim beforehand may leave it out.
    pub uid: Option<Name>,
}

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for a field of the API")]
pub struct Claim {
    /// Namespace and name.
    pub key: ClaimKey,
    /// The UID.
    pub uid: Name,
    /// How new this reading is.
    pub version: Version,
    /// Whether its deletion has begun.
    pub terminating: bool,
    /// The UID of its controlling owner.
    pub controller: Option<Name>,
    /// Its storage class; empty is none.
    pub class: Name,
    /// The volume it is bound to, or is to be bound to.
    pub volume: Option<Name>,
    /// Whether its volume is lost (`status.phase`).
    pub lost: bool,
    /// Whether it has any annotation.
    pub annotated: bool,
    /// Whether its binding is complete on its side (annotation `pv.kubernetes.io/bind-completed`).
    pub bind_completed: bool,
    /// The node whose pod is the first to use it (annotation `volume.kubernetes.io/selected-node`).
    pub selected_node: Option<NodeName>,
    /// How the volume is to be accessed.
    pub access_modes: AccessModes,
    /// How large the volume is to be at least.
    pub requested: Option<StorageSize>,
    /// Which volumes it takes.
    pub selector: Option<LabelSelector>,
    /// Whether a raw device is wanted in place of a file system.
    pub block: bool,
    /// Its volume attributes class; empty is none.
    pub attributes_class: Name,
}

/// A PersistentVolume.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for a field of the API")]
pub struct PersistentVolume {
    /// The name.
    pub name: Name,
    /// The UID.
    pub uid: Name,
    /// How new this reading is.
    pub version: Version,
    /// Whether its deletion has begun.
    pub terminating: bool,
    /// Labels.
    pub labels: Labels,
    /// Its storage class; empty is none.
    pub class: Name,
    /// How large it is.
    pub capacity: StorageSize,
    /// The claim that it is bound to, or is to be bound to.
    pub claim: Option<ClaimRef>,
    /// Whether the binding is ours or the controller's to undo (annotation
    /// `pv.kubernetes.io/bound-by-controller`).
    pub bound_by_controller: bool,
    /// How it can be accessed.
    pub access_modes: AccessModes,
    /// Whether it is a raw device.
    pub block: bool,
    /// Whether it is free (`status.phase` is `Available`).
    pub available: bool,
    /// Its volume attributes class; empty is none.
    pub attributes_class: Name,
    /// The nodes that can reach it; all of them if it doesn't say.
    pub affinity: Option<NodeSelector>,
    /// What is behind it.
    pub source: VolumeSource,
}

/// What is behind a PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VolumeSource {
    /// A volume of a CSI driver.
    Csi {
        /// The driver.
        driver: Name,
        /// The driver's name for the volume.
        handle: Name,
    },
    /// A disk of a kind that CSI drivers have taken over.
    Disk(Disk),
    /// Anything else, such as a directory of a node.
    #[default]
    Other,
}

// === impl VolumeSource ===

impl VolumeSource {
    /// The CSI driver and its name for the volume, if there is one.
    pub fn as_csi(&self) -> Option<(&Name, &Name)> {
        match self {
            Self::Csi { driver, handle } => Some((driver, handle)),
            Self::Disk(_) | Self::Other => None,
        }
    }
}

// === impl AccessModes ===

impl AccessModes {
    /// By one pod at a time.
    pub const READ_WRITE_ONCE_POD: Self = Self(1);

    /// The words of the API.
    pub const WORDS: [(&str, Self); 4] = [
        ("ReadWriteOncePod", Self::READ_WRITE_ONCE_POD),
        ("ReadWriteOnce", Self(2)),
        ("ReadOnlyMany", Self(4)),
        ("ReadWriteMany", Self(8)),
    ];

    /// The modes of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all modes of `other` are among these.
    pub fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

// === impl ClaimKey ===

impl ClaimKey {
    /// The key of claim `name` in `namespace`.
    pub fn new(namespace: impl Into<Name>, name: impl Into<Name>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

// === impl Claim ===

impl Claim {
    /// A claim that asks for nothing and is bound to nothing, to be filled in by struct update.
    pub fn named(namespace: &str, name: &str) -> Self {
        let key = ClaimKey::new(namespace, name);
        Self {
            uid: key.to_string().into(),
            key,
            version: Version::UNKNOWN,
            terminating: false,
            controller: None,
            class: "".into(),
            volume: None,
            lost: false,
            annotated: false,
            bind_completed: false,
            selected_node: None,
            access_modes: AccessModes::default(),
            requested: None,
            selector: None,
            block: false,
            attributes_class: "".into(),
        }
    }

    /// Whether both sides know of the binding (upstream: `isPVCFullyBound`).
    pub fn is_bound(&self) -> bool {
        self.volume.is_some() && self.bind_completed
    }
}

// === impl PersistentVolume ===

impl PersistentVolume {
    /// A volume of no size that is not free, to be filled in by struct update.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            uid: name.into(),
            version: Version::UNKNOWN,
            terminating: false,
            labels: Labels::default(),
            class: "".into(),
            capacity: StorageSize::default(),
            claim: None,
            bound_by_controller: false,
            access_modes: AccessModes::default(),
            block: false,
            available: false,
            attributes_class: "".into(),
            affinity: None,
            source: VolumeSource::default(),
        }
    }

    /// Whether it is bound, or is to be bound, to this claim (upstream:
    /// `component-helpers/storage/volume.IsVolumeBoundToClaim`).
    pub fn is_for(&self, claim: &Claim) -> bool {
        self.claim.as_ref().is_some_and(|bound| {
            bound.key == claim.key && bound.uid.as_ref().is_none_or(|uid| *uid == claim.uid)
        })
    }
}

//! Volumes of pods.

use super::Name;

/// A volume of a pod that its place depends on. Others, such as config maps, are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodVolume {
    /// A claim of this name in the pod's namespace.
    Claim(Name),
    /// A generic ephemeral volume, with the name of the claim that is made for it (upstream:
    /// `component-helpers/storage/ephemeral.VolumeClaimName`).
    Ephemeral(Name),
    /// A disk that the pod names itself.
    Disk(Disk),
}

/// A disk of a kind that Kubernetes knows without a CSI driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    /// `gcePersistentDisk`.
    Gce {
        /// Its name.
        name: Name,
        /// Whether it is only read.
        read_only: bool,
    },
    /// `awsElasticBlockStore`.
    Aws {
        /// Its ID, in one of the forms that Kubernetes takes.
        id: Name,
    },
    /// `azureDisk`.
    Azure {
        /// Its URI.
        uri: Name,
        /// Whether it is a managed disk, which alone a CSI driver takes over.
        managed: bool,
    },
    /// `cinder`.
    Cinder {
        /// Its ID.
        id: Name,
    },
    /// `portworxVolume`.
    Portworx {
        /// Its ID.
        id: Name,
    },
    /// `iscsi`.
    Iscsi {
        /// The target's qualified name.
        iqn: Name,
        /// Whether it is only read.
        read_only: bool,
    },
    /// `rbd`.
    Rbd {
        /// Ceph monitors.
        monitors: Box<[Name]>,
        /// The pool.
        pool: Name,
        /// The image.
        image: Name,
        /// Whether it is only read.
        read_only: bool,
    },
}

// === impl PodVolume ===

impl PodVolume {
    /// The name of the claim behind it, if there is one.
    pub fn claim(&self) -> Option<&Name> {
        match self {
            Self::Claim(name) | Self::Ephemeral(name) => Some(name),
            Self::Disk(_) => None,
        }
    }
}

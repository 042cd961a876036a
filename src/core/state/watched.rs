//! Which kinds of objects the scheduler is told of, and which of them it knows in full.

/// A kind of object that is watched. A new kind is a line here, one in [`Watched::ALL`], a variant of
/// [`super::Event`], a `Kind` in the shell's `src/cluster/object.rs` and a line in its `watch.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Watched {
    /// Pods of every scheduler.
    Pods,
    /// Nodes.
    Nodes,
    /// Namespaces.
    Namespaces,
    /// PodDisruptionBudgets.
    DisruptionBudgets,
    /// Services.
    Services,
    /// ReplicationControllers.
    ReplicationControllers,
    /// ReplicaSets.
    ReplicaSets,
    /// StatefulSets.
    StatefulSets,
    /// PersistentVolumeClaims.
    Claims,
    /// PersistentVolumes.
    PersistentVolumes,
    /// StorageClasses.
    StorageClasses,
    /// CSINodes.
    CsiNodes,
    /// CSIDrivers.
    CsiDrivers,
    /// CSIStorageCapacities.
    StorageCapacities,
    /// VolumeAttachments.
    VolumeAttachments,
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchedSet(u32);

// === impl Watched ===

impl Watched {
    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::Pods,
        Self::Nodes,
        Self::Namespaces,
        Self::DisruptionBudgets,
        Self::Services,
        Self::ReplicationControllers,
        Self::ReplicaSets,
        Self::StatefulSets,
        Self::Claims,
        Self::PersistentVolumes,
        Self::StorageClasses,
        Self::CsiNodes,
        Self::CsiDrivers,
        Self::StorageCapacities,
        Self::VolumeAttachments,
    ];
}

// === impl WatchedSet ===

impl WatchedSet {
    /// All kinds.
    pub fn all() -> Self {
        Watched::ALL.iter().copied().collect()
    }

    /// Adds a kind.
    pub fn insert(&mut self, kind: Watched) {
        self.0 |= 1 << kind as u32;
    }

    /// Whether every kind of `other` is in this set.
    pub fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl FromIterator<Watched> for WatchedSet {
    fn from_iter<T: IntoIterator<Item = Watched>>(kinds: T) -> Self {
        let mut set = Self::default();
        for kind in kinds {
            set.insert(kind);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_complete_once_every_kind_is_in_it() {
        let mut set = WatchedSet::default();
        for kind in Watched::ALL {
            assert!(!set.contains_all(WatchedSet::all()), "{kind:?} is listed twice");
            set.insert(*kind);
        }
        assert!(set.contains_all(WatchedSet::all()));
        assert!(
            !WatchedSet::from_iter([Watched::Pods]).contains_all(WatchedSet::from_iter([Watched::Nodes]))
        );
    }
}

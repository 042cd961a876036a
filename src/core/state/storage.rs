//! What the watches say of storage.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Change, State, Watched};
use crate::model::{
    Claim, CsiDriver, CsiNode, PersistentVolume, StorageCapacity, StorageClass, Time, VolumeAttachment,
};
use crate::placement::{ClusterEvent, Keyed, Put, StorageEvent, Table, Volumes};

/// Something that the watch of a kind of storage said.
#[derive(Clone, Debug)]
pub enum StorageChange {
    /// PersistentVolumeClaims.
    Claims(Change<Claim>),
    /// PersistentVolumes.
    Volumes(Change<PersistentVolume>),
    /// StorageClasses.
    Classes(Change<StorageClass>),
    /// CSINodes.
    CsiNodes(Change<CsiNode>),
    /// CSIDrivers.
    CsiDrivers(Change<CsiDriver>),
    /// CSIStorageCapacities.
    Capacities(Change<StorageCapacity>),
    /// VolumeAttachments.
    Attachments(Change<VolumeAttachment>),
}

/// A kind of storage.
trait Stored: Keyed + Sized {
    const KIND: Watched;

    /// Where objects of the kind are kept.
    fn table(volumes: &mut Volumes) -> &mut Table<Self>;

    /// What it means to waiting pods that an object is new or different.
    fn changed<'a>(old: Option<&'a Self>, new: &'a Self) -> Option<StorageEvent<'a>>;

    /// What it means to them that it is gone.
    fn gone(&self) -> Option<StorageEvent<'_>> {
        None
    }
}

// === impl State ===

impl State {
    pub(super) fn apply_storage(&mut self, change: StorageChange, now: Time) {
        match change {
            StorageChange::Claims(change) => self.apply_stored(change, now),
            StorageChange::Volumes(change) => self.apply_stored(change, now),
            StorageChange::Classes(change) => self.apply_stored(change, now),
            StorageChange::CsiNodes(change) => self.apply_stored(change, now),
            StorageChange::CsiDrivers(change) => self.apply_stored(change, now),
            StorageChange::Capacities(change) => self.apply_stored(change, now),
            StorageChange::Attachments(change) => self.apply_stored(change, now),
        }
        self.check_volumes(now);
    }

    fn apply_stored<T: Stored>(&mut self, change: Change<T>, now: Time) {
        match change {
            Change::Reset(objects) => {
                let listed: BTreeSet<T::Key> = objects.iter().map(Keyed::key).collect();
                let table = T::table(&mut self.snapshot.volumes);
                for gone in table.remove_unless(|key| listed.contains(key)) {
                    self.tell_gone(&*gone, now);
                }
                for object in objects {
                    self.put_stored(object, now);
                }
                self.listed.insert(T::KIND);
            }
            Change::Put(object) => self.put_stored(*object, now),
            Change::Gone(object) => {
                if let Some(gone) = T::table(&mut self.snapshot.volumes).remove(&object.key()) {
                    self.tell_gone(&*gone, now);
                }
            }
        }
    }

    fn put_stored<T: Stored>(&mut self, object: T, now: Time) {
        let object = Arc::new(object);
        let old = match T::table(&mut self.snapshot.volumes).put(Arc::clone(&object)) {
            Put::Added => None,
            Put::Updated(old) => Some(old),
            Put::Unchanged => return,
        };
        if let Some(event) = T::changed(old.as_deref(), &object) {
            self.wake(&ClusterEvent::Storage(event), now);
        }
    }

    fn tell_gone<T: Stored>(&mut self, object: &T, now: Time) {
        if let Some(event) = object.gone() {
            self.wake(&ClusterEvent::Storage(event), now);
        }
    }
}

macro_rules! stored {
    ($kind:ty, $watched:ident, $table:ident, $changed:ident) => {
        impl Stored for $kind {
            const KIND: Watched = Watched::$watched;

            fn table(volumes: &mut Volumes) -> &mut Table<Self> {
                &mut volumes.$table
            }

            fn changed<'a>(old: Option<&'a Self>, new: &'a Self) -> Option<StorageEvent<'a>> {
                Some(StorageEvent::$changed { old, new })
            }
        }
    };
}

stored!(Claim, Claims, claims, ClaimChanged);
stored!(PersistentVolume, PersistentVolumes, volumes, VolumeChanged);
stored!(StorageClass, StorageClasses, classes, ClassChanged);
stored!(CsiNode, CsiNodes, csi_nodes, CsiNodeChanged);
stored!(CsiDriver, CsiDrivers, drivers, CsiDriverChanged);
stored!(StorageCapacity, StorageCapacities, capacities, CapacityChanged);

impl Stored for VolumeAttachment {
    const KIND: Watched = Watched::VolumeAttachments;

    fn table(volumes: &mut Volumes) -> &mut Table<Self> {
        &mut volumes.attachments
    }

    /// One more attached volume cures nothing.
    fn changed<'a>(_old: Option<&'a Self>, _new: &'a Self) -> Option<StorageEvent<'a>> {
        None
    }

    fn gone(&self) -> Option<StorageEvent<'_>> {
        Some(StorageEvent::Detached(self))
    }
}

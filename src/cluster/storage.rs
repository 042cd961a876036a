//! The kinds of objects that storage is known by.

use edge_core::model::{
    Claim, CsiDriver, CsiNode, PersistentVolume, StorageCapacity, StorageClass, VolumeAttachment,
};
use edge_core::state::{Change, Event, StorageChange};
use edge_core::wire::{
    ClaimObject, CsiDriverObject, CsiNodeObject, Identity, Interner, PersistentVolumeObject,
    StorageCapacityObject, StorageClassObject, VolumeAttachmentObject, WireError,
};
use k8s_openapi::api::core::v1::{PersistentVolume as ApiVolume, PersistentVolumeClaim as ApiClaim};
use k8s_openapi::api::storage::v1;

use super::object::Kind;

macro_rules! kind {
    (
        $(#[$doc:meta])* $kind:ident: $api:ty, $object:ty => $model:ty,
        $name:literal, $without:literal, $read:ident, $change:ident, $identity:ident => $bare:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(super) enum $kind {}

        impl Kind for $kind {
            type Api = $api;
            type Object = $object;
            type Model = $model;
            type Told = Event;

            const NAME: &'static str = $name;
            const WITHOUT: Option<&'static str> = Some($without);

            fn identity(object: &$object) -> Identity {
                object.identity()
            }

            fn read(object: $object, interner: &mut Interner) -> Result<$model, WireError> {
                object.$read(interner)
            }

            fn bare($identity: &Identity) -> $model {
                $bare
            }

            fn event(change: Change<$model>) -> Event {
                Event::Storage(StorageChange::$change(change))
            }
        }
    };
}

kind! {
    /// PersistentVolumeClaims.
    Claims: ApiClaim, ClaimObject => Claim,
    "persistentvolumeclaim", "pods with claims", into_claim, Claims,
    identity => Claim::named(&identity.namespace, &identity.name)
}

kind! {
    /// PersistentVolumes.
    Volumes: ApiVolume, PersistentVolumeObject => PersistentVolume,
    "persistentvolume", "pods with claims", into_volume, Volumes,
    identity => PersistentVolume::named(&identity.name)
}

kind! {
    /// StorageClasses.
    Classes: v1::StorageClass, StorageClassObject => StorageClass,
    "storageclass", "claims that wait for their first pod", into_class, Classes,
    identity => StorageClass::named(&identity.name)
}

kind! {
    /// CSINodes.
    CsiNodes: v1::CSINode, CsiNodeObject => CsiNode,
    "csinode", "limits of attached volumes", into_csi_node, CsiNodes,
    identity => CsiNode::named(&identity.name)
}

kind! {
    /// CSIDrivers.
    CsiDrivers: v1::CSIDriver, CsiDriverObject => CsiDriver,
    "csidriver", "storage capacity", into_csi_driver, CsiDrivers,
    identity => CsiDriver::named(&identity.name)
}

kind! {
    /// CSIStorageCapacities.
    Capacities: v1::CSIStorageCapacity, StorageCapacityObject => StorageCapacity,
    "csistoragecapacity", "storage capacity", into_capacity, Capacities,
    identity => StorageCapacity::named(&identity.namespace, &identity.name)
}

kind! {
    /// VolumeAttachments.
    Attachments: v1::VolumeAttachment, VolumeAttachmentObject => VolumeAttachment,
    "volumeattachment", "volumes that are attached but used by no pod", into_attachment, Attachments,
    identity => VolumeAttachment::named(&identity.name)
}

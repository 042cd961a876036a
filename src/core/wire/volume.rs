//! Volumes of pods, and what is behind PersistentVolumes: the API spells disks alike in both.

use serde::Deserialize;

use crate::model::{Disk, PodVolume};

use super::decode::{Presence, or_default};
use super::intern::Interner;

/// A volume with all the sources that placing looks at, of which one is there at most.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct VolumeObject {
    #[serde(deserialize_with = "or_default")]
    name: String,
    persistent_volume_claim: Option<ClaimSource>,
    ephemeral: Presence,
    image: Option<ImageSource>,
    gce_persistent_disk: Option<GceDisk>,
    aws_elastic_block_store: Option<VolumeId>,
    azure_disk: Option<AzureDisk>,
    cinder: Option<VolumeId>,
    portworx_volume: Option<VolumeId>,
    iscsi: Option<Iscsi>,
    rbd: Option<Rbd>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClaimSource {
    #[serde(deserialize_with = "or_default")]
    claim_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ImageSource {
    reference: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GceDisk {
    #[serde(deserialize_with = "or_default")]
    pd_name: String,
    read_only: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct VolumeId {
    #[serde(rename = "volumeID", deserialize_with = "or_default")]
    volume_id: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AzureDisk {
    #[serde(rename = "diskURI", deserialize_with = "or_default")]
    uri: String,
    kind: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Iscsi {
    #[serde(deserialize_with = "or_default")]
    iqn: String,
    read_only: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Rbd {
    #[serde(deserialize_with = "or_default")]
    monitors: Vec<String>,
    pool: Option<String>,
    #[serde(deserialize_with = "or_default")]
    image: String,
    read_only: Option<bool>,
}

// === impl VolumeObject ===

impl VolumeObject {
    /// The volume of `pod`, if the pod's place depends on it.
    pub(super) fn read(&self, pod: &str, interner: &mut Interner) -> Option<PodVolume> {
        if let Some(ClaimSource { claim_name }) = &self.persistent_volume_claim {
            return Some(PodVolume::Claim(interner.intern(claim_name)));
        }
        if self.ephemeral.is_some() {
            return Some(PodVolume::Ephemeral(format!("{pod}-{}", self.name).into()));
        }
        self.disk(interner).map(PodVolume::Disk)
    }

    /// The image, if the volume is one.
    pub(super) fn image(&self) -> Option<&str> {
        self.image.as_ref().map(|image| image.reference.as_deref().unwrap_or_default())
    }

    /// The disk, if the volume is one.
    pub(super) fn disk(&self, interner: &mut Interner) -> Option<Disk> {
        let is_set = |flag: Option<bool>| flag.unwrap_or(false);
        if let Some(GceDisk { pd_name, read_only }) = &self.gce_persistent_disk {
            return Some(Disk::Gce { name: interner.intern(pd_name), read_only: is_set(*read_only) });
        }
        if let Some(VolumeId { volume_id }) = &self.aws_elastic_block_store {
            return Some(Disk::Aws { id: interner.intern(volume_id) });
        }
        if let Some(AzureDisk { uri, kind }) = &self.azure_disk {
            let managed = kind.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case("managed"));
            return Some(Disk::Azure { uri: interner.intern(uri), managed });
        }
        if let Some(VolumeId { volume_id }) = &self.cinder {
            return Some(Disk::Cinder { id: interner.intern(volume_id) });
        }
        if let Some(VolumeId { volume_id }) = &self.portworx_volume {
            return Some(Disk::Portworx { id: interner.intern(volume_id) });
        }
        if let Some(Iscsi { iqn, read_only }) = &self.iscsi {
            return Some(Disk::Iscsi { iqn: interner.intern(iqn), read_only: is_set(*read_only) });
        }
        let Rbd { monitors, pool, image, read_only } = self.rbd.as_ref()?;
        Some(Disk::Rbd {
            monitors: interner.names(monitors),
            pool: interner.intern(pool.as_deref().unwrap_or("rbd")),
            image: interner.intern(image),
            read_only: is_set(*read_only),
        })
    }
}

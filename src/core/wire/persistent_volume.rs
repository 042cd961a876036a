//! A PersistentVolume as the API has it.

use serde::Deserialize;

use crate::model::{ClaimKey, ClaimRef, Disk, NodeSelector, PersistentVolume, VolumeSource};

use super::affinity::NodeSelectorObject;
use super::amount::{AmountPairs, Amounts};
use super::claim::{PhaseStatus, access_modes, annotation, class, is_block, name};
use super::decode::{Pairs, or_default};
use super::error::{Fault, WireError};
use super::intern::Interner;
use super::meta::{Identity, Meta};
use super::volume::VolumeObject;

const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";

/// A PersistentVolume as the API has it; only what placing needs is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PersistentVolumeObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta<Pairs<String>>,
    #[serde(deserialize_with = "or_default")]
    spec: VolumeSpec,
    #[serde(deserialize_with = "or_default")]
    status: PhaseStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct VolumeSpec {
    #[serde(deserialize_with = "or_default")]
    access_modes: Vec<String>,
    capacity: AmountPairs,
    claim_ref: Option<ReferenceObject>,
    #[serde(deserialize_with = "or_default")]
    node_affinity: VolumeAffinity,
    storage_class_name: Option<String>,
    volume_attributes_class_name: Option<String>,
    volume_mode: Option<String>,
    csi: Option<CsiSource>,
    #[serde(flatten)]
    source: VolumeObject,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ReferenceObject {
    #[serde(deserialize_with = "or_default")]
    namespace: String,
    #[serde(deserialize_with = "or_default")]
    name: String,
    uid: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct VolumeAffinity {
    required: Option<NodeSelectorObject>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CsiSource {
    #[serde(deserialize_with = "or_default")]
    driver: String,
    #[serde(deserialize_with = "or_default")]
    volume_handle: String,
}

// === impl PersistentVolumeObject ===

impl PersistentVolumeObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into a volume.
    pub fn into_volume(self, interner: &mut Interner) -> Result<PersistentVolume, WireError> {
        self.read(interner).map_err(|fault| {
            let name = self.metadata.name.as_deref().unwrap_or("(unnamed)");
            fault.of("persistentvolume", name.to_owned())
        })
    }

    fn read(&self, interner: &mut Interner) -> Result<PersistentVolume, Fault> {
        let Self { metadata, spec, status } = self;
        let name = metadata.required_name()?;
        let capacity =
            Amounts::read(&spec.capacity).map_err(|fault| fault.under(format_args!("spec.capacity")))?;
        Ok(PersistentVolume {
            name: interner.intern(name),
            uid: metadata.uid_or(|| name.to_owned()),
            version: metadata.version(),
            terminating: metadata.is_terminating(),
            labels: interner.labels(&metadata.labels.0),
            class: class(&metadata.annotations, spec.storage_class_name.as_deref(), interner),
            capacity: capacity.storage().unwrap_or_default(),
            claim: spec.claim_ref.as_ref().map(|claim| claim.read(interner)),
            bound_by_controller: annotation(&metadata.annotations, BOUND_BY_CONTROLLER).is_some(),
            access_modes: access_modes(&spec.access_modes)?,
            block: is_block(spec.volume_mode.as_deref())?,
            available: status.phase.as_deref() == Some("Available"),
            attributes_class: interner.intern(spec.volume_attributes_class_name.as_deref().unwrap_or("")),
            affinity: spec.affinity(interner)?,
            source: spec.source(interner),
        })
    }
}

// === impl VolumeSpec ===

impl VolumeSpec {
    fn affinity(&self, interner: &mut Interner) -> Result<Option<NodeSelector>, Fault> {
        let Some(required) = &self.node_affinity.required else { return Ok(None) };
        let terms = required.read(interner);
        let terms = terms.map_err(|fault| fault.under(format_args!("spec.nodeAffinity.required")))?;
        Ok(Some(NodeSelector { terms }))
    }

    fn source(&self, interner: &mut Interner) -> VolumeSource {
        if let Some(CsiSource { driver, volume_handle }) = &self.csi {
            return VolumeSource::Csi {
                driver: interner.intern(driver),
                handle: volume_handle.as_str().into(),
            };
        }
        match self.source.disk(interner) {
            // No CSI driver has taken these over.
            None | Some(Disk::Iscsi { .. } | Disk::Rbd { .. }) => VolumeSource::Other,
            Some(disk) => VolumeSource::Disk(disk),
        }
    }
}

// === impl ReferenceObject ===

impl ReferenceObject {
    fn read(&self, interner: &mut Interner) -> ClaimRef {
        let key = ClaimKey::new(interner.intern(&self.namespace), interner.intern(&self.name));
        ClaimRef { key, uid: name(self.uid.as_deref(), interner) }
    }
}

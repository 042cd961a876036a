//! What is written so that claims get their volumes, and when that has come about (upstream:
//! `plugins/volumebinding/binder.go`).

use std::sync::Arc;
use std::time::Duration;

use super::{Affinity, Volumes, affinity_on};
use crate::model::{Claim, ClaimRef, Node, NodeName, PersistentVolume, Version};

/// Something to write so that a claim gets its volume. The volume controller or a provisioner does the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeWrite {
    /// A volume that is there is to be bound to the claim: `spec.claimRef` of the volume.
    Bind {
        /// The volume as it was read.
        volume: Arc<PersistentVolume>,
        /// The claim as it was read.
        claim: Arc<Claim>,
    },
    /// A volume is to be made for the claim: annotation `volume.kubernetes.io/selected-node` of the claim.
    Provision {
        /// The claim as it was read.
        claim: Arc<Claim>,
        /// Where the pod goes.
        node: NodeName,
    },
}

/// What has to come about before a pod may be bound, so that its claims have their volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumePlan {
    /// What is to be written, volumes that are there first.
    pub writes: Vec<VolumeWrite>,
    /// How long the rest may take.
    pub timeout: Duration,
}

// === impl VolumeWrite ===

impl VolumeWrite {
    /// Whether the volume is to be marked as bound by a controller, who may undo the binding too: it is, unless
    /// the user bound it (upstream: `component-helpers/storage/volume.GetBindVolumeToClaim`).
    pub fn marks_volume(&self) -> bool {
        match self {
            Self::Bind { volume, claim } => !volume.is_for(claim) && !volume.bound_by_controller,
            Self::Provision { .. } => false,
        }
    }

    /// Takes what is to be written for written.
    pub(crate) fn assume(&self, volumes: &mut Volumes) {
        match self {
            Self::Bind { volume, claim } => {
                let reference = ClaimRef { key: claim.key.clone(), uid: Some(claim.uid.clone()) };
                let bound_by_controller = volume.bound_by_controller || self.marks_volume();
                let bound =
                    PersistentVolume { claim: Some(reference), bound_by_controller, ..(**volume).clone() };
                volumes.volumes.assume(Arc::new(bound));
            }
            Self::Provision { claim, node } => {
                let selected =
                    Claim { selected_node: Some(node.clone()), annotated: true, ..(**claim).clone() };
                volumes.claims.assume(Arc::new(selected));
            }
        }
    }

    /// Takes it for not written. The volume as it was assumed and as it is, if one is free again.
    pub(crate) fn revert(
        &self,
        volumes: &mut Volumes,
    ) -> Option<(Arc<PersistentVolume>, Arc<PersistentVolume>)> {
        match self {
            Self::Bind { volume, claim: _ } => volumes.volumes.restore(&volume.name, volume.version),
            Self::Provision { claim, node: _ } => {
                volumes.claims.restore(&claim.key, claim.version);
                None
            }
        }
    }
}

/// Whether the claims of a pod that goes to `node` have their volumes, given what was written and the version
/// that each write made; or why they will not get them (upstream: `volumeBinder.checkBindings`).
pub fn check_bound(
    volumes: &Volumes,
    writes: &[(VolumeWrite, Option<Version>)],
    node: &Node,
) -> Result<bool, String> {
    for (write, version) in writes {
        let version = version.unwrap_or(Version::UNKNOWN);
        let done = match write {
            VolumeWrite::Bind { volume, claim } => is_bound(volumes, (volume, claim), version, node)?,
            VolumeWrite::Provision { claim, node: selected } => {
                is_provisioned(volumes, (claim, selected), version, node)?
            }
        };
        if !done {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a volume that was there is bound.
fn is_bound(
    volumes: &Volumes,
    (volume, claim): (&PersistentVolume, &Claim),
    version: Version,
    node: &Node,
) -> Result<bool, String> {
    let not_found = |what: String| format!("failed to check binding: {what} not found");
    let told = volumes.volumes.told(&volume.name);
    let told = told.ok_or_else(|| not_found(format!("persistentvolumes {:?}", volume.name)))?;
    let claim_told = volumes.claims.told(&claim.key);
    let claim =
        claim_told.ok_or_else(|| not_found(format!("persistentvolumeclaims {:?}", claim.key.to_string())))?;
    if told.version.is_older_than(version) {
        return Ok(false);
    }
    check_reach(volumes, told, node)?;
    if told.claim.as_ref().is_none_or(|claim| claim.uid.is_none()) {
        return Err(format!("ClaimRef got reset for pv {:?}", told.name));
    }
    // A volume that was given to the claim before, by a write of which nobody knows, may have been first. Upstream does not
    // look, and binds a pod that can't reach its volume.
    match &claim.volume {
        Some(other) if claim.is_bound() && *other != told.name => Err(format!(
            "persistentvolumeclaims {:?} is bound to pv {other:?} and not to {:?}",
            claim.key.to_string(),
            told.name
        )),
        Some(_) | None => Ok(claim.is_bound()),
    }
}

/// Whether a volume was made.
fn is_provisioned(
    volumes: &Volumes,
    (claim, selected): (&Claim, &NodeName),
    version: Version,
    node: &Node,
) -> Result<bool, String> {
    let told = volumes.claims.told(&claim.key).ok_or_else(|| {
        let key = claim.key.to_string();
        format!("failed to check provisioning pvc: persistentvolumeclaims {key:?} not found")
    })?;
    if told.version.is_older_than(version) {
        return Ok(false);
    }
    if !told.annotated {
        return Err(format!("selectedNode annotation reset for PVC {:?}", told.key.name));
    }
    if told.selected_node.as_ref() != Some(selected) {
        // That is how a provisioner says that it failed.
        return Err(format!("provisioning failed for PVC {:?}", told.key.name));
    }
    if let Some(name) = &told.volume {
        let Some(volume) = volumes.volumes.told(name) else { return Ok(false) };
        check_reach(volumes, volume, node)?;
    }
    Ok(told.is_bound())
}

/// Whether the volume can be reached from the node.
fn check_reach(volumes: &Volumes, volume: &PersistentVolume, node: &Node) -> Result<(), String> {
    match affinity_on(volume, volumes.csi_nodes.get(&node.name).map(AsRef::as_ref)) {
        Affinity::Anywhere => Ok(()),
        Affinity::Selector(selector) if selector.matches_labels(&node.labels) => Ok(()),
        Affinity::Selector(_) | Affinity::Unknown => Err(format!(
            "pv {:?} node affinity doesn't match node {:?}: no matching NodeSelectorTerms",
            volume.name,
            node.name.as_str()
        )),
    }
}

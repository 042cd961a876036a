//! VolumeRestrictions: a disk is not attached twice, and a claim that is for one pod is used by one (upstream:
//! `plugins/volumerestrictions/volume_restrictions.go`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{AccessModes, ClaimKey, Disk, Name, Pod, PodVolume};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeView, Plugin, PreFilter, Reason, Rejection, StorageEvent, Verdict,
    Volumes,
};

const DISK_IN_USE: &str = "node(s) had no available disk";
const CLAIM_IN_USE: &str = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access \
                            mode already in-use by another pod";

/// The plugin.
pub struct VolumeRestrictions;

#[derive(Clone)]
struct Restrictions<'a> {
    pod: &'a Pod,
    /// The pod's claims that are for one pod.
    exclusive: BTreeSet<&'a Name>,
    /// How often other pods use them.
    conflicts: usize,
}

impl Plugin for VolumeRestrictions {
    fn name(&self) -> &'static str {
        "VolumeRestrictions"
    }

    fn pre_filter<'a>(&'a self, Cycle { pod, snapshot, .. }: Cycle<'a>) -> PreFilter<'a> {
        if pod.volumes.is_empty() {
            return PreFilter::Skip;
        }
        let exclusive = match exclusive_claims(pod, &snapshot.volumes) {
            Ok(exclusive) => exclusive,
            Err(missing) => return PreFilter::Reject(claim_not_found(missing)),
        };
        let is_used = |name: &&&Name| {
            let key = ClaimKey { namespace: pod.key.namespace.clone(), name: Name::clone(name) };
            // As upstream, a pod whose node is gone counts no longer.
            snapshot.volumes.uses(&key).iter().any(|slot| snapshot.nodes.get(*slot).is_some())
        };
        let conflicts = exclusive.iter().filter(is_used).count();
        if conflicts == 0 && disks(pod).next().is_none() {
            return PreFilter::Skip;
        }
        PreFilter::Check(Box::new(Restrictions { pod, exclusive, conflicts }))
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::PodFreed(freed) => any_conflict(pod, freed) || share_claim(pod, freed),
            ClusterEvent::Storage(StorageEvent::ClaimChanged { old: None, new }) => names(pod, &new.key),
            _ => false,
        }
    }
}

/// The rejection of a pod whose claim is not there.
pub(super) fn claim_not_found(name: &Name) -> Rejection {
    Rejection::unresolvable(Reason::said(format!("persistentvolumeclaim {name:?} not found")))
}

fn exclusive_claims<'a>(pod: &'a Pod, volumes: &'a Volumes) -> Result<BTreeSet<&'a Name>, &'a Name> {
    let mut exclusive = BTreeSet::new();
    for name in named_claims(pod) {
        let claim = volumes.claim(&pod.key.namespace, name).ok_or(name)?;
        if claim.access_modes.contain(AccessModes::READ_WRITE_ONCE_POD) {
            exclusive.insert(name);
        }
    }
    Ok(exclusive)
}

/// The claims that a pod names itself.
pub(super) fn named_claims(pod: &Pod) -> impl Iterator<Item = &Name> {
    pod.volumes.iter().filter_map(|volume| match volume {
        PodVolume::Claim(name) => Some(name),
        PodVolume::Ephemeral(_) | PodVolume::Disk(_) => None,
    })
}

/// Whether a pod names this claim itself.
pub(super) fn names(pod: &Pod, claim: &ClaimKey) -> bool {
    claim.namespace == pod.key.namespace && named_claims(pod).any(|name| *name == claim.name)
}

fn share_claim(pod: &Pod, other: &Pod) -> bool {
    pod.key.namespace == other.key.namespace
        && named_claims(other).any(|used| named_claims(pod).any(|name| name == used))
}

fn disks(pod: &Pod) -> impl Iterator<Item = &Disk> {
    pod.volumes.iter().filter_map(|volume| match volume {
        PodVolume::Disk(disk) => Some(disk),
        PodVolume::Claim(_) | PodVolume::Ephemeral(_) => None,
    })
}

fn any_conflict(pod: &Pod, other: &Pod) -> bool {
    disks(pod).any(|disk| disks(other).any(|used| conflict(disk, used)))
}

/// Whether two pods on one node may not have these disks.
fn conflict(one: &Disk, other: &Disk) -> bool {
    match (one, other) {
        (Disk::Gce { name, read_only }, Disk::Gce { name: used, read_only: also }) => {
            name == used && !(*read_only && *also)
        }
        (Disk::Aws { id }, Disk::Aws { id: used }) => id == used,
        (Disk::Iscsi { iqn, read_only }, Disk::Iscsi { iqn: used, read_only: also }) => {
            iqn == used && !(*read_only && *also)
        }
        (
            Disk::Rbd { monitors, pool, image, read_only },
            Disk::Rbd { monitors: used_monitors, pool: used_pool, image: used, read_only: also },
        ) => {
            pool == used_pool
                && image == used
                && monitors.iter().any(|monitor| used_monitors.contains(monitor))
                && !(*read_only && *also)
        }
        _ => false,
    }
}

// === impl Restrictions ===

impl Restrictions<'_> {
    /// How many of the claims that are for one pod this pod uses.
    fn uses(&self, pod: &Pod) -> usize {
        let same_namespace = pod.key.namespace == self.pod.key.namespace;
        if same_namespace {
            named_claims(pod).filter(|name| self.exclusive.contains(name)).count()
        } else {
            0
        }
    }
}

impl NodeFilter for Restrictions<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if node.usage.pods.iter().any(|other: &Arc<Pod>| any_conflict(self.pod, other)) {
            return Rejection::unschedulable(DISK_IN_USE).into();
        }
        if self.conflicts > 0 {
            return Rejection::unschedulable(CLAIM_IN_USE).into();
        }
        Verdict::Fits
    }

    fn fork(&self) -> Option<Box<dyn NodeFilter + '_>> {
        Some(Box::new(self.clone()))
    }

    fn pod_added(&mut self, pod: &Pod, _node: NodeView<'_>) {
        self.conflicts += self.uses(pod);
    }

    fn pod_removed(&mut self, pod: &Pod, _node: NodeView<'_>) {
        self.conflicts = self.conflicts.saturating_sub(self.uses(pod));
    }
}

#[cfg(test)]
mod tests;

//! NodeVolumeLimits: the node can attach the pod's volumes on top of those it has (upstream:
//! `plugins/nodevolumelimits/csi.go`).

use std::collections::BTreeSet;

use super::volume_binding::{is_owner, not_created_for};
use crate::model::{ClaimKey, CsiNode, Name, Node, Pod, PodVolume};
use crate::placement::volumes::{Attached, attached_by_class, attached_disk, attached_volume};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeView, Plugin, PreFilter, Reason, Rejection, StorageEvent, Verdict,
    Volumes,
};

const TOO_MANY: &str = "node(s) exceed max volume count";

/// The plugin.
pub struct NodeVolumeLimits;

struct Limits<'a> {
    pod: &'a Pod,
    volumes: &'a Volumes,
}

impl Plugin for NodeVolumeLimits {
    fn name(&self) -> &'static str {
        "NodeVolumeLimits"
    }

    fn pre_filter<'a>(&'a self, Cycle { pod, snapshot, .. }: Cycle<'a>) -> PreFilter<'a> {
        if pod.volumes.is_empty() {
            return PreFilter::Skip;
        }
        PreFilter::Check(Box::new(Limits { pod, volumes: &snapshot.volumes }))
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            // A node whose drivers are not known has no limits.
            ClusterEvent::NodeAdded(_) | ClusterEvent::Storage(StorageEvent::Detached(_)) => true,
            ClusterEvent::PodFreed(freed) => !freed.volumes.is_empty(),
            ClusterEvent::Storage(StorageEvent::CsiNodeChanged { old, new }) => {
                old.is_none_or(|old| any_limit_grew(old, new))
            }
            ClusterEvent::Storage(StorageEvent::ClaimChanged { old: None, new }) => uses(pod, &new.key),
            _ => false,
        }
    }
}

/// Whether a pod uses this claim, be it the claim of an ephemeral volume.
pub(super) fn uses(pod: &Pod, claim: &ClaimKey) -> bool {
    claim.namespace == pod.key.namespace
        && pod.volumes.iter().filter_map(PodVolume::claim).any(|name| *name == claim.name)
}

/// Whether the node can attach more volumes of some driver; one that is not limited any more counts too.
fn any_limit_grew(old: &CsiNode, new: &CsiNode) -> bool {
    old.drivers.iter().any(|(driver, limit)| {
        let now = limit_of(new, driver);
        limit.is_some_and(|limit| now.is_none_or(|now| now > limit))
    })
}

/// How many volumes of a driver the node can attach, if that is limited.
fn limit_of(csi_node: &CsiNode, driver: &str) -> Option<i64> {
    let mut known = csi_node.drivers.iter();
    known.find(|(name, _)| &**name == driver).and_then(|(_, limit)| *limit)
}

impl Limits<'_> {
    /// What the node has to attach for this pod. A claim that can't be looked up is an error.
    fn attached(&self, pod: &Pod, csi_node: Option<&CsiNode>) -> Result<BTreeSet<Attached>, Rejection> {
        let mut attached = BTreeSet::new();
        for volume in &pod.volumes {
            attached.extend(match volume {
                PodVolume::Disk(disk) => attached_disk(disk, csi_node),
                PodVolume::Claim(name) => self.of_claim(pod, name, csi_node)?,
                PodVolume::Ephemeral(name) => {
                    let claim = self.volumes.claim(&pod.key.namespace, name);
                    if let Some(claim) = claim.filter(|claim| !is_owner(pod, claim)) {
                        return Err(Rejection::unresolvable(not_created_for(pod, claim)));
                    }
                    self.of_claim(pod, name, csi_node)?
                }
            });
        }
        Ok(attached)
    }

    fn of_claim(
        &self,
        pod: &Pod,
        name: &Name,
        csi_node: Option<&CsiNode>,
    ) -> Result<Option<Attached>, Rejection> {
        let claim = self.volumes.claim(&pod.key.namespace, name).ok_or_else(|| {
            let namespace = &pod.key.namespace;
            let message =
                format!("looking up PVC {namespace}/{name}: persistentvolumeclaim {name:?} not found");
            Rejection::unresolvable(Reason::said(message))
        })?;
        let volume = claim.volume.as_ref().and_then(|volume| self.volumes.volumes.get(volume));
        Ok(match volume {
            Some(volume) => attached_volume(volume, csi_node),
            None => attached_by_class(self.volumes, claim, csi_node),
        })
    }

    /// What the pods on a node need.
    fn needed(&self, node: NodeView<'_>, csi_node: &CsiNode) -> BTreeSet<Attached> {
        let pods = node.usage.pods.iter().filter(|pod| !pod.volumes.is_empty());
        pods.flat_map(|pod| self.countable(pod, csi_node)).collect()
    }

    /// What a pod that is there needs. A claim that can't be looked up can't be counted.
    fn countable(&self, pod: &Pod, csi_node: &CsiNode) -> Vec<Attached> {
        let of_volume = |volume: &PodVolume| match volume {
            PodVolume::Disk(disk) => attached_disk(disk, Some(csi_node)),
            PodVolume::Claim(name) | PodVolume::Ephemeral(name) => {
                self.of_claim(pod, name, Some(csi_node)).ok().flatten()
            }
        };
        pod.volumes.iter().filter_map(of_volume).collect()
    }

    fn attachments<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = Attached> + 'a {
        self.volumes.attached_to(&node.name).filter_map(|attachment| {
            let volume = self.volumes.volumes.get(attachment.volume.as_ref()?)?;
            let (_, handle) = volume.source.as_csi()?;
            (!attachment.attacher.is_empty()).then(|| (attachment.attacher.clone(), handle.clone()))
        })
    }
}

impl NodeFilter for Limits<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        let csi_node = self.volumes.csi_nodes.get(&node.node.name);
        let mut new = match self.attached(self.pod, csi_node.map(AsRef::as_ref)) {
            Ok(new) => new,
            Err(rejection) => return rejection.into(),
        };
        let Some(csi_node) = csi_node else { return Verdict::Fits };
        new.retain(|(driver, _)| limit_of(csi_node, driver).is_some());
        if new.is_empty() {
            return Verdict::Fits;
        }
        let needed = self.needed(node, csi_node);
        // As upstream, what is attached but needed by no pod that is there counts, even if this pod needs it.
        new.retain(|attached| !needed.contains(attached));
        let present: BTreeSet<Attached> = self.attachments(node.node).chain(needed).collect();
        let drivers: BTreeSet<&Name> = new.iter().map(|(driver, _)| driver).collect();
        let fits = |driver: &&Name| {
            let of_driver = |set: &BTreeSet<Attached>| set.iter().filter(|(name, _)| name == *driver).count();
            let total = of_driver(&new) + of_driver(&present);
            limit_of(csi_node, driver)
                .is_none_or(|limit| i64::try_from(total).is_ok_and(|total| total <= limit))
        };
        if drivers.iter().all(fits) { Verdict::Fits } else { Rejection::unschedulable(TOO_MANY).into() }
    }
}

#[cfg(test)]
mod tests;

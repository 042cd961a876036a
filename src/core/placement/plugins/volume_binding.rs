//! VolumeBinding: the pod's claims have volumes that the node can reach, or can get them (upstream:
//! `plugins/volumebinding`).

mod matching;
mod provisioning;

use std::sync::Arc;
use std::time::Duration;

use super::node_volume_limits::uses;
use super::volume_restrictions::claim_not_found;
use crate::model::{Claim, ClaimKey, Node, NodeName, PersistentVolume, Pod, PodVolume, StorageClass};
use crate::placement::volumes::{Affinity, affinity_on};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeView, Plugin, PreFilter, Reason, Rejection, StorageEvent, Verdict,
    VolumePlan, VolumeWrite, Volumes,
};

const IMMEDIATE_UNBOUND: &str = "pod has unbound immediate PersistentVolumeClaims";
const NO_VOLUME: &str = "node(s) didn't find available persistent volumes to bind";
const OUT_OF_REACH: &str = "node(s) didn't match PersistentVolume's node affinity";
const NO_SPACE: &str = "node(s) did not have enough free storage";
const VOLUME_MISSING: &str = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";

/// How long claims may take to get their volumes (upstream: `VolumeBindingArgs.bindTimeoutSeconds`).
const BIND_TIMEOUT: Duration = Duration::from_mins(10);

/// The plugin.
pub struct VolumeBinding {
    /// How long claims may take to get their volumes once they are told where.
    pub bind_timeout: Duration,
}

/// The pod's claims, and what there is for those that have no volume yet.
struct Claims<'a> {
    timeout: Duration,
    volumes: &'a Volumes,
    bound: Vec<&'a Claim>,
    /// Those to be bound once the pod has its place, with their classes.
    unbound: Vec<(&'a Arc<Claim>, &'a StorageClass)>,
    /// The volumes of those classes, by name.
    candidates: Vec<&'a Arc<PersistentVolume>>,
}

/// What can be done on a node for the claims that have no volume yet.
#[derive(Debug)]
enum Plan<'a> {
    /// This is to be written.
    Writes(Vec<Step<'a>>),
    /// Some claim can't get a volume.
    NoVolume,
    /// There is too little storage.
    NoSpace,
}

/// What is to be written for a claim.
#[derive(Debug)]
enum Step<'a> {
    Bind(&'a Arc<Claim>, &'a Arc<PersistentVolume>),
    Provision(&'a Arc<Claim>),
}

impl Default for VolumeBinding {
    fn default() -> Self {
        Self { bind_timeout: BIND_TIMEOUT }
    }
}

impl Plugin for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn pre_filter<'a>(&'a self, Cycle { pod, snapshot, .. }: Cycle<'a>) -> PreFilter<'a> {
        if !pod.volumes.iter().any(|volume| volume.claim().is_some()) {
            return PreFilter::Skip;
        }
        match Claims::of_pod(pod, &snapshot.volumes) {
            Ok(claims) => PreFilter::Check(Box::new(Claims { timeout: self.bind_timeout, ..claims })),
            Err(rejection) => PreFilter::Reject(rejection),
        }
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::NodeUpdated { old, new } => old.labels != new.labels,
            ClusterEvent::Storage(event) => is_cured_by(pod, event),
            _ => false,
        }
    }
}

fn is_cured_by(pod: &Pod, event: &StorageEvent<'_>) -> bool {
    match event {
        StorageEvent::ClaimChanged { old: _, new } => uses(pod, &new.key),
        StorageEvent::VolumeChanged { .. } => true,
        StorageEvent::ClassChanged { old, new } => {
            old.is_none_or(|old| old.allowed_topologies != new.allowed_topologies)
        }
        StorageEvent::CsiNodeChanged { old, new } => old.is_none_or(|old| old.migrated != new.migrated),
        // Upstream asks whether the pod itself names the driver, which a pod with claims does not.
        StorageEvent::CsiDriverChanged { old, new } => {
            old.is_some_and(|old| old.storage_capacity) && !new.storage_capacity
        }
        StorageEvent::CapacityChanged { old, new } => {
            old.is_none_or(|old| new.limit.is_some_and(|limit| old.limit.is_none_or(|old| limit > old)))
        }
        StorageEvent::Detached(_) => false,
    }
}

/// Whether the claim was made for an ephemeral volume of this pod (upstream:
/// `component-helpers/storage/ephemeral.VolumeIsForPod`).
pub(super) fn is_owner(pod: &Pod, claim: &Claim) -> bool {
    claim.controller.as_deref() == Some(pod.uid.as_str())
}

pub(super) fn not_created_for(pod: &Pod, claim: &Claim) -> Reason {
    Reason::said(format!("PVC {} was not created for pod {} (pod is not owner)", claim.key, pod.key))
}

// === impl Claims ===

impl<'a> Claims<'a> {
    /// The claims of a pod (upstream: `VolumeBinding.PreFilter`). The first thing that is wrong is told.
    fn of_pod(pod: &'a Pod, volumes: &'a Volumes) -> Result<Self, Rejection> {
        let claims = pod.volumes.iter().filter_map(|volume| usable_claim(pod, volume, volumes).transpose());
        let claims: Vec<&Arc<Claim>> = claims.collect::<Result<_, _>>()?;
        let timeout = BIND_TIMEOUT;
        let mut found =
            Self { timeout, volumes, bound: Vec::new(), unbound: Vec::new(), candidates: Vec::new() };
        for claim in claims {
            let class = volumes.classes.get(&claim.class).filter(|_| !claim.class.is_empty());
            match class.filter(|class| class.waits_for_consumer && claim.volume.is_none()) {
                _ if claim.is_bound() => found.bound.push(claim),
                Some(class) => found.unbound.push((claim, class)),
                None => return Err(Rejection::unresolvable(IMMEDIATE_UNBOUND)),
            }
        }
        if !found.unbound.is_empty() {
            let is_wanted = |volume: &&Arc<PersistentVolume>| {
                found.unbound.iter().any(|(claim, _)| claim.class == volume.class)
            };
            found.candidates = volumes.volumes.iter().filter(is_wanted).collect();
        }
        Ok(found)
    }

    /// The CSI drivers' view of a volume decides what it can be reached from.
    fn reaches(&self, volume: &PersistentVolume, node: &Node) -> bool {
        match affinity_on(volume, self.volumes.csi_nodes.get(&node.name).map(AsRef::as_ref)) {
            Affinity::Anywhere => true,
            Affinity::Selector(selector) => selector.matches_labels(&node.labels),
            Affinity::Unknown => false,
        }
    }

    /// Why the volumes of bound claims can't be used on a node, if so (upstream: `checkBoundClaims`).
    fn check_bound(&self, node: &Node) -> Option<&'static str> {
        self.bound.iter().find_map(|claim| {
            let volume = claim.volume.as_ref().and_then(|name| self.volumes.volumes.get(name));
            match volume {
                None => Some(VOLUME_MISSING),
                Some(volume) if !self.reaches(volume, node) => Some(OUT_OF_REACH),
                Some(_) => None,
            }
        })
    }

    /// What can be done on a node for the claims that have no volume yet (upstream: `FindPodVolumes`).
    fn plan(&self, node: &Node) -> Plan<'a> {
        let is_elsewhere = |selected: &NodeName| *selected != node.name;
        if self.unbound.iter().filter_map(|(claim, _)| claim.selected_node.as_ref()).any(is_elsewhere) {
            return Plan::NoVolume;
        }
        let (mut to_provision, to_match): (Vec<_>, Vec<_>) =
            self.unbound.iter().copied().partition(|(claim, _)| claim.selected_node.is_some());
        let (mut steps, unmatched) = matching::find(to_match, &self.candidates, node);
        to_provision.extend(unmatched);
        for (claim, class) in to_provision {
            if !provisioning::is_possible(class, node) {
                return Plan::NoVolume;
            }
            if !provisioning::has_space(self.volumes, claim, class, node) {
                return Plan::NoSpace;
            }
            steps.push(Step::Provision(claim));
        }
        Plan::Writes(steps)
    }
}

/// The claim behind a volume, if there is one and nothing is wrong with it (upstream: `podHasPVCs`).
fn usable_claim<'a>(
    pod: &Pod,
    volume: &PodVolume,
    volumes: &'a Volumes,
) -> Result<Option<&'a Arc<Claim>>, Rejection> {
    let Some(name) = volume.claim() else { return Ok(None) };
    let key = ClaimKey { namespace: pod.key.namespace.clone(), name: name.clone() };
    let is_ephemeral = matches!(volume, PodVolume::Ephemeral(_));
    let Some(claim) = volumes.claims.get(&key) else {
        return Err(if is_ephemeral {
            let controller = "waiting for ephemeral volume controller to create the persistentvolumeclaim";
            Rejection::unresolvable(Reason::said(format!("{controller} {name:?}")))
        } else {
            claim_not_found(name)
        });
    };
    let wrong = if claim.lost {
        let volume = claim.volume.as_deref().unwrap_or_default();
        format!("persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}")
    } else if claim.terminating {
        format!("persistentvolumeclaim {name:?} is being deleted")
    } else if is_ephemeral && !is_owner(pod, claim) {
        return Err(Rejection::unresolvable(not_created_for(pod, claim)));
    } else {
        return Ok(Some(claim));
    };
    Err(Rejection::unresolvable(Reason::said(wrong)))
}

impl NodeFilter for Claims<'_> {
    fn filter(&self, NodeView { node, .. }: NodeView<'_>) -> Verdict {
        let bound = self.check_bound(node);
        let unbound = match self.plan(node) {
            Plan::Writes(_) => None,
            Plan::NoVolume => Some(NO_VOLUME),
            Plan::NoSpace => Some(NO_SPACE),
        };
        // Of a volume that is missing upstream speaks last.
        let reasons = if bound == Some(VOLUME_MISSING) { [unbound, bound] } else { [bound, unbound] };
        let mut reasons = reasons.into_iter().flatten().map(Reason::Fixed);
        match reasons.next() {
            None => Verdict::Fits,
            Some(first) => Rejection { more: reasons.collect(), ..Rejection::unresolvable(first) }.into(),
        }
    }

    fn volume_plan(&self, NodeView { node, .. }: NodeView<'_>) -> Option<VolumePlan> {
        let Plan::Writes(steps) = self.plan(node) else { return None };
        let writes: Vec<VolumeWrite> = steps.into_iter().map(|step| step.into_write(node)).collect();
        (!writes.is_empty()).then_some(VolumePlan { writes, timeout: self.timeout })
    }
}

// === impl Step ===

impl Step<'_> {
    fn into_write(self, node: &Node) -> VolumeWrite {
        match self {
            Self::Bind(claim, volume) => {
                VolumeWrite::Bind { volume: Arc::clone(volume), claim: Arc::clone(claim) }
            }
            Self::Provision(claim) => {
                VolumeWrite::Provision { claim: Arc::clone(claim), node: node.name.clone() }
            }
        }
    }
}

#[cfg(test)]
mod tests;

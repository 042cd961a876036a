//! VolumeZone: the node is in the zone and the region of the volumes that the pod's claims are bound to (upstream:
//! `plugins/volumezone/volume_zone.go`).

use std::collections::BTreeSet;

use super::volume_restrictions::{claim_not_found, named_claims, names};
use crate::model::{Name, PersistentVolume, Pod};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeView, Plugin, PreFilter, Reason, Rejection, Snapshot, StorageEvent,
    Verdict,
};

const ELSEWHERE: &str = "node(s) had no available volume zone";

const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const BETA_REGION: &str = "failure-domain.beta.kubernetes.io/region";
/// The labels that say where something is, each with the one that stands in where a node lacks it.
const LABELS: [(&str, &str); 4] = [(BETA_ZONE, ZONE), (BETA_REGION, REGION), (ZONE, ZONE), (REGION, REGION)];
/// What separates the zones in a label of a volume.
const SEPARATOR: &str = "__";

/// The plugin.
pub struct VolumeZone;

/// Where a volume is: a label, the one that may stand in for it, and the values that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place<'a> {
    label: &'static str,
    or_label: &'static str,
    values: BTreeSet<&'a str>,
}

struct Places<'a>(Vec<Place<'a>>);

impl Plugin for VolumeZone {
    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn pre_filter<'a>(&'a self, Cycle { pod, snapshot, .. }: Cycle<'a>) -> PreFilter<'a> {
        let mut places = Vec::new();
        for claim in named_claims(pod) {
            match volume_of(pod, claim, snapshot) {
                Ok(Some(volume)) => places.extend(places_of(volume)),
                Ok(None) => (),
                Err(rejection) => return PreFilter::Reject(rejection),
            }
        }
        if places.is_empty() { PreFilter::Skip } else { PreFilter::Check(Box::new(Places(places))) }
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::NodeUpdated { old, new } => old.labels != new.labels,
            ClusterEvent::Storage(StorageEvent::ClassChanged { old: None, new }) => new.waits_for_consumer,
            ClusterEvent::Storage(StorageEvent::ClaimChanged { old: _, new }) => names(pod, &new.key),
            ClusterEvent::Storage(StorageEvent::VolumeChanged { old, new }) => {
                old.is_none_or(|old| !places_of(old).eq(places_of(new)))
            }
            _ => false,
        }
    }
}

/// The volume that a claim is bound to; none if it will be bound once the pod has its place.
fn volume_of<'a>(
    pod: &Pod,
    name: &Name,
    snapshot: &'a Snapshot,
) -> Result<Option<&'a PersistentVolume>, Rejection> {
    let volumes = &snapshot.volumes;
    let claim = volumes.claim(&pod.key.namespace, name).ok_or_else(|| claim_not_found(name))?;
    if let Some(volume) = &claim.volume {
        let not_found =
            || Rejection::unresolvable(Reason::said(format!("persistentvolume {volume:?} not found")));
        return volumes.volumes.get(volume).map(|volume| Some(volume.as_ref())).ok_or_else(not_found);
    }
    if claim.class.is_empty() {
        return Err(Rejection::unresolvable("PersistentVolumeClaim had no pv name and storageClass name"));
    }
    let not_found = || {
        Rejection::unresolvable(Reason::said(format!(
            "storageclass.storage.k8s.io {:?} not found",
            claim.class
        )))
    };
    let class = volumes.classes.get(&claim.class).ok_or_else(not_found)?;
    if class.waits_for_consumer {
        Ok(None)
    } else {
        Err(Rejection::unresolvable("PersistentVolume had no name"))
    }
}

/// Where a volume is. A label that lists nothing, or an empty name, says nothing.
fn places_of(volume: &PersistentVolume) -> impl Iterator<Item = Place<'_>> {
    LABELS.iter().filter_map(|(label, or_label)| {
        let values = volume.labels.get(label)?.split(SEPARATOR).map(str::trim);
        let values: BTreeSet<&str> = values.collect();
        (!values.contains("")).then_some(Place { label, or_label, values })
    })
}

impl NodeFilter for Places<'_> {
    fn filter(&self, NodeView { node, .. }: NodeView<'_>) -> Verdict {
        let labels = &node.labels;
        // A node that doesn't say where it is belongs to a cluster of one zone.
        let is_anywhere = LABELS.iter().all(|(label, _)| labels.get(label).is_none());
        let is_there = |place: &Place<'_>| {
            let value = labels.get(place.label).or_else(|| labels.get(place.or_label));
            value.is_some_and(|value| place.values.contains(value))
        };
        if is_anywhere || self.0.iter().all(is_there) {
            Verdict::Fits
        } else {
            Rejection::unresolvable(ELSEWHERE).into()
        }
    }
}

#[cfg(test)]
mod tests;

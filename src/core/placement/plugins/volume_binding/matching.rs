//! Finding volumes for claims (upstream: `component-helpers/storage/volume.FindMatchingVolume`).

use std::sync::Arc;

use super::Step;
use crate::model::{Claim, Node, PersistentVolume, StorageClass};

type Unbound<'a> = (&'a Arc<Claim>, &'a StorageClass);

/// The volumes that are there for these claims, and the claims for which there is none. The smallest claim
/// chooses first, and no volume is chosen twice.
pub(super) fn find<'a>(
    mut claims: Vec<Unbound<'a>>,
    volumes: &[&'a Arc<PersistentVolume>],
    node: &Node,
) -> (Vec<Step<'a>>, Vec<Unbound<'a>>) {
    claims.sort_by_key(|(claim, _)| claim.requested.unwrap_or_default());
    let (mut steps, mut unmatched) = (Vec::new(), Vec::new());
    let mut chosen: Vec<&Arc<PersistentVolume>> = Vec::new();
    for (claim, class) in claims {
        let free = volumes.iter().copied().filter(|volume| !chosen.iter().any(|it| it.name == volume.name));
        match best(claim, free, node) {
            Some(volume) => {
                chosen.push(volume);
                steps.push(Step::Bind(claim, volume));
            }
            None => unmatched.push((claim, class)),
        }
    }
    (steps, unmatched)
}

/// The volume that is meant for the claim; else the smallest that will do.
fn best<'a>(
    claim: &Claim,
    volumes: impl Iterator<Item = &'a Arc<PersistentVolume>>,
    node: &Node,
) -> Option<&'a Arc<PersistentVolume>> {
    let mut smallest: Option<&Arc<PersistentVolume>> = None;
    for volume in volumes.filter(|volume| volume.class == claim.class && may_serve(claim, volume)) {
        let reaches = || volume.affinity.as_ref().is_none_or(|it| it.matches_labels(&node.labels));
        if volume.is_for(claim) {
            return reaches().then_some(volume);
        }
        let is_smaller = smallest.is_none_or(|smallest| smallest.capacity > volume.capacity);
        if is_smaller && is_free_for(claim, volume) && reaches() {
            smallest = Some(volume);
        }
    }
    smallest
}

/// Whether the volume can be the claim's at all.
fn may_serve(claim: &Claim, volume: &PersistentVolume) -> bool {
    (volume.claim.is_none() || volume.is_for(claim))
        && volume.capacity >= claim.requested.unwrap_or_default()
        && volume.block == claim.block
        && volume.attributes_class == claim.attributes_class
        && !volume.terminating
}

/// Whether the claim may take a volume that nobody meant for it.
fn is_free_for(claim: &Claim, volume: &PersistentVolume) -> bool {
    volume.available
        && claim.selector.as_ref().is_none_or(|selector| selector.matches(&volume.labels))
        && volume.access_modes.contain(claim.access_modes)
}

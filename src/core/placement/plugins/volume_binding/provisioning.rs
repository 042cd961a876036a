//! Whether a volume can be made for a claim (upstream: `volumeBinder.checkVolumeProvisions`).

use crate::model::{Claim, Node, Requirement, StorageClass};
use crate::placement::Volumes;

/// A provisioner that makes nothing.
const NONE: &str = "kubernetes.io/no-provisioner";

/// Whether volumes of the class can be made where the node is.
pub(super) fn is_possible(class: &StorageClass, node: &Node) -> bool {
    !class.provisioner.is_empty() && &*class.provisioner != NONE && is_allowed(class, node)
}

fn is_allowed(class: &StorageClass, node: &Node) -> bool {
    let holds = |term: &[Requirement]| {
        !term.is_empty() && term.iter().all(|requirement| requirement.holds_for(&node.labels))
    };
    class.allowed_topologies.is_empty() || class.allowed_topologies.iter().any(|term| holds(term))
}

/// Whether the driver has enough storage that the node can reach, if it tells how much it has (upstream:
/// `volumeBinder.hasEnoughCapacity`).
pub(super) fn has_space(volumes: &Volumes, claim: &Claim, class: &StorageClass, node: &Node) -> bool {
    let Some(requested) = claim.requested else { return true };
    let driver = volumes.drivers.get(&class.provisioner);
    if !driver.is_some_and(|driver| driver.storage_capacity) {
        return true;
    }
    volumes.capacities_of(&class.name).any(|capacity| {
        capacity.limit.is_some_and(|limit| limit.bytes() >= requested.bytes())
            && capacity.topology.as_ref().is_some_and(|topology| topology.matches(&node.labels))
    })
}

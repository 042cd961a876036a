//! Where an anchor is once a node is lost.

use super::{Anchor, AnchorNodes, Unresolved, is_node, is_replica};
use crate::model::Pod;
use crate::placement::{NodeSlot, Snapshot};

/// Where `anchor`, which was resolved to `nodes`, is once the node in `lost` is lost: its replicas there are where
/// their backups are, and those without one nowhere. A node as an anchor stays where it is: what was last measured
/// from it counts on.
pub fn after_loss(
    snapshot: &Snapshot,
    pod: &Pod,
    anchor: &Anchor,
    nodes: AnchorNodes,
    lost: NodeSlot,
) -> Result<AnchorNodes, Unresolved> {
    let AnchorNodes::On(mut slots) = nodes else { return Ok(nodes) };
    if !slots.contains(&lost) || is_node(snapshot, anchor) {
        return Ok(AnchorNodes::On(slots));
    }
    slots.retain(|slot| *slot != lost);
    let there = snapshot.nodes.get(lost);
    let there = there.into_iter().flat_map(|node| &node.usage.pods);
    let replicas = there.filter(|it| it.uid != pod.uid && !it.terminating && is_replica(pod, anchor, it));
    slots.extend(replicas.filter_map(|replica| Some(snapshot.backups.book.of(&replica.uid)?.backup)));
    slots.sort_unstable();
    slots.dedup();
    if !slots.is_empty() {
        return Ok(AnchorNodes::On(slots));
    }
    if is_replica(pod, anchor, pod) {
        return Ok(AnchorNodes::FirstOfItself);
    }
    Err(Unresolved::NoBackup { anchor: anchor.clone() })
}

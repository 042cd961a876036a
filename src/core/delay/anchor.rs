//! Resolving an anchor to the nodes it is on.

use super::{Anchor, is_unheard};
use crate::model::{Name, Pod};
use crate::placement::{NodeSlot, Snapshot, Workload, WorkloadRef};

/// Where an anchor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnchorNodes {
    /// On these nodes; never empty.
    On(Vec<NodeSlot>),
    /// Nowhere yet, but the pod belongs to the workload itself: its first replica may go anywhere.
    FirstOfItself,
}

/// Why an anchor can't be resolved. The pod waits; it is never guessed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// There is no such node, and no pod of such a workload is on a node.
    #[error(
        "anchor {anchor} is not placed: there is no such node, and no workload {workload} in namespace {namespace} has a pod on a node"
    )]
    NotPlaced {
        /// The anchor.
        anchor: Anchor,
        /// The workload's name.
        workload: Name,
        /// The namespace it was looked for in.
        namespace: Name,
    },
    /// There is no node of that name, and the pod says it must be one.
    #[error("anchor {anchor} is not there: there is no node {}", .anchor.name)]
    NoNode {
        /// The anchor.
        anchor: Anchor,
    },
    /// All its replicas are on a node that is thought to be lost, and none of them has a backup.
    #[error("anchor {anchor} has no backup itself, and all of it is on the pod's node")]
    NoBackup {
        /// The anchor.
        anchor: Anchor,
    },
    /// Workloads of several kinds have that name.
    #[error("anchor {anchor} is ambiguous: {first} and {second}; say the kind in annotation {}, as in {}/{}=<ms>",
        super::DELAY_ANNOTATION, .first.kind.to_ascii_lowercase(), .anchor.name)]
    Ambiguous {
        /// The anchor.
        anchor: Anchor,
        /// One workload of that name.
        first: Box<WorkloadRef>,
        /// Another one.
        second: Box<WorkloadRef>,
    },
}

/// Finds the nodes that `anchor`, as `pod` names it, is on. A node of that name wins; then it is
/// `<workload>` in the pod's namespace, then `<workload>.<namespace>`.
pub fn resolve(snapshot: &Snapshot, pod: &Pod, anchor: &Anchor) -> Result<AnchorNodes, Unresolved> {
    let kind = anchor.kind.as_deref();
    if kind.is_none_or(|kind| kind == "node") {
        if let Some(node) = snapshot.nodes.find(&anchor.name) {
            return Ok(AnchorNodes::On(vec![node.slot]));
        }
        if kind.is_some() {
            return Err(Unresolved::NoNode { anchor: anchor.clone() });
        }
    }
    for (name, namespace) in readings(pod, &anchor.name) {
        let of_kind = |workload: &Workload| kind.is_none_or(|kind| workload.kind.eq_ignore_ascii_case(kind));
        let counts =
            |workload: &&Workload| of_kind(workload) && live_slots(snapshot, workload).next().is_some();
        let mut found = snapshot.workloads.find(namespace, name).iter().filter(counts);
        if let Some(first) = found.next() {
            let named = |it: &Workload| {
                Box::new(WorkloadRef {
                    kind: it.kind.clone(),
                    namespace: namespace.into(),
                    name: name.into(),
                })
            };
            return match found.next() {
                None => Ok(AnchorNodes::On(heard_of(snapshot, live_slots(snapshot, first).collect()))),
                Some(second) => Err(Unresolved::Ambiguous {
                    anchor: anchor.clone(),
                    first: named(first),
                    second: named(second),
                }),
            };
        }
        if is_own(pod, kind, name, namespace) {
            return Ok(AnchorNodes::FirstOfItself);
        }
    }
    let (workload, namespace) =
        readings(pod, &anchor.name).next_back().unwrap_or((&anchor.name, &pod.key.namespace));
    Err(Unresolved::NotPlaced {
        anchor: anchor.clone(),
        workload: workload.into(),
        namespace: namespace.into(),
    })
}

/// Whether `anchor` is a node.
pub fn is_node(snapshot: &Snapshot, anchor: &Anchor) -> bool {
    anchor.kind.as_deref().is_none_or(|kind| kind == "node") && snapshot.nodes.find(&anchor.name).is_some()
}

/// Whether `replica` belongs to a workload that `anchor`, as `pod` names it, may be.
pub fn is_replica(pod: &Pod, anchor: &Anchor, replica: &Pod) -> bool {
    let kind = anchor.kind.as_deref();
    readings(pod, &anchor.name).any(|(name, namespace)| is_own(replica, kind, name, namespace))
}

/// The nodes of a workload that are still there: a pod can outlive its Node object for a while, but
/// nothing can be near it.
fn live_slots<'a>(snapshot: &'a Snapshot, workload: &'a Workload) -> impl Iterator<Item = NodeSlot> + 'a {
    workload.nodes.iter().map(|(slot, _)| *slot).filter(|slot| snapshot.nodes.get(*slot).is_some())
}

/// Those of a workload's nodes that are heard of. If none is, all of them: then their last delays stay in force.
fn heard_of(snapshot: &Snapshot, slots: Vec<NodeSlot>) -> Vec<NodeSlot> {
    let is_heard = |slot: &NodeSlot| {
        !snapshot.suspects.contains(slot)
            && !snapshot.delays.is_unheard(*slot)
            && snapshot.nodes.get(*slot).is_some_and(|it| !is_unheard(it.node))
    };
    let heard: Vec<NodeSlot> = slots.iter().copied().filter(is_heard).collect();
    if heard.is_empty() { slots } else { heard }
}

/// The ways to read an anchor's name as a workload: whole in the pod's namespace, and, if there is a
/// dot, split at the last one. Names of workloads may have dots, names of namespaces may not.
fn readings<'a>(pod: &'a Pod, anchor: &'a str) -> impl DoubleEndedIterator<Item = (&'a str, &'a str)> {
    let whole = Some((anchor, &*pod.key.namespace));
    [whole, anchor.rsplit_once('.')].into_iter().flatten()
}

fn is_own(pod: &Pod, kind: Option<&str>, name: &str, namespace: &str) -> bool {
    WorkloadRef::of_pod(pod).iter().any(|own| {
        *own.name == *name
            && *own.namespace == *namespace
            && kind.is_none_or(|kind| own.kind.eq_ignore_ascii_case(kind))
    })
}

//! Where workloads run: the index that resolves an anchor's name to nodes.

use std::collections::HashMap;
use std::fmt;

use super::NodeSlot;
use crate::model::{Name, Pod};

/// A workload, as an anchor names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadRef {
    /// Its kind as the API spells it, such as `Deployment`; `Pod` for a bare pod.
    pub kind: Name,
    /// Its namespace.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
}

/// The live pods of one workload.
#[derive(Debug)]
pub struct Workload {
    /// Its kind.
    pub kind: Name,
    /// How many of its live pods are on each node; never empty.
    pub nodes: Vec<(NodeSlot, u32)>,
}

/// All workloads that have a live pod on a node.
#[derive(Debug, Default)]
pub struct Workloads {
    /// By namespace and then by name, so that a look-up needs no owned key.
    by_name: HashMap<Name, HashMap<Name, Vec<Workload>>>,
}

// === impl WorkloadRef ===

impl WorkloadRef {
    /// The workloads a pod belongs to: its controller and, where that is a Deployment's ReplicaSet, the
    /// Deployment; a pod that nothing controls is a workload of its own.
    ///
    /// A Deployment names its ReplicaSets `<deployment>-<hash>` and labels their pods
    /// `pod-template-hash: <hash>` (upstream: `pkg/controller/deployment/sync.go`), so its name is read
    /// from the pod and ReplicaSets need not be watched.
    pub fn of_pod(pod: &Pod) -> Vec<Self> {
        let of =
            |kind: &str, name: Name| Self { kind: kind.into(), namespace: pod.key.namespace.clone(), name };
        let Some(owner) = &pod.owner else {
            return vec![of("Pod", pod.key.name.clone())];
        };
        match &*owner.kind {
            // A static pod is owned by its node.
            "Node" => vec![of("Pod", pod.key.name.clone())],
            "ReplicaSet" => {
                let replica_set = of("ReplicaSet", owner.name.clone());
                match deployment_name(pod, &owner.name) {
                    Some(name) => vec![of("Deployment", name.into()), replica_set],
                    None => vec![replica_set],
                }
            }
            kind => vec![of(kind, owner.name.clone())],
        }
    }

    /// The topmost of the workloads that a pod belongs to: of a Deployment's pods the Deployment, whichever of its
    /// ReplicaSets made them.
    pub fn top_of(pod: &Pod) -> Self {
        let bare =
            || Self { kind: "Pod".into(), namespace: pod.key.namespace.clone(), name: pod.key.name.clone() };
        Self::of_pod(pod).into_iter().next().unwrap_or_else(bare)
    }
}

fn deployment_name<'a>(pod: &Pod, replica_set: &'a str) -> Option<&'a str> {
    let hash = pod.labels.get("pod-template-hash")?;
    replica_set.strip_suffix(hash)?.strip_suffix('-')
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

// === impl Workloads ===

impl Workloads {
    /// The workloads of this name in this namespace that have a live pod on a node, of any kind.
    pub fn find(&self, namespace: &str, name: &str) -> &[Workload] {
        self.by_name.get(namespace).and_then(|names| names.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Counts a live pod on `slot`.
    pub fn add(&mut self, pod: &Pod, slot: NodeSlot) {
        for workload in WorkloadRef::of_pod(pod) {
            let names = self.by_name.entry(workload.namespace).or_default();
            let same_name = names.entry(workload.name).or_default();
            let idx = same_name.iter().position(|known| known.kind == workload.kind).unwrap_or_else(|| {
                same_name.push(Workload { kind: workload.kind, nodes: Vec::new() });
                same_name.len() - 1
            });
            let Some(known) = same_name.get_mut(idx) else { continue };
            match known.nodes.iter_mut().find(|(node, _)| *node == slot) {
                Some((_, count)) => *count += 1,
                None => known.nodes.push((slot, 1)),
            }
        }
    }

    /// Counts a pod on `slot` no longer.
    pub fn remove(&mut self, pod: &Pod, slot: NodeSlot) {
        for workload in WorkloadRef::of_pod(pod) {
            let Some(names) = self.by_name.get_mut(&workload.namespace) else { continue };
            let Some(same_name) = names.get_mut(&workload.name) else { continue };
            if let Some(known) = same_name.iter_mut().find(|known| known.kind == workload.kind) {
                for (_, count) in known.nodes.iter_mut().filter(|(node, _)| *node == slot) {
                    *count = count.saturating_sub(1);
                }
                known.nodes.retain(|(_, count)| *count > 0);
            }
            same_name.retain(|known| !known.nodes.is_empty());
            if same_name.is_empty() {
                names.remove(&workload.name);
            }
            if names.is_empty() {
                self.by_name.remove(&workload.namespace);
            }
        }
    }
}

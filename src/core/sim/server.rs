//! A model of the API server: pods, nodes and what is said of them, resource versions, UIDs, and the binding
//! subresource.

use std::collections::BTreeMap;
use std::fmt;

use crate::health::{LeaseSeen, Sighting};
use crate::model::{Labels, Node, NodeName, Pod, PodKey, PodUid, Version};
use crate::state::{Change, NominatedNode, PodRef};

/// The server, which is the truth.
#[derive(Debug, Default)]
pub(super) struct Server {
    /// The version of the last write. It counts the writes of all objects, as etcd's revision does.
    pub(super) revision: u64,
    /// All pods.
    pub(super) pods: BTreeMap<PodKey, Pod>,
    /// All nodes.
    pub(super) nodes: BTreeMap<NodeName, Node>,
    /// The nodes' Leases.
    pub(super) leases: BTreeMap<NodeName, LeaseSeen>,
    /// What the agents said last.
    pub(super) sightings: BTreeMap<NodeName, Sighting>,
    uids: u64,
    writes: Vec<Write>,
    upsets: BTreeMap<NodeName, Upset>,
}

/// A change that a watch tells of.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    /// Of pods.
    Pods(Change<Pod>),
    /// Of nodes.
    Nodes(Change<Node>),
    /// Of their Leases.
    Leases(Change<LeaseSeen>),
    /// Of what agents say.
    Agents(Change<Sighting>),
}

/// A write that was done.
#[derive(Clone, Debug)]
pub(super) struct Write {
    /// The server's revision after it.
    pub(super) revision: u64,
    /// What it changed.
    pub(super) fact: Fact,
}

/// When the room on a node last shrank by something that the scheduler has not decided: until it knows of
/// that it can't be blamed for a full node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Upset {
    /// The last such write of a pod.
    pub(super) by_pod: u64,
    /// The last write of the node.
    pub(super) by_node: u64,
}

/// What the server answers to a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BindStatus {
    /// 201.
    Created,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
}

// === impl Server ===

impl Server {
    /// Creates a pod, unless there is one of that name. Its UID is new.
    pub(super) fn create_pod(&mut self, pod: Pod) -> bool {
        let free = !self.pods.contains_key(&pod.key);
        if free {
            let uid = PodUid::new(self.new_uid("pod"));
            self.write_pod(Pod { uid, ..pod });
        }
        free
    }

    /// Changes a pod.
    pub(super) fn update_pod(&mut self, key: &PodKey, change: impl FnOnce(&mut Pod)) {
        let Some(mut pod) = self.pods.get(key).cloned() else { return };
        let before = pod.clone();
        change(&mut pod);
        if pod != before {
            self.write_pod(pod);
        }
    }

    /// Writes a pod's status: a condition, which does not matter to scheduling, and where the pod is nominated
    /// to. The scheduler binds no pod before its status is written, so what comes later is of the dead.
    pub(super) fn write_status(&mut self, pod: &PodRef, nominated: &NominatedNode) {
        let known = self.pods.get(&pod.key).filter(|known| known.uid == pod.uid && known.node.is_none());
        let Some(mut known) = known.cloned() else { return };
        match nominated {
            NominatedNode::Unchanged => (),
            NominatedNode::None => known.nominated_node = None,
            NominatedNode::Is(node) => known.nominated_node = Some(node.clone()),
        }
        self.write_pod(known);
    }

    /// Takes a pod away for good.
    pub(super) fn remove_pod(&mut self, key: &PodKey) {
        if let Some(pod) = self.pods.remove(key) {
            let version = self.next_revision();
            self.note(Fact::Pods(Change::Gone(Box::new(Pod { version, ..pod }))));
        }
    }

    /// Creates or replaces a node. A new one gets a UID, one that is there keeps its own.
    pub(super) fn put_node(&mut self, node: Node) {
        let uid = match self.nodes.get(&node.name) {
            Some(known) => known.uid.clone(),
            None => self.new_uid("node").into(),
        };
        let node = Node { uid, version: self.next_revision(), ..node };
        self.upsets.entry(node.name.clone()).or_default().by_node = self.revision;
        self.nodes.insert(node.name.clone(), node.clone());
        self.note(Fact::Nodes(Change::Put(Box::new(node))));
    }

    /// Changes a node.
    pub(super) fn update_node(&mut self, name: &NodeName, change: impl FnOnce(&mut Node)) {
        let Some(mut node) = self.nodes.get(name).cloned() else { return };
        change(&mut node);
        self.put_node(node);
    }

    /// Deletes a node. Its pods stay until somebody takes them away.
    pub(super) fn remove_node(&mut self, name: &NodeName) {
        if let Some(node) = self.nodes.remove(name) {
            let version = self.next_revision();
            self.upsets.entry(name.clone()).or_default().by_node = self.revision;
            self.note(Fact::Nodes(Change::Gone(Box::new(Node { version, ..node }))));
        }
    }

    /// A kubelet renews its Lease.
    pub(super) fn renew(&mut self, name: &NodeName) {
        let seen = LeaseSeen { node: name.clone(), version: self.next_revision() };
        self.leases.insert(name.clone(), seen.clone());
        self.note(Fact::Leases(Change::Put(Box::new(seen))));
    }

    /// An agent reports.
    pub(super) fn put_sighting(&mut self, sighting: Sighting) {
        self.next_revision();
        self.sightings.insert(sighting.from.clone(), sighting.clone());
        self.note(Fact::Agents(Change::Put(Box::new(sighting))));
    }

    /// What belonged to a node that is deleted goes with it.
    pub(super) fn forget_machine(&mut self, name: &NodeName) {
        if let Some(seen) = self.leases.remove(name) {
            self.next_revision();
            self.note(Fact::Leases(Change::Gone(Box::new(seen))));
        }
        if let Some(sighting) = self.sightings.remove(name) {
            self.next_revision();
            self.note(Fact::Agents(Change::Gone(Box::new(sighting))));
        }
    }

    /// The binding subresource (upstream: `pkg/registry/core/pod/storage`, `BindingREST`). It doesn't look at
    /// the node at all.
    pub(super) fn bind(
        &mut self,
        key: &PodKey,
        uid: Option<&PodUid>,
        node: &NodeName,
        annotations: &[(&'static str, String)],
    ) -> BindStatus {
        let Some(pod) = self.pods.get(key) else { return BindStatus::NotFound };
        let another = uid.is_some_and(|uid| *uid != pod.uid);
        if another || pod.node.is_some() || pod.terminating || !pod.gates.is_empty() {
            return BindStatus::Conflict;
        }
        let merged = pod.annotations.iter().map(|(name, value)| (name.clone(), value.clone()));
        let added = annotations.iter().map(|(name, value)| ((*name).into(), value.as_str().into()));
        let annotations = Labels::new(merged.chain(added));
        self.write_pod(Pod { node: Some(node.clone()), nominated_node: None, annotations, ..pod.clone() });
        BindStatus::Created
    }

    /// Notes that the room on a node shrank just now by something that the scheduler has not decided.
    pub(super) fn upset_by_pod(&mut self, node: &NodeName) {
        self.upsets.entry(node.clone()).or_default().by_pod = self.revision;
    }

    /// When the room on a node last shrank by something that the scheduler has not decided.
    pub(super) fn upset(&self, node: &NodeName) -> Upset {
        self.upsets.get(node).copied().unwrap_or_default()
    }

    /// The writes since this was last asked.
    pub(super) fn take_writes(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.writes)
    }

    fn write_pod(&mut self, pod: Pod) {
        let pod = Pod { version: self.next_revision(), ..pod };
        self.pods.insert(pod.key.clone(), pod.clone());
        self.note(Fact::Pods(Change::Put(Box::new(pod))));
    }

    fn next_revision(&mut self) -> Version {
        self.revision += 1;
        Version(self.revision)
    }

    fn new_uid(&mut self, kind: &str) -> String {
        self.uids += 1;
        format!("{kind}-{}", self.uids)
    }

    fn note(&mut self, fact: Fact) {
        self.writes.push(Write { revision: self.revision, fact });
    }
}

// === impl Write ===

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.revision)?;
        match &self.fact {
            Fact::Pods(Change::Put(pod)) => {
                write!(f, "{} {} {:?} {:?}", pod.key, pod.uid, pod.node, pod.phase)?;
                f.write_str(if pod.terminating { " terminating" } else { "" })
            }
            Fact::Nodes(Change::Put(node)) => write!(f, "{} {} {:?}", node.name, node.uid, node.taints),
            Fact::Pods(Change::Gone(pod)) => write!(f, "{} {} gone", pod.key, pod.uid),
            Fact::Nodes(Change::Gone(node)) => write!(f, "{} {} gone", node.name, node.uid),
            Fact::Pods(Change::Reset(pods)) => write!(f, "{} pods", pods.len()),
            Fact::Nodes(Change::Reset(nodes)) => write!(f, "{} nodes", nodes.len()),
            Fact::Leases(change) => write!(f, "Lease {change:?}"),
            Fact::Agents(change) => write!(f, "agent {change:?}"),
        }
    }
}

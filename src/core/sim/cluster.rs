//! Everything that works in the cluster beside the scheduler: controllers, kubelets, another scheduler.
//! They do their work in runs without faults too.

use std::time::Duration;

use super::chaos::{UNREACHABLE, toggle_silence};
use super::judge::shortage_on;
use super::machines::Machines;
use super::make::{self, FOREIGN};
use super::rng::Rng;
use super::server::Server;
use super::view::View;
use crate::model::{Labels, Name, NodeName, Owner, Phase, Pod, PodKey, Time};

/// After this long without a renewal a node is unreachable.
const GRACE: Duration = Duration::from_secs(50);
/// For so long pods tolerate that.
const TOLERATED: Duration = Duration::from_mins(5);

/// The workloads, and what else the cluster is to be like.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    /// The workloads.
    pub(super) workloads: Vec<Workload>,
    /// Names a kind of pods for each number, so that no name is used twice but where it has to be.
    serial: u64,
}

/// How a workload names and owns its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkloadKind {
    /// Pods of a ReplicaSet, each with a name of its own.
    Deployment,
    /// Pods with a name that their successors have too.
    StatefulSet,
    /// One pod that nothing owns; it is made again under the same name.
    Bare,
}

/// A workload.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    /// Its kind.
    pub(super) kind: WorkloadKind,
    /// Its name.
    pub(super) name: Name,
    /// How many pods it should have.
    pub(super) replicas: u64,
    /// Which revision of it is rolled out.
    pub(super) hash: u64,
    /// What its pods are like.
    pub(super) template: Pod,
}

// === impl Cluster ===

impl Cluster {
    /// Adds a workload, or changes the one of that index.
    pub(super) fn put_workload(&mut self, idx: usize, workloads: usize, rng: &mut Rng) {
        let kinds = [WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::Bare];
        let kind = kinds[rng.below(3)];
        let namespace = make::NAMESPACES[usize::from(rng.chance(200))];
        self.serial += 1;
        let workload = Workload {
            kind,
            name: make::workload_name(idx),
            replicas: if kind == WorkloadKind::Bare { 1 } else { rng.between(1, 4) },
            hash: self.serial,
            template: make::template(namespace, workloads, rng),
        };
        match self.workloads.get_mut(idx) {
            Some(known) => *known = Workload { kind: known.kind, ..workload },
            None => self.workloads.push(workload),
        }
    }

    /// Everybody does a bit of work.
    pub(super) fn work(&mut self, server: &mut Server, machines: &Machines, rng: &mut Rng, now: Time) {
        for name in machines.names() {
            look_after_node(&name, server, machines, rng, now);
        }
        for pod in server.pods.values().cloned().collect::<Vec<_>>() {
            let is_tended = pod.node.as_ref().is_none_or(|node| machines.is_in_touch(node, now));
            tend(&pod, is_tended, server, rng);
        }
        for idx in 0..self.workloads.len() {
            self.reconcile(idx, server, rng);
        }
    }

    /// Makes the pods that a workload lacks and deletes those it has too many.
    fn reconcile(&mut self, idx: usize, server: &mut Server, rng: &mut Rng) {
        let workload = self.workloads[idx].clone();
        let own: Vec<&Pod> = server.pods.values().filter(|pod| workload.owns(pod)).collect();
        let is_current = |pod: &&&Pod| !pod.phase.is_terminal() && !pod.terminating && workload.made(pod);
        let current = own.iter().filter(is_current).count() as u64;
        let stale = own.iter().filter(|pod| !pod.terminating && !workload.made(pod));
        let mut unwanted: Vec<PodKey> = stale.map(|pod| pod.key.clone()).collect();
        let surplus = usize::try_from(current.saturating_sub(workload.replicas)).unwrap();
        unwanted.extend(own.iter().filter(is_current).take(surplus).map(|pod| pod.key.clone()));
        for key in unwanted {
            delete_pod(&key, server, rng);
        }
        for ordinal in current..workload.replicas {
            self.serial += 1;
            server.create_pod(workload.pod(ordinal, self.serial));
        }
        // A StatefulSet's lower ordinals may be those that are missing.
        if workload.kind == WorkloadKind::StatefulSet && current < workload.replicas {
            for ordinal in 0..workload.replicas {
                server.create_pod(workload.pod(ordinal, self.serial));
            }
        }
    }
}

/// Asks for a pod's deletion, as a client does: one that is bound ends first, one that isn't is mostly gone
/// at once.
pub(super) fn delete_pod(key: &PodKey, server: &mut Server, rng: &mut Rng) {
    let Some(pod) = server.pods.get(key) else { return };
    if pod.node.is_none() && rng.chance(700) {
        server.remove_pod(key);
    } else {
        server.update_pod(key, |pod| pod.terminating = true);
    }
}

/// What kubelet, garbage collector and the other scheduler do with a pod.
fn tend(pod: &Pod, is_tended: bool, server: &mut Server, rng: &mut Rng) {
    let node_is_gone = pod.node.as_ref().is_some_and(|node| !server.nodes.contains_key(node));
    let ended = pod.phase.is_terminal();
    let is_over = is_tended && (pod.terminating && rng.chance(300) || ended && rng.chance(100));
    if is_over || node_is_gone && rng.chance(100) {
        server.remove_pod(&pod.key);
    } else if is_tended && pod.node.is_some() && pod.phase == Phase::Pending && rng.chance(500) {
        server.update_pod(&pod.key, |pod| pod.phase = Phase::Running);
    } else if pod.node.is_none() && &*pod.scheduler_name == FOREIGN && rng.chance(300) {
        bind_elsewhere(pod, server, rng);
    }
}

/// What the controller of nodes does with one of which nothing is heard (upstream: `node-monitor-grace-period`, and the
/// seconds that pods tolerate it by default).
fn look_after_node(name: &NodeName, server: &mut Server, machines: &Machines, rng: &mut Rng, now: Time) {
    let unheard = machines.unheard_for(name, now);
    let Some(node) = server.nodes.get(name) else { return };
    let is_tainted = node.taints.iter().any(|taint| &*taint.key == UNREACHABLE);
    if (unheard > GRACE) != is_tainted {
        server.update_node(name, toggle_silence);
    }
    if unheard > GRACE + TOLERATED {
        let stays = |pod: &Pod| pod.tolerations.iter().any(|it| it.key.is_empty());
        let here = server.pods.values().filter(|pod| pod.node.as_ref() == Some(name) && !pod.terminating);
        let keys: Vec<PodKey> = here.filter(|pod| !stays(pod)).map(|pod| pod.key.clone()).collect();
        for key in keys {
            delete_pod(&key, server, rng);
        }
    }
}

/// Another scheduler binds a pod to a node with room by the server's truth. It knows nothing of delays.
pub(super) fn bind_elsewhere(pod: &Pod, server: &mut Server, rng: &mut Rng) {
    let view = View::of_pods(server);
    let fits = server.nodes.values().filter(|node| shortage_on(&view, pod, node).is_none());
    let nodes: Vec<NodeName> = fits.map(|node| node.name.clone()).collect();
    if let Some(node) = rng.pick(&nodes) {
        server.bind(&pod.key, Some(&pod.uid), node, &[]);
        server.upset_by_pod(node);
    }
}

// === impl Workload ===

impl Workload {
    fn pod(&self, ordinal: u64, serial: u64) -> Pod {
        let hash = self.hash.to_string();
        let owner = |kind: &str, name: String| Some(Owner { kind: kind.into(), name: name.into() });
        let (name, owner) = match self.kind {
            WorkloadKind::Deployment => {
                let replica_set = format!("{}-{hash}", self.name);
                (format!("{replica_set}-{serial}"), owner("ReplicaSet", replica_set))
            }
            WorkloadKind::StatefulSet => {
                (format!("{}-{ordinal}", self.name), owner("StatefulSet", self.name.to_string()))
            }
            WorkloadKind::Bare => (self.name.to_string(), None),
        };
        let key = PodKey::new(self.template.key.namespace.clone(), name);
        let hash = ("pod-template-hash".into(), hash.into());
        let labels = self.template.labels.iter().map(|(key, value)| (key.clone(), value.clone()));
        Pod { key, owner, labels: Labels::new(labels.chain([hash])), ..self.template.clone() }
    }

    /// Whether a pod belongs to this workload, of whichever revision.
    fn owns(&self, pod: &Pod) -> bool {
        let stem = || pod.owner.as_ref().and_then(|owner| owner.name.rsplit_once('-')).map(|it| it.0);
        match self.kind {
            WorkloadKind::Deployment => stem() == Some(&*self.name),
            WorkloadKind::StatefulSet => pod.owner.as_ref().is_some_and(|owner| owner.name == self.name),
            WorkloadKind::Bare => pod.owner.is_none() && pod.key.name == self.name,
        }
    }

    /// Whether a pod is of the revision that is rolled out.
    fn made(&self, pod: &Pod) -> bool {
        pod.labels.get("pod-template-hash") == Some(&self.hash.to_string())
    }
}

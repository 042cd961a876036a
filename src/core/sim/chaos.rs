//! Things that happen in the cluster, drawn by the weights of a run's faults.

use super::agents::Agents;
use super::cluster::{Cluster, bind_elsewhere, delete_pod};
use super::delays::Delays;
use super::faults::{Faults, Shape};
use super::machines::Machines;
use super::make;
use super::rng::Rng;
use super::server::Server;
use crate::delay::DelayRow;
use crate::model::{Labels, Node, NodeName, Phase, Pod, Taint, TaintEffect};
use crate::placement::is_backup;

/// What the cluster consists of.
#[derive(Debug, Default)]
pub(super) struct World {
    /// The API server.
    pub(super) server: Server,
    /// Those who work in the cluster.
    pub(super) cluster: Cluster,
    /// The source of delays.
    pub(super) delays: Delays,
    /// The agents that measure.
    pub(super) agents: Agents,
    /// The machines.
    pub(super) machines: Machines,
}

/// Something that happens. To add one: a variant here, its weight in [`super::faults::ClusterFaults`], its
/// line in `weights`, and what it does in `happen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Crash,
    NodeAdded,
    NodeRemoved,
    NodeSilent,
    Cordon,
    Taint,
    NodeRelabelled,
    NodeResized,
    PodEnded,
    PodDeleted,
    PodRelabelled,
    PodUngated,
    PodResized,
    PodTaken,
    WorkloadScaled,
    WorkloadChanged,
    DelaysChanged,
    DelaysRemoved,
    LinkStepped,
    Failure,
}

/// The taint of a node whose kubelet is silent, and whose agent is too.
pub(super) const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

// === impl Happening ===

impl Happening {
    /// Draws what happens next.
    pub(super) fn draw(faults: &Faults, rng: &mut Rng) -> Self {
        let weights = Self::weights(faults);
        let mut ticket = rng.between(0, weights.iter().map(|(_, weight)| weight).sum::<u64>() - 1);
        for (happening, weight) in weights {
            if ticket < weight {
                return happening;
            }
            ticket -= weight;
        }
        Self::WorkloadScaled
    }

    fn weights(faults: &Faults) -> [(Self, u64); 20] {
        let it = &faults.cluster;
        [
            (Self::Crash, it.crash),
            (Self::NodeAdded, 4),
            (Self::NodeRemoved, it.node_removed),
            (Self::NodeSilent, it.node_silent),
            (Self::Cordon, it.cordon),
            (Self::Taint, it.taint),
            (Self::NodeRelabelled, it.node_relabelled),
            (Self::NodeResized, it.node_resized),
            (Self::PodEnded, it.pod_ended),
            (Self::PodDeleted, it.pod_deleted),
            (Self::PodRelabelled, it.pod_relabelled),
            (Self::PodUngated, 5),
            (Self::PodResized, it.pod_resized),
            (Self::PodTaken, it.pod_taken),
            (Self::WorkloadScaled, 10),
            (Self::WorkloadChanged, it.workload_changed),
            (Self::DelaysChanged, it.delays_changed),
            (Self::DelaysRemoved, it.delays_removed),
            (Self::LinkStepped, it.link_stepped),
            (Self::Failure, faults.failure.share),
        ]
    }
}

// === impl World ===

impl World {
    /// A cluster of this size.
    pub(super) fn new(shape: &Shape, rng: &mut Rng) -> Self {
        let mut world = Self::default();
        let names: Vec<NodeName> = (0..shape.nodes).map(make::node_name).collect();
        for name in &names {
            world.server.put_node(make::node(name, rng));
        }
        world.delays.measure_all(&names, rng);
        for idx in 0..shape.workloads.div_ceil(2) {
            world.cluster.put_workload(idx, shape.workloads, rng);
        }
        world
    }

    /// Something happens. The rows of delays in use that changed by it.
    pub(super) fn happen(&mut self, happening: Happening, shape: &Shape, rng: &mut Rng) -> Vec<DelayRow> {
        match happening {
            // The scheduler is no part of the cluster; its crash is the run's business, and so is what it reaches.
            Happening::Crash | Happening::Failure => (),
            Happening::NodeAdded => return self.add_node(shape, rng),
            Happening::NodeRemoved
            | Happening::NodeSilent
            | Happening::Cordon
            | Happening::Taint
            | Happening::NodeRelabelled
            | Happening::NodeResized => self.happen_to_node(happening, rng),
            Happening::PodEnded
            | Happening::PodDeleted
            | Happening::PodRelabelled
            | Happening::PodUngated
            | Happening::PodResized
            | Happening::PodTaken => self.happen_to_pod(happening, shape, rng),
            Happening::WorkloadScaled => {
                let idx = rng.below(self.cluster.workloads.len());
                self.cluster.workloads[idx].replicas = rng.between(0, 5);
            }
            Happening::WorkloadChanged => {
                let idx = rng.below(shape.workloads).min(self.cluster.workloads.len());
                self.cluster.put_workload(idx, shape.workloads, rng);
            }
            Happening::LinkStepped => {
                let [from, to] = [(); 2].map(|()| make::node_name(rng.below(shape.nodes + 2)));
                self.agents.step(&from, &to, rng);
            }
            Happening::DelaysChanged | Happening::DelaysRemoved => {
                return self.change_delays(happening, shape, rng);
            }
        }
        Vec::new()
    }

    /// A new node, or one that comes back under its old name.
    fn add_node(&mut self, shape: &Shape, rng: &mut Rng) -> Vec<DelayRow> {
        let name = make::node_name(rng.below(shape.nodes + 2));
        if self.server.nodes.contains_key(&name) {
            return Vec::new();
        }
        self.server.put_node(make::node(&name, rng));
        let others: Vec<NodeName> = self.server.nodes.keys().cloned().collect();
        let other = &others[rng.below(others.len())];
        self.delays.measure(&name, other, rng)
    }

    fn happen_to_node(&mut self, happening: Happening, rng: &mut Rng) {
        let names: Vec<NodeName> = self.server.nodes.keys().cloned().collect();
        let Some(name) = rng.pick(&names) else { return };
        if happening == Happening::NodeRemoved {
            self.server.remove_node(name);
            return;
        }
        if happening == Happening::NodeSilent {
            self.evict_some(name, rng);
        }
        self.server.update_node(name, |node| match happening {
            Happening::NodeSilent => toggle_silence(node),
            Happening::Cordon => node.unschedulable = !node.unschedulable,
            Happening::Taint if node.taints.is_empty() => node.taints = [make::taint(rng)].into(),
            Happening::Taint => node.taints = Box::default(),
            Happening::NodeRelabelled => node.labels = make::node_labels(rng),
            _ => (node.allocatable, node.allowed_pods) = make::capacity(rng),
        });
    }

    fn evict_some(&mut self, node: &NodeName, rng: &mut Rng) {
        let here = self.server.pods.values().filter(|pod| pod.node.as_ref() == Some(node));
        for key in here.map(|pod| pod.key.clone()).collect::<Vec<_>>() {
            if rng.chance(500) {
                delete_pod(&key, &mut self.server, rng);
            }
        }
    }

    fn happen_to_pod(&mut self, happening: Happening, shape: &Shape, rng: &mut Rng) {
        let concerned = |pod: &&Pod| match happening {
            Happening::PodUngated => !pod.gates.is_empty(),
            Happening::PodEnded | Happening::PodResized => pod.node.is_some() && !pod.phase.is_terminal(),
            Happening::PodRelabelled => !is_backup(pod),
            Happening::PodTaken => pod.node.is_none() && &*pod.scheduler_name != make::FOREIGN,
            _ => true,
        };
        let pods: Vec<Pod> = self.server.pods.values().filter(concerned).cloned().collect();
        let Some(pod) = rng.pick(&pods) else { return };
        let phase = if rng.chance(500) { Phase::Succeeded } else { Phase::Failed };
        match happening {
            Happening::PodEnded => self.server.update_pod(&pod.key, |pod| pod.phase = phase),
            Happening::PodDeleted => delete_pod(&pod.key, &mut self.server, rng),
            Happening::PodRelabelled => relabel(pod, shape, &mut self.server, rng),
            Happening::PodUngated => self.server.update_pod(&pod.key, |pod| pod.gates = Box::default()),
            Happening::PodTaken => bind_elsewhere(pod, &mut self.server, rng),
            _ => {
                self.server.update_pod(&pod.key, |pod| pod.requests = make::pod_requests(rng));
                self.server.upset_by_pod(pod.node.as_ref().unwrap());
            }
        }
    }

    fn change_delays(&mut self, happening: Happening, shape: &Shape, rng: &mut Rng) -> Vec<DelayRow> {
        let from = make::node_name(rng.below(shape.nodes + 2));
        let to = make::node_name(rng.below(shape.nodes + 2));
        match happening {
            Happening::DelaysChanged => self.delays.measure(&from, &to, rng),
            _ if rng.chance(300) => self.delays.forget_node(&from),
            _ => self.delays.forget(&from, &to),
        }
    }
}

/// A silent node gets a taint, one that is heard of again loses it. The Node object stays the same.
pub(super) fn toggle_silence(node: &mut Node) {
    let mut taints = node.taints.to_vec();
    if taints.iter().any(|taint| &*taint.key == UNREACHABLE) {
        taints.retain(|taint| &*taint.key != UNREACHABLE);
    } else {
        let effects = [TaintEffect::NoSchedule, TaintEffect::NoExecute];
        taints.extend(effects.map(|effect| Taint { key: UNREACHABLE.into(), value: "".into(), effect }));
    }
    node.taints = taints.into();
}

/// A pod gets other delay constraints; what it belongs to stays.
fn relabel(pod: &Pod, shape: &Shape, server: &mut Server, rng: &mut Rng) {
    let (labels, annotations) = make::constraints(shape.workloads, rng);
    let hash = pod.labels.iter().filter(|(key, _)| &***key == "pod-template-hash");
    let hash = hash.map(|(key, value)| (key.clone(), value.clone()));
    let labels = Labels::new(labels.iter().map(|(key, value)| (key.clone(), value.clone())).chain(hash));
    let kept = pod.annotations.iter().filter(|(key, _)| key.ends_with("decision"));
    let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
    let annotations = annotations.iter().map(|(key, value)| (key.clone(), value.clone()));
    let annotations = Labels::new(annotations.chain(kept));
    server.update_pod(&pod.key, |pod| (pod.labels, pod.annotations) = (labels, annotations));
}

//! Nodes and pods of all sorts, small and tight, so that they get into each other's way.

use super::delays::MILLIS;
use super::rng::Rng;
use crate::delay::{DELAY_ANNOTATION, DELAY_TO_ANNOTATION};
use crate::model::{
    Bytes, HostPort, Labels, MilliCpu, Name, Node, NodeAffinity, NodeName, NodeSelector, NodeSelectorTerm,
    NonZeroRequest, Pod, Protocol, Requirement, RequirementOp, Resources, Taint, TaintEffect, Toleration,
    TolerationOp,
};
use crate::placement::BACKUP_ANNOTATION;

/// The scheduler name of most pods.
pub(super) const EDGE: &str = "edge-scheduler";
/// The scheduler name of pods that must go to the cloud unless they have a delay constraint.
pub(super) const CUSTOM: &str = "custom-scheduler";
/// The scheduler name of pods that another scheduler binds.
pub(super) const FOREIGN: &str = "default-scheduler";
/// The namespaces.
pub(super) const NAMESPACES: [&str; 2] = ["default", "other"];
/// An extended resource.
pub(super) const DEVICE: &str = "example.com/device";
/// The label that makes a node a cloud node, and its value.
pub(super) const CLOUD: (&str, &str) = ("kubernetes.io/role", "cloud");

/// The annotation of pods that may run twice for a while, and its value.
pub(super) const FAST: (&str, &str) = ("kubectl-edge.dev/failover", "fast");

const ZONE: &str = "zone";
/// The zone that failures go by.
const FAULT_ZONE: &str = "topology.kubernetes.io/zone";
const ZONES: [&str; 2] = ["a", "b"];

/// A node's name. That of the first is part of all others.
pub(super) fn node_name(idx: usize) -> NodeName {
    if idx == 0 { NodeName::new("n") } else { NodeName::new(format!("n{idx}")) }
}

/// A workload's name.
pub(super) fn workload_name(idx: usize) -> Name {
    format!("w{idx}").into()
}

/// A node of random shape.
pub(super) fn node(name: &NodeName, rng: &mut Rng) -> Node {
    let (allocatable, allowed_pods) = capacity(rng);
    Node {
        labels: node_labels(rng),
        taints: if rng.chance(100) { [taint(rng)].into() } else { Box::default() },
        allocatable,
        allowed_pods,
        ..Node::named(name.as_str())
    }
}

/// What a node holds.
pub(super) fn capacity(rng: &mut Rng) -> (Resources, i64) {
    let mut allocatable = requests(rng.between(5, 20), rng.between(5, 20));
    if rng.chance(600) {
        allocatable.set_scalar(DEVICE.into(), small(rng, 3));
    }
    (allocatable, small(rng, 5) + 2)
}

/// The labels of a node.
pub(super) fn node_labels(rng: &mut Rng) -> Labels {
    let mut labels = vec![(ZONE, ZONES[rng.below(2)])];
    if rng.chance(300) {
        labels.push(CLOUD);
    }
    if rng.chance(500) {
        labels.push((FAULT_ZONE, ZONES[rng.below(2)]));
    }
    labels.into_iter().collect()
}

/// A taint.
pub(super) fn taint(rng: &mut Rng) -> Taint {
    let effects = [TaintEffect::NoSchedule, TaintEffect::PreferNoSchedule, TaintEffect::NoExecute];
    Taint { key: "dedicated".into(), value: ZONES[rng.below(2)].into(), effect: effects[rng.below(3)] }
}

/// The pod that a workload makes its pods like; names and owner are still to come.
pub(super) fn template(namespace: &str, workloads: usize, rng: &mut Rng) -> Pod {
    let mut pod = Pod::pending(namespace, "template");
    pod.scheduler_name = scheduler_name(rng).into();
    pod.priority = i32::try_from(rng.between(0, 2)).unwrap();
    pod.requests = pod_requests(rng);
    pod.non_zero = NonZeroRequest { cpu: pod.requests.cpu, memory: pod.requests.memory };
    pod.scored = pod.non_zero;
    if rng.chance(100) {
        pod.ports = [HostPort { ip: "0.0.0.0".into(), protocol: Protocol::Tcp, port: 8080 }].into();
    }
    if rng.chance(150) {
        pod.node_selector = [(ZONE, ZONES[rng.below(2)])].into_iter().collect();
    }
    if rng.chance(100) {
        pod.node_affinity = not_in_zone(ZONES[rng.below(2)]);
    }
    if rng.chance(150) {
        pod.gates = ["example.com/gate".into()].into();
    }
    pod.tolerations = tolerations(rng);
    (pod.labels, pod.annotations) = constraints(workloads, rng);
    pod
}

/// What a pod requests.
pub(super) fn pod_requests(rng: &mut Rng) -> Resources {
    let mut requests = requests(rng.between(0, 8), rng.between(0, 8));
    if rng.chance(200) {
        requests.set_scalar(DEVICE.into(), 1);
    }
    requests
}

/// Delay constraints, as labels and as annotations.
pub(super) fn constraints(workloads: usize, rng: &mut Rng) -> (Labels, Labels) {
    let mut labels = vec![("app".to_owned(), "sim".to_owned())];
    let mut annotations = Vec::new();
    let how_many = if rng.chance(500) { 0 } else { rng.between(1, 2) };
    for _ in 0..how_many {
        let anchor = anchor(workloads, rng);
        let millis = if rng.chance(20) { "soon".to_owned() } else { MILLIS[rng.below(6)].to_string() };
        if rng.chance(800) {
            labels.push((format!("delay_{anchor}"), millis));
        } else {
            let kind = ["deployment/", "statefulset/", "pod/", "node/", ""][rng.below(5)];
            annotations.push((DELAY_ANNOTATION.to_owned(), format!("{kind}{anchor}={millis}")));
        }
    }
    if rng.chance(200) {
        annotations.push((DELAY_TO_ANNOTATION.to_owned(), "all".to_owned()));
    }
    if rng.chance(200) {
        annotations.push((FAST.0.to_owned(), if rng.chance(700) { FAST.1 } else { "false" }.to_owned()));
    }
    if rng.chance(150) {
        annotations.push((BACKUP_ANNOTATION.to_owned(), rng.chance(500).to_string()));
    }
    (labels.into_iter().collect(), annotations.into_iter().collect())
}

fn anchor(workloads: usize, rng: &mut Rng) -> String {
    if rng.chance(400) {
        return node_name(rng.below(8)).to_string();
    }
    let name = workload_name(rng.below(workloads));
    if rng.chance(200) { format!("{name}.{}", NAMESPACES[rng.below(2)]) } else { name.to_string() }
}

fn scheduler_name(rng: &mut Rng) -> &'static str {
    match rng.between(0, 9) {
        0..=6 => EDGE,
        7 => CUSTOM,
        _ => FOREIGN,
    }
}

fn tolerations(rng: &mut Rng) -> Box<[Toleration]> {
    let toleration = |key: &str, op, value: &str, effect| Toleration {
        key: key.into(),
        op,
        value: value.into(),
        effect,
        seconds: None,
    };
    match rng.between(0, 9) {
        0 => [toleration("", TolerationOp::Exists, "", None)].into(),
        1 => [toleration("dedicated", TolerationOp::Equal, "a", None)].into(),
        2 => [toleration("dedicated", TolerationOp::Exists, "", Some(TaintEffect::NoSchedule))].into(),
        _ => Box::default(),
    }
}

fn not_in_zone(zone: &str) -> NodeAffinity {
    let requirement =
        Requirement { key: ZONE.into(), op: RequirementOp::NotIn, values: [zone.into()].into() };
    let term = NodeSelectorTerm { expressions: [requirement].into(), fields: Box::default() };
    NodeAffinity { required: Some(NodeSelector { terms: [term].into() }), preferred: Box::default() }
}

fn requests(cpu: u64, memory: u64) -> Resources {
    let amount = |units: u64| i64::try_from(units).unwrap();
    Resources {
        cpu: MilliCpu(amount(cpu) * 100),
        memory: Bytes(amount(memory) << 27),
        ..Resources::default()
    }
}

fn small(rng: &mut Rng, most: u64) -> i64 {
    i64::try_from(rng.between(0, most)).unwrap()
}

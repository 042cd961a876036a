//! Builders for tests: nodes, pods and what a plugin says of them, each in a line.

use std::ops::Deref;
use std::sync::Arc;

use super::{Cycle, NodeSlot, NodeView, Plugin, PreFilter, PreScore, Rejection, Resolvable, Snapshot, Usage};
use crate::model::{
    Bytes, HostPort, Image, MilliCpu, Name, Node, NodeName, NodeSelectorTerm, NonZeroRequest, Pod, PodVolume,
    PreferredTerm, Protocol, Requirement, RequirementOp, Taint, TaintEffect, Toleration, TolerationOp, Vmis,
};
use crate::random::Random;

/// A node and what is used on it.
#[derive(Clone, Debug)]
pub(crate) struct TestNode {
    pub(crate) node: Node,
    pub(crate) usage: Usage,
}

/// A pod being described; dereferences to the pod.
#[derive(Clone, Debug)]
pub(crate) struct TestPod(Pod);

/// A node that takes 110 pods and has no other capacity.
pub(crate) fn node(name: &str) -> TestNode {
    TestNode { node: Node { allowed_pods: 110, ..Node::named(name) }, usage: Usage::default() }
}

/// A pending pod that asks for nothing.
pub(crate) fn pod(name: &str) -> TestPod {
    TestPod(Pod::pending("default", name))
}

/// The cluster of these nodes, whose names differ, in slots from 0.
pub(crate) fn snapshot(nodes: &[TestNode]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for TestNode { node, usage } in nodes {
        let slot = snapshot.nodes.slot_of(&node.name);
        assert_eq!(snapshot.nodes.put(node.clone()), None, "two nodes of one name");
        *snapshot.nodes.usage_mut(slot).unwrap() = usage.clone();
    }
    snapshot
}

/// The cluster of these nodes, with these pods on the nodes that they name.
pub(crate) fn cluster(nodes: &[TestNode], placed: &[Pod]) -> Snapshot {
    let mut snapshot = snapshot(nodes);
    for pod in placed {
        let slot = snapshot.nodes.slot_of(pod.node.as_ref().unwrap());
        snapshot.add_pod(&Arc::new(pod.clone()), slot);
    }
    snapshot
}

/// What PreFilter and Filter of `plugin` say of `pod` on each node.
pub(crate) fn verdicts(plugin: &dyn Plugin, pod: &Pod, snapshot: &Snapshot) -> Vec<String> {
    let check = match plugin.pre_filter(Cycle::of(pod, snapshot)) {
        PreFilter::Skip => return snapshot.nodes.iter().map(|_| "fits".to_owned()).collect(),
        PreFilter::Check(check) => check,
        _ => panic!("no check"),
    };
    snapshot.nodes.iter().map(|node| show(&check.filter(node))).collect()
}

/// In a cluster of random pods, whether `plugin` judges a node with other pods on it as it judges a cluster in
/// which these are there. `nodes` and `pod` give nodes and pods, given a number below what is asked for.
pub(crate) fn check_forks(
    plugin: &dyn Plugin,
    seed: u64,
    nodes: impl Fn(&mut Random) -> Vec<TestNode>,
    pod: impl Fn(&mut Random) -> Pod,
) {
    let mut numbers = Random(seed);
    let nodes = nodes(&mut numbers);
    let names: Vec<NodeName> = nodes.iter().map(|node| node.node.name.clone()).collect();
    let place = |numbers: &mut Random, idx: i64| {
        let node = &names[numbers.below(names.len())];
        let uid = format!("{idx}").as_str().into();
        Pod { node: Some(node.clone()), uid, ..pod(numbers) }
    };
    let placed: Vec<Pod> = (0..8).map(|idx| place(&mut numbers, idx)).collect();
    let judged = pod(&mut numbers);
    let before = cluster(&nodes, &placed);
    let PreFilter::Check(check) = plugin.pre_filter(Cycle::of(&judged, &before)) else {
        return;
    };
    for (slot, name) in names.iter().enumerate() {
        let Some(mut fork) = check.fork() else { panic!("it can't be forked") };
        let view = before.nodes.find(name.as_str()).unwrap();
        let mut after = placed.clone();
        after.retain(|pod| {
            let goes = pod.node.as_ref() == Some(name) && numbers.below(2) == 0;
            if goes {
                fork.pod_removed(pod, view);
            }
            !goes
        });
        let comes = Pod { node: Some(name.clone()), ..pod(&mut numbers) };
        if numbers.below(2) == 0 {
            fork.pod_added(&comes, view);
            after.push(comes);
        }
        let expected = &verdicts(plugin, &judged, &cluster(&nodes, &after))[slot];
        assert_eq!(show(&fork.filter(view)), *expected, "seed {seed}, {name}: {judged:?}");
        let again = fork.fork().map(|fork| show(&fork.filter(view)));
        assert_eq!(again.as_ref(), Some(expected), "seed {seed}, a fork of the fork");
    }
}

fn show(verdict: &super::Verdict) -> String {
    match verdict {
        super::Verdict::Fits => "fits".into(),
        super::Verdict::Rejected(rejection) => describe(rejection),
    }
}

/// What PreFilter and Filter of `plugin` say of `pod` on `node`: `fits`, or the reasons behind
/// `preemptible:` or `final:`, or behind `pod:` if no node was looked at.
pub(crate) fn filter(plugin: &dyn Plugin, pod: &Pod, node: &TestNode) -> String {
    filter_in(plugin, pod, &snapshot(std::slice::from_ref(node)))
}

/// The same in a cluster of one node, of which more is known.
pub(crate) fn filter_in(plugin: &dyn Plugin, pod: &Pod, snapshot: &Snapshot) -> String {
    let node = snapshot.nodes.iter().next().unwrap();
    let check = match plugin.pre_filter(Cycle::of(pod, snapshot)) {
        PreFilter::Skip => return "fits".into(),
        PreFilter::Check(check) | PreFilter::Narrow(_, check) => check,
        PreFilter::Reject(rejection) => return format!("pod: {}", describe(&rejection)),
        PreFilter::AwaitDelays(nodes) => return format!("waits for delays from {nodes:?}"),
    };
    match check.filter(node) {
        super::Verdict::Fits => "fits".into(),
        super::Verdict::Rejected(rejection) => describe(&rejection),
    }
}

/// The normalised scores of `pod` on these nodes, all of them feasible; none if the plugin skips.
pub(crate) fn score(plugin: &dyn Plugin, pod: &Pod, nodes: &[TestNode]) -> Option<Vec<i64>> {
    score_in(plugin, pod, &snapshot(nodes))
}

/// The same in a cluster of which more is known.
pub(crate) fn score_in(plugin: &dyn Plugin, pod: &Pod, snapshot: &Snapshot) -> Option<Vec<i64>> {
    let feasible: Vec<NodeSlot> = snapshot.nodes.iter().map(|node| node.slot).collect();
    let scorer = match plugin.pre_score(Cycle::of(pod, snapshot), &feasible) {
        PreScore::Skip => return None,
        PreScore::Score(scorer) => scorer,
        PreScore::Fail(message) => panic!("{message}"),
    };
    let mut scores: Vec<i64> = snapshot.nodes.iter().map(|node| scorer.score(node)).collect();
    scorer.normalize(&mut scores);
    Some(scores)
}

fn describe(rejection: &Rejection) -> String {
    let kind = match rejection.resolvable {
        Resolvable::ByPreemption => "preemptible",
        Resolvable::No => "final",
    };
    let reasons: Vec<&str> = rejection.reasons().map(super::Reason::as_str).collect();
    format!("{kind}: {}", reasons.join(", "))
}

pub(crate) fn names(list: &[&str]) -> Box<[Name]> {
    list.iter().map(|name| Name::from(*name)).collect()
}

/// A term with one requirement on a label.
pub(crate) fn on_label(key: &str, op: RequirementOp, values: &[&str]) -> NodeSelectorTerm {
    let requirement = Requirement { key: key.into(), op, values: names(values) };
    NodeSelectorTerm { expressions: [requirement].into(), fields: Box::default() }
}

/// A term that requires the node's name to be in each of these lists.
pub(crate) fn on_name(lists: &[&[&str]]) -> NodeSelectorTerm {
    let requirement = |list: &&[&str]| Requirement {
        key: "metadata.name".into(),
        op: RequirementOp::In,
        values: names(list),
    };
    NodeSelectorTerm { expressions: Box::default(), fields: lists.iter().map(requirement).collect() }
}

/// A toleration of a taint with this key, of any value.
pub(crate) fn tolerates_key(key: &str, effect: Option<TaintEffect>) -> Toleration {
    Toleration { key: key.into(), op: TolerationOp::Exists, value: "".into(), effect, seconds: None }
}

/// A toleration of a taint with this key and value.
pub(crate) fn tolerates_value(key: &str, value: &str, effect: Option<TaintEffect>) -> Toleration {
    Toleration { key: key.into(), op: TolerationOp::Equal, value: value.into(), effect, seconds: None }
}

// === impl TestNode ===

impl TestNode {
    pub(crate) fn cpu(mut self, milli: i64) -> Self {
        self.node.allocatable.cpu = MilliCpu(milli);
        self
    }

    pub(crate) fn memory(mut self, bytes: i64) -> Self {
        self.node.allocatable.memory = Bytes(bytes);
        self
    }

    pub(crate) fn storage(mut self, bytes: i64) -> Self {
        self.node.allocatable.ephemeral_storage = Bytes(bytes);
        self
    }

    pub(crate) fn scalar(mut self, name: &str, amount: i64) -> Self {
        self.node.allocatable.set_scalar(name.into(), amount);
        self
    }

    pub(crate) fn allowed_pods(mut self, pods: i64) -> Self {
        self.node.allowed_pods = pods;
        self
    }

    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        let labels = self.node.labels.iter().map(|(key, value)| (key.clone(), value.clone()));
        self.node.labels = labels.chain([(key.into(), value.into())]).collect();
        self
    }

    pub(crate) fn taint(mut self, key: &str, value: &str, effect: TaintEffect) -> Self {
        let taint = Taint { key: key.into(), value: value.into(), effect };
        self.node.taints = self.node.taints.into_iter().chain([taint]).collect();
        self
    }

    pub(crate) fn cordoned(mut self) -> Self {
        self.node.unschedulable = true;
        self
    }

    pub(crate) fn image(mut self, image_names: &[&str], size: i64) -> Self {
        let image = Image { names: names(image_names), size };
        self.node.images = self.node.images.into_iter().chain([image]).collect();
        self
    }

    pub(crate) fn with_pods(mut self, pods: &[Pod]) -> Self {
        for pod in pods {
            self.usage.add(&Arc::new(pod.clone()));
        }
        self
    }

    pub(crate) fn placed(mut self, pod: TestPod) -> Self {
        self.usage.add(&Arc::new(pod.build()));
        self
    }

    /// The node in slot 0.
    pub(crate) fn view(&self) -> NodeView<'_> {
        NodeView { slot: NodeSlot(0), node: &self.node, usage: &self.usage }
    }
}

// === impl TestPod ===

impl From<Pod> for TestPod {
    fn from(pod: Pod) -> Self {
        Self(pod)
    }
}

impl Deref for TestPod {
    type Target = Pod;

    fn deref(&self) -> &Pod {
        &self.0
    }
}

impl TestPod {
    pub(crate) fn build(self) -> Pod {
        self.0
    }

    pub(crate) fn on(mut self, node: &str) -> Self {
        self.0.node = Some(NodeName::from(node));
        self
    }

    /// Requests CPU; it counts for scoring too.
    pub(crate) fn cpu(mut self, milli: i64) -> Self {
        self.0.requests.cpu = MilliCpu(milli);
        self.0.non_zero.cpu = MilliCpu(milli);
        self.0.scored.cpu = MilliCpu(milli);
        self
    }

    /// Requests memory; it counts for scoring too.
    pub(crate) fn memory(mut self, bytes: i64) -> Self {
        self.0.requests.memory = Bytes(bytes);
        self.0.non_zero.memory = Bytes(bytes);
        self.0.scored.memory = Bytes(bytes);
        self
    }

    pub(crate) fn non_zero(mut self, milli: i64, bytes: i64) -> Self {
        self.0.non_zero = NonZeroRequest { cpu: MilliCpu(milli), memory: Bytes(bytes) };
        self.0.scored = self.0.non_zero;
        self
    }

    pub(crate) fn storage(mut self, bytes: i64) -> Self {
        self.0.requests.ephemeral_storage = Bytes(bytes);
        self
    }

    pub(crate) fn scalar(mut self, name: &str, amount: i64) -> Self {
        self.0.requests.set_scalar(name.into(), amount);
        self
    }

    pub(crate) fn port(mut self, ip: &str, protocol: Protocol, port: u16) -> Self {
        let port = HostPort { ip: ip.into(), protocol, port };
        self.0.ports = self.0.ports.into_iter().chain([port]).collect();
        self
    }

    pub(crate) fn select(mut self, key: &str, value: &str) -> Self {
        let labels = self.0.node_selector.iter().map(|(key, value)| (key.clone(), value.clone()));
        self.0.node_selector = labels.chain([(key.into(), value.into())]).collect();
        self
    }

    /// One more alternative of the required node affinity.
    pub(crate) fn require(mut self, term: NodeSelectorTerm) -> Self {
        let terms = self.0.node_affinity.required.take().unwrap_or_default().terms;
        let terms = terms.into_iter().chain([term]).collect();
        self.0.node_affinity.required = Some(crate::model::NodeSelector { terms });
        self
    }

    pub(crate) fn prefer(mut self, weight: i64, term: NodeSelectorTerm) -> Self {
        let preferred = self.0.node_affinity.preferred.into_iter();
        self.0.node_affinity.preferred = preferred.chain([PreferredTerm { weight, term }]).collect();
        self
    }

    pub(crate) fn tolerate(mut self, toleration: Toleration) -> Self {
        self.0.tolerations = self.0.tolerations.into_iter().chain([toleration]).collect();
        self
    }

    pub(crate) fn vmis(mut self, vmis: Vmis) -> Self {
        self.0.vmis = vmis;
        self
    }

    pub(crate) fn volume(mut self, volume: PodVolume) -> Self {
        self.0.volumes = self.0.volumes.into_iter().chain([volume]).collect();
        self
    }

    pub(crate) fn claim(self, name: &str) -> Self {
        self.volume(PodVolume::Claim(name.into()))
    }

    pub(crate) fn gates(mut self, gates: &[&str]) -> Self {
        self.0.gates = names(gates);
        self
    }

    pub(crate) fn images(mut self, containers: &[&str], volumes: &[&str]) -> Self {
        self.0.images = crate::model::PodImages { containers: names(containers), volumes: names(volumes) };
        self
    }
}

//! Arguments change what is decided.

use std::sync::Arc;

use edge_core::model::{Bytes, MilliCpu, Node, NonZeroRequest, Pod, Resources};
use edge_core::placement::{Decision, Snapshot, place};

use super::accepted;

fn resources(cpu: i64) -> Resources {
    Resources { cpu: MilliCpu(cpu), memory: Bytes(cpu << 20), ..Resources::default() }
}

fn pod(name: &str, cpu: i64) -> Pod {
    let requests = resources(cpu);
    let scored = NonZeroRequest { cpu: requests.cpu, memory: requests.memory };
    Pod { requests, non_zero: scored, scored, ..Pod::pending("default", name) }
}

/// A node `full`, half of which is in use, and a node `empty`; the first has the labels.
fn cluster() -> Snapshot {
    let mut snapshot = Snapshot::default();
    for name in ["full", "empty"] {
        let node = Node { allocatable: resources(1_000), allowed_pods: 110, ..Node::named(name) };
        let labels = [("agent-mode", "dpdk"), ("kubernetes.io/role", "cloud")].into_iter().collect();
        snapshot.nodes.put(if name == "full" { Node { labels, ..node } } else { node });
    }
    let slot = snapshot.nodes.slot("full").unwrap();
    snapshot.nodes.usage_mut(slot).unwrap().add(&Arc::new(pod("other", 500)));
    snapshot
}

/// Where a profile of these fields places a pod, or why nowhere, preemption aside.
#[track_caller]
fn check(profile: &str, expected: &str) {
    let config = accepted(&format!("profiles: [{{schedulerName: a, {profile}}}]"));
    let profile = config.profiles().unwrap().remove(0);
    let decided = match place(&cluster(), &pod("web", 100), &profile) {
        Decision::Place(placement) => placement.node.to_string(),
        Decision::Reject(error) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let decided = decided.split(" no new claims").next().unwrap_or_default();
    assert_eq!(decided, expected, "{}", config.to_yaml());
}

#[test]
fn arguments_change_what_is_decided() {
    let added = |requirement: &str| {
        format!(
            "pluginConfig: [{{name: NodeAffinity, args: {{addedAffinity: \
             {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{{matchExpressions: [{requirement}]}}]}}}}}}}}]"
        )
    };
    let plugin = |name: &str, args: &str| format!("pluginConfig: [{{name: {name}, args: {{{args}}}}}]");
    check("plugins: {}", "empty");
    check(&added("{key: agent-mode, operator: Exists}"), "full");
    check(
        &added("{key: none, operator: Exists}"),
        "0/2 nodes are available: 2 node(s) didn't match scheduler-enforced node affinity.",
    );
    // Balance would prefer the other node.
    let alone = "plugins: {score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit}]}}";
    let strategy = |strategy: &str| {
        format!("{alone}, {}", plugin("NodeResourcesFit", &format!("scoringStrategy: {{{strategy}}}")))
    };
    check(&strategy("type: LeastAllocated"), "empty");
    check(&strategy("type: MostAllocated"), "full");
    let curve = "shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]";
    check(
        &strategy(&format!("type: RequestedToCapacityRatio, requestedToCapacityRatio: {{{curve}}}")),
        "full",
    );
    check(&plugin("CloudOffload", "mode: Required"), "full");
    check(&plugin("VMICapacity", "mode: Required"), "full");
    check(
        &plugin("VMICapacity", "mode: Required, maxVMICount: 1"),
        "0/2 nodes are available: 1 node(s) didn't have the labels required by VMICapacity, \
         1 node(s) exceed max VMI count.",
    );
}

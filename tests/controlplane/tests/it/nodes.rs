//! Fake nodes of any shape that fail and come back.

use crate::support::{PODS, SOON, await_object, await_running, pod};
use controlplane::{Bytes, Component, ControlPlane, Effect, FAILED_LABEL, FakeNode, Options, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

fn ready(node: &Value) -> &str {
    let conditions = node["status"]["conditions"].as_array().unwrap();
    let condition = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
    condition["status"].as_str().unwrap()
}

fn is_tainted(node: &Value, key: &str, effect: &str) -> bool {
    let taints = node["spec"]["taints"].as_array().map(Vec::as_slice).unwrap_or_default();
    taints.iter().any(|taint| taint["key"] == key && taint["effect"] == effect)
}

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const EDGE: &str = "/api/v1/nodes/edge";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/edge";

#[test]
fn a_node_without_kwok_has_the_shape_asked_for_and_fails_by_condition_and_taint() {
    let cluster = ControlPlane::start(Options::default()).unwrap();
    let edge = FakeNode::new("edge")
        .cpu("1500m")
        .pods(7)
        .resource("example.com/gpu", "2")
        .allocatable("memory", "7Gi")
        .label("zone", "a")
        .annotation("note", "b")
        .taint("role", "cloud", Effect::PreferNoSchedule)
        .image("example.com/big:1", Bytes(1 << 30))
        .unschedulable();
    cluster.add_nodes(&[edge]).unwrap();
    let node = cluster.client().get(EDGE).unwrap();

    assert_eq!(
        node["status"]["allocatable"],
        json!({"cpu": "1500m", "memory": "7Gi", "pods": "7", "example.com/gpu": "2"})
    );
    assert_eq!(node["status"]["capacity"]["memory"], "8Gi");
    assert_eq!(node["status"]["images"], json!([{"names": ["example.com/big:1"], "sizeBytes": 1 << 30}]));
    assert_eq!(
        (&node["metadata"]["labels"]["zone"], &node["metadata"]["annotations"]["note"]),
        (&json!("a"), &json!("b"))
    );
    assert_eq!((ready(&node), &node["spec"]["unschedulable"]), ("True", &json!(true)));
    assert!(
        is_tainted(&node, "role", "PreferNoSchedule")
            && !is_tainted(&node, "node.kubernetes.io/not-ready", "NoSchedule")
    );

    cluster.fail_node("edge").unwrap();
    let failed = cluster.client().get(EDGE).unwrap();
    assert!(ready(&failed) == "Unknown" && is_tainted(&failed, UNREACHABLE, "NoExecute"));

    cluster.recover_node("edge").unwrap();
    let back = cluster.client().get(EDGE).unwrap();
    assert!(ready(&back) == "True" && !is_tainted(&back, UNREACHABLE, "NoExecute"));
    assert!(is_tainted(&back, "role", "PreferNoSchedule"));
}

/// With Leases of 8 s, renewed every 2 s, a node is declared dead after 6 s.
fn quick_to_see_failures() -> Options {
    Options { kwok: true, controller_manager: true, node_lease: Duration::from_secs(8), ..Options::default() }
        .flag(Component::ControllerManager, "--node-monitor-grace-period=6s")
        .flag(Component::ControllerManager, "--node-monitor-period=1s")
}

#[test]
fn a_node_under_kwok_falls_silent_and_comes_back() {
    let cluster = ControlPlane::start(quick_to_see_failures()).unwrap();
    let client = cluster.client();
    // When all nodes are silent the controller manager blames itself, and taints none for eviction.
    cluster.add_nodes(&[FakeNode::new("edge"), FakeNode::new("other")]).unwrap();
    let first = client.get(LEASE).unwrap()["spec"]["renewTime"].clone();
    await_object(client, LEASE, |lease| lease["spec"]["renewTime"] != first);

    cluster.fail_node("edge").unwrap();
    let dead = await_object(client, EDGE, |node| {
        ready(node) == "Unknown" && is_tainted(node, UNREACHABLE, "NoExecute")
    });
    assert!(dead["metadata"]["labels"].get(FAILED_LABEL).is_some());
    let last = client.get(LEASE).unwrap()["spec"]["renewTime"].clone();
    let late = json!({"nodeName": "edge", "tolerations": [{"operator": "Exists"}]});
    client.create(PODS, &pod("late", &late)).unwrap();

    // The Lease has been silent for the whole grace period by now, and nobody ran the pod.
    assert_eq!(client.get(LEASE).unwrap()["spec"]["renewTime"], last);
    assert_eq!(client.get(&format!("{PODS}/late")).unwrap()["status"]["phase"], "Pending");

    cluster.recover_node("edge").unwrap();
    await_running(client, "late");
    let back = await_object(client, EDGE, |node| {
        ready(node) == "True" && !is_tainted(node, UNREACHABLE, "NoSchedule")
    });
    assert!(back["metadata"]["labels"].get(FAILED_LABEL).is_none());
    assert_ne!(client.get(LEASE).unwrap()["spec"]["renewTime"], last);
}

#[test]
fn a_thousand_nodes_are_made_in_seconds() {
    let cluster = ControlPlane::start(Options::default()).unwrap();
    let nodes: Vec<FakeNode> = (0..1000).map(|number| FakeNode::new(format!("node-{number}"))).collect();
    cluster.add_nodes(&nodes).unwrap();

    let count = || Ok(cluster.client().get("/api/v1/nodes")?["items"].as_array().map(Vec::len));
    assert_eq!(wait_for("the list", SOON, count).unwrap(), 1000);
    assert!(cluster.add_nodes(&nodes[..1]).unwrap_err().to_string().contains("already exists"));
}

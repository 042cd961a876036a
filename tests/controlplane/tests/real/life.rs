//! Two nodes: pods on them reach each other and the API server; one loses its power and gets it back; nothing is left.

use crate::{
    support::{PODS, SOON, address, condition, exec, ready_pod, run_pod, wait},
    traces::Traces,
};
use controlplane::{Bytes, Component, ControlPlane, Options, RealNode};
use serde_json::json;
use std::time::Duration;

/// A kubelet renews its Lease four times in its duration; a node is given up when it misses all of them.
fn start() -> ControlPlane {
    let nodes = [
        RealNode::new("one").label("zone", "a"),
        RealNode::new("two").milli_cpu(500).memory(Bytes(512 << 20)),
    ];
    let options =
        Options { controller_manager: true, node_lease: Duration::from_secs(8), ..Options::default() }
            .real(nodes)
            .flag(Component::ControllerManager, "--node-monitor-grace-period=8s")
            .flag(Component::ControllerManager, "--node-monitor-period=1s");
    ControlPlane::start(options).unwrap()
}

#[test]
fn real_nodes_run_pods_and_come_back_after_a_power_cut() {
    let cluster = start();
    let traces = Traces::of(&cluster);

    // As they were ordered.
    let (one, two) = ("/api/v1/nodes/one", "/api/v1/nodes/two");
    assert_eq!(cluster.client().get(one).unwrap()["metadata"]["labels"]["zone"], "a");
    let allocatable = cluster.client().get(two).unwrap()["status"]["allocatable"].clone();
    assert_eq!((&allocatable["cpu"], &allocatable["memory"]), (&json!("500m"), &json!("512Mi")));

    // Pods run and reach each other and the API server at its service address, as whom they are.
    run_pod(&cluster, "left", "one");
    run_pod(&cluster, "right", "two");
    let (left, right) = (address(&ready_pod(&cluster, "left")), address(&ready_pod(&cluster, "right")));
    assert!(exec(&cluster, "left", &["ping", &right]).starts_with("answered after "));
    assert!(exec(&cluster, "right", &["ping", &left]).starts_with("answered after "));
    assert!(exec(&cluster, "left", &["api", "/version"]).contains("v1.36"));
    traces.assert_all_kinds();

    // A power cut: every process is gone at once, and the cluster finds out by silence alone.
    cluster.fail_node("two").unwrap();
    assert!(cluster.node_command("two", "true").unwrap_err().to_string().contains("no power"));
    wait(&cluster, two, |node| condition(node, "Ready") == "Unknown");
    assert_eq!(condition(&cluster.client().get(one).unwrap(), "Ready"), "True");

    // The power is back: the same node, with the same pod, started once more.
    cluster.recover_node("two").unwrap();
    wait(&cluster, two, |node| condition(node, "Ready") == "True");
    wait(&cluster, &format!("{PODS}/right"), |pod| {
        condition(pod, "Ready") == "True" && pod["status"]["containerStatuses"][0]["restartCount"] == 1
    });
    let right = address(&ready_pod(&cluster, "right"));
    assert!(exec(&cluster, "left", &["ping", &right]).starts_with("answered after "));

    drop(cluster);
    traces.assert_none(SOON);
}

//! In place of the Contrail CN2 scheduler: its configuration as its documentation gives it, its role, its rules.

use std::collections::BTreeMap;

use controlplane::{FakeNode, Options};
use serde_json::{Value, json};

use crate::bed::{Bed, PODS, PodSpec, Replica};
use crate::handover::items;

const CONFIG: &str = include_str!("../../src/config/fixtures/contrail-scheduler.yaml");
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const USER: &str = "system:serviceaccount:contrail:contrail-scheduler";
const DPDK: [&str; 3] = ["dpdk-1", "dpdk-2", "dpdk-3"];

/// Three DPDK nodes and two others, and a user that may do what kube-scheduler may.
fn bed() -> Bed {
    let dpdk = DPDK.map(|name| FakeNode::new(name).cpu("64").label("agent-mode", "dpdk"));
    let others = ["plain-1", "plain-2"].map(|name| FakeNode::new(name).cpu("64"));
    let nodes: Vec<FakeNode> = dpdk.into_iter().chain(others).collect();
    let options = Options { controller_manager: true, kwok: true, ..Options::default() }.user(USER, &[]);
    let bed = Bed::with(options, &nodes);
    let user = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER});
    bed.bind_role("contrail-scheduler", "system:kube-scheduler", &user);
    bed
}

/// Starts a replica as the documentation's Deployment does; only where the kubeconfig lies differs.
fn replica(bed: &Bed, name: &str, config: &str) -> Replica {
    let kubeconfig = bed.cp.kubeconfig_of(USER).unwrap().to_str().unwrap();
    let config = bed.write(&format!("{name}.yaml"), &config.replace("/tmp/config/kubeconfig", kubeconfig));
    bed.replica(name, &["--config", config.to_str().unwrap(), "--secure-port=0"])
}

fn deploy(bed: &Bed, name: &str, networks: &str, replicas: usize) {
    let labels = json!({"app": name});
    let container = json!({"name": "main", "image": "example.com/app:1"});
    let deployment = json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {"k8s.v1.cni.cncf.io/networks": networks}},
                "spec": {"schedulerName": "contrail-scheduler", "containers": [container]},
            },
        },
    });
    bed.cp.client().create(DEPLOYMENTS, &deployment).unwrap();
}

fn scale(bed: &Bed, name: &str, replicas: usize) {
    let scale = json!({"spec": {"replicas": replicas}});
    bed.cp.client().merge(&format!("{DEPLOYMENTS}/{name}"), &scale).unwrap();
}

fn pods(bed: &Bed) -> Vec<Value> {
    items(bed, PODS)
}

/// Waits until so many pods are on nodes and so many wait; how many are on each node.
fn placed(bed: &Bed, on_nodes: usize, waiting: usize) -> BTreeMap<String, usize> {
    bed.wait(&format!("{on_nodes} pods on nodes and {waiting} waiting"), || {
        let mut per_node = BTreeMap::new();
        let pods = pods(bed);
        for node in pods.iter().filter_map(|pod| pod["spec"]["nodeName"].as_str()) {
            *per_node.entry(node.to_owned()).or_default() += 1;
        }
        let placed: usize = per_node.values().sum();
        (placed == on_nodes && pods.len() - placed == waiting).then_some(per_node)
    })
}

/// The DPDK nodes alone have pods, and none has two more than another.
fn assert_even(per_node: &BTreeMap<String, usize>) {
    let counts = DPDK.map(|name| per_node.get(name).copied().unwrap_or(0));
    let total: usize = per_node.values().sum();
    assert_eq!(counts.iter().sum::<usize>(), total, "{per_node:?}");
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{per_node:?}");
}

fn message_of_waiting(bed: &Bed) -> String {
    let pods = pods(bed);
    let waiting = pods.iter().find(|pod| pod["spec"]["nodeName"].is_null()).unwrap();
    bed.message_of(waiting["metadata"]["name"].as_str().unwrap(), |message| !message.is_empty())
}

#[test]
fn dpdk_nodes_fill_evenly_up_to_their_interfaces() {
    let bed = bed();
    let _scheduler = replica(&bed, "scheduler", CONFIG);
    deploy(&bed, "first", "", 0);
    for replicas in [1, 2, 5, 30, 61, 96] {
        scale(&bed, "first", replicas);
        assert_even(&placed(&bed, replicas, 0));
    }
    deploy(&bed, "second", "", 1);
    placed(&bed, 96, 1);
    assert_eq!(
        message_of_waiting(&bed),
        "0/5 nodes are available: 2 node(s) didn't have the labels required by VMICapacity, \
         3 node(s) exceed max VMI count. no new claims to deallocate, preemption: 0/5 nodes are available: \
         2 Preemption is not helpful for scheduling, 3 No preemption victims found for incoming pod."
    );
    scale(&bed, "first", 95);
    assert_even(&placed(&bed, 96, 0));
}

#[test]
fn each_network_of_a_pod_counts() {
    let bed = bed();
    let _scheduler = replica(&bed, "scheduler", CONFIG);
    deploy(&bed, "first", "left,right", 31);
    // With the cluster's own network three each: ten on a node, and two interfaces to spare.
    let per_node = placed(&bed, 30, 1);
    assert_even(&per_node);
    deploy(&bed, "second", r#"[{"name": "left"}]"#, 3);
    assert_eq!(placed(&bed, 33, 1), DPDK.map(|name| (name.to_owned(), 11)).into());
    // Nobody can say how many interfaces this one would take.
    let annotations = json!({"k8s.v1.cni.cncf.io/networks": "[{"});
    bed.create(&PodSpec { scheduler: "contrail-scheduler", annotations, ..PodSpec::new("broken") });
    bed.message_of("broken", |message| message.contains("k8s.v1.cni.cncf.io/networks was neither"));
}

#[test]
fn of_two_replicas_one_is_killed_and_nothing_is_lost_or_bound_twice() {
    let bed = bed();
    // The role allows one Lease, that of kube-scheduler.
    let config = CONFIG
        .replace("leaderElect: false", "leaderElect: true")
        .replace("resourceName: contrail-scheduler", "resourceName: kube-scheduler")
        .replace("leaseDuration: 15s", "leaseDuration: 3s")
        .replace("renewDeadline: 10s", "renewDeadline: 2s")
        .replace("retryPeriod: 2s", "retryPeriod: 500ms");
    let leader = replica(&bed, "leader", &config);
    leader.await_words("acquired the lease");
    let _standby = replica(&bed, "standby", &config);
    deploy(&bed, "first", "", 96);
    let place = |pod: &Value| {
        let node = pod["spec"]["nodeName"].as_str()?;
        Some((pod["metadata"]["uid"].as_str()?.to_owned(), node.to_owned()))
    };
    let bound = || -> BTreeMap<String, String> { pods(&bed).iter().filter_map(place).collect() };
    let early = bed.wait("some pods to be bound", || Some(bound()).filter(|bound| bound.len() >= 10));
    leader.kill();
    assert_even(&placed(&bed, 96, 0));
    let late = bound();
    assert!(early.iter().all(|(uid, node)| late.get(uid) == Some(node)), "a pod was bound twice");
}

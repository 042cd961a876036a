//! A node of a full cluster dies: its pods get the room that was kept for them, and nobody else does.

use serde_json::{Value, json};

use crate::bed::{Bed, PODS};
use crate::healing::{DEPLOYMENTS, Line, template};

const ALL_PODS: &str = "/api/v1/pods";
const NODES: &str = "/api/v1/nodes";
const HANDOVER: &str = "kubectl-edge.dev/handover";
const BACKUP_NODE: &str = "kubectl-edge.dev/backup-node";

/// An amount of memory in bytes.
pub(crate) fn bytes(quantity: &str) -> i64 {
    let units = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
    ];
    let found = units.iter().find_map(|(unit, size)| Some((quantity.strip_suffix(unit)?, size)));
    found.map_or_else(|| quantity.parse().unwrap(), |(number, size)| number.parse::<i64>().unwrap() * size)
}

/// The memory that a pod requests, in bytes.
pub(crate) fn requested(pod: &Value) -> i64 {
    let containers = pod["spec"]["containers"].as_array().unwrap().iter();
    containers.filter_map(|it| it["resources"]["requests"]["memory"].as_str()).map(bytes).sum()
}

pub(crate) fn items(bed: &Bed, path: &str) -> Vec<Value> {
    bed.cp.client().get(path).unwrap()["items"].as_array().unwrap().clone()
}

/// What is left free on each node: backups leave room to pods of DaemonSets that wait, those of agents here.
const LEFT_FREE: i64 = 256 << 20;

/// Fills all nodes but for a little, by pods that nobody places.
fn fill(bed: &Bed) {
    let pods = items(bed, ALL_PODS);
    for node in items(bed, NODES) {
        let name = &node["metadata"]["name"];
        let here = pods.iter().filter(|pod| pod["spec"]["nodeName"] == *name);
        let taken: i64 = here.map(requested).sum();
        let free = bytes(node["status"]["allocatable"]["memory"].as_str().unwrap()) - taken - LEFT_FREE;
        let resources = json!({"requests": {"memory": free.to_string()}});
        let container = json!({"name": "main", "image": "example.com/app:1", "resources": resources});
        let metadata = json!({"name": format!("full-{}", name.as_str().unwrap())});
        let spec = json!({"nodeName": name, "containers": [container]});
        bed.cp.client().create(PODS, &json!({"metadata": metadata, "spec": spec})).unwrap();
    }
}

/// What backups hold on each node, in bytes, sorted.
fn backups(bed: &Bed) -> Vec<(String, i64)> {
    let of = |pod: &Value| (pod["spec"]["nodeName"].as_str().unwrap().to_owned(), requested(pod));
    let path = "/api/v1/namespaces/edge-system/pods?labelSelector=app.kubernetes.io/name%3Dedge-backup";
    let mut all: Vec<(String, i64)> = items(bed, path).iter().map(of).collect();
    all.sort();
    all
}

/// Whether any node has the taint of a handover.
fn is_tainted(bed: &Bed) -> bool {
    let has = |node: &Value| {
        node["spec"]["taints"].as_array().is_some_and(|taints| taints.iter().any(|it| it["key"] == HANDOVER))
    };
    items(bed, NODES).iter().any(has)
}

fn deploy(line: &Line, app: &str, replicas: u32, anchor: &str, memory: &str) {
    let mut template = template(&json!({"app": app, format!("delay_{anchor}"): "10"}));
    template["spec"]["containers"][0]["resources"]["requests"]["memory"] = memory.into();
    let object = json!({
        "metadata": {"name": app},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": app}}, "template": template},
    });
    line.bed.cp.client().create(DEPLOYMENTS, &object).unwrap();
}

#[test]
fn a_full_cluster_heals_into_the_room_that_was_kept() {
    let line = Line::start(5);
    deploy(&line, "web", 1, "edge-2", "2Gi");
    let node = line.placed("web", 1, |_| true).remove(0);
    let told = |app: &str| {
        let list = items(&line.bed, &format!("{PODS}?labelSelector=app={app}"));
        let live = list.iter().find(|pod| pod["metadata"]["deletionTimestamp"].is_null())?.clone();
        live["metadata"]["annotations"][BACKUP_NODE].as_str().map(ToOwned::to_owned)
    };
    let backup = line.wait("a backup", || told("web"));
    line.wait("its room", || (backups(&line.bed) == [(backup.clone(), 2 << 30)]).then_some(()));
    fill(&line.bed);

    let victim = line.index(&node);
    line.kill(&[victim]);
    // There is room nowhere but where it was kept.
    let places = line.placed("web", 1, |at| *at != *node);
    assert_eq!(places, std::slice::from_ref(&backup));
    line.wait("the backup to be used up, and the taint to go", || {
        (backups(&line.bed).is_empty() && !is_tainted(&line.bed)).then_some(())
    });
    line.bed.check_permissions(&["edge-scheduler: patch nodes"]);
}

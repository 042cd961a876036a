//! `failover`, and `drill` with backups, on the cluster of the views.

use serde_json::{Value, json};

use crate::bed::{Bed, Said};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
const PODS: &str = "/api/v1/namespaces/default/pods";
/// What the scheduler says where it does nothing about a node.
const FROZEN: &str = "It is not reached and its Lease is not renewed; no pod is taken off it: too many nodes \
                      became suspect at once";

/// The kubelet of a node renewed its Lease three hours ago.
fn lease(bed: &Bed, node: &str) {
    let at = k8s_openapi::jiff::Timestamp::now() - k8s_openapi::jiff::SignedDuration::from_mins(190);
    let lease = json!({
        "metadata": {"name": node},
        "spec": {"holderIdentity": node, "renewTime": at.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string()},
    });
    bed.cp.client().create(LEASES, &lease).unwrap();
}

/// The scheduler says something of a node or a pod at this minute.
pub(crate) fn tell(bed: &Bed, kind: &str, name: &str, reason: &str, note: &str, minute: u32) {
    let path = if kind == "Node" { format!("/api/v1/nodes/{name}") } else { format!("{PODS}/{name}") };
    let object = bed.cp.client().get(&path).unwrap();
    let event = json!({
        "metadata": {"name": format!("{name}.{minute}"), "namespace": "default"},
        "type": "Warning", "reason": reason, "note": note, "action": "Healing",
        "regarding": {"kind": kind, "name": name, "namespace": object["metadata"]["namespace"],
            "uid": object["metadata"]["uid"]},
        "reportingController": "edge-scheduler", "reportingInstance": "edge-scheduler-1",
        "eventTime": format!("2026-01-01T00:{minute:02}:00.000000Z"),
    });
    bed.cp.client().create("/apis/events.k8s.io/v1/namespaces/default/events", &event).unwrap();
}

/// A pod of a controller of this kind, or of none.
fn pod(bed: &Bed, name: &str, kind: Option<&str>, node: &str) {
    let owner = |kind: &str| json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": true});
    let owners: Vec<Value> = kind.map(owner).into_iter().collect();
    let container = json!({"name": "c", "image": "i", "resources": {"requests": {"memory": "100Mi"}}});
    let pod = json!({
        "metadata": {"name": name, "ownerReferences": owners},
        "spec": {"schedulerName": "edge-scheduler", "nodeName": node, "containers": [container]},
    });
    bed.cp.client().create(PODS, &pod).unwrap();
}

/// Holds what the plugin says against a snapshot, without times and versions.
#[track_caller]
fn check(bed: &Bed, name: &str, args: &[&str]) {
    let Said { code, out, err } = bed.says(args);
    let leases = bed.cp.client().get(LEASES).unwrap();
    let steady = |text: &str| {
        let leases = leases["items"].as_array().unwrap().iter();
        leases.fold(text.replace(&bed.cp.url(), "[SERVER]"), |text, lease| {
            let version = format!("\"{}\"", lease["metadata"]["resourceVersion"].as_str().unwrap());
            let time = lease["spec"]["renewTime"].as_str().unwrap().split('.').next().unwrap();
            text.replace(&version, "\"[VERSION]\"").replace(time, "[TIME]")
        })
    };
    let shown = crate::snapshot::shown(args, &steady(&out), &steady(&err), code);
    crate::snapshot::compare(&format!("views/{name}"), &shown);
}

/// Nodes that fail while all is frozen, and somebody who says that one is off.
pub(crate) fn of_nodes_that_fail(bed: &Bed) {
    check(bed, "failover-nothing", &["failover"]);
    for node in ["edge-1", "edge-2", "edge-10"] {
        lease(bed, node);
    }
    tell(bed, "Node", "edge-2", "NodeSuspect", "", 1);
    tell(bed, "Node", "edge-10", "NodeSuspect", "", 1);
    tell(bed, "Node", "edge-2", "NodeLost", FROZEN, 2);
    tell(bed, "Node", "cloud-1", "NodeSuspect", "", 1);
    tell(bed, "Node", "cloud-1", "NodeReached", "", 3);
    pod(bed, "db-0", Some("StatefulSet"), "edge-2");
    pod(bed, "alone", None, "edge-2");
    pod(bed, "agent", Some("DaemonSet"), "edge-2");
    pod(bed, "last", Some("Job"), "edge-10");
    tell(
        bed,
        "Pod",
        "last",
        "FailoverRefused",
        "Node edge-10 is lost, but the pod stays: no more may fail",
        4,
    );
    for (name, args) in [
        ("failover", &["failover"][..]),
        ("failover-json", &["failover", "-o", "json"]),
        ("failover-names", &["failover", "-o", "name"]),
        ("failover-gone", &["failover", "--confirm", "edge-11"]),
        ("failover-alive", &["failover", "--confirm", "cloud-1"]),
        ("failover-no-terminal", &["failover", "--confirm", "edge-2"]),
        ("failover-client", &["failover", "--confirm", "edge-2", "--dry-run=client"]),
        ("failover-server", &["failover", "--confirm", "node/edge-2", "--dry-run=server", "-o", "json"]),
    ] {
        check(bed, name, args);
    }
    let confirmed = |bed: &Bed| {
        let node = bed.cp.client().get("/api/v1/nodes/edge-2").unwrap();
        node["metadata"]["annotations"]["kubectl-edge.dev/failover-confirmed"].clone()
    };
    assert_eq!(confirmed(bed), Value::Null);
    check(bed, "failover-confirm", &["failover", "--confirm", "edge-2", "--yes"]);
    let version = bed.cp.client().get(&format!("{LEASES}/edge-2")).unwrap();
    assert_eq!(confirmed(bed), version["metadata"]["resourceVersion"]);
    check(bed, "failover-confirm-again", &["failover", "--confirm", "edge-2", "--yes"]);
    check(bed, "failover-confirmed", &["failover"]);
    check(bed, "failover-fence", &["failover", "--confirm", "edge-2", "--fence", "--yes"]);
    let node = bed.cp.client().get("/api/v1/nodes/edge-2").unwrap();
    let said = &node["metadata"]["annotations"]["kubectl-edge.dev/fenced"];
    assert_eq!(*said, version["metadata"]["resourceVersion"]);
    check(bed, "failover-fence-again", &["failover", "--confirm", "edge-2", "--fence", "--yes"]);
    bed.cp
        .kubectl(&["taint", "node", "edge-2", "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"])
        .unwrap();
    check(bed, "failover-fenced", &["failover"]);
    // It lives after all.
    let spec = json!({"spec": {"leaseDurationSeconds": 41}});
    bed.cp.client().merge(&format!("{LEASES}/edge-2"), &spec).unwrap();
    check(bed, "failover-renewed", &["failover"]);
    bed.cp.kubectl(&["taint", "node", "edge-2", "node.kubernetes.io/out-of-service-"]).unwrap();
}

/// What is covered is what the scheduler counts: pods that say where their backup is, if all is reserved there.
pub(crate) fn of_backups(bed: &Bed) {
    let annotations = json!({"metadata": {"annotations": {"kubectl-edge.dev/backup-node": "edge-1"}}});
    bed.cp.client().merge(&format!("{PODS}/near"), &annotations).unwrap();
    let covered = |bed: &Bed| {
        let report: Value = serde_json::from_str(&bed.says(&["drill", "edge-2", "-o", "json"]).out).unwrap();
        report["items"][0]["covered"].clone()
    };
    assert_eq!(covered(bed), 0, "nothing is reserved there");
    let reserve = |name: &str, memory: &str| {
        let container = json!({"name": "c", "image": "i", "resources": {"requests": {"memory": memory}}});
        let pod = json!({
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "edge-backup"}},
            "spec": {"nodeName": "edge-1", "containers": [container]},
        });
        bed.cp.client().create("/api/v1/namespaces/edge-system/pods", &pod).unwrap();
    };
    reserve("edge-backup-edge-1-1", "512Mi");
    assert_eq!(covered(bed), 0, "half of it is reserved there");
    reserve("edge-backup-edge-1-2", "512Mi");
    assert_eq!(covered(bed), 1);
    bed.seen("views/drill-covered", &["drill", "edge-2"]);
}

//! What `status` and `check` say of installations in all states.

use serde_json::{Value, json};

use crate::bed::{Bed, IMAGE};

/// The levels of all findings, by code.
fn findings(bed: &Bed) -> (Value, i32) {
    let said = bed.plugin(&["check", "-o", "json"]);
    assert!(said.stdout.starts_with('{'), "{}", said.stderr);
    let result: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(result["kind"], "CheckResult");
    let groups = result["groups"].as_array().unwrap().iter();
    let all = groups.flat_map(|group| group["findings"].as_array().unwrap().clone());
    (all.map(|it| (it["code"].as_str().unwrap().to_owned(), it["level"].clone())).collect(), said.code)
}

/// A node's report, as its agent would send it.
fn report(bed: &Bed, node: &str, peers: &[&str]) {
    let path = "/apis/kubectl-edge.dev/v1alpha1/nodedelays";
    let spec: Vec<Value> =
        peers.iter().map(|it| json!({"name": it, "address": "10.0.0.1:10270", "interval": "Mesh"})).collect();
    let object = json!({
        "apiVersion": "kubectl-edge.dev/v1alpha1", "kind": "NodeDelays", "metadata": {"name": node}, "spec": {"peers": spec},
    });
    bed.cp.client().create(path, &object).unwrap();
    let now = bed.cp.kubectl(&[
        "create",
        "configmap",
        "now",
        "--dry-run=server",
        "-o",
        "jsonpath={.metadata.creationTimestamp}",
    ]);
    let now = now.unwrap().replace('Z', ".000000Z");
    let rows: Vec<Value> =
        peers.iter().map(|it| json!({"peer": it, "samples": 8, "p50Micros": 900})).collect();
    let status = json!({"source": "File", "reportedAt": now, "reportEveryMs": 600_000, "rows": rows});
    bed.cp.client().merge(&format!("{path}/{node}/status"), &json!({"status": status})).unwrap();
}

/// A pod that has a backup is covered as soon as that has the room.
fn cover_is_counted_as_the_scheduler_counts_it(bed: &Bed) {
    let spec = |node: &str| {
        let requests = json!({"cpu": "100m", "memory": "512Mi"});
        // The namespace of backups takes no others.
        let of_container = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        let of_pod = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        let container = json!({"name": "a", "image": "a", "resources": {"requests": requests},
            "securityContext": of_container});
        json!({"schedulerName": "edge-scheduler", "nodeName": node, "containers": [container],
            "securityContext": of_pod})
    };
    let annotations = json!({"kubectl-edge.dev/backup-node": "edge-2"});
    let metadata = json!({"name": "near", "labels": {"delay_edge-1": "10"}, "annotations": annotations});
    let near = json!({"metadata": metadata, "spec": spec("edge-1")});
    bed.cp.client().create("/api/v1/namespaces/default/pods", &near).unwrap();
    let says = |words: &str| {
        let shown = bed.done(&["status"]);
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    };
    says("backups    0 of 1 pods covered, 0m CPU and 0Mi reserved on 0 nodes, too little on edge-2\n");
    let metadata =
        json!({"name": "edge-backup-edge-2-1", "labels": {"app.kubernetes.io/name": "edge-backup"}});
    let backup = json!({"metadata": metadata, "spec": spec("edge-2")});
    bed.cp.client().create("/api/v1/namespaces/edge-system/pods", &backup).unwrap();
    says("backups    1 of 1 pods covered, 100m CPU and 512Mi reserved on 1 node\n");
}

#[test]
fn they_say_what_is_wrong_and_what_to_do() {
    let bed = Bed::start();
    bed.refused(&["check"], 3, &["nothing is installed", "install"]);
    let said = bed.plugin(&["status"]);
    assert!(said.stdout.contains("scheduler  not installed"), "{}", said.stdout);
    assert_eq!(said.code, 3);

    bed.seen("install/dry-run-server", &["install", "--image", IMAGE, "--dry-run=server"]);
    bed.seen("install/dry-run-server-json", &["install", "--image", IMAGE, "--dry-run=server", "-o", "json"]);
    bed.done(&["install", "--image", IMAGE]);
    bed.seen("install/again", &["install", "--wait=false"]);
    bed.seen("install/diff", &["install", "--profile", "custom-scheduler", "--diff"]);
    bed.seen("install/uninstall-dry-run", &["uninstall", "--dry-run=client"]);
    bed.seen("install/uninstall-dry-run-json", &["uninstall", "--dry-run=client", "-o", "json"]);
    bed.seen("install/uninstall-no-terminal", &["uninstall"]);
    bed.seen("install/check", &["check"]);
    bed.seen("install/status", &["status"]);
    let (levels, code) = findings(&bed);
    assert_eq!(code, 3, "{levels}");
    for (code, level) in [
        ("EDGE-C02", "Passed"),
        ("EDGE-C10", "Passed"),
        // KWOK's pods do nothing, so nobody leads, makes keys or reports.
        ("EDGE-C11", "Failed"),
        ("EDGE-C20", "Passed"),
        ("EDGE-C21", "Failed"),
        ("EDGE-C22", "Failed"),
        ("EDGE-C30", "Passed"),
    ] {
        assert_eq!(levels[code], level, "{code} of {levels}");
    }

    // What scheduler and agents would make.
    let pods =
        bed.get("/api/v1/namespaces/edge-system/pods?labelSelector=app.kubernetes.io/name=edge-scheduler");
    let pod = pods["items"][0]["metadata"]["name"].as_str().unwrap();
    let lease =
        json!({"metadata": {"name": "edge-scheduler"}, "spec": {"holderIdentity": format!("{pod}_1")}});
    bed.cp.client().create("/apis/coordination.k8s.io/v1/namespaces/edge-system/leases", &lease).unwrap();
    let key = json!({"metadata": {"name": "edge-probe-key"}});
    bed.cp.client().create("/api/v1/namespaces/edge-system/secrets", &key).unwrap();
    for node in ["edge-1", "edge-2", "edge-3"] {
        report(&bed, node, &["edge-1", "edge-2", "edge-3"]);
    }
    let (levels, code) = findings(&bed);
    assert_eq!(code, 0, "{levels}");
    let shown = bed.done(&["status"]);
    for words in [
        &format!("1/1 ready, leader {pod} on edge-"),
        "3/3 ready, 3 report",
        "9 of 9 pairs measured",
        "0 placed, 0 waiting",
    ] {
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    }

    bed.seen("install/check-well", &["check"]);
    cover_is_counted_as_the_scheduler_counts_it(&bed);
    // Half an installation, and a pod of a profile that nobody serves.
    bed.cp.kubectl(&["delete", "clusterrole", "edge-probe"]).unwrap();
    let spec = json!({"schedulerName": "custom-scheduler", "containers": [{"name": "a", "image": "a"}]});
    let pod = json!({"metadata": {"name": "waiting"}, "spec": spec});
    bed.cp.client().create("/api/v1/namespaces/default/pods", &pod).unwrap();
    let said = bed.plugin(&["check", "-q"]);
    assert_eq!(said.code, 3);
    for words in [
        "✗ EDGE-C02  half an installation: clusterrole.rbac.authorization.k8s.io/edge-probe missing",
        "fix: kubectl edge install --profile custom-scheduler",
    ] {
        assert!(said.stdout.contains(words), "{words} is not in\n{}", said.stdout);
    }
}

//! `latency`, `explain` and `drill` on a cluster with delays.

use std::path::Path;

use serde_json::{Value, json};

use crate::bed::{Bed, Said};
use crate::failover::tell;

const NODES: [(&str, &str, &str); 4] = [
    ("edge-1", "bud", "4Gi"),
    ("edge-2", "bud", "4Gi"),
    ("edge-10", "deb", "4Gi"),
    ("cloud-1", "cloud", "64Gi"),
];

/// Microseconds from and to each node; none where nothing is measured.
const DELAYS: [[Option<u32>; 4]; 4] = [
    [None, Some(1_200), Some(6_400), Some(18_300)],
    [Some(1_100), None, Some(6_900), Some(19_000)],
    [Some(6_500), Some(41_000), None, None],
    [Some(18_200), Some(18_900), None, None],
];

fn node_delays(bed: &Bed, from: usize) {
    let name = NODES[from].0;
    let path = "/apis/kubectl-edge.dev/v1alpha1/nodedelays";
    let object =
        json!({"apiVersion": "kubectl-edge.dev/v1alpha1", "kind": "NodeDelays", "metadata": {"name": name}});
    bed.cp.client().create(path, &object).unwrap();
    let row = |(to, micros): (usize, Option<u32>)| {
        micros.map(|micros| {
            json!({"peer": NODES[to].0, "minMicros": micros / 2, "p50Micros": micros * 3 / 4, "p95Micros": micros,
                "samples": 32, "lost": 1, "ageMs": 500})
        })
    };
    let rows: Vec<Value> = DELAYS[from].into_iter().enumerate().filter_map(row).collect();
    let status = json!({"status": {"source": "File", "measured": rows.len(), "rows": rows}});
    bed.cp.client().merge(&format!("{path}/{name}/status"), &status).unwrap();
}

fn pod(name: &str, owner: Option<&str>, node: Option<&str>, label: &str, memory: &str) -> Value {
    let owners: Vec<Value> = owner
        .map(|owner| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": true}))
        .into_iter()
        .collect();
    let (key, value) = label.split_once('=').unwrap();
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {key: value}, "ownerReferences": owners},
        "spec": {"schedulerName": "edge-scheduler", "nodeName": node,
            "containers": [{"name": "c", "image": "i", "resources": {"requests": {"memory": memory}}}]}})
}

fn start() -> Bed {
    let bed = Bed::start();
    let crd = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/base/nodedelays-crd.yaml");
    bed.cp.kubectl(&["apply", "-f", crd.to_str().unwrap()]).unwrap();
    bed.cp.kubectl(&["wait", "--for=condition=Established", "crd/nodedelays.kubectl-edge.dev"]).unwrap();
    for (name, zone, memory) in NODES {
        let allocatable = json!({"cpu": "4", "memory": memory, "pods": "110"});
        bed.add_node(name, &json!({"topology.kubernetes.io/zone": zone}), &allocatable);
    }
    (0..NODES.len()).for_each(|from| node_delays(&bed, from));
    let path = "/api/v1/namespaces/default/pods";
    let pods = [
        pod("near", Some("near"), Some("edge-2"), "delay_edge-1=1.3", "1Gi"),
        pod("broken", Some("broken"), Some("edge-10"), "delay_edge-1=5", "1Gi"),
        pod("large", Some("large"), Some("cloud-1"), "app=large", "60Gi"),
        pod("waits", Some("waits"), None, "delay_edge-1=1", "5Gi"),
    ];
    for pod in pods {
        bed.cp.client().create(path, &pod).unwrap();
    }
    let note =
        "It should be moved, as its bound to edge-1 is broken; but no node is better: 3 nodes are too far";
    tell(&bed, "Pod", "broken", "NoBetterNode", note, 9);
    bed
}

#[track_caller]
fn check(said: &Said, code: i32, parts: &[&str]) {
    assert_eq!(said.code, Some(code), "{said:?}");
    for part in parts {
        assert!(said.out.contains(part), "{part:?} is not in\n{}\n{}", said.out, said.err);
    }
}

/// Linked by the plugin as long as the scheduler has published none, and of delays that it has none of.
fn layers(bed: &Bed) {
    let clusters = |layer: &str| {
        let said = bed.says(&["latency", "matrix", "--by", "layer", "--layer", layer, "-o", "json"]);
        let matrix: Value = serde_json::from_str(&said.out).unwrap();
        let groups = matrix["groups"].as_array().unwrap().iter();
        groups.map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(clusters("10ms"), "cloud-1, edge-1 +1, edge-10");
    // A node has gone since, and another one is new.
    let layers = json!({"version": 1, "pairs": 6, "knownPairs": 5, "nodes": ["edge-1", "edge-10", "gone", "edge-2"],
        "layers": [{"delayMicros": 10_000, "sizes": [3, 1]}]});
    let metadata = json!({"name": "edge-layers"});
    let object = json!({"metadata": metadata, "data": {"layers.json": layers.to_string()}});
    bed.cp.client().create("/api/v1/namespaces", &json!({"metadata": {"name": "edge-system"}})).unwrap();
    bed.cp.client().create("/api/v1/namespaces/edge-system/configmaps", &object).unwrap();
    assert_eq!(clusters("10ms"), "cloud-1, edge-1 +1, edge-2");
    assert_eq!(clusters("50ms"), "cloud-1 +2, edge-10");
}

#[test]
fn views_of_a_cluster_with_delays() {
    let bed = start();
    check(&bed.says(&["latency"]), 0, &["p95 round trip, ms · 4 nodes · 10 of 12 pairs measured (83 %)"]);
    check(
        &bed.says(&["latency", "edge-2", "edge-10"]),
        0,
        &["edge-2    edge-10   3.45", "pods are judged by 41.0 ms"],
    );
    check(&bed.says(&["latency", "edge-1"]), 0, &["edge-1   edge-2    0.60   0.90   1.20"]);
    let said = bed.says(&["latency", "matrix", "--by", "site", "-o", "json"]);
    let matrix: Value = serde_json::from_str(&said.out).unwrap();
    let names: Vec<&str> =
        matrix["groups"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["bud", "cloud", "deb"]);
    assert_eq!(matrix["ms"], json!([[1.2, 19.0, 6.9], [18.9, null, null], [41.0, null, null]]));
    layers(&bed);
    check(
        &bed.says(&["latency", "top"]),
        3,
        &[
            "default/broken   edge-10   edge-1   6.50    5       broken",
            "default/near     edge-2    edge-1   1.20    1.3     at risk",
            "edge-10           edge-2   41.0   6.90",
        ],
    );
    check(&bed.says(&["latency", "gone"]), 1, &[]);

    explains(&bed);
    drills(&bed);
    everything_is_as_it_was_seen(&bed);
    let mut export = bed.plugin(&["latency", "export", "--html"]);
    let page = Said::of(&export.env("SOURCE_DATE_EPOCH", "0").output().unwrap()).out;
    let data = page.split("const data = ").nth(1).unwrap().split(";\n").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    crate::snapshot::compare("views/export", &(serde_json::to_string_pretty(&data).unwrap() + "\n"));
    assert!(page.starts_with("<!doctype html>") && page.contains("\"LatencyPage\""));
    assert_eq!(page.matches("</script").count(), 1, "nothing in the data ends the script");
    crate::failover::of_backups(&bed);
    crate::failover::of_nodes_that_fail(&bed);
}

/// Tables and objects of every view, and what is said where one is asked wrongly.
fn everything_is_as_it_was_seen(bed: &Bed) {
    let check = |name: &str, args: &[&str]| bed.seen(&format!("views/{name}"), args);
    for (name, args) in [
        ("latency", &["latency"][..]),
        ("latency-from", &["latency", "edge-1"]),
        ("latency-pair", &["latency", "edge-1", "edge-10"]),
        ("latency-p50", &["latency", "edge-1", "--statistic", "p50"]),
        ("matrix-site", &["latency", "matrix", "--by", "site"]),
        ("matrix-layer", &["latency", "matrix", "--by", "layer", "--layer", "10ms"]),
        ("top", &["latency", "top"]),
        ("explain-waits", &["explain", "waits"]),
        ("explain-near", &["explain", "near"]),
        ("explain-broken", &["explain", "pod/broken", "--all-nodes"]),
        ("explain-wide", &["explain", "near", "-o", "wide"]),
        ("drill", &["drill", "edge-2", "cloud-1"]),
        ("drill-all", &["drill", "--all"]),
    ] {
        check(name, args);
        check(&format!("{name}-json"), &[args, &["-o", "json"]].concat());
    }
    check("latency-names", &["latency", "edge-1", "-o", "name"]);
    check("latency-headless", &["latency", "edge-1", "--no-headers"]);
    check("latency-yaml", &["latency", "edge-1", "edge-10", "-o", "yaml"]);
    check("drill-wide", &["drill", "--all", "-o", "wide"]);
    check("drill-names", &["drill", "--all", "-o", "name"]);
    for (name, args) in [
        ("latency-gone", &["latency", "edge-11"][..]),
        ("matrix-odd", &["latency", "matrix", "--by", "layer", "--layer", "soon"]),
        ("matrix-names", &["latency", "matrix", "--by", "site", "-o", "name"]),
        ("probe-gone", &["latency", "probe", "edge-1", "edge-11"]),
        ("probe-no-agent", &["latency", "probe", "edge-1", "edge-2"]),
        ("export-nowhere", &["latency", "export", "--html", "-f", "/nowhere/page.html"]),
        ("explain-gone", &["explain", "gone"]),
        ("explain-odd-kind", &["explain", "node/edge-1"]),
        ("explain-no-file", &["explain", "-f", "/nowhere/pod.yaml"]),
        ("drill-gone", &["drill", "edge-11"]),
        ("drill-nothing", &["drill"]),
        ("status-nothing", &["status"]),
        ("status-nothing-json", &["status", "-o", "json"]),
        ("check-nothing", &["check"]),
        ("check-nothing-json", &["check", "-o", "json"]),
        ("version", &["version"]),
    ] {
        check(name, args);
    }
    changes_are_as_they_were_seen(bed);
}

/// What changes workloads and nodes.
fn changes_are_as_they_were_seen(bed: &Bed) {
    let container = json!({"name": "c", "image": "i", "resources": {"requests": {"memory": "1Gi"}}});
    let template = json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [container]}});
    let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": template});
    for (kind, plural) in [("Deployment", "deployments"), ("DaemonSet", "daemonsets")] {
        let mut spec = spec.clone();
        if kind == "DaemonSet" {
            spec.as_object_mut().unwrap().remove("replicas");
        }
        let object = json!({"kind": kind, "metadata": {"name": "shop"}, "spec": spec});
        bed.cp.client().create(&format!("/apis/apps/v1/namespaces/default/{plural}"), &object).unwrap();
    }
    for (name, args) in [
        ("delay-get-none", &["delay", "get"][..]),
        (
            "delay-set-server",
            &["delay", "set", "deploy/shop", "edge-1=2ms", "cloud-1=15", "--dry-run=server"],
        ),
        (
            "delay-set-client-json",
            &["delay", "set", "deploy/shop", "edge-1=7", "--dry-run=client", "-o", "json"],
        ),
        ("delay-set-no-terminal", &["delay", "set", "deploy/shop", "edge-1=7"]),
        ("delay-set", &["delay", "set", "deploy/shop", "edge-1=7", "--yes"]),
        (
            "delay-set-odd-scheduler",
            &["delay", "set", "deploy/shop", "edge-1=7", "--scheduler", "x", "--yes"],
        ),
        ("delay-set-daemon-set", &["delay", "set", "ds/shop", "edge-1=7", "--yes"]),
        ("delay-set-gone", &["delay", "set", "deploy/gone", "edge-1=7", "--yes"]),
        ("delay-get", &["delay", "get"]),
        ("delay-get-json", &["delay", "get", "deploy/shop", "-o", "json"]),
        ("delay-get-names", &["delay", "get", "-A", "-o", "name"]),
        ("explain-would-fit", &["explain", "deploy/shop"]),
        ("delay-set-force", &["delay", "set", "ds/shop", "nowhere=7", "--force", "--yes"]),
        ("delay-lint", &["delay", "lint"]),
        ("delay-lint-json", &["delay", "lint", "-o", "json"]),
        ("delay-unset-odd", &["delay", "unset", "deploy/shop", "edge-2", "--yes"]),
        ("delay-unset", &["delay", "unset", "deploy/shop", "--all", "--yes"]),
        ("label-cloud", &["label-cloud", "cloud-1", "edge-1", "gone"]),
        ("label-cloud-json", &["label-cloud", "edge-1", "--remove", "-o", "json"]),
        ("label-cloud-list", &["label-cloud", "--list"]),
        ("label-cloud-list-json", &["label-cloud", "--list", "-o", "json"]),
        ("label-dpdk-detect", &["label-dpdk", "--detect"]),
        ("label-nothing", &["label-dpdk"]),
    ] {
        bed.seen(&format!("views/{name}"), args);
    }
}

fn explains(bed: &Bed) {
    let said = bed.says(&["explain", "waits"]);
    let expected = [
        "pod/waits waits\n0 of 4 nodes fit.\n",
        "3       node(s) exceeded the delay to edge-1 (1 ms)   cloud-1, ",
        "1       Insufficient memory                           edge-1\n",
        "The scheduler says: 0/4 nodes are available: 1 Insufficient memory, 3 node(s) exceeded the delay to edge-1 (1 ms).",
        "requests.memory 4Gi → edge-1",
    ];
    check(&said, 3, &expected);
    check(
        &bed.says(&["explain", "near"]),
        0,
        &["pod/near is on edge-2\n1.2 ms from edge-1, 1.3 ms allowed: slack 0.1 ms\n2 of 4 nodes fit."],
    );
    let said = bed.says(&["explain", "waits", "-o", "json"]);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let blockers = report["items"][0]["blockers"].as_array().unwrap();
    let counted: u64 = blockers.iter().filter_map(|it| it["nodes"].as_u64()).sum();
    assert_eq!(counted + report["items"][0]["fitting"].as_u64().unwrap(), 4);
}

fn drills(bed: &Bed) {
    let said = bed.says(&["drill", "edge-2", "cloud-1", "gone"]);
    check(
        &said,
        1,
        &[
            "edge-2    1      0         1       0\n",
            "cloud-1   1      0         0       1\n",
            "default/large   lost",
        ],
    );
    assert!(said.err.contains("error: nodes \"gone\" not found"), "{said:?}");
    let all = bed.says(&["drill", "--all"]);
    check(&all, 3, &["edge-10   1      0         1       0\n"]);
}

#[test]
fn without_permissions_the_result_is_partial_and_says_what_is_missing() {
    let bed = Bed::get();
    let config = bed.cp.kubeconfig_of("nobody").unwrap();
    let said = Said::of(&bed.plugin(&["delay", "get"]).env("KUBECONFIG", config).output().unwrap());
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(
        said.err.contains("warning: no permission to list deployments: shown without deployments\n"),
        "{said:?}"
    );
}

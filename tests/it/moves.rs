//! Pods that are moved though nothing is wrong with their nodes: by eviction, and as their budgets allow.

use std::collections::BTreeSet;

use controlplane::{FakeNode, Options};
use serde_json::{Value, json};

use crate::bed::{Bed, LINE, PODS, Replica, line_delays};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
const BACKUP: &str = "kubectl-edge.dev/backup-node";
/// Farther than any bound.
const FAR: f64 = 90.0;

/// A scheduler that has no more permissions than an installation gives it and lets pods stay nowhere for long. KWOK
/// plays the kubelets.
fn start() -> (Bed, Replica) {
    let nodes = LINE.map(|name| FakeNode::new(name).memory("8Gi"));
    let options = Options { kwok: true, controller_manager: true, ..Options::default() };
    let bed = Bed::installed(options, &nodes);
    bed.write_delays(&LINE, &line_delays());
    let [matrix, metadata] = [bed.matrix(), bed.metadata()].map(|path| path.display().to_string());
    let moves = ("BackupReservation", "{moves: {dwell: 0s, perMinute: 60}}");
    let files = ["--delay-matrix", &matrix, "--metadata", &metadata];
    let scheduler = bed.replica_of_installation("scheduler", moves, &files);
    (bed, scheduler)
}

/// A Deployment of the profile `edge-scheduler`.
fn deploy(bed: &Bed, app: &str, replicas: u32, memory: &str, (anchor, ms): (&str, &str)) {
    let requests = json!({"cpu": "100m", "memory": memory});
    let container =
        json!({"name": "main", "image": "example.com/app:1", "resources": {"requests": requests}});
    let template = json!({
        "metadata": {"labels": {"app": app, format!("delay_{anchor}"): ms}},
        "spec": {"schedulerName": "edge-scheduler", "containers": [container]},
    });
    let object = json!({
        "metadata": {"name": app},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": app}}, "template": template},
    });
    bed.cp.client().create(DEPLOYMENTS, &object).unwrap();
}

/// The pods of an application that don't end and are on a node: their names, nodes and where their backups are.
fn placed(bed: &Bed, app: &str) -> BTreeSet<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = bed.cp.client().get(&format!("{PODS}?labelSelector=app={app}")).unwrap();
    let pods = list["items"].as_array().unwrap().iter();
    let live = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let told = live.map(|pod| {
        let backup = text(&pod["metadata"]["annotations"][BACKUP]);
        (text(&pod["metadata"]["name"]), text(&pod["spec"]["nodeName"]), backup)
    });
    told.filter(|(_, node, _)| !node.is_empty()).collect()
}

/// Waits until so many pods of an application are on nodes that `holds` accepts, each with a backup on another one.
fn await_placed(
    bed: &Bed,
    app: &str,
    count: usize,
    holds: impl Fn(&str) -> bool,
) -> BTreeSet<(String, String, String)> {
    bed.wait(&format!("{count} pods of {app}"), || {
        let placed = placed(bed, app);
        let is_good = |(_, node, backup): &(String, String, String)| {
            holds(node) && holds(backup) && !backup.is_empty() && node != backup
        };
        (placed.len() == count && placed.iter().all(is_good)).then_some(placed)
    })
}

/// The delays of the line, but these pairs of its nodes are so far from each other.
fn write_far(bed: &Bed, far: &[(usize, usize)]) {
    let mut delays = line_delays().map(<[f64]>::to_vec);
    for (a, b) in far {
        (delays[*a][*b], delays[*b][*a]) = (FAR, FAR);
    }
    bed.write_matrix(&delays.each_ref().map(Vec::as_slice));
}

#[test]
fn pods_are_moved_where_their_bounds_are_kept_and_to_make_room() {
    let (bed, _scheduler) = start();

    // Near edge-1 itself there is no place, so they are on edge-2, edge-3 or edge-4.
    bed.cp.kubectl(&["taint", "node", "edge-1", "test=1:NoSchedule"]).unwrap();
    deploy(&bed, "web", 2, "500Mi", ("edge-1", "30"));
    let budget = json!({
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    });
    bed.cp.client().create(BUDGETS, &budget).unwrap();
    let before = await_placed(&bed, "web", 2, |_| true);
    let budget = || bed.cp.client().get(&format!("{BUDGETS}/web")).unwrap();
    bed.wait("pods to count as healthy", || {
        (budget()["status"]["disruptionsAllowed"] == 1 && budget()["status"]["currentHealthy"] == 2)
            .then_some(())
    });

    // A node of theirs is far away now.
    let (name, node, _) = before.first().unwrap();
    let idx = LINE.iter().position(|it| it == node).unwrap();
    write_far(&bed, &[(1, idx)]);
    let after = await_placed(&bed, "web", 2, |it| it != node);
    assert!(after.iter().all(|(name, ..)| !before.iter().any(|(old, on, _)| old == name && on == node)));
    let told = &bed.events_of(name, "Moved")[0];
    let note = told["note"].as_str().unwrap();
    let expected = format!("Evicted from node {node}; room is held on node ");
    assert!(note.starts_with(&expected) && note.contains("over the bound of 30 ms"), "{note}");
    let target = note[expected.len()..].split(' ').next().unwrap();
    assert!(after.iter().any(|(_, node, _)| node == target), "{target}: {after:?}");

    // As edge-5 is far from all others, this one can only be there.
    let others = (0..5).map(|idx| (idx, 5)).collect::<Vec<_>>();
    write_far(&bed, &others);
    deploy(&bed, "small", 1, "3Gi", ("edge-5", "20"));
    bed.wait("small on edge-5", || {
        placed(&bed, "small").iter().any(|(_, node, _)| node == "edge-5").then_some(())
    });
    write_far(&bed, &[(1, 5), (2, 5)]);
    let small = await_placed(&bed, "small", 1, |_| true);
    assert!(small.iter().all(|(_, node, _)| node == "edge-5"), "{small:?}");
    // There is room for this one there once the other one has gone, and nowhere else.
    deploy(&bed, "large", 1, "6Gi", ("edge-5", "0"));
    bed.wait("large on edge-5", || {
        placed(&bed, "large").iter().any(|(_, node, _)| node == "edge-5").then_some(())
    });
    let (name, ..) = small.first().unwrap();
    let note = bed.events_of(name, "Moved")[0]["note"].as_str().unwrap().to_owned();
    assert!(note.ends_with(" needs its room"), "{note}");
    await_placed(&bed, "small", 1, |node| ["edge-3", "edge-4"].contains(&node));
    bed.check_permissions(&["edge-scheduler: create pods/eviction"]);
}

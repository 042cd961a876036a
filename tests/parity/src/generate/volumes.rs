//! Claims, volumes, what can be attached and how much storage there is; and pods that use them.
//!
//! No two volumes and no two claims are of one size: upstream takes the smallest, and of equal ones any.

use serde_json::json;

use super::ZONES;
use crate::storage::{attachment, capacity, claim, csi_driver, csi_node, volume, waiting_class};
use crate::{ClusterState, Pod, Rng, Storage};

const DRIVER: &str = "csi.example.com";
const ZONE: &str = "topology.kubernetes.io/zone";
const CLASSES: [&str; 4] = ["", "local", "made", "now"];
const MODES: [&str; 4] = ["ReadWriteOnce", "ReadWriteOnce", "ReadOnlyMany", "ReadWriteOncePod"];
const CLAIMS: [&str; 5] = ["c0", "c1", "c2", "c3", "c4"];
const VOLUMES: [&str; 5] = ["v0", "v1", "v2", "v3", "v4"];

/// The same state with storage, whose pods use it.
pub(super) fn with_storage(rng: &mut Rng, state: ClusterState) -> ClusterState {
    let ClusterState { nodes, placed, pod, storage: _, objects } = state;
    let in_zone = rng.percent(70);
    let nodes: Vec<_> = nodes
        .into_iter()
        .map(|node| if in_zone && rng.percent(90) { node.label(ZONE, rng.pick(&ZONES)) } else { node })
        .collect();
    let names: Vec<&str> = nodes.iter().map(crate::Node::name).collect();
    let mut storage = classes(rng);
    for name in &names {
        if rng.percent(60) {
            storage.push(csi_node(name, DRIVER, rng.pick(&[None, Some(0), Some(1), Some(2), Some(4)])));
        }
    }
    for (idx, name) in VOLUMES.iter().enumerate() {
        if rng.percent(75) {
            storage.push(one_volume(rng, name, idx));
        }
    }
    for (idx, name) in CLAIMS.iter().enumerate() {
        if rng.percent(92) {
            storage.push(one_claim(rng, name, idx, &names));
        }
    }
    for idx in 0..rng.below(3) {
        let node = if names.is_empty() { "ghost" } else { rng.pick(&names) };
        storage.push(attachment(&format!("a{idx}"), rng.pick(&VOLUMES), node));
    }
    let placed = placed.into_iter().map(|pod| if rng.percent(40) { using(rng, pod) } else { pod }).collect();
    let pod = using(rng, pod);
    ClusterState { nodes, storage, objects, placed, pod }
}

/// The classes, and what is told of the storage behind them.
fn classes(rng: &mut Rng) -> Vec<Storage> {
    let mut made = waiting_class("made", Some(DRIVER));
    if rng.percent(30) {
        let expression = json!({"key": ZONE, "values": [rng.pick(&ZONES), rng.pick(&ZONES)]});
        if expression["values"][0] != expression["values"][1] {
            made = made.with("allowedTopologies", json!([{"matchLabelExpressions": [expression]}]));
        }
    }
    let now = waiting_class("now", Some(DRIVER)).with("volumeBindingMode", "Immediate".into());
    let mut storage = vec![waiting_class("local", None), made, now];
    if rng.percent(50) {
        storage.push(csi_driver(DRIVER, rng.percent(60)));
    }
    for idx in 0..rng.below(4) {
        let amount = rng.pick(&["1Gi", "5200Mi", "20Gi"]);
        storage.push(capacity(&format!("s{idx}"), "made", (ZONE, rng.pick(&ZONES)), amount));
    }
    storage
}

fn one_volume(rng: &mut Rng, name: &str, idx: usize) -> Storage {
    let mut it = volume(name, rng.pick(&["", "local", "local", "made"]))
        .size(&format!("{}Mi", rng.pick(&[1024, 5120, 10_240]) + idx))
        .access(rng.pick(&MODES));
    match rng.below(10) {
        0..4 => it = it.reached_from(ZONE, &[rng.pick(&ZONES)]),
        4..6 => it = it.reached_from("size", &["1", "5", "9"]),
        _ => (),
    }
    if rng.percent(30) {
        it = it.label(ZONE, rng.pick(&["east", "west", "east__west", "north"]));
    }
    if rng.percent(40) {
        it = it.label("disk", "ssd");
    }
    if rng.percent(20) {
        it = it.phase("Released");
    }
    if rng.percent(5) {
        it = it.with("volumeMode", "Block".into());
    }
    if rng.percent(20) {
        it = it.with("claimRef", json!({"namespace": "default", "name": rng.pick(&CLAIMS)}));
    }
    it
}

fn one_claim(rng: &mut Rng, name: &str, idx: usize, nodes: &[&str]) -> Storage {
    let class = if rng.percent(3) { "missing" } else { rng.pick(&CLASSES) };
    let size = rng.pick(&[512, 1024, 5120]);
    let mut it = claim(name, class).size(&format!("{}Mi", size + idx)).access(rng.pick(&MODES));
    if rng.percent(12) {
        it = it.with("selector", json!({"matchLabels": {"disk": "ssd"}}));
    }
    let bound = matches!(class, "" | "now") || rng.percent(25);
    match rng.below(100) {
        0..3 => it.bound_to(rng.pick(&VOLUMES)).phase("Lost"),
        3..6 => it.with("volumeName", rng.pick(&VOLUMES).into()),
        6..90 if bound => it.bound_to(rng.pick(&VOLUMES)),
        90..100 if !nodes.is_empty() => it.annotate("volume.kubernetes.io/selected-node", rng.pick(nodes)),
        _ => it,
    }
}

/// A pod that uses one or two claims, or a disk.
fn using(rng: &mut Rng, mut pod: Pod) -> Pod {
    let first = rng.below(CLAIMS.len());
    for offset in 0..rng.pick(&[0, 1, 1, 1, 2]) {
        if let Some(name) = CLAIMS.get((first + offset) % CLAIMS.len()) {
            pod = pod.claim(name);
        }
    }
    if rng.percent(15) {
        let (iqn, read_only) =
            (rng.pick(&["iqn.2026-01.com.example:a", "iqn.2026-01.com.example:b"]), rng.percent(40));
        let portal = "10.0.0.1:3260";
        let disk = json!({"targetPortal": portal, "iqn": iqn, "lun": 0, "readOnly": read_only});
        pod = pod.volume(json!({"iscsi": disk}));
    }
    pod
}

//! Nodes.

use super::{DEVICES, EFFECTS, IMAGES, ZONES};
use crate::{Node, Rng, node};

const MIB: i64 = 1 << 20;

/// One to eight nodes, seldom none, and seldom so many that counts have two digits.
pub(super) fn nodes(rng: &mut Rng) -> Vec<Node> {
    let count = match rng.below(100) {
        0 => 0,
        1..4 => 12,
        _ => rng.range(1, 8),
    };
    // How rough the cluster is: in some all nodes are alike and score, in others most are out of the question.
    let trouble = rng.pick(&[0, 0, 5, 15, 40]);
    (0..count).map(|idx| one(rng, &format!("node-{idx}"), trouble)).collect()
}

fn one(rng: &mut Rng, name: &str, trouble: usize) -> Node {
    let mut node = labelled(rng, node(name));
    if rng.percent(trouble) {
        node = node.cordoned();
        if rng.percent(50) {
            node = node.taint("node.kubernetes.io/unschedulable", "", "NoSchedule");
        }
    }
    node = tainted(rng, node, trouble);
    node = sized(rng, node);
    for _ in 0..rng.below(4) {
        let names: Vec<&str> = (0..rng.range(1, 2)).map(|_| rng.pick(&IMAGES)).collect();
        let bytes = rng.pick(&[5, 22, 23, 60, 300, 800, 1_000, 2_500]) * MIB;
        node = node.image(&names, bytes + i64::try_from(rng.below(1_000)).unwrap_or(0));
    }
    node
}

fn labelled(rng: &mut Rng, mut node: Node) -> Node {
    if rng.percent(80) {
        node = node.label("zone", rng.pick(&ZONES));
    }
    if rng.percent(60) {
        node = node.label("size", rng.pick(&["1", "5", "9", "large"]));
    }
    if rng.percent(40) {
        node = node.label("disk", rng.pick(&["ssd", ""]));
    }
    if rng.percent(70) {
        node = node.label("kubernetes.io/runtime", "heavy");
    }
    node
}

fn tainted(rng: &mut Rng, mut node: Node, trouble: usize) -> Node {
    // The server refuses a taint that is there twice, by key and effect.
    for key in ["gpu", "dedicated"] {
        for effect in EFFECTS {
            let chance = if effect == "PreferNoSchedule" { 15 } else { trouble / 2 };
            if rng.percent(chance) {
                node = node.taint(key, rng.pick(&["", "a", "b"]), effect);
            }
        }
    }
    node
}

fn sized(rng: &mut Rng, node: Node) -> Node {
    let cpu = rng.pick(&["1", "2", "4", "4", "8", "3900m", "0"]);
    let memory = rng.pick(&["2Gi", "4Gi", "8Gi", "8Gi", "16Gi", "7919828Ki", "4e9"]);
    let mut node = node.allocatable("cpu", cpu).allocatable("memory", memory);
    node = node.allocatable("pods", rng.pick(&["110", "110", "110", "110", "2", "1", "0"]));
    if rng.percent(20) {
        node = node.without("ephemeral-storage");
    }
    for device in DEVICES {
        if rng.percent(40) {
            node = node.allocatable(device, rng.pick(&["0", "1", "2", "4"]));
        }
    }
    if rng.percent(50) {
        node = node.allocatable("hugepages-2Mi", rng.pick(&["0", "64Mi", "128Mi"]));
    }
    if rng.percent(3) {
        node = node.without(rng.pick(&["cpu", "memory", "pods"]));
    }
    node
}

//! States in which a pod fits nowhere unless others go: few nodes, nearly full, pods of all priorities, budgets.

use crate::storage::budget;
use crate::{ClusterState, Node, Pod, Rng, node, pod};

const CLASSES: [&str; 4] = ["low", "", "middle", "high"];
const APPS: [&str; 3] = ["web", "db", "job"];
const STARTS: [&str; 4] =
    ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-02T00:00:00Z", "2025-12-31T23:00:00Z"];

/// The state of this seed: the same one on every machine.
pub fn preemption(seed: u64) -> ClusterState {
    let mut rng = Rng::new(seed);
    let nodes: Vec<Node> = (0..rng.range(1, 5)).map(|idx| one_node(&mut rng, idx)).collect();
    let mut state = crate::state(nodes);
    for node in state.nodes.clone() {
        // Up to twelve pods upstream sorts so that equal ones keep their order.
        let pods = rng.range(1, 7);
        // Two pods of one node never have the same port.
        let port = if rng.percent(40) { rng.below(pods) } else { pods };
        for idx in 0..pods {
            let pod = placed(&mut rng);
            state = state.placed(node.name(), if idx == port { pod.host_port(8080, "TCP", "") } else { pod });
        }
    }
    for app in APPS {
        if rng.percent(40) {
            let allowed = u32::try_from(rng.below(3)).unwrap_or(0);
            state = state.storage([budget(app, allowed)]);
        }
    }
    let judged = judged(&mut rng);
    state.pod(judged)
}

fn one_node(rng: &mut Rng, idx: usize) -> Node {
    let node = node(&format!("node-{idx}"));
    let node = node.allocatable("cpu", rng.pick(&["1", "2", "2", "2500m"]));
    let node = node.allocatable("pods", rng.pick(&["110", "110", "110", "5", "3"]));
    match rng.below(20) {
        0 => node.cordoned(),
        1 => node.taint("gpu", "", "NoSchedule"),
        _ => node,
    }
}

fn placed(rng: &mut Rng) -> Pod {
    let mut pod = classed(rng, pod(), &CLASSES);
    pod = pod.request("cpu", rng.pick(&["100m", "250m", "400m", "500m", "500m", "1"]));
    if rng.percent(70) {
        pod.0["metadata"]["labels"]["app"] = rng.pick(&APPS).into();
    }
    if rng.percent(85) {
        pod = pod.status("phase", "Running".into()).status("startTime", rng.pick(&STARTS).into());
    }
    match rng.below(40) {
        0 => pod.0["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
        1 => pod = pod.status("phase", "Succeeded".into()),
        _ => (),
    }
    pod
}

fn judged(rng: &mut Rng) -> Pod {
    let mut pod =
        classed(rng, pod(), &["high", "high", "high", "high", "high", "middle", "middle", "", "never"]);
    pod = pod.request("cpu", rng.pick(&["1", "1", "1500m", "2", "2"]));
    if rng.percent(20) {
        pod = pod.host_port(8080, "TCP", "");
    }
    pod
}

fn classed(rng: &mut Rng, pod: Pod, classes: &[&'static str]) -> Pod {
    match rng.pick(classes) {
        "" => pod,
        class => pod.with("priorityClassName", class.into()),
    }
}

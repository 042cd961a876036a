//! SchedulingGates, NodeName, and the smallest clusters.

use parity::{node, pod, state};

use crate::support::check;

#[test]
fn scheduling_gates() {
    let gated = pod().gate("example.com/quota");
    check("a pod with a gate is not tried", state([node("a")]).pod(gated.clone()), "gated");
    let twice = gated.gate("example.com/other").request("cpu", "100");
    check("nor is one with two gates that would fit nowhere", state([node("a")]).pod(twice), "gated");
    check("nor one in a cluster without nodes", state([]).pod(pod().gate("example.com/quota")), "gated");
}

#[test]
fn node_name() {
    let named = pod().with("nodeName", "a".into()).request("cpu", "100");
    check("a pod that names its node is bound there by the server", state([node("a")]).pod(named), "a");
}

#[test]
fn small_clusters() {
    check("without nodes nothing is said but that", state([]), "no nodes available to schedule pods");
    check("a single node is taken", state([node("a")]), "a");
    check("of equal nodes one is taken by chance", state([node("a"), node("b")]), "a b");
    let ghost = state([node("a")]).placed("ghost", pod().request("cpu", "4"));
    check("a pod on a node that is not there takes no room", ghost.pod(pod().request("cpu", "4")), "a");
}

//! What is said of a pod that fits nowhere.

use parity::pod::on_label;
use parity::{Node, node, pod, state};

use crate::support::check;

#[test]
fn each_node_is_counted_by_its_own_reason() {
    let nodes = [
        node("a").cordoned(),
        node("b").taint("gpu", "", "NoSchedule"),
        node("c"),
        node("d").label("disk", "ssd"),
        node("e").label("disk", "ssd").allocatable("cpu", "1"),
        node("f").label("disk", "ssd").allocatable("cpu", "1"),
    ];
    let wants = pod().require(on_label("disk", "Exists", &[])).host_port(80, "TCP", "").request("cpu", "2");
    let state = state(nodes).placed("d", pod().host_port(80, "TCP", ""));
    check(
        "each node has its reason, and equal reasons are counted",
        state.pod(wants),
        "0/6 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, \
         1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), \
         1 node(s) were unschedulable, 2 Insufficient cpu.",
    );
}

#[test]
fn the_first_filter_that_rejects_a_node_names_the_reason() {
    let wrong = |node: Node| node.allocatable("cpu", "1");
    let wants = || pod().select("disk", "ssd").host_port(80, "TCP", "").request("cpu", "2");
    let judge = |node: Node| state([node]).placed("a", pod().host_port(80, "TCP", "")).pod(wants());
    let said = |reason: &str| format!("0/1 nodes are available: 1 {reason}.");
    let all = wrong(node("a"));
    let tainted = all.clone().taint("gpu", "", "NoExecute");
    check("cordon before taint", judge(tainted.clone().cordoned()), &said("node(s) were unschedulable"));
    check("taint before affinity", judge(tainted), &said("node(s) had untolerated taint(s)"));
    let affinity = said("node(s) didn't match Pod's node affinity/selector");
    check("affinity before ports", judge(all.clone()), &affinity);
    let ports = said("node(s) didn't have free ports for the requested pod ports");
    check("ports before resources", judge(all.label("disk", "ssd")), &ports);
}

#[test]
fn reasons_are_sorted_as_text() {
    let mut nodes: Vec<Node> =
        (0..10).map(|idx| node(&format!("full-{idx}")).allocatable("cpu", "1")).collect();
    nodes.extend([node("a").cordoned(), node("b").cordoned()]);
    check(
        "ten of one reason come before two of another",
        state(nodes).pod(pod().request("cpu", "2")),
        "0/12 nodes are available: 10 Insufficient cpu, 2 node(s) were unschedulable.",
    );
}

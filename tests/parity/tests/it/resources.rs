//! NodeResourcesFit and NodeResourcesBalancedAllocation.

use parity::{ClusterState, Container, Node, Pod, node, pod, state};
use serde_json::json;

use crate::support::check;

/// A pod on one node of 4 CPUs and 8 GiB.
#[track_caller]
fn check_one(sentence: &str, pod: Pod, expected: &str) {
    let expected = match expected {
        "a" => "a".to_owned(),
        reasons => format!("0/1 nodes are available: {reasons}."),
    };
    check(sentence, state([node("a").allocatable("example.com/gpu", "2")]).pod(pod), &expected);
}

#[test]
fn a_request() {
    check_one("is met to the last unit", pod().request("cpu", "4").request("memory", "8Gi"), "a");
    check_one("of too much CPU", pod().request("cpu", "4001m"), "1 Insufficient cpu");
    check_one("of too much memory", pod().request("memory", "8388609Ki"), "1 Insufficient memory");
    check_one(
        "of too much storage",
        pod().request("ephemeral-storage", "21Gi"),
        "1 Insufficient ephemeral-storage",
    );
    check_one("of too many devices", pod().request("example.com/gpu", "3"), "1 Insufficient example.com/gpu");
    check_one(
        "of devices the node lacks",
        pod().request("example.com/nic", "1"),
        "1 Insufficient example.com/nic",
    );
    check_one(
        "of huge pages the node lacks",
        pod().request("hugepages-2Mi", "2Mi").request("cpu", "1"),
        "1 Insufficient hugepages-2Mi",
    );
    let everything = pod().request("cpu", "5").request("memory", "9Gi").request("example.com/gpu", "3");
    check_one(
        "of too much of several resources names them all",
        everything.request("ephemeral-storage", "21Gi"),
        "1 Insufficient cpu, 1 Insufficient ephemeral-storage, 1 Insufficient example.com/gpu, 1 Insufficient memory",
    );
    check_one("is the limit where only that is given", pod().limit("cpu", "5"), "1 Insufficient cpu");
}

#[test]
fn pods_that_are_there() {
    let busy = |used: Pod| state([node("a").allocatable("pods", "2")]).placed("a", used);
    let cpu = |quantity: &str| pod().request("cpu", quantity);
    check("leave what they do not request", busy(cpu("3")).pod(cpu("1")), "a");
    check(
        "take what they request",
        busy(cpu("3")).pod(cpu("1001m")),
        "0/1 nodes are available: 1 Insufficient cpu.",
    );
    check(
        "take nothing once they have ended",
        busy(cpu("3").status("phase", "Failed".into())).pod(cpu("4")),
        "a",
    );
    let mut going = cpu("3");
    going.0["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    check(
        "take room until they are gone",
        busy(going).pod(cpu("2")),
        "0/1 nodes are available: 1 Insufficient cpu.",
    );
    let other = cpu("3").with("schedulerName", "other".into());
    check(
        "count, whoever has scheduled them",
        busy(other).pod(cpu("2")),
        "0/1 nodes are available: 1 Insufficient cpu.",
    );
    check("may take more than there is", busy(cpu("5")).pod(pod()), "a");
    check(
        "may be as many as the node allows",
        busy(pod()).placed("a", pod()),
        "0/1 nodes are available: 1 Too many pods.",
    );
    let full = busy(cpu("4")).placed("a", pod()).pod(cpu("1"));
    check(
        "may be too many and take too much",
        full,
        "0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods.",
    );
}

#[test]
fn a_node() {
    let judged = |node: Node, pod: Pod| -> ClusterState { state([node]).pod(pod) };
    let none = "0/1 nodes are available: 1 Too many pods.";
    check("without room for pods takes none", judged(node("a").allocatable("pods", "0"), pod()), none);
    check("that says nothing of pods takes none", judged(node("a").without("pods"), pod()), none);
    let lacking = judged(node("a").without("memory"), pod().request("memory", "1"));
    check("that says nothing of memory has none", lacking, "0/1 nodes are available: 1 Insufficient memory.");
    let small = judged(node("a").without("memory").without("cpu"), pod());
    check("without anything takes a pod that wants nothing", small, "a");
}

#[test]
fn a_resized_pod() {
    let resized = |granted: &str, used: &str| {
        let status = json!([{
            "name": "main", "image": "example.com/app:1", "imageID": "", "ready": true, "restartCount": 0,
            "allocatedResources": {"cpu": granted}, "resources": {"requests": {"cpu": used}},
        }]);
        pod().request("cpu", "1").status("phase", "Running".into()).status("containerStatuses", status)
    };
    let beside =
        |resized: Pod, cpu: &str| state([node("a")]).placed("a", resized).pod(pod().request("cpu", cpu));
    let short = "0/1 nodes are available: 1 Insufficient cpu.";
    check("takes what it was granted while it shrinks", beside(resized("3", "1"), "2"), short);
    check("takes what it still uses", beside(resized("1", "3"), "2"), short);
    check("takes what it wants while it grows", beside(resized("500m", "500m"), "3500m"), short);
    check("takes no more than the largest of these", beside(resized("2", "2"), "2"), "a");
    let condition = json!([{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}]);
    let refused = resized("500m", "500m").status("conditions", condition);
    check("takes what it has where it can't grow", beside(refused, "3500m"), "a");
}

#[test]
fn the_emptier_node_is_better() {
    let cpu = |quantity: &str| pod().request("cpu", quantity);
    let two = || state([node("a"), node("b")]);
    check("by what is requested", two().placed("a", cpu("1")).pod(cpu("1")), "b");
    check(
        "by the share that would be left",
        state([node("a"), node("b").allocatable("cpu", "8")]).pod(cpu("1")),
        "b",
    );
    check("also of pods that request nothing", two().placed("a", pod()), "b");
    let three = pod().container(Container::new("two")).container(Container::new("three"));
    check("by each container that requests nothing", two().placed("a", three).placed("b", cpu("200m")), "b");
    check(
        "and devices do not count",
        state([node("a").allocatable("example.com/gpu", "9"), node("b")]),
        "a b",
    );
    let nodes = [
        node("a").allocatable("memory", "16Gi"),
        node("b").allocatable("cpu", "8").allocatable("memory", "512Mi"),
    ];
    let whole = pod().pod_request("cpu", "3");
    check("and what a pod requests as a whole does not count", state(nodes).pod(whole), "a");
    let tiny = state([node("a").without("memory"), node("b").allocatable("cpu", "1")]);
    check("also where a resource is missing", tiny.pod(cpu("500m")), "a");
    let over = two().placed("a", cpu("5")).placed("b", cpu("4")).pod(pod().request("memory", "1Gi"));
    check("and a full node is as bad as an overfull one", over, "a b");
}

#[test]
fn balance() {
    let used = || {
        let cpu = pod().request("cpu", "2").request("memory", "1Gi");
        let memory = pod().request("cpu", "1").request("memory", "3Gi");
        state([node("a"), node("b")]).placed("a", cpu).placed("b", memory)
    };
    check("decides between nodes that are as empty", used().pod(pod().request("memory", "2Gi")), "a");
    let both = used().pod(pod().request("cpu", "1").request("memory", "2Gi"));
    check("does not prefer what is balanced already", both, "a b");
    check("is not asked for a pod without requests", used().pod(pod()), "a b");
    let over = used().placed("a", pod().request("cpu", "6")).pod(pod().request("memory", "1Gi"));
    check("counts an overcommitted resource as full", over, "b");
}

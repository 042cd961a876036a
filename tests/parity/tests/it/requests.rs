//! What a pod requests in all, as NodeResourcesFit sees it.

use parity::{Container, Pod, node, pod, state};

use crate::support::check;

/// The pod fits into exactly this much CPU, given in thousandths.
#[track_caller]
fn check_cpu(sentence: &str, pod: &Pod, milli: u32) {
    let on = |milli: u32| {
        let heavy = node("a").label("kubernetes.io/runtime", "heavy");
        state([heavy.allocatable("cpu", &format!("{milli}m"))]).pod(pod.clone())
    };
    check(sentence, on(milli), "a");
    check(sentence, on(milli - 1), "0/1 nodes are available: 1 Insufficient cpu.");
}

fn wants(name: &str, cpu: &str) -> Container {
    Container::new(name).request("cpu", cpu)
}

#[test]
fn containers() {
    let two = pod().request("cpu", "1").container(wants("two", "500m"));
    check_cpu("add up", &two, 1500);
    check_cpu(
        "may want fractions of a thousandth, which are rounded up",
        &pod().request("cpu", "100500u"),
        101,
    );
    check_cpu("need not be outdone by an init container", &two.clone().init(wants("first", "1")), 1500);
    let init = two.clone().init(wants("first", "1")).init(wants("second", "2"));
    check_cpu("may be outdone by the largest init container", &init, 2000);
    let sidecar = two.clone().init(wants("beside", "300m").sidecar());
    check_cpu("run beside sidecars", &sidecar, 1800);
    let before = two.clone().init(wants("first", "2")).init(wants("beside", "300m").sidecar());
    check_cpu("start after init containers that ran before a sidecar", &before, 2000);
    let after = two.init(wants("beside", "300m").sidecar()).init(wants("second", "2"));
    check_cpu("start after init containers that ran beside a sidecar", &after, 2300);
}

#[test]
fn a_pod() {
    let heavy = pod().with("runtimeClassName", "heavy".into());
    check_cpu("has the overhead of its runtime", &heavy.clone().request("cpu", "1"), 1250);
    let level = pod().request("cpu", "1").container(wants("two", "1")).pod_request("cpu", "3");
    check_cpu("may request more than its containers", &level, 3000);
    let shared = pod().container(Container::new("two")).pod_request("cpu", "700m");
    check_cpu("may request what its containers share", &shared, 700);
    check_cpu("may only limit itself", &pod().pod_limit("cpu", "600m"), 600);
    let limited = pod().request("cpu", "500m").pod_limit("cpu", "2");
    check_cpu("requests what its containers do where it is only limited", &limited, 500);
    let both = heavy.request("cpu", "1").pod_request("cpu", "2");
    check_cpu("has the overhead on top of its own request", &both, 2250);
}

//! Where the two schedulers differ on purpose: we never bind what kube-scheduler refuses.

use parity::{ClusterState, Container, node, pod, state};

use crate::support::{describe, with_bed};

/// The schedulers differ in this way: `upstream` is what kube-scheduler says, `ours` what we say.
#[track_caller]
fn check_difference(sentence: &str, state: &ClusterState, upstream: &str, ours: &str) {
    let judged = with_bed(|bed| bed.judge(state)).unwrap();
    let difference = judged.expect_err(sentence);
    assert_eq!(
        (&*describe(&difference.upstream), &*describe(&difference.ours)),
        (upstream, ours),
        "{sentence}"
    );
}

#[test]
fn amounts_beyond_64_bits() {
    let huge = |name: &str| Container::new(name).request("memory", "7Ei");
    let sum = state([node("a")]).pod(pod().container(huge("one")).container(huge("two")));
    let refused = "0/1 nodes are available: 1 Insufficient memory.";
    check_difference("kube-scheduler's sum wraps around to less than nothing", &sum, "a", refused);
}

use std::sync::Arc;

use super::VmiCapacityMode::{Limited, OnRequest, Required};
use super::*;
use crate::delay::DelayRow;
use crate::model::{Delay, Time};
use crate::placement::testing::{TestNode, TestPod, filter, node, pod, score, snapshot};
use crate::placement::{Decision, Profile, place};

/// A node with one pod of this many VMIs.
fn used(name: &str, vmis: u32) -> TestNode {
    node(name).with_pods(&[pod("other").vmis(Vmis::Known(vmis)).build()])
}

fn dpdk(name: &str, vmis: u32) -> TestNode {
    used(name, vmis).label("agent-mode", "dpdk")
}

fn asks(vmis: u32) -> TestPod {
    pod("p").vmis(Vmis::Known(vmis))
}

#[track_caller]
fn check(mode: VmiCapacityMode, pod: &TestPod, on: &TestNode, expected: &str) {
    assert_eq!(filter(&VmiCapacity::with_mode(mode), pod, on), expected);
}

const FULL: &str = "preemptible: node(s) exceed max VMI count";
const NOT_DPDK: &str = "final: node(s) didn't have the labels required by VMICapacity";

#[test]
fn a_dpdk_node_takes_pods_up_to_its_vmis() {
    check(Required, &asks(1), &dpdk("n", 31), "fits");
    check(Required, &asks(1), &dpdk("n", 32), FULL);
    check(Required, &asks(3), &dpdk("n", 29), "fits");
    check(Required, &asks(3), &dpdk("n", 30), FULL);
    check(Required, &asks(33), &dpdk("n", 0), "final: node(s) exceed max VMI count");
    check(Required, &asks(0), &dpdk("n", 40), "fits");
}

#[test]
fn nodes_without_all_the_labels_are_for_others() {
    check(Required, &asks(1), &node("n"), NOT_DPDK);
    check(Required, &asks(0), &node("n"), NOT_DPDK);
    check(Required, &asks(1), &node("n").label("agent-mode", "kernel"), NOT_DPDK);
    let two = VmiCapacity {
        node_labels: [("agent-mode", "dpdk"), ("rack", "1")].into_iter().collect(),
        ..VmiCapacity::with_mode(Required)
    };
    assert_eq!(filter(&two, &asks(1), &dpdk("n", 0)), NOT_DPDK);
    assert_eq!(filter(&two, &asks(1), &dpdk("n", 0).label("rack", "1")), "fits");
    let any = VmiCapacity { node_labels: Labels::default(), ..VmiCapacity::with_mode(Required) };
    assert_eq!(filter(&any, &asks(1), &used("n", 32)), FULL);
}

#[test]
fn where_it_is_not_required_only_dpdk_nodes_are_limited() {
    for mode in [Limited, OnRequest] {
        check(mode, &asks(3), &dpdk("n", 30), FULL);
        check(mode, &asks(3), &used("n", 30), "fits");
    }
    check(Limited, &asks(1), &dpdk("n", 32), FULL);
    check(OnRequest, &asks(1), &dpdk("n", 32), "fits");
}

#[test]
fn a_pod_whose_networks_can_not_be_read_is_not_placed_where_they_count() {
    let broken = pod("p").vmis(Vmis::Unreadable);
    for mode in [Required, Limited, OnRequest] {
        check(mode, &broken, &dpdk("n", 0), &format!("final: {}", UNREADABLE.as_str()));
    }
    check(Limited, &broken, &node("n"), "fits");
}

#[test]
fn the_node_with_the_fewest_vmis_is_preferred() {
    let nodes = [dpdk("a", 8), dpdk("b", 0), dpdk("c", 2)];
    let scores = |mode, pod: &TestPod| score(&VmiCapacity::with_mode(mode), pod, &nodes);
    assert_eq!(scores(Required, &asks(1)), Some(vec![0, 100, 75]));
    assert_eq!(scores(Limited, &asks(2)), Some(vec![0, 100, 75]));
    assert_eq!(scores(Limited, &asks(1)), None);
    assert_eq!(scores(OnRequest, &asks(1)), None);
    assert_eq!(score(&VmiCapacity::with_mode(OnRequest), &asks(2), &[node("a"), node("b")]), None);
}

#[test]
fn what_frees_vmis_or_brings_a_node_wakes_a_pod() {
    let plugin = VmiCapacity::with_mode(Required);
    let cured = |event: &ClusterEvent<'_>| plugin.cured_by(&asks(1), event);
    let (plain, labelled) = (node("n").node, dpdk("n", 0).node);
    assert!(cured(&ClusterEvent::NodeAdded(&labelled)) && !cured(&ClusterEvent::NodeAdded(&plain)));
    assert!(cured(&ClusterEvent::NodeUpdated { old: &plain, new: &labelled }));
    assert!(!cured(&ClusterEvent::NodeUpdated { old: &labelled, new: &labelled }));
    assert!(cured(&ClusterEvent::PodFreed(&asks(1))) && !cured(&ClusterEvent::PodFreed(&asks(0))));
    assert!(cured(&ClusterEvent::PodUpdated { old: &asks(2), new: &asks(1) }));
    assert!(!cured(&ClusterEvent::PodPlaced(&asks(1))));
    let limited = VmiCapacity::with_mode(Limited);
    assert!(limited.cured_by(&asks(1), &ClusterEvent::NodeAdded(&plain)));
}

/// A cluster in which pods are placed by the profile `contrail-scheduler`.
struct Cluster {
    snapshot: Snapshot,
    profile: Profile,
}

// === impl Cluster ===

impl Cluster {
    /// Three DPDK nodes and two others.
    fn new() -> Self {
        let large = |node: TestNode| node.cpu(64_000).memory(64 << 30);
        let others = ["o1", "o2"].map(|name| large(node(name)));
        let dpdk = ["d1", "d2", "d3"].map(|name| large(node(name).label("agent-mode", "dpdk")));
        let nodes = [&dpdk[..], &others[..]].concat();
        Self { snapshot: snapshot(&nodes), profile: Profile::known("contrail-scheduler").unwrap() }
    }

    /// Places a pod: where, or why nowhere, preemption aside.
    fn place(&mut self, pod: &TestPod) -> Result<String, String> {
        match place(&self.snapshot, pod, &self.profile) {
            Decision::Place(placement) => {
                let usage = self.snapshot.nodes.usage_mut(placement.slot).unwrap();
                usage.add(&Arc::new(Pod::clone(pod)));
                Ok(placement.node.to_string())
            }
            Decision::Reject(error) => {
                Err(error.to_string().split(" no new claims").next().unwrap_or_default().to_owned())
            }
            other => panic!("{other:?}"),
        }
    }

    fn vmis(&self) -> [i64; 3] {
        ["d1", "d2", "d3"].map(|name| self.snapshot.nodes.find(name).unwrap().usage.vmis)
    }
}

fn small(name: &str, vmis: u32) -> TestPod {
    pod(name).cpu(100).memory(500 << 20).vmis(Vmis::Known(vmis))
}

#[test]
fn pods_spread_evenly_over_dpdk_nodes_until_those_are_full() {
    let mut cluster = Cluster::new();
    for number in 0..96 {
        cluster.place(&small(&format!("p{number}"), 1)).unwrap();
        let vmis = cluster.vmis();
        assert!(vmis.iter().max().unwrap() - vmis.iter().min().unwrap() <= 1, "{vmis:?}");
    }
    assert_eq!(cluster.vmis(), [32; 3]);
    assert_eq!(
        cluster.place(&small("last", 1)).unwrap_err(),
        "0/5 nodes are available: 2 node(s) didn't have the labels required by VMICapacity, \
         3 node(s) exceed max VMI count."
    );
}

#[test]
fn pods_with_three_networks_count_three() {
    let mut cluster = Cluster::new();
    for number in 0..30 {
        cluster.place(&small(&format!("p{number}"), 3)).unwrap();
    }
    assert_eq!(cluster.vmis(), [30; 3]);
    assert!(cluster.place(&small("three", 3)).is_err());
    assert!(cluster.place(&small("two", 2)).is_ok());
}

#[test]
fn delays_and_vmis_are_one_decision() {
    let mut cluster = Cluster::new();
    let delays = [("d1", 1), ("d2", 2), ("d3", 30), ("o1", 1)];
    let to = delays.map(|(name, ms)| (name.into(), Delay::from_micros(ms * 1_000).unwrap())).into();
    cluster.snapshot.delays.load(
        &DelayRow { from: "o2".into(), to },
        &mut cluster.snapshot.nodes,
        Time::ZERO,
    );
    let near = |name: &str, vmis| {
        let pod = small(name, vmis).build();
        TestPod::from(Pod { labels: [("delay_o2", "5")].into_iter().collect(), ..pod })
    };
    for number in 0..64 {
        let node = cluster.place(&near(&format!("p{number}"), 1)).unwrap();
        assert!(["d1", "d2"].contains(&node.as_str()), "{node}");
    }
    assert_eq!(cluster.vmis(), [32, 32, 0]);
    assert_eq!(
        cluster.place(&near("last", 1)).unwrap_err(),
        "0/5 nodes are available: 1 node(s) exceeded the delay to o2 (5 ms), \
         2 node(s) didn't have the labels required by VMICapacity, 2 node(s) exceed max VMI count."
    );
}

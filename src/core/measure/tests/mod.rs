//! Plans.

mod large;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{Delay, NodeName, Time};

fn agent(name: &str, addresses: &[&str]) -> Agent {
    Agent { node: name.into(), addresses: addresses.iter().map(|it| (*it).into()).collect() }
}

fn agents(n: usize) -> Vec<Agent> {
    (0..n).map(|i| agent(&format!("n{i:04}"), &[&format!("10.0.{}.{}:7", i / 256, i % 256)])).collect()
}

fn millis(millis: u32) -> Delay {
    Delay::from_micros(millis * 1000).unwrap()
}

/// The whole plan: peers by node.
fn plan(planner: &Planner, agents: &[Agent]) -> BTreeMap<NodeName, Vec<Peer>> {
    agents.iter().map(|it| (it.node.clone(), planner.peers_of(&it.node).unwrap().to_vec())).collect()
}

#[test]
fn in_a_small_cluster_everybody_measures_everybody_and_the_ring_each_second() {
    for n in [1, 2, 3, 8, 9, 10, 30] {
        let agents = agents(n);
        let mut planner = Planner::new(PlanSettings::default());
        planner.set_agents(agents.clone());
        assert_eq!(planner.step(Time::ZERO).len(), n);
        let mut measured_each_second: BTreeMap<NodeName, usize> = BTreeMap::new();
        for (node, peers) in plan(&planner, &agents) {
            let names: BTreeSet<_> = peers.iter().map(|peer| peer.node.clone()).collect();
            assert_eq!((names.len(), peers.len()), (n - 1, n - 1), "{node} of {n}");
            assert!(!names.contains(&node));
            assert!(peers.is_sorted_by_key(|peer| peer.node.clone()));
            for peer in peers.iter().filter(|peer| peer.interval == Interval::Ring) {
                *measured_each_second.entry(peer.node.clone()).or_default() += 1;
            }
        }
        for (node, by) in measured_each_second {
            assert_eq!(by, 8.min(n - 1), "{node} of {n}");
        }
    }
}

#[test]
fn only_lists_that_change_are_given_out() {
    let mut planner = Planner::new(PlanSettings::default());
    let mut list = agents(20);
    planner.set_agents(list.clone());
    assert_eq!(planner.step(Time::ZERO).len(), 20);
    list.reverse();
    planner.set_agents(list.clone());
    assert_eq!(planner.step(Time::ZERO), []);
    list[0].addresses = vec!["10.9.9.9:7".into()];
    planner.set_agents(list.clone());
    assert_eq!(planner.step(Time::ZERO).len(), 19, "its own list has no address of its own");
    let anchor = AnchorInUse {
        node: "n0003".into(),
        bound: millis(25),
        broken_over: millis(27),
        waiting: true,
        users: Vec::new(),
    };
    let nearer = AnchorInUse { bound: millis(10), broken_over: millis(11), ..anchor.clone() };
    planner.set_anchors(vec![anchor.clone(), nearer]);
    let changed = planner.step(Time::ZERO);
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].node, "n0003".into());
    let told = [10, 11, 25, 27].map(millis);
    assert!(changed[0].peers.iter().all(|peer| peer.bounds == told));
    the_node_that_a_pod_is_on_is_told_the_bounds_of_its_anchor(&mut planner, &anchor);
    list.retain(|agent| agent.node != "n0003".into());
    planner.set_agents(list);
    assert_eq!(planner.step(Time::ZERO).len(), 19);
    assert_eq!(planner.peers_of(&"n0003".into()), None);
}

/// Of the delay to the anchor, and of no other.
fn the_node_that_a_pod_is_on_is_told_the_bounds_of_its_anchor(planner: &mut Planner, anchor: &AnchorInUse) {
    let users = vec!["n0007".into()];
    planner.set_anchors(vec![AnchorInUse { users, ..anchor.clone() }]);
    let changed = planner.step(Time::ZERO);
    let nodes: Vec<&str> = changed.iter().map(|it| it.node.as_str()).collect();
    assert_eq!(nodes, ["n0003", "n0007"]);
    for peer in &changed[1].peers {
        let expected = if peer.node == "n0003".into() { vec![millis(25), millis(27)] } else { Vec::new() };
        assert_eq!(peer.bounds, expected, "{}", peer.node);
    }
    planner.set_anchors(vec![anchor.clone()]);
    let changed = planner.step(Time::ZERO);
    let nodes: Vec<&str> = changed.iter().map(|it| it.node.as_str()).collect();
    assert_eq!(nodes, ["n0007"], "the pod has gone");
    assert!(changed[0].peers.iter().all(|peer| peer.bounds.is_empty()));
}

#[test]
fn a_peer_is_measured_at_an_address_of_a_family_that_both_have() {
    let mut planner = Planner::new(PlanSettings::default());
    planner.set_agents(vec![
        agent("both", &["[fd00::1]:7", "10.0.0.1:7"]),
        agent("four", &["10.0.0.2:7"]),
        agent("none", &[]),
        agent("six", &["[fd00::3]:7"]),
    ]);
    planner.step(Time::ZERO);
    let seen = |node: &str| -> Vec<String> {
        let peers = planner.peers_of(&node.into()).unwrap_or_default();
        peers.iter().map(|peer| format!("{} {}", peer.node, peer.address)).collect()
    };
    assert_eq!(seen("both"), ["four 10.0.0.2:7", "six [fd00::3]:7"]);
    assert_eq!(seen("four"), ["both 10.0.0.1:7"]);
    assert_eq!(seen("six"), ["both [fd00::1]:7"]);
    assert!(planner.peers_of(&"none".into()).is_none());
}

//! Plans of clusters in which not everybody measures everybody.

use std::collections::VecDeque;

use super::world::{World, seconds, settled};
use super::*;

const NODES: usize = 250;

fn small_lists() -> PlanSettings {
    PlanSettings { mesh_up_to: 20, ring: 6, near: 8, shortlist: 40 }
}

fn anchor(node: &str, bound: u32, waiting: bool, users: &[&str]) -> AnchorInUse {
    let users = users.iter().map(|it| (*it).into()).collect();
    AnchorInUse { node: node.into(), bound: millis(bound), broken_over: millis(bound), waiting, users }
}

fn of_interval(peers: &[Peer], interval: Interval) -> BTreeSet<NodeName> {
    peers.iter().filter(|peer| peer.interval == interval).map(|peer| peer.node.clone()).collect()
}

#[test]
fn ring_neighbours_connect_all_and_everybody_measures_as_many_as_measure_it() {
    let list = agents(NODES);
    let mut planner = Planner::new(small_lists());
    planner.set_agents(list.clone());
    assert_eq!(planner.step(Time::ZERO).len(), NODES);
    let plan = plan(&planner, &list);
    let mut measured_by: BTreeMap<NodeName, usize> = BTreeMap::new();
    for peers in plan.values() {
        assert_eq!(of_interval(peers, Interval::Ring).len(), 6);
        for peer in peers {
            *measured_by.entry(peer.node.clone()).or_default() += 1;
        }
    }
    assert_eq!(measured_by.len(), NODES);
    assert!(measured_by.values().all(|n| *n == 6), "{measured_by:?}");
    let mut seen = BTreeSet::from([list[0].node.clone()]);
    let mut to_go: VecDeque<NodeName> = seen.iter().cloned().collect();
    while let Some(node) = to_go.pop_front() {
        for peer in &plan[&node] {
            if seen.insert(peer.node.clone()) {
                to_go.push_back(peer.node.clone());
            }
        }
    }
    assert_eq!(seen.len(), NODES);
}

#[test]
fn a_cluster_that_shrinks_comes_back_to_everybody_only_well_below_the_limit() {
    let mut planner = Planner::new(small_lists());
    let mut size = |n: usize| {
        planner.set_agents(agents(n));
        planner.step(Time::ZERO);
        planner.peers_of(&"n0000".into()).unwrap().len()
    };
    assert_eq!((size(20), size(21), size(19), size(18)), (19, 6, 6, 17));
}

#[test]
fn coordinates_predict_delays_that_nobody_measured() {
    let mut world = World::new(NODES, 7);
    let planner = settled(&mut world, small_lists());
    let names: Vec<NodeName> = world.places.keys().cloned().collect();
    let mut errors: Vec<f64> = Vec::new();
    for (i, a) in names.iter().enumerate().step_by(7) {
        for b in names.iter().skip(i + 1).step_by(5) {
            let predicted = planner.predicted(a, b).unwrap().as_millis_f64();
            let ms = world.ms(a, b);
            errors.push((predicted - ms).abs() / ms);
        }
    }
    errors.sort_by(f64::total_cmp);
    let median = errors[errors.len() / 2];
    assert!(median < 0.15, "the median error is {:.1} %", median * 100.0);
}

#[test]
fn near_ones_are_among_the_nearest() {
    let mut world = World::new(NODES, 8);
    let planner = settled(&mut world, small_lists());
    let mut ranks: Vec<usize> = Vec::new();
    for node in world.places.keys().step_by(11) {
        let mut others: Vec<&NodeName> = world.places.keys().filter(|it| *it != node).collect();
        others.sort_by(|a, b| world.ms(node, a).total_cmp(&world.ms(node, b)));
        let peers = planner.peers_of(node).unwrap();
        let near = of_interval(peers, Interval::Near);
        assert!(near.len() <= 8 && peers.len() <= 14 && peers.len() >= 8, "{near:?}");
        ranks.extend(near.iter().map(|near| others.iter().position(|it| *it == near).unwrap()));
    }
    ranks.sort_unstable();
    let median = ranks[ranks.len() / 2];
    assert!(median < 24, "the median near one is number {median} of {NODES}");
}

#[test]
fn small_changes_of_the_world_make_small_changes_of_the_plan() {
    let mut world = World::new(NODES, 9);
    let mut planner = settled(&mut world, small_lists());
    // Delays wobble for 10 minutes, of which the first three don't count.
    world.noise = 0.15;
    let mut changed = 0;
    for round in 20..80 {
        let lists = planner.step(seconds(round * 10)).len();
        changed += if round < 40 { 0 } else { lists };
        world.measure(&mut planner);
    }
    assert!(changed < NODES, "{changed} lists changed in 40 steps because delays wobble");
    // A node goes, and comes back.
    let all = agents(NODES);
    let without: Vec<Agent> = all.iter().filter(|it| it.node != "n0123".into()).cloned().collect();
    let named = all
        .iter()
        .filter(|it| planner.peers_of(&it.node).unwrap().iter().any(|peer| peer.node == "n0123".into()));
    let named = named.count();
    planner.set_agents(without);
    let gone = planner.step(seconds(2000)).len();
    assert!(gone >= named && gone <= named + 20, "{gone} lists changed for one node of which {named} had it");
    planner.set_agents(all);
    let back = planner.step(seconds(2010)).len();
    assert!((7..=20).contains(&back), "{back} lists changed for one new node");
}

#[test]
fn an_anchor_measures_those_that_may_be_within_its_bound_and_few_others() {
    let mut world = World::new(NODES, 10);
    let mut planner = settled(&mut world, small_lists());
    let node: NodeName = "n0042".into();
    let mut others: Vec<NodeName> = world.places.keys().filter(|it| **it != node).cloned().collect();
    others.sort_by(|a, b| world.ms(&node, a).total_cmp(&world.ms(&node, b)));
    let bound = world.ms(&node, &others[11]).ceil();
    let bound = u32::try_from(format!("{bound}").parse::<u64>().unwrap()).unwrap();
    let user = others.last().unwrap().clone();
    planner
        .set_anchors(vec![anchor("n0042", bound, false, &[user.as_str()]), anchor("n0042", 1, false, &[])]);
    let changed = planner.step(seconds(500));
    let with_bounds = |it: &&Assignment| it.peers.iter().any(|peer| !peer.bounds.is_empty());
    let told: Vec<&Assignment> = changed.iter().filter(with_bounds).collect();
    assert_eq!(told.iter().map(|it| &it.node).collect::<Vec<_>>(), [&node], "the one that measures");
    let peers = &told[0].peers;
    assert!(peers.iter().all(|peer| peer.bounds == [millis(1), millis(bound)]));
    let measured: BTreeSet<&NodeName> = peers.iter().map(|peer| &peer.node).collect();
    let within = others.iter().filter(|it| world.ms(&node, it) <= f64::from(bound));
    let (n_within, n_found) =
        within.fold((0, 0), |(n, found), it| (n + 1, found + usize::from(measured.contains(it))));
    assert!(n_found * 10 >= n_within * 7, "{n_found} of {n_within} nodes within the bound are measured");
    assert!(measured.contains(&user), "a pod's own node is measured however far it is");
    assert!(of_interval(peers, Interval::Anchor).len() <= 40);
    planner.set_anchors(Vec::new());
    let changed = planner.step(seconds(510));
    let own = changed.iter().find(|it| it.node == node).unwrap();
    assert!(own.peers.iter().all(|peer| peer.interval != Interval::Anchor && peer.bounds.is_empty()));
}

#[test]
fn while_pods_wait_a_shortlist_grows_and_moves_on_until_all_within_the_bound_were_measured() {
    let mut world = World::new(NODES, 11);
    let mut planner = settled(&mut world, small_lists());
    let node: NodeName = "n0007".into();
    let bound = 25;
    let radius: BTreeSet<NodeName> = world
        .places
        .keys()
        .filter(|it| **it != node && world.ms(&node, it) * 1.05 <= f64::from(bound))
        .cloned()
        .collect();
    planner.set_anchors(vec![anchor("n0007", bound, true, &[])]);
    let mut measured: BTreeSet<NodeName> = BTreeSet::new();
    for round in 50..120 {
        planner.step(seconds(round * 10));
        world.measure(&mut planner);
        let peers = planner.peers_of(&node).unwrap();
        assert!(peers.len() <= 6 + 8 + 40, "{}", peers.len());
        measured.extend(peers.iter().map(|peer| peer.node.clone()));
    }
    assert!(radius.len() > 5, "the world has something to find");
    let missed: Vec<_> = radius.difference(&measured).collect();
    assert_eq!(missed, Vec::<&NodeName>::new(), "of {}", radius.len());
    assert!(measured.len() > 60, "it moves on: {}", measured.len());
}

#[test]
fn a_plan_that_begins_anew_keeps_the_near_ones_it_had() {
    let mut world = World::new(NODES, 12);
    let before = settled(&mut world, small_lists());
    let mut planner = Planner::new(small_lists());
    let list = agents(NODES);
    planner.set_agents(list.clone());
    for agent in &list {
        let peers = before.peers_of(&agent.node).unwrap();
        planner.adopt_near(&agent.node, &of_interval(peers, Interval::Near));
    }
    planner.step(seconds(0));
    let same = list.iter().filter(|it| {
        let near = |planner: &Planner| of_interval(planner.peers_of(&it.node).unwrap(), Interval::Near);
        near(&before) == near(&planner)
    });
    assert_eq!(same.count(), NODES);
}

#[test]
fn what_a_starved_agent_or_a_stranger_says_moves_nothing() {
    use crate::delay::{DelaySource, Measurement, Report, Statistics};
    let mut planner = Planner::new(small_lists());
    planner.set_agents(agents(30));
    let statistics = Statistics { p50: Some(millis(10)), ..Statistics::default() };
    let rows = vec![
        Measurement { peer: "n0001".into(), statistics: statistics.clone() },
        Measurement { peer: "unheard-of".into(), statistics },
    ];
    let report =
        Report { from: "n0000".into(), source: DelaySource::Probe, every: None, starved: true, rows };
    for from in ["n0000", "unheard-of"] {
        for _ in 0..50 {
            planner.learn(&Report { from: from.into(), starved: from == "n0000", ..report.clone() });
            planner.step(Time::ZERO);
        }
    }
    assert_eq!(planner.predicted(&"n0000".into(), &"n0001".into()), None);
    for _ in 0..50 {
        planner.learn(&Report { starved: false, ..report.clone() });
        planner.step(Time::ZERO);
    }
    let predicted = planner.predicted(&"n0000".into(), &"n0001".into()).unwrap().as_millis_f64();
    assert!((9.0..11.0).contains(&predicted), "{predicted}");
}

//! Cover under random events, judged by a checker that shares nothing with it.

use std::collections::{BTreeMap, BTreeSet};

use super::cover_bench::{Bench, node, on, pod};
use crate::cover::{CheckedNode, CheckedPod, Violation, check};
use crate::model::{Bytes, Node, Pod, Resources};
use crate::placement::{BACKUP_NAMESPACE, BACKUP_NODE_ANNOTATION, BackupPolicy, NodeSlot};
use crate::random::Random;
use crate::state::Defect;

const NODES: [&str; 4] = ["a", "b", "c", "d"];
const GIB: i64 = 8;
/// What cover takes at most to come to rest: the last quiet while, and a request that failed.
const SETTLING: u64 = 100;

/// The cluster as the test knows it.
struct World {
    bench: Bench,
    nodes: BTreeMap<&'static str, Node>,
    numbers: Random,
    made: usize,
}

// === impl World ===

impl World {
    fn new(seed: u64, defect: Option<Defect>) -> Self {
        let nodes = NODES.map(|name| node(name, GIB));
        let bench = Bench::with(BackupPolicy::BestEffort, &nodes, &[]).with_defect(defect);
        Self {
            bench,
            nodes: NODES.into_iter().zip(nodes).collect(),
            numbers: Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            made: 0,
        }
    }

    fn pick(&mut self) -> &'static str {
        NODES[self.numbers.below(NODES.len())]
    }

    /// What of a node's memory is taken, in GiB, by pods that `counts`.
    fn taken(&self, name: &str, counts: impl Fn(&Pod) -> bool) -> i64 {
        let here =
            self.bench.pods.iter().filter(|pod| pod.node.as_ref().is_some_and(|node| node.as_str() == name));
        here.filter(|pod| counts(pod)).map(|pod| pod.requests.memory.0 >> 30).sum()
    }

    fn happen(&mut self) {
        let name = self.pick();
        match self.numbers.below(10) {
            // A pod comes, is placed by another scheduler, or goes.
            0..4 => self.come(),
            4 => {
                self.made += 1;
                let free = GIB - self.taken(name, |_| true);
                // One in a while is forced on a node that is full.
                let gib = if self.numbers.below(3) == 0 { 2 } else { free.min(2) };
                let foreign = Pod {
                    scheduler_name: "default-scheduler".into(),
                    ..pod(&format!("x{}", self.made), gib, "0")
                };
                if gib > 0 && self.taken(name, is_pod) + gib <= GIB && self.nodes.contains_key(name) {
                    self.bench.put(on(foreign, name, None));
                }
            }
            5 => {
                let pods: Vec<String> = self.bench.pods.iter().map(|pod| pod.key.name.to_string()).collect();
                // Of pods and backups alike: somebody deletes it.
                if !pods.is_empty() {
                    self.bench.gone(&pods[self.numbers.below(pods.len())]);
                }
            }
            6 => {
                let is_cordoned = self.numbers.below(2) == 0;
                if let Some(node) = self.nodes.get_mut(name) {
                    node.unschedulable = is_cordoned;
                    self.bench.put_node(node.clone());
                }
            }
            7 => self.come_or_go(name),
            8 => self.bench.restart(),
            _ => {
                let seconds = u64::try_from(self.numbers.below(20)).unwrap();
                self.bench.pass(seconds);
            }
        }
        self.bench.run();
    }

    fn come(&mut self) {
        self.made += 1;
        let ms = ["0", "10", "20", "30"][self.numbers.below(4)];
        let gib = 1 + i64::from(self.numbers.below(3));
        self.bench.put(pod(&format!("p{}", self.made), gib, ms));
    }

    /// A node goes for a while, and its pods with it. The anchor of all of them stays.
    fn come_or_go(&mut self, name: &'static str) {
        match self.nodes.remove(name) {
            Some(node) if name != "a" => {
                self.bench.node_gone(node);
                let here = |pod: &&Pod| pod.node.as_ref().is_some_and(|node| node.as_str() == name);
                let names: Vec<String> =
                    self.bench.pods.iter().filter(here).map(|it| it.key.name.to_string()).collect();
                for name in names {
                    self.bench.gone(&name);
                }
            }
            Some(node) => _ = self.nodes.insert(name, node),
            None => {
                self.nodes.insert(name, node(name, GIB));
                self.bench.put_node(node(name, GIB));
            }
        }
    }

    /// What is wrong, when everything has come to rest.
    fn violations(&self) -> Vec<Violation> {
        let slot = |name: &str| NodeSlot(u32::from(name.as_bytes()[0]));
        let resources = |gib: i64| Resources { memory: Bytes(gib << 30), ..Resources::default() };
        let nodes: Vec<CheckedNode> = self
            .nodes
            .values()
            .map(|node| CheckedNode {
                node: slot(node.name.as_str()),
                alive: !node.unschedulable,
                allocatable: resources(GIB),
                requested: resources(self.taken(node.name.as_str(), is_pod)),
                reserve: resources(self.taken(node.name.as_str(), |pod| !is_pod(pod))),
            })
            .collect();
        let covered =
            self.bench.pods.iter().filter(|pod| is_pod(pod) && &*pod.scheduler_name == "edge-scheduler");
        let covered = covered.filter_map(|pod| Some((pod, pod.node.as_ref()?)));
        let pods: Vec<CheckedPod> = covered
            .map(|(pod, node)| CheckedPod {
                pod: pod.uid.clone(),
                primary: slot(node.as_str()),
                backup: pod.annotations.get(BACKUP_NODE_ANNOTATION).map(slot),
                allowed: self.allowed(pod).map(slot).collect(),
                demand: pod.requests.clone(),
            })
            .collect();
        let found = check(&pods, &nodes).into_iter();
        found
            .filter(|violation| match violation {
                // Where there is no room nothing can be done.
                Violation::Uncovered(uid) => {
                    has_room(pods.iter().find(|it| it.pod == *uid).unwrap(), &pods, &nodes)
                }
                _ => true,
            })
            .collect()
    }

    fn allowed(&self, pod: &Pod) -> impl Iterator<Item = &'static str> {
        let ms: i64 = pod.labels.get("delay_a").unwrap().parse().unwrap();
        let up: BTreeSet<&str> =
            self.nodes.values().filter(|it| !it.unschedulable).map(|it| it.name.as_str()).collect();
        let up: BTreeSet<String> = up.into_iter().map(ToOwned::to_owned).collect();
        NODES
            .into_iter()
            .filter(move |name| i64::from(name.as_bytes()[0] - b'a') * 10 <= ms && up.contains(*name))
    }
}

/// Whether a pod without a backup could have one: by the definition, tried out on each node.
fn has_room(pod: &CheckedPod, pods: &[CheckedPod], nodes: &[CheckedNode]) -> bool {
    let others = pod.allowed.iter().filter(|backup| **backup != pod.primary);
    others.into_iter().any(|backup| {
        let node = nodes.iter().find(|node| node.node == *backup).unwrap();
        let mut by_primary: BTreeMap<NodeSlot, i64> = BTreeMap::new();
        let there = pods.iter().filter(|it| it.backup == Some(*backup)).chain([pod]);
        there.for_each(|it| *by_primary.entry(it.primary).or_default() += it.demand.memory.0);
        let reserve = by_primary.values().max().copied().unwrap_or(0);
        node.requested.memory.0 + reserve <= node.allocatable.memory.0
    })
}

fn is_pod(pod: &Pod) -> bool {
    &*pod.key.namespace != BACKUP_NAMESPACE
}

/// What is wrong after so many events of this seed, and the lines of what was done last.
fn wrong_after(seed: u64, events: usize, defect: Option<Defect>) -> Option<String> {
    let mut world = World::new(seed, defect);
    for _ in 0..events {
        world.happen();
    }
    world.bench.pass(SETTLING);
    let found = world.violations();
    let done = &world.bench.done;
    let last = done[done.len().saturating_sub(20)..].join("\n");
    let held = world.bench.held();
    (!found.is_empty()).then(|| format!("seed {seed}: {}\nheld: {held}\n{last}", found[0]))
}

#[test]
fn cover_holds_after_whatever_happened() {
    for seed in 0..300 {
        let events = 5 + usize::try_from(seed).unwrap() % 40;
        if let Some(wrong) = wrong_after(seed, events, None) {
            panic!("{wrong}");
        }
    }
}

#[test]
fn what_is_put_in_by_hand_is_found() {
    for defect in [Defect::ReserveNeverGrows, Defect::BackupOnOwnNode] {
        let found = (0..300).find_map(|seed| wrong_after(seed, 30, Some(defect)));
        assert!(found.is_some(), "{defect:?} is not found");
    }
}

#[test]
fn no_more_is_reserved_than_has_to_be() {
    let over = |seed: u64, defect: Option<Defect>| {
        let mut world = World::new(seed, defect);
        for _ in 0..6 {
            world.come();
            world.bench.run();
        }
        world.bench.pass(SETTLING);
        let book = &world.bench.state.snapshot().backups;
        let nodes = &world.bench.state.snapshot().nodes;
        NODES.into_iter().any(|name| {
            let slot = nodes.find(name).unwrap().slot;
            let reserve = book.book.reserve(slot);
            let fits_beside = book.room(nodes.get(slot).unwrap()).memory.0 >= 2 * reserve.memory.0;
            fits_beside && !book.held(slot).exceeding(&reserve).is_nothing()
        })
    };
    assert!((0..100).all(|seed| !over(seed, None)));
    assert!((0..100).any(|seed| over(seed, Some(Defect::GrowsThoughThereIsSlack))));
}

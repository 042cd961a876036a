//! Moves under links that change at random, judged by rules that are written down anew here.

use std::collections::BTreeMap;
use std::time::Duration;

use super::MoveReason;
use super::RelocateOutcome;
use super::cover_bench::{node, on};
use super::moves_bench::{Field, RULE, near};
use crate::model::{Node, NodeName, Pod, Time};
use crate::moves::Rhythm;
use crate::placement::{BACKUP_NAMESPACE, BACKUP_NODE_ANNOTATION, MoveRule};
use crate::random::Random;
use crate::state::Defect;

const NODES: [&str; 4] = ["a", "b", "c", "d"];
const FAST: MoveRule = MoveRule { rhythm: Rhythm { per_minute: 2, dwell: Duration::from_secs(5) }, ..RULE };

/// The cluster as the test knows it.
struct World {
    field: Field,
    numbers: Random,
    made: usize,
}

// === impl World ===

impl World {
    fn new(seed: u64, defect: Option<Defect>) -> Self {
        let mut field = Field::with(FAST, &NODES.map(|name| node(name, 64)), &[]);
        field.set_defect(defect);
        Self { field, numbers: Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)), made: 0 }
    }

    fn pick(&mut self) -> &'static str {
        NODES[self.numbers.below(NODES.len())]
    }

    fn happen(&mut self) {
        let (one, other) = (self.pick(), self.pick());
        match self.numbers.below(10) {
            0..2 => self.deploy(),
            2..6 if one != other => {
                let ms = [5, 10, 20, 40][self.numbers.below(4)];
                self.field.set_delay(one, other, ms);
            }
            6 => {
                let refuse = self.numbers.below(2) == 0;
                self.field.refuses = refuse.then(|| RelocateOutcome::Budget("no".to_owned()));
            }
            7 => self.field.grace = self.numbers.below(20),
            8 => {
                let unschedulable = self.numbers.below(3) == 0;
                self.field.bench.put_node(Node { unschedulable, ..node(one, 64) });
            }
            _ => (),
        }
        let seconds = self.numbers.below(40);
        self.field.pass(seconds);
    }

    fn deploy(&mut self) {
        if self.made >= 6 {
            return;
        }
        self.made += 1;
        let name = format!("d{}", self.made);
        let anchor = self.pick();
        let ms = ["10", "20"][self.numbers.below(2)];
        for replica in 0..=self.numbers.below(2) {
            let pod = near(&name, &[(anchor, ms)]);
            let fresh = Pod::pending("default", &format!("{name}-{replica}"));
            self.field.bench.put(Pod { key: fresh.key, uid: fresh.uid, ..pod });
        }
    }

    /// What is wrong with how pods were moved.
    fn wrong_moves(&self) -> Option<String> {
        let mut times: Vec<Time> = Vec::new();
        for (at, relocation, pods) in &self.field.seen {
            let say = |what: &str| Some(format!("{what} at {at:?}: {relocation:?}"));
            let pod = pods.iter().find(|pod| pod.uid == relocation.pod.uid)?;
            let owner = pod.owner.clone()?;
            let others = pods.iter().filter(|other| other.owner.as_ref() == Some(&owner));
            if others
                .into_iter()
                .any(|other| other.uid != pod.uid && (other.terminating || other.node.is_none()))
            {
                return say("another replica is missing");
            }
            if self.field.is_asked_for_first_time(*at, relocation) {
                times.push(*at);
            }
            let minute = times.iter().filter(|it| **it + Duration::from_mins(1) > *at).count();
            // What is held takes a second or more, so an hour's worth is counted with some slack at the edges.
            if minute > 3 {
                return say("too many in a minute");
            }
            if held(pods, &relocation.to) < needed(pods, &relocation.to) + gib(pod) {
                return say("nothing is held");
            }
            if relocation.reason == MoveReason::Delay && pod.node.as_ref() != Some(&relocation.from) {
                return say("it is not there");
            }
        }
        None
    }

    /// Pods that are too far from their anchors though some node is near enough and open.
    fn broken(&self) -> Option<String> {
        let pods = self.field.bench.pods.iter().filter(|pod| &*pod.key.namespace == "default");
        pods.filter_map(|pod| Some((pod, pod.node.as_ref()?))).find_map(|(pod, node)| {
            let (anchor, bound) = pod
                .labels
                .iter()
                .find_map(|(key, value)| Some((key.strip_prefix("delay_")?, value.parse::<u32>().ok()?)))?;
            let is_over = |name: &str| name != anchor && self.field.delay(anchor, name) > bound;
            let mut others = self.field.bench.nodes.iter().filter(|it| !it.unschedulable);
            let better = others.find(|it| !is_over(it.name.as_str()))?;
            // Counted by more than the hysteresis.
            let is_broken =
                node.as_str() != anchor && self.field.delay(anchor, node.as_str()) * 10 > bound * 11;
            is_broken.then(|| format!("{} is on {node}, and {} would be better", pod.key.name, better.name))
        })
    }
}

fn gib(pod: &Pod) -> i64 {
    pod.requests.memory.0 >> 30
}

/// What backups hold on a node.
fn held(pods: &[Pod], node: &NodeName) -> i64 {
    let backups = pods.iter().filter(|pod| &*pod.key.namespace == BACKUP_NAMESPACE);
    backups.filter(|pod| pod.node.as_ref() == Some(node)).map(gib).sum()
}

/// What the pods that say that their backup is there need: the most of any node.
fn needed(pods: &[Pod], node: &NodeName) -> i64 {
    let mut by_primary: BTreeMap<&NodeName, i64> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| !pod.terminating) {
        if let (Some(backup), Some(primary)) = (pod.annotations.get(BACKUP_NODE_ANNOTATION), &pod.node)
            && backup == node.as_str()
        {
            *by_primary.entry(primary).or_default() += gib(pod);
        }
    }
    by_primary.values().max().copied().unwrap_or(0)
}

/// What is wrong after so many events of this seed.
fn wrong_after(seed: u64, events: usize, defect: Option<Defect>) -> Option<String> {
    let mut world = World::new(seed, defect);
    for _ in 0..events {
        world.happen();
        if let Some(wrong) = world.wrong_moves() {
            return Some(format!("seed {seed}: {wrong}"));
        }
    }
    world.field.refuses = None;
    for name in NODES {
        world.field.bench.put_node(node(name, 64));
    }
    // As long as a workload may have to stay that was moved again and again, and all others after it.
    world.field.pass(1_000);
    let wrong = world.wrong_moves().or_else(|| world.broken());
    let done = &world.field.bench.done;
    wrong.map(|wrong| format!("seed {seed}: {wrong}\n{}", done[done.len().saturating_sub(30)..].join("\n")))
}

#[test]
fn pods_are_moved_by_the_rules_and_in_the_end_all_are_where_they_should_be() {
    for seed in 0..20 {
        if let Some(wrong) = wrong_after(seed, 30, None) {
            panic!("{wrong}");
        }
    }
}

#[test]
fn what_is_put_in_by_hand_is_found() {
    for defect in [Defect::EvictsBeforeHeld, Defect::MovesAllAtOnce, Defect::MovesWithoutMeasure] {
        let found = (0..40).find_map(|seed| wrong_after(seed, 30, Some(defect)));
        assert!(found.is_some(), "{defect:?} is not found");
    }
}

#[test]
fn a_scheduler_that_dies_in_the_middle_leaves_all_where_it_should_be() {
    // The scheduler ends before each of the first requests of a move, and starts again.
    for dies_at in 0..12 {
        let web = near("web", &[("a", "10")]);
        let mut field = Field::with(FAST, &NODES.map(|name| node(name, 8)), &[on(web, "b", Some("a"))]);
        field.set_delay("a", "c", 5);
        field.dies_at = Some(dies_at);
        field.set_delay("a", "b", 30);
        field.pass(200);
        let web = field.bench.pods.iter().find(|pod| &*pod.key.namespace == "default").unwrap();
        let node = web.node.as_ref().unwrap().as_str();
        assert!(node == "c" || node == "a", "{dies_at}: {node} {:#?}", field.bench.done);
        let backup = web.annotations.get(BACKUP_NODE_ANNOTATION).unwrap();
        assert!(backup != node && ["a", "c"].contains(&backup), "{dies_at}: {backup}");
        assert_eq!(field.bench.held(), format!("{backup}:1"), "{dies_at}");
    }
}

//! The scheduler dies before and after each write of a failover, in turn, and it ends as if it had not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::failures::OUT_OF_SERVICE;
use super::faults::{Faults, Shape};
use super::rng::Rng;
use super::run::{Run, Step};
use crate::model::{NodeName, Phase, Time};
use crate::placement::is_backup;

/// How long the cluster is left alone at first.
const AT_FIRST: Duration = Duration::from_mins(2);
/// Pods are given up by others after this, so it ends before.
const AFTER: Duration = Duration::from_mins(4);
/// How many clusters.
const CLUSTERS: usize = 2;
/// How many such moments a failover has at least that is looked at.
const LEAST: u64 = 10;

/// How a failover ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    /// How many pods of each workload are placed, and how many wait.
    pods: BTreeMap<String, (usize, usize)>,
    /// Whether any are left on the node that failed, which may go.
    left: usize,
}

/// A cluster in which nothing goes wrong but what is said.
fn calm(seed: u64) -> Run {
    let mut rng = Rng::new(seed);
    let shape = Shape {
        nodes: 5,
        workloads: 6,
        covered: false,
        measured: None,
        max_in_flight: 100,
        ..Shape::of_failing(&mut rng)
    };
    let mut faults = Faults::of_shape(shape, &mut rng);
    faults.stop();
    let mut run = Run::new(faults, rng, None, true);
    // With room for everybody, so that it doesn't matter who comes first.
    for name in run.world.server.nodes.keys().cloned().collect::<Vec<_>>() {
        run.world.server.update_node(&name, |node| {
            for _ in 0..3 {
                let has = node.allocatable.clone();
                node.allocatable.add(&has);
            }
            node.allowed_pods = 100;
        });
    }
    run
}

impl Run {
    /// Goes on until then.
    fn until(&mut self, end: Time) {
        self.end = Some(end);
        loop {
            match self.step() {
                Ok(true) => (),
                Ok(false) => return,
                Err(violation) => panic!("{violation:?}\n{}", self.last_lines()),
            }
        }
    }

    fn last_lines(&self) -> String {
        let lines = self.trace.lines.as_deref().unwrap_or_default();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// The node with most pods that may go.
    fn busiest(&self) -> NodeName {
        let count = |name: &NodeName| {
            let here = self.world.server.pods.values().filter(|pod| pod.node.as_ref() == Some(name));
            here.filter(|pod| super::verdicts::may_go(pod)).count()
        };
        self.world.server.nodes.keys().max_by_key(|name| count(name)).unwrap().clone()
    }

    fn ended(&self, lost: &NodeName) -> Ended {
        let mut pods: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        let alive =
            self.world.server.pods.values().filter(|pod| !pod.terminating && !pod.phase.is_terminal());
        for pod in alive.filter(|pod| !is_backup(pod)) {
            let owner = pod.owner.as_ref().map_or(&pod.key.name, |owner| &owner.name);
            let (placed, waiting) = pods.entry(owner.to_string()).or_default();
            *(if pod.node.is_some() { placed } else { waiting }) += 1;
        }
        let left = self.world.server.pods.values().filter(|pod| {
            pod.node.as_ref() == Some(lost) && pod.phase == Phase::Running && super::verdicts::may_go(pod)
        });
        Ended { pods, left: left.count() }
    }
}

/// A node's power is cut, and the scheduler dies at that moment of those before and after its writes. How it ended,
/// and how many such moments there were.
fn failover(seed: u64, dies_at: Option<u64>) -> (Ended, u64) {
    let mut run = calm(seed);
    run.begin();
    run.plan(run.now, Step::Work);
    run.until(Time::ZERO + AT_FIRST);
    let lost = run.busiest();
    let before = run.moments;
    run.dies_at = dies_at.map(|moment| before + moment);
    let now = run.now;
    run.world.machines.of(&lost).off = Some(now);
    // Work goes on until the end, so it does not end by itself.
    run.plan(run.now, Step::Work);
    run.until(now + AFTER);
    assert!(run.world.server.nodes[&lost].taints.iter().all(|taint| &*taint.key != OUT_OF_SERVICE));
    if let Err(violation) = run.at_rest() {
        panic!("cluster {seed}, death at {dies_at:?}: {violation:?}\n{}", run.last_lines());
    }
    (run.ended(&lost), run.moments - before)
}

#[test]
#[ignore = "it takes a minute"]
fn a_scheduler_that_dies_at_any_write_of_a_failover_ends_in_the_same_state() {
    let mut deaths = 0;
    let clusters =
        (0..).map(|seed| (seed, failover(seed, None))).filter(|(_, (_, moments))| *moments >= LEAST);
    for (seed, (expected, moments)) in clusters.take(CLUSTERS) {
        for moment in 1..=moments {
            let (ended, _) = failover(seed, Some(moment));
            assert_eq!(ended, expected, "cluster {seed}, death at {moment}");
            deaths += 1;
        }
    }
    println!("{deaths} deaths");
}

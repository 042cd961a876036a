//! The scheduler dies before and after each write of a failover, of a move and of what is done for less reserve, in turn, and
//! it ends as if it had not.
//!
//! What must be the same: of each workload as many pods are placed and wait, as many of them within their bounds, none that
//! may go is left on a node that failed, and all that must hold at rest does: pods are bound once, all are covered that can
//! be, by backups that are enough and no more, nobody is awaited, and no node has the taint of a handover. Which of several
//! nodes a pod goes to may differ, and so may how much is reserved: what is done for less is not gone on with.

use std::collections::BTreeMap;
use std::time::Duration;

use super::claims;
use super::failures::OUT_OF_SERVICE;
use super::faults::{Faults, Shape};
use super::judge::{self, Refusal, refusal};
use super::make::FOREIGN;
use super::rng::Rng;
use super::run::{Run, Step};
use super::trace::Sight;
use super::view::View;
use crate::model::{Delay, NodeName, Phase, Pod, Time};
use crate::placement::{BACKUP_NODE_ANNOTATION, is_backup};
use crate::state::Event;

/// What befalls a cluster, and the scheduler dies in the middle of what it does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// A node's power is cut. Whether there are backups.
    PowerCut { covered: bool },
    /// A link gets so long that a pod has to go elsewhere.
    LongLink,
    /// A way to less reserve is found.
    LessReserve,
}

/// How long the cluster is left alone at first: then pods have been on their nodes for long enough to be moved.
const AT_FIRST: Duration = Duration::from_secs(150);
/// Pods are given up by others after this, so it ends before.
const AFTER: Duration = Duration::from_mins(4);
/// Where nothing fails it may take longer: each replica that is moved soon after another one waits for twice as long.
const AFTER_MOVES: Duration = Duration::from_hours(1);
/// How long a link gets.
const LONG: u32 = 500_000;
/// How many such moments there are at least in what is looked at.
const LEAST: u64 = 10;

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    /// How many pods of each workload are placed, how many wait, and how many are where their bounds are broken and could
    /// be elsewhere.
    pods: BTreeMap<String, [usize; 3]>,
    /// Whether any are left on the node that failed, which may go.
    left: usize,
}

/// A cluster in which nothing goes wrong but what is said.
fn calm(seed: u64, trouble: Trouble) -> Run {
    let mut rng = Rng::new(seed);
    let shape = Shape {
        nodes: 5,
        workloads: 6,
        covered: trouble != Trouble::PowerCut { covered: false },
        moving: matches!(trouble, Trouble::LongLink | Trouble::LessReserve),
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
    /// Goes on until then, and looks at each step whether all are covered that are said to be.
    fn until(&mut self, end: Time) {
        self.end = Some(end);
        loop {
            let is_covered = self.faults.shape.covered;
            let looked = self.step().and_then(|goes_on| {
                if let Some(state) = self.state.as_ref().filter(|_| is_covered) {
                    claims::is_as_it_says(state, &self.view)?;
                }
                Ok(goes_on)
            });
            match looked {
                Ok(true) => (),
                Ok(false) => return,
                Err(violation) => panic!("{violation:?}\n{}", self.last_lines()),
            }
        }
    }

    fn last_lines(&self) -> String {
        let lines = self.trace.lines.as_deref().unwrap_or_default();
        lines[lines.len().saturating_sub(80)..].join("\n")
    }

    /// The node with most pods that may go.
    fn busiest(&self) -> NodeName {
        let count = |name: &NodeName| {
            let here = self.world.server.pods.values().filter(|pod| pod.node.as_ref() == Some(name));
            here.filter(|pod| super::verdicts::may_go(pod)).count()
        };
        self.world.server.nodes.keys().max_by_key(|name| count(name)).unwrap().clone()
    }

    fn truth(&self) -> View {
        View { now: self.now, ..View::truth(&self.world.server, &self.world.delays) }
    }

    /// The pods of ours that live, and aren't backups.
    fn living(&self) -> impl Iterator<Item = &Pod> {
        let pods = self.world.server.pods.values().filter(|pod| !pod.terminating);
        pods.filter(|pod| !pod.phase.is_terminal() && !is_backup(pod) && &*pod.scheduler_name != FOREIGN)
    }

    fn ended(&self, lost: Option<&NodeName>) -> Ended {
        let truth = self.truth();
        let mut pods: BTreeMap<String, [usize; 3]> = BTreeMap::new();
        for pod in self.living() {
            let owner = pod.owner.as_ref().map_or(&pod.key.name, |owner| &owner.name);
            let [placed, waiting, broken] = pods.entry(owner.to_string()).or_default();
            match &pod.node {
                None => *waiting += 1,
                Some(node) => {
                    *placed += 1;
                    *broken += usize::from(is_broken(&truth, pod, node) && has_better(&truth, pod, node));
                }
            }
        }
        let left = self.world.server.pods.values().filter(|pod| {
            lost.is_some()
                && pod.node.as_ref() == lost
                && pod.phase == Phase::Running
                && super::verdicts::may_go(pod)
        });
        Ended { pods, left: left.count() }
    }

    /// Whether any pod is where its bounds are broken, and could be elsewhere.
    fn is_broken(&self) -> bool {
        self.ended(None).pods.values().any(|[_, _, broken]| *broken > 0)
    }

    /// A link such that a pod that may be moved has to, and can.
    fn link_to_break(&self) -> Option<(NodeName, NodeName)> {
        let truth = self.truth();
        let deployed = self.living().filter(|pod| super::verdicts::may_go(pod));
        deployed.filter_map(|pod| Some((pod, pod.node.as_ref()?))).find_map(|(pod, node)| {
            judge::anchors(&truth, pod).into_iter().filter(|anchor| anchor != node).find_map(|anchor| {
                let mut after = truth.clone();
                let long = Delay::from_micros(LONG).ok()?;
                after.rows.entry(anchor.clone()).or_default().insert(node.clone(), long);
                after.rows.entry(node.clone()).or_default().insert(anchor.clone(), long);
                let is_to_go = is_broken(&after, pod, node) && has_better(&after, pod, node);
                is_to_go.then(|| (anchor, node.clone()))
            })
        })
    }

    /// The trouble begins, if this cluster can have it. The node that fails is known.
    fn befall(&mut self, trouble: Trouble, lost: Option<&NodeName>) -> Option<()> {
        match trouble {
            Trouble::PowerCut { .. } => self.world.machines.of(lost?).off = Some(self.now),
            Trouble::LongLink => {
                let (from, to) = self.link_to_break()?;
                let rows = self.world.delays.set(&from, &to, Delay::from_micros(LONG).ok()?);
                self.send_delays(rows);
            }
            Trouble::LessReserve => {
                let found = Event::LessReserve(Box::new(self.less_reserve()?));
                self.plan(self.now, Step::Tell(self.incarnation, found));
            }
        }
        Some(())
    }
}

fn is_broken(truth: &View, pod: &Pod, node: &NodeName) -> bool {
    let there = &truth.nodes[node];
    matches!(refusal(truth, pod, there), Some(Refusal::Delay(_)))
}

/// Whether a pod could be elsewhere within its bounds, with a backup if it has one now.
fn has_better(truth: &View, pod: &Pod, node: &NodeName) -> bool {
    let has_backup = pod.annotations.get(BACKUP_NODE_ANNOTATION).is_some();
    let others = truth.nodes.values().filter(|it| it.name != *node && refusal(truth, pod, it).is_none());
    super::verdicts::may_go(pod) && others.count() > usize::from(has_backup)
}

/// What came of a trouble.
struct Came {
    ended: Ended,
    /// How many moments there were before and after writes.
    moments: u64,
    /// Whether it came to what the trouble is for.
    is_whole: bool,
    /// Whether pods were moved so that less is reserved.
    moved: bool,
    /// What was done.
    lines: Vec<String>,
}

/// A trouble befalls a cluster, and the scheduler dies at that moment of those before and after its writes. What came of
/// it, if this cluster can have such trouble.
fn live(seed: u64, trouble: Trouble, dies_at: Option<u64>) -> Option<Came> {
    let mut run = calm(seed, trouble);
    run.begin();
    run.plan(run.now, Step::Work);
    run.until(Time::ZERO + AT_FIRST);
    let (before, now) = (run.moments, run.now);
    let lost = matches!(trouble, Trouble::PowerCut { .. }).then(|| run.busiest());
    run.befall(trouble, lost.as_ref())?;
    run.dies_at = dies_at.map(|moment| before + moment);
    // Work goes on until the end, so it does not end by itself.
    run.plan(run.now, Step::Work);
    run.until(now + AFTER);
    while trouble == Trouble::LongLink && run.is_broken() && run.now < now + AFTER_MOVES {
        run.plan(run.now, Step::Work);
        run.until(run.now + AFTER);
    }
    assert!(run.world.server.nodes.values().all(|it| it.taints.iter().all(|it| &*it.key != OUT_OF_SERVICE)));
    if let Err(violation) = run.let_moves_end().and_then(|()| run.at_rest()) {
        panic!("cluster {seed}, death at {dies_at:?}: {violation:?}\n{}", run.last_lines());
    }
    let saw = |sight: Sight| run.trace.sights.contains_key(&sight);
    let is_whole = match trouble {
        Trouble::PowerCut { covered } => saw(Sight::Failover) && (!covered || saw(Sight::Handover)),
        Trouble::LongLink => saw(Sight::MovedForDelay) && saw(Sight::Handover),
        Trouble::LessReserve => true,
    };
    let moved = saw(Sight::MovedForReserve);
    let (ended, moments) = (run.ended(lost.as_ref()), run.moments - before);
    let is_done = |line: &&String| line.contains("action: ") || line.contains("dies");
    let lines = run.trace.lines.iter().flatten().filter(is_done).cloned().collect();
    Some(Came { ended, moments, is_whole, moved, lines })
}

/// In so many clusters the scheduler dies at each moment, in turn; and in so many of them pods are moved for less reserve.
fn dies_everywhere(trouble: Trouble, clusters: usize, moved: usize) {
    let mut deaths = 0;
    let came = (0..).filter_map(|seed| Some((seed, live(seed, trouble, None)?)));
    let mut came = came.filter(|(_, came)| came.moments >= LEAST && came.is_whole);
    let mut chosen: Vec<(u64, Came)> = came.by_ref().take(clusters).collect();
    let lacks = moved.saturating_sub(chosen.iter().filter(|(_, came)| came.moved).count());
    chosen.extend(came.filter(|(_, came)| came.moved).take(lacks));
    for (seed, Came { ended: expected, moments, lines, .. }) in chosen {
        for moment in 1..=moments {
            let came = live(seed, trouble, Some(moment)).unwrap();
            let what =
                || format!("{trouble:?}, cluster {seed}, death at {moment}\n{}", came.lines.join("\n"));
            assert_eq!(came.ended, expected, "{}\n\nwithout:\n{}", what(), lines.join("\n"));
            deaths += 1;
        }
    }
    println!("{trouble:?}: {deaths} deaths in {clusters} clusters");
}

/// Few clusters in each run of the tests, more of them by name.
fn clusters(few: usize) -> usize {
    std::env::var("EDGE_SIM_CLUSTERS").ok().and_then(|it| it.parse().ok()).unwrap_or(few)
}

#[test]
fn a_scheduler_that_dies_at_any_write_of_a_failover_ends_in_the_same_state() {
    dies_everywhere(Trouble::PowerCut { covered: false }, clusters(1), 0);
    dies_everywhere(Trouble::PowerCut { covered: true }, clusters(1), 0);
}

#[test]
fn a_scheduler_that_dies_at_any_write_of_a_move_ends_in_the_same_state() {
    dies_everywhere(Trouble::LongLink, clusters(1), 0);
}

#[test]
fn a_scheduler_that_dies_at_any_write_for_less_reserve_ends_in_the_same_state() {
    dies_everywhere(Trouble::LessReserve, clusters(1), 1);
}

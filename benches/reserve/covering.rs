//! Pods with their backups: as the scheduler covers them, re-optimised, and checked.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use edge_core::cover::{
    Book, Budget, CheckedNode, CheckedPod, Covered, Problem, Room, Subject, check, improve,
};
use edge_core::model::{PodUid, Resources};
use edge_core::placement::NodeSlot;
use edge_core::simulation::RadiusRule;

use crate::world::Workload;

/// How long re-optimisation searches, in steps: as long as the scheduler does every five minutes (`src/run/reserve.rs`).
pub(crate) const STEPS: usize = 400;
/// Of what re-optimisation draws.
const SEED: u64 = 1;

/// Pods, covered.
pub(crate) struct Covering<'a> {
    workload: &'a Workload,
    rooms: Vec<Room>,
    pub(crate) subjects: Vec<Subject>,
    book: Book,
    /// How long re-optimisation searches.
    steps: usize,
}

// === impl Covering ===

impl<'a> Covering<'a> {
    /// The pods arrive one by one and stay. Also tells how long the slowest of a hundred decisions took.
    ///
    /// It is the scheduler's own simulation that places and covers them.
    pub(crate) fn online(workload: &'a Workload, steps: usize) -> (Self, Duration) {
        let origin = Instant::now();
        let outcome = workload.scenario().run(&RadiusRule::Exact, &mut || origin.elapsed());
        let cover = outcome.reserve.cover;
        let covering = Self::new(workload, cover.rooms, cover.subjects, steps);
        assert_eq!(covering.reserved(), outcome.reserve.online, "the scheduler reserves something else");
        let mut decisions = outcome.decisions;
        decisions.sort_unstable();
        let p99 = decisions.get(decisions.len() * 99 / 100).copied().unwrap_or_default();
        (covering, p99)
    }

    fn new(workload: &'a Workload, rooms: Vec<Room>, subjects: Vec<Subject>, steps: usize) -> Self {
        let mut covering = Self { workload, rooms, subjects: Vec::new(), book: Book::default(), steps };
        for subject in subjects {
            covering.put(subject);
        }
        covering
    }

    fn put(&mut self, subject: Subject) {
        if let Subject { pod, primary, backup: Some(backup), demand, .. } = &subject {
            let covered = Covered { primary: *primary, backup: *backup, demand: demand.clone() };
            self.book.put(pod.clone(), covered);
        }
        self.subjects.push(subject);
    }

    pub(crate) fn problem(&self) -> Problem {
        Problem::new(&self.rooms, &self.subjects)
    }

    /// The same after re-optimisation, and how long that took.
    pub(crate) fn improved(&self, moves: usize) -> (Self, Duration) {
        let began = Instant::now();
        let plan = improve(&self.problem(), Budget { steps: self.steps, moves, room: 0 }, SEED);
        let took = began.elapsed();
        let to: HashMap<&PodUid, (NodeSlot, Option<NodeSlot>)> =
            plan.steps.iter().map(|step| (&step.pod, (step.primary, Some(step.backup)))).collect();
        let mut subjects = self.subjects.clone();
        for subject in &mut subjects {
            if let Some(pair) = to.get(&subject.pod) {
                (subject.primary, subject.backup) = *pair;
            }
        }
        (Self::new(self.workload, self.rooms.clone(), subjects, self.steps), took)
    }

    pub(crate) fn demand(&self) -> Resources {
        let mut sum = Resources::default();
        self.subjects.iter().for_each(|subject| sum.add(&subject.demand));
        sum
    }

    pub(crate) fn reserved(&self) -> Resources {
        let mut sum = Resources::default();
        self.book.backups().for_each(|node| sum.add(&self.book.reserve(node)));
        sum
    }

    /// How much the checker finds wrong, and how many pods have no backup.
    pub(crate) fn wrong(&self) -> usize {
        let subjects: HashMap<&str, &Subject> =
            self.subjects.iter().map(|subject| (subject.pod.as_str(), subject)).collect();
        let arrivals = self.workload.pods.iter().enumerate();
        let pods = arrivals.filter_map(|(idx, arrival)| {
            let subject = subjects.get(&*format!("default/pod-{idx}"))?;
            Some(CheckedPod {
                pod: subject.pod.clone(),
                primary: subject.primary,
                backup: subject.backup,
                allowed: arrival.radius.iter().copied().collect(),
                demand: arrival.demand.clone(),
            })
        });
        let pods: Vec<CheckedPod> = pods.collect();
        let mut requested: BTreeMap<NodeSlot, Resources> = BTreeMap::new();
        for pod in &pods {
            requested.entry(pod.primary).or_default().add(&pod.demand);
        }
        let nodes = self.workload.nodes.iter().map(|node| CheckedNode {
            node: *node,
            alive: true,
            allocatable: self.workload.allocatable.clone(),
            requested: requested.remove(node).unwrap_or_default(),
            reserve: self.book.reserve(*node),
        });
        let nodes: Vec<CheckedNode> = nodes.collect();
        check(&pods, &nodes).len() + self.workload.pods.len() - pods.len()
    }
}

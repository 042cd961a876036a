//! Pods with their backups: as the scheduler covers them, re-optimised, and checked.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use edge_core::cover::{
    Book, Budget, Candidate, CheckedNode, CheckedPod, Covered, Problem, Room, Subject, Wanted, check,
    choose_jointly, improve,
};
use edge_core::model::{PodUid, Resources};
use edge_core::placement::NodeSlot;
use edge_core::simulation::RadiusRule;

use crate::world::{Arrival, Workload};

/// How long re-optimisation searches, in steps: as long as the scheduler does every five minutes (`src/run/reserve.rs`).
const STEPS: usize = 400;
/// The same where pods and backups were chosen together, for each node: so far that more hardly helps.
const STEPS_PER_NODE: usize = 60;
/// Of what re-optimisation draws.
const SEED: u64 = 1;

/// Who chooses nodes and backups as pods arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chooser {
    /// The scheduler: a node by its scores, and then one for the backup. Afterwards so many steps are searched.
    Scheduler(usize),
    /// `cover::choose_jointly`: the pair of nodes that takes least. The scheduler does not do that.
    Together,
}

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
    pub(crate) fn online(workload: &'a Workload, chooser: Chooser) -> (Self, Duration) {
        let (covering, mut decisions) = match chooser {
            Chooser::Scheduler(steps) => Self::by_the_scheduler(workload, steps),
            Chooser::Together => Self::together(workload),
        };
        decisions.sort_unstable();
        let p99 = decisions.get(decisions.len() * 99 / 100).copied().unwrap_or_default();
        (covering, p99)
    }

    /// As the scheduler's own simulation places and covers them.
    fn by_the_scheduler(workload: &'a Workload, steps: usize) -> (Self, Vec<Duration>) {
        let origin = Instant::now();
        let outcome = workload.scenario().run(&RadiusRule::Exact, &mut || origin.elapsed());
        let cover = outcome.reserve.cover;
        let covering = Self::new(workload, cover.rooms, cover.subjects, steps);
        assert_eq!(covering.reserved(), outcome.reserve.online, "the scheduler reserves something else");
        (covering, outcome.decisions)
    }

    /// Each pod gets the best pair of nodes that there is when it arrives.
    fn together(workload: &'a Workload) -> (Self, Vec<Duration>) {
        let room = |node: &NodeSlot| Room { node: *node, room: workload.allocatable.clone() };
        let rooms = workload.nodes.iter().map(room).collect();
        let mut covering = Self::new(workload, rooms, Vec::new(), STEPS_PER_NODE * workload.nodes.len());
        let mut wanted = Wanted::default();
        let mut loads: BTreeMap<NodeSlot, Resources> = BTreeMap::new();
        let mut decisions = Vec::new();
        for (idx, Arrival { radius, demand, .. }) in workload.pods.iter().enumerate() {
            let began = Instant::now();
            wanted.add(radius, u32::try_from(demand.memory.0 >> 30).unwrap_or(1));
            let candidate = |node: &NodeSlot| {
                let mut free = workload.allocatable.clone();
                free.subtract(&loads.get(node).cloned().unwrap_or_default());
                free.subtract(&covering.book.reserve(*node));
                Candidate { node: *node, allocatable: &workload.allocatable, free }
            };
            let candidates: Vec<Candidate<'_>> = radius.iter().map(candidate).collect();
            let choices = choose_jointly(&covering.book, &wanted, demand, &candidates);
            decisions.push(began.elapsed());
            let Some(best) = choices.first() else { continue };
            loads.entry(best.primary).or_default().add(demand);
            covering.put(Subject {
                pod: PodUid::new(format!("default/pod-{idx}")),
                primary: best.primary,
                backup: Some(best.backup),
                allowed: radius.clone(),
                demand: demand.clone(),
                movable: true,
            });
        }
        (covering, decisions)
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

// === impl Chooser ===

impl Default for Chooser {
    fn default() -> Self {
        Self::Scheduler(STEPS)
    }
}

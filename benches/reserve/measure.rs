//! Ours: pods placed one by one together with their backups, then re-optimised; and the bounds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use edge_core::cover::{
    Book, Bound, Budget, Candidate, CheckedNode, CheckedPod, Covered, Effort, Freedom, Kind, Problem, Room,
    Subject, Wanted, bound, check, choose_jointly, improve,
};
use edge_core::model::{PodUid, Resources};
use edge_core::placement::NodeSlot;

use crate::bme::Bme;
use crate::row::Row;
use crate::world::Workload;

/// The share of the pods that re-optimisation may move.
const MOVED_ONE_OF: usize = 10;
/// Steps of re-optimisation for each node.
const STEPS_PER_NODE: usize = 60;
const EFFORT: Effort = Effort { rounds: 400, tolerance: 0.002 };
/// Where pods may be anywhere a round takes much longer.
const FREE_EFFORT: Effort = Effort { rounds: 250, tolerance: 0.005 };

/// Pods, covered.
struct Covering<'a> {
    workload: &'a Workload,
    book: Book,
    subjects: Vec<Subject>,
    left_out: usize,
}

/// Measures one case: a row for each resource.
pub(crate) fn measure(workload: &Workload) -> Vec<Row> {
    let bme = Bme::of(workload);
    let began = Instant::now();
    let online = Covering::online(workload);
    let choosing = began.elapsed().as_secs_f64() * 1e6 / workload.pods.len() as f64;
    let problem = online.problem();
    let bounds = bound(&problem, Freedom::Backups, EFFORT);
    let free = bound(&problem, Freedom::Pods, FREE_EFFORT);
    let (backups, took_backups) = online.improved(0);
    let (moved, took_moved) = online.improved(workload.pods.len() / MOVED_ONE_OF);
    let bounds_moved = bound(&moved.problem(), Freedom::Backups, EFFORT);
    let wrong = [&online, &backups, &moved].iter().map(|it| it.wrong()).sum::<usize>()
        + online.left_out
        + bme.left_out;
    let demand = online.demand();
    let radius = workload.pods.iter().map(|(radius, _)| radius.len()).sum::<usize>() as f64
        / workload.pods.len() as f64;
    let kinds: &[(Kind, &str)] = &[(Kind::Memory, "memory"), (Kind::Cpu, "cpu")];
    let known = kinds.iter().filter(|(kind, _)| amount(kind, &demand) > 0);
    let rows = known.map(|(kind, name)| {
        let share = |part: i64| 100.0 * part as f64 / amount(kind, &demand) as f64;
        let lower =
            |bounds: &[Bound]| bounds.iter().find(|it| it.kind == *kind).map_or(0.0, |it| share(it.lower));
        let is_memory = *kind == Kind::Memory;
        Row {
            topology: workload.topology.clone(),
            nodes: workload.nodes.len(),
            sizes: workload.sizes.name().to_owned(),
            resource: (*name).to_owned(),
            pods: workload.pods.len(),
            radius,
            bme: is_memory.then(|| (share(bme.reserves), share(bme.needs))),
            online: share(amount(kind, &online.reserved())),
            backups: share(amount(kind, &backups.reserved())),
            moved: share(amount(kind, &moved.reserved())),
            bound: lower(&bounds),
            bound_moved: lower(&bounds_moved),
            free: lower(&free),
            wrong,
            times: [choosing, took_backups, took_moved],
        }
    });
    rows.collect()
}

fn amount(kind: &Kind, resources: &Resources) -> i64 {
    match kind {
        Kind::Cpu => resources.cpu.0,
        Kind::Memory => resources.memory.0,
        Kind::EphemeralStorage => resources.ephemeral_storage.0,
        Kind::Scalar(name) => resources.scalar(name),
    }
}

// === impl Covering ===

impl<'a> Covering<'a> {
    /// Each pod in turn gets the best pair there is when it arrives, and stays.
    fn online(workload: &'a Workload) -> Self {
        let mut covering = Self { workload, book: Book::default(), subjects: Vec::new(), left_out: 0 };
        let mut wanted = Wanted::default();
        let mut loads: BTreeMap<NodeSlot, Resources> = BTreeMap::new();
        for (idx, (radius, demand)) in workload.pods.iter().enumerate() {
            let gib = u32::try_from(demand.memory.0 >> 30).unwrap_or(1);
            wanted.add(radius, gib);
            let candidate = |node: &NodeSlot| {
                let mut free = workload.allocatable.clone();
                free.subtract(&loads.get(node).cloned().unwrap_or_default());
                free.subtract(&covering.book.reserve(*node));
                Candidate { node: *node, allocatable: &workload.allocatable, free }
            };
            let candidates: Vec<Candidate<'_>> = radius.iter().map(candidate).collect();
            let choices = choose_jointly(&covering.book, &wanted, demand, &candidates);
            let Some(best) = choices.first() else {
                covering.left_out += 1;
                continue;
            };
            loads.entry(best.primary).or_default().add(demand);
            covering.put(idx, radius, best.primary, best.backup, demand);
        }
        covering
    }

    fn put(
        &mut self,
        idx: usize,
        allowed: &Arc<[NodeSlot]>,
        primary: NodeSlot,
        backup: NodeSlot,
        demand: &Resources,
    ) {
        let pod = PodUid::new(format!("pod-{idx:06}"));
        let (allowed, demand) = (allowed.clone(), demand.clone());
        self.book.put(pod.clone(), Covered { primary, backup, demand: demand.clone() });
        self.subjects.push(Subject { pod, primary, backup, allowed, demand, movable: true });
    }

    fn problem(&self) -> Problem {
        let room = |node: &NodeSlot| Room { node: *node, room: self.workload.allocatable.clone() };
        Problem::new(&self.workload.nodes.iter().map(room).collect::<Vec<Room>>(), &self.subjects)
    }

    /// The same after re-optimisation, and how many milliseconds that took.
    fn improved(&self, moves: usize) -> (Self, f64) {
        let began = Instant::now();
        let steps = STEPS_PER_NODE * self.workload.nodes.len();
        let plan = improve(&self.problem(), Budget { steps, moves }, 1);
        let took = began.elapsed().as_secs_f64() * 1e3;
        let to: BTreeMap<&PodUid, (NodeSlot, NodeSlot)> =
            plan.steps.iter().map(|step| (&step.pod, (step.primary, step.backup))).collect();
        let mut improved =
            Self { workload: self.workload, book: Book::default(), subjects: Vec::new(), left_out: 0 };
        for (idx, subject) in self.subjects.iter().enumerate() {
            let stays = (subject.primary, subject.backup);
            let (primary, backup) = to.get(&subject.pod).copied().unwrap_or(stays);
            improved.put(idx, &subject.allowed, primary, backup, &subject.demand);
        }
        (improved, took)
    }

    fn demand(&self) -> Resources {
        let mut sum = Resources::default();
        self.subjects.iter().for_each(|subject| sum.add(&subject.demand));
        sum
    }

    fn reserved(&self) -> Resources {
        let mut sum = Resources::default();
        self.book.backups().for_each(|node| sum.add(&self.book.reserve(node)));
        sum
    }

    /// How much the checker finds wrong.
    fn wrong(&self) -> usize {
        let pods = self.subjects.iter().map(|subject| CheckedPod {
            pod: subject.pod.clone(),
            primary: subject.primary,
            backup: Some(subject.backup),
            allowed: subject.allowed.iter().copied().collect(),
            demand: subject.demand.clone(),
        });
        let nodes = self.workload.nodes.iter().map(|node| {
            let mut requested = Resources::default();
            self.book.covered_on(*node).for_each(|(_, covered)| requested.add(&covered.demand));
            let (allocatable, reserve) = (self.workload.allocatable.clone(), self.book.reserve(*node));
            CheckedNode { node: *node, alive: true, allocatable, requested, reserve }
        });
        check(&pods.collect::<Vec<_>>(), &nodes.collect::<Vec<_>>()).len()
    }
}

//! Backups in a simulation, and what is reserved for them: as the pods came, and after re-optimisation.

use std::collections::HashMap;

use super::Run;
use crate::cover::{Budget, Effort, Freedom, Kind, Plan, Problem, Step, Subject, bound, improve};
use crate::model::{Labels, Name, NodeName, Phase, Pod, PodKey, PodUid, Resources, Time};
use crate::placement::BACKUP_NODE_ANNOTATION;
use crate::state::{BackupPod, Change, CoverInUse, CoverOutcome, CoverWrite, Event, PodRef};

/// How long re-optimisation searches, in steps for each node, and at most.
const STEPS_PER_NODE: usize = 50;
const STEPS: usize = 2_000;
/// Of what it draws: the same simulation says the same.
const SEED: u64 = 1;
/// How near to what the relaxation can reach the bound has to be.
const EFFORT: Effort = Effort { rounds: 400, tolerance: 0.005 };

/// What is reserved for backups.
#[derive(Clone, Debug, Default)]
pub struct Reserve {
    /// Those that should have a backup and have none, and why, by name.
    pub uncovered: Vec<(PodKey, String)>,
    /// Those that have one, and what there is room for.
    pub cover: CoverInUse,
    /// What the covered pods demand: with a backup of its own for each, that would be reserved.
    pub demand: Resources,
    /// What all nodes have.
    pub allocatable: Resources,
    /// What is reserved as it came about, pod by pod.
    pub online: Resources,
}

/// How much of a resource is reserved on all nodes together, in milli-CPU, bytes or its own unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedResource {
    /// The resource.
    pub kind: Kind,
    /// What the covered pods demand: with a backup of its own for each, that would be reserved.
    pub demand: i64,
    /// What all nodes have.
    pub allocatable: i64,
    /// What is reserved as it came about, pod by pod.
    pub online: i64,
    /// What is reserved after the backups were re-optimised, with no pod moved.
    pub offline: i64,
    /// With the pods where they are less than this can't be reserved.
    pub bound: i64,
    /// What is reserved if pods are moved as well, as many as may be.
    pub moved: i64,
}

// === impl Run ===

impl Run<'_> {
    /// Writes annotations into a pod, or takes them away.
    pub(super) fn annotate(&mut self, pod: &PodKey, written: &[(&'static str, Option<&str>)]) {
        let Some(was) = self.pods.get(pod).map(|pod| &pod.annotations) else { return };
        let was = self.annotations.get(pod).unwrap_or(was);
        let stays = was.iter().filter(|(key, _)| !written.iter().any(|(other, _)| *other == &***key));
        let stays = stays.map(|(key, value)| (key.clone(), value.clone()));
        let new = written.iter().filter_map(|(key, value)| Some((Name::from(*key), Name::from((*value)?))));
        let annotations = Labels::new(stays.chain(new));
        self.annotations.insert(pod.clone(), annotations);
    }

    /// A backup is made, at once.
    pub(super) fn make_backup(&mut self, backup: &BackupPod) {
        let key = backup.key.clone();
        let pod = Pod { phase: Phase::Running, ..backup.pod() };
        self.backups.insert(key.clone(), pod.clone());
        self.state.apply(Event::Pods(Change::Put(Box::new(pod))), Time::ZERO);
        self.state.apply(Event::BackupMade(key, CoverOutcome::Done), Time::ZERO);
    }

    /// A backup is taken away, at once.
    pub(super) fn take_backup(&mut self, pod: PodRef) {
        if let Some(gone) = self.backups.remove(&pod.key) {
            self.state.apply(Event::Pods(Change::Gone(Box::new(gone))), Time::ZERO);
        }
        self.state.apply(Event::BackupTaken(pod, CoverOutcome::Done), Time::ZERO);
    }

    /// It is written into a pod where its backup is.
    pub(super) fn write_cover(&mut self, write: CoverWrite) {
        let backup = write.backup.as_ref().map(NodeName::as_str);
        self.annotate(&write.pod.key, &[(BACKUP_NODE_ANNOTATION, backup)]);
        if let Some(found) = self.find(&write.pod) {
            self.state.apply(Event::Pods(Change::Put(Box::new(found))), Time::ZERO);
        }
        self.state.apply(Event::CoverWritten(write, CoverOutcome::Done), Time::ZERO);
    }

    /// What is reserved now.
    pub(super) fn reserve(&self) -> Reserve {
        let missing = self.state.missing_backups().map(|(key, why)| (key.clone(), why.to_owned()));
        let mut uncovered: Vec<(PodKey, String)> = missing.collect();
        uncovered.sort();
        let book = &self.state.snapshot().backups.book;
        Reserve {
            uncovered,
            cover: self.state.whole_cover(),
            demand: self.state.covered_requests(),
            allocatable: sum(self.scenario.nodes.iter().map(|node| node.allocatable.clone())),
            online: sum(book.backups().map(|node| book.reserve(node))),
        }
    }
}

// === impl Reserve ===

impl Reserve {
    /// How much of each resource is reserved, and how much would be after re-optimisation, which is done now and takes
    /// seconds for hundreds of nodes.
    pub fn resources(&self) -> Vec<ReservedResource> {
        let CoverInUse { rooms, subjects, moves, .. } = &self.cover;
        let problem = Problem::new(rooms, subjects);
        let steps = STEPS.min(STEPS_PER_NODE * rooms.len());
        let offline = improve(&problem, Budget { steps, moves: 0, room: 0 }, SEED);
        let mut subjects = subjects.clone();
        done(&mut subjects, &offline);
        let moved = improve(&Problem::new(rooms, &subjects), Budget { steps, moves: *moves, room: 0 }, SEED);
        let bounds = bound(&problem, Freedom::Backups, EFFORT).into_iter();
        let resources = bounds.map(|bound| ReservedResource {
            demand: bound.kind.of(&self.demand),
            allocatable: bound.kind.of(&self.allocatable),
            online: bound.kind.of(&self.online),
            offline: bound.kind.of(&offline.after),
            bound: bound.lower,
            moved: bound.kind.of(&moved.after),
            kind: bound.kind,
        });
        resources.collect()
    }
}

/// The steps of a plan are done.
fn done(subjects: &mut [Subject], plan: &Plan) {
    let steps: HashMap<&PodUid, &Step> = plan.steps.iter().map(|step| (&step.pod, step)).collect();
    for subject in subjects {
        if let Some(step) = steps.get(&subject.pod) {
            (subject.primary, subject.backup) = (step.primary, Some(step.backup));
        }
    }
}

fn sum(all: impl Iterator<Item = Resources>) -> Resources {
    let mut sum = Resources::default();
    all.for_each(|it| sum.add(&it));
    sum
}

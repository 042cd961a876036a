//! Pods are moved, as the shell does it: one is evicted, its controller makes the next one, and that comes to where room
//! is held. And somebody looks for less reserve beside the loop, who may know an old cluster. Each request may fail, and
//! the scheduler may die before and after it.

use super::covered::{amounts, plus};
use super::invariants::{Invariant, Violation};
use super::make::FOREIGN;
use super::network::{Answered, Fate};
use super::run::{REST, Run, Step};
use super::trace::Sight;
use super::view::View;
use crate::cover::{Budget, Problem, improve};
use crate::model::{NodeName, Owner, Pod, PodUid};
use crate::placement::{HANDOVER_TAINT, MOVE_ANNOTATION, is_backup};
use crate::state::{
    BindOutcome, CoverInUse, Event, LessReserve, MoveReason, RelocateOutcome, Relocation, State,
};

/// How far a search for less reserve goes.
const STEPS: usize = 30;

// === impl Run ===

impl Run {
    /// The scheduler wants a pod moved.
    pub(super) fn send_relocation(&mut self, relocation: Relocation) -> Result<(), Violation> {
        if let Some(state) = &self.state {
            may_move(state, &self.view, &relocation)?;
        }
        self.view.moved.insert(relocation.pod.uid.clone());
        self.tally.moves += 1;
        self.trace.saw(match relocation.reason {
            MoveReason::Delay => Sight::MovedForDelay,
            MoveReason::Room => Sight::MovedForRoom,
            MoveReason::Reserve => Sight::MovedForReserve,
        });
        if self.dies_before() {
            self.trace.saw(Sight::CrashBeforeMove);
            return Ok(());
        }
        let Fate { arrives, outcome } = self.fate();
        let incarnation = self.incarnation;
        if let Some((at, outcome)) = outcome {
            let outcome = match outcome {
                BindOutcome::Refused(why) => RelocateOutcome::Refused(why),
                other => RelocateOutcome::Failed(format!("{other:?}")),
            };
            self.plan(at, Step::Tell(incarnation, Event::Relocated(relocation.clone(), outcome)));
        }
        if let Some((at, answered)) = arrives {
            self.plan(at, Step::Relocate { incarnation, relocation, answered });
        }
        if self.dies_after() {
            self.trace.saw(Sight::CrashAfterMove);
        }
        Ok(())
    }

    /// It reaches the server, which asks the budgets first.
    pub(super) fn relocate(&mut self, incarnation: u32, relocation: Relocation, answered: Answered) {
        let pod = &relocation.pod;
        let is_there = self.world.server.pods.get(&pod.key).is_some_and(|known| known.uid == pod.uid);
        let outcome = if !is_there {
            RelocateOutcome::Gone
        } else if self.rng.chance(self.faults.request.throttled) {
            self.trace.saw(Sight::MoveAgainstBudget);
            RelocateOutcome::Budget("it needs more healthy pods".to_owned())
        } else {
            self.world.server.update_pod(&pod.key, |pod| pod.terminating = true);
            RelocateOutcome::Evicted
        };
        self.trace.note(self.now, format_args!("move {}: {outcome:?}, {answered:?}", pod.key));
        let outcome = match answered {
            Answered::Never | Answered::TooLate => return,
            Answered::WithError => RelocateOutcome::Failed("500 internal error".to_owned()),
            Answered::Truly => outcome,
        };
        self.plan_in(1, 50, Step::Tell(incarnation, Event::Relocated(relocation, outcome)));
    }

    /// Somebody looks for less reserve. What is found may be of a cluster that was.
    pub(super) fn save(&mut self) {
        if self.end.is_none_or(|end| self.now + 3 * REST < end) {
            self.plan_in(20_000, 60_000, Step::Save);
        }
        let Some(found) = self.less_reserve() else { return };
        self.trace.saw(Sight::LessReserve);
        let event = Event::LessReserve(Box::new(found));
        self.plan_in(1, 5_000, Step::Tell(self.incarnation, event));
    }

    /// A way to less reserve, if there is one.
    pub(super) fn less_reserve(&mut self) -> Option<LessReserve> {
        let seed = self.rng.between(0, 1_000);
        let CoverInUse { rooms, subjects, moves, room } = self.state.as_ref()?.cover_in_use(self.now)?;
        let plan = improve(&Problem::new(&rooms, &subjects), Budget { steps: STEPS, moves, room }, seed);
        (!plan.steps.is_empty()).then(|| LessReserve { plan, bounds: Vec::new() })
    }

    /// Whether pods are being moved, or room is held, or a node is kept closed for a handover.
    pub(super) fn is_moving(&self) -> bool {
        let Some(state) = &self.state else { return false };
        let is_closed = |it: &crate::model::Node| it.taints.iter().any(|taint| &*taint.key == HANDOVER_TAINT);
        state.moving() > 0
            || !state.snapshot().backups.holds.is_empty()
            || state.snapshot().backups.book.len()
                > state.cover_count().covered + state.cover_count().uncovered
            || self.faults.shape.covered && self.world.server.nodes.values().any(is_closed)
    }
}

/// A pod is moved only if the next one finds room that nobody else counts on, and no other one of its workload is being
/// moved (P6).
fn may_move(state: &State, view: &View, relocation: &Relocation) -> Result<(), Violation> {
    let Relocation { pod: moved, from, to, .. } = relocation;
    let violated = |why: String| {
        let what = format!("{} is to go from {from} to {to}: {why}", moved.key);
        Err(Violation { invariant: Invariant::Move, what })
    };
    let Some(pod) = view.pods.get(&moved.uid) else { return violated("it is not there".to_owned()) };
    if pod.node.as_ref() != Some(from) || pod.terminating || from == to {
        return violated(format!("it is on {:?}, or ends", pod.node));
    }
    if [from, to].iter().any(|node| !view.nodes.contains_key(*node) || view.suspects.contains(*node)) {
        return violated("a node is not well".to_owned());
    }
    if !is_replaced(pod) {
        return violated("nobody replaces it".to_owned());
    }
    let is_alike = |other: &&Pod| other.uid != pod.uid && top(other) == top(pod);
    if let Some(other) = view.pods.values().filter(is_alike).find(|it| view.moved.contains(&it.uid)) {
        return violated(format!("{} is moved too", other.key));
    }
    let (held, kept) = (held(view, to), kept(state, view, to));
    let needed = plus(kept, amounts(&pod.requests));
    if (0..4).any(|idx| held[idx] < needed[idx]) {
        return violated(format!("{held:?} is held there, and with it {needed:?} is needed"));
    }
    Ok(())
}

fn top(pod: &Pod) -> Option<(&str, &str, &str)> {
    let Owner { kind, name } = pod.owner.as_ref()?;
    let name = if &**kind == "ReplicaSet" { name.rsplit_once('-').map_or(&**name, |it| it.0) } else { name };
    Some((&pod.key.namespace, kind, name))
}

/// Whether a pod may be moved, by what its manifest says.
fn is_replaced(pod: &Pod) -> bool {
    let kind = pod.owner.as_ref().map(|owner| &*owner.kind);
    match pod.annotations.get(MOVE_ANNOTATION) {
        Some("false") => false,
        Some("true") => kind.is_some() && &*pod.scheduler_name != FOREIGN,
        _ => kind == Some("ReplicaSet") && &*pod.scheduler_name != FOREIGN,
    }
}

/// What backups hold on a node, of those that are known to be there.
fn held(view: &View, node: &NodeName) -> [i64; 4] {
    let is_asked = |uid: &PodUid| super::backups::is_asked(uid);
    let there = view.placed().filter(|(it, on)| *on == node && is_backup(it) && !it.terminating);
    let there = there.filter(|(it, _)| !is_asked(&it.uid) && !view.going.contains(&it.uid));
    there.map(|(it, _)| amounts(&it.requests)).fold([0; 4], plus)
}

/// What a node covers, by the book.
fn kept(state: &State, view: &View, node: &NodeName) -> [i64; 4] {
    let snapshot = state.snapshot();
    let mut by_primary = std::collections::BTreeMap::new();
    for (pod, _) in view.placed().filter(|(it, _)| !is_backup(it)) {
        let Some(entry) = snapshot.backups.book.of(&pod.uid) else { continue };
        if snapshot.nodes.name(entry.backup) == Some(node) {
            let sum = by_primary.entry(entry.primary).or_insert([0; 4]);
            *sum = plus(*sum, amounts(&pod.requests));
        }
    }
    by_primary.into_values().reduce(|a, b| std::array::from_fn(|idx| a[idx].max(b[idx]))).unwrap_or_default()
}

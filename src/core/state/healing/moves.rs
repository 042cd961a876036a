//! Moves: pods that run are taken off their nodes, one at a time, so that they are made anew where it is better.
//!
//! ```text
//!  the bound of a placed pod is broken ─► promise ─┐
//!  a pod finds no room in its radius ───► room ────┼─► a step: pod, from, to, why
//!  too much is reserved ────────────────► reserve ─┘        │
//!    held      room for the next one is held at the target, by pods
//!    asked     the pod is evicted, which its budgets may refuse
//!    awaited   the next pod of its workload comes for the hold
//! ```
//!
//! What is new is made before what is old goes, so all stay covered at each moment. Nothing is remembered of steps: if the
//! scheduler ends in the middle, what is held shrinks again, and a pod that was evicted is placed as any other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::movable::may_be_moved;
use super::relocation::{MoveNotice, MoveReason, MoveTurn, RelocateOutcome, Relocation};
use super::room::Rooms;
use super::thrift::Thrift;
use crate::model::{Pod, PodUid, Time};
use crate::moves::Pace;
use crate::placement::{MoveRule, NodeSlot, Profile, WorkloadRef};
use crate::state::{Action, Defect, Placed, PodRef, State};

/// What is known of moves.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// The pods that are being moved.
    pub(super) steps: BTreeMap<PodUid, Step>,
    /// The pods for which room is made.
    pub(super) rooms: Rooms,
    /// What is done so that less is reserved.
    pub(super) thrift: Thrift,
    pub(super) pace: Pace<WorkloadRef>,
    /// Pods of which it was told that they are not moved though they should be.
    pub(super) told: BTreeSet<PodUid>,
    /// Pods that are not looked at again before.
    pub(super) rests: BTreeMap<PodUid, Time>,
    /// When all is looked over again.
    pub(super) next_pass: Time,
}

/// A pod that is being moved.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) pod: PodRef,
    pub(super) owner: WorkloadRef,
    pub(super) from: NodeSlot,
    pub(super) to: NodeSlot,
    pub(super) reason: MoveReason,
    /// The same in words.
    pub(super) because: String,
    stage: Stage,
}

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Room is being made at the target.
    Held { until: Time },
    /// The request to evict the pod is on its way.
    Asked { refused: u32 },
    /// It was not evicted; it is asked again.
    Refused { again: Time, times: u32 },
    /// It goes, and what replaces it is awaited.
    Awaited,
}

/// What becomes of a step.
enum Fate {
    /// It goes on.
    Goes,
    /// It is over.
    Ends,
    /// It is given up, and the pod rests for so long.
    Rests(Duration),
}

/// How often steps are looked at.
pub(super) const PASS_EVERY: Duration = Duration::from_secs(1);
/// For so long it may take until room is held.
const HOLD_WITHIN: Duration = Duration::from_mins(1);
/// A hold is renewed when it lasts no longer than this.
const RENEW_AT: Duration = Duration::from_secs(15);
/// How long to wait after an eviction was refused, at first; each further time it is twice as long.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How often it is asked for.
const TIMES: u32 = 4;
/// For how long a pod is left alone that could not be moved.
pub(super) const REST: Duration = Duration::from_mins(1);

// === impl State ===

impl State {
    /// How many pods are being moved.
    pub fn moving(&self) -> usize {
        self.healing.moves.steps.len()
    }

    /// There may be something to move.
    pub(in crate::state) fn moves_due(&mut self, now: Time) {
        let next = &mut self.healing.moves.next_pass;
        *next = now.min(*next);
    }

    /// Goes on with moves, and begins further ones.
    pub(in crate::state) fn look_after_moves(&mut self, now: Time) {
        if !self.leads || self.healing.moves.next_pass > now {
            return;
        }
        self.healing.moves.next_pass = Time::NEVER;
        self.healing.moves.rests.retain(|_, until| now < *until);
        self.go_on_moving(now);
        self.go_on_making_room(now);
        let has_more = self.keep_promises(now) | self.go_on_saving(now);
        let moves = &mut self.healing.moves;
        if has_more || !moves.steps.is_empty() || !moves.rooms.is_empty() {
            moves.next_pass = now + PASS_EVERY;
        }
    }

    /// How the pods of this scheduler name are moved.
    pub(super) fn move_rule_of(&self, scheduler_name: &str) -> MoveRule {
        self.profile(scheduler_name).and_then(Profile::backup_rule).map(|rule| rule.moves).unwrap_or_default()
    }

    /// Whether nothing may be moved at all: much fails at once, or nobody may hold room.
    pub(super) fn may_not_move(&self) -> bool {
        // What was refused is tried again after a while, and be it for this.
        let is_refused = self.cover.pieces.refused.as_ref().is_some_and(|it| it.until != Time::ZERO);
        self.healing.detector.frozen().is_some() || is_refused
    }

    /// Whether a replica of this workload is being moved or is not there: then no other one goes.
    pub(super) fn is_incomplete(&self, owner: &WorkloadRef) -> bool {
        if self.has(Defect::MovesAllAtOnce) {
            return false;
        }
        self.healing.moves.steps.values().any(|step| step.owner == *owner)
            || self.queue.iter().any(|queued| WorkloadRef::top_of(&queued.pod) == *owner)
    }

    /// The workloads of which a replica is being moved or is not there.
    pub(super) fn incomplete(&self) -> BTreeSet<WorkloadRef> {
        let moving = self.healing.moves.steps.values().map(|step| step.owner.clone());
        moving.chain(self.queue.iter().map(|queued| WorkloadRef::top_of(&queued.pod))).collect()
    }

    /// Why a placed pod may not be moved now, if so; what will pass by itself has no words.
    pub(super) fn why_not_moved(&self, pod: &Pod, slot: NodeSlot) -> Option<String> {
        if let Err(stays) = may_be_moved(pod, &self.snapshot) {
            return Some(stays.to_string());
        }
        let (over, _) = self.snapshot.budgets.part(vec![std::sync::Arc::new(pod.clone())]);
        if !over.is_empty() {
            return Some("its PodDisruptionBudget allows no disruption now".to_owned());
        }
        self.snapshot.suspects.contains(&slot).then(String::new)
    }

    /// Begins to move a pod.
    pub(super) fn begin_move(
        &mut self,
        pod: &Pod,
        [from, to]: [NodeSlot; 2],
        (reason, because): (MoveReason, String),
        now: Time,
    ) {
        let owner = WorkloadRef::top_of(pod);
        let rhythm = self.move_rule_of(&pod.scheduler_name).rhythm;
        self.healing.moves.pace.begin(owner.clone(), rhythm, now);
        self.hold(pod, to, pod.requests.clone(), now);
        let stage = Stage::Held { until: now + HOLD_WITHIN };
        let step = Step { pod: PodRef::of(pod), owner, from, to, reason, because, stage };
        self.healing.moves.steps.insert(pod.uid.clone(), step.clone());
        if self.has(Defect::EvictsBeforeHeld) {
            self.ask_to_go(&step, 0);
        }
        self.moves_due(now);
    }

    /// The pod on its node, as the server has it.
    pub(super) fn confirmed(&self, pod: &PodRef) -> Option<&Placed> {
        self.cache.get(&pod.key).filter(|placed| placed.confirmed && placed.pod.uid == pod.uid)
    }

    fn go_on_moving(&mut self, now: Time) {
        for uid in self.healing.moves.steps.keys().cloned().collect::<Vec<_>>() {
            let Some(step) = self.healing.moves.steps.get(&uid).cloned() else { continue };
            match self.go_on_with(&step, now) {
                Fate::Goes => (),
                Fate::Ends => self.end_move(&uid, now),
                Fate::Rests(rest) => {
                    self.healing.moves.rests.insert(uid.clone(), now + rest);
                    self.end_move(&uid, now);
                }
            }
        }
    }

    fn go_on_with(&mut self, step: &Step, now: Time) -> Fate {
        let is_there = self.confirmed(&step.pod).is_some_and(|placed| !placed.pod.terminating);
        match step.stage {
            Stage::Asked { .. } => Fate::Goes,
            Stage::Awaited => self.await_successor(step, now),
            Stage::Held { .. } | Stage::Refused { .. } if !is_there => Fate::Ends,
            Stage::Held { .. } | Stage::Refused { .. } if !self.is_still_wanted(step) => Fate::Ends,
            Stage::Held { until } => {
                if self.hold_stands(&step.pod.uid) {
                    self.ask_to_go(step, 0);
                    return Fate::Goes;
                }
                self.renew_hold(step, now);
                if now < until { Fate::Goes } else { Fate::Rests(REST) }
            }
            Stage::Refused { again, times } => {
                self.renew_hold(step, now);
                if again <= now && self.hold_stands(&step.pod.uid) {
                    self.ask_to_go(step, times);
                }
                Fate::Goes
            }
        }
    }

    /// Whether what a step is done for is still so, and nothing speaks against it.
    fn is_still_wanted(&self, step: &Step) -> bool {
        let is_well =
            |slot| !self.snapshot.suspects.contains(&slot) && self.snapshot.nodes.get(slot).is_some();
        let is_for = match step.reason {
            MoveReason::Delay => self.bounds.is_broken(&step.pod.uid),
            MoveReason::Room => self.healing.moves.rooms.has(&step.pod.uid),
            MoveReason::Reserve => true,
        };
        // Somebody else of the workload has come for what was held, or it could not be held.
        let is_held = self.snapshot.backups.holds.standing().any(|(uid, _)| *uid == step.pod.uid);
        is_for && is_held && is_well(step.from) && is_well(step.to) && !self.may_not_move()
    }

    fn ask_to_go(&mut self, step: &Step, refused: u32) {
        let Step { pod, from, to, reason, .. } = step;
        let name = |slot: NodeSlot| self.snapshot.nodes.name(slot).cloned();
        let Some(placed) = self.confirmed(pod) else { return };
        let (Some(from), Some(to)) = (name(*from), name(*to)) else { return };
        let scheduler_name = placed.pod.scheduler_name.clone();
        let relocation = Relocation { pod: pod.clone(), scheduler_name, from, to, reason: *reason };
        self.actions.push_back(Action::Relocate(relocation));
        self.set_stage(&pod.uid, Stage::Asked { refused });
    }

    fn set_stage(&mut self, uid: &PodUid, stage: Stage) {
        if let Some(step) = self.healing.moves.steps.get_mut(uid) {
            step.stage = stage;
        }
    }

    /// While the pod ends its place is held; some controllers make the next one only when it is gone.
    fn await_successor(&mut self, step: &Step, now: Time) -> Fate {
        let is_awaited = self.snapshot.backups.holds.standing().any(|(uid, _)| *uid == step.pod.uid);
        let is_there = self.cache.get(&step.pod.key).is_some_and(|placed| placed.pod.uid == step.pod.uid);
        if is_awaited && is_there {
            self.renew_hold(step, now);
        }
        // Another replica goes only when this one has gone.
        if is_awaited || is_there { Fate::Goes } else { Fate::Ends }
    }

    fn renew_hold(&mut self, step: &Step, now: Time) {
        let holds = &self.snapshot.backups.holds;
        let hold = holds.of(&step.pod.uid).filter(|hold| hold.until <= now + RENEW_AT).cloned();
        let pod = self.cache.get(&step.pod.key).map(|placed| std::sync::Arc::clone(&placed.pod));
        if let (Some(hold), Some(pod)) = (hold, pod) {
            self.hold(&pod, step.to, hold.demand, now);
        }
    }

    fn end_move(&mut self, uid: &PodUid, now: Time) {
        let Some(step) = self.healing.moves.steps.remove(uid) else { return };
        // One that somebody came for is theirs.
        if self.snapshot.backups.holds.standing().any(|(held, _)| held == uid) {
            self.end_hold(uid, now);
        }
        let landed = step.stage == Stage::Awaited;
        self.room_move_ended(uid, landed, now);
        self.moves_due(now);
    }

    /// An eviction came to an end.
    pub(in crate::state) fn apply_relocated(
        &mut self,
        relocation: &Relocation,
        outcome: RelocateOutcome,
        now: Time,
    ) {
        let uid = &relocation.pod.uid;
        let Some(step) = self.healing.moves.steps.get(uid).cloned() else { return };
        let Stage::Asked { refused } = step.stage else { return };
        self.moves_due(now);
        let times = refused + 1;
        let again = now + AGAIN_AFTER.saturating_mul(1 << refused.min(8));
        let (why, gives_up) = match outcome {
            RelocateOutcome::Evicted => {
                self.set_stage(uid, Stage::Awaited);
                let (from, to) = (relocation.from.clone(), relocation.to.clone());
                self.tell_move(&step, MoveTurn::Moved { from, to });
                return;
            }
            RelocateOutcome::Gone => {
                self.end_move(uid, now);
                return;
            }
            RelocateOutcome::Failed(_) => (None, times >= TIMES),
            RelocateOutcome::Budget(why) => (Some(why), times >= TIMES),
            RelocateOutcome::Refused(why) => (Some(why), true),
        };
        self.set_stage(uid, Stage::Refused { again, times });
        if let Some(why) = why
            && self.healing.moves.told.insert(uid.clone())
        {
            self.tell_move(&step, MoveTurn::Refused(why));
        }
        if gives_up {
            self.healing.moves.rests.insert(uid.clone(), now + REST);
            self.end_move(uid, now);
        }
    }

    fn tell_move(&mut self, step: &Step, turn: MoveTurn) {
        let Step { pod, reason, because, .. } = step;
        let Some(placed) = self.cache.get(&pod.key).filter(|placed| placed.pod.uid == pod.uid) else {
            return;
        };
        let scheduler_name = placed.pod.scheduler_name.clone();
        let (pod, because) = (pod.clone(), because.clone());
        let notice = MoveNotice { pod, scheduler_name, reason: *reason, because, turn };
        self.actions.push_back(Action::AnnounceMove(notice));
    }

    /// Tells once that a pod is not moved that should be.
    pub(super) fn tell_unmoved(&mut self, pod: &Pod, reason: MoveReason, because: String, turn: MoveTurn) {
        if self.healing.moves.told.insert(pod.uid.clone()) {
            let (pod, scheduler_name) = (PodRef::of(pod), pod.scheduler_name.clone());
            let notice = MoveNotice { pod, scheduler_name, reason, because, turn };
            self.actions.push_back(Action::AnnounceMove(notice));
        }
    }

    /// A pod is gone.
    pub(in crate::state) fn move_no_more(&mut self, uid: &PodUid, now: Time) {
        let moves = &mut self.healing.moves;
        moves.told.remove(uid);
        moves.rests.remove(uid);
        if moves.steps.contains_key(uid) || moves.rooms.is_for(uid) {
            self.moves_due(now);
        }
    }
}

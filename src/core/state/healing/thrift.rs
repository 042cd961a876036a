//! A better cover: what was found beside the loop is done step by step, and everybody stays covered at each. Who has no
//! backup gets one if others can make room for it, and less is reserved.
//!
//! A backup goes to another node in three moments: the reserve there grows by what it takes, as if the pod were
//! covered by both; then the book says that it is covered there; then what is not needed any more on the old node
//! shrinks as usual. A pod goes elsewhere as any pod that is moved.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::cover::CoveredPod;
use super::movable::may_be_moved;
use super::relocation::MoveReason;
use crate::cover::{Bound, Covered, Kind, Plan, Room, Step, Subject};
use crate::health::Verdict;
use crate::model::{Pod, PodUid, Resources, Time};
use crate::placement::{
    BackupSearch, Cycle, MoveRule, NodeSlot, Profile, Reoptimize, WorkloadRef, allowed_nodes, may_go_to,
    unplaced,
};
use crate::state::State;

/// The cover there is, for who looks for a better one.
#[derive(Clone, Debug, Default)]
pub struct CoverInUse {
    /// The nodes that pods and backups may be on.
    pub rooms: Vec<Room>,
    /// The pods that are to be covered.
    pub subjects: Vec<Subject>,
    /// How many pods may be moved.
    pub moves: usize,
    /// How many may be moved for each that has no backup.
    pub room: usize,
}

/// What was found for the cover that there was.
#[derive(Clone, Debug, Default)]
pub struct LessReserve {
    /// The steps to less.
    pub plan: Plan,
    /// Less than this can't be reserved, whatever is done.
    pub bounds: Vec<Bound>,
}

/// What of it has not been done.
#[derive(Debug, Default)]
pub(super) struct Thrift {
    steps: VecDeque<Step>,
    growing: Option<Growing>,
    /// How far what is reserved is from what has to be, when that was last looked at.
    gap: Vec<ReserveGap>,
    /// The pods that had no backup when somebody last looked.
    looked_for: BTreeSet<PodUid>,
}

/// A reserve grows for a backup that is to come.
#[derive(Debug)]
struct Growing {
    uid: PodUid,
    primary: NodeSlot,
    from: NodeSlot,
    to: NodeSlot,
    until: Time,
}

/// How much of a resource is reserved, and how much has to be at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReserveGap {
    /// The resource.
    pub kind: Kind,
    /// What the book reserves on all nodes together, in milli-CPU, bytes or the resource's own unit.
    pub reserved: i64,
    /// Less can't be.
    pub bound: i64,
}

/// How many pods may be moved by one plan.
const MOVES: usize = 2;
/// How many may be moved for one that has no backup.
const ROOM: usize = 2;
/// A node that has failed for so long, or is back since then and not used yet, is no reason to wait.
const SETTLED: Duration = Duration::from_mins(1);
/// How many steps are done in one go for which nothing has to grow.
const AT_ONCE: usize = 16;
/// For so long a reserve may take to grow.
const GROWS_WITHIN: Duration = Duration::from_secs(30);

// === impl Thrift ===

impl Thrift {
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.growing.is_none()
    }
}

// === impl State ===

impl State {
    /// The cover there is, if a better one is to be looked for and nothing speaks against that now.
    pub fn cover_in_use(&self, now: Time) -> Option<CoverInUse> {
        let thrift = &self.healing.moves.thrift;
        let mut rules = self.config.profiles.iter().filter_map(Profile::backup_rule);
        let rule = rules.clone().map(|rule| rule.moves.reoptimize).max()?;
        let is_calm = self.snapshot.backups.holds.is_empty() && self.is_quiet(now);
        if rule == Reoptimize::Off || !self.leads || !is_calm || !thrift.is_empty() || self.may_not_move() {
            return None;
        }
        let moves = if rule == Reoptimize::Pods { MOVES } else { 0 };
        let room = if rules.any(|rule| rule.moves.makes_room) { ROOM } else { 0 };
        let incomplete = self.incomplete();
        let may_move = |pod: &Pod, slot, rule: MoveRule| {
            (rule.reoptimize == Reoptimize::Pods || rule.makes_room)
                && !self.stays_now(pod, slot, now)
                && !incomplete.contains(&WorkloadRef::top_of(pod))
        };
        let cover = self.cover_by(|rule, _| rule.reoptimize != Reoptimize::Off, may_move);
        Some(CoverInUse { moves, room, ..cover })
    }

    /// Whether no node is being healed: none is suspect, and those that failed did so some time ago.
    pub(super) fn is_quiet(&self, now: Time) -> bool {
        let mut unwell = self.healing.detector.unwell();
        unwell.all(|(_, verdict)| match verdict {
            Verdict::Alive => true,
            Verdict::Suspect { .. } => false,
            Verdict::Lost { since } | Verdict::Returning { since } => since + SETTLED <= now,
        })
    }

    /// Whether a pod is not moved now to save anything.
    fn stays_now(&self, pod: &Pod, slot: NodeSlot, now: Time) -> bool {
        let rhythm = self.move_rule_of(&pod.scheduler_name).rhythm;
        let owner = WorkloadRef::top_of(pod);
        let pace = &self.healing.moves.pace;
        let placed = self.bounds.get(&pod.uid).map_or(now, |bound| bound.since);
        pace.free_at(rhythm) > now
            || pace.stays_until(&owner, placed, rhythm) > now
            || self.why_not_moved(pod, slot).is_some()
    }

    /// Whether pods have no backup for which nobody has looked yet, but for where there is room by itself.
    pub fn has_newly_uncovered(&self) -> bool {
        let looked_for = &self.healing.moves.thrift.looked_for;
        self.without_backup().any(|uid| !looked_for.contains(uid))
    }

    /// The pods that were judged and have no backup.
    fn without_backup(&self) -> impl Iterator<Item = &PodUid> {
        self.cover.pods.iter().filter(|(_, pod)| pod.missing.is_some()).map(|(uid, _)| uid)
    }

    /// All the cover there is, whether or not anything may be changed now: backups may go elsewhere, and so may every
    /// pod that is ever moved.
    pub fn whole_cover(&self) -> CoverInUse {
        let ever = |pod: &Pod, _, _| may_be_moved(pod, &self.snapshot).is_ok();
        self.cover_by(|_, is_covered| is_covered, ever)
    }

    /// The pods of which something `may_change`, by their rule and whether they have a backup, and whether that may be the
    /// node of the pod itself.
    fn cover_by(
        &self,
        may_change: impl Fn(MoveRule, bool) -> bool,
        may_move: impl Fn(&Pod, NodeSlot, MoveRule) -> bool,
    ) -> CoverInUse {
        let mut allowed: BTreeMap<WorkloadRef, Arc<[NodeSlot]>> = BTreeMap::new();
        let mut subjects = Vec::new();
        for (uid, CoveredPod { slot, .. }) in &self.cover.pods {
            let Some(pod) = self.covered_pod(uid) else { continue };
            let Some(profile) = self.profile(&pod.scheduler_name) else { continue };
            let rule = profile.backup_rule().map(|rule| rule.moves).unwrap_or_default();
            let covered = self.snapshot.backups.book.of(uid);
            if !may_change(rule, covered.is_some()) {
                continue;
            }
            let owner = WorkloadRef::top_of(&pod);
            let nodes = allowed
                .entry(owner)
                .or_insert_with(|| allowed_nodes(&self.snapshot, &unplaced(&pod), profile));
            subjects.push(Subject {
                pod: uid.clone(),
                primary: *slot,
                backup: covered.map(|covered| covered.backup),
                allowed: Arc::clone(nodes),
                demand: covered.map_or(&pod.requests, |covered| &covered.demand).clone(),
                movable: may_move(&pod, *slot, rule),
            });
        }
        CoverInUse { rooms: self.rooms(&subjects), moves: subjects.len(), subjects, room: 0 }
    }

    fn covered_pod(&self, uid: &PodUid) -> Option<Arc<Pod>> {
        let key = &self.cover.pods.get(uid)?.key;
        let placed = self.cache.get(key).filter(|placed| placed.pod.uid == *uid && placed.confirmed)?;
        (!placed.pod.terminating).then(|| Arc::clone(&placed.pod))
    }

    /// What these pods and their backups may take on each node together.
    fn rooms(&self, subjects: &[Subject]) -> Vec<Room> {
        let mut theirs: BTreeMap<NodeSlot, Resources> = BTreeMap::new();
        for subject in subjects {
            theirs.entry(subject.primary).or_default().add(&subject.demand);
        }
        let backups = &self.snapshot.backups;
        let is_well = |slot: &NodeSlot| !self.snapshot.suspects.contains(slot);
        let open = self
            .snapshot
            .nodes
            .iter()
            .filter(|view| is_well(&view.slot) && !backups.is_closed(view.node, view.slot, true));
        let room = |view: crate::placement::NodeView<'_>| {
            let mut room = backups.room(view);
            if let Some(theirs) = theirs.get(&view.slot) {
                room.add(theirs);
            }
            Room { node: view.slot, room }
        };
        open.map(room).collect()
    }

    /// How far what is reserved is from what has to be, as it was last looked at.
    pub fn reserve_gap(&self) -> &[ReserveGap] {
        &self.healing.moves.thrift.gap
    }

    /// Somebody has looked for less reserve.
    pub(in crate::state) fn apply_less_reserve(&mut self, found: LessReserve, now: Time) {
        let LessReserve { plan, bounds } = found;
        let gap = |bound: Bound| ReserveGap {
            reserved: bound.kind.of(&plan.before),
            bound: bound.lower,
            kind: bound.kind,
        };
        self.healing.moves.thrift.gap = bounds.into_iter().map(gap).collect();
        self.healing.moves.thrift.looked_for = self.without_backup().cloned().collect();
        if self.leads && self.healing.moves.thrift.is_empty() {
            self.healing.moves.thrift.steps = plan.steps.into();
            self.moves_due(now);
        }
    }

    /// Goes on with the steps; whether there are more.
    pub(super) fn go_on_saving(&mut self, now: Time) -> bool {
        if self.healing.moves.thrift.is_empty() {
            return false;
        }
        if self.may_not_move() || !self.is_quiet(now) {
            // What was found was found for another cluster.
            self.stop_saving(now);
            return false;
        }
        self.go_on_growing(now);
        for _ in 0..AT_ONCE {
            if self.healing.moves.thrift.growing.is_some() {
                break;
            }
            let Some(step) = self.healing.moves.thrift.steps.pop_front() else { break };
            self.save_by(&step, now);
        }
        !self.healing.moves.thrift.is_empty()
    }

    fn stop_saving(&mut self, now: Time) {
        self.healing.moves.thrift.steps.clear();
        if let Some(growing) = self.healing.moves.thrift.growing.take() {
            self.strike_cover(&shadow(&growing.uid), now);
        }
    }

    fn save_by(&mut self, step: &Step, now: Time) {
        let Step { pod: uid, primary, backup, moves } = step;
        let Some(pod) = self.covered_pod(uid) else { return };
        let before = self.snapshot.backups.book.of(uid).cloned();
        if *moves {
            if let Some(from) = self.cover.pods.get(uid).map(|covered| covered.slot) {
                self.move_to_save(&pod, from, *primary, now);
            }
            return;
        }
        let Some(before) = before else {
            // It is looked for where there is room for it now.
            self.cover.due.insert(uid.clone());
            return;
        };
        if before.primary == *primary && before.backup != *backup {
            self.change_backup(&pod, &before, *backup, now);
        }
    }

    fn move_to_save(&mut self, pod: &Arc<Pod>, from: NodeSlot, to: NodeSlot, now: Time) {
        if self.stays_now(pod, from, now) || self.is_incomplete(&WorkloadRef::top_of(pod)) {
            return;
        }
        let idx = self.profile_by_name.get(&pod.scheduler_name).copied();
        let Some(profile) = idx.and_then(|idx| self.config.profiles.get(idx)) else { return };
        if may_go_to(&mut self.snapshot, pod, profile, from, to) {
            let because = if self.without_backup().next().is_some() {
                "a pod has a backup then that has none"
            } else {
                "less has to be reserved then"
            };
            let because = because.to_owned();
            self.begin_move(pod, [from, to], (MoveReason::Reserve, because), now);
        }
    }

    fn change_backup(&mut self, pod: &Arc<Pod>, before: &Covered, to: NodeSlot, now: Time) {
        let idx = self.profile_by_name.get(&pod.scheduler_name).copied();
        let Some(profile) = idx.and_then(|idx| self.config.profiles.get(idx)) else { return };
        let cover = self.snapshot.take_out(pod, before.primary);
        let judged = unplaced(pod);
        let may = {
            let cycle = Cycle::within(&judged, &self.snapshot, profile);
            BackupSearch::new(cycle, profile, before.primary).is_ok_and(|search| search.can_be(to))
        };
        self.snapshot.put_back(pod, before.primary, cover);
        if !may {
            return;
        }
        let (uid, primary, from) = (pod.uid.clone(), before.primary, before.backup);
        let until = now + GROWS_WITHIN;
        self.enter_book(&shadow(&uid), Covered { backup: to, ..before.clone() }, now);
        self.healing.moves.thrift.growing = Some(Growing { uid, primary, from, to, until });
        self.go_on_growing(now);
    }

    /// When the reserve is there the pod is covered by it.
    fn go_on_growing(&mut self, now: Time) {
        let Some(growing) = self.healing.moves.thrift.growing.take() else { return };
        let Growing { uid, primary, from, to, until } = &growing;
        let as_before = |covered: &&Covered| covered.primary == *primary && covered.backup == *from;
        let covered = self.snapshot.backups.book.of(uid).filter(as_before).cloned();
        let Some(covered) = covered.filter(|_| *until > now && self.snapshot.nodes.get(*to).is_some()) else {
            self.strike_cover(&shadow(uid), now);
            return;
        };
        if self.is_short(*to) {
            self.healing.moves.thrift.growing = Some(growing);
            return;
        }
        self.strike_cover(&shadow(uid), now);
        self.enter_book(uid, Covered { backup: *to, ..covered }, now);
        self.cover.to_write.insert(uid.clone());
    }
}

/// By this name a pod stands in the book a second time while the reserve grows that it is to be covered by.
fn shadow(uid: &PodUid) -> PodUid {
    PodUid::new(format!("next/{uid}"))
}

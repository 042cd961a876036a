//! Making room: a pod that fits nowhere within its delay constraints gets the place of others that can be elsewhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::movable::may_be_moved;
use super::moves::{Moves, REST};
use super::relocation::MoveReason;
use crate::delay::DelayConstraints;
use crate::model::{Pod, PodKey, PodUid, Time};
use crate::moves::{Chain, Effort, Hop, make_room};
use crate::placement::{Diagnosis, MoveRule, NodeSlot, Profile, Rehearsal, Snapshot, WorkloadRef};
use crate::state::bounds::Bounds;
use crate::state::{PodRef, Queued, State, queue};

/// How much is tried for one pod.
const EFFORT: Effort = Effort { tries: 256 };
/// How many nodes of a pod's radius are looked at.
const MAX_HOMES: usize = 32;
/// So often room is looked for, at most. Pods that come in between are told that there is none.
const SEARCH_EVERY: Duration = Duration::from_millis(200);
/// For so long a pod waits for the place that was made for it.
const WAIT: Duration = Duration::from_mins(2);

/// The pods for which room is made.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    by_pod: BTreeMap<PodUid, Room>,
    next_search: Time,
}

/// Room is made for a pod.
#[derive(Debug)]
struct Room {
    key: PodKey,
    home: NodeSlot,
    /// The moves that have not begun.
    hops: VecDeque<Hop<PodUid>>,
    /// The pod that is being moved, or was last.
    moving: Option<PodUid>,
    /// Whether that has come to its place.
    landed: bool,
    until: Time,
}

/// Which pods may be moved now so that another one gets their room.
struct Movers<'a> {
    moves: &'a Moves,
    bounds: &'a Bounds,
    rules: BTreeMap<&'a str, MoveRule>,
    /// Workloads of which a pod waits or is moved.
    incomplete: BTreeSet<WorkloadRef>,
    now: Time,
}

// === impl Rooms ===

impl Rooms {
    pub(super) fn is_empty(&self) -> bool {
        self.by_pod.is_empty()
    }

    /// Whether this pod is moved to make room.
    pub(super) fn has(&self, uid: &PodUid) -> bool {
        self.by_pod.values().any(|room| room.moving.as_ref() == Some(uid))
    }

    /// Whether room is made for this pod.
    pub(super) fn is_for(&self, uid: &PodUid) -> bool {
        self.by_pod.contains_key(uid)
    }
}

// === impl Movers ===

impl Movers<'_> {
    fn may(&self, snapshot: &Snapshot, pod: &Pod) -> bool {
        let Some(rule) = self.rules.get(&*pod.scheduler_name).filter(|rule| rule.makes_room) else {
            return false;
        };
        let owner = WorkloadRef::top_of(pod);
        let placed = self.bounds.get(&pod.uid).map_or(Time::ZERO, |bound| bound.since);
        may_be_moved(pod, snapshot).is_ok()
            && !self.moves.rests.contains_key(&pod.uid)
            && !self.incomplete.contains(&owner)
            && self.moves.pace.stays_until(&owner, placed, rule.rhythm) <= self.now
            && snapshot.budgets.part(vec![Arc::new(pod.clone())]).0.is_empty()
    }
}

// === impl State ===

impl State {
    /// A pod fits nowhere. If others can make room for it, they begin to; what is said of that.
    pub(in crate::state) fn begin_to_make_room(
        &mut self,
        queued: &Queued,
        diagnosis: &Diagnosis,
        now: Time,
    ) -> Option<String> {
        let pod = Arc::clone(&queued.pod);
        if let Some(room) = self.healing.moves.rooms.by_pod.get(&pod.uid) {
            return Some(self.say_room(room.home));
        }
        let Chain { hops, home } = self.find_chain(&pod, diagnosis, now)?;
        self.nominate(&pod, home, now);
        let leaving = hops.iter().filter(|hop| hop.from == home).map(|hop| hop.pod.clone());
        self.preemptions.begin(pod.uid.clone(), pod.key.clone(), leaving);
        let room = Room {
            key: pod.key.clone(),
            home,
            hops: hops.into(),
            moving: None,
            landed: true,
            until: now + WAIT,
        };
        self.healing.moves.rooms.by_pod.insert(pod.uid.clone(), room);
        self.moves_due(now);
        Some(self.say_room(home))
    }

    fn say_room(&self, home: NodeSlot) -> String {
        let node = self.snapshot.nodes.name(home).map_or("", |name| name.as_str());
        format!("Pods are moved to make room on node {node}.")
    }

    fn find_chain(&mut self, pod: &Pod, diagnosis: &Diagnosis, now: Time) -> Option<Chain<PodUid>> {
        let rule = self.move_rule_of(&pod.scheduler_name);
        let moves = &self.healing.moves;
        if !rule.makes_room
            || !self.leads
            || !DelayConstraints::any(pod)
            || diagnosis.pre_filter.is_some()
            || moves.rests.contains_key(&pod.uid)
            || moves.rooms.next_search > now
            || moves.pace.free_at(rule.rhythm) > now
            || self.may_not_move()
        {
            return None;
        }
        let is_well = |slot: &NodeSlot| !self.snapshot.suspects.contains(slot);
        let homes: Vec<NodeSlot> = diagnosis.resolvable().filter(is_well).take(MAX_HOMES).collect();
        if homes.is_empty() {
            return None;
        }
        self.healing.moves.rooms.next_search = now + SEARCH_EVERY;
        let profiles: BTreeMap<&str, &Profile> =
            self.config.profiles.iter().map(|profile| (&*profile.scheduler_name, profile)).collect();
        let profile = profiles.get(&*pod.scheduler_name)?;
        let of_rule = |profile: &Profile| profile.backup_rule().map(|rule| rule.moves).unwrap_or_default();
        let mut incomplete = self.incomplete();
        incomplete.insert(WorkloadRef::top_of(pod));
        let movers = Movers {
            moves: &self.healing.moves,
            bounds: &self.bounds,
            rules: profiles.iter().map(|(name, profile)| (*name, of_rule(profile))).collect(),
            incomplete,
            now,
        };
        let may = |snapshot: &Snapshot, pod: &Pod| movers.may(snapshot, pod);
        let profile_of = |name: &str| profiles.get(name).copied();
        let mut rehearsal = Rehearsal::new(&mut self.snapshot, pod, profile, homes, &profile_of, &may);
        let found = make_room(&mut rehearsal, EFFORT);
        drop(rehearsal);
        if found.is_none() {
            self.healing.moves.rests.insert(pod.uid.clone(), now + REST / 2);
        }
        found
    }

    /// Goes on with making room: the next move begins when the one before is done.
    pub(super) fn go_on_making_room(&mut self, now: Time) {
        for uid in self.healing.moves.rooms.by_pod.keys().cloned().collect::<Vec<_>>() {
            let Some(room) = self.healing.moves.rooms.by_pod.get(&uid) else { continue };
            let waits = self.queue.get(&room.key).is_some_and(|queued| queued.pod.uid == uid);
            let is_gone = |moved: &PodUid| !self.healing.moves.steps.contains_key(moved);
            if !waits {
                self.healing.moves.rooms.by_pod.remove(&uid);
            } else if room.landed && room.moving.as_ref().is_none_or(is_gone) {
                self.go_on_making_room_for(&uid, now);
            }
        }
    }

    fn go_on_making_room_for(&mut self, uid: &PodUid, now: Time) {
        let Some(room) = self.healing.moves.rooms.by_pod.get_mut(uid) else { return };
        let (key, is_late) = (room.key.clone(), room.until <= now);
        let Some(hop) = room.hops.front().cloned() else {
            if is_late {
                self.make_no_room(uid, now);
            }
            return;
        };
        // Who was moved before may still be ending where this one is to go.
        let before = room.moving.clone();
        let pods = |slot: NodeSlot| self.snapshot.nodes.get(slot).into_iter().flat_map(|it| &it.usage.pods);
        let ends = before.is_some_and(|before| pods(hop.to).any(|pod| pod.uid == before));
        if ends && !is_late {
            return;
        }
        let pod = pods(hop.from).find(|pod| pod.uid == hop.pod && !pod.terminating).cloned();
        let Some(pod) = pod.filter(|pod| !ends && self.confirmed(&PodRef::of(pod)).is_some()) else {
            self.make_no_room(uid, now);
            return;
        };
        if let Some(room) = self.healing.moves.rooms.by_pod.get_mut(uid) {
            room.hops.pop_front();
            room.moving = Some(hop.pod);
            (room.landed, room.until) = (false, now + WAIT);
        }
        let because = format!("pod {key} needs its room");
        self.begin_move(&pod, [hop.from, hop.to], (MoveReason::Room, because), now);
    }

    /// A move is over. If it was to make room and did not come about, none is made that way.
    pub(super) fn room_move_ended(&mut self, moved: &PodUid, landed: bool, now: Time) {
        let rooms = self.healing.moves.rooms.by_pod.iter_mut();
        let room = rooms.map(|(uid, room)| (uid.clone(), room));
        let of_move = |(_, room): &(PodUid, &mut Room)| room.moving.as_ref() == Some(moved);
        let Some((uid, room)) = room.into_iter().find(of_move) else { return };
        room.landed = landed;
        if !landed {
            self.make_no_room(&uid, now);
        }
    }

    /// The pod gets no room by moves; it is tried again as any other.
    fn make_no_room(&mut self, uid: &PodUid, now: Time) {
        let Some(Room { key, .. }) = self.healing.moves.rooms.by_pod.remove(uid) else { return };
        self.healing.moves.rests.insert(uid.clone(), now + REST);
        self.preemptions.end(uid);
        let Some(pod) = self.queue.get(&key).map(|queued| Arc::clone(&queued.pod)) else { return };
        if pod.uid == *uid {
            self.denominate(&pod, None, now);
            self.requeue(&key, queue::POD_DELETE, now);
        }
    }
}

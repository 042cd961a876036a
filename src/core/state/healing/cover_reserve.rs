//! What is reserved on each node, by pods, is brought to what the book says, one step at a time.
//!
//! - Too little: one more backup for the difference. What is there stays.
//! - Too much: after a quiet while the backups go that can be done without, the oldest first.
//! - Still too much, or in many pieces: after a longer one a single backup of the right size is made beside
//!   them, where there is room, and then they go (`cover_merge`). So what is reserved is never less than it should be.
//!
//! Nothing is remembered of such steps: what there is and what there should be are compared anew each time.

use std::sync::Arc;
use std::time::Duration;

use super::cover_pieces::{Asked, Going};
use crate::model::{Pod, PodKey, PodUid, Resources, Time};
use crate::placement::{BACKUP_NAMESPACE, NodeSlot};
use crate::state::{Action, BackupPod, Defect, Placed, PodRef, State};

/// For so long the book must have said the same of a node before less is reserved there: a rollout takes pods away
/// and brings them back.
const QUIET: Duration = Duration::from_secs(10);
/// How long to wait for others.
const SOON: Duration = Duration::from_secs(1);
/// What every backup's name begins with.
const NAME: &str = "edge-backup-";
/// So much of a node's name goes into those of its backups, which may have 253 bytes.
const NODE_PART: usize = 200;

// === impl State ===

impl State {
    /// Compares what is reserved with the book where something changed.
    pub(super) fn reconcile_reserves(&mut self, now: Time) {
        self.ask_again(now);
        while let Some((at, slot)) = self.cover.nodes_later.first().copied()
            && at <= now
        {
            self.cover.nodes_later.remove(&(at, slot));
            self.cover.nodes_due.insert(slot);
        }
        while let Some(slot) = self.cover.nodes_due.pop_first() {
            self.reconcile_reserve(slot, now);
        }
    }

    /// Whether less is reserved on a node than the book says, by what the server has.
    pub(super) fn is_short(&self, slot: NodeSlot) -> bool {
        let mut held = Resources::default();
        for pod in self.snapshot.backups.on(slot) {
            if !pod.terminating && !self.cover.pieces.asked.contains_key(&pod.key) {
                held.add(&pod.requests);
            }
        }
        !self.to_keep_by_pods(slot).exceeding(&held).is_nothing()
    }

    /// What backups are to keep on a node. While they are being handed over there the taint keeps what is held.
    fn to_keep_by_pods(&self, slot: NodeSlot) -> Resources {
        let backups = &self.snapshot.backups;
        if backups.handed_over.contains(&slot) && self.is_tainted(slot) {
            return backups.book.reserve(slot);
        }
        backups.to_keep(slot)
    }

    fn reconcile_reserve(&mut self, slot: NodeSlot, now: Time) {
        self.end_merge_in_time(slot, now);
        // Somebody waits for backups there to go. When they have, this is looked at again.
        if self.handovers.is_waited_for(slot) {
            return;
        }
        let backups = &self.snapshot.backups;
        let reserve = self.to_keep_by_pods(slot);
        let room = self.snapshot.nodes.get(slot).map(|node| backups.room(node));
        let all = backups.to_keep(slot);
        if !all.is_nothing() && room.as_ref().is_none_or(|room| !all.exceeding(room).is_nothing()) {
            // Others have come there, whom backups can't keep off. Who does not fit any more is covered elsewhere.
            self.cover_crowded(slot, now);
        }
        let pieces = self.pieces_on(slot);
        let mut held = Resources::default();
        for piece in &pieces {
            held.add(&piece.requests);
        }
        let mut missing = reserve.exceeding(&held);
        if self.has(Defect::ReserveNeverGrows) && !pieces.is_empty() {
            missing = Resources::default();
        }
        if self.has(Defect::GrowsThoughThereIsSlack) && pieces.len() == 1 {
            missing.clone_from(&reserve);
        }
        if self.has(Defect::ReserveNotRebuilt)
            && pieces.is_empty()
            && self.cover.pieces.serials.contains_key(&slot)
        {
            missing = Resources::default();
        }
        if missing.is_nothing() && self.has(Defect::GrowsThoughThereIsSlack) {
            return;
        }
        if missing.is_nothing() {
            self.refused_no_more(slot, now);
        }
        if !missing.is_nothing() {
            self.make_where_it_fits(slot, missing, now);
        } else if self.cover.merging.contains_key(&slot)
            || (!self.snapshot.backups.handed_over.contains(&slot) && !self.is_tainted(slot))
        {
            // What is too much where backups are handed over, or are about to be, goes when that is over.
            self.shrink_reserve(slot, &pieces, held, &reserve, now);
        }
    }

    /// Asks for a backup where there is room for it. Where there is none now, there will be or the book will say less.
    fn make_where_it_fits(&mut self, slot: NodeSlot, requests: Resources, now: Time) {
        let backups = &self.snapshot.backups;
        let Some(node) = self.snapshot.nodes.get(slot) else { return };
        let mut free = backups.spare(node);
        if backups.handed_over.contains(&slot) {
            free.subtract(&backups.holds.sum(slot));
        }
        if requests.exceeding(&free).is_nothing() {
            self.make_backup(slot, requests, now);
        } else {
            self.cover.nodes_later.insert((now + SOON, slot));
        }
    }

    /// The pods that a node covers are judged again, but not again and again.
    fn cover_crowded(&mut self, slot: NodeSlot, now: Time) {
        let last = self.cover.crowded.get(&slot).copied();
        if last.is_none_or(|last| last + SOON <= now) {
            self.cover.crowded.insert(slot, now);
            self.cover_by_due(slot);
        } else {
            self.cover.nodes_later.insert((now + SOON, slot));
        }
    }

    /// The backups on a node that stay there, those on their way included, the oldest first.
    fn pieces_on(&self, slot: NodeSlot) -> Vec<Arc<Pod>> {
        let stays = |pod: &&Arc<Pod>| !pod.terminating && !self.cover.pieces.going.contains_key(&pod.key);
        let mut pieces: Vec<Arc<Pod>> =
            self.snapshot.backups.on(slot).iter().filter(stays).cloned().collect();
        pieces.sort_by_key(|pod| (serial_of(&pod.key.name), pod.key.name.clone()));
        pieces
    }

    fn shrink_reserve(
        &mut self,
        slot: NodeSlot,
        pieces: &[Arc<Pod>],
        mut held: Resources,
        reserve: &Resources,
        now: Time,
    ) {
        let is_too_much = !held.exceeding(reserve).is_nothing();
        if pieces.is_empty() || (pieces.len() == 1 && !is_too_much) {
            self.merge(slot, pieces.len(), is_too_much, reserve, now);
            return;
        }
        let room = self.snapshot.nodes.get(slot).map(|node| self.snapshot.backups.room(node));
        if room.is_some_and(|room| !held.exceeding(&room).is_nothing()) {
            // Somebody needs the room who goes first. There is none to make a smaller one beside it, so it goes before.
            let is_there = |piece: &&Arc<Pod>| !self.cover.pieces.asked.contains_key(&piece.key);
            if let Some(piece) = pieces.iter().find(is_there) {
                self.take_backup(piece, slot);
            }
            return;
        }
        let changed = self.cover.changed.get(&slot).copied().unwrap_or(Time::ZERO);
        if now < changed + QUIET && !self.cover.merging.contains_key(&slot) {
            self.cover.nodes_later.insert((changed + QUIET, slot));
            return;
        }
        if !self.cover.pieces.asked.is_empty() {
            // Pods may be covered by what is on its way elsewhere.
            self.cover.nodes_later.insert((now + SOON, slot));
            return;
        }
        let mut goes = false;
        for piece in pieces {
            let mut rest = held.clone();
            rest.subtract(&piece.requests);
            if reserve.exceeding(&rest).is_nothing() && self.take_backup(piece, slot) {
                held = rest;
                goes = true;
            }
        }
        if goes {
            return;
        }
        self.merge(slot, pieces.len(), is_too_much, reserve, now);
    }

    /// Whether the node is well and takes backups.
    pub(super) fn takes_backups(&self, slot: NodeSlot) -> bool {
        let view = self.snapshot.nodes.get(slot);
        view.is_some_and(|view| !self.snapshot.backups.is_closed(view.node, slot, true))
            && !self.snapshot.suspects.contains(&slot)
    }

    /// Asks for a backup on a node, if that may be done now.
    pub(super) fn make_backup(&mut self, slot: NodeSlot, requests: Resources, now: Time) {
        let held_up = self.cover.pieces.held_up.get(&slot).map(|it| it.until);
        let refused = self.cover.pieces.refused.as_ref().map(|it| it.until_on(slot));
        if let Some(until) = held_up.into_iter().chain(refused).max().filter(|until| now < *until) {
            self.cover.nodes_later.insert((until, slot));
            return;
        }
        let Some(node) = self.snapshot.nodes.get(slot) else { return };
        // While one is on its way the next difference is not known.
        if self.cover.pieces.is_asked_on(slot) || !self.takes_backups(slot) {
            return;
        }
        if node.usage.num_pods() >= node.node.allowed_pods {
            self.cover.nodes_later.insert((now + QUIET, slot));
            return;
        }
        let node = node.node.name.clone();
        if !self.cover.pieces.may_send(slot) {
            return;
        }
        let stem: String = node.as_str().chars().take(NODE_PART).collect();
        let serial = self.next_serial(slot);
        let key =
            PodKey::new(BACKUP_NAMESPACE, format!("{NAME}{}-{serial}", stem.trim_end_matches(['.', '-'])));
        let backup = BackupPod { key: key.clone(), node, requests };
        self.cache
            .put(&mut self.snapshot, Placed { pod: Arc::new(assumed(&backup)), slot, confirmed: false });
        self.actions.push_back(Action::CreateBackup(backup.clone()));
        let asked = Asked { slot, backup, in_flight: true, again: Time::NEVER, failures: 0 };
        self.cover.pieces.asked.insert(key, asked);
    }

    /// Asks for a backup to go, if that may be done now. One that was asked for and is not there yet can't be named.
    pub(super) fn take_backup(&mut self, pod: &Pod, slot: NodeSlot) -> bool {
        let pieces = &self.cover.pieces;
        let is_known = pieces.going.contains_key(&pod.key) || pieces.asked.contains_key(&pod.key);
        if is_known || !self.cover.pieces.may_send(slot) {
            return false;
        }
        let going = Going { uid: pod.uid.clone(), in_flight: true, again: Time::NEVER, failures: 0 };
        self.cover.pieces.going.insert(pod.key.clone(), going);
        self.actions.push_back(Action::DeleteBackup(PodRef::of(pod)));
        true
    }

    /// The same at once, for somebody who waits for it.
    pub(super) fn take_backup_at_once(&mut self, pod: &Pod) {
        if !self.cover.pieces.going.contains_key(&pod.key) {
            let going = Going { uid: pod.uid.clone(), in_flight: true, again: Time::NEVER, failures: 0 };
            self.cover.pieces.going.insert(pod.key.clone(), going);
            self.actions.push_back(Action::DeleteBackup(PodRef::of(pod)));
        }
    }

    /// A number that no backup of the node had, as far as is known.
    fn next_serial(&mut self, slot: NodeSlot) -> u64 {
        let there = self.snapshot.backups.on(slot).iter().map(|pod| serial_of(&pod.key.name)).max();
        let last = self.cover.pieces.serials.entry(slot).or_default();
        *last = there.unwrap_or(0).max(*last).saturating_add(1);
        *last
    }

    /// Sends again what was not answered well, or whose effect was not seen.
    fn ask_again(&mut self, now: Time) {
        let is_due = |in_flight: bool, again: Time| !in_flight && again <= now;
        let mut room = super::cover_pieces::MAX_IN_FLIGHT.saturating_sub(self.cover.pieces.in_flight());
        for asked in
            self.cover.pieces.asked.values_mut().filter(|it| is_due(it.in_flight, it.again)).take(room)
        {
            asked.in_flight = true;
            self.actions.push_back(Action::CreateBackup(asked.backup.clone()));
            room -= 1;
        }
        let going = self.cover.pieces.going.iter_mut().filter(|(_, it)| is_due(it.in_flight, it.again));
        for (key, going) in going.take(room) {
            going.in_flight = true;
            let pod = PodRef { key: key.clone(), uid: going.uid.clone() };
            self.actions.push_back(Action::DeleteBackup(pod));
        }
        for (slot, held_up) in self.cover.pieces.held_up.iter_mut().filter(|(_, it)| it.until <= now) {
            held_up.until = Time::ZERO;
            if self.snapshot.backups.closed.remove(slot) {
                self.cover.may_help = true;
            }
            self.cover.nodes_due.insert(*slot);
        }
        if let Some(refused) = &mut self.cover.pieces.refused
            && refused.until <= now
            && refused.until != Time::ZERO
        {
            refused.until = Time::ZERO;
            self.refused_long_enough(now);
        }
    }
}

/// The number at the end of a backup's name.
pub(super) fn serial_of(name: &str) -> u64 {
    name.rsplit_once('-').and_then(|(_, serial)| serial.parse().ok()).unwrap_or(0)
}

/// The pod that is counted until the watch tells of the one that was made. No pod has its UID.
fn assumed(backup: &BackupPod) -> Pod {
    Pod { uid: PodUid::new(format!("asked/{}", backup.key.name)), ..backup.pod() }
}

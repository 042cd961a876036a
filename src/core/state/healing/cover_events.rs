//! What comes of what was asked for: backups that are there, gone or refused, and what was written into pods.

use super::cover_pieces::{BACKOFF, HeldUp, UNSEEN};
use super::cover_reserve::serial_of;
use crate::model::{NodeName, Phase, Pod, PodKey, PodUid, Time};
use crate::placement::{ClusterEvent, NodeSlot, is_backup};
use crate::state::{Action, BackupsTurn, CoverOutcome, CoverWrite, PodRef, State};

/// How many writes into pods may be on their way at once.
pub(super) const MAX_WRITES: usize = 16;
/// After so many requests for one backup that came to nothing this is told: a webhook that does not answer is mended by
/// nobody who does not know.
const IN_VAIN: u32 = 4;
/// After so many it is asked for less and less often.
const LONG_IN_VAIN: u32 = 8;

// === impl State ===

impl State {
    /// Making a backup came to an end.
    pub(in crate::state) fn apply_backup_made(&mut self, key: &PodKey, outcome: &CoverOutcome, now: Time) {
        self.send_more();
        // If it is known no more, the watch has told that it is there.
        let Some(asked) = self.cover.pieces.asked.get_mut(key) else { return };
        asked.in_flight = false;
        let slot = asked.slot;
        self.cover.nodes_due.insert(slot);
        match outcome {
            CoverOutcome::Done => {
                asked.again = now + UNSEEN;
                self.backups_are_made(slot, now);
            }
            // It may have been made after all. Made again it has the same name, so there is never a second one.
            CoverOutcome::Unknown(why) => {
                asked.failures += 1;
                let failures = asked.failures;
                let backoff = if failures <= LONG_IN_VAIN { self.config.backoff } else { BACKOFF };
                asked.again = now + backoff.after(failures);
                if failures >= IN_VAIN {
                    self.backups_are_refused_on(slot, why, now);
                }
            }
            CoverOutcome::Refused(why) => {
                self.backups_are_refused(slot, why, now);
                self.cover.pieces.asked.remove(key);
                if let Some(freed) = self.cache.remove(&mut self.snapshot, key) {
                    self.wake(&ClusterEvent::PodFreed(&freed.pod), now);
                }
            }
        }
    }

    /// Taking a backup away came to an end.
    pub(in crate::state) fn apply_backup_taken(&mut self, pod: &PodRef, outcome: &CoverOutcome, now: Time) {
        self.send_more();
        let known = self.cache.get(&pod.key).filter(|placed| placed.pod.uid == pod.uid);
        let known = known.map(|placed| placed.pod.clone());
        let Some(going) = self.cover.pieces.going.get_mut(&pod.key).filter(|it| it.uid == pod.uid) else {
            return;
        };
        going.in_flight = false;
        match outcome {
            // It was given no time to end, so it is gone. The watch may tell later.
            CoverOutcome::Done => {
                if let Some(known) = known {
                    self.pod_gone(&known, now);
                }
                self.cover.pieces.going.remove(&pod.key);
                self.backup_has_gone(&pod.key, now);
            }
            CoverOutcome::Unknown(_) | CoverOutcome::Refused(_) => {
                going.failures += 1;
                going.again = now + self.config.backoff.after(going.failures);
            }
        }
    }

    /// Writing where a pod's backup is came to an end.
    pub(in crate::state) fn apply_cover_written(
        &mut self,
        write: &CoverWrite,
        outcome: &CoverOutcome,
        now: Time,
    ) {
        self.cover.writing = self.cover.writing.saturating_sub(1);
        let uid = &write.pod.uid;
        let Some(entry) = self.cover.pods.get_mut(uid) else { return };
        entry.writing = false;
        match outcome {
            CoverOutcome::Done => {
                entry.failures = 0;
                entry.told.clone_from(&write.backup);
                self.cover.to_write.insert(uid.clone());
            }
            CoverOutcome::Unknown(_) | CoverOutcome::Refused(_) => {
                entry.failures += 1;
                let at = now + BACKOFF.after(entry.failures);
                self.cover.write_later.insert((at, uid.clone()));
            }
        }
    }

    /// Writes into pods where their backups are, where they say something else.
    pub(super) fn write_covers(&mut self, now: Time) {
        while let Some((at, uid)) = self.cover.write_later.first().cloned()
            && at <= now
        {
            self.cover.write_later.remove(&(at, uid.clone()));
            self.cover.to_write.insert(uid);
        }
        let mut waiting = Vec::new();
        while let Some(uid) = self.cover.to_write.pop_first() {
            if self.cover.writing >= MAX_WRITES {
                waiting.push(uid);
            } else {
                self.write_cover(&uid);
            }
        }
        self.cover.to_write.extend(waiting);
    }

    fn write_cover(&mut self, uid: &PodUid) {
        let backup = self.backup_of(uid);
        let Some(entry) = self.cover.pods.get_mut(uid).filter(|entry| !entry.writing && entry.told != backup)
        else {
            return;
        };
        // With a binding that is on its way this is written too; what comes of that the watch tells.
        let Some(placed) = self.cache.get(&entry.key).filter(|it| it.confirmed && it.pod.uid == *uid) else {
            return;
        };
        entry.writing = true;
        self.cover.writing += 1;
        self.actions.push_back(Action::WriteCover(CoverWrite { pod: PodRef::of(&placed.pod), backup }));
    }

    fn backup_of(&self, uid: &PodUid) -> Option<NodeName> {
        let covered = self.snapshot.backups.book.of(uid)?;
        self.snapshot.nodes.name(covered.backup).cloned()
    }

    /// The watch tells of a backup that is on a node.
    pub(super) fn backup_seen(&mut self, pod: &Pod, slot: NodeSlot, now: Time) {
        let serial = self.cover.pieces.serials.entry(slot).or_default();
        *serial = serial_of(&pod.key.name).max(*serial);
        if pod.phase == Phase::Running {
            self.cover.pieces.held_up.remove(&slot);
            self.snapshot.backups.closed.remove(&slot);
        }
        self.backup_came(slot, now);
    }

    /// The watch tells of a pod by the name of a backup that was asked for: it counts no longer as asked for.
    pub(in crate::state) fn backup_made(&mut self, pod: &Pod, now: Time) {
        if let Some(asked) = self.cover.pieces.asked.remove(&pod.key) {
            self.cache.remove(&mut self.snapshot, &pod.key);
            self.backups_are_made(asked.slot, now);
        }
    }

    /// Whether this backup was asked for and no watch has told of it, so that a list need not have it.
    pub(in crate::state) fn is_backup_on_its_way(&self, key: &PodKey) -> bool {
        self.cover.pieces.asked.contains_key(key)
    }

    /// A pod ended. If it is a backup, its kubelet refused it or took it away.
    pub(in crate::state) fn backup_may_have_ended(&mut self, pod: &Pod, now: Time) {
        if let Some(node) = pod.node.as_ref().filter(|_| is_backup(pod)) {
            let slot = self.snapshot.nodes.slot_of(node);
            self.backup_ended(pod, slot, now);
        }
    }

    /// A backup ended, because its kubelet refused it or took it away. It is of no use any more, and in the way.
    fn backup_ended(&mut self, pod: &Pod, slot: NodeSlot, now: Time) {
        if self.leads {
            self.take_backup(pod, slot);
        }
        if self.hold_up(slot, now) {
            self.snapshot.backups.closed.insert(slot);
            self.cover_by_due(slot);
        }
    }

    /// A backup is gone. If nobody here asked for that, its node may be about to go too: others will tell of that soon.
    pub(super) fn backup_gone(&mut self, pod: &Pod, slot: NodeSlot, now: Time) {
        let going = self.cover.pieces.going.remove(&pod.key);
        self.send_more();
        self.backup_has_gone(&pod.key, now);
        if going.is_none_or(|going| going.uid != pod.uid) && !self.snapshot.backups.closed.contains(&slot) {
            let held_up = self.cover.pieces.held_up.entry(slot).or_insert(HeldUp { until: now, failures: 0 });
            held_up.until = held_up.until.max(now + BACKOFF.initial);
        }
    }

    /// Nothing is made on a node for a while. Whether that is new.
    fn hold_up(&mut self, slot: NodeSlot, now: Time) -> bool {
        let held_up = self.cover.pieces.held_up.entry(slot).or_insert(HeldUp { until: now, failures: 0 });
        if self.snapshot.backups.closed.contains(&slot) {
            return false;
        }
        held_up.failures += 1;
        held_up.until = now + BACKOFF.after(held_up.failures);
        true
    }

    /// One was made on a node. What was refused on others is tried once more now, for that may be over too.
    fn backups_are_made(&mut self, slot: NodeSlot, now: Time) {
        let Some(refused) = &mut self.cover.pieces.refused else { return };
        refused.nodes.remove(&slot);
        refused.is_partial = true;
        refused.until = Time::ZERO;
        for node in refused.nodes.values_mut() {
            node.until = now;
        }
        if refused.nodes.is_empty() {
            self.cover.pieces.refused = None;
            self.actions.push_back(Action::AnnounceBackups(BackupsTurn::Made));
        }
        self.backups_may_be_made(now);
    }

    /// One was refused on a node, as all would be as far as is known.
    fn backups_are_refused(&mut self, slot: NodeSlot, why: &str, now: Time) {
        self.backups_are_refused_on(slot, why, now);
        let Some(refused) = self.cover.pieces.refused.as_mut().filter(|it| !it.is_partial) else { return };
        self.snapshot.backups.refused = Some(why.into());
        // What was asked for at once is refused at once, and counts once.
        if refused.until <= now {
            refused.failures += 1;
            refused.until = now + BACKOFF.after(refused.failures);
        }
    }

    /// One was not made on a node, which says nothing of others.
    fn backups_are_refused_on(&mut self, slot: NodeSlot, why: &str, now: Time) {
        // Further ones may say it in other words; it is the same to whoever has to mend it.
        if self.cover.pieces.refused.is_none() {
            self.actions.push_back(Action::AnnounceBackups(BackupsTurn::Refused(why.to_owned())));
        }
        let refused = self.cover.pieces.refused.get_or_insert_default();
        let node = refused.nodes.entry(slot).or_insert(HeldUp { until: now, failures: 0 });
        node.failures += 1;
        node.until = now + BACKOFF.after(node.failures);
    }

    /// What was refused is tried again. If nobody needs it any more, nobody would ever find out that it is possible.
    pub(super) fn refused_long_enough(&mut self, now: Time) {
        let keepers: Vec<NodeSlot> = self.snapshot.backups.keepers().collect();
        if keepers.iter().any(|slot| self.is_short(*slot)) {
            self.cover.nodes_due.extend(keepers);
        } else {
            self.cover.pieces.refused = None;
            self.backups_may_be_made(now);
        }
    }

    /// Nothing is missing on a node, so what was refused there is of no concern any more, if others are made.
    pub(super) fn refused_no_more(&mut self, slot: NodeSlot, now: Time) {
        let pieces = &self.cover.pieces;
        let was_refused =
            pieces.refused.as_ref().is_some_and(|it| it.is_partial && it.nodes.contains_key(&slot));
        if was_refused && !pieces.is_asked_on(slot) {
            self.backups_are_made(slot, now);
        }
    }

    fn backups_may_be_made(&mut self, now: Time) {
        self.snapshot.backups.refused = None;
        self.cover.nodes_due.extend(self.snapshot.backups.keepers());
        self.wake(&ClusterEvent::BackupsChanged, now);
    }

    /// Something is on its way no longer, so something else may be.
    fn send_more(&mut self) {
        let waiting = std::mem::take(&mut self.cover.pieces.waiting);
        self.cover.nodes_due.extend(waiting);
    }
}

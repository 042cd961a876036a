//! Who is covered where is judged: kept where it may be, else chosen anew.

use super::cover::{CoveredPod, PATIENCE, SWEEP, SWEPT_AT_ONCE, TURN};
use crate::cover::Covered;
use crate::model::{NodeName, Pod, PodUid, Time};
use crate::placement::{BackupSearch, Cycle, NoBackup, NodeSlot, unplaced};
use crate::state::{Action, CoverTurn, CoverTurned, Defect, PodRef, State};

/// How many pods are judged in one go.
const AT_ONCE: usize = 16;
/// Backups that are refused on so many nodes and made on none are refused whatever they are.
const TRIED: usize = 8;

/// What came of judging a pod.
enum Judged {
    /// Its backup stays where it is.
    Kept,
    /// Its backup is there from now on.
    On(NodeSlot),
    /// It has none, for this reason.
    Missing(String),
    /// Delays from these nodes have to be loaded first.
    Awaits(Vec<NodeName>),
}

// === impl State ===

impl State {
    /// Looks after cover for a while; whether there may be more to do at once.
    pub(in crate::state) fn look_after_cover(&mut self, now: Time) -> bool {
        if !self.leads {
            return false;
        }
        self.cover.looked = now;
        self.go_on_sweeping(now);
        for _ in 0..AT_ONCE {
            let Some(uid) = self.cover.due.pop_first() else { break };
            self.judge_cover(&uid, now);
        }
        if !self.cover.due.is_empty() {
            return true;
        }
        self.reconcile_reserves(now);
        self.write_covers(now);
        self.cover.has_work()
    }

    /// Whether cover has waited long enough for pods to be placed.
    pub(in crate::state) fn cover_is_overdue(&self, now: Time) -> bool {
        self.cover.has_work() && now.since(self.cover.looked) >= PATIENCE
    }

    /// When cover has to be looked after though nothing happens.
    pub(in crate::state) fn cover_wakes_at(&self) -> Option<Time> {
        if !self.leads {
            return None;
        }
        if self.cover.has_work() {
            return Some(Time::ZERO);
        }
        let turn = (!self.cover.pods.is_empty()).then_some(self.cover.next_turn);
        let node = self.cover.nodes_later.first().map(|(at, _)| *at);
        let write = self.cover.write_later.first().map(|(at, _)| *at);
        [turn, node, write, self.cover.pieces.next_due()].into_iter().flatten().min()
    }

    fn go_on_sweeping(&mut self, now: Time) {
        if now < self.cover.next_turn || self.cover.pods.is_empty() {
            return;
        }
        self.cover.next_turn = now + TURN;
        if std::mem::take(&mut self.cover.may_help) {
            let uncovered = self.cover.pods.keys().filter(|uid| self.snapshot.backups.book.of(uid).is_none());
            self.cover.due.extend(uncovered.cloned().collect::<Vec<_>>());
        }
        let share = self.cover.pods.len().div_ceil(SWEEP).min(SWEPT_AT_ONCE);
        let after = self.cover.swept.take();
        let rest = self.cover.pods.keys().filter(|uid| after.as_ref().is_none_or(|after| *uid > after));
        let next: Vec<PodUid> = rest.take(share).cloned().collect();
        self.cover.swept = next.last().cloned();
        self.cover.due.extend(next);
    }

    fn judge_cover(&mut self, uid: &PodUid, now: Time) {
        let Some(CoveredPod { key, slot, .. }) = self.cover.pods.get(uid).cloned() else { return };
        let placed = self.cache.get(&key).filter(|placed| placed.pod.uid == *uid);
        let Some(pod) = placed.map(|placed| placed.pod.clone()) else { return };
        let before = self.snapshot.backups.book.of(uid).cloned();
        let has_node = |covered: &Covered| self.snapshot.nodes.get(covered.backup).is_some();
        // Whoever heals the loss of its node counts on the backup being where it is.
        if self.snapshot.suspects.contains(&slot) && before.as_ref().is_some_and(has_node) {
            return;
        }
        if before.is_none() && self.is_tried_by_others() {
            return;
        }
        match self.find_backup(&pod, slot, before.as_ref()) {
            Judged::Kept => self.cover_found(uid),
            Judged::On(backup) => {
                let backup = if self.has(Defect::BackupOnOwnNode) { slot } else { backup };
                let covered = Covered { primary: slot, backup, demand: pod.requests.clone() };
                self.enter_book(uid, covered, now);
                self.cover.to_write.insert(uid.clone());
                self.cover_found(uid);
            }
            Judged::Missing(why) => {
                if before.is_some() {
                    self.strike_cover(uid, now);
                }
                self.cover.to_write.insert(uid.clone());
                self.cover_missing(uid, &pod, why);
            }
            Judged::Awaits(nodes) => self.use_delays(&nodes),
        }
    }

    /// Whether backups can't be made anywhere, as far as is known, and enough of them are tried from time to time: then
    /// nothing is gained by looking for more.
    fn is_tried_by_others(&self) -> bool {
        let refused = self.cover.pieces.refused.as_ref();
        refused.is_some_and(|it| !it.is_partial && it.nodes.len() >= TRIED)
    }

    /// Judges the pod as one that has to be placed anew; it is counted nowhere meanwhile.
    fn find_backup(&mut self, pod: &std::sync::Arc<Pod>, slot: NodeSlot, before: Option<&Covered>) -> Judged {
        let profile = self.profile_by_name.get(&pod.scheduler_name).copied();
        let Some(profile) = profile.and_then(|idx| self.config.profiles.get(idx)) else {
            return Judged::Kept;
        };
        let cover = self.snapshot.take_out(pod, slot);
        let judged = unplaced(pod);
        let found = {
            let cycle = Cycle::within(&judged, &self.snapshot, profile);
            match BackupSearch::new(cycle, profile, slot) {
                Err(no_search) => Err(NoBackup::from(no_search)),
                Ok(search) => match before {
                    Some(before) if search.may_keep(before.backup) => Ok(None),
                    _ => search.choose().map(Some),
                },
            }
        };
        self.snapshot.put_back(pod, slot, cover);
        match found {
            Ok(None) => Judged::Kept,
            Ok(Some(backup)) => Judged::On(backup),
            Err(NoBackup::AwaitDelays(nodes)) => Judged::Awaits(nodes),
            Err(NoBackup::Nowhere(error)) => Judged::Missing(error.to_string()),
        }
    }

    fn cover_found(&mut self, uid: &PodUid) {
        let Some(entry) = self.cover.pods.get_mut(uid) else { return };
        if entry.missing.take().is_some() {
            let key = entry.key.clone();
            self.announce_cover(uid, &key, CoverTurned::Found);
        }
    }

    fn cover_missing(&mut self, uid: &PodUid, pod: &Pod, why: String) {
        let Some(entry) = self.cover.pods.get_mut(uid) else { return };
        let first = entry.missing.replace(why.clone()).is_none();
        if self.has(Defect::ForgottenWithoutBackup) {
            self.cover.pods.remove(uid);
        }
        if first {
            self.announce_cover(uid, &pod.key, CoverTurned::Missing(why));
        }
    }

    fn announce_cover(&mut self, uid: &PodUid, key: &crate::model::PodKey, turned: CoverTurned) {
        let Some(placed) = self.cache.get(key).filter(|placed| placed.pod.uid == *uid) else { return };
        let scheduler_name = placed.pod.scheduler_name.clone();
        let name = |covered: &Covered| self.snapshot.nodes.name(covered.backup).cloned();
        let backup = self.snapshot.backups.book.of(uid).and_then(name);
        let pod = PodRef::of(&placed.pod);
        self.actions.push_back(Action::AnnounceCover(CoverTurn { pod, scheduler_name, backup, turned }));
    }
}

//! The taint of a handover: which nodes are to have it, and which have it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fate::Fate;
use super::holds::HELD_FOR;
use crate::health::Verdict;
use crate::model::{Name, Node, NodeName, Time};
use crate::placement::{HANDOVER_TAINT, NodeSlot};
use crate::state::{Action, Backoff, CoverOutcome, State};

/// How long a node may be suspect or lost while the taint stands on the backups' nodes of pods that are still there.
const PREPARED_FOR: Duration = Duration::from_mins(1);
/// How long the taint stands at most when a handover is over and what is to be kept is not there yet.
const OUTLASTS: Duration = Duration::from_secs(10);
/// How long to wait after a request whose outcome is not known.
const AGAIN: Backoff = Backoff { initial: Duration::from_millis(250), max: Duration::from_secs(10) };
/// After so many of them it goes on without.
const IN_VAIN: u32 = 3;
/// The same after one that the server refused.
const REFUSED_FOR: Duration = Duration::from_mins(5);
/// A request that was answered is made again after this, if the watch has not told of its effect.
const UNSEEN: Duration = Duration::from_secs(10);

/// The taint of a handover is to be set on a node, or to be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoverTaint {
    /// The node.
    pub node: NodeName,
    /// The UID of its object: a later node of the same name is left alone.
    pub uid: Name,
    /// Whether it is to be there.
    pub stands: bool,
}

/// The taints of handovers.
#[derive(Debug, Default)]
pub(super) struct Taints {
    /// The nodes that have it, by the watch's word.
    seen: BTreeSet<NodeSlot>,
    /// What was asked for and the watch has not told of.
    asked: BTreeMap<NodeSlot, Asked>,
    /// Where a handover is over, and until when the taint may stay for what is made anew.
    outlasts: BTreeMap<NodeSlot, Time>,
    /// Where it was set by ourselves.
    ours: BTreeSet<NodeSlot>,
    /// Where it was found, set by a scheduler that is no more, and until when it stays: whom that one awaited may
    /// still come, when it is known again which node failed.
    found: BTreeMap<NodeSlot, Time>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    stands: bool,
    state: AskedState,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AskedState {
    /// The request is on its way.
    OnItsWay,
    /// The server did it. It is asked again at this time, if the watch doesn't tell.
    Done(Time),
    /// It was not done. It is asked again at this time.
    Failed(Time),
}

// === impl Taints ===

impl Taints {
    /// A handover is over.
    pub(super) fn outlast(&mut self, slot: NodeSlot, now: Time) {
        self.outlasts.insert(slot, now + OUTLASTS);
    }

    /// When there is something to do.
    pub(super) fn next_due(&self) -> Option<Time> {
        let asked = self.asked.values().filter_map(|asked| match asked.state {
            AskedState::OnItsWay => None,
            AskedState::Done(at) | AskedState::Failed(at) => Some(at),
        });
        asked.chain(self.outlasts.values().copied()).chain(self.found.values().copied()).min()
    }

    /// Whether the node has the taint, by the watch's word or the server's.
    fn stands(&self, slot: NodeSlot) -> bool {
        match self.asked.get(&slot) {
            Some(Asked { stands, state: AskedState::Done(_), .. }) => *stands,
            _ => self.seen.contains(&slot),
        }
    }

    /// Whether it was tried in vain to set the taint.
    fn can_not_be_had(&self, slot: NodeSlot) -> bool {
        self.asked.get(&slot).is_some_and(|asked| asked.stands && asked.failures >= IN_VAIN)
    }
}

// === impl State ===

impl State {
    /// The watch tells of a node, or that it is gone.
    pub(super) fn note_taint(&mut self, slot: NodeSlot, node: Option<&Node>) {
        let has = node.is_some_and(|node| node.taints.iter().any(|taint| &*taint.key == HANDOVER_TAINT));
        let taints = &mut self.handovers.taints;
        let changed = if has { taints.seen.insert(slot) } else { taints.seen.remove(&slot) };
        let asked = taints.asked.get(&slot);
        if asked.is_some_and(|asked| asked.stands == has && asked.state != AskedState::OnItsWay) {
            taints.asked.remove(&slot);
        }
        if !has {
            taints.ours.remove(&slot);
            taints.found.remove(&slot);
        }
        self.handovers.is_due |= changed;
    }

    /// Setting a taint, or taking it away, came to an end.
    pub(in crate::state) fn apply_tainted(
        &mut self,
        taint: &HandoverTaint,
        outcome: &CoverOutcome,
        now: Time,
    ) {
        let slot = self.snapshot.nodes.slot_of(&taint.node);
        let seen = self.handovers.taints.seen.contains(&slot);
        let Some(asked) = self.handovers.taints.asked.get_mut(&slot) else { return };
        match outcome {
            CoverOutcome::Done if seen == asked.stands => _ = self.handovers.taints.asked.remove(&slot),
            CoverOutcome::Done => (asked.state, asked.failures) = (AskedState::Done(now + UNSEEN), 0),
            CoverOutcome::Refused(_) => {
                asked.failures = asked.failures.max(IN_VAIN) + 1;
                asked.state = AskedState::Failed(now + REFUSED_FOR);
            }
            CoverOutcome::Unknown(_) => {
                asked.failures += 1;
                asked.state = AskedState::Failed(now + AGAIN.after(asked.failures));
            }
        }
        self.handovers.is_due = true;
    }

    /// Whether backups of a node may be asked to go for others: its taint stands, or can't be had.
    pub(super) fn may_hand_over(&self, slot: NodeSlot) -> bool {
        self.leads && (self.handovers.taints.stands(slot) || self.handovers.taints.can_not_be_had(slot))
    }

    /// Whether the taint keeps others off a node.
    pub(super) fn is_tainted(&self, slot: NodeSlot) -> bool {
        self.handovers.taints.stands(slot)
    }

    /// Sets the taint where it is wanted and is not, and takes it away where it is not wanted.
    pub(super) fn look_after_taints(&mut self, now: Time) {
        if !self.leads {
            return;
        }
        let wanted = self.wanted_taints(now);
        let taints = &self.handovers.taints;
        let concerned: BTreeSet<NodeSlot> =
            wanted.iter().chain(&taints.seen).chain(taints.asked.keys()).copied().collect();
        for slot in concerned {
            self.look_after_taint(slot, wanted.contains(&slot), now);
        }
    }

    fn look_after_taint(&mut self, slot: NodeSlot, is_wanted: bool, now: Time) {
        let Some(view) = self.snapshot.nodes.get(slot) else {
            self.handovers.taints.asked.remove(&slot);
            return;
        };
        let (node, uid) = (view.node.name.clone(), view.node.uid.clone());
        let taints = &mut self.handovers.taints;
        let known = taints.asked.get(&slot).copied();
        let failures = match known {
            Some(Asked { state: AskedState::OnItsWay, .. }) => return,
            Some(Asked { stands, state: AskedState::Failed(at), .. }) if stands == is_wanted && now < at => {
                return;
            }
            Some(Asked { stands, state: AskedState::Done(at), .. }) if stands == is_wanted && now < at => {
                return;
            }
            Some(asked) if asked.stands == is_wanted => asked.failures,
            Some(_) | None => 0,
        };
        let is_there = taints.stands(slot);
        taints.asked.remove(&slot);
        if taints.seen.contains(&slot) == is_wanted && is_there == is_wanted {
            return;
        }
        if is_wanted {
            taints.ours.insert(slot);
        }
        taints.asked.insert(slot, Asked { stands: is_wanted, state: AskedState::OnItsWay, failures });
        self.actions.push_back(Action::TaintNode(HandoverTaint { node, uid, stands: is_wanted }));
    }

    /// The nodes that are to have the taint: where pods are awaited, where backups are made into one, where backups have
    /// gone and are not made good yet, and where the pods of a node that is not well have their backups.
    fn wanted_taints(&mut self, now: Time) -> BTreeSet<NodeSlot> {
        let mut wanted: BTreeSet<NodeSlot> = self.snapshot.backups.handed_over.clone();
        wanted.extend(self.snapshot.backups.holds.nodes());
        wanted.extend(self.cover.merging.keys());
        let outlasts = std::mem::take(&mut self.handovers.taints.outlasts).into_iter();
        self.handovers.taints.outlasts =
            outlasts.filter(|(slot, until)| now < *until && self.is_short(*slot)).collect();
        wanted.extend(self.handovers.taints.outlasts.keys());
        wanted.extend(self.found_taints(now));
        let detector = &self.healing.detector;
        if !self.healing.rules.failover || detector.frozen().is_some() {
            return wanted;
        }
        for (slot, verdict) in detector.unwell() {
            let (Verdict::Suspect { since } | Verdict::Lost { since }) = verdict else { continue };
            if now < since + PREPARED_FOR {
                wanted.extend(self.backups_of_who_goes(slot));
            }
        }
        wanted
    }

    /// The nodes whose taint was found, and may still be of use.
    fn found_taints(&mut self, now: Time) -> Vec<NodeSlot> {
        let taints = &mut self.handovers.taints;
        for slot in taints.seen.difference(&taints.ours) {
            taints.found.entry(*slot).or_insert(now + HELD_FOR);
        }
        // Who was here for long enough is ours to take away.
        let (still, over): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut taints.found).into_iter().partition(|(_, until)| now < *until);
        taints.ours.extend(over.into_keys());
        taints.found = still;
        taints.found.keys().copied().collect()
    }

    /// Where those pods of a node have their backups that would go if it failed.
    fn backups_of_who_goes(&self, slot: NodeSlot) -> impl Iterator<Item = NodeSlot> + use<'_> {
        let pods = self.snapshot.nodes.get(slot).into_iter().flat_map(|view| &view.usage.pods);
        let goes = pods
            .filter(|pod| !pod.terminating && self.heals(pod) && Fate::of(pod, &self.snapshot) >= Fate::Goes);
        goes.filter_map(|pod| Some(self.snapshot.backups.book.of(&pod.uid)?.backup))
    }
}

//! Verdicts that turned.

use super::State;
use crate::delay::is_unheard;
use crate::health::{Frozen, Turn, Verdict};
use crate::model::{Name, NodeName, Time};
use crate::placement::{ClusterEvent, NodeSlot, Snapshot};
use crate::state::Action;

/// Something to tell of a node: an event on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeNotice {
    /// The node.
    pub node: NodeName,
    /// The UID of its object.
    pub uid: Name,
    /// What happened.
    pub reason: NodeReason,
    /// The same in words.
    pub note: String,
}

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeReason {
    /// Its neighbours don't reach it.
    NodeSuspect,
    /// It was suspect and is well.
    NodeReached,
    /// It has failed.
    NodeLost,
    /// It was lost and is back.
    NodeReturned,
    /// It is used again.
    NodeRecovered,
    /// It was tainted as out of service, on somebody's word.
    NodeFenced,
    /// It is not well, and nothing is done about it, because all is frozen.
    FailoverFrozen,
    /// That is over.
    FailoverResumed,
}

/// In a note, before the reason why nothing is done about a node that is not well.
const WITHHELD: &str = "no pod is taken off it: ";

// === impl NodeNotice ===

impl NodeNotice {
    /// Why nothing is done about the node, by a note that was read; none if nothing keeps it from being done.
    pub fn withheld(note: &str) -> Option<&str> {
        note.split_once(WITHHELD).map(|(_, why)| why)
    }
}

// === impl NodeReason ===

impl NodeReason {
    const ALL: [Self; 8] = [
        Self::NodeSuspect,
        Self::NodeReached,
        Self::NodeLost,
        Self::NodeReturned,
        Self::NodeRecovered,
        Self::NodeFenced,
        Self::FailoverFrozen,
        Self::FailoverResumed,
    ];

    /// Reads what [`Self::as_str`] wrote; none of another reason.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// As events have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NodeSuspect => "NodeSuspect",
            Self::NodeReached => "NodeReached",
            Self::NodeLost => "NodeLost",
            Self::NodeReturned => "NodeReturned",
            Self::NodeRecovered => "NodeRecovered",
            Self::NodeFenced => "NodeFenced",
            Self::FailoverFrozen => "FailoverFrozen",
            Self::FailoverResumed => "FailoverResumed",
        }
    }

    /// Whether somebody should look after it.
    pub fn is_warning(self) -> bool {
        matches!(self, Self::NodeSuspect | Self::NodeLost | Self::FailoverFrozen)
    }

    /// What tells this verdict to somebody who was told nothing before.
    fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Alive => Self::NodeRecovered,
            Verdict::Suspect { .. } => Self::NodeSuspect,
            Verdict::Lost { .. } => Self::NodeLost,
            Verdict::Returning { .. } => Self::NodeReturned,
        }
    }

    fn of(turn: Turn) -> Self {
        match (turn.from, turn.to) {
            (_, Verdict::Suspect { .. }) => Self::NodeSuspect,
            (_, Verdict::Lost { .. }) => Self::NodeLost,
            (_, Verdict::Returning { .. }) => Self::NodeReturned,
            (Verdict::Returning { .. } | Verdict::Lost { .. }, Verdict::Alive) => Self::NodeRecovered,
            (Verdict::Alive | Verdict::Suspect { .. }, Verdict::Alive) => Self::NodeReached,
        }
    }

    fn note(self) -> &'static str {
        match self {
            Self::NodeSuspect => {
                "Most of its neighbours missed it three times in a row; nothing new is placed there"
            }
            Self::NodeReached => "It is alive: its neighbours reach it, or its Lease was renewed",
            Self::NodeLost => "It is not reached and its Lease is not renewed",
            Self::NodeReturned => "It is back; it is used again when it has been well for a while",
            Self::NodeRecovered => "It is used again",
            Self::NodeFenced => {
                "It is said to be off and to stay off, so it is tainted as out of service: its pods with state are started elsewhere too"
            }
            Self::FailoverFrozen => "Failovers are frozen",
            Self::FailoverResumed => "Pods of failed nodes are started elsewhere again",
        }
    }
}

// === impl State ===

impl State {
    /// A verdict turned: what follows at once.
    pub(super) fn turned(&mut self, turn: Turn, now: Time) {
        let Turn { slot, from, to } = turn;
        let suspects = &mut self.snapshot.suspects;
        if to.is_alive() {
            suspects.remove(&slot)
        } else {
            suspects.insert(slot)
        };
        if !to.is_lost() {
            self.healing.begun.remove(&slot);
            self.healing.doors.remove(&slot);
        }
        if from.is_alive() != to.is_alive() {
            // What could not be made there can be now.
            self.cover.nodes_due.insert(slot);
            self.candidates_changed(slot, to.is_alive(), now);
        }
        if !to.is_alive() && self.healing.rules.failover {
            self.hold_for_ended(slot, now);
        }
        self.tell_node(slot, NodeReason::of(turn));
    }

    /// A node is a candidate no more, or is again; and replicas on it count no more as anchors, or do again.
    fn candidates_changed(&mut self, slot: NodeSlot, is_candidate: bool, now: Time) {
        self.bounds.nodes_changed();
        let Some(node) = self.snapshot.nodes.get(slot).map(|view| view.node.clone()) else { return };
        let event =
            if is_candidate { ClusterEvent::NodeAdded(&node) } else { ClusterEvent::NodeSuspect(&node) };
        self.wake(&event, now);
    }

    /// Tells again which nodes are not well: the API forgets events, by default within an hour, and who led before may
    /// have ended before it could tell.
    pub(super) fn tell_again(&mut self) {
        let unwell = self.healing.detector.unwell().filter(|(_, verdict)| !verdict.is_alive());
        for (slot, verdict) in unwell.collect::<Vec<_>>() {
            self.tell_node(slot, NodeReason::of_verdict(verdict));
        }
    }

    /// Tells once that all is frozen, and once that it is no longer, on the nodes that this concerns.
    pub(super) fn tell_freeze(&mut self) {
        let frozen = self.healing.detector.frozen();
        let told = std::mem::replace(&mut self.healing.told, frozen);
        let reason = match (told, frozen) {
            (None, Some(_)) => NodeReason::FailoverFrozen,
            (Some(_), None) => NodeReason::FailoverResumed,
            (None, None) | (Some(_), Some(_)) => return,
        };
        let unwell = self.healing.detector.unwell().filter(|(_, verdict)| !verdict.is_alive());
        for (slot, _) in unwell.collect::<Vec<_>>() {
            self.tell_node(slot, reason);
        }
    }

    pub(super) fn tell_node(&mut self, slot: NodeSlot, reason: NodeReason) {
        if !self.leads {
            return;
        }
        let Some(view) = self.snapshot.nodes.get(slot) else { return };
        let (node, uid) = (view.node.name.clone(), view.node.uid.clone());
        let detector = &self.healing.detector;
        let frozen = detector.frozen().filter(|_| reason.is_warning() && !detector.is_failed(slot));
        let note = match frozen {
            Some(Frozen { by, .. }) => format!("{}; {WITHHELD}{by}", reason.note()),
            None if reason == NodeReason::NodeLost => {
                format!("{}; pods that may run twice are started elsewhere", reason.note())
            }
            None => reason.note().to_owned(),
        };
        self.actions.push_back(Action::TellNode(NodeNotice { node, uid, reason, note }));
    }
}

/// Whether pods that end on a node do so because it failed, as far as can be told.
pub(super) fn is_failed_node(snapshot: &Snapshot, slot: NodeSlot) -> bool {
    snapshot.suspects.contains(&slot) || snapshot.nodes.get(slot).is_none_or(|view| is_unheard(view.node))
}

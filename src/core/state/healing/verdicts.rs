//! Verdicts that turned.

use super::State;
use crate::health::{Frozen, Turn, Verdict};
use crate::model::{Name, NodeName, Time};
use crate::placement::{ClusterEvent, NodeSlot};
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
    /// It is not well, and nothing is done about it, because all is frozen.
    FailoverFrozen,
    /// That is over.
    FailoverResumed,
}

// === impl NodeReason ===

impl NodeReason {
    /// As events have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NodeSuspect => "NodeSuspect",
            Self::NodeReached => "NodeReached",
            Self::NodeLost => "NodeLost",
            Self::NodeReturned => "NodeReturned",
            Self::NodeRecovered => "NodeRecovered",
            Self::FailoverFrozen => "FailoverFrozen",
            Self::FailoverResumed => "FailoverResumed",
        }
    }

    /// Whether somebody should look after it.
    pub fn is_warning(self) -> bool {
        matches!(self, Self::NodeSuspect | Self::NodeLost | Self::FailoverFrozen)
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
            Self::NodeLost => {
                "It is not reached and its Lease is not renewed; pods that may run twice are started elsewhere"
            }
            Self::NodeReturned => "It is back; it is used again when it has been well for a while",
            Self::NodeRecovered => "It is used again",
            Self::FailoverFrozen => "No pod is taken off it",
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
            self.candidates_changed(slot, to.is_alive(), now);
        }
        self.tell_node(slot, NodeReason::of(turn), None);
    }

    /// A node is a candidate no more, or is again; and replicas on it count no more as anchors, or do again.
    fn candidates_changed(&mut self, slot: NodeSlot, is_candidate: bool, now: Time) {
        self.bounds.nodes_changed();
        let node = self.snapshot.nodes.get(slot).map(|view| view.node.clone());
        if let Some(node) = node.filter(|_| is_candidate) {
            self.wake(&ClusterEvent::NodeAdded(&node), now);
        }
    }

    /// Tells once that all is frozen, and once that it is no longer, on the nodes that this concerns.
    pub(super) fn tell_freeze(&mut self) {
        let frozen = self.healing.detector.frozen();
        let told = std::mem::replace(&mut self.healing.told, frozen);
        let (reason, why) = match (told, frozen) {
            (None, Some(Frozen { by, .. })) => (NodeReason::FailoverFrozen, Some(by.to_string())),
            (Some(_), None) => (NodeReason::FailoverResumed, None),
            (None, None) | (Some(_), Some(_)) => return,
        };
        let unwell = self.healing.detector.unwell().filter(|(_, verdict)| !verdict.is_alive());
        for (slot, _) in unwell.collect::<Vec<_>>() {
            self.tell_node(slot, reason, why.as_deref());
        }
    }

    fn tell_node(&mut self, slot: NodeSlot, reason: NodeReason, why: Option<&str>) {
        if !self.leads {
            return;
        }
        let Some(view) = self.snapshot.nodes.get(slot) else { return };
        let (node, uid) = (view.node.name.clone(), view.node.uid.clone());
        let mut note = reason.note().to_owned();
        if let Some(why) = why {
            note = format!("{note}: {why}");
        } else if reason == NodeReason::NodeLost
            && let Some(frozen) = self.healing.detector.frozen()
        {
            note =
                format!("It is not reached and its Lease is not renewed; but nothing is done: {}", frozen.by);
        }
        self.actions.push_back(Action::TellNode(NodeNotice { node, uid, reason, note }));
    }
}

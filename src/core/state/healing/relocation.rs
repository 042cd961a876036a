//! What is asked for, answered and told of pods that are moved.

use crate::model::{Name, NodeName};
use crate::state::PodRef;

/// A pod to be evicted, so that it is made anew elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// The pod. Its UID goes into the request, so that a new pod of the same name is left alone.
    pub pod: PodRef,
    /// Which profile decided that.
    pub scheduler_name: Name,
    /// The node that it is on.
    pub from: NodeName,
    /// The node where room is held for what replaces it.
    pub to: NodeName,
    /// Why.
    pub reason: MoveReason,
}

/// Why a pod is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MoveReason {
    /// Its delay constraint is broken.
    Delay,
    /// Another pod needs its room.
    Room,
    /// Less has to be reserved then.
    Reserve,
}

/// How an eviction ended. The variants are named by what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelocateOutcome {
    /// The pod goes.
    Evicted,
    /// It was gone already.
    Gone,
    /// A PodDisruptionBudget does not allow it now, and what the server says.
    Budget(String),
    /// The server will not do it, and says why.
    Refused(String),
    /// It may or may not have been done; it is tried again.
    Failed(String),
}

/// What became of a move: an event on the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveNotice {
    /// The pod.
    pub pod: PodRef,
    /// Which profile decided that.
    pub scheduler_name: Name,
    /// Why it is moved, or should be.
    pub reason: MoveReason,
    /// The same in words.
    pub because: String,
    /// What became of it.
    pub turn: MoveTurn,
}

/// What became of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveTurn {
    /// The pod was evicted; room is held for what replaces it.
    Moved {
        /// The node that it was on.
        from: NodeName,
        /// The node where room is held.
        to: NodeName,
    },
    /// It is not evicted, for this reason.
    Refused(String),
    /// There is no better place for it, for this reason.
    Nowhere(String),
    /// It may not be moved, for this reason.
    Stays(String),
}

// === impl MoveReason ===

impl MoveReason {
    /// As metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Room => "room",
            Self::Reserve => "reserve",
        }
    }
}

// === impl MoveTurn ===

impl MoveTurn {
    /// The reasons of the events that tell of moves.
    pub const REASONS: [&str; 4] = ["Moved", "MoveRefused", "NotMoved", "NoBetterNode"];

    /// As its event has it.
    pub fn reason(&self) -> &'static str {
        let [moved, refused, stays, nowhere] = Self::REASONS;
        match self {
            Self::Moved { .. } => moved,
            Self::Refused(_) => refused,
            Self::Stays(_) => stays,
            Self::Nowhere(_) => nowhere,
        }
    }
}

// === impl MoveNotice ===

/// In a note, before the reason why a pod was not moved.
const UNMOVED: [&str; 3] = ["but it is not evicted: ", "but it stays: ", "but no node is better: "];

impl MoveNotice {
    /// What its event says.
    pub fn note(&self) -> String {
        let Self { because, turn, .. } = self;
        let [refused, stays, nowhere] = UNMOVED;
        match turn {
            MoveTurn::Moved { from, to } => {
                format!("Evicted from node {from}; room is held on node {to} for what replaces it: {because}")
            }
            MoveTurn::Refused(why) => format!("It should be moved, as {because}; {refused}{why}"),
            MoveTurn::Stays(why) => format!("It should be moved, as {because}; {stays}{why}"),
            MoveTurn::Nowhere(why) => format!("It should be moved, as {because}; {nowhere}{why}"),
        }
    }

    /// Why a pod was not moved, by a note that was read; none if it was.
    pub fn unmoved(note: &str) -> Option<&str> {
        UNMOVED.iter().find_map(|before| note.split_once(before)).map(|(_, why)| why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::pod;

    #[test]
    fn why_a_pod_was_not_moved_is_read_from_its_event() {
        let check = |turn: MoveTurn, expected: Option<&str>| {
            let (pod, scheduler_name) = (PodRef::of(&pod("web", 1)), "edge-scheduler".into());
            let because = "its bound to edge-1 is broken".to_owned();
            let notice = MoveNotice { pod, scheduler_name, reason: MoveReason::Delay, because, turn };
            assert_eq!(MoveNotice::unmoved(&notice.note()), expected, "{}", notice.note());
        };
        let why = "a PodDisruptionBudget".to_owned();
        check(MoveTurn::Moved { from: "edge-1".into(), to: "edge-2".into() }, None);
        check(MoveTurn::Refused(why.clone()), Some(&why));
        check(MoveTurn::Stays(why.clone()), Some(&why));
        check(MoveTurn::Nowhere(why.clone()), Some(&why));
        assert_eq!(MoveNotice::unmoved("Successfully assigned"), None);
    }
}

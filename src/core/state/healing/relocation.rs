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

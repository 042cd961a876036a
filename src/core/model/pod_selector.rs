//! Objects that select pods, of which nothing but the selector matters (upstream:
//! `plugins/helper/spread.go`).

use super::{LabelSelector, Name};

/// A kind of object that selects pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SelectorKind {
    /// A Service; one without a selector selects nothing.
    Service,
    /// A ReplicationController.
    ReplicationController,
    /// A ReplicaSet.
    ReplicaSet,
    /// A StatefulSet.
    StatefulSet,
}

/// An object that selects pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSelector {
    /// What it is.
    pub kind: SelectorKind,
    /// Its namespace, whose pods it selects.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
    /// Which pods.
    pub selector: LabelSelector,
}

// === impl SelectorKind ===

impl SelectorKind {
    /// The kind as the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::ReplicationController => "ReplicationController",
            Self::ReplicaSet => "ReplicaSet",
            Self::StatefulSet => "StatefulSet",
        }
    }
}

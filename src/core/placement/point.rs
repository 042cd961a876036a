//! The names of the extension points (upstream: `apis/config/types.go`, `Plugins`).

use std::fmt;

/// An extension point of the scheduling framework: where a plugin may have a say.
///
/// PreFilter and Filter go together here, as do PreScore and Score: the first prepares what the second
/// does ([`super::PreFilter`]). A plugin enabled at the second alone is still asked to prepare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// Whether a pod may be tried at all.
    PreEnqueue,
    /// The order of the queue.
    QueueSort,
    /// What is found out about the pod before nodes are looked at.
    PreFilter,
    /// Whether a node can run the pod.
    Filter,
    /// What is done for a pod that fits nowhere.
    PostFilter,
    /// What is found out before nodes are scored.
    PreScore,
    /// How good a node is.
    Score,
    /// What is held for the pod once its node is chosen.
    Reserve,
    /// Whether the binding has to wait.
    Permit,
    /// What has to be done before the binding.
    PreBind,
    /// The binding.
    Bind,
    /// What is done after it.
    PostBind,
}

// === impl Point ===

impl Point {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::PreEnqueue,
        Self::QueueSort,
        Self::PreFilter,
        Self::Filter,
        Self::PostFilter,
        Self::PreScore,
        Self::Score,
        Self::Reserve,
        Self::Permit,
        Self::PreBind,
        Self::Bind,
        Self::PostBind,
    ];

    /// All of them in the order in which upstream sets them up, so that of several mistakes in a
    /// configuration the same one is named (upstream: `frameworkImpl.getExtensionPoints`).
    pub(crate) const SET_UP: [Self; 12] = [
        Self::PreFilter,
        Self::Filter,
        Self::PostFilter,
        Self::Reserve,
        Self::PreScore,
        Self::Score,
        Self::PreBind,
        Self::Bind,
        Self::PostBind,
        Self::Permit,
        Self::PreEnqueue,
        Self::QueueSort,
    ];

    /// The name, such as `PreFilter`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreEnqueue => "PreEnqueue",
            Self::QueueSort => "QueueSort",
            Self::PreFilter => "PreFilter",
            Self::Filter => "Filter",
            Self::PostFilter => "PostFilter",
            Self::PreScore => "PreScore",
            Self::Score => "Score",
            Self::Reserve => "Reserve",
            Self::Permit => "Permit",
            Self::PreBind => "PreBind",
            Self::Bind => "Bind",
            Self::PostBind => "PostBind",
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

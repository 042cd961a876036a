//! Taints and tolerations (upstream: `component-helpers/scheduling/corev1`, `core/v1.Toleration`).

use super::Name;

/// What a taint does to pods that don't tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaintEffect {
    /// New pods are kept away.
    NoSchedule,
    /// New pods are placed elsewhere if they can be.
    PreferNoSchedule,
    /// New pods are kept away and running ones evicted.
    NoExecute,
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taint {
    /// Its key.
    pub key: Name,
    /// Its value, empty if none was given.
    pub value: Name,
    /// Its effect.
    pub effect: TaintEffect,
}

/// How a toleration compares values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TolerationOp {
    /// Key and value must match.
    Equal,
    /// The key must match; an empty key matches every taint.
    Exists,
}

/// A toleration of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toleration {
    /// The tolerated key; empty with [`TolerationOp::Exists`] means all.
    pub key: Name,
    /// How it compares.
    pub op: TolerationOp,
    /// The tolerated value.
    pub value: Name,
    /// The tolerated effect; none means all.
    pub effect: Option<TaintEffect>,
    /// For how long a taint with the effect `NoExecute` is tolerated, in seconds; none means for ever.
    pub seconds: Option<i64>,
}

// === impl Toleration ===

impl Toleration {
    /// Whether this tolerates `taint` (upstream: `Toleration.ToleratesTaint`).
    pub fn tolerates(&self, taint: &Taint) -> bool {
        if self.effect.is_some_and(|effect| effect != taint.effect) {
            return false;
        }
        if !self.key.is_empty() && self.key != taint.key {
            return false;
        }
        match self.op {
            TolerationOp::Equal => self.value == taint.value,
            TolerationOp::Exists => true,
        }
    }
}

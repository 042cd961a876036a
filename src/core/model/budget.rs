//! A PodDisruptionBudget, as far as preemption needs it.

use super::{LabelSelector, Labels, Name};

/// How many of the pods it selects may be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisruptionBudget {
    /// Its namespace.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
    /// The pods it is about.
    pub selector: LabelSelector,
    /// How many may be taken away now (`status.disruptionsAllowed`).
    pub allowed: i32,
    /// The names of pods whose going is counted already (`status.disruptedPods`).
    pub disrupted: Box<[Name]>,
}

// === impl DisruptionBudget ===

impl DisruptionBudget {
    /// Whether a pod with these labels in its namespace is one of its pods. As upstream, a selector without
    /// requirements selects none here, and a pod without labels is in no budget.
    pub fn selects(&self, labels: &Labels) -> bool {
        !labels.is_empty() && !self.selector.is_empty() && self.selector.matches(labels)
    }
}

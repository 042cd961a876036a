//! How evenly pods are spread (upstream: `core/v1.TopologySpreadConstraint`).

use super::{LabelSelector, Name};

/// A topology spread constraint. The API server's defaults are filled in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpreadConstraint {
    /// The node label whose values are the domains.
    pub topology_key: Name,
    /// By how many pods a domain may be ahead of the emptiest one; at least 1.
    pub max_skew: i64,
    /// What becomes of a pod that would break it.
    pub when_unsatisfiable: WhenUnsatisfiable,
    /// The labels of the pods that count, those from `matchLabelKeys` among them.
    pub selector: LabelSelector,
    /// With fewer domains than this the emptiest one counts as having no pod.
    pub min_domains: i64,
    /// Whether only nodes count that the pod's node selector and node affinity admit.
    pub honors_affinity: bool,
    /// Whether only nodes count whose taints the pod tolerates.
    pub honors_taints: bool,
}

/// What becomes of a pod that would break a spread constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhenUnsatisfiable {
    /// It waits.
    DoNotSchedule,
    /// It goes where it breaks the constraint least.
    ScheduleAnyway,
}

// === impl SpreadConstraint ===

impl SpreadConstraint {
    /// A constraint on pods that are yet to be selected, with the API's defaults.
    pub fn new(topology_key: Name, max_skew: i64, when_unsatisfiable: WhenUnsatisfiable) -> Self {
        Self {
            topology_key,
            max_skew,
            when_unsatisfiable,
            selector: LabelSelector::Nothing,
            min_domains: 1,
            honors_affinity: true,
            honors_taints: false,
        }
    }
}

//! What this version can't honour: a pod that asks for it is refused, never bound wrongly.

use serde::Deserialize;

use super::affinity::PodAffinityObject;
use super::pod::PodSpec;

/// A topology spread constraint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SpreadConstraint {
    when_unsatisfiable: Option<WhenUnsatisfiable>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum WhenUnsatisfiable {
    ScheduleAnyway,
    #[serde(other)]
    DoNotSchedule,
}

/// Why a pod with this spec can't be placed rightly, if so; the first reason that is found.
pub(super) fn reason(spec: &PodSpec) -> Option<&'static str> {
    let is_required = |affinity: &Option<PodAffinityObject>| {
        affinity.as_ref().is_some_and(|affinity| !affinity.required.is_empty())
    };
    if !spec.resource_claims.is_empty() {
        return Some("pod uses resourceClaims, which this version does not schedule");
    }
    if is_required(&spec.affinity.pod) {
        return Some("pod has required podAffinity, which this version does not schedule");
    }
    if is_required(&spec.affinity.pod_anti) {
        return Some("pod has required podAntiAffinity, which this version does not schedule");
    }
    if spec.topology_spread_constraints.iter().any(SpreadConstraint::is_hard) {
        return Some(
            "pod has topologySpreadConstraints with DoNotSchedule, which this version does not schedule",
        );
    }
    None
}

// === impl SpreadConstraint ===

impl SpreadConstraint {
    fn is_hard(&self) -> bool {
        self.when_unsatisfiable != Some(WhenUnsatisfiable::ScheduleAnyway)
    }
}

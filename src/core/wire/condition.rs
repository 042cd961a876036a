//! Conditions of pods, of which two mean something here.

use serde::Deserialize;

/// A condition of a pod.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    kind: ConditionKind,
    status: Option<String>,
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum ConditionKind {
    PodResizePending,
    DisruptionTarget,
    #[serde(other)]
    Other,
}

/// Whether the node can't ever grant the resize that is asked for (upstream: `IsPodResizeInfeasible`).
pub(super) fn is_resize_refused(conditions: &[Condition]) -> bool {
    find(conditions, ConditionKind::PodResizePending)
        .is_some_and(|resize| resize.reason.as_deref() == Some("Infeasible"))
}

/// Whether a scheduler takes the pod away for another one (upstream: `podTerminatingByPreemption`, which asks
/// besides that its deletion has begun).
pub(super) fn is_preempted(conditions: &[Condition]) -> bool {
    find(conditions, ConditionKind::DisruptionTarget).is_some_and(|target| {
        target.status.as_deref() == Some("True") && target.reason.as_deref() == Some("PreemptionByScheduler")
    })
}

fn find(conditions: &[Condition], kind: ConditionKind) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

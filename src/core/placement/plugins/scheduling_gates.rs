//! SchedulingGates (upstream: `plugins/schedulinggates`).

use crate::model::Pod;
use crate::placement::{Plugin, Reason};

/// Holds a pod back for as long as it has a scheduling gate.
///
/// No event of the cluster cures that, only the removal of the pod's last gate, which is a change of
/// the pod itself and makes the queue ask again. The pod's condition is set by the API server.
pub struct SchedulingGates;

impl Plugin for SchedulingGates {
    fn name(&self) -> &'static str {
        "SchedulingGates"
    }

    fn pre_enqueue(&self, pod: &Pod) -> Option<Reason> {
        if pod.gates.is_empty() {
            return None;
        }
        Some(Reason::said(format!("waiting for scheduling gates: [{}]", pod.gates.join(" "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::testing::pod;

    #[track_caller]
    fn check(gates: &[&str], expected: Option<&str>) {
        let reason = SchedulingGates.pre_enqueue(&pod("p").gates(gates));
        assert_eq!(reason.as_ref().map(Reason::as_str), expected);
    }

    #[test]
    fn a_pod_waits_while_it_has_a_gate() {
        check(&[], None);
        check(&["example.com/quota"], Some("waiting for scheduling gates: [example.com/quota]"));
        check(&["b", "a"], Some("waiting for scheduling gates: [b a]"));
    }
}

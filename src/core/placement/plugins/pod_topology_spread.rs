//! PodTopologySpread (upstream: `plugins/podtopologyspread`).

mod constraint;
mod filter;
mod hint;
mod score;
#[cfg(test)]
mod tests;

use crate::model::{Pod, SpreadConstraint, WhenUnsatisfiable};
use crate::placement::{ClusterEvent, Cycle, HOSTNAME, NodeSlot, Plugin, PreFilter, PreScore, ZONE};
use filter::Check;

/// Spreads pods evenly over the domains of topologies: those that a pod names, or else those that hold by
/// default for the pods of its Services and its controller.
pub struct PodTopologySpread {
    /// The constraints on pods that have none of their own; their selectors are not looked at.
    defaults: Vec<SpreadConstraint>,
    /// Whether these are the scheduler's own, which let a node pass that is in none of a topology's domains.
    is_system: bool,
}

// === impl PodTopologySpread ===

impl Default for PodTopologySpread {
    /// With upstream's default arguments: `defaultingType: System`.
    fn default() -> Self {
        let anyway = WhenUnsatisfiable::ScheduleAnyway;
        let defaults = vec![
            SpreadConstraint::new(HOSTNAME.into(), 3, anyway),
            SpreadConstraint::new(ZONE.into(), 5, anyway),
        ];
        Self { defaults, is_system: true }
    }
}

impl PodTopologySpread {
    /// With `defaultingType: List` and these `defaultConstraints`.
    pub fn with_defaults(defaults: Vec<SpreadConstraint>) -> Self {
        Self { defaults, is_system: false }
    }
}

impl Plugin for PodTopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        match Check::of(self, cycle) {
            Some(check) => PreFilter::Check(Box::new(check)),
            None => PreFilter::Skip,
        }
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, feasible: &[NodeSlot]) -> PreScore<'a> {
        match score::prepare(self, cycle, feasible) {
            Some(scorer) => PreScore::Score(Box::new(scorer)),
            None => PreScore::Skip,
        }
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        hint::cured_by(self, pod, event)
    }
}

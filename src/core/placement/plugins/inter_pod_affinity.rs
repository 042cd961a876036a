//! InterPodAffinity (upstream: `plugins/interpodaffinity`).

mod filter;
mod hint;
mod score;
mod term;
#[cfg(test)]
mod tests;

use crate::model::Pod;
use crate::placement::{ClusterEvent, Cycle, NodeSlot, Plugin, PreFilter, PreScore};
use filter::Check;

/// Admits nodes near the pods that a pod must be near to, and none near those it must not be near to or that
/// must not be near to it; prefers nodes by the pods that should be near or not.
pub struct InterPodAffinity {
    /// How much a node is preferred for each placed pod there that must be near to such a pod as this one.
    pub hard_pod_affinity_weight: i64,
    /// Whether what placed pods prefer counts for nothing with a pod that prefers nothing itself.
    pub ignore_preferred_terms_of_existing_pods: bool,
}

// === impl InterPodAffinity ===

impl Default for InterPodAffinity {
    /// With upstream's default arguments (upstream: `SetDefaults_InterPodAffinityArgs`).
    fn default() -> Self {
        Self { hard_pod_affinity_weight: 1, ignore_preferred_terms_of_existing_pods: false }
    }
}

impl Plugin for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        match Check::of(cycle) {
            Some(check) => PreFilter::Check(Box::new(check)),
            None => PreFilter::Skip,
        }
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        match score::weigh(self, cycle) {
            Some(weights) => PreScore::Score(Box::new(weights)),
            None => PreScore::Skip,
        }
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        hint::cured_by(pod, event)
    }
}

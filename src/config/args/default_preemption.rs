//! Arguments of DefaultPreemption.

use edge_core::placement::Plugin;
use edge_core::placement::plugins::default_preemption::DefaultPreemption;
use serde::{Deserialize, Serialize};

use super::Args;
use crate::error::{FieldErrors, Path};

/// How many nodes are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DefaultPreemptionArgs {
    min_candidate_nodes_percentage: i32,
    min_candidate_nodes_absolute: i32,
}

// === impl DefaultPreemptionArgs ===

impl Default for DefaultPreemptionArgs {
    fn default() -> Self {
        Self { min_candidate_nodes_percentage: 10, min_candidate_nodes_absolute: 100 }
    }
}

impl Args for DefaultPreemptionArgs {
    const PLUGIN: &'static str = "DefaultPreemption";

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        let (percentage, absolute) = (self.min_candidate_nodes_percentage, self.min_candidate_nodes_absolute);
        let percentage_path = path.child("minCandidateNodesPercentage");
        let absolute_path = path.child("minCandidateNodesAbsolute");
        if !(0..=100).contains(&percentage) {
            errors.invalid(percentage_path.clone(), percentage, "not in valid range [0, 100]");
        }
        if absolute < 0 {
            errors.invalid(absolute_path.clone(), absolute, "not in valid range [0, inf)");
        }
        if percentage == 0 && absolute == 0 {
            let both = |other: &str| format!("cannot be zero at the same time as {other}");
            errors.invalid(percentage_path, percentage, both("minCandidateNodesAbsolute"));
            errors.invalid(absolute_path, absolute, both("minCandidateNodesPercentage"));
        }
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        Some(Box::new(DefaultPreemption {
            min_candidates_percentage: u32::try_from(self.min_candidate_nodes_percentage).ok()?,
            min_candidates_absolute: u32::try_from(self.min_candidate_nodes_absolute).ok()?,
        }))
    }
}

//! Arguments of `InterPodAffinity`.

use edge_core::placement::Plugin;
use edge_core::placement::plugins::inter_pod_affinity::InterPodAffinity;
use serde::{Deserialize, Serialize};

use super::Args;
use crate::error::{FieldErrors, Path};

/// How the affinity of pods that run counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct InterPodAffinityArgs {
    hard_pod_affinity_weight: i32,
    ignore_preferred_terms_of_existing_pods: bool,
}

// === impl InterPodAffinityArgs ===

impl Default for InterPodAffinityArgs {
    fn default() -> Self {
        Self { hard_pod_affinity_weight: 1, ignore_preferred_terms_of_existing_pods: false }
    }
}

impl Args for InterPodAffinityArgs {
    const PLUGIN: &'static str = "InterPodAffinity";

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        let weight = self.hard_pod_affinity_weight;
        if !(0..=100).contains(&weight) {
            errors.invalid(path.child("hardPodAffinityWeight"), weight, "not in valid range [0, 100]");
        }
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        Some(Box::new(InterPodAffinity {
            hard_pod_affinity_weight: self.hard_pod_affinity_weight.into(),
            ignore_preferred_terms_of_existing_pods: self.ignore_preferred_terms_of_existing_pods,
        }))
    }
}

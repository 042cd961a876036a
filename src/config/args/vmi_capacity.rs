//! Arguments of VMICapacity.

use std::collections::BTreeMap;

use edge_core::placement::Plugin;
use edge_core::placement::plugins::vmi_capacity::{VmiCapacity, VmiCapacityMode};
use serde::{Deserialize, Serialize};

use super::{Args, Context};
use crate::error::{FieldErrors, Path};
use crate::names;

/// How many VMIs nodes can host, and which nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct VmiCapacityArgs {
    mode: String,
    #[serde(rename = "maxVMICount")]
    max_vmi_count: i64,
    /// The labels of a node that counts, all of them.
    node_labels: Option<BTreeMap<String, String>>,
}

// === impl VmiCapacityArgs ===

impl Default for VmiCapacityArgs {
    fn default() -> Self {
        Self { mode: String::new(), max_vmi_count: VmiCapacity::DEFAULT_MAX.into(), node_labels: None }
    }
}

impl Args for VmiCapacityArgs {
    const PLUGIN: &'static str = "VMICapacity";

    fn complete(&mut self, profile: &Context<'_>) {
        if self.mode.is_empty() {
            // Who enables the plugin by its name wants what the Contrail scheduler does.
            let mode = if profile.enabled {
                VmiCapacityMode::Required
            } else {
                VmiCapacityMode::default_of_profile(profile.scheduler_name)
            };
            mode.name().clone_into(&mut self.mode);
        }
        let (key, value) = VmiCapacity::DEFAULT_LABEL;
        self.node_labels.get_or_insert_with(|| BTreeMap::from([(key.to_owned(), value.to_owned())]));
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if VmiCapacityMode::from_name(&self.mode).is_none() {
            errors.unsupported(
                path.child("mode"),
                &self.mode,
                &VmiCapacityMode::ALL.map(VmiCapacityMode::name),
            );
        }
        if !(1..=i64::from(u32::MAX)).contains(&self.max_vmi_count) {
            errors.invalid(path.child("maxVMICount"), self.max_vmi_count, "must be greater than 0");
        }
        let labels = self.node_labels.clone().unwrap_or_default();
        names::validate_labels(&labels, &path.child("nodeLabels"), errors);
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        let labels = self.node_labels.iter().flatten();
        Some(Box::new(VmiCapacity {
            mode: VmiCapacityMode::from_name(&self.mode)?,
            max_vmi_count: u32::try_from(self.max_vmi_count).ok()?,
            node_labels: labels.map(|(key, value)| (&**key, &**value)).collect(),
        }))
    }
}

//! Arguments of NodeResourcesBalancedAllocation.

use edge_core::placement::Plugin;
use edge_core::placement::plugins::node_resources_balanced_allocation::NodeResourcesBalancedAllocation;
use serde::{Deserialize, Serialize};

use super::resources::{self, Resource};
use super::{Args, Context};
use crate::error::{FieldErrors, Path};

/// Which resources are balanced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct NodeResourcesBalancedAllocationArgs {
    resources: Vec<Resource>,
}

impl Args for NodeResourcesBalancedAllocationArgs {
    const PLUGIN: &'static str = "NodeResourcesBalancedAllocation";

    fn complete(&mut self, _profile: &Context<'_>) {
        resources::complete(&mut self.resources);
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        for (idx, resource) in self.resources.iter().enumerate() {
            let path = path.child("resources").index(idx);
            if self.resources.iter().take(idx).any(|it| it.name == resource.name) {
                errors.duplicate(path.child("name"), &resource.name);
            }
            if resource.weight != 1 {
                errors.invalid(path.child("weight"), resource.weight, "must be 1");
            }
        }
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        Some(Box::new(NodeResourcesBalancedAllocation { resources: resources::specs(&self.resources) }))
    }
}

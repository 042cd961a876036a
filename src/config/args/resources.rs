//! Resources with weights (upstream: `ResourceSpec`).

use edge_core::placement::{ResourceSpec, ScoredResource};
use serde::{Deserialize, Serialize};

/// A resource and how much it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    pub(super) name: String,
    pub(super) weight: i64,
}

/// CPU and memory alike.
pub(super) fn defaults() -> Vec<Resource> {
    ["cpu", "memory"].map(|name| Resource { name: name.to_owned(), weight: 1 }).into()
}

/// Fills in what is by default: a weight of 0 is 1, and no resources are CPU and memory.
pub(super) fn complete(resources: &mut Vec<Resource>) {
    if resources.is_empty() {
        *resources = defaults();
    }
    for resource in resources.iter_mut().filter(|it| it.weight == 0) {
        resource.weight = 1;
    }
}

/// The resources as the core has them.
pub(super) fn specs(resources: &[Resource]) -> Vec<ResourceSpec> {
    let spec = |it: &Resource| ResourceSpec {
        resource: match it.name.as_str() {
            "cpu" => ScoredResource::Cpu,
            "memory" => ScoredResource::Memory,
            "ephemeral-storage" => ScoredResource::EphemeralStorage,
            name => ScoredResource::Scalar(name.into()),
        },
        weight: it.weight,
    };
    resources.iter().map(spec).collect()
}

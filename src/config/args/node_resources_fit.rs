//! Arguments of NodeResourcesFit.

use edge_core::placement::Plugin;
use edge_core::placement::plugins::node_resources_fit::{NodeResourcesFit, ScoringStrategy};
use serde::{Deserialize, Serialize};

use super::resources::{self, Resource};
use super::shape::{self, Point};
use super::{Args, Context};
use crate::error::{FieldErrors, Path};
use crate::names;

/// What Filter passes over, and how nodes are scored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NodeResourcesFitArgs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored_resources: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored_resource_groups: Vec<String>,
    scoring_strategy: Option<Strategy>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Strategy {
    #[serde(rename = "type")]
    kind: String,
    resources: Vec<Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_to_capacity_ratio: Option<Ratio>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Ratio {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shape: Vec<Point>,
}

const LEAST: &str = "LeastAllocated";
const MOST: &str = "MostAllocated";
const RATIO: &str = "RequestedToCapacityRatio";

impl Args for NodeResourcesFitArgs {
    const PLUGIN: &'static str = "NodeResourcesFit";

    fn complete(&mut self, _profile: &Context<'_>) {
        let least = || Strategy { kind: LEAST.to_owned(), ..Strategy::default() };
        resources::complete(&mut self.scoring_strategy.get_or_insert_with(least).resources);
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        for (idx, resource) in self.ignored_resources.iter().enumerate() {
            names::validate_label_name(resource, &path.child("ignoredResources").index(idx), errors);
        }
        for (idx, group) in self.ignored_resource_groups.iter().enumerate() {
            let path = path.child("ignoredResourceGroups").index(idx);
            if group.contains('/') {
                errors.invalid(path.clone(), group, "resource group name can't contain '/'");
            }
            names::validate_label_name(group, &path, errors);
        }
        if let Some(strategy) = &self.scoring_strategy {
            strategy.validate(&path.child("scoringStrategy"), errors);
        }
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        let strategy = self.scoring_strategy.as_ref()?;
        let name = |name: &String| name.as_str().into();
        Some(Box::new(NodeResourcesFit {
            strategy: strategy.strategy(),
            resources: resources::specs(&strategy.resources),
            ignored_resources: self.ignored_resources.iter().map(name).collect(),
            ignored_groups: self.ignored_resource_groups.iter().map(name).collect(),
        }))
    }
}

// === impl Strategy ===

impl Strategy {
    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if ![LEAST, MOST, RATIO].contains(&self.kind.as_str()) {
            errors.unsupported(path.child("type"), &self.kind, &[LEAST, MOST, RATIO]);
        }
        for (idx, resource) in self.resources.iter().enumerate() {
            if !(1..=100).contains(&resource.weight) {
                let detail = format!("resource weight of {} not in valid range (0, 100]", resource.name);
                let path = path.child("resources").index(idx).child("weight");
                errors.invalid(path, resource.weight, detail);
            }
        }
        let path = path.child("requestedToCapacityRatio");
        match &self.requested_to_capacity_ratio {
            Some(ratio) if self.kind == RATIO => shape::validate(&ratio.shape, &path.child("shape"), errors),
            Some(_) => errors.forbidden(path, "must be nil when type is not RequestedToCapacityRatio"),
            None if self.kind == RATIO => {
                errors.required(path, "must be specified when type is RequestedToCapacityRatio");
            }
            None => (),
        }
    }

    fn strategy(&self) -> ScoringStrategy {
        match &self.requested_to_capacity_ratio {
            Some(ratio) => ScoringStrategy::RequestedToCapacityRatio(shape::curve(&ratio.shape)),
            None if self.kind == MOST => ScoringStrategy::MostAllocated,
            None => ScoringStrategy::LeastAllocated,
        }
    }
}

//! Arguments of `PodTopologySpread`.

use edge_core::model::{SpreadConstraint, WhenUnsatisfiable};
use edge_core::placement::Plugin;
use edge_core::placement::plugins::pod_topology_spread::PodTopologySpread;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Args, Context};
use crate::error::{FieldErrors, Path};
use crate::names;

/// The constraints of pods that have none of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodTopologySpreadArgs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    default_constraints: Vec<Constraint>,
    defaulting_type: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Constraint {
    max_skew: i32,
    topology_key: String,
    when_unsatisfiable: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label_selector: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_domains: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_affinity_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_taints_policy: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    match_label_keys: Vec<String>,
}

const SYSTEM: &str = "System";
const LIST: &str = "List";
const SCHEDULE_ANYWAY: &str = "ScheduleAnyway";
const ACTIONS: [&str; 2] = ["DoNotSchedule", SCHEDULE_ANYWAY];
const HONOR: &str = "Honor";

impl Args for PodTopologySpreadArgs {
    const PLUGIN: &'static str = "PodTopologySpread";

    fn complete(&mut self, _profile: &Context<'_>) {
        if self.defaulting_type.is_empty() {
            SYSTEM.clone_into(&mut self.defaulting_type);
        }
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        let (constraints, defaulting) = (&self.default_constraints, &self.defaulting_type);
        let defaulting_path = path.child("defaultingType");
        match defaulting.as_str() {
            SYSTEM if !constraints.is_empty() => {
                errors.invalid(defaulting_path, defaulting, "when .defaultConstraints are not empty");
            }
            SYSTEM | LIST => (),
            _ => errors.unsupported(defaulting_path, defaulting, &[LIST, SYSTEM]),
        }
        for (idx, constraint) in constraints.iter().enumerate() {
            let path = path.child("defaultConstraints").index(idx);
            constraint.validate(&path, errors);
            if constraints.iter().take(idx).any(|other| other.repeats(constraint)) {
                let (key, action) = (&constraint.topology_key, &constraint.when_unsatisfiable);
                errors.duplicate(path, format!("{{{key}, {action}}}"));
            }
        }
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        Some(Box::new(match self.defaulting_type.as_str() {
            LIST => {
                let defaults = self.default_constraints.iter().map(Constraint::model);
                PodTopologySpread::with_defaults(defaults.collect())
            }
            _ => PodTopologySpread::default(),
        }))
    }
}

// === impl Constraint ===

impl Constraint {
    /// The constraint, on pods that are yet to be selected.
    fn model(&self) -> SpreadConstraint {
        let action = match self.when_unsatisfiable.as_str() {
            SCHEDULE_ANYWAY => WhenUnsatisfiable::ScheduleAnyway,
            _ => WhenUnsatisfiable::DoNotSchedule,
        };
        let default = SpreadConstraint::new(self.topology_key.as_str().into(), self.max_skew.into(), action);
        let honors = |policy: &Option<String>, default| policy.as_ref().map_or(default, |it| it == HONOR);
        SpreadConstraint {
            min_domains: self.min_domains.unwrap_or(1).into(),
            honors_affinity: honors(&self.node_affinity_policy, default.honors_affinity),
            honors_taints: honors(&self.node_taints_policy, default.honors_taints),
            ..default
        }
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if self.max_skew <= 0 {
            errors.invalid(path.child("maxSkew"), self.max_skew, "not in valid range (0, inf)");
        }
        let key_path = path.child("topologyKey");
        if self.topology_key.is_empty() {
            errors.required(key_path, "can not be empty");
        } else {
            names::validate_label_name(&self.topology_key, &key_path, errors);
        }
        let action_path = path.child("whenUnsatisfiable");
        if self.when_unsatisfiable.is_empty() {
            errors.required(action_path, "can not be empty");
        } else if !ACTIONS.contains(&self.when_unsatisfiable.as_str()) {
            errors.unsupported(action_path, &self.when_unsatisfiable, &ACTIONS);
        }
        if self.label_selector.is_some() {
            let detail = "constraint must not define a selector, as they deduced for each pod";
            errors.forbidden(path.child("labelSelector"), detail);
        }
    }

    fn repeats(&self, other: &Self) -> bool {
        self.topology_key == other.topology_key && self.when_unsatisfiable == other.when_unsatisfiable
    }
}

//! Topology spread constraints.

use std::sync::Arc;

use serde::Deserialize;

use crate::model::{Labels, Requirement, SpreadConstraint, WhenUnsatisfiable};

use super::decode::or_default;
use super::error::{Fault, Problem};
use super::intern::Interner;
use super::selector::{self, LabelSelectorObject};

const ACTIONS: &str = "DoNotSchedule, ScheduleAnyway";
const POLICIES: &str = "Honor, Ignore";

/// A topology spread constraint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SpreadObject {
    max_skew: i64,
    topology_key: Option<String>,
    when_unsatisfiable: Option<String>,
    label_selector: Option<LabelSelectorObject>,
    min_domains: Option<i64>,
    node_affinity_policy: Option<String>,
    node_taints_policy: Option<String>,
    #[serde(deserialize_with = "or_default")]
    match_label_keys: Vec<String>,
}

/// The constraints of a pod with these labels.
pub(super) fn read(
    objects: &[SpreadObject],
    labels: &Labels,
    interner: &mut Interner,
) -> Result<Arc<[SpreadConstraint]>, Fault> {
    if objects.is_empty() {
        return Ok(Arc::default());
    }
    let constraints = objects.iter().enumerate().map(|(idx, object)| {
        let constraint = object.read(labels, interner);
        constraint.map_err(|fault| fault.under(format_args!("spec.topologySpreadConstraints[{idx}]")))
    });
    let constraints: Vec<SpreadConstraint> = constraints.collect::<Result<_, _>>()?;
    Ok(interner.spread(constraints))
}

fn read_policy(policy: Option<&str>, field: &str, default: bool) -> Result<bool, Fault> {
    match policy {
        None => Ok(default),
        Some("Honor") => Ok(true),
        Some("Ignore") => Ok(false),
        Some(other) => Err(Problem::word(other, POLICIES).at(field)),
    }
}

// === impl SpreadObject ===

impl SpreadObject {
    fn read(&self, labels: &Labels, interner: &mut Interner) -> Result<SpreadConstraint, Fault> {
        let topology_key = self.topology_key.as_deref().filter(|key| !key.is_empty());
        let topology_key = topology_key.ok_or_else(|| Problem::Missing.at("topologyKey"))?;
        let at_least_one = |value: i64, field: &str| {
            Problem::check_range(value, 1, i64::from(i32::MAX)).map_err(|problem| problem.at(field))
        };
        let selector = selector::read(self.label_selector.as_ref(), "labelSelector", interner)?;
        // Upstream's scheduler does this too, with the labels that the pod has when it is placed, whether or
        // not the API server has done it before (`plugins/podtopologyspread/common.go`).
        let more = self.match_label_keys.iter().filter_map(|key| {
            let value = labels.shared(key)?;
            Some(Requirement::equals(interner.intern(key), value.clone()))
        });
        let more: Vec<Requirement> =
            more.filter(|more| selector.requirements().all(|it| it != more)).collect();
        Ok(SpreadConstraint {
            topology_key: interner.intern(topology_key),
            max_skew: at_least_one(self.max_skew, "maxSkew")?,
            when_unsatisfiable: self.read_action()?,
            selector: selector.with(more),
            min_domains: at_least_one(self.min_domains.unwrap_or(1), "minDomains")?,
            honors_affinity: read_policy(self.node_affinity_policy.as_deref(), "nodeAffinityPolicy", true)?,
            honors_taints: read_policy(self.node_taints_policy.as_deref(), "nodeTaintsPolicy", false)?,
        })
    }

    fn read_action(&self) -> Result<WhenUnsatisfiable, Fault> {
        match self.when_unsatisfiable.as_deref() {
            None | Some("" | "DoNotSchedule") => Ok(WhenUnsatisfiable::DoNotSchedule),
            Some("ScheduleAnyway") => Ok(WhenUnsatisfiable::ScheduleAnyway),
            Some(other) => Err(Problem::word(other, ACTIONS).at("whenUnsatisfiable")),
        }
    }
}

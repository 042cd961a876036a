//! Affinity between pods.

use std::sync::Arc;

use serde::Deserialize;

use crate::model::{
    LabelSelector, Labels, PodAffinity, PodAffinityTerm, Requirement, WeightedPodAffinityTerm,
};

use super::affinity::Affinity;
use super::decode::or_default;
use super::error::{Fault, Problem};
use super::intern::Interner;
use super::selector::{self, LabelSelectorObject};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// `spec.affinity.podAffinity` or `podAntiAffinity`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodAffinityObject {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution", deserialize_with = "or_default")]
    required: Vec<TermObject>,
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution", deserialize_with = "or_default")]
    preferred: Vec<PreferredObject>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PreferredObject {
    weight: i64,
    #[serde(deserialize_with = "or_default")]
    pod_affinity_term: TermObject,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TermObject {
    label_selector: Option<LabelSelectorObject>,
    topology_key: Option<String>,
    #[serde(deserialize_with = "or_default")]
    namespaces: Vec<String>,
    namespace_selector: Option<LabelSelectorObject>,
    #[serde(deserialize_with = "or_default")]
    match_label_keys: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    mismatch_label_keys: Vec<String>,
}

/// The pod whose terms are read.
pub(super) struct Bearer<'a> {
    /// Its namespace.
    pub(super) namespace: &'a str,
    /// Its labels.
    pub(super) labels: &'a Labels,
}

/// The pod's affinity to other pods, if it has any.
pub(super) fn read(
    affinity: &Affinity,
    pod: &Bearer<'_>,
    interner: &mut Interner,
) -> Result<Option<Arc<PodAffinity>>, Fault> {
    let mut read = |object: &Option<PodAffinityObject>, field: &str| {
        let Some(object) = object else { return Ok(Default::default()) };
        object.read(pod, interner).map_err(|fault| fault.under(format_args!("spec.affinity.{field}")))
    };
    let (required, preferred) = read(&affinity.pod, "podAffinity")?;
    let (required_anti, preferred_anti) = read(&affinity.pod_anti, "podAntiAffinity")?;
    let read = PodAffinity { required, required_anti, preferred, preferred_anti };
    Ok(if read.is_empty() { None } else { Some(interner.pod_affinity(read)) })
}

// === impl PodAffinityObject ===

impl PodAffinityObject {
    #[expect(clippy::type_complexity, reason = "the two lists of an affinity")]
    fn read(
        &self,
        pod: &Bearer<'_>,
        interner: &mut Interner,
    ) -> Result<(Box<[PodAffinityTerm]>, Box<[WeightedPodAffinityTerm]>), Fault> {
        let required = self.required.iter().enumerate().map(|(idx, term)| {
            term.read(pod, interner).map_err(|fault| fault.under(format_args!("{REQUIRED}[{idx}]")))
        });
        let required = required.collect::<Result<_, _>>()?;
        let preferred = self.preferred.iter().enumerate().map(|(idx, preferred)| {
            preferred.read(pod, interner).map_err(|fault| fault.under(format_args!("{PREFERRED}[{idx}]")))
        });
        Ok((required, preferred.collect::<Result<_, _>>()?))
    }
}

// === impl PreferredObject ===

impl PreferredObject {
    fn read(&self, pod: &Bearer<'_>, interner: &mut Interner) -> Result<WeightedPodAffinityTerm, Fault> {
        let weight = Problem::check_range(self.weight, 1, 100).map_err(|problem| problem.at("weight"))?;
        let term = self.pod_affinity_term.read(pod, interner);
        let term = term.map_err(|fault| fault.under(format_args!("podAffinityTerm")))?;
        Ok(WeightedPodAffinityTerm { weight, term })
    }
}

// === impl TermObject ===

impl TermObject {
    fn read(&self, pod: &Bearer<'_>, interner: &mut Interner) -> Result<PodAffinityTerm, Fault> {
        let topology_key = self.topology_key.as_deref().filter(|key| !key.is_empty());
        let topology_key = topology_key.ok_or_else(|| Problem::Missing.at("topologyKey"))?;
        let selector = selector::read(self.label_selector.as_ref(), "labelSelector", interner)?;
        let namespace_selector =
            selector::read(self.namespace_selector.as_ref(), "namespaceSelector", interner)?;
        let own = self.namespaces.is_empty() && namespace_selector.is_nothing();
        let namespaces =
            if own { [interner.intern(pod.namespace)].into() } else { interner.names(&self.namespaces) };
        Ok(PodAffinityTerm {
            topology_key: interner.intern(topology_key),
            selector: self.merge_label_keys(selector, pod, interner),
            namespaces,
            namespace_selector,
        })
    }

    /// Takes the pod's own labels into the selector where the term says so. The API server has done it to a
    /// pod that went through it, and refuses such a key beside an expression on it, so where there is one
    /// nothing is left to do (upstream: `registry/core/pod/strategy.go`, `applyLabelKeysToLabelSelector`).
    fn merge_label_keys(
        &self,
        selector: LabelSelector,
        pod: &Bearer<'_>,
        interner: &mut Interner,
    ) -> LabelSelector {
        let is_merged =
            |key: &str| self.label_selector.as_ref().is_some_and(|selector| selector.has_expression_on(key));
        let mut more = Vec::new();
        let keys = [(&self.match_label_keys, true), (&self.mismatch_label_keys, false)];
        for (keys, same) in keys {
            for key in keys.iter().filter(|key| !is_merged(key)) {
                let Some(value) = pod.labels.shared(key).cloned() else { continue };
                let key = interner.intern(key);
                more.push(if same {
                    Requirement::equals(key, value)
                } else {
                    Requirement::differs(key, value)
                });
            }
        }
        selector.with(more)
    }
}

//! Affinity to nodes.

use serde::{Deserialize, Serialize};

use crate::model::{NodeAffinity, NodeSelector, NodeSelectorTerm, PreferredTerm, Requirement, RequirementOp};

use super::decode::or_default;
use super::error::{Fault, Problem, WireError};
use super::intern::Interner;
use super::pod_affinity::PodAffinityObject;

const OPERATORS: &str = "In, NotIn, Exists, DoesNotExist, Gt, Lt";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// `spec.affinity`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Affinity {
    #[serde(rename = "nodeAffinity")]
    node: Option<NodeAffinityObject>,
    #[serde(rename = "podAffinity")]
    pub(super) pod: Option<PodAffinityObject>,
    #[serde(rename = "podAntiAffinity")]
    pub(super) pod_anti: Option<PodAffinityObject>,
}

/// Affinity to nodes, of a pod or on its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeAffinityObject {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    required: Option<NodeSelectorObject>,
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution", deserialize_with = "or_default")]
    preferred: Vec<PreferredObject>,
}

/// A node selector: alternatives.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NodeSelectorObject {
    #[serde(deserialize_with = "or_default")]
    node_selector_terms: Vec<TermObject>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct PreferredObject {
    weight: i64,
    #[serde(deserialize_with = "or_default")]
    preference: TermObject,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TermObject {
    #[serde(deserialize_with = "or_default")]
    match_expressions: Vec<RequirementObject>,
    #[serde(deserialize_with = "or_default")]
    match_fields: Vec<RequirementObject>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct RequirementObject {
    key: Option<String>,
    operator: Option<String>,
    #[serde(deserialize_with = "or_default")]
    values: Vec<String>,
}

// === impl Affinity ===

impl Affinity {
    /// The node affinity.
    pub(super) fn read_node_affinity(&self, interner: &mut Interner) -> Result<NodeAffinity, Fault> {
        let Some(affinity) = &self.node else {
            return Ok(NodeAffinity::default());
        };
        affinity.read(interner).map_err(|fault| fault.under(format_args!("spec.affinity.nodeAffinity")))
    }
}

// === impl NodeAffinityObject ===

impl NodeAffinityObject {
    /// Reads affinity that is not a pod's. What is wrong is told by its path within.
    pub fn read_alone(&self) -> Result<NodeAffinity, WireError> {
        self.read(&mut Interner::default()).map_err(|fault| fault.of("affinity", String::new()))
    }

    fn read(&self, interner: &mut Interner) -> Result<NodeAffinity, Fault> {
        let required = match &self.required {
            Some(required) => {
                let terms = required.read(interner);
                Some(NodeSelector { terms: terms.map_err(|fault| fault.under(format_args!("{REQUIRED}")))? })
            }
            None => None,
        };
        let preferred = self.preferred.iter().enumerate().map(|(idx, preferred)| {
            preferred.read(interner).map_err(|fault| {
                fault.under(format_args!("preferredDuringSchedulingIgnoredDuringExecution[{idx}]"))
            })
        });
        Ok(NodeAffinity { required, preferred: preferred.collect::<Result<_, _>>()? })
    }
}

// === impl NodeSelectorObject ===

impl NodeSelectorObject {
    /// Checks the terms.
    pub(super) fn read(&self, interner: &mut Interner) -> Result<Box<[NodeSelectorTerm]>, Fault> {
        let terms = self.node_selector_terms.iter().enumerate().map(|(idx, term)| {
            term.read(interner).map_err(|fault| fault.under(format_args!("nodeSelectorTerms[{idx}]")))
        });
        terms.collect()
    }
}

// === impl PreferredObject ===

impl PreferredObject {
    fn read(&self, interner: &mut Interner) -> Result<PreferredTerm, Fault> {
        let weight = Problem::check_range(self.weight, 1, 100).map_err(|problem| problem.at("weight"))?;
        let term = self.preference.read(interner);
        Ok(PreferredTerm { weight, term: term.map_err(|fault| fault.under(format_args!("preference")))? })
    }
}

// === impl TermObject ===

impl TermObject {
    fn read(&self, interner: &mut Interner) -> Result<NodeSelectorTerm, Fault> {
        Ok(NodeSelectorTerm {
            expressions: read_all(&self.match_expressions, "matchExpressions", interner)?,
            fields: read_all(&self.match_fields, "matchFields", interner)?,
        })
    }
}

fn read_all(
    objects: &[RequirementObject],
    field: &str,
    interner: &mut Interner,
) -> Result<Box<[Requirement]>, Fault> {
    let requirements = objects.iter().enumerate().map(|(idx, object)| {
        object.read(interner).map_err(|fault| fault.under(format_args!("{field}[{idx}]")))
    });
    requirements.collect()
}

// === impl RequirementObject ===

impl RequirementObject {
    fn read(&self, interner: &mut Interner) -> Result<Requirement, Fault> {
        let op = match self.operator.as_deref().unwrap_or_default() {
            "In" => RequirementOp::In,
            "NotIn" => RequirementOp::NotIn,
            "Exists" => RequirementOp::Exists,
            "DoesNotExist" => RequirementOp::DoesNotExist,
            "Gt" => RequirementOp::Gt,
            "Lt" => RequirementOp::Lt,
            other => return Err(Problem::word(other, OPERATORS).at("operator")),
        };
        let key = interner.intern(self.key.as_deref().unwrap_or_default());
        Ok(Requirement { key, op, values: interner.names(&self.values) })
    }
}

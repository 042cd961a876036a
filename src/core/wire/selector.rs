//! Label selectors, and the objects of which nothing else is read.

use serde::Deserialize;

use crate::model::{LabelSelector, PodSelector, Requirement, RequirementOp, SelectorKind};

use super::decode::{Pairs, or_default};
use super::error::{Fault, Problem, WireError};
use super::intern::Interner;
use super::meta::{Identity, Meta};

const OPERATORS: &str = "In, NotIn, Exists, DoesNotExist";

/// A label selector.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LabelSelectorObject {
    match_labels: Pairs<String>,
    #[serde(deserialize_with = "or_default")]
    match_expressions: Vec<RequirementObject>,
}

/// A requirement of a label selector.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RequirementObject {
    key: Option<String>,
    operator: Option<String>,
    #[serde(deserialize_with = "or_default")]
    values: Vec<String>,
}

/// A Service or ReplicationController as the API has it: the selector is a map of labels.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LabelledObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    spec: LabelledSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct LabelledSpec {
    selector: Option<Pairs<String>>,
}

/// A ReplicaSet or StatefulSet as the API has it: the selector is a label selector.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SelectingObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    spec: SelectingSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SelectingSpec {
    selector: Option<LabelSelectorObject>,
}

/// Reads a selector that may not be there.
pub(super) fn read(
    object: Option<&LabelSelectorObject>,
    field: &str,
    interner: &mut Interner,
) -> Result<LabelSelector, Fault> {
    let Some(object) = object else { return Ok(LabelSelector::Nothing) };
    object.read(interner).map_err(|fault| fault.under(format_args!("{field}")))
}

// === impl LabelSelectorObject ===

impl LabelSelectorObject {
    /// Checks the selector.
    pub(super) fn read(&self, interner: &mut Interner) -> Result<LabelSelector, Fault> {
        let mut requirements = labels(&self.match_labels, interner);
        for (idx, object) in self.match_expressions.iter().enumerate() {
            let requirement = object.read(interner);
            requirements
                .push(requirement.map_err(|fault| fault.under(format_args!("matchExpressions[{idx}]")))?);
        }
        Ok(LabelSelector::All(requirements.into()))
    }

    /// Whether an expression is on this label.
    pub(super) fn has_expression_on(&self, key: &str) -> bool {
        self.match_expressions.iter().any(|expression| expression.key.as_deref() == Some(key))
    }
}

fn labels(pairs: &Pairs<String>, interner: &mut Interner) -> Vec<Requirement> {
    let pairs = pairs.0.iter();
    pairs.map(|(key, value)| Requirement::equals(interner.intern(key), interner.intern(value))).collect()
}

// === impl RequirementObject ===

impl RequirementObject {
    fn read(&self, interner: &mut Interner) -> Result<Requirement, Fault> {
        let op = match self.operator.as_deref().unwrap_or_default() {
            "In" => RequirementOp::In,
            "NotIn" => RequirementOp::NotIn,
            "Exists" => RequirementOp::Exists,
            "DoesNotExist" => RequirementOp::DoesNotExist,
            other => return Err(Problem::word(other, OPERATORS).at("operator")),
        };
        let lists = matches!(op, RequirementOp::In | RequirementOp::NotIn);
        if lists == self.values.is_empty() {
            return Err(Problem::Values { wanted: lists }.at("values"));
        }
        let key = interner.intern(self.key.as_deref().unwrap_or_default());
        Ok(Requirement { key, op, values: interner.names(&self.values) })
    }
}

// === impl LabelledObject ===

impl LabelledObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and keeps its selector.
    pub fn into_selector(
        self,
        kind: SelectorKind,
        interner: &mut Interner,
    ) -> Result<PodSelector, WireError> {
        let selector = match &self.spec.selector {
            Some(pairs) => LabelSelector::All(labels(pairs, interner).into()),
            None => LabelSelector::Nothing,
        };
        pod_selector(kind, &self.metadata, Ok(selector), interner)
    }
}

// === impl SelectingObject ===

impl SelectingObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and keeps its selector.
    pub fn into_selector(
        self,
        kind: SelectorKind,
        interner: &mut Interner,
    ) -> Result<PodSelector, WireError> {
        let selector = read(self.spec.selector.as_ref(), "spec.selector", interner);
        pod_selector(kind, &self.metadata, selector, interner)
    }
}

fn pod_selector(
    kind: SelectorKind,
    metadata: &Meta,
    selector: Result<LabelSelector, Fault>,
    interner: &mut Interner,
) -> Result<PodSelector, WireError> {
    let read = || {
        Ok(PodSelector {
            kind,
            namespace: interner.intern(metadata.namespace_or_default()),
            name: metadata.required_name()?.into(),
            selector: selector?,
        })
    };
    read().map_err(|fault: Fault| {
        let name = metadata.name.as_deref().unwrap_or("(unnamed)");
        fault.of(kind.as_str(), format!("{}/{name}", metadata.namespace_or_default()))
    })
}

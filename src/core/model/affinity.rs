//! Node selectors and node affinity (upstream: `component-helpers/scheduling/corev1/nodeaffinity`).

use super::{Labels, Name, Node};

/// The operator of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequirementOp {
    /// The value is one of those listed.
    In,
    /// The value is absent or none of those listed.
    NotIn,
    /// The key is there.
    Exists,
    /// The key is not there.
    DoesNotExist,
    /// The value is an integer greater than the one listed.
    Gt,
    /// The value is an integer less than the one listed.
    Lt,
}

/// One requirement on a label, or on the field `metadata.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key or the field's path.
    pub key: Name,
    /// How it compares.
    pub op: RequirementOp,
    /// What it compares with.
    pub values: Box<[Name]>,
}

/// A term: all of its requirements must hold. An empty term matches no node, as upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSelectorTerm {
    /// Requirements on labels.
    pub expressions: Box<[Requirement]>,
    /// Requirements on fields; the API knows `metadata.name` alone.
    pub fields: Box<[Requirement]>,
}

/// Alternatives: one of the terms must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSelector {
    /// The terms.
    pub terms: Box<[NodeSelectorTerm]>,
}

/// A term that adds to a node's score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferredTerm {
    /// From 1 to 100.
    pub weight: i64,
    /// What it prefers.
    pub term: NodeSelectorTerm,
}

/// The node affinity of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAffinity {
    /// What a node must match, if the pod says.
    pub required: Option<NodeSelector>,
    /// What it would rather match.
    pub preferred: Box<[PreferredTerm]>,
}

// === impl Requirement ===

impl Requirement {
    fn matches(&self, value: Option<&str>) -> bool {
        match self.op {
            RequirementOp::In => value.is_some_and(|value| self.lists(value)),
            RequirementOp::NotIn => !value.is_some_and(|value| self.lists(value)),
            RequirementOp::Exists => value.is_some(),
            RequirementOp::DoesNotExist => value.is_none(),
            RequirementOp::Gt => self.compare(value, |value, bound| value > bound),
            RequirementOp::Lt => self.compare(value, |value, bound| value < bound),
        }
    }

    fn lists(&self, value: &str) -> bool {
        self.values.iter().any(|listed| &**listed == value)
    }

    fn compare(&self, value: Option<&str>, holds: fn(i64, i64) -> bool) -> bool {
        let bound = self.values.first().and_then(|bound| bound.parse().ok());
        let value = value.and_then(|value| value.parse().ok());
        matches!((value, bound), (Some(value), Some(bound)) if holds(value, bound))
    }
}

// === impl NodeSelectorTerm ===

impl NodeSelectorTerm {
    /// Whether the node matches all requirements of the term.
    pub fn matches(&self, node: &Node) -> bool {
        self.matches_parts(node.name.as_str(), &node.labels)
    }

    fn matches_parts(&self, name: &str, labels: &Labels) -> bool {
        if self.expressions.is_empty() && self.fields.is_empty() {
            return false;
        }
        self.expressions.iter().all(|requirement| requirement.matches(labels.get(&requirement.key)))
            && self
                .fields
                .iter()
                .all(|requirement| &*requirement.key == "metadata.name" && requirement.matches(Some(name)))
    }

    /// The names a `metadata.name In [...]` field requirement narrows this term to, if it has one.
    pub fn node_names(&self) -> Option<&[Name]> {
        let narrows = |requirement: &&Requirement| {
            requirement.op == RequirementOp::In && &*requirement.key == "metadata.name"
        };
        self.fields.iter().find(narrows).map(|requirement| &*requirement.values)
    }
}

// === impl NodeSelector ===

impl NodeSelector {
    /// Whether the node matches one of the terms.
    pub fn matches(&self, node: &Node) -> bool {
        self.terms.iter().any(|term| term.matches(node))
    }
}

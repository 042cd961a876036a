//! Node selectors and node affinity (upstream: `component-helpers/scheduling/corev1/nodeaffinity`).

use std::collections::BTreeSet;

use super::{Labels, Name, Node, is_label_value};

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// The one field of a node that the API lets a requirement name.
const NAME_FIELD: &str = "metadata.name";

// === impl Requirement ===

impl Requirement {
    /// Whether a requirement on a label can be parsed (upstream: `labels.NewRequirement`). The API
    /// server checks most of it, but neither that a bound is an integer nor the values of old pods.
    fn is_valid_on_label(&self) -> bool {
        let counted = match self.op {
            RequirementOp::In | RequirementOp::NotIn => !self.values.is_empty(),
            RequirementOp::Exists | RequirementOp::DoesNotExist => self.values.is_empty(),
            RequirementOp::Gt | RequirementOp::Lt => {
                matches!(&*self.values, [bound] if bound.parse::<i64>().is_ok())
            }
        };
        counted && self.values.iter().all(|value| is_label_value(value))
    }

    /// Whether a requirement on a field can be parsed: only one value, equal or not.
    fn is_valid_on_field(&self) -> bool {
        matches!(self.op, RequirementOp::In | RequirementOp::NotIn) && self.values.len() == 1
    }

    /// Whether something with these labels meets the requirement. One that can't be parsed is met by nothing.
    pub fn holds_for(&self, labels: &Labels) -> bool {
        self.is_valid_on_label() && self.matches(labels.get(&self.key))
    }

    /// Whether a label of this value, or an absent one, meets the requirement.
    pub(super) fn matches(&self, value: Option<&str>) -> bool {
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
    /// Whether the term can match any node: it is not empty, and all of its requirements can be
    /// parsed. One that can't be keeps the whole term from matching, as upstream, even where the others
    /// hold.
    pub fn is_usable(&self) -> bool {
        (!self.expressions.is_empty() || !self.fields.is_empty())
            && self.expressions.iter().all(Requirement::is_valid_on_label)
            && self.fields.iter().all(Requirement::is_valid_on_field)
    }

    /// Whether the node matches all requirements of the term.
    pub fn matches(&self, node: &Node) -> bool {
        self.is_usable() && self.holds(node)
    }

    /// The same for a term known to be usable. That depends on the term alone, so who judges many nodes
    /// asks it once.
    pub(crate) fn holds(&self, node: &Node) -> bool {
        // A field that the API doesn't know has the empty value, as upstream.
        let field = |key: &str| if key == NAME_FIELD { node.name.as_str() } else { "" };
        self.expressions.iter().all(|requirement| requirement.matches(node.labels.get(&requirement.key)))
            && self.fields.iter().all(|requirement| requirement.matches(Some(field(&requirement.key))))
    }

    /// The bounds that are no integers, with the place of their requirement: all that the API server
    /// lets pass of what can't be parsed.
    pub(crate) fn unreadable_bounds(&self) -> impl Iterator<Item = (usize, &Name)> {
        let compares =
            |requirement: &Requirement| matches!(requirement.op, RequirementOp::Gt | RequirementOp::Lt);
        let bounds = self.expressions.iter().enumerate().filter(move |(_, it)| compares(it));
        let bounds = bounds.flat_map(|(idx, it)| it.values.iter().map(move |bound| (idx, bound)));
        bounds.filter(|(_, bound)| bound.parse::<i64>().is_err())
    }

    /// The names that all `metadata.name In [...]` requirements of the term have in common, if it has
    /// such requirements.
    fn node_names(&self) -> Option<BTreeSet<&Name>> {
        let names = |requirement: &'_ &Requirement| {
            requirement.op == RequirementOp::In && &*requirement.key == NAME_FIELD
        };
        let lists = self.fields.iter().filter(names).map(|requirement| requirement.values.iter().collect());
        lists.reduce(|common: BTreeSet<&Name>, list| common.intersection(&list).copied().collect())
    }
}

// === impl NodeSelector ===

impl NodeSelector {
    /// Whether the node matches one of the terms.
    pub fn matches(&self, node: &Node) -> bool {
        self.terms.iter().any(|term| term.matches(node))
    }

    /// Whether something with these labels, and no name, matches one of the terms: so upstream asks whether a
    /// volume can be reached from a node.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.terms.iter().any(|term| {
            term.is_usable()
                && term
                    .expressions
                    .iter()
                    .all(|requirement| requirement.matches(labels.get(&requirement.key)))
                && term.fields.iter().all(|requirement| requirement.matches(Some("")))
        })
    }

    /// The terms that can match any node.
    pub(crate) fn usable_terms(&self) -> Vec<&NodeSelectorTerm> {
        self.terms.iter().filter(|term| term.is_usable()).collect()
    }

    /// The names of the nodes that the terms can match, if every term names some. None: any node. An
    /// empty set: the requirements of each term contradict one another.
    ///
    /// As upstream, terms count that can't be parsed, which matters to the message alone.
    pub fn node_names(&self) -> Option<BTreeSet<&Name>> {
        let names: Option<Vec<_>> = self.terms.iter().map(NodeSelectorTerm::node_names).collect();
        names.filter(|terms| !terms.is_empty()).map(|terms| terms.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(key: &str, op: RequirementOp, values: &[&str]) -> Requirement {
        Requirement { key: key.into(), op, values: values.iter().map(|value| Name::from(*value)).collect() }
    }

    fn node() -> Node {
        let labels = [("zone", "east"), ("cores", "16"), ("empty", ""), ("text", "many")];
        Node { labels: labels.into_iter().collect(), ..Node::named("n1") }
    }

    #[track_caller]
    fn check(term: &NodeSelectorTerm, expected: bool) {
        assert_eq!(term.matches(&node()), expected, "{term:?}");
    }

    fn on_label(key: &str, op: RequirementOp, values: &[&str]) -> NodeSelectorTerm {
        NodeSelectorTerm { expressions: [requirement(key, op, values)].into(), fields: Box::default() }
    }

    fn on_field(key: &str, op: RequirementOp, values: &[&str]) -> NodeSelectorTerm {
        NodeSelectorTerm { fields: [requirement(key, op, values)].into(), expressions: Box::default() }
    }

    #[test]
    fn every_operator_compares_with_the_label() {
        check(&on_label("zone", RequirementOp::In, &["west", "east"]), true);
        check(&on_label("zone", RequirementOp::In, &["west"]), false);
        check(&on_label("empty", RequirementOp::In, &[""]), true);
        check(&on_label("none", RequirementOp::In, &[""]), false);
        check(&on_label("zone", RequirementOp::NotIn, &["west"]), true);
        check(&on_label("zone", RequirementOp::NotIn, &["east"]), false);
        check(&on_label("none", RequirementOp::NotIn, &["east"]), true);
        check(&on_label("zone", RequirementOp::Exists, &[]), true);
        check(&on_label("none", RequirementOp::Exists, &[]), false);
        check(&on_label("zone", RequirementOp::DoesNotExist, &[]), false);
        check(&on_label("none", RequirementOp::DoesNotExist, &[]), true);
        check(&on_label("cores", RequirementOp::Gt, &["15"]), true);
        check(&on_label("cores", RequirementOp::Gt, &["16"]), false);
        check(&on_label("cores", RequirementOp::Lt, &["17"]), true);
        check(&on_label("cores", RequirementOp::Lt, &["16"]), false);
        check(&on_label("text", RequirementOp::Gt, &["1"]), false);
        check(&on_label("none", RequirementOp::Lt, &["1"]), false);
    }

    #[test]
    fn a_requirement_that_can_not_be_parsed_never_matches() {
        check(&on_label("none", RequirementOp::NotIn, &[]), false);
        check(&on_label("none", RequirementOp::NotIn, &["no label value"]), false);
        check(&on_label("zone", RequirementOp::Exists, &["east"]), false);
        check(&on_label("none", RequirementOp::DoesNotExist, &["east"]), false);
        check(&on_label("cores", RequirementOp::Gt, &["few"]), false);
        check(&on_label("cores", RequirementOp::Gt, &["1", "2"]), false);
        // A value may not begin with a sign, so there is no comparing with a negative number.
        check(&on_label("cores", RequirementOp::Gt, &["-1"]), false);
        check(&on_field("metadata.name", RequirementOp::In, &["n1", "n2"]), false);
        check(&on_field("metadata.name", RequirementOp::NotIn, &["n2", "n3"]), false);
        check(&on_field("metadata.name", RequirementOp::Exists, &[]), false);
    }

    #[test]
    fn the_name_of_the_node_is_a_field() {
        check(&on_field("metadata.name", RequirementOp::In, &["n1"]), true);
        check(&on_field("metadata.name", RequirementOp::In, &["n2"]), false);
        check(&on_field("metadata.name", RequirementOp::NotIn, &["n2"]), true);
        check(&on_field("metadata.name", RequirementOp::NotIn, &["n1"]), false);
        check(&on_field("metadata.namespace", RequirementOp::NotIn, &["n1"]), true);
        check(&on_field("metadata.namespace", RequirementOp::In, &["n1"]), false);
    }

    #[test]
    fn all_requirements_of_a_term_must_hold_and_one_term_suffices() {
        let zone = requirement("zone", RequirementOp::In, &["east"]);
        let cores = requirement("cores", RequirementOp::Gt, &["32"]);
        let name = requirement("metadata.name", RequirementOp::In, &["n1"]);
        let both =
            NodeSelectorTerm { expressions: [zone.clone(), cores].into(), fields: [name.clone()].into() };
        let one = NodeSelectorTerm { expressions: [zone].into(), fields: [name].into() };
        check(&both, false);
        check(&one, true);
        check(&NodeSelectorTerm::default(), false);
        let selector = NodeSelector { terms: [NodeSelectorTerm::default(), both, one].into() };
        assert!(selector.matches(&node()));
        assert!(!NodeSelector::default().matches(&node()));
    }

    #[track_caller]
    fn check_names(terms: &[&[&[&str]]], expected: Option<&[&str]>) {
        let term = |lists: &&[&[&str]]| NodeSelectorTerm {
            expressions: Box::default(),
            fields: lists.iter().map(|list| requirement(NAME_FIELD, RequirementOp::In, list)).collect(),
        };
        let selector = NodeSelector { terms: terms.iter().map(term).collect() };
        let names = selector.node_names().map(|names| names.iter().map(|name| &***name).collect::<Vec<_>>());
        assert_eq!(names.as_deref(), expected, "{terms:?}");
    }

    #[test]
    fn terms_name_nodes_only_if_each_of_them_does() {
        check_names(&[], None);
        check_names(&[&[]], None);
        check_names(&[&[&["b", "a"]]], Some(&["a", "b"]));
        check_names(&[&[&["a"]], &[]], None);
        check_names(&[&[&["a"]], &[&["b"]], &[&["a"]]], Some(&["a", "b"]));
        check_names(&[&[&["a", "b"], &["b", "c"]]], Some(&["b"]));
        check_names(&[&[&["a"], &["b"]]], Some(&[]));
        check_names(&[&[&["a"], &["b"]], &[&["c"]]], Some(&["c"]));
    }
}

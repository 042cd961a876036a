//! Delay constraints: how a pod says "at most so many milliseconds from there".

use std::fmt;

use crate::model::{Delay, DelayError, Name, Pod};

/// Labels `delay_<anchor>: "<ms>"` are delay constraints.
pub const DELAY_LABEL_PREFIX: &str = "delay_";
/// Annotation with further constraints, `anchor=25,deployment/other.ns=2.5`: for anchors whose name does
/// not fit a label, and to say the kind of a workload.
pub const DELAY_ANNOTATION: &str = "kubectl-edge.dev/delay";
/// Annotation that says which replicas of an anchor count: `nearest` (default) or `all`.
pub const DELAY_TO_ANNOTATION: &str = "kubectl-edge.dev/delay-to";
/// Annotation that the scheduler writes with the binding: what it decided, as JSON.
pub const DECISION_ANNOTATION: &str = "kubectl-edge.dev/decision";

/// What a delay is measured from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// The name as the pod gives it: a node, else `<workload>` or `<workload>.<namespace>`.
    pub name: Name,
    /// The kind, in lower case, if the annotation says it: `node`, `deployment`, `pod`, ….
    pub kind: Option<Name>,
}

/// At most this delay from this anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayConstraint {
    /// The anchor.
    pub anchor: Anchor,
    /// The bound, admitted itself.
    pub bound: Delay,
}

/// Which replicas of an anchor must be within the bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replicas {
    /// One of them.
    #[default]
    Nearest,
    /// Every one.
    All,
}

/// All delay constraints of a pod; every one must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelayConstraints {
    /// The constraints, in order of the anchors' names.
    pub list: Vec<DelayConstraint>,
    /// Which replicas count.
    pub replicas: Replicas,
}

/// A constraint that can't be read. The pod is not bound until it is mended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// The value of a label is no delay.
    #[error("label {label}: value {value:?} {error}; give a number of milliseconds such as \"25\"")]
    Label {
        /// The label's key.
        label: Name,
        /// Its value.
        value: Name,
        /// What is wrong.
        error: DelayError,
    },
    /// An entry of the annotation is no delay.
    #[error(
        "annotation {DELAY_ANNOTATION}: entry {entry:?} {error}; write anchor=25 or kind/anchor=25, in milliseconds"
    )]
    Entry {
        /// The entry.
        entry: String,
        /// What is wrong.
        error: DelayError,
    },
    /// An entry of the annotation names no anchor or has no `=`.
    #[error("annotation {DELAY_ANNOTATION}: entry {entry:?} is not of the form anchor=25 or kind/anchor=25")]
    Form {
        /// The entry.
        entry: String,
    },
    /// The annotation that says which replicas count says something else.
    #[error("annotation {DELAY_TO_ANNOTATION}: value {value:?} is neither \"nearest\" nor \"all\"")]
    Replicas {
        /// The value.
        value: Name,
    },
}

// === impl Anchor ===

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{kind}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

// === impl DelayConstraints ===

impl DelayConstraints {
    /// Reads the constraints of a pod from its labels and annotation.
    pub fn of_pod(pod: &Pod) -> Result<Self, ConstraintError> {
        let mut list = Vec::new();
        for (label, value) in pod.labels.iter() {
            let Some(anchor) = label.strip_prefix(DELAY_LABEL_PREFIX).filter(|anchor| !anchor.is_empty())
            else {
                continue;
            };
            let bound = Delay::parse_millis(value).map_err(|error| ConstraintError::Label {
                label: label.clone(),
                value: value.clone(),
                error,
            })?;
            list.push(DelayConstraint { anchor: Anchor { name: anchor.into(), kind: None }, bound });
        }
        if let Some(entries) = pod.annotations.get(DELAY_ANNOTATION) {
            for entry in entries.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
                list.push(parse_entry(entry)?);
            }
        }
        let replicas = match pod.annotations.shared(DELAY_TO_ANNOTATION) {
            None => Replicas::Nearest,
            Some(value) => match &**value {
                "nearest" => Replicas::Nearest,
                "all" => Replicas::All,
                _ => return Err(ConstraintError::Replicas { value: value.clone() }),
            },
        };
        Ok(Self { list, replicas })
    }

    /// Whether the pod has a delay constraint, readable or not.
    pub fn any(pod: &Pod) -> bool {
        pod.annotations.get(DELAY_ANNOTATION).is_some_and(|entries| !entries.trim().is_empty())
            || pod.labels.iter().any(|(label, _)| {
                label.strip_prefix(DELAY_LABEL_PREFIX).is_some_and(|anchor| !anchor.is_empty())
            })
    }
}

fn parse_entry(entry: &str) -> Result<DelayConstraint, ConstraintError> {
    let form = || ConstraintError::Form { entry: entry.to_owned() };
    let (anchor, value) = entry.split_once('=').ok_or_else(form)?;
    let anchor = anchor.trim();
    let (kind, name) = match anchor.split_once('/') {
        Some((kind, name)) => (Some(kind), name),
        None => (None, anchor),
    };
    if name.is_empty() || name.contains('/') || kind.is_some_and(str::is_empty) {
        return Err(form());
    }
    let bound = Delay::parse_millis(value.trim())
        .map_err(|error| ConstraintError::Entry { entry: entry.to_owned(), error })?;
    let kind = kind.map(|kind| kind.to_ascii_lowercase().into());
    Ok(DelayConstraint { anchor: Anchor { name: name.into(), kind }, bound })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;

    fn pod(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Pod {
        Pod {
            labels: labels.iter().copied().collect(),
            annotations: annotations.iter().copied().collect::<Labels>(),
            ..Pod::pending("default", "web")
        }
    }

    #[track_caller]
    fn check(labels: &[(&str, &str)], annotations: &[(&str, &str)], expected: Result<&[&str], &str>) {
        let read = DelayConstraints::of_pod(&pod(labels, annotations));
        let shown = read.map(|constraints| {
            let show = |it: &DelayConstraint| format!("{}={}", it.anchor, it.bound);
            constraints.list.iter().map(show).collect::<Vec<_>>()
        });
        let shown = shown.map_err(|error| error.to_string());
        assert_eq!(
            shown.as_ref().map(Vec::as_slice).map_err(String::as_str),
            expected
                .map(|list| { list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>() })
                .as_deref()
                .map_err(|error| *error)
        );
    }

    #[test]
    fn labels_and_annotation_stand_together() {
        check(&[("app", "web"), ("delay_edge-1", "25")], &[], Ok(&["edge-1=25"]));
        check(&[("delay_b", "0.4"), ("delay_a", "3")], &[], Ok(&["a=3", "b=0.4"]));
        check(
            &[("delay_a", "3")],
            &[(DELAY_ANNOTATION, "n1=25, Deployment/other.ns=2.5")],
            Ok(&["a=3", "n1=25", "deployment/other.ns=2.5"]),
        );
        check(&[("delay_", "x")], &[(DELAY_ANNOTATION, " ")], Ok(&[]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(
            &[("delay_a", "fast")],
            &[],
            Err(
                "label delay_a: value \"fast\" is not a number of milliseconds; give a number of milliseconds such as \"25\"",
            ),
        );
        check(
            &[("delay_a", "-1")],
            &[],
            Err("label delay_a: value \"-1\" is negative; give a number of milliseconds such as \"25\""),
        );
        check(
            &[],
            &[(DELAY_ANNOTATION, "a")],
            Err(
                "annotation kubectl-edge.dev/delay: entry \"a\" is not of the form anchor=25 or kind/anchor=25",
            ),
        );
        check(
            &[],
            &[(DELAY_TO_ANNOTATION, "some")],
            Err("annotation kubectl-edge.dev/delay-to: value \"some\" is neither \"nearest\" nor \"all\""),
        );
    }
}

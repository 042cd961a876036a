//! Queueing hints (upstream: `isSchedulableAfterPodChange`, `isSchedulableAfterNodeChange`).
//!
//! Upstream misses some cures: a change of a namespace's labels, the end of one of several kinds of pods that
//! a pod is kept from, a node that comes for a pod that others keep off. Here none is missed.

use super::term::required;
use crate::model::{Labels, Node, Pod, PodAffinityTerm};
use crate::placement::ClusterEvent;

/// Whether `event` may cure a rejection of `pod`.
pub(super) fn cured_by(pod: &Pod, event: &ClusterEvent<'_>) -> bool {
    let (near, anti) = required(pod);
    match event {
        ClusterEvent::PodPlaced(other) => may_all_match(near, other),
        ClusterEvent::PodFreed(other) => {
            let (_, others) = required(other);
            may_any_match(anti, other) || may_any_match(others, pod) || is_next_to_be_first(near, pod, other)
        }
        ClusterEvent::PodUpdated { old, new } if old.labels == new.labels => false,
        ClusterEvent::PodUpdated { old, new } => {
            let ended = anti.iter().any(|term| may_match(term, old) && !may_match(term, new));
            let left = may_all_match(near, old) != may_all_match(near, new);
            ended || left
        }
        ClusterEvent::NodeAdded(node) => near.is_empty() || near.iter().any(|term| has_label(node, term)),
        // The terms of placed pods keep pods off by labels that are not known here.
        ClusterEvent::NodeUpdated { old, new } => old.labels != new.labels,
        ClusterEvent::NodeRemoved(node) => !node.labels.is_empty(),
        ClusterEvent::NamespaceChanged { name, old, new } => {
            let selects = |term: &PodAffinityTerm, labels: Option<&Labels>| {
                labels.is_some_and(|labels| term.namespace_selector.matches(labels))
            };
            let mut terms = near.iter().chain(anti);
            **name == pod.key.namespace || terms.any(|term| selects(term, *old) != selects(term, *new))
        }
        _ => false,
    }
}

/// Whether a term means a pod, as far as can be said without the labels of the namespaces.
fn may_match(term: &PodAffinityTerm, pod: &Pod) -> bool {
    let in_namespace = term.namespaces.contains(&pod.key.namespace) || !term.namespace_selector.is_nothing();
    in_namespace && term.selector.matches(&pod.labels)
}

fn may_all_match(terms: &[PodAffinityTerm], pod: &Pod) -> bool {
    !terms.is_empty() && terms.iter().all(|term| may_match(term, pod))
}

fn may_any_match(terms: &[PodAffinityTerm], pod: &Pod) -> bool {
    terms.iter().any(|term| may_match(term, pod))
}

/// Whether `pod` may be let in anywhere once `gone` was the last of those that it must be near to.
fn is_next_to_be_first(near: &[PodAffinityTerm], pod: &Pod, gone: &Pod) -> bool {
    may_all_match(near, gone) && may_all_match(near, pod)
}

fn has_label(node: &Node, term: &PodAffinityTerm) -> bool {
    node.labels.get(&term.topology_key).is_some()
}

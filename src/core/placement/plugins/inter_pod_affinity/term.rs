//! Terms held against pods.

use crate::model::{Labels, Name, Pod, PodAffinityTerm};
use crate::placement::{Cycle, NodeSlot, Snapshot};

/// The labels of the pod's namespace; none if nothing is known of it.
pub(super) fn namespace_labels(cycle: Cycle<'_>) -> Labels {
    cycle.snapshot.namespaces.get(&cycle.pod.key.namespace).cloned().unwrap_or_default()
}

/// What a pod must be near to, and what it must not be near to.
pub(super) fn required(pod: &Pod) -> (&[PodAffinityTerm], &[PodAffinityTerm]) {
    pod.pod_affinity.as_deref().map_or((&[], &[]), |affinity| (&affinity.required, &affinity.required_anti))
}

/// Whether a term of the pod that is judged means pods of this namespace.
///
/// Upstream lists the namespaces that the selector matches, but holds the selector itself against no labels
/// at all besides. So a selector that an unlabelled namespace would match means every namespace, whatever its
/// labels (`mergeAffinityTermNamespacesIfNotEmpty` changes a copy of the term).
fn admits_namespace(term: &PodAffinityTerm, namespace: &Name, snapshot: &Snapshot) -> bool {
    term.admits_namespace(namespace, &Labels::default())
        || snapshot.namespaces.get(namespace).is_some_and(|labels| term.admits_namespace(namespace, labels))
}

/// Whether a term of the pod that is judged means `pod`.
pub(super) fn own_matches(term: &PodAffinityTerm, pod: &Pod, snapshot: &Snapshot) -> bool {
    term.selector.matches(&pod.labels) && admits_namespace(term, &pod.key.namespace, snapshot)
}

/// Whether there are terms of the pod that is judged, and all of them mean `pod`.
pub(super) fn all_match(terms: &[PodAffinityTerm], pod: &Pod, snapshot: &Snapshot) -> bool {
    !terms.is_empty() && terms.iter().all(|term| own_matches(term, pod, snapshot))
}

/// Where the placed pods are that all terms of the pod that is judged mean, and how many.
pub(super) fn matched_by_all<'a>(
    terms: &'a [PodAffinityTerm],
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = (NodeSlot, i64)> + 'a {
    let meant = |namespace: &&Name| terms.iter().all(|term| admits_namespace(term, namespace, snapshot));
    let namespaces = snapshot.pods.namespaces().filter(meant);
    let matches = |labels: &Labels| terms.iter().all(|term| term.selector.matches(labels));
    let found = namespaces.flat_map(move |namespace| snapshot.pods.matching(namespace, matches));
    found.map(|(slot, count)| (slot, i64::from(count.all)))
}

/// Where the placed pods are that a term of the pod that is judged means, and how many.
pub(super) fn matched_by<'a>(
    term: &'a PodAffinityTerm,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = (NodeSlot, i64)> + 'a {
    matched_by_all(std::slice::from_ref(term), snapshot)
}

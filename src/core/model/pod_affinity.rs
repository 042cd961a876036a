//! Affinity between pods (upstream: `k8s.io/kube-scheduler/framework`, `AffinityTerm`).

use super::{LabelSelector, Labels, Name, Pod};

/// Which pods a pod is drawn to or kept from, and how near: within one domain of a topology.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodAffinityTerm {
    /// The node label whose values are the domains.
    pub topology_key: Name,
    /// The labels of the pods meant.
    pub selector: LabelSelector,
    /// Their namespaces: the pod's own if it names none and selects none.
    pub namespaces: Box<[Name]>,
    /// Further namespaces, by their labels.
    pub namespace_selector: LabelSelector,
}

/// A term that adds to a node's score or takes away from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WeightedPodAffinityTerm {
    /// From 1 to 100.
    pub weight: i64,
    /// The term.
    pub term: PodAffinityTerm,
}

/// `spec.affinity.podAffinity` and `podAntiAffinity`. Pods of one workload have the same, so it is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PodAffinity {
    /// Pods that must be near. One pod has to match all terms.
    pub required: Box<[PodAffinityTerm]>,
    /// Pods that must not be near.
    pub required_anti: Box<[PodAffinityTerm]>,
    /// Pods that should be near.
    pub preferred: Box<[WeightedPodAffinityTerm]>,
    /// Pods that should not be near.
    pub preferred_anti: Box<[WeightedPodAffinityTerm]>,
}

// === impl PodAffinityTerm ===

impl PodAffinityTerm {
    /// Whether the term means `pod`, whose namespace has these labels (upstream: `AffinityTerm.Matches`).
    pub fn matches(&self, pod: &Pod, namespace_labels: &Labels) -> bool {
        self.admits_namespace(&pod.key.namespace, namespace_labels) && self.selector.matches(&pod.labels)
    }

    /// Whether the term means pods of this namespace, which has these labels.
    pub fn admits_namespace(&self, namespace: &Name, labels: &Labels) -> bool {
        self.namespaces.contains(namespace) || self.namespace_selector.matches(labels)
    }
}

// === impl PodAffinity ===

impl PodAffinity {
    /// Whether there is no term at all.
    pub fn is_empty(&self) -> bool {
        let Self { required, required_anti, preferred, preferred_anti } = self;
        required.is_empty() && required_anti.is_empty() && preferred.is_empty() && preferred_anti.is_empty()
    }
}

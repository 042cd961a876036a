//! What a pod would take of a node's resources, for scoring
//! (upstream: `plugins/noderesources/resource_allocation.go`).

use super::NodeView;
use crate::model::{Pod, ResourceName};

/// A resource that counts in a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScoredResource {
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// Ephemeral storage.
    EphemeralStorage,
    /// An extended resource or huge pages. Pods that don't request it are scored without it.
    Scalar(ResourceName),
}

/// A resource and how much it counts among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSpec {
    /// The resource.
    pub resource: ScoredResource,
    /// From 1 to 100.
    pub weight: i64,
}

/// Which requests count for CPU and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// The requests as they are.
    Requested,
    /// Those in which a container that requests none counts as a small one.
    NonZero,
}

/// What a pod requests of one resource.
#[derive(Clone, Debug)]
pub(crate) struct Share<'a> {
    resource: &'a ScoredResource,
    basis: Basis,
    /// How much, in milli-CPU, bytes or the resource's own unit.
    pub(crate) request: i64,
    /// How much the resource counts.
    pub(crate) weight: i64,
}

/// How much of a resource is taken on a node, in milli-CPU, bytes or the resource's own unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allocation {
    /// What the node has; never 0.
    pub(crate) capacity: i64,
    /// What its pods take.
    pub(crate) before: i64,
    /// What they and the pod would take.
    pub(crate) after: i64,
}

// === impl ResourceSpec ===

impl ResourceSpec {
    /// CPU and memory alike, upstream's default (`apis/config/v1/defaults.go`).
    pub fn cpu_and_memory() -> Vec<Self> {
        [ScoredResource::Cpu, ScoredResource::Memory]
            .into_iter()
            .map(|resource| Self { resource, weight: 1 })
            .collect()
    }
}

// === impl Share ===

impl<'a> Share<'a> {
    pub(crate) fn of(pod: &Pod, spec: &'a ResourceSpec, basis: Basis) -> Self {
        let request = match (&spec.resource, basis) {
            (ScoredResource::Cpu, Basis::Requested) => pod.requests.cpu.0,
            (ScoredResource::Cpu, Basis::NonZero) => pod.scored.cpu.0,
            (ScoredResource::Memory, Basis::Requested) => pod.requests.memory.0,
            (ScoredResource::Memory, Basis::NonZero) => pod.scored.memory.0,
            (ScoredResource::EphemeralStorage, _) => pod.requests.ephemeral_storage.0,
            (ScoredResource::Scalar(name), _) => pod.requests.scalar(name),
        };
        Self { resource: &spec.resource, basis, request, weight: spec.weight }
    }

    /// What the pod would take of `node`, unless the resource doesn't count there: the node has none of
    /// it, or it is an extended one that the pod doesn't request.
    #[inline]
    pub(crate) fn on(&self, node: NodeView<'_>) -> Option<Allocation> {
        let (allocatable, usage) = (&node.node.allocatable, node.usage);
        let (capacity, before) = match (self.resource, self.basis) {
            (ScoredResource::Cpu, Basis::Requested) => (allocatable.cpu.0, usage.requested.cpu.0),
            (ScoredResource::Cpu, Basis::NonZero) => (allocatable.cpu.0, usage.non_zero.cpu.0),
            (ScoredResource::Memory, Basis::Requested) => (allocatable.memory.0, usage.requested.memory.0),
            (ScoredResource::Memory, Basis::NonZero) => (allocatable.memory.0, usage.non_zero.memory.0),
            (ScoredResource::EphemeralStorage, _) => {
                (allocatable.ephemeral_storage.0, usage.requested.ephemeral_storage.0)
            }
            (ScoredResource::Scalar(_), _) if self.request == 0 => return None,
            (ScoredResource::Scalar(name), _) => (allocatable.scalar(name), usage.requested.scalar(name)),
        };
        let after = before.saturating_add(self.request);
        (capacity != 0).then_some(Allocation { capacity, before, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::testing::{node, pod};

    #[track_caller]
    fn check(resource: ScoredResource, basis: Basis, expected: Option<(i64, i64, i64)>) {
        let spec = ResourceSpec { resource, weight: 1 };
        let pod = pod("p").cpu(100).memory(50).scalar("example.com/gpu", 1).non_zero(150, 60).build();
        let used = [pod.clone(), self::pod("other").cpu(10).non_zero(110, 200).build()];
        let node = node("n").cpu(1_000).memory(500).scalar("example.com/gpu", 4).scalar("example.com/nic", 2);
        let node = node.with_pods(&used);
        let found = Share::of(&pod, &spec, basis).on(node.view());
        assert_eq!(found.map(|it| (it.capacity, it.before, it.after)), expected, "{spec:?} {basis:?}");
    }

    #[test]
    fn each_resource_is_taken_from_its_own_sums() {
        check(ScoredResource::Cpu, Basis::Requested, Some((1_000, 110, 210)));
        check(ScoredResource::Cpu, Basis::NonZero, Some((1_000, 260, 410)));
        check(ScoredResource::Memory, Basis::Requested, Some((500, 50, 100)));
        check(ScoredResource::Memory, Basis::NonZero, Some((500, 260, 320)));
        check(ScoredResource::Scalar("example.com/gpu".into()), Basis::NonZero, Some((4, 1, 2)));
    }

    #[test]
    fn a_resource_that_node_or_pod_lack_does_not_count() {
        check(ScoredResource::EphemeralStorage, Basis::Requested, None);
        check(ScoredResource::Scalar("example.com/nic".into()), Basis::Requested, None);
        check(ScoredResource::Scalar("example.com/none".into()), Basis::Requested, None);
    }
}

//! NodeResourcesFit (upstream: `plugins/noderesources/fit.go`, `least_allocated.go`).

use crate::model::{Node, Pod, ResourceName, Resources};
use crate::placement::allocation::{Allocation, Basis, Share};
use crate::placement::{
    ClusterEvent, Cycle, MAX_NODE_SCORE, NodeFilter, NodeScorer, NodeSlot, NodeView, Plugin, PreFilter,
    PreScore, Reason, Rejection, Resolvable, ResourceSpec, Usage, Verdict,
};

/// Rejects nodes that lack what the pod requests and names every resource that is short, and scores
/// what would be left.
pub struct NodeResourcesFit {
    /// How nodes are scored.
    pub strategy: ScoringStrategy,
    /// The resources that count in the score.
    pub resources: Vec<ResourceSpec>,
}

/// How NodeResourcesFit scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScoringStrategy {
    /// The emptier the node, the better.
    #[default]
    LeastAllocated,
}

/// The requests of a pod, with the texts that say they can't be met.
struct Requests<'a> {
    requests: &'a Resources,
    /// One for each of `requests.scalars`.
    insufficient: Vec<Reason>,
}

struct LeastAllocated<'a>(Vec<Share<'a>>);

const TOO_MANY_PODS: Reason = Reason::Fixed("Too many pods");
const INSUFFICIENT_CPU: Reason = Reason::Fixed("Insufficient cpu");
const INSUFFICIENT_MEMORY: Reason = Reason::Fixed("Insufficient memory");
const INSUFFICIENT_STORAGE: Reason = Reason::Fixed("Insufficient ephemeral-storage");

/// Whether a request can't be met. One of 0 always can, even where more is in use than there is.
fn is_short(request: i64, capacity: i64, used: i64) -> bool {
    request > 0 && request > capacity.saturating_sub(used)
}

/// Whether nothing is short on the node.
fn fits(requests: &Resources, node: &Node, usage: &Usage) -> bool {
    let (capacity, used) = (&node.allocatable, &usage.requested);
    let storage = requests.ephemeral_storage.0;
    // All four are computed, which is quicker than to branch after each.
    let short = (usage.pods >= node.allowed_pods)
        | is_short(requests.cpu.0, capacity.cpu.0, used.cpu.0)
        | is_short(requests.memory.0, capacity.memory.0, used.memory.0)
        | is_short(storage, capacity.ephemeral_storage.0, used.ephemeral_storage.0);
    let scalar_is_short =
        |(name, request): &(ResourceName, i64)| is_short(*request, capacity.scalar(name), used.scalar(name));
    !short && !requests.scalars.iter().any(scalar_is_short)
}

/// Whether `more` is over `less` in something that `requests` asks for.
fn exceeds(more: &Resources, less: &Resources, requests: &Resources) -> bool {
    let asked = |request: i64, more: i64, less: i64| request > 0 && more > less;
    asked(requests.cpu.0, more.cpu.0, less.cpu.0)
        || asked(requests.memory.0, more.memory.0, less.memory.0)
        || asked(requests.ephemeral_storage.0, more.ephemeral_storage.0, less.ephemeral_storage.0)
        || requests
            .scalars
            .iter()
            .any(|(name, request)| asked(*request, more.scalar(name), less.scalar(name)))
}

// === impl NodeResourcesFit ===

impl Default for NodeResourcesFit {
    fn default() -> Self {
        Self { strategy: ScoringStrategy::default(), resources: ResourceSpec::cpu_and_memory() }
    }
}

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        PreFilter::Check(Box::new(Requests::of(cycle.pod)))
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        let shares = self.resources.iter().map(|spec| Share::of(cycle.pod, spec, Basis::NonZero)).collect();
        match self.strategy {
            ScoringStrategy::LeastAllocated => PreScore::Score(Box::new(LeastAllocated(shares))),
        }
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        let fits_empty = |node: &Node| fits(&pod.requests, node, &Usage::default());
        match event {
            ClusterEvent::NodeAdded(node) => fits_empty(node),
            ClusterEvent::NodeUpdated { old, new } => {
                let grew = new.allowed_pods > old.allowed_pods
                    || exceeds(&new.allocatable, &old.allocatable, &pod.requests);
                grew && fits_empty(new)
            }
            // Every pod takes one of the pods that a node may have, so any that goes may help.
            ClusterEvent::PodFreed(_) => true,
            ClusterEvent::PodUpdated { old, new } => exceeds(&old.requests, &new.requests, &pod.requests),
            ClusterEvent::NodeRemoved(_) | ClusterEvent::PodPlaced(_) | ClusterEvent::DelaysChanged(_) => {
                false
            }
        }
    }
}

// === impl Requests ===

impl<'a> Requests<'a> {
    fn of(pod: &'a Pod) -> Self {
        let insufficient = |(name, _): &(ResourceName, i64)| Reason::said(format!("Insufficient {name}"));
        Self {
            requests: &pod.requests,
            insufficient: pod.requests.scalars.iter().map(insufficient).collect(),
        }
    }

    /// Everything that is short on the node. If there is less of one of them in all than the pod
    /// requests, taking pods away doesn't help.
    #[cold]
    fn rejection(&self, node: NodeView<'_>) -> Option<Rejection> {
        let (capacity, used) = (&node.node.allocatable, &node.usage.requested);
        let Resources { cpu, memory, ephemeral_storage, scalars } = self.requests;
        let storage = (capacity.ephemeral_storage.0, used.ephemeral_storage.0);
        let fixed = [
            (INSUFFICIENT_CPU, cpu.0, capacity.cpu.0, used.cpu.0),
            (INSUFFICIENT_MEMORY, memory.0, capacity.memory.0, used.memory.0),
            (INSUFFICIENT_STORAGE, ephemeral_storage.0, storage.0, storage.1),
        ];
        let scalars = scalars.iter().zip(&self.insufficient).map(|((name, request), reason)| {
            (reason.clone(), *request, capacity.scalar(name), used.scalar(name))
        });
        let mut resolvable = Resolvable::ByPreemption;
        let short = fixed.into_iter().chain(scalars).filter_map(|(reason, request, capacity, used)| {
            if request > 0 && request > capacity {
                resolvable = Resolvable::No;
            }
            is_short(request, capacity, used).then_some(reason)
        });
        let pods = (node.usage.pods >= node.node.allowed_pods).then_some(TOO_MANY_PODS);
        let mut reasons = pods.into_iter().chain(short);
        let reason = reasons.next()?;
        let more = reasons.collect();
        Some(Rejection { resolvable, reason, more })
    }
}

impl NodeFilter for Requests<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if fits(self.requests, node.node, node.usage) {
            return Verdict::Fits;
        }
        self.rejection(node).map_or(Verdict::Fits, Verdict::Rejected)
    }
}

// === impl LeastAllocated ===

impl NodeScorer for LeastAllocated<'_> {
    /// The mean of what would be left of each resource, in hundredths, weighted.
    fn score(&self, node: NodeView<'_>) -> i64 {
        let (mut sum, mut weights) = (0, 0);
        for share in &self.0 {
            if let Some(allocation) = share.on(node) {
                sum += left(allocation) * share.weight;
                weights += share.weight;
            }
        }
        if weights == 0 { 0 } else { sum / weights }
    }
}

fn left(Allocation { capacity, before: _, after }: Allocation) -> i64 {
    if after > capacity { 0 } else { (capacity - after).saturating_mul(MAX_NODE_SCORE) / capacity }
}

#[cfg(test)]
mod tests;

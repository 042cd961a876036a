//! NodeResourcesFit (upstream: `plugins/noderesources/fit.go`).

mod strategy;

use std::borrow::Cow;

pub use strategy::{ScoringStrategy, Shape, ShapePoint};

use strategy::Scorer;

use crate::model::{Node, Pod, ResourceName, Resources};
use crate::placement::allocation::{Basis, Share};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeSlot, NodeView, Plugin, PreFilter, PreScore, Reason, Rejection,
    Resolvable, ResourceSpec, Usage, Verdict,
};

/// Rejects nodes that lack what the pod requests and names every resource that is short, and scores
/// what would be left.
pub struct NodeResourcesFit {
    /// How nodes are scored.
    pub strategy: ScoringStrategy,
    /// The resources that count in the score.
    pub resources: Vec<ResourceSpec>,
    /// Extended resources that Filter passes over.
    pub ignored_resources: Vec<ResourceName>,
    /// Those of which it passes over every one, by what stands before the `/`.
    pub ignored_groups: Vec<ResourceName>,
}

/// The requests of a pod, with the texts that say they can't be met.
struct Requests<'a> {
    all: &'a Resources,
    /// Those of `requests.scalars` that are not passed over.
    scalars: Cow<'a, [(ResourceName, i64)]>,
    /// One for each of `scalars`.
    insufficient: Vec<Reason>,
}

/// What is short on a node, as it is found.
struct Short {
    /// `No` once there is less of something in all than is requested: then it doesn't help to take pods
    /// away.
    resolvable: Resolvable,
    reason: Option<Reason>,
    more: Vec<Reason>,
}

static TOO_MANY_PODS: Reason = Reason::Fixed("Too many pods");
static INSUFFICIENT_CPU: Reason = Reason::Fixed("Insufficient cpu");
static INSUFFICIENT_MEMORY: Reason = Reason::Fixed("Insufficient memory");
static INSUFFICIENT_STORAGE: Reason = Reason::Fixed("Insufficient ephemeral-storage");

/// Whether a request can't be met. One of 0 always can, even where more is in use than there is.
fn is_short(request: i64, capacity: i64, used: i64) -> bool {
    request > 0 && request > capacity.saturating_sub(used)
}

/// Whether nothing is short on the node.
fn fits(requests: &Resources, scalars: &[(ResourceName, i64)], node: &Node, usage: &Usage) -> bool {
    let (capacity, used) = (&node.allocatable, &usage.requested);
    let storage = requests.ephemeral_storage.0;
    // All four are computed, which is quicker than to branch after each.
    let short = (usage.num_pods() >= node.allowed_pods)
        | is_short(requests.cpu.0, capacity.cpu.0, used.cpu.0)
        | is_short(requests.memory.0, capacity.memory.0, used.memory.0)
        | is_short(storage, capacity.ephemeral_storage.0, used.ephemeral_storage.0);
    let scalar_is_short =
        |(name, request): &(ResourceName, i64)| is_short(*request, capacity.scalar(name), used.scalar(name));
    !short && !scalars.iter().any(scalar_is_short)
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
        Self {
            strategy: ScoringStrategy::default(),
            resources: ResourceSpec::cpu_and_memory(),
            ignored_resources: Vec::new(),
            ignored_groups: Vec::new(),
        }
    }
}

impl NodeResourcesFit {
    /// Whether Filter passes over this resource. Only extended ones can be passed over.
    fn ignores(&self, name: &ResourceName) -> bool {
        let is_native = name.as_str().contains("kubernetes.io/");
        let Some((group, _)) = name.as_str().split_once('/').filter(|_| !is_native) else { return false };
        self.ignored_resources.contains(name) || self.ignored_groups.iter().any(|it| it.as_str() == group)
    }

    /// The extended resources that a pod requests and Filter looks at.
    fn scalars<'a>(&self, pod: &'a Pod) -> Cow<'a, [(ResourceName, i64)]> {
        let scalars = &pod.requests.scalars;
        if self.ignored_resources.is_empty() && self.ignored_groups.is_empty() {
            return Cow::Borrowed(scalars);
        }
        scalars.iter().filter(|(name, _)| !self.ignores(name)).cloned().collect()
    }
}

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        PreFilter::Check(Box::new(Requests::of(cycle.pod, self.scalars(cycle.pod))))
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        let shares = self.resources.iter().map(|spec| Share::of(cycle.pod, spec, Basis::NonZero)).collect();
        PreScore::Score(Box::new(Scorer { strategy: &self.strategy, shares }))
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        let requests = &pod.requests;
        let fits_empty = |node: &Node| fits(requests, &self.scalars(pod), node, &Usage::default());
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
            _ => false,
        }
    }
}

// === impl Requests ===

impl<'a> Requests<'a> {
    fn of(pod: &'a Pod, scalars: Cow<'a, [(ResourceName, i64)]>) -> Self {
        let insufficient = |(name, _): &(ResourceName, i64)| Reason::said(format!("Insufficient {name}"));
        Self { all: &pod.requests, insufficient: scalars.iter().map(insufficient).collect(), scalars }
    }

    /// Everything that is short on the node, if anything is.
    fn rejection(&self, node: NodeView<'_>) -> Option<Rejection> {
        let (capacity, used) = (&node.node.allocatable, &node.usage.requested);
        let Resources { cpu, memory, ephemeral_storage: storage, scalars: _ } = self.all;
        let mut short = Short { resolvable: Resolvable::ByPreemption, reason: None, more: Vec::new() };
        if node.usage.num_pods() >= node.node.allowed_pods {
            short.add(&TOO_MANY_PODS);
        }
        short.check(&INSUFFICIENT_CPU, cpu.0, capacity.cpu.0, used.cpu.0);
        short.check(&INSUFFICIENT_MEMORY, memory.0, capacity.memory.0, used.memory.0);
        let (capacity_storage, used_storage) = (capacity.ephemeral_storage.0, used.ephemeral_storage.0);
        short.check(&INSUFFICIENT_STORAGE, storage.0, capacity_storage, used_storage);
        for ((name, request), reason) in self.scalars.iter().zip(&self.insufficient) {
            short.check(reason, *request, capacity.scalar(name), used.scalar(name));
        }
        let Short { resolvable, reason, more } = short;
        Some(Rejection { resolvable, reason: reason?, more })
    }
}

impl NodeFilter for Requests<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if fits(self.all, &self.scalars, node.node, node.usage) {
            return Verdict::Fits;
        }
        self.rejection(node).map_or(Verdict::Fits, Verdict::Rejected)
    }

    fn is_local(&self) -> bool {
        true
    }
}

// === impl Short ===

impl Short {
    fn check(&mut self, reason: &Reason, request: i64, capacity: i64, used: i64) {
        if is_short(request, capacity, used) {
            if request > capacity {
                self.resolvable = Resolvable::No;
            }
            self.add(reason);
        }
    }

    fn add(&mut self, reason: &Reason) {
        match self.reason {
            None => self.reason = Some(reason.clone()),
            Some(_) => self.more.push(reason.clone()),
        }
    }
}

#[cfg(test)]
mod tests;

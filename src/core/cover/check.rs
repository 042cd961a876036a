//! Whether cover is what it should be, worked out from the definitions alone.
//!
//! Nothing here is shared with the book or with what plans: not even the arithmetic of resources, which is done
//! in wide integers here. So a mistake there can't hide itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::{PodUid, Resources};
use crate::placement::NodeSlot;

/// A pod that should be covered.
#[derive(Clone, Debug)]
pub struct CheckedPod {
    /// The pod.
    pub pod: PodUid,
    /// The node it is on.
    pub primary: NodeSlot,
    /// The node its backup is on, if it has one.
    pub backup: Option<NodeSlot>,
    /// The nodes it may be on, whatever room there is.
    pub allowed: BTreeSet<NodeSlot>,
    /// What it requests.
    pub demand: Resources,
}

/// A node.
#[derive(Clone, Debug)]
pub struct CheckedNode {
    /// The node.
    pub node: NodeSlot,
    /// Whether something may be placed there: it is neither dead nor suspect.
    pub alive: bool,
    /// What its pods may request in all.
    pub allocatable: Resources,
    /// What the pods of every scheduler on it request, the covered ones included, and what is reserved left out.
    pub requested: Resources,
    /// What is reserved.
    pub reserve: Resources,
}

/// What is wrong. Resources are named as in manifests; amounts are in milli-CPU, bytes or the resource's own unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// P1: the pod has no backup, though it may be on another living node.
    Uncovered(PodUid),
    /// P1: the pod is listed more than once.
    Twice(PodUid),
    /// P1: the pod's backup is on the node it is on.
    OnItsOwnNode(PodUid, NodeSlot),
    /// P1: the pod may not be on the node its backup is on.
    NotAllowed(PodUid, NodeSlot),
    /// P1: the pod's backup is on a node that is not alive, or not known.
    NotAlive(PodUid, NodeSlot),
    /// P2: less is reserved on a node than it covers from another.
    TooSmall {
        /// The node that reserves.
        backup: NodeSlot,
        /// The node whose pods it covers.
        primary: NodeSlot,
        /// What there is too little of.
        resource: String,
        /// How much it covers.
        covered: i128,
        /// How much it reserves.
        reserved: i128,
    },
    /// P3: what is requested and reserved on a node is more than it has.
    Overfull {
        /// The node.
        node: NodeSlot,
        /// What there is too little of.
        resource: String,
        /// Requested and reserved together.
        taken: i128,
        /// What there is.
        allocatable: i128,
    },
    /// P4: with one node lost, its pods don't fit on another one that is to take them in.
    Lost {
        /// The lost node.
        primary: NodeSlot,
        /// The node that is to take its pods in.
        backup: NodeSlot,
        /// What there is too little of.
        resource: String,
    },
}

/// Amounts by the resource's name; what is not listed is 0.
#[derive(Clone, Default)]
struct Amounts(BTreeMap<String, i128>);

/// Lists what is wrong with who is covered where: the invariants P1 to P4. An empty list is a proof that any one
/// node can be lost.
///
/// - P1: every pod that may be on another living node has one backup, on such a node and not on its own.
/// - P2: on each node at least the maximum over other nodes of what it covers from there is reserved.
/// - P3: what is requested and reserved on a node is there.
/// - P4: if any one node is lost, what it leaves fits where it is covered.
///
/// Where there is no room for a backup, `Uncovered` is told too: whether that may be is for the caller to say.
pub fn check(pods: &[CheckedPod], nodes: &[CheckedNode]) -> Vec<Violation> {
    let known: BTreeMap<NodeSlot, &CheckedNode> = nodes.iter().map(|node| (node.node, node)).collect();
    let alive = |slot: &NodeSlot| known.get(slot).is_some_and(|node| node.alive);
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut covered: BTreeMap<(NodeSlot, NodeSlot), Amounts> = BTreeMap::new();
    for CheckedPod { pod, primary, backup, allowed, demand } in pods {
        if !seen.insert(pod) {
            found.push(Violation::Twice(pod.clone()));
        }
        let Some(backup) = backup else {
            if allowed.iter().any(|node| node != primary && alive(node)) {
                found.push(Violation::Uncovered(pod.clone()));
            }
            continue;
        };
        if backup == primary {
            found.push(Violation::OnItsOwnNode(pod.clone(), *backup));
        }
        if !allowed.contains(backup) {
            found.push(Violation::NotAllowed(pod.clone(), *backup));
        }
        if !alive(backup) {
            found.push(Violation::NotAlive(pod.clone(), *backup));
        }
        covered.entry((*primary, *backup)).or_default().add(demand);
    }
    for ((primary, backup), sums) in &covered {
        if let Some(node) = known.get(backup) {
            found.extend(sums.wrong_on(*primary, node));
        }
    }
    found.extend(nodes.iter().flat_map(overfull));
    found
}

fn overfull(node: &CheckedNode) -> Vec<Violation> {
    let mut taken = Amounts::of(&node.requested);
    taken.add(&node.reserve);
    let allocatable = Amounts::of(&node.allocatable);
    let mut found = Vec::new();
    for (resource, taken) in taken.0 {
        let allocatable = allocatable.get(&resource);
        // What nobody has asked for can't be lacking.
        if taken > 0 && taken > allocatable {
            found.push(Violation::Overfull { node: node.node, resource, taken, allocatable });
        }
    }
    found
}

// === impl Amounts ===

impl Amounts {
    fn of(resources: &Resources) -> Self {
        let mut amounts = Self::default();
        amounts.add(resources);
        amounts
    }

    fn add(&mut self, resources: &Resources) {
        let Resources { cpu, memory, ephemeral_storage, scalars } = resources;
        let plain = [("cpu", cpu.0), ("memory", memory.0), ("ephemeral-storage", ephemeral_storage.0)];
        let scalars = scalars.iter().map(|(name, amount)| (name.as_str(), *amount));
        for (name, amount) in plain.into_iter().chain(scalars) {
            *self.0.entry(name.to_owned()).or_default() += i128::from(amount);
        }
    }

    fn get(&self, resource: &str) -> i128 {
        self.0.get(resource).copied().unwrap_or(0)
    }

    /// What is wrong on a node that covers these sums from `primary`.
    fn wrong_on(&self, primary: NodeSlot, node: &CheckedNode) -> Vec<Violation> {
        let reserve = Self::of(&node.reserve);
        let (requested, allocatable) = (Self::of(&node.requested), Self::of(&node.allocatable));
        let mut found = Vec::new();
        for (resource, covered) in self.0.iter().filter(|(_, covered)| **covered > 0) {
            let (backup, reserved) = (node.node, reserve.get(resource));
            let (resource, covered) = (resource.clone(), *covered);
            if requested.get(&resource) + covered > allocatable.get(&resource) {
                found.push(Violation::Lost { primary, backup, resource: resource.clone() });
            }
            if covered > reserved {
                found.push(Violation::TooSmall { backup, primary, resource, covered, reserved });
            }
        }
        found
    }
}

// === impl Violation ===

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncovered(pod) => write!(f, "P1: {pod} has no backup"),
            Self::Twice(pod) => write!(f, "P1: {pod} is covered twice"),
            Self::OnItsOwnNode(pod, node) => write!(f, "P1: {pod} has its backup on its own node {}", node.0),
            Self::NotAllowed(pod, node) => write!(f, "P1: {pod} may not be on its backup's node {}", node.0),
            Self::NotAlive(pod, node) => {
                write!(f, "P1: {pod} has its backup on node {}, which is dead", node.0)
            }
            Self::TooSmall { backup, primary, resource, covered, reserved } => {
                let (backup, primary) = (backup.0, primary.0);
                write!(
                    f,
                    "P2: node {backup} reserves {reserved} {resource} and covers {covered} of node {primary}"
                )
            }
            Self::Overfull { node, resource, taken, allocatable } => {
                write!(f, "P3: of node {}'s {allocatable} {resource} {taken} are taken", node.0)
            }
            Self::Lost { primary, backup, resource } => {
                let (backup, primary) = (backup.0, primary.0);
                write!(
                    f,
                    "P4: if node {primary} is lost, node {backup} has too little {resource} for its pods"
                )
            }
        }
    }
}

//! What goes into a plan, and what comes out.

use crate::model::{Delay, Name, NodeName};

/// A node with a probe agent: it can measure and be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// The node.
    pub node: NodeName,
    /// Where the agent answers: `address:port`, an IPv6 address in brackets; of each address family at most one,
    /// the preferred one first. An agent without an address takes no part.
    pub addresses: Vec<Name>,
}

/// A node that pods want to be near: named by them, or with a pod of a workload on it that they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorInUse {
    /// The node. It may be listed several times, once for each bound.
    pub node: NodeName,
    /// The delay that pods are bound by.
    pub bound: Delay,
    /// For a pod that is placed the bound is broken over this.
    pub broken_over: Delay,
    /// Whether a pod with this anchor and bound waits for a place.
    pub waiting: bool,
    /// The nodes that pods with this anchor and bound are on. They are measured before all others, so that a
    /// violation is seen.
    pub users: Vec<NodeName>,
}

/// How often a peer is measured, by the reason why it is. The first one that applies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// A neighbour on the ring: every second, which also serves failure detection.
    Ring,
    /// A candidate of an anchor, which is this node: every 10 s.
    Anchor,
    /// Near by network coordinates: every 10 s.
    Near,
    /// Everybody measures everybody: every 10 s.
    Mesh,
}

/// A peer to measure, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The peer's node.
    pub node: NodeName,
    /// Where its agent answers, of an address family that both have.
    pub address: Name,
    /// How often.
    pub interval: Interval,
    /// Delays at which this pair's decides about pods, in ascending order: crossing one matters at once. Of an anchor's
    /// bounds the anchor itself is told and the nodes that its pods are on, because the larger of both directions
    /// counts; nobody else, so that a new anchor changes one list and not thousands.
    pub bounds: Vec<Delay>,
}

/// All that one node is to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The node that measures.
    pub node: NodeName,
    /// Whom, in ascending order of name.
    pub peers: Vec<Peer>,
}

/// The sizes of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSettings {
    /// Up to so many nodes everybody measures everybody. A cluster that shrinks comes back to that at nine tenths.
    pub mesh_up_to: usize,
    /// How many neighbours on the ring a node measures, and how many measure it.
    pub ring: usize,
    /// How many near ones a node measures.
    pub near: usize,
    /// How many candidates at most an anchor measures, for all its pods together.
    pub shortlist: usize,
}

/// How many bounds at most are told with a peer: more would only make the list longer.
pub(super) const BOUNDS_AT_MOST: usize = 32;

// === impl PlanSettings ===

impl Default for PlanSettings {
    fn default() -> Self {
        Self { mesh_up_to: 200, ring: 8, near: 16, shortlist: 256 }
    }
}

// === impl Agent ===

impl Agent {
    /// The address at which `prober` can measure this agent: the first of a family that both have.
    pub(super) fn address_for(&self, prober: &Self) -> Option<&Name> {
        self.addresses.iter().find(|address| prober.addresses.iter().any(|own| is_v6(own) == is_v6(address)))
    }
}

fn is_v6(address: &str) -> bool {
    address.starts_with('[')
}

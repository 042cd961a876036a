//! What is heard of nodes.

use std::time::Duration;

use crate::model::{NodeName, Version};

/// What the agent on one node says of the neighbours that it probes every second. It replaces what it said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The node that the agent is on.
    pub from: NodeName,
    /// Tells one report from the next: the same one told again is no news.
    pub told: u64,
    /// How long at most until the next report.
    pub every: Duration,
    /// The agent did not get its share of CPU: it may have missed answers by its own fault.
    pub starved: bool,
    /// The agent is about to end in an orderly way.
    pub leaving: bool,
    /// By peer.
    pub peers: Vec<Seen>,
}

/// What an agent says of one neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The neighbour.
    pub peer: NodeName,
    /// How many of the last probes in a row were lost.
    pub missed: u16,
}

/// The Lease of a node, as the watch tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSeen {
    /// The node.
    pub node: NodeName,
    /// The version of the Lease: another one means that it was renewed.
    pub version: Version,
}

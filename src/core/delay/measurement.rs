//! What was measured between nodes, as agents and other sources report it.

use std::time::Duration;

use crate::model::{Delay, NodeName};

/// Who measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DelaySource {
    /// The node's own probe agent.
    Probe,
    /// Goldpinger.
    Goldpinger,
    /// A matrix in a file.
    File,
}

/// Statistics over the last probes of one peer, the lost ones included. A lost probe is a sample and never a
/// delay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The smallest delay; none if no probe was answered.
    pub min: Option<Delay>,
    /// The median, by nearest rank.
    pub p50: Option<Delay>,
    /// The 95th percentile, by nearest rank; none where the source has a single sample.
    pub p95: Option<Delay>,
    /// The mean difference between one answered probe and the next.
    pub jitter: Option<Delay>,
    /// How many of the samples are lost probes.
    pub lost: u16,
    /// How many probes these statistics are of.
    pub samples: u16,
    /// How many of the last probes in a row were lost.
    pub missed: u16,
    /// How old the newest answered probe was when this was reported; none if there is none.
    pub age: Option<Duration>,
}

/// The delay from a node to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The peer.
    pub peer: NodeName,
    /// What was measured.
    pub statistics: Statistics,
}

/// All that one node measured. It replaces what the same source said of that node before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The node that measured.
    pub from: NodeName,
    /// Who says so.
    pub source: DelaySource,
    /// How long at most until the next report: a few of these without a word and the delays are stale. None: what
    /// is said holds until something else is said.
    pub every: Option<Duration>,
    /// The agent did not get its share of CPU: its delays are not trusted, its silence says nothing of its peers.
    pub starved: bool,
    /// By peer.
    pub rows: Vec<Measurement>,
}

// === impl Statistics ===

impl Statistics {
    /// So many samples of a probe agent are needed at least for its delays to count.
    pub const ENOUGH_SAMPLES: u16 = 5;
}

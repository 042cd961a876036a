//! What was done with each packet.

use crate::{packet::Flow, summary::Summary};
use std::time::{Duration, Instant};

/// One packet that a host sent to another, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The place of the sending host in the list of hosts.
    pub from: usize,
    /// The place of the receiving host.
    pub to: usize,
    /// Its addresses and kind.
    pub flow: Flow,
    /// How long it is, in bytes, with its IP header.
    pub length: usize,
    /// The first bytes after the IP header, at most [`Passage::HEAD`].
    pub head: Vec<u8>,
    /// When it was read from the sender's device.
    pub received: Instant,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was written to the receiver's device.
    Sent {
        /// When it should have been.
        due: Instant,
        /// When it was.
        sent: Instant,
    },
    /// The link lost it, or was down.
    Lost,
    /// The receiver's device did not take it.
    Refused,
}

/// How much later than they should packets were written: the accuracy of the links.
pub fn lateness(passages: &[Passage]) -> Option<Summary> {
    Summary::of(passages.iter().filter_map(|passage| match passage.fate {
        Fate::Sent { due, sent } => Some(sent.saturating_duration_since(due)),
        Fate::Lost | Fate::Refused => None,
    }))
}

/// How many bytes a host sent, the headers of IP and what follows, lost packets included.
pub fn bytes_sent(passages: &[Passage], host: usize) -> usize {
    passages.iter().filter(|passage| passage.from == host).map(|passage| passage.length).sum()
}

// === impl Passage ===

impl Passage {
    /// How many bytes after the IP header are kept.
    pub const HEAD: usize = 128;

    /// The delay that it was really given; none if it did not arrive.
    pub fn given(&self) -> Option<Duration> {
        match self.fate {
            Fate::Sent { sent, .. } => Some(sent.saturating_duration_since(self.received)),
            Fate::Lost | Fate::Refused => None,
        }
    }
}

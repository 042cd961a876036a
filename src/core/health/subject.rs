//! One node: the words on it, its Lease, its agent, and the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::HealthRules;
use crate::model::{Name, Time, Version};
use crate::placement::NodeSlot;

/// What is thought of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It is alive, or nothing says otherwise.
    #[default]
    Alive,
    /// Its neighbours don't reach it: nothing new is placed there.
    Suspect {
        /// Since when.
        since: Time,
    },
    /// It has failed: its pods are needed elsewhere.
    Lost {
        /// Since when.
        since: Time,
    },
    /// It was lost and is back, but not used again yet.
    Returning {
        /// Since when.
        since: Time,
    },
}

/// What is known of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    /// Whether there is a Node object.
    pub(super) is_present: bool,
    /// Its zone, if something says which; else it is one of its own.
    pub(super) zone: Option<Name>,
    pub(super) lease: Option<Lease>,
    /// What its own agent said last.
    pub(super) agent: Option<AgentWord>,
    /// What others said of it last.
    pub(super) words: BTreeMap<NodeSlot, Word>,
    /// Until then its agent is expected back.
    pub(super) away_until: Time,
    /// Whether its neighbours reach it, whatever its Lease says.
    pub(super) reach: Reach,
    /// Somebody who can tell says that it has been off since its Lease had this version.
    pub(super) off_since: Option<Version>,
    pub(super) verdict: Verdict,
}

/// The Lease of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) version: Version,
    /// When a change of it was last seen.
    pub(super) changed: Time,
}

/// What an agent said of itself.
#[derive(Clone, Debug)]
pub(super) struct AgentWord {
    pub(super) told: u64,
    pub(super) heard: Time,
    pub(super) every: Duration,
    pub(super) is_starved: bool,
    pub(super) is_leaving: bool,
    /// Whom it probes every second.
    pub(super) peers: Vec<NodeSlot>,
}

/// What an agent said of a neighbour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) missed: u16,
    /// About when the first of the probes was sent that were not answered.
    pub(super) first_miss: Time,
}

/// Whether a node's neighbours reach it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nobody can tell.
    #[default]
    Unknown,
    /// They do, or too few don't.
    Reached,
    /// They don't; most of them began to miss it by then.
    Missed(Time),
}

/// The words on a node that count.
pub(super) struct Words<'a> {
    /// With the zone of who said it; none if that is one of its own.
    pub(super) words: Vec<(NodeSlot, Option<&'a Name>, Word)>,
}

// === impl Verdict ===

impl Verdict {
    /// Whether pods may be placed on the node.
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Alive)
    }

    /// Whether the node has failed.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Lost { .. })
    }
}

// === impl Subject ===

impl Subject {
    /// Whether somebody who can tell says that it is off. A Lease that was renewed since says that it is not.
    pub(super) fn is_confirmed(&self) -> bool {
        self.off_since.is_some() && self.off_since == self.lease.map(|lease| lease.version)
    }
}

// === impl AgentWord ===

impl AgentWord {
    /// Whether its words count at `now`.
    pub(super) fn is_fresh(&self, now: Time) -> bool {
        let limit = self.every.saturating_mul(HealthRules::FRESH_PERIODS);
        !self.is_starved && !self.is_leaving && now < self.heard + limit
    }

    /// Whether it is heard at `now`.
    pub(super) fn is_heard(&self, now: Time) -> bool {
        now < self.heard + self.every.saturating_mul(HealthRules::HEARD_PERIODS)
    }
}

// === impl Words ===

impl Words<'_> {
    /// What they tell of a node in this zone.
    pub(super) fn reach(&self, own_zone: Option<&Name>, rules: &HealthRules) -> Reach {
        if self.words.is_empty() {
            return Reach::Unknown;
        }
        // A prober without a zone is one of its own; so is the node.
        let zone = |(slot, zone, _): &(NodeSlot, Option<&Name>, Word)| match zone {
            Some(zone) => (Some(Name::clone(zone)), None),
            None => (None, Some(*slot)),
        };
        let is_other = |it: &&(NodeSlot, Option<&Name>, Word)| it.1.is_none() || it.1 != own_zone;
        let misses = |it: &&(NodeSlot, Option<&Name>, Word)| it.2.missed >= rules.misses;
        let zones: BTreeSet<_> = self.words.iter().filter(is_other).map(zone).collect();
        let missing_zones: BTreeSet<_> =
            self.words.iter().filter(is_other).filter(misses).map(zone).collect();
        let mut first_misses: Vec<Time> =
            self.words.iter().filter(misses).map(|(_, _, word)| word.first_miss).collect();
        first_misses.sort_unstable();
        // The moment at which those who had begun to miss it were a majority.
        match first_misses.get(self.words.len() / 2) {
            Some(first) if missing_zones.len() >= zones.len().min(2) => Reach::Missed(*first),
            Some(_) | None => Reach::Reached,
        }
    }
}

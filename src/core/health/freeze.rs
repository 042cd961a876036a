//! Whether so much fails at once that it may be us who are cut off. Then nothing is acted on.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use super::HealthRules;
use crate::model::Time;
use crate::placement::NodeSlot;

/// Nothing is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Since when.
    pub since: Time,
    /// What it began with.
    pub by: FrozenBy,
}

/// Why nothing is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrozenBy {
    /// Too many nodes became suspect at once.
    TooMany,
    /// No Lease of any node was seen to change: what we see may be old.
    Unproven,
    /// Under half of the agents are heard.
    Deaf,
}

/// What is seen now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// How many nodes can become suspect at all.
    pub(super) watched: usize,
    pub(super) is_unproven: bool,
    pub(super) is_deaf: bool,
}

/// Decides it.
#[derive(Clone, Debug, Default)]
pub(super) struct Freeze {
    /// Who became suspect when, the oldest first.
    recent: VecDeque<(Time, NodeSlot)>,
    frozen: Option<Frozen>,
    /// Since when all is quiet.
    quiet_since: Time,
}

// === impl Freeze ===

impl Freeze {
    /// A verdict turned.
    pub(super) fn turned(&mut self, now: Time) {
        self.quiet_since = now;
    }

    /// A node became suspect.
    pub(super) fn suspects(&mut self, slot: NodeSlot, now: Time) {
        self.recent.push_back((now, slot));
    }

    /// Looks whether it begins or ends.
    pub(super) fn look(&mut self, look: Look, rules: &HealthRules, now: Time) {
        while self.recent.front().is_some_and(|(at, _)| *at + rules.freeze_window <= now) {
            self.recent.pop_front();
        }
        let suspects: BTreeSet<NodeSlot> = self.recent.iter().map(|(_, slot)| *slot).collect();
        let lasting = match look {
            Look { is_unproven: true, .. } => Some(FrozenBy::Unproven),
            Look { is_deaf: true, .. } => Some(FrozenBy::Deaf),
            Look { .. } => None,
        };
        if lasting.is_some() {
            self.quiet_since = now;
        }
        let too_many = rules.is_too_many(suspects.len(), look.watched).then_some(FrozenBy::TooMany);
        match (self.frozen, lasting.or(too_many)) {
            (None, Some(by)) => self.frozen = Some(Frozen { since: now, by }),
            (Some(_), None) if self.ends_at(rules) <= now => self.frozen = None,
            (None, None) | (Some(_), _) => (),
        }
    }

    /// When it ends if all stays quiet.
    pub(super) fn ends_at(&self, rules: &HealthRules) -> Time {
        if self.frozen.is_some() { self.quiet_since + rules.calm } else { Time::NEVER }
    }

    pub(super) fn frozen(&self) -> Option<Frozen> {
        self.frozen
    }
}

// === impl FrozenBy ===

impl fmt::Display for FrozenBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many nodes became suspect at once",
            Self::Unproven => "no Lease of any node is seen to change",
            Self::Deaf => "under half of the probe agents are heard",
        })
    }
}

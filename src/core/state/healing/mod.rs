//! Healing: what is kept ready for the loss of a node, and what is made of nodes that fail.
//!
//! ```text
//! evidence   what is told of nodes beside their objects: agents' words, Leases, a knock at the door
//! verdicts   verdicts that turned: who is no candidate any more, who is again, and what is said of it
//! fate       which pods of a failed node may go, and when
//! fence      nodes that somebody says stay off are tainted, so that pods with state go too
//! evict      they go: one request a pod, each checked once more right before it is written
//! cover      who is covered by which node's backup, and the pods by which that has room
//! holds      room for the pods that come in place of others
//! handover   they come: backups go, and what is still to be kept is made anew
//! moves      pods that run are moved one by one, held room for: see there
//! ```
//!
//! All of it follows from the present evidence and the present pods, so a scheduler that starts in the middle goes on
//! where the one before ended.

mod cover;
#[cfg(test)]
mod cover_bench;
mod cover_events;
mod cover_judge;
mod cover_merge;
mod cover_owed;
mod cover_pieces;
#[cfg(test)]
mod cover_random;
mod cover_reserve;
#[cfg(test)]
mod cover_tests;
mod evict;
mod evidence;
mod fate;
mod fence;
#[cfg(test)]
mod fence_tests;
mod handover;
#[cfg(test)]
mod handover_random;
mod handover_taint;
#[cfg(test)]
mod handover_tests;
mod holds;
mod movable;
mod moves;
#[cfg(test)]
mod moves_bench;
#[cfg(test)]
mod moves_random;
#[cfg(test)]
mod moves_tests;
mod promise;
mod relocation;
mod room;
#[cfg(test)]
mod tests;
mod thrift;
#[cfg(test)]
mod thrift_tests;
mod verdicts;

use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use cover::Cover;
pub use cover::CoverCount;
pub use evict::{EvictOutcome, Evicted, Eviction, OUT_OF_SERVICE};
pub use evidence::{HealthNews, Knock};
pub use fate::{FAILOVER_ANNOTATION, Fate, is_healed};
pub use fence::{FENCED_ANNOTATION, FENCED_BY_US, Fence};
pub(super) use handover::{Handovers, Tried};
pub use handover_taint::HandoverTaint;
pub use relocation::{MoveNotice, MoveReason, MoveTurn, RelocateOutcome, Relocation};
pub use thrift::{CoverInUse, LessReserve, ReserveGap};
pub use verdicts::{NodeNotice, NodeReason};

use super::State;
use crate::health::{Detector, Frozen, HealthRules, Verdict};
use crate::model::{NodeName, PodUid, Time};
use crate::placement::NodeSlot;
use evict::Asked;
use evidence::Door;
use fence::Fences;
use moves::Moves;

/// On a Node, the version of its Lease since which somebody who can tell says that it is off: its pods are started
/// elsewhere even if all is frozen. A Lease that is renewed takes it back.
pub const CONFIRMED_ANNOTATION: &str = "kubectl-edge.dev/failover-confirmed";

/// When and how fast pods of failed nodes are started elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealingRules {
    /// When a node has failed.
    pub health: HealthRules,
    /// Whether pods are taken off failed nodes at all. Verdicts are made and told nevertheless.
    pub failover: bool,
    /// The pods of no more than one further node are begun with in this time (upstream's controller: one node in
    /// 10 s).
    pub node_every: Duration,
    /// How many requests for the pods of one node are on their way at once.
    pub parallel: usize,
}

/// What healing knows.
#[derive(Debug, Default)]
pub(super) struct Healing {
    rules: HealingRules,
    detector: Detector,
    /// The pods that were asked to go.
    asked: BTreeMap<PodUid, Asked>,
    /// The failed nodes whose pods are being taken off, and since when.
    begun: BTreeMap<NodeSlot, Time>,
    last_begun: Option<(NodeSlot, Time)>,
    /// Nodes that were knocked at.
    doors: BTreeMap<NodeSlot, Door>,
    /// Nodes that we tainted as out of service.
    fences: Fences,
    /// The freeze as it was told.
    told: Option<Frozen>,
    /// When pods are looked through again.
    next_pass: Time,
    /// When it is told again which nodes are not well.
    tell_again: Time,
    /// The pods that are moved though nothing is wrong with their nodes.
    moves: Moves,
}

/// What is thought of the nodes, for those who look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthView {
    /// The nodes that are not simply alive, by name.
    pub unwell: Vec<(NodeName, Verdict)>,
    /// Whether nothing is acted on.
    pub frozen: Option<Frozen>,
    /// How many requests to take pods off failed nodes are on their way.
    pub evicting: usize,
}

/// While a node is not well its pods are looked through this often at least.
const PASS_EVERY: Duration = Duration::from_secs(1);
/// It is told so often which nodes are not well. The API keeps events for an hour (kube-apiserver: `--event-ttl`).
const TOLD_EVERY: Duration = Duration::from_mins(30);

/// How often verdicts are looked at again that others turned, at most.
const ROUNDS: usize = 8;

// === impl HealingRules ===

impl Default for HealingRules {
    fn default() -> Self {
        Self {
            health: HealthRules::default(),
            failover: true,
            node_every: Duration::from_secs(10),
            parallel: 16,
        }
    }
}

// === impl Healing ===

impl Healing {
    pub(super) fn new(rules: HealingRules) -> Self {
        Self { detector: Detector::new(rules.health.clone()), rules, ..Self::default() }
    }

    /// When there may be something to do though nothing is told.
    pub(super) fn next_due(&self) -> Time {
        let is_concerned = self.detector.unwell().next().is_some() || self.fences.stand();
        let pass = if is_concerned { self.next_pass } else { Time::NEVER };
        self.detector.next_review().min(pass)
    }

    /// When moves are looked after again.
    pub(super) fn moves_wake_at(&self) -> Time {
        self.moves.next_pass
    }
}

// === impl State ===

impl State {
    /// What is thought of the nodes.
    pub fn health(&self) -> HealthView {
        let detector = &self.healing.detector;
        let named = detector.unwell().filter(|(_, verdict)| !verdict.is_alive());
        let named =
            named.filter_map(|(slot, verdict)| Some((self.snapshot.nodes.name(slot)?.clone(), verdict)));
        let mut unwell: Vec<(NodeName, Verdict)> = named.collect();
        unwell.sort_by(|a, b| a.0.cmp(&b.0));
        let evicting = self.healing.asked.values().filter(|asked| asked.is_on_its_way()).count();
        HealthView { unwell, frozen: detector.frozen(), evicting }
    }

    /// Does what has become due.
    pub(super) fn heal(&mut self, now: Time) {
        // A verdict that turned may turn others, once.
        for _ in 0..ROUNDS {
            if self.healing.next_due() > now {
                return;
            }
            self.look_at_nodes(now);
        }
    }

    fn look_at_nodes(&mut self, now: Time) {
        if !self.leads {
            self.healing.tell_again = now;
        } else if self.healing.tell_again <= now {
            self.healing.tell_again = now + TOLD_EVERY;
            self.tell_again();
        }
        let turns = self.healing.detector.review(now);
        for turn in &turns {
            self.turned(*turn, now);
        }
        self.tell_freeze();
        if !turns.is_empty() {
            self.healing.next_pass = now;
        }
        self.handovers.is_due |= self.healing.detector.unwell().next().is_some();
        if self.healing.next_pass <= now {
            self.healing.next_pass = now + PASS_EVERY;
            if self.leads && self.healing.rules.failover {
                self.look_after_fences(now);
                self.fail_over(now);
            }
        }
    }
}

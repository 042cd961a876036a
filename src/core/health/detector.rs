//! The detector: evidence goes in, verdicts that turned come out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::freeze::{Freeze, Look};
use super::subject::{AgentWord, Lease, Reach, Subject, Word, Words};
use super::{Frozen, HealthRules, LeaseSeen, Sighting, Verdict};
use crate::model::{Name, Time, Version};
use crate::placement::NodeSlot;

/// How often all nodes are looked at: words grow old without anybody telling.
const SWEPT_EVERY: Duration = Duration::from_secs(10);
/// An agent that is back is reached by its neighbours again within this time.
const REACHED_AGAIN: Duration = Duration::from_secs(5);

/// Judges nodes.
///
/// Equal evidence in equal order, with equal times, gives equal verdicts.
#[derive(Clone, Debug, Default)]
pub struct Detector {
    rules: HealthRules,
    subjects: BTreeMap<NodeSlot, Subject>,
    /// Who is to be judged anew.
    due: BTreeSet<NodeSlot>,
    /// Who is not simply alive.
    unwell: BTreeSet<NodeSlot>,
    freeze: Freeze,
    leases: Leases,
    /// None while no agent was ever heard.
    next_sweep: Option<Time>,
    /// Up to when everything is judged.
    reviewed: Time,
}

/// The watch of Leases.
#[derive(Clone, Copy, Debug, Default)]
struct Leases {
    /// When it last told a change; none if it never told anything.
    proven: Option<Time>,
    /// From when on silence counts: it began, or began again, by then.
    from: Time,
}

/// What may be done for pods in a hurry on the word of a node's neighbours alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// Nothing.
    None,
    /// The node may be asked whether it is there: it is suspect, but others that fail with it may not be seen yet.
    Ask,
    /// They may go if it is silent.
    Go,
}

/// A verdict turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The node.
    pub slot: NodeSlot,
    /// What was thought of it.
    pub from: Verdict,
    /// What is thought of it.
    pub to: Verdict,
}

// === impl Detector ===

impl Detector {
    /// A detector that knows of no node yet.
    pub fn new(rules: HealthRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// The rules.
    pub fn rules(&self) -> &HealthRules {
        &self.rules
    }

    // --- evidence ---

    /// There is a Node, in this zone if something says which. Somebody who can tell may have said that it has been
    /// off since its Lease had the version `off_since`.
    pub fn put_node(&mut self, slot: NodeSlot, zone: Option<Name>, off_since: Option<Version>) {
        let subject = self.subject(slot);
        if !subject.is_present || subject.zone != zone || subject.off_since != off_since {
            subject.is_present = true;
            subject.zone = zone;
            subject.off_since = off_since;
            self.due_with_peers(slot);
        }
    }

    /// The Node is not there any more.
    pub fn remove_node(&mut self, slot: NodeSlot) {
        self.due_with_peers(slot);
        if let Some(subject) = self.subjects.get_mut(&slot) {
            subject.is_present = false;
            subject.off_since = None;
            subject.lease = None;
        }
    }

    /// An agent said something. `slot_of` numbers the nodes.
    pub fn hear(&mut self, sighting: &Sighting, mut slot_of: impl FnMut(&str) -> NodeSlot, now: Time) {
        let from = slot_of(sighting.from.as_str());
        self.next_sweep.get_or_insert(now);
        let Sighting { from: _, told, every, starved, leaving, peers } = sighting;
        let rows: Vec<(NodeSlot, u16)> =
            peers.iter().map(|seen| (slot_of(seen.peer.as_str()), seen.missed)).collect();
        let known = self.subjects.get(&from).and_then(|subject| subject.agent.clone());
        let is_news = known.as_ref().is_none_or(|known| known.told != *told);
        let heard = known.as_ref().filter(|_| !is_news).map_or(now, |known| known.heard);
        for peer in known.iter().flat_map(|known| &known.peers) {
            let is_probed = rows.iter().any(|(probed, _)| probed == peer);
            if !is_probed && let Some(subject) = self.subjects.get_mut(peer) {
                subject.words.remove(&from);
                self.due.insert(*peer);
            }
        }
        for (peer, missed) in rows.iter().filter(|(peer, _)| *peer != from && !starved) {
            self.take_word(from, *peer, *missed, is_news, now);
        }
        let agent = AgentWord {
            told: *told,
            heard,
            every: *every,
            is_starved: *starved,
            is_leaving: *leaving,
            peers: rows.into_iter().map(|(peer, _)| peer).collect(),
        };
        let expected_back = self.rules.expected_back;
        let subject = self.subject(from);
        let began = agent.is_leaving && known.is_none_or(|known| !known.is_leaving);
        subject.agent = Some(agent);
        if began {
            subject.away_until = now + expected_back;
        } else if is_news && !leaving {
            subject.away_until = subject.away_until.min(now + REACHED_AGAIN);
        }
        self.due_with_peers(from);
    }

    fn take_word(&mut self, from: NodeSlot, peer: NodeSlot, missed: u16, is_news: bool, now: Time) {
        let subject = self.subject(peer);
        let known = subject.words.get(&from).copied();
        if known.is_some() && !is_news {
            return;
        }
        let sent = now - HealthRules::PROBED_EVERY.saturating_mul(missed.into());
        // While none is answered the first miss stays what it was.
        let first_miss = match known {
            Some(known) if known.missed > 0 && known.missed <= missed => known.first_miss.min(sent),
            Some(_) | None => sent,
        };
        subject.words.insert(from, Word { missed, first_miss });
        self.due.insert(peer);
    }

    /// What an agent said is gone, and so is the agent as far as anybody knows.
    pub fn forget_agent(&mut self, slot: NodeSlot) {
        self.due_with_peers(slot);
        let Some(agent) = self.subjects.get_mut(&slot).and_then(|subject| subject.agent.take()) else {
            return;
        };
        for peer in agent.peers {
            if let Some(subject) = self.subjects.get_mut(&peer) {
                subject.words.remove(&slot);
            }
        }
    }

    /// The agent on this node ends because somebody wants it to: its pod is being deleted.
    pub fn agent_ends(&mut self, slot: NodeSlot, now: Time) {
        let until = now + self.rules.expected_back;
        let subject = self.subject(slot);
        if subject.away_until <= now {
            subject.away_until = until;
            self.due.insert(slot);
        }
    }

    /// The watch tells of a Lease.
    pub fn see_lease(&mut self, slot: NodeSlot, seen: &LeaseSeen, now: Time) {
        self.prove_leases(now);
        let subject = self.subject(slot);
        match &mut subject.lease {
            Some(lease) if lease.version == seen.version => return,
            Some(lease) => (lease.version, lease.changed) = (seen.version, now),
            // It begins to count when it is first seen.
            None => subject.lease = Some(Lease { version: seen.version, changed: now }),
        }
        if !subject.verdict.is_alive() || matches!(subject.reach, Reach::Missed(_)) {
            self.due.insert(slot);
        }
    }

    /// There is no such Lease any more.
    pub fn lose_lease(&mut self, slot: NodeSlot, now: Time) {
        self.prove_leases(now);
        if let Some(subject) = self.subjects.get_mut(&slot) {
            subject.lease = None;
            self.due.insert(slot);
        }
    }

    /// The watch of Leases is alive: it told something.
    pub fn prove_leases(&mut self, now: Time) {
        let Leases { proven, from } = &mut self.leases;
        if proven.is_none_or(|proven| proven + self.rules.lease_overdue <= now) {
            // Nobody could renew, or we could not see it. Kubelets are given the time to do so.
            *from = now;
        }
        *proven = Some(now);
    }

    // --- verdicts ---

    /// What is thought of a node.
    pub fn verdict(&self, slot: NodeSlot) -> Verdict {
        self.subjects.get(&slot).map_or(Verdict::Alive, |subject| subject.verdict)
    }

    /// The nodes that are not simply alive.
    pub fn unwell(&self) -> impl Iterator<Item = (NodeSlot, Verdict)> {
        self.unwell.iter().map(|slot| (*slot, self.verdict(*slot)))
    }

    /// Whether nothing may be acted on.
    pub fn frozen(&self) -> Option<Frozen> {
        self.freeze.frozen()
    }

    /// Whether a node is to be treated as failed now.
    pub fn is_failed(&self, slot: NodeSlot) -> bool {
        self.subjects.get(&slot).is_some_and(|subject| {
            subject.verdict.is_lost() && (self.frozen().is_none() || subject.is_confirmed())
        })
    }

    /// How far it is with pods of which two at a time are no harm, so that they need not wait for the Lease.
    pub fn haste(&self, slot: NodeSlot, now: Time) -> Haste {
        match self.verdict(slot) {
            _ if self.frozen().is_some() => Haste::None,
            Verdict::Suspect { since } if now < since + self.rules.settle => Haste::Ask,
            Verdict::Suspect { .. } | Verdict::Lost { .. } => Haste::Go,
            Verdict::Alive | Verdict::Returning { .. } => Haste::None,
        }
    }

    /// The nodes of which there is a Lease.
    pub fn leased(&self) -> Vec<NodeSlot> {
        let subjects = self.subjects.iter().filter(|(_, subject)| subject.lease.is_some());
        subjects.map(|(slot, _)| *slot).collect()
    }

    /// The version in which a node's Lease was last seen.
    pub fn lease_version(&self, slot: NodeSlot) -> Option<Version> {
        self.subjects.get(&slot)?.lease.map(|lease| lease.version)
    }

    /// Judges anew who is due at `now`. Gives the verdicts that turned.
    pub fn review(&mut self, now: Time) -> Vec<Turn> {
        if self.next_sweep.is_some_and(|at| at <= now) {
            self.next_sweep = Some(now + SWEPT_EVERY);
            self.due.extend(self.subjects.keys());
        }
        self.due.extend(&self.unwell);
        self.reviewed = now;
        let mut turns = Vec::new();
        let due: Vec<NodeSlot> = std::mem::take(&mut self.due).into_iter().collect();
        for slot in due {
            self.look_at(slot, now);
            turns.extend(self.judge(slot, now));
        }
        if !self.subjects.is_empty() {
            self.freeze.look(self.look(now), &self.rules, now);
        }
        turns
    }

    /// When to review again though nothing is heard.
    pub fn next_review(&self) -> Time {
        if !self.due.is_empty() {
            return Time::ZERO;
        }
        let unwell = self.unwell.iter().filter_map(|slot| self.subjects.get(slot));
        let turns = unwell.map(|subject| self.turns_at(subject));
        let unproven = self.leases.proven.map_or(Time::NEVER, |at| at + self.rules.lease_overdue);
        let timers =
            turns.chain([self.next_sweep.unwrap_or(Time::NEVER), self.freeze.ends_at(&self.rules), unproven]);
        // What is past by now waits for something to be told.
        timers.filter(|at| *at > self.reviewed).min().unwrap_or(Time::NEVER)
    }

    /// When a node's verdict may turn by itself.
    fn turns_at(&self, subject: &Subject) -> Time {
        match subject.verdict {
            Verdict::Suspect { since } => self.overdue_at(subject).max(since + self.rules.settle),
            Verdict::Returning { since } => since + self.rules.dwell,
            Verdict::Alive if matches!(subject.reach, Reach::Missed(_)) => {
                self.overdue_at(subject).max(subject.away_until)
            }
            Verdict::Alive | Verdict::Lost { .. } => Time::NEVER,
        }
    }

    /// When a node's Lease is overdue if nothing is seen of it.
    fn overdue_at(&self, subject: &Subject) -> Time {
        subject
            .lease
            .map_or(Time::NEVER, |lease| lease.changed.max(self.leases.from) + self.rules.lease_overdue)
    }

    /// Sees whether a node's neighbours reach it.
    fn look_at(&mut self, slot: NodeSlot, now: Time) {
        let Some(subject) = self.subjects.get(&slot) else { return };
        let words = subject.words.iter().filter_map(|(from, word)| {
            let prober = self.subjects.get(from)?;
            let is_fresh = prober.is_present
                // Who is cut off himself has old words. What is thought of him must not count here, or two could turn
                // each other's verdicts for ever.
                && (self.overdue_at(prober) > now || !self.leases_are_proven(now))
                && prober.agent.as_ref().is_some_and(|agent| agent.is_fresh(now));
            is_fresh.then_some((*from, prober.zone.as_ref(), *word))
        });
        let words = Words { words: words.collect() };
        let reach = words.reach(subject.zone.as_ref(), &self.rules);
        if let Some(subject) = self.subjects.get_mut(&slot) {
            subject.reach = reach;
        }
    }

    /// Judges one node.
    fn judge(&mut self, slot: NodeSlot, now: Time) -> Option<Turn> {
        let subject = self.subjects.get(&slot)?;
        let is_away = now < subject.away_until;
        let is_overdue = self.overdue_at(subject) <= now && self.leases_are_proven(now);
        let from = subject.verdict;
        let to = match subject.reach {
            _ if !subject.is_present => Verdict::Alive,
            Reach::Missed(_) if subject.is_confirmed() => lost(from, now),
            Reach::Missed(_) if is_away => well(from, &self.rules, now),
            Reach::Missed(_) if is_overdue => failed(from, &self.rules, now),
            Reach::Missed(first) if subject.lease.is_some_and(|lease| lease.changed > first) => {
                well(from, &self.rules, now)
            }
            Reach::Missed(_) => suspect(from, now),
            Reach::Reached => well(from, &self.rules, now),
            // Nobody tells any more; a Lease that is renewed does.
            Reach::Unknown if subject.lease.is_some_and(|lease| lease.changed > since(from)) => {
                well(from, &self.rules, now)
            }
            Reach::Unknown => from,
        };
        let is_unwell = !to.is_alive() || matches!(subject.reach, Reach::Missed(_));
        if is_unwell {
            self.unwell.insert(slot)
        } else {
            self.unwell.remove(&slot)
        };
        if from == to {
            return None;
        }
        if let Some(subject) = self.subjects.get_mut(&slot) {
            subject.verdict = to;
        }
        self.due_with_peers(slot);
        self.freeze.turned(now);
        if from.is_alive() {
            self.freeze.suspects(slot, now);
        }
        Some(Turn { slot, from, to })
    }

    fn leases_are_proven(&self, now: Time) -> bool {
        self.leases.proven.is_some_and(|at| now < at + self.rules.lease_overdue)
    }

    fn look(&self, now: Time) -> Look {
        let present = || self.subjects.values().filter(|subject| subject.is_present);
        let agents = || present().filter_map(|subject| subject.agent.as_ref());
        let heard = agents().filter(|agent| agent.is_heard(now)).count();
        Look {
            watched: present().filter(|subject| subject.agent.is_some() || !subject.words.is_empty()).count(),
            is_unproven: self.leases.proven.is_some() && !self.leases_are_proven(now),
            is_deaf: heard * 2 < agents().count(),
        }
    }

    fn subject(&mut self, slot: NodeSlot) -> &mut Subject {
        self.subjects.entry(slot).or_default()
    }

    /// A node and those that it probes are to be judged anew.
    fn due_with_peers(&mut self, slot: NodeSlot) {
        self.due.insert(slot);
        let agent = self.subjects.get(&slot).and_then(|subject| subject.agent.as_ref());
        self.due.extend(agent.into_iter().flat_map(|agent| agent.peers.iter().copied()));
    }
}

fn since(verdict: Verdict) -> Time {
    match verdict {
        Verdict::Alive => Time::ZERO,
        Verdict::Suspect { since } | Verdict::Lost { since } | Verdict::Returning { since } => since,
    }
}

fn suspect(from: Verdict, now: Time) -> Verdict {
    match from {
        Verdict::Alive | Verdict::Returning { .. } => Verdict::Suspect { since: now },
        Verdict::Suspect { .. } | Verdict::Lost { .. } => from,
    }
}

fn failed(from: Verdict, rules: &HealthRules, now: Time) -> Verdict {
    match from {
        Verdict::Suspect { since } if since + rules.settle <= now => Verdict::Lost { since: now },
        other => suspect(other, now),
    }
}

fn lost(from: Verdict, now: Time) -> Verdict {
    if from.is_lost() { from } else { Verdict::Lost { since: now } }
}

fn well(from: Verdict, rules: &HealthRules, now: Time) -> Verdict {
    match from {
        Verdict::Alive | Verdict::Suspect { .. } => Verdict::Alive,
        Verdict::Lost { .. } => Verdict::Returning { since: now },
        Verdict::Returning { since } if since + rules.dwell <= now => Verdict::Alive,
        Verdict::Returning { .. } => from,
    }
}

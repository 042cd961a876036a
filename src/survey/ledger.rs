//! What stands in the objects, what is to stand there, and so what is to be written next.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use edge_core::delay::{DelaySource, Report};
use edge_core::measure::Agent;
use edge_core::model::{Name, NodeName, Time};
use edge_core::state::Change;
use edge_core::wire::{NodeDelays, SpecDigest};

use super::outside::Outside;

/// An agent that said it is about to end is expected back for so long: a roll-out takes it away for seconds.
const EXPECTED_BACK: Duration = Duration::from_mins(5);

/// A write that is due.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Due {
    /// The plan of this node, whose Node has this UID.
    Task(NodeName, Name),
    /// What a source outside says.
    Report(Report),
}

/// What is known of the objects, by node.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<NodeName, Entry>,
    /// Whose plan is not, or may not be, as it is to be.
    due: BTreeSet<NodeName>,
    /// Of those, whom pods wait for.
    urgent: BTreeSet<NodeName>,
    /// Who was last.
    last: Option<NodeName>,
    outside: Outside,
    /// Nothing is written before: a write failed.
    rest: Time,
    /// Whether the server knows the kind, as far as we have heard.
    served: bool,
}

/// What is known of one node.
#[derive(Debug)]
struct Entry {
    /// The UID of the Node; none if there is none.
    uid: Option<Name>,
    /// What the object says; none if there is no object.
    object: Option<Object>,
    /// What is to stand in `spec`.
    wanted: SpecDigest,
    /// The server would not have what was wanted: so long it is not tried again, unless something else is wanted.
    refused: Option<(SpecDigest, Time)>,
}

#[derive(Debug)]
struct Object {
    owner: Option<Name>,
    spec: SpecDigest,
    addresses: Vec<Name>,
    /// Who reported, and what tells this report from the next.
    told: Option<(DelaySource, u64)>,
    /// Since when the agent has been leaving.
    leaving: Option<Time>,
}

// === impl Ledger ===

impl Ledger {
    /// Takes in what the watch says. What agents report that is news is given back.
    pub(super) fn hear(&mut self, change: Change<NodeDelays>, now: Time) -> Vec<Report> {
        self.served = true;
        match change {
            Change::Reset(all) => {
                let listed: BTreeSet<NodeName> = all.iter().map(|it| it.node.clone()).collect();
                let with_object = self.entries.iter().filter(|(_, entry)| entry.object.is_some());
                let gone: Vec<NodeName> = with_object
                    .map(|(name, _)| name)
                    .filter(|name| !listed.contains(*name))
                    .cloned()
                    .collect();
                let mut news: Vec<Report> = gone.iter().filter_map(|name| self.lose(name)).collect();
                news.extend(all.into_iter().filter_map(|object| self.put(object, now)));
                news
            }
            Change::Put(object) => self.put(*object, now).into_iter().collect(),
            Change::Gone(object) => self.lose(&object.node).into_iter().collect(),
        }
    }

    fn put(&mut self, object: NodeDelays, now: Time) -> Option<Report> {
        let NodeDelays { node, owner, addresses, leaving, spec, neighbours: _, told, report } = object;
        let entry = self.entries.entry(node.clone()).or_default();
        let before = entry.object.take();
        let told = report.as_ref().map(|report| (report.source, told));
        let since = before.as_ref().and_then(|before| before.leaving).unwrap_or(now);
        let leaving = leaving.then_some(since);
        let told_before = before.and_then(|before| before.told);
        entry.object = Some(Object { owner, spec, addresses, told, leaving });
        self.look_over(&node);
        match report {
            Some(report) if report.source == DelaySource::Probe => (told != told_before).then_some(report),
            // The agent's word was written over.
            Some(_) | None => was_agents(told_before).then(|| nothing_of(node)),
        }
    }

    fn lose(&mut self, node: &NodeName) -> Option<Report> {
        let entry = self.entries.get_mut(node)?;
        let before = entry.object.take()?;
        if entry.uid.is_none() {
            self.entries.remove(node);
        }
        self.outside.forget(node);
        self.look_over(node);
        was_agents(before.told).then(|| nothing_of(node.clone()))
    }

    /// The agents that can measure and be measured at `now`.
    pub(super) fn agents(&self, now: Time) -> Vec<Agent> {
        let agents =
            self.entries.iter().filter(|(_, entry)| entry.uid.is_some()).filter_map(|(node, entry)| {
                let object = entry.object.as_ref()?;
                let is_away = object.leaving.is_some_and(|since| since + EXPECTED_BACK <= now);
                let is_agent = !object.addresses.is_empty() && !is_away;
                is_agent.then(|| Agent { node: node.clone(), addresses: object.addresses.clone() })
            });
        agents.collect()
    }

    /// These are all nodes there are, with their UIDs.
    pub(super) fn set_nodes(&mut self, nodes: Vec<(NodeName, Name)>) {
        let mut gone: BTreeSet<NodeName> = self.entries.keys().cloned().collect();
        for (node, uid) in nodes {
            gone.remove(&node);
            let entry = self.entries.entry(node.clone()).or_default();
            if entry.uid.as_ref() != Some(&uid) {
                entry.uid = Some(uid);
                self.look_over(&node);
            }
        }
        for node in gone {
            if let Some(entry) = self.entries.get_mut(&node) {
                entry.uid = None;
                if entry.object.is_none() {
                    self.entries.remove(&node);
                }
            }
            self.outside.forget(&node);
            self.look_over(&node);
        }
    }

    /// This is to stand in `spec`; what is not listed stays as it was wanted.
    pub(super) fn set_wanted(&mut self, wanted: Vec<(NodeName, SpecDigest)>) {
        for (node, digest) in wanted {
            if let Some(entry) = self.entries.get_mut(&node) {
                entry.wanted = digest;
                self.look_over(&node);
            }
        }
    }

    /// Pods wait for the delays of these.
    pub(super) fn set_urgent(&mut self, nodes: BTreeSet<NodeName>) {
        self.urgent = nodes;
    }

    /// A source outside says this.
    pub(super) fn tell(&mut self, report: Report, now: Time) {
        self.outside.tell(report, now);
    }

    /// What to write next at `now`, if anything. With `tasks`, that is agents, a status that an agent wrote is
    /// left alone.
    pub(super) fn next(&mut self, tasks: bool, now: Time) -> Option<Due> {
        if !self.served || now < self.rest {
            return None;
        }
        if tasks && let Some(node) = self.next_task(now) {
            let uid = self.entries.get(&node).and_then(|entry| entry.uid.clone())?;
            return Some(Due::Task(node, uid));
        }
        let entries = &self.entries;
        let object_of = |node: &NodeName| entries.get(node).and_then(|entry| entry.object.as_ref());
        let is_free = |node: &NodeName| {
            !tasks
                || object_of(node)
                    .and_then(|object| object.told)
                    .is_none_or(|told| told.0 != DelaySource::Probe)
        };
        let has_node = |node: &NodeName| entries.get(node).is_some_and(|entry| entry.uid.is_some());
        let report = self.outside.next(|node| has_node(node) && is_free(node))?;
        let node = &report.from;
        match (object_of(node), entries.get(node).and_then(|entry| entry.uid.clone())) {
            // The object has to be there before its status.
            (None, Some(uid)) => Some(Due::Task(node.clone(), uid)),
            (Some(_), _) => Some(Due::Report(report.clone())),
            (None, None) => None,
        }
    }

    /// Each in turn, those first whom pods wait for.
    fn next_task(&mut self, now: Time) -> Option<NodeName> {
        let may = |node: &&NodeName| self.entries.get(*node).is_some_and(|entry| entry.may_be_tried(now));
        if let Some(node) = self.urgent.intersection(&self.due).find(may) {
            return Some(node.clone());
        }
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut later = self.due.range::<NodeName, _>((after, Bound::Unbounded));
        let next = later.find(may).or_else(|| self.due.iter().find(may)).cloned();
        self.last.clone_from(&next);
        next
    }

    /// A plan was written.
    pub(super) fn assigned(&mut self, node: &NodeName, owner: Name, spec: SpecDigest) {
        let Some(entry) = self.entries.get_mut(node) else { return };
        match &mut entry.object {
            Some(object) => (object.owner, object.spec) = (Some(owner), spec),
            None => entry.object = Some(Object::bare(owner, spec)),
        }
        self.look_over(node);
    }

    /// A report was written.
    pub(super) fn reported(&mut self, report: Report, now: Time) {
        self.outside.written(report, now);
    }

    /// The object of this node is not there.
    pub(super) fn missing(&mut self, node: &NodeName) -> Option<Report> {
        self.lose(node)
    }

    /// The server doesn't know the kind: until the watch brings a list, nothing is written.
    pub(super) fn not_served(&mut self) {
        self.served = false;
    }

    /// The server won't have this one; the others go on.
    pub(super) fn refused(&mut self, due: &Due, until: Time) {
        match due {
            Due::Task(node, _) => {
                if let Some(entry) = self.entries.get_mut(node) {
                    entry.refused = Some((entry.wanted, until));
                }
            }
            // The next one may be another.
            Due::Report(report) => self.outside.written(report.clone(), until),
        }
    }

    /// Nothing is written before `until`.
    pub(super) fn rest(&mut self, until: Time) {
        self.rest = until;
    }

    fn look_over(&mut self, node: &NodeName) {
        if self.entries.get(node).is_some_and(Entry::is_due) {
            self.due.insert(node.clone());
        } else {
            self.due.remove(node);
        }
    }
}

fn was_agents(told: Option<(DelaySource, u64)>) -> bool {
    told.is_some_and(|(source, _)| source == DelaySource::Probe)
}

/// There is nothing any more that the agent of this node says.
fn nothing_of(from: NodeName) -> Report {
    Report { from, source: DelaySource::Probe, every: None, starved: false, rows: Vec::new() }
}

// === impl Entry ===

impl Default for Entry {
    fn default() -> Self {
        Self { uid: None, object: None, wanted: SpecDigest::of(&[], None), refused: None }
    }
}

impl Entry {
    fn may_be_tried(&self, now: Time) -> bool {
        self.refused.is_none_or(|(wanted, until)| wanted != self.wanted || until <= now)
    }

    fn is_due(&self) -> bool {
        let Self { uid: Some(uid), object, wanted, refused: _ } = self else { return false };
        object.as_ref().is_none_or(|object| object.owner.as_ref() != Some(uid) || object.spec != *wanted)
    }
}

// === impl Due ===

impl Due {
    /// Whose object it is about.
    pub(super) fn node(&self) -> &NodeName {
        match self {
            Self::Task(node, _) => node,
            Self::Report(report) => &report.from,
        }
    }
}

// === impl Object ===

impl Object {
    fn bare(owner: Name, spec: SpecDigest) -> Self {
        Self { owner: Some(owner), spec, addresses: Vec::new(), told: None, leaving: None }
    }
}

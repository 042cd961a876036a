//! The agents, each with a number that it keeps as long as it is there.

use std::collections::BTreeMap;

use super::Agent;
use crate::model::NodeName;

/// The number of an agent. It is used again when the agent has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(u32);

/// The agents there are.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// In the order of names, so that a plan does not depend on the order in which agents came.
    by_name: BTreeMap<NodeName, Id>,
    agents: Vec<Option<Agent>>,
    free: Vec<Id>,
}

/// What changed in the set of agents.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RosterChange {
    /// These numbers stand for new agents.
    pub(super) came: Vec<Id>,
    /// These numbers stand for nobody any more, or for somebody else who is also among the new ones.
    pub(super) went: Vec<Id>,
    /// Some agent has other addresses.
    pub(super) moved: bool,
}

// === impl Id ===

impl Id {
    pub(super) fn idx(self) -> usize {
        self.0 as usize
    }
}

// === impl Roster ===

impl Roster {
    /// Replaces the set of agents. Of two with one name the first counts.
    pub(super) fn set(&mut self, agents: Vec<Agent>) -> RosterChange {
        let mut wanted = BTreeMap::new();
        for agent in agents.into_iter().filter(|agent| !agent.addresses.is_empty()) {
            wanted.entry(agent.node.clone()).or_insert(agent);
        }
        let mut change = RosterChange::default();
        let gone: Vec<NodeName> =
            self.by_name.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
        for id in gone.into_iter().filter_map(|name| self.by_name.remove(&name)) {
            if let Some(agent) = self.agents.get_mut(id.idx()) {
                *agent = None;
            }
            change.went.push(id);
        }
        self.free.extend(&change.went);
        for (name, agent) in wanted {
            match self.by_name.get(&name).and_then(|id| self.agents.get_mut(id.idx())) {
                Some(known) => {
                    change.moved |= known.as_ref() != Some(&agent);
                    *known = Some(agent);
                }
                None => change.came.push(self.add(name, agent)),
            }
        }
        change
    }

    fn add(&mut self, name: NodeName, agent: Agent) -> Id {
        let id = self.free.pop().unwrap_or_else(|| {
            self.agents.push(None);
            Id(u32::try_from(self.agents.len() - 1).unwrap_or(u32::MAX))
        });
        if let Some(entry) = self.agents.get_mut(id.idx()) {
            *entry = Some(agent);
        }
        self.by_name.insert(name, id);
        id
    }

    /// All of them in the order of names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeName, Id)> {
        self.by_name.iter().map(|(name, id)| (name, *id))
    }

    pub(super) fn get(&self, id: Id) -> Option<&Agent> {
        self.agents.get(id.idx())?.as_ref()
    }

    pub(super) fn find(&self, name: &NodeName) -> Option<Id> {
        self.by_name.get(name).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// One more than the largest number in use.
    pub(super) fn end(&self) -> usize {
        self.agents.len()
    }
}

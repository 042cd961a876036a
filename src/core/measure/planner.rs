//! The planner: it takes in what changes and gives the lists that change by it.

use std::collections::BTreeMap;

use super::plan::BOUNDS_AT_MOST;
use super::ring::Ring;
use super::roster::{Id, Roster};
use super::{Agent, AnchorInUse, Assignment, Interval, Peer, PlanSettings};
use crate::delay::Report;
use crate::model::{Delay, NodeName, Time};

/// Decides who measures whom.
///
/// Equal input in equal order gives equal plans; the order in which agents are listed makes no difference.
#[derive(Debug, Default)]
pub struct Planner {
    settings: PlanSettings,
    roster: Roster,
    ring: Ring,
    /// The bounds of the anchors, by node.
    anchors: BTreeMap<NodeName, Vec<Delay>>,
    /// Whether everybody measures everybody.
    mesh: bool,
    /// By number: what was last given out.
    given: Vec<Option<Assignment>>,
    /// Whether something changed since the last step.
    dirty: bool,
}

// === impl Planner ===

impl Planner {
    /// A planner that knows of nobody yet.
    pub fn new(settings: PlanSettings) -> Self {
        Self { settings, mesh: true, ..Self::default() }
    }

    /// These are all agents there are.
    pub fn set_agents(&mut self, agents: Vec<Agent>) {
        let change = self.roster.set(agents);
        self.given.resize(self.roster.end(), None);
        for id in &change.went {
            if let Some(given) = self.given.get_mut(id.idx()) {
                *given = None;
            }
        }
        let renewed = !change.came.is_empty() || !change.went.is_empty();
        if renewed {
            self.ring = Ring::of(&self.roster);
            let n = self.roster.len();
            let most = self.settings.mesh_up_to;
            self.mesh = if self.mesh { n <= most } else { n <= most - most / 10 };
        }
        self.dirty |= renewed || change.moved;
    }

    /// These are all anchors in use.
    pub fn set_anchors(&mut self, anchors: Vec<AnchorInUse>) {
        let mut bounds: BTreeMap<NodeName, Vec<Delay>> = BTreeMap::new();
        for anchor in anchors {
            bounds.entry(anchor.node).or_default().push(anchor.bound);
        }
        for bounds in bounds.values_mut() {
            bounds.sort_unstable();
            bounds.dedup();
            bounds.truncate(BOUNDS_AT_MOST);
        }
        self.dirty |= bounds != self.anchors;
        self.anchors = bounds;
    }

    /// Takes in what a node measured.
    pub fn learn(&mut self, _report: &Report) {}

    /// Goes on with the plan: the lists that are not as they were after the last step. To be called every few
    /// seconds.
    pub fn step(&mut self, _now: Time) -> Vec<Assignment> {
        if !std::mem::take(&mut self.dirty) {
            return Vec::new();
        }
        let ids: Vec<Id> = self.roster.iter().map(|(_, id)| id).collect();
        let mut changed = Vec::new();
        for id in ids {
            let Some(assignment) = self.assign(id) else { continue };
            if let Some(given) = self.given.get_mut(id.idx())
                && given.as_ref() != Some(&assignment)
            {
                *given = Some(assignment.clone());
                changed.push(assignment);
            }
        }
        changed
    }

    /// What a node is to measure, as of the last step; none if it has no agent.
    pub fn peers_of(&self, node: &NodeName) -> Option<&[Peer]> {
        let given = self.given.get(self.roster.find(node)?.idx())?.as_ref()?;
        Some(&given.peers)
    }

    fn assign(&self, id: Id) -> Option<Assignment> {
        let own = self.roster.get(id)?;
        let mut intervals: BTreeMap<&NodeName, (Id, Interval)> = BTreeMap::new();
        let mut add = |peer: Id, interval: Interval| {
            if let Some(agent) = self.roster.get(peer).filter(|_| peer != id) {
                let entry = intervals.entry(&agent.node).or_insert((peer, interval));
                entry.1 = entry.1.min(interval);
            }
        };
        self.ring.after(id, self.settings.ring).for_each(|peer| add(peer, Interval::Ring));
        if self.mesh {
            self.roster.iter().for_each(|(_, peer)| add(peer, Interval::Mesh));
        }
        let bounds = self.anchors.get(&own.node).cloned().unwrap_or_default();
        let peers = intervals.into_values().filter_map(|(peer, interval)| {
            let agent = self.roster.get(peer)?;
            let address = agent.address_for(own)?.clone();
            Some(Peer { node: agent.node.clone(), address, interval, bounds: bounds.clone() })
        });
        Some(Assignment { node: own.node.clone(), peers: peers.collect() })
    }
}

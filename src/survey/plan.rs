//! Making the plan, beside the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use edge_core::delay::Report;
use edge_core::measure::{Agent, AnchorInUse, Peer, PlanSettings, Planner};
use edge_core::model::{Name, NodeName, Time};
use edge_core::wire::SpecDigest;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::pace::report_every;
use crate::metrics::{Interest, Query};

/// How often the plan is gone over if nothing happens that we know of.
const EVERY: Duration = Duration::from_secs(10);
/// How often at most: agents that come one after another need not each make a plan.
const SOONEST: Duration = Duration::from_secs(2);

/// The plan, and what was last made of it.
pub(super) struct Plan {
    planner: Planner,
    /// Within what time nodes are to report.
    every: Option<Duration>,
    nodes: BTreeMap<NodeName, Name>,
    wanted: BTreeMap<NodeName, SpecDigest>,
    made: Option<Time>,
    changed: bool,
}

/// A new plan.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// All nodes with their UIDs, if there are others than before.
    pub(super) nodes: Option<Vec<(NodeName, Name)>>,
    /// What is to stand in `spec`, where that is not as before.
    pub(super) wanted: Vec<(NodeName, SpecDigest)>,
    /// The anchors that pods wait for.
    pub(super) urgent: BTreeSet<NodeName>,
}

/// What a node is to measure, and within what time it is to report.
pub(super) type Task = (Vec<Peer>, Duration);

/// What is to stand in `spec`.
pub(super) fn digest(task: Option<&Task>) -> SpecDigest {
    task.map_or(SpecDigest::of(&[], None), |(peers, every)| SpecDigest::of(peers, Some(*every)))
}

// === impl Plan ===

impl Plan {
    /// No plan yet.
    pub(super) fn new() -> Self {
        Self {
            planner: Planner::new(PlanSettings::default()),
            every: None,
            nodes: BTreeMap::new(),
            wanted: BTreeMap::new(),
            made: None,
            changed: true,
        }
    }

    /// Something changed that the plan may depend on.
    pub(super) fn note_change(&mut self) {
        self.changed = true;
    }

    /// Whether it is time to go over the plan.
    pub(super) fn is_due(&self, now: Time) -> bool {
        let rest = if self.changed { SOONEST } else { EVERY };
        self.made.is_none_or(|made| made + rest <= now)
    }

    /// What a node is to measure; nobody, if it has no agent.
    pub(super) fn task_of(&self, node: &NodeName) -> Task {
        let peers = self.planner.peers_of(node).unwrap_or_default();
        (peers.to_vec(), self.every.unwrap_or_else(|| report_every(0, None)))
    }

    /// Asks the core what pods are about, and makes the plan on a thread of its own; none if the scheduler ends.
    pub(super) async fn make(
        mut self,
        agents: Option<Vec<Agent>>,
        heard: Vec<Report>,
        looks: mpsc::Sender<Query>,
        now: Time,
    ) -> Option<Planned> {
        (self.made, self.changed) = (Some(now), false);
        let (to, interest) = oneshot::channel();
        looks.send(Query::Interest(to)).await.ok()?;
        let interest = interest.await.ok()?;
        spawn_blocking(move || self.step(agents, &heard, interest, now)).await.ok()
    }

    /// Without agents there are only nodes to know of.
    fn step(
        mut self,
        agents: Option<Vec<Agent>>,
        heard: &[Report],
        Interest { nodes, anchors }: Interest,
        now: Time,
    ) -> Planned {
        let nodes: BTreeMap<NodeName, Name> = nodes.into_iter().collect();
        let changed = nodes != self.nodes;
        if changed {
            self.nodes = nodes;
        }
        let listed =
            changed.then(|| self.nodes.iter().map(|(name, uid)| (name.clone(), uid.clone())).collect());
        let Some(agents) = agents else {
            return Planned { plan: self, nodes: listed, wanted: Vec::new(), urgent: BTreeSet::new() };
        };
        let urgent =
            anchors.iter().filter(|anchor| anchor.waiting).map(|anchor| anchor.node.clone()).collect();
        self.go_over(agents, heard, anchors, now);
        let wanted = self.changed_tasks();
        Planned { plan: self, nodes: listed, wanted, urgent }
    }

    fn go_over(&mut self, agents: Vec<Agent>, heard: &[Report], anchors: Vec<AnchorInUse>, now: Time) {
        self.every = Some(report_every(self.nodes.len(), self.every));
        self.planner.set_agents(agents);
        self.planner.set_anchors(anchors);
        for report in heard {
            self.planner.learn(report);
        }
        // The lists that changed are found below, with those of nodes that have no agent any more.
        _ = self.planner.step(now);
    }

    fn changed_tasks(&mut self) -> Vec<(NodeName, SpecDigest)> {
        let mut wanted = BTreeMap::new();
        let mut changed = Vec::new();
        for node in self.nodes.keys() {
            let digest = SpecDigest::of(self.planner.peers_of(node).unwrap_or_default(), self.every);
            if self.wanted.get(node) != Some(&digest) {
                changed.push((node.clone(), digest));
            }
            wanted.insert(node.clone(), digest);
        }
        self.wanted = wanted;
        changed
    }
}

//! What is told of nodes beside their objects.

use super::State;
use super::fence::off_since;
use crate::health::{LeaseSeen, Sighting};
use crate::model::{Name, Node, NodeName, Pod, Time};
use crate::placement::NodeSlot;
use crate::state::Change;

/// The label that names a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";
/// The DaemonSet of the probe agents, and its namespace.
const AGENTS: (&str, &str) = ("edge-system", "edge-probe");

/// Something that was told of nodes.
#[derive(Clone, Debug)]
pub enum HealthNews {
    /// What agents say of the neighbours that they probe every second.
    Sighted(Vec<Sighting>),
    /// What the agents on these nodes said is gone.
    Unsighted(Vec<NodeName>),
    /// The watch of the nodes' Leases said something.
    Leases(Vec<Change<LeaseSeen>>),
    /// A node was knocked at.
    Knocked(NodeName, Knock),
}

/// What a node answers over another transport than the agents', asked by ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knock {
    /// Nothing.
    Silent,
    /// Something, and be it that it refuses.
    Answers,
    /// It has no address to ask at.
    Unknown,
}

/// When a node was knocked at, and what came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door {
    pub(super) at: Time,
    pub(super) knock: Option<Knock>,
}

// === impl State ===

impl State {
    pub(in crate::state) fn apply_health(&mut self, news: HealthNews, now: Time) {
        match news {
            HealthNews::Sighted(sightings) => {
                for sighting in &sightings {
                    let nodes = &mut self.snapshot.nodes;
                    self.healing.detector.hear(sighting, |name| nodes.slot_of(&NodeName::from(name)), now);
                }
            }
            HealthNews::Unsighted(names) => {
                for name in names {
                    let slot = self.snapshot.nodes.slot_of(&name);
                    self.healing.detector.forget_agent(slot);
                }
            }
            HealthNews::Leases(changes) => {
                for change in changes {
                    self.apply_leases(change, now);
                }
            }
            HealthNews::Knocked(name, knock) => {
                let slot = self.snapshot.nodes.slot_of(&name);
                self.healing.doors.insert(slot, Door { at: now, knock: Some(knock) });
                self.healing.next_pass = now;
            }
        }
    }

    fn apply_leases(&mut self, change: Change<LeaseSeen>, now: Time) {
        match change {
            Change::Reset(leases) => {
                let listed: Vec<NodeSlot> =
                    leases.iter().map(|seen| self.snapshot.nodes.slot_of(&seen.node)).collect();
                for slot in self.healing.detector.leased() {
                    if !listed.contains(&slot) {
                        self.healing.detector.lose_lease(slot, now);
                    }
                }
                for (slot, seen) in listed.into_iter().zip(&leases) {
                    self.healing.detector.see_lease(slot, seen, now);
                }
            }
            Change::Put(seen) => {
                let slot = self.snapshot.nodes.slot_of(&seen.node);
                self.healing.detector.see_lease(slot, &seen, now);
            }
            Change::Gone(seen) => {
                let slot = self.snapshot.nodes.slot_of(&seen.node);
                self.healing.detector.lose_lease(slot, now);
            }
        }
    }

    /// A Node is new or different.
    pub(in crate::state) fn note_node(&mut self, node: &Node) {
        let slot = self.snapshot.nodes.slot_of(&node.name);
        let zone = node.labels.shared(ZONE).map(Name::clone);
        self.healing.detector.put_node(slot, zone, off_since(node));
        self.note_fence(slot, node);
    }

    /// A Node is gone.
    pub(in crate::state) fn note_node_gone(&mut self, name: &NodeName) {
        let slot = self.snapshot.nodes.slot_of(name);
        self.healing.detector.remove_node(slot);
        self.note_fence_gone(slot);
    }

    /// A pod that is on a node begins to end, or is gone.
    pub(in crate::state) fn note_pod_ends(&mut self, pod: &Pod, slot: NodeSlot, now: Time) {
        if is_agent(pod) {
            self.healing.detector.agent_ends(slot, now);
        }
    }
}

fn is_agent(pod: &Pod) -> bool {
    let is_its = |owner: &crate::model::Owner| &*owner.kind == "DaemonSet" && &*owner.name == AGENTS.1;
    &*pod.key.namespace == AGENTS.0 && pod.owner.as_ref().is_some_and(is_its)
}

//! What the scheduler has been told, kept apart from what it makes of it.
//!
//! The same events go to the scheduler and here. This side is written to be plainly right rather than
//! quick, and shares no code with the scheduler's cache, queue or tables.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backups::is_asked;
use super::chaos::UNREACHABLE;
use super::delays::Delays;
use super::heard::Heard;
use super::server::{Fact, Server};
use crate::delay::DelayRow;
use crate::model::{Delay, Node, NodeName, Pod, PodUid, Time, Version};
use crate::state::{
    BindOutcome, Change, CoverOutcome, Event, HealthNews, PodRef, ReadOutcome, RelocateOutcome,
};

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// The newest reading of each pod that is not known to be gone.
    pub(super) pods: BTreeMap<PodUid, Pod>,
    /// The newest reading of each node that is not known to be gone.
    pub(super) nodes: BTreeMap<NodeName, Node>,
    /// Rows of delays in use.
    pub(super) rows: BTreeMap<NodeName, BTreeMap<NodeName, Delay>>,
    /// What agents reported.
    pub(super) heard: Heard,
    /// The time.
    pub(super) now: Time,
    /// Whether the last delays count of nodes that are not heard of.
    pub(super) by_last: bool,
    /// Bindings that were decided and are neither confirmed nor known to have failed.
    pub(super) assumed: BTreeMap<PodUid, Assumed>,
    /// What was listed as a whole.
    pub(super) listed: Listed,
    /// Pods and nodes that are known to be gone.
    pub(super) gone_pods: BTreeSet<PodUid>,
    pub(super) gone_nodes: BTreeMap<NodeName, Version>,
    /// The nodes whose rows the scheduler uses.
    pub(super) in_use: BTreeSet<NodeName>,
    /// The nodes that it suspects to have failed.
    pub(super) suspects: BTreeSet<NodeName>,
    /// The pods that take over what was kept for them, and may wait for backups to go: where they are to be, and since when.
    pub(super) takers: BTreeMap<PodUid, (NodeName, Time)>,
    /// Whether it is a pod's turn that takes over what was kept for it.
    pub(super) takes_over: bool,
    /// Backups of which it knows that they are gone, by another word than the watch's.
    pub(super) taken: BTreeSet<PodUid>,
    /// Backups that it wants taken away.
    pub(super) going: BTreeSet<PodUid>,
    /// Pods that it wants moved.
    pub(super) moved: BTreeSet<PodUid>,
    /// The nodes whose agents it was told of.
    pub(super) sighted: BTreeSet<NodeName>,
}

/// What was listed as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listed {
    pods: bool,
    nodes: bool,
}

/// A binding that was decided.
#[derive(Clone, Debug)]
pub(super) struct Assumed {
    /// The node.
    pub(super) node: NodeName,
    /// All writes of pods up to this revision were known.
    pub(super) pods_known: u64,
    /// All writes of nodes up to this revision were known.
    pub(super) nodes_known: u64,
    /// Whether the scheduler has been told that it was written.
    pub(super) written: bool,
    /// Whether the server has said that the pod is in conflict with it.
    pub(super) conflict: bool,
}

// === impl Listed ===

impl Listed {
    /// Whether everything was.
    pub(super) fn is_all(self) -> bool {
        self.pods && self.nodes
    }
}

// === impl View ===

impl View {
    /// Everything there is, as the server and the source of delays have it.
    pub(super) fn truth(server: &Server, delays: &Delays) -> Self {
        Self { nodes: server.nodes.clone(), rows: delays.pairs().clone(), ..Self::of_pods(server) }
    }

    /// The pods that the server has, and nothing else.
    pub(super) fn of_pods(server: &Server) -> Self {
        let pods = server.pods.values().map(|pod| (pod.uid.clone(), pod.clone())).collect();
        Self { pods, ..Self::default() }
    }

    /// Takes in what the scheduler is told.
    pub(super) fn told(&mut self, event: &Event) {
        match event {
            Event::Pods(change) => self.told_of_pods(change),
            Event::Nodes(change) => self.told_of_nodes(change),
            // Nothing else is watched here.
            Event::Namespaces(_)
            | Event::DisruptionBudgets(_)
            | Event::Selectors(..)
            | Event::Storage(_)
            | Event::Volumes(..)
            | Event::Preempted(..)
            | Event::Health(_)
            | Event::Evicted(..)
            | Event::LessReserve(_)
            | Event::NodeTainted(..)
            | Event::NodeFenced(..)
            | Event::CoverWritten(..)
            | Event::Leads(_) => (),
            Event::Relocated(relocation, outcome) => {
                if !matches!(outcome, RelocateOutcome::Evicted) {
                    self.moved.remove(&relocation.pod.uid);
                }
            }
            Event::Measured(reports) => {
                for report in reports {
                    self.heard.told(report, self.now);
                }
            }
            Event::BackupMade(key, outcome) => self.told_of_backup(key, outcome),
            Event::BackupTaken(pod, outcome) => {
                if *outcome == CoverOutcome::Done {
                    self.taken.insert(pod.uid.clone());
                }
            }
            Event::Delays(rows) => rows.iter().for_each(|row| self.told_of_delays(row)),
            Event::Bind(pod, outcome) => self.told_of_binding(pod, outcome),
            Event::Read(pod, outcome) => self.told_of_reading(pod, outcome),
        }
    }

    /// A fact as the scheduler is told of it.
    pub(super) fn events_of(&mut self, fact: &Fact) -> Vec<Event> {
        let health = |news| vec![Event::Health(news)];
        match fact {
            Fact::Pods(change) => vec![Event::Pods(change.clone())],
            Fact::Nodes(change) => vec![Event::Nodes(change.clone())],
            Fact::Leases(change) => health(HealthNews::Leases(vec![change.clone()])),
            Fact::Agents(Change::Put(sighting)) => {
                self.sighted.insert(sighting.from.clone());
                health(HealthNews::Sighted(vec![(**sighting).clone()]))
            }
            Fact::Agents(Change::Gone(sighting)) => {
                self.sighted.remove(&sighting.from);
                health(HealthNews::Unsighted(vec![sighting.from.clone()]))
            }
            Fact::Agents(Change::Reset(sightings)) => {
                let there: BTreeSet<NodeName> = sightings.iter().map(|it| it.from.clone()).collect();
                let gone = self.sighted.difference(&there).cloned().collect();
                self.sighted = there;
                let news = [HealthNews::Unsighted(gone), HealthNews::Sighted(sightings.clone())];
                news.map(Event::Health).into()
            }
        }
    }

    /// The same with what a pod may take over that was kept for it: room that is known to be free, and a node that is
    /// closed to others.
    pub(super) fn taken_over(&self) -> Self {
        let mut over = Self { takes_over: true, by_last: true, ..self.clone() };
        over.pods.retain(|uid, _| !self.taken.contains(uid));
        over
    }

    /// The scheduler says whose rows it uses from now on. Of the others it is told no more, so what was
    /// known of them must not be used. Whether it goes on with all that it used before.
    pub(super) fn uses(&mut self, names: &[NodeName]) -> bool {
        let before = std::mem::replace(&mut self.in_use, names.iter().cloned().collect());
        self.rows.retain(|from, _| self.in_use.contains(from));
        before.is_subset(&self.in_use)
    }

    /// Whether the scheduler is told when delays from this node change.
    pub(super) fn is_told_of_delays(&self, from: &NodeName) -> bool {
        self.in_use.contains(from)
    }

    /// Whether nothing is heard of a node that is there.
    pub(super) fn is_unheard(&self, name: &NodeName) -> bool {
        let Some(node) = self.nodes.get(name) else { return false };
        node.taints.iter().any(|taint| &*taint.key == UNREACHABLE) || self.heard.is_silent(name, self.now)
    }

    /// Whether a node is known to be within so many microseconds of another.
    pub(super) fn is_within(&self, from: &NodeName, to: &NodeName, micros: u32) -> bool {
        let is_last = || {
            let grace = self.heard.rules.anchor_grace;
            let counts = self.by_last && self.is_unheard(from) && grace != Some(Duration::ZERO);
            counts && self.heard.last(from, to).iter().any(|delay| delay.as_micros() <= micros)
        };
        match self.delay(from, to) {
            Some(delay) => delay.as_micros() <= micros,
            None => is_last(),
        }
    }

    /// The fresh delay between two nodes.
    pub(super) fn delay(&self, from: &NodeName, to: &NodeName) -> Option<Delay> {
        let file = self.rows.get(from).and_then(|row| row.get(to)).copied();
        if from == to { Some(Delay::ZERO) } else { self.heard.fresh(from, to, file, self.now) }
    }

    /// The pods that take up room, assumed ones included, and where.
    pub(super) fn placed(&self) -> impl Iterator<Item = (&Pod, &NodeName)> {
        self.pods.values().filter(|pod| !pod.phase.is_terminal()).filter_map(|pod| {
            let assumed = || self.assumed.get(&pod.uid).map(|assumed| &assumed.node);
            Some((pod, pod.node.as_ref().or_else(assumed)?))
        })
    }

    /// The pods that are on their way to room which is not free yet. Anchors are where they are to be.
    pub(super) fn on_their_way(&self) -> impl Iterator<Item = (&Pod, &NodeName)> {
        self.takers.iter().filter_map(|(uid, (node, _))| Some((self.pods.get(uid)?, node)))
    }

    /// Whether a pod has waited for backups to go. Delays may have changed since its node was decided.
    pub(super) fn has_waited(&self, uid: &PodUid) -> bool {
        self.takers.get(uid).is_some_and(|(_, since)| *since < self.now)
    }

    fn told_of_pods(&mut self, change: &Change<Pod>) {
        match change {
            Change::Reset(pods) => {
                self.listed.pods = true;
                let listed: BTreeSet<&PodUid> = pods.iter().map(|pod| &pod.uid).collect();
                let known: Vec<PodUid> = self.pods.keys().cloned().collect();
                let gone = |uid: &&PodUid| !listed.contains(uid) && !is_asked(uid);
                known.iter().filter(gone).for_each(|uid| self.pod_gone(uid));
                for pod in pods {
                    self.put_pod(pod);
                }
            }
            Change::Put(pod) => self.put_pod(pod),
            Change::Gone(pod) => self.pod_gone(&pod.uid),
        }
    }

    fn told_of_nodes(&mut self, change: &Change<Node>) {
        match change {
            Change::Reset(nodes) => {
                self.listed.nodes = true;
                let listed: BTreeSet<&NodeName> = nodes.iter().map(|node| &node.name).collect();
                let known: Vec<Node> = self.nodes.values().cloned().collect();
                known.iter().filter(|node| !listed.contains(&node.name)).for_each(|it| self.node_gone(it));
                for node in nodes {
                    self.put_node(node);
                }
            }
            Change::Put(node) => self.put_node(node),
            Change::Gone(node) => self.node_gone(node),
        }
    }

    fn put_pod(&mut self, pod: &Pod) {
        let newer = self.pods.get(&pod.uid).is_some_and(|known| known.version > pod.version);
        if self.gone_pods.contains(&pod.uid) || newer {
            return;
        }
        // Of two pods of one name the newer one has taken the place of the other.
        let namesake = self.pods.values().find(|it| it.key == pod.key && it.uid != pod.uid);
        match namesake.map(|it| (it.uid.clone(), it.version)) {
            Some((_, version)) if version > pod.version => return,
            Some((uid, _)) => self.pod_gone(&uid),
            None => (),
        }
        if pod.node.is_some() || pod.terminating || pod.phase.is_terminal() {
            self.assumed.remove(&pod.uid);
        }
        self.pods.insert(pod.uid.clone(), pod.clone());
    }

    fn pod_gone(&mut self, uid: &PodUid) {
        self.gone_pods.insert(uid.clone());
        self.moved.remove(uid);
        self.pods.remove(uid);
        self.assumed.remove(uid);
    }

    fn put_node(&mut self, node: &Node) {
        let gone = self.gone_nodes.get(&node.name).is_some_and(|gone| *gone >= node.version);
        let newer = self.nodes.get(&node.name).is_some_and(|known| known.version > node.version);
        if !gone && !newer {
            self.nodes.insert(node.name.clone(), node.clone());
        }
    }

    fn node_gone(&mut self, node: &Node) {
        if self.nodes.get(&node.name).is_some_and(|known| known.version <= node.version) {
            self.nodes.remove(&node.name);
        }
        let gone = self.gone_nodes.entry(node.name.clone()).or_default();
        *gone = node.version.max(*gone);
    }

    fn told_of_delays(&mut self, row: &DelayRow) {
        if self.in_use.contains(&row.from) {
            self.rows.insert(row.from.clone(), row.to.iter().cloned().collect());
        }
    }

    fn told_of_binding(&mut self, pod: &PodRef, outcome: &BindOutcome) {
        match outcome {
            BindOutcome::Gone => self.pod_gone(&pod.uid),
            BindOutcome::Refused(_) => _ = self.assumed.remove(&pod.uid),
            BindOutcome::Bound => self.with_assumed(pod, |assumed| assumed.written = true),
            BindOutcome::Conflict => self.with_assumed(pod, |assumed| assumed.conflict = true),
            BindOutcome::Unknown(_) => self.with_assumed(pod, |assumed| assumed.conflict = false),
        }
    }

    fn told_of_reading(&mut self, pod: &PodRef, outcome: &ReadOutcome) {
        match outcome {
            ReadOutcome::Failed => (),
            ReadOutcome::Gone => self.pod_gone(&pod.uid),
            ReadOutcome::Found(found) if found.uid != pod.uid => self.pod_gone(&pod.uid),
            ReadOutcome::Found(found) => {
                self.put_pod(found);
                let Some(assumed) = self.assumed.get(&pod.uid) else { return };
                if assumed.conflict || !self.nodes.contains_key(&assumed.node) {
                    self.assumed.remove(&pod.uid);
                }
            }
        }
    }

    fn with_assumed(&mut self, pod: &PodRef, change: impl FnOnce(&mut Assumed)) {
        if let Some(assumed) = self.assumed.get_mut(&pod.uid) {
            change(assumed);
        }
    }
}

//! The BME simulation: nodes, pods and delays from files, placed by the scheduler's own state machine.
//!
//! The model around it is the simplest: the pods arrive one by one in the order of the files, as the BME
//! scheduler took them, after those whose manifests say their node; every binding succeeds at once and comes back as a watch event; no time passes. So what
//! is shown is what the rules decide. Backups are made as pods are covered, at once too, and take up room.

mod clustered;
mod layers;
mod radius;
mod reserve;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

pub use layers::Layers;
pub use radius::KeptRadius;
pub use reserve::{Reserve, ReservedResource};

use crate::delay::file::DelayFiles;
use crate::delay::{DECISION_ANNOTATION, DelayConstraints};
use crate::model::{Delay, Labels, Name, Node, NodeName, Phase, Pod, PodKey, Time};
use crate::placement::plugins::backup_reservation::BackupReservation;
use crate::placement::{BackupRule, MoveRule, Profile};
use crate::state::{
    Action, BindOutcome, Binding, Change, Config, Event, PodRef, PreemptOutcome, Preemption, ReadOutcome,
    Report, State, Victim,
};
use clustered::ClusteredDelay;

/// What is simulated.
#[derive(Debug)]
pub struct Scenario {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The pods, in the order in which they arrive. Their scheduler names are those of known profiles.
    pub pods: Vec<Pod>,
    /// The delays from every node that has a row.
    pub delays: DelayFiles,
}

/// Which nodes are within a delay of an anchor.
#[derive(Clone, Debug)]
pub enum RadiusRule {
    /// Those that are: what the scheduler does.
    Exact,
    /// The anchor's cluster in the layer of that delay: what the BME scheduler did with clustering on.
    Clustered(Arc<Layers>),
}

/// What came of a simulation.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The pods that have a place, in the scenario's order.
    pub placed: Vec<PlacedPod>,
    /// Those that wait, in the same order.
    pub pending: Vec<PendingPod>,
    /// How long each decision took.
    pub decisions: Vec<Duration>,
    /// How long it took until all were made.
    pub total: Duration,
    /// How many nodes each delay constraint admits, and how many of them its anchors' clusters keep; only
    /// with [`RadiusRule::Clustered`].
    pub radii: Vec<KeptRadius>,
    /// What is reserved for backups.
    pub reserve: Reserve,
}

/// A pod with a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedPod {
    /// The pod.
    pub pod: PodKey,
    /// The profile that placed it; none if the manifest says its node.
    pub profile: Option<Name>,
    /// Where.
    pub node: NodeName,
    /// Where its backup is, if it has one.
    pub backup: Option<NodeName>,
    /// How its delay constraints are met.
    pub delays: Vec<MetBound>,
}

/// A delay constraint that is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetBound {
    /// The anchor, as the pod names it.
    pub anchor: String,
    /// The anchor's node and the delay to it; none if the pod itself is the anchor's first.
    pub from: Option<(NodeName, Delay)>,
    /// The bound.
    pub bound: Delay,
}

/// A pod that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPod {
    /// The pod.
    pub pod: PodKey,
    /// The profile that judged it.
    pub profile: Name,
    /// Why, in the scheduler's words.
    pub message: String,
}

/// The annotation that the scheduler writes with a binding.
#[derive(serde::Deserialize)]
struct DecisionNote {
    delays: Vec<DelayNote>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct DelayNote {
    anchor: String,
    from: Option<String>,
    delay_ms: Option<f64>,
    bound_ms: f64,
}

/// A simulation under way.
struct Run<'a> {
    scenario: &'a Scenario,
    pods: HashMap<&'a PodKey, &'a Pod>,
    state: State,
    bindings: HashMap<PodKey, Binding>,
    /// The annotations of pods into which something was written.
    annotations: HashMap<PodKey, Labels>,
    /// The backups there are.
    backups: HashMap<PodKey, Pod>,
    messages: HashMap<PodKey, String>,
    decisions: Vec<Duration>,
}

// === impl Scenario ===

impl Scenario {
    /// Places the pods. `clock` tells the time since any origin, to measure how long decisions take.
    pub fn run(&self, rule: &RadiusRule, clock: &mut dyn FnMut() -> Duration) -> Outcome {
        let begun = clock();
        let mut run = Run::new(self, rule);
        for pod in self.pods.iter().filter(|pod| pod.node.is_none()) {
            run.state.apply(Event::Pods(Change::Put(Box::new(pod.clone()))), Time::ZERO);
            run.settle(clock);
        }
        let total = clock().saturating_sub(begun);
        run.finish(rule, total)
    }

    /// The layers for all delays that the pods are bound by.
    pub fn layers(&self) -> Layers {
        let constraints = self.pods.iter().filter_map(|pod| DelayConstraints::of_pod(pod).ok());
        let bounds = constraints.flat_map(|constraints| constraints.list).map(|constraint| constraint.bound);
        let names: Vec<&NodeName> = self.nodes.iter().map(|node| &node.name).collect();
        Layers::new(&self.delays, &names, bounds)
    }

    /// Names of nodes that have no row of delays, and names of rows that are no nodes.
    pub fn unmatched(&self) -> (Vec<&NodeName>, Vec<&NodeName>) {
        let metadata = &self.delays.metadata;
        let names = self.nodes.iter().map(|node| &node.name);
        let without_row = names.filter(|name| metadata.idx(name.as_str()).is_none()).collect();
        let nodes: HashSet<&NodeName> = self.nodes.iter().map(|node| &node.name).collect();
        let without_node =
            metadata.iter().map(|(name, _)| name).filter(|name| !nodes.contains(name)).collect();
        (without_row, without_node)
    }
}

// === impl RadiusRule ===

impl RadiusRule {
    fn profiles(&self) -> Vec<Profile> {
        let names = Profile::KNOWN.into_iter().chain(["default-scheduler"]);
        // No time passes, so nobody has been where he is for long enough to be moved.
        let still = |profile: Profile| match profile.backup_rule() {
            Some(rule) => {
                let rule = BackupRule { moves: MoveRule::default(), ..rule };
                profile.with(Box::new(BackupReservation { rule }))
            }
            None => profile,
        };
        let known = names.filter_map(Profile::known).map(still);
        match self {
            Self::Exact => known.collect(),
            Self::Clustered(layers) => {
                known.map(|profile| profile.with(Box::new(ClusteredDelay::new(layers.clone())))).collect()
            }
        }
    }
}

// === impl Run ===

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario, rule: &RadiusRule) -> Self {
        let mut state = State::new(Config::new(rule.profiles()).of_pods_and_nodes());
        state.apply(Event::Nodes(Change::Reset(scenario.nodes.clone())), Time::ZERO);
        let placed = scenario.pods.iter().filter(|pod| pod.node.is_some());
        state.apply(Event::Pods(Change::Reset(placed.cloned().collect())), Time::ZERO);
        let mut run = Self {
            scenario,
            pods: scenario.pods.iter().map(|pod| (&pod.key, pod)).collect(),
            state,
            bindings: HashMap::new(),
            annotations: HashMap::new(),
            backups: HashMap::new(),
            messages: HashMap::new(),
            decisions: Vec::new(),
        };
        // What is due at the start is no part of the first decision.
        run.settle(&mut || Duration::ZERO);
        run
    }

    /// Does all there is to do.
    fn settle(&mut self, clock: &mut dyn FnMut() -> Duration) {
        loop {
            let begun = clock();
            let action = self.state.next(Time::ZERO);
            let took = clock().saturating_sub(begun);
            let Some(action) = action else { break };
            if matches!(action, Action::Bind(_) | Action::Report(_)) {
                self.decisions.push(took);
            }
            self.answer(action);
        }
    }

    /// Does what the state machine asks for, as a cluster would.
    fn answer(&mut self, action: Action) {
        match action {
            Action::Bind(binding) => {
                let pod = binding.pod.clone();
                let written = binding.annotations.iter().map(|(key, value)| (*key, Some(value.as_str())));
                self.annotate(&pod.key, &written.collect::<Vec<_>>());
                self.bindings.insert(pod.key.clone(), binding);
                self.state.apply(Event::Bind(pod.clone(), BindOutcome::Bound), Time::ZERO);
                if let Some(bound) = self.find(&pod) {
                    self.state.apply(Event::Pods(Change::Put(Box::new(bound))), Time::ZERO);
                }
            }
            Action::Read(pod) => {
                let outcome =
                    self.find(&pod).map_or(ReadOutcome::Gone, |it| ReadOutcome::Found(Box::new(it)));
                self.state.apply(Event::Read(pod, outcome), Time::ZERO);
            }
            Action::Report(Report { pod, message, .. }) => _ = self.messages.insert(pod.key, message),
            Action::UseDelays(nodes) => {
                let rows = nodes.iter().map(|node| self.scenario.delays.row(node)).collect();
                self.state.apply(Event::Delays(rows), Time::ZERO);
            }
            Action::Preempt(preemption) => self.take_away(preemption),
            Action::CreateBackup(backup) => self.make_backup(&backup),
            Action::DeleteBackup(pod) => self.take_backup(pod),
            Action::WriteCover(write) => self.write_cover(write),
            // No pod has claims that are known, so there are no volumes; and no node fails.
            Action::Announce(_)
            | Action::AnnounceDelay(_)
            | Action::AnnouncePreempted(_)
            | Action::Nominate(..)
            | Action::Evict(_)
            | Action::AnnounceEvicted(_)
            | Action::Relocate(_)
            | Action::AnnounceMove(_)
            | Action::Knock(_)
            | Action::TellNode(_)
            | Action::WriteVolumes(_)
            | Action::TaintNode(_)
            | Action::FenceNode(_)
            | Action::AnnounceCover(_)
            | Action::AnnounceBackups(_) => (),
        }
    }

    /// Pods go for one of higher priority, at once and for good.
    fn take_away(&mut self, preemption: Preemption) {
        let mut deleted = Vec::new();
        for Victim { pod, .. } in &preemption.victims {
            let Some(gone) = self.find(pod) else { continue };
            self.pods.remove(&pod.key);
            self.backups.remove(&pod.key);
            let message = format!("preempted by {} on {}", preemption.preemptor.key, preemption.node);
            self.messages.insert(pod.key.clone(), message);
            self.state.apply(Event::Pods(Change::Gone(Box::new(gone))), Time::ZERO);
            deleted.push(pod.clone());
        }
        let outcome = PreemptOutcome { deleted, failed: false };
        self.state.apply(Event::Preempted(preemption, outcome), Time::ZERO);
    }

    /// The pod as the API server has it now.
    fn find(&self, pod: &PodRef) -> Option<Pod> {
        if let Some(backup) = self.backups.get(&pod.key) {
            return Some(backup.clone());
        }
        let mut found = (*self.pods.get(&pod.key)?).clone();
        if let Some(annotations) = self.annotations.get(&pod.key) {
            found.annotations = annotations.clone();
        }
        if let Some(binding) = self.bindings.get(&pod.key) {
            found.node = Some(binding.node.clone());
            found.phase = Phase::Running;
        }
        Some(found)
    }

    fn finish(self, rule: &RadiusRule, total: Duration) -> Outcome {
        let radii = match rule {
            RadiusRule::Exact => Vec::new(),
            RadiusRule::Clustered(layers) => radius::kept(self.state.snapshot(), &self.scenario.pods, layers),
        };
        let reserve = self.reserve();
        let (placed, pending) = (Vec::new(), Vec::new());
        let mut outcome = Outcome { placed, pending, decisions: self.decisions, total, radii, reserve };
        let book = &self.state.snapshot().backups.book;
        for pod in &self.scenario.pods {
            let profile = pod.scheduler_name.clone();
            let backup = book.of(&pod.uid).map(|covered| covered.backup);
            let placed = |node: &NodeName, profile, delays| PlacedPod {
                pod: pod.key.clone(),
                profile,
                node: node.clone(),
                backup: backup.and_then(|slot| self.state.snapshot().nodes.name(slot)).cloned(),
                delays,
            };
            // A pod that was taken away is nowhere any more.
            let is_there = self.pods.contains_key(&pod.key);
            let (before, binding) = (pod.node.as_ref(), self.bindings.get(&pod.key));
            match (before.filter(|_| is_there), binding.filter(|_| is_there)) {
                (Some(node), _) => outcome.placed.push(placed(node, None, Vec::new())),
                (None, Some(binding)) => {
                    outcome.placed.push(placed(&binding.node, Some(profile), met_bounds(binding)));
                }
                (None, None) => {
                    let reported = self.messages.get(&pod.key).cloned();
                    let gate =
                        || self.state.profile(&profile)?.gate(pod).map(|(_, reason)| reason.to_string());
                    let message = reported.or_else(gate).unwrap_or_else(|| "was not tried".to_owned());
                    outcome.pending.push(PendingPod { pod: pod.key.clone(), profile, message });
                }
            }
        }
        outcome
    }
}

/// Reads what the scheduler wrote with the binding.
fn met_bounds(binding: &Binding) -> Vec<MetBound> {
    let note = binding.annotations.iter().find(|(key, _)| *key == DECISION_ANNOTATION);
    let note = note.and_then(|(_, json)| serde_json::from_str::<DecisionNote>(json).ok());
    note.map_or_else(Vec::new, |note| note.delays.into_iter().filter_map(DelayNote::read).collect())
}

// === impl DelayNote ===

impl DelayNote {
    fn read(self) -> Option<MetBound> {
        let bound = Delay::from_millis_f64(self.bound_ms).ok()?;
        let delay = self.delay_ms.and_then(|millis| Delay::from_millis_f64(millis).ok());
        let from = self.from.map(NodeName::new).zip(delay);
        Some(MetBound { anchor: self.anchor, from, bound })
    }
}

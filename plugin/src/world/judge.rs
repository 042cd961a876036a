//! What the scheduler would say of a pod.

use std::collections::HashMap;
use std::sync::Arc;

use edge_core::delay::{
    AnchorNodes, DELAY_ANNOTATION, DELAY_LABEL_PREFIX, DelayConstraint, DelayConstraints, DelayRow, Replicas,
    resolve,
};
use edge_core::model::{Delay, Labels, Name, NodeName, Pod, Resources};
use edge_core::placement::{
    BackupSearch, Cycle, Decision, Explanation, NoSearch, NodeSlot, Profile, Scores, explain, place, scores,
    unplaced,
};

use super::{World, now};

/// What the scheduler would say of a pod.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// How many nodes there are.
    pub(crate) total: usize,
    /// The nodes that it fits.
    pub(crate) fits: Vec<NodeSlot>,
    /// Why it does not fit the others; each node is counted once, for what stopped it first.
    pub(crate) blockers: Vec<Blocker>,
    /// Where it would go, or the scheduler's message.
    pub(crate) decision: Result<NodeName, String>,
}

/// Why nodes are out of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blocker {
    /// The plugin that rejected them.
    pub(crate) plugin: &'static str,
    /// In the scheduler's words.
    pub(crate) reason: String,
    /// The nodes.
    pub(crate) nodes: Vec<NodeSlot>,
}

/// The node that fails a delay constraint by the least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Miss {
    pub(crate) node: NodeName,
    pub(crate) anchor: String,
    pub(crate) delay: Delay,
    pub(crate) bound: Delay,
}

/// A feasible node and what the plugins make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScoredNode {
    pub(crate) node: NodeName,
    /// The weighted sum.
    pub(crate) total: i64,
    /// By plugin, weighted.
    pub(crate) scores: Vec<(&'static str, i64)>,
}

// === impl World ===

impl World {
    /// What the scheduler would say of the pod now. The pod itself does not count as placed.
    pub(crate) fn judge(&mut self, pod: &Pod, profile: &Profile) -> Judgement {
        let decision = self.choose(pod, profile);
        let (fits, blockers) = match explain(&self.snapshot, pod, profile) {
            Explanation::Asked(verdicts) => {
                let mut fits = Vec::new();
                let mut blockers: Vec<Blocker> = Vec::new();
                let mut known: HashMap<(&'static str, String), usize> = HashMap::new();
                for verdict in verdicts {
                    let Some((plugin, rejection)) = verdict.rejection else {
                        fits.push(verdict.slot);
                        continue;
                    };
                    let reason: Vec<String> = rejection.reasons().map(ToString::to_string).collect();
                    let reason = reason.join(", ");
                    let idx = *known.entry((plugin, reason.clone())).or_insert_with(|| {
                        blockers.push(Blocker { plugin, reason, nodes: Vec::new() });
                        blockers.len() - 1
                    });
                    if let Some(blocker) = blockers.get_mut(idx) {
                        blocker.nodes.push(verdict.slot);
                    }
                }
                (fits, blockers)
            }
            Explanation::Rejected(plugin, rejection) => {
                let reason: Vec<String> = rejection.reasons().map(ToString::to_string).collect();
                let nodes = self.snapshot.nodes.iter().map(|node| node.slot).collect();
                (Vec::new(), vec![Blocker { plugin, reason: reason.join(", "), nodes }])
            }
            Explanation::AwaitDelays(_) => (Vec::new(), Vec::new()),
        };
        let mut blockers = blockers;
        blockers.sort_by(|a, b| b.nodes.len().cmp(&a.nodes.len()).then_with(|| a.reason.cmp(&b.reason)));
        Judgement { total: self.snapshot.nodes.len(), fits, blockers, decision }
    }

    /// Where the pod would go now, or the scheduler's message.
    pub(crate) fn choose(&mut self, pod: &Pod, profile: &Profile) -> Result<NodeName, String> {
        self.load_delays(pod);
        match place(&self.snapshot, pod, profile) {
            Decision::Place(placement) => Ok(placement.node),
            Decision::Reject(error) => Err(error.to_string()),
            Decision::AwaitDelays(nodes) => Err(format!("delays from {} are not known", joined(&nodes))),
            Decision::Fail(why) => Err(why),
        }
    }

    /// The node of the pod's backup, if it has one that would do were the pod's own node lost, and all that is to
    /// be reserved there is.
    pub(crate) fn backup(&mut self, pod: &Arc<Pod>, slot: NodeSlot, profile: &Profile) -> Option<NodeSlot> {
        let told = self.snapshot.backups.book.of(&pod.uid)?.backup;
        if self.is_short(told) {
            return None;
        }
        let entry = self.snapshot.backups.book.remove(&pod.uid)?;
        self.snapshot.remove_pod(pod, slot);
        let judged = unplaced(pod);
        self.load_delays(&judged);
        let search = |world: &Self| {
            let cycle = Cycle::within(&judged, &world.snapshot, profile);
            BackupSearch::new(cycle, profile, slot).map(|search| search.may_keep(entry.backup))
        };
        let mut may_keep = search(self);
        if let Err(NoSearch::AwaitDelays(nodes)) = &may_keep {
            for node in nodes {
                let row = DelayRow { from: node.clone(), to: Vec::new() };
                self.snapshot.delays.load(&row, &mut self.snapshot.nodes, now());
            }
            may_keep = search(self);
        }
        self.snapshot.add_pod(pod, slot);
        let backup = entry.backup;
        self.snapshot.backups.book.put(pod.uid.clone(), entry);
        may_keep.unwrap_or(false).then_some(backup)
    }

    /// Whether the backups on a node hold less than what is covered there takes.
    fn is_short(&self, slot: NodeSlot) -> bool {
        let backups = &self.snapshot.backups;
        let mut held = Resources::default();
        let stay = backups.on(slot).iter().filter(|pod| !pod.terminating);
        stay.for_each(|pod| held.add(&pod.requests));
        !backups.book.reserve(slot).exceeding(&held).is_nothing()
    }

    /// What the plugins make of the nodes that the pod fits, best first.
    pub(crate) fn scored(&self, pod: &Pod, profile: &Profile) -> Vec<ScoredNode> {
        let Scores { feasible, plugins } = scores(&self.snapshot, pod, profile);
        let mut nodes: Vec<ScoredNode> = Vec::new();
        for (idx, slot) in feasible.iter().enumerate() {
            let of_plugin = |it: &edge_core::placement::PluginScores| {
                (it.name, it.scores.get(idx).copied().unwrap_or_default() * it.weight)
            };
            let scores: Vec<(&'static str, i64)> = plugins.iter().map(of_plugin).collect();
            let total = scores.iter().map(|(_, score)| score).sum();
            nodes.push(ScoredNode { node: self.name(*slot), total, scores });
        }
        nodes.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.node.as_str().cmp(b.node.as_str())));
        nodes
    }

    /// The delay by which a node is held against a constraint; none where it is not known.
    pub(crate) fn delay_to(
        &self,
        pod: &Pod,
        constraint: &DelayConstraint,
        replicas: Replicas,
        node: NodeSlot,
    ) -> Option<Delay> {
        let Ok(AnchorNodes::On(anchors)) = resolve(&self.snapshot, pod, &constraint.anchor) else {
            return None;
        };
        let to = |anchor: NodeSlot| {
            if anchor == node {
                return Some(Delay::ZERO);
            }
            self.snapshot.delays.row(anchor)?.to(node)
        };
        match replicas {
            Replicas::Nearest => anchors.into_iter().filter_map(to).min(),
            Replicas::All => anchors.into_iter().map(to).collect::<Option<Vec<_>>>()?.into_iter().max(),
        }
    }

    /// The node that fails nothing but one delay constraint, and that by the least.
    pub(crate) fn nearest_miss(&mut self, pod: &Pod, profile: &Profile) -> Option<Miss> {
        let constraints = DelayConstraints::of_pod(pod).ok()?;
        let fits = self.judge(&relaxed(pod), profile).fits;
        self.load_delays(pod);
        let mut nearest: Option<(u64, Miss)> = None;
        for slot in fits {
            let held: Vec<Option<Delay>> = constraints
                .list
                .iter()
                .map(|it| self.delay_to(pod, it, constraints.replicas, slot))
                .collect();
            let broken: Vec<(&DelayConstraint, Delay)> = constraints
                .list
                .iter()
                .zip(&held)
                .filter_map(|(it, delay)| delay.filter(|delay| *delay > it.bound).map(|delay| (it, delay)))
                .collect();
            if held.contains(&None) {
                continue;
            }
            let [(constraint, delay)] = broken[..] else { continue };
            let over = u64::from(delay.as_micros() - constraint.bound.as_micros());
            if nearest.as_ref().is_none_or(|(least, _)| over < *least) {
                let anchor = constraint.anchor.to_string();
                let miss = Miss { node: self.name(slot), anchor, delay, bound: constraint.bound };
                nearest = Some((over, miss));
            }
        }
        nearest.map(|(_, miss)| miss)
    }

    /// The node's name.
    pub(crate) fn name(&self, slot: NodeSlot) -> NodeName {
        self.snapshot.nodes.name(slot).cloned().unwrap_or_else(|| NodeName::new("?"))
    }

    /// Brings in the delays from the nodes that the pod's anchors are on. What is measured is there already; of
    /// files nothing is known here but what is reported.
    pub(crate) fn load_delays(&mut self, pod: &Pod) {
        let Ok(constraints) = DelayConstraints::of_pod(pod) else { return };
        for constraint in &constraints.list {
            let Ok(AnchorNodes::On(slots)) = resolve(&self.snapshot, pod, &constraint.anchor) else {
                continue;
            };
            for slot in slots {
                if self.snapshot.delays.row(slot).is_none() {
                    let row = DelayRow { from: self.name(slot), to: Vec::new() };
                    self.snapshot.delays.load(&row, &mut self.snapshot.nodes, now());
                }
            }
        }
    }
}

/// The pod with bounds that every node meets whose delay is known: it keeps its constraints, because what has none
/// is treated otherwise.
pub(crate) fn relaxed(pod: &Pod) -> Pod {
    let wide = |anchor: &str| format!("{anchor}={}", Delay::MAX);
    let label = |(key, value): (&Name, &Name)| {
        let is_bound = key.strip_prefix(DELAY_LABEL_PREFIX).is_some_and(|anchor| !anchor.is_empty());
        (key.clone(), if is_bound { Delay::MAX.to_string().into() } else { value.clone() })
    };
    let annotation = |(key, value): (&Name, &Name)| {
        let entries =
            || value.split(',').filter_map(|entry| entry.split_once('=')).map(|(anchor, _)| wide(anchor));
        let is_bound = **key == *DELAY_ANNOTATION;
        (key.clone(), if is_bound { entries().collect::<Vec<_>>().join(",").into() } else { value.clone() })
    };
    Pod {
        labels: Labels::new(pod.labels.iter().map(label)),
        annotations: Labels::new(pod.annotations.iter().map(annotation)),
        ..pod.clone()
    }
}

fn joined(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}

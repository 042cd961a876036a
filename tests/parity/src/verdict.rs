//! Verdicts, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::ClusterState;

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is bound to this node.
    Bound(String),
    /// It waits, and its `PodScheduled` condition says why.
    Waits {
        /// The condition's reason.
        reason: String,
        /// The condition's message.
        message: String,
    },
    /// It is not tried, because of a scheduling gate.
    Gated,
}

/// By plugin and node, what the plugin adds to the node's score, its weight included. Empty if fewer than two nodes are
/// feasible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScoreTable(BTreeMap<String, BTreeMap<String, i64>>);

/// All that a scheduler finds about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What becomes of it.
    pub outcome: Outcome,
    /// The nodes it may run on. Of a gated pod none, because nobody asked.
    pub feasible: BTreeSet<String>,
    /// How they score.
    pub scores: ScoreTable,
    /// For a pod that preempts, the pods that have to go by the node they have to go from. Of several nodes, all equally
    /// good, one is taken by chance.
    pub preemption: BTreeMap<String, BTreeSet<String>>,
}

/// A state about which the two schedulers differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// In what they differ.
    pub what: Vec<&'static str>,
    /// The state.
    pub state: ClusterState,
    /// kube-scheduler's judgement.
    pub upstream: Judgement,
    /// Ours.
    pub ours: Judgement,
}

// === impl ScoreTable ===

impl ScoreTable {
    /// Notes what a plugin adds to a node's score.
    pub(crate) fn add(&mut self, plugin: &str, node: &str, weighted: i64) {
        self.0.entry(plugin.to_owned()).or_default().insert(node.to_owned(), weighted);
    }

    /// The nodes that were scored.
    pub(crate) fn nodes(&self) -> BTreeSet<String> {
        self.0.values().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// What each plugin adds to a node's score.
    fn of(&self, node: &str) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().filter_map(move |(plugin, nodes)| Some((plugin.as_str(), *nodes.get(node)?)))
    }

    fn total(&self, node: &str) -> i64 {
        self.of(node).map(|(_, weighted)| weighted).sum()
    }

    /// Whether both prefer the same nodes by as much. One that skips a plugin that gives every node the same does.
    fn agrees_with(&self, other: &Self) -> bool {
        let plugins: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        plugins.into_iter().all(|plugin| match (self.0.get(plugin), other.0.get(plugin)) {
            (Some(scores), Some(others)) => scores == others,
            (Some(scores), None) | (None, Some(scores)) => scores.values().collect::<BTreeSet<_>>().len() < 2,
            (None, None) => true,
        })
    }
}

// === impl Judgement ===

impl Judgement {
    /// The best of the feasible nodes; of several, one is taken by chance.
    pub fn best(&self) -> BTreeSet<String> {
        let best = self.feasible.iter().map(|node| self.scores.total(node)).max();
        self.feasible.iter().filter(|node| Some(self.scores.total(node)) == best).cloned().collect()
    }

    /// Whether the pod may run on this node.
    pub(crate) fn admits(&self, node: &str) -> bool {
        self.feasible.contains(node)
    }

    /// Whether the pod could not be judged, which says nothing of the nodes.
    pub(crate) fn is_error(&self) -> bool {
        matches!(&self.outcome, Outcome::Waits { reason, .. } if reason == "SchedulerError")
    }

    /// In what `ours` differs from this one, kube-scheduler's.
    pub(crate) fn compare(&self, ours: &Self) -> Vec<&'static str> {
        let mut what = Vec::new();
        match (&self.outcome, &ours.outcome) {
            (Outcome::Bound(_), Outcome::Bound(node)) if self.best().contains(node) => (),
            (Outcome::Bound(_), Outcome::Bound(_)) => what.push("the choice of the node"),
            (upstream, ours) if upstream == ours => (),
            (Outcome::Waits { .. }, Outcome::Waits { .. }) => what.push("the message"),
            _ => what.push("the verdict"),
        }
        let is_ours = |(node, victims): (&String, _)| ours.preemption.get(node) == Some(victims);
        if !self.preemption.iter().all(is_ours) || self.preemption.is_empty() != ours.preemption.is_empty() {
            what.push("the victims");
        }
        if self.feasible != ours.feasible {
            what.push("the feasible nodes");
        }
        if !self.scores.agrees_with(&ours.scores) {
            what.push("the scores");
        }
        what
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Bound(node) => writeln!(f, "bound to {node}")?,
            Outcome::Waits { reason, message } => writeln!(f, "{reason}: {message}")?,
            Outcome::Gated => writeln!(f, "gated")?,
        }
        for (node, victims) in &self.preemption {
            writeln!(f, "  preempts on {node}: {}", victims.iter().cloned().collect::<Vec<_>>().join(" "))?;
        }
        for node in &self.feasible {
            write!(f, "  {node}: {}", self.scores.total(node))?;
            for (plugin, weighted) in self.scores.of(node) {
                write!(f, ", {plugin} {weighted}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

// === impl Difference ===

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, state, upstream, ours } = self;
        writeln!(f, "the schedulers differ in {}", what.join(", "))?;
        writeln!(f, "\nkube-scheduler: {upstream}\nedge-scheduler: {ours}\n{}", state.to_yaml())
    }
}

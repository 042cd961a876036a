//! Queueing hints (upstream: `isSchedulableAfterPodChange`, `isSchedulableAfterNodeChange`).
//!
//! Upstream misses some cures: a pod that begins to end, a node that the pod's node selector takes out, a
//! Service that changes what belongs together. Here none is missed.

use super::PodTopologySpread;
use crate::model::{LabelSelector, Node, Pod, SpreadConstraint, WhenUnsatisfiable};
use crate::placement::ClusterEvent;

/// The constraints that a pod may have been rejected by.
struct Hard<'a> {
    constraints: &'a [SpreadConstraint],
    /// Whether they are the pod's own, and so their selectors.
    own: bool,
}

/// Whether `event` may cure a rejection of `pod`.
pub(super) fn cured_by(plugin: &PodTopologySpread, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
    let own = !pod.spread.is_empty();
    let hard = Hard { constraints: if own { &pod.spread } else { &plugin.defaults }, own };
    match event {
        ClusterEvent::PodPlaced(other) | ClusterEvent::PodFreed(other) => {
            pod.key.namespace == other.key.namespace && hard.counts(other)
        }
        ClusterEvent::PodUpdated { old, new } => {
            let differs = |constraint| {
                let (before, now) = (hard.selects(constraint, old), hard.selects(constraint, new));
                let relabelled = old.labels != new.labels && (!own || before != now);
                relabelled || (now && old.terminating != new.terminating)
            };
            pod.key.namespace == new.key.namespace && hard.iter().any(differs)
        }
        ClusterEvent::NodeAdded(node) | ClusterEvent::NodeRemoved(node) => hard.has_all_labels(node),
        ClusterEvent::NodeUpdated { old, new } => {
            (hard.has_all_labels(old) || hard.has_all_labels(new))
                && (old.labels != new.labels || old.taints != new.taints)
        }
        ClusterEvent::SelectorChanged { namespace } => {
            !own && **namespace == pod.key.namespace && hard.iter().next().is_some()
        }
        _ => false,
    }
}

// === impl Hard ===

impl Hard<'_> {
    fn iter(&self) -> impl Iterator<Item = &SpreadConstraint> {
        let is_hard = |it: &&SpreadConstraint| it.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule;
        self.constraints.iter().filter(is_hard)
    }

    /// Whether a constraint counts a pod of the namespace. Which pods belong together by default is not known
    /// here.
    fn selects(&self, constraint: &SpreadConstraint, pod: &Pod) -> bool {
        let selector = if self.own { &constraint.selector } else { &LabelSelector::All(Box::default()) };
        selector.matches(&pod.labels)
    }

    fn counts(&self, pod: &Pod) -> bool {
        self.iter().any(|constraint| self.selects(constraint, pod))
    }

    /// Whether a node is in a domain of every constraint.
    fn has_all_labels(&self, node: &Node) -> bool {
        self.iter().all(|constraint| node.labels.get(&constraint.topology_key).is_some())
    }
}

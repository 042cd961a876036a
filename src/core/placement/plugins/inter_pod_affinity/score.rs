//! Score (upstream: `plugins/interpodaffinity/scoring.go`).

use super::InterPodAffinity;
use super::term::{matched_by, namespace_labels};
use crate::model::PodAffinityTerm;
use crate::placement::topology_counts::TopologyCounts;
use crate::placement::{Cycle, MAX_NODE_SCORE, NodeScorer, NodeView};

/// How much each domain is preferred.
pub(super) struct Weights<'a>(TopologyCounts<'a>);

/// What the pod and the placed pods prefer; none if no preference meets its match.
pub(super) fn weigh<'a>(plugin: &InterPodAffinity, cycle: Cycle<'a>) -> Option<Weights<'a>> {
    if cycle.pod.pod_affinity.is_none() && cycle.snapshot.affinities.is_empty() {
        return None;
    }
    let mut weights = Weights(TopologyCounts::new(&cycle.snapshot.nodes));
    let own = cycle.pod.pod_affinity.as_deref();
    let own = own.filter(|own| !own.preferred.is_empty() || !own.preferred_anti.is_empty());
    match own {
        None if plugin.ignore_preferred_terms_of_existing_pods => return None,
        None => (),
        Some(own) => {
            for preferred in &own.preferred {
                weights.add_own(&preferred.term, preferred.weight, cycle);
            }
            for preferred in &own.preferred_anti {
                weights.add_own(&preferred.term, -preferred.weight, cycle);
            }
        }
    }
    weights.add_existing(plugin.hard_pod_affinity_weight, cycle);
    if weights.0.is_zero() { None } else { Some(weights) }
}

// === impl Weights ===

impl Weights<'_> {
    fn add_own(&mut self, term: &PodAffinityTerm, weight: i64, cycle: Cycle<'_>) {
        for (slot, count) in matched_by(term, cycle.snapshot) {
            self.0.add(&term.topology_key, slot, weight * count);
        }
    }

    fn add_existing(&mut self, hard_weight: i64, cycle: Cycle<'_>) {
        let namespace_labels = namespace_labels(cycle);
        for (affinity, slots) in cycle.snapshot.affinities.iter() {
            let required = affinity.required.iter().map(|term| (term, hard_weight));
            let preferred = affinity.preferred.iter().map(|it| (&it.term, it.weight));
            let preferred_anti = affinity.preferred_anti.iter().map(|it| (&it.term, -it.weight));
            let terms = required.chain(preferred).chain(preferred_anti);
            for (term, weight) in terms.filter(|(term, _)| term.matches(cycle.pod, &namespace_labels)) {
                for (slot, count) in slots {
                    self.0.add(&term.topology_key, *slot, weight * i64::from(*count));
                }
            }
        }
    }
}

impl NodeScorer for Weights<'_> {
    fn score(&self, node: NodeView<'_>) -> i64 {
        self.0.sum(node)
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "as upstream computes it"
    )]
    fn normalize(&self, scores: &mut [i64]) {
        let (Some(lowest), Some(highest)) = (scores.iter().min().copied(), scores.iter().max().copied())
        else {
            return;
        };
        let range = (highest - lowest) as f64;
        for score in scores {
            let share = if highest > lowest { (*score - lowest) as f64 / range } else { 0.0 };
            *score = (MAX_NODE_SCORE as f64 * share) as i64;
        }
    }
}

//! Score (upstream: `plugins/podtopologyspread/scoring.go`).

use super::PodTopologySpread;
use super::constraint::{Constraint, constraints};
use crate::model::WhenUnsatisfiable;
use crate::placement::{Cycle, Domain, HOSTNAME, MAX_NODE_SCORE, NodeScorer, NodeSlot, NodeView};

/// The raw score of a node that is in no domain of some constraint, where it has to be in one of each.
const LEFT_OUT: i64 = -1;

/// How evenly pods would be spread.
pub(super) struct Evenness<'a> {
    spreads: Vec<Spread<'a>>,
    needs_all_labels: bool,
}

/// The pods that a constraint counts.
struct Spread<'a> {
    constraint: Constraint<'a>,
    counts: Counts,
    /// What a pod more adds: the more domains there are the more, so that small topologies are not watered
    /// down by large ones.
    weight: f64,
}

/// How many pods there are.
enum Counts {
    /// On each node, by slot. Nodes are their own domains where the topology is that of host names.
    ByNode(Vec<i64>),
    /// In each domain of a feasible node.
    ByDomain(Vec<Option<i64>>),
}

/// The Score for the pod; none if it need not be spread.
pub(super) fn prepare<'a>(
    plugin: &'a PodTopologySpread,
    cycle: Cycle<'a>,
    feasible: &[NodeSlot],
) -> Option<Evenness<'a>> {
    let constraints = constraints(plugin, cycle, WhenUnsatisfiable::ScheduleAnyway);
    if constraints.is_empty() {
        return None;
    }
    let needs_all_labels = !cycle.pod.spread.is_empty() || !plugin.is_system;
    let takes_part = |slot: NodeSlot| !needs_all_labels || has_all_labels(&constraints, slot);
    let candidates: Vec<NodeSlot> = feasible.iter().copied().filter(|slot| takes_part(*slot)).collect();
    let counts: Vec<(Counts, f64)> = constraints
        .iter()
        .map(|constraint| match &*constraint.terms.topology_key {
            HOSTNAME => (Counts::ByNode(constraint.count_by_slot(cycle)), weight(candidates.len())),
            _ => count_by_domain(constraint, cycle, &candidates, takes_part),
        })
        .collect();
    let spreads = constraints.into_iter().zip(counts);
    let spreads = spreads.map(|(constraint, (counts, weight))| Spread { constraint, counts, weight });
    Some(Evenness { spreads: spreads.collect(), needs_all_labels })
}

fn has_all_labels(constraints: &[Constraint<'_>], slot: NodeSlot) -> bool {
    constraints.iter().all(|constraint| constraint.topology.of(slot).is_some())
}

/// How many pods are in each domain that a candidate is in, and what a pod more adds. Nodes that are in no
/// domain are together in that of the empty value, as upstream.
fn count_by_domain(
    constraint: &Constraint<'_>,
    cycle: Cycle<'_>,
    candidates: &[NodeSlot],
    takes_part: impl Fn(NodeSlot) -> bool,
) -> (Counts, f64) {
    let Cycle { pod, snapshot, .. } = cycle;
    let topology = &constraint.topology;
    let domain = |slot: NodeSlot| topology.of(slot).unwrap_or(Domain::EMPTY).idx();
    let mut by_domain = vec![None; topology.num_domains()];
    let mut num_domains = 0;
    for slot in candidates {
        if let Some(count @ None) = by_domain.get_mut(domain(*slot)) {
            *count = Some(0);
            num_domains += 1;
        }
    }
    let is_counted = |slot: NodeSlot| {
        let node = snapshot.nodes.get(slot);
        takes_part(slot) && node.is_some_and(|node| constraint.includes(pod, node.node))
    };
    if !constraint.selector.is_empty() {
        for (slot, pods) in snapshot.pods.selected(&pod.key.namespace, &constraint.selector) {
            if let Some(Some(count)) = by_domain.get_mut(domain(slot))
                && is_counted(slot)
            {
                *count += i64::from(pods.live());
            }
        }
    }
    (Counts::ByDomain(by_domain), weight(num_domains))
}

/// What a pod more adds where there are so many domains (upstream: `topologyNormalizingWeight`).
#[expect(clippy::cast_precision_loss, reason = "as upstream computes it")]
fn weight(num_domains: usize) -> f64 {
    ((num_domains + 2) as f64).ln()
}

// === impl Evenness ===

impl NodeScorer for Evenness<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "as upstream computes it")]
    fn score(&self, node: NodeView<'_>) -> i64 {
        let in_domain = |spread: &Spread<'_>| spread.constraint.topology.of(node.slot).is_some();
        if self.needs_all_labels && !self.spreads.iter().all(in_domain) {
            return LEFT_OUT;
        }
        let scores = self.spreads.iter().filter_map(|spread| spread.score(node.slot));
        scores.sum::<f64>().round() as i64
    }

    fn normalize(&self, scores: &mut [i64]) {
        let counted = || scores.iter().copied().filter(|score| *score != LEFT_OUT);
        let (lowest, highest) = (counted().min().unwrap_or(0), counted().max().unwrap_or(0));
        for score in scores {
            *score = match *score {
                LEFT_OUT => 0,
                _ if highest == 0 => MAX_NODE_SCORE,
                score => MAX_NODE_SCORE * (highest + lowest - score) / highest,
            };
        }
    }
}

// === impl Spread ===

impl Spread<'_> {
    /// What the constraint adds to a node's score; nothing, if the node is in none of its domains (upstream:
    /// `scoreForCount`).
    #[expect(clippy::cast_precision_loss, reason = "as upstream computes it")]
    fn score(&self, slot: NodeSlot) -> Option<f64> {
        let domain = self.constraint.topology.of(slot)?;
        let count = match &self.counts {
            Counts::ByNode(by_slot) => by_slot.get(slot.idx()).copied(),
            Counts::ByDomain(by_domain) => by_domain.get(domain.idx()).copied().flatten(),
        };
        let count = count.unwrap_or(0) as f64;
        Some(count * self.weight + (self.constraint.terms.max_skew - 1) as f64)
    }
}

//! Choosing the node of a pod and that of its backup together.
//!
//! A reserve is a maximum, so it is used well where every node that could fail has as much covered there as the others.
//! Each pair of a failing node and a backup node that is below the maximum has room left that costs nothing.
//! Some of it is wanted by many pods, some by few: pods with a wide radius should leave alone what those with a
//! narrow one depend on. So a pair is wanted by each pod in proportion to how few others it could use instead.
//! That stands in for the dual prices of the linear relaxation, which need to know all pods in advance.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::choose::{cost, fits};
use super::{Book, Candidate};
use crate::model::Resources;
use crate::placement::NodeSlot;

/// In radii larger than this no pair matters by itself.
const MAX_RADIUS: usize = 128;

/// How much each node, and each pair of nodes, is wanted by the covered pods there are.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    nodes: HashMap<NodeSlot, i64>,
    pairs: HashMap<(NodeSlot, NodeSlot), i64>,
}

/// A node for a pod and one for its backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointChoice {
    /// The node for the pod.
    pub primary: NodeSlot,
    /// The node for its backup.
    pub backup: NodeSlot,
    /// By how much the backup node's reserve has to grow.
    pub increment: Resources,
    rank: Rank,
}

/// The less the better: what the reserves grow by; then, if they grow, on the node that is wanted most, and else on
/// the pair that is wanted least; then the pod's own node where it is wanted least.
type Rank = (i128, Reverse<i64>, i64, i64, NodeSlot, NodeSlot);

/// Chooses for each node that has room for a pod the best node for its backup. The best pair is the first; nodes
/// for which there is no backup node are left out.
pub fn choose_jointly(
    book: &Book,
    wanted: &Wanted,
    demand: &Resources,
    candidates: &[Candidate<'_>],
) -> Vec<JointChoice> {
    let mut total = Resources::default();
    for candidate in candidates {
        total.add(candidate.allocatable);
    }
    let mut best: Vec<Option<JointChoice>> = vec![None; candidates.len()];
    for backup in candidates {
        let reserve = book.reserve(backup.node);
        for (primary, best) in candidates.iter().zip(&mut best) {
            if primary.node == backup.node || !fits(demand, &primary.free) {
                continue;
            }
            let increment = book.increment_over(&reserve, primary.node, backup.node, demand);
            if !fits(&increment, &backup.free) {
                continue;
            }
            let rank = wanted.rank(cost(&increment, &total), primary.node, backup.node);
            if best.as_ref().is_none_or(|best| rank < best.rank) {
                let (primary, backup) = (primary.node, backup.node);
                *best = Some(JointChoice { primary, backup, increment, rank });
            }
        }
    }
    let mut choices: Vec<JointChoice> = best.into_iter().flatten().collect();
    choices.sort_unstable_by_key(|choice| choice.rank);
    choices
}

// === impl Wanted ===

impl Wanted {
    /// A pod wants the nodes that it may be on. `weight` is its size in any unit that is the same for all pods.
    pub fn add(&mut self, allowed: &[NodeSlot], weight: u32) {
        self.change(allowed, i64::from(weight));
    }

    /// A pod is gone; to be called with what it was added with.
    pub fn remove(&mut self, allowed: &[NodeSlot], weight: u32) {
        self.change(allowed, -i64::from(weight));
    }

    fn change(&mut self, allowed: &[NodeSlot], weight: i64) {
        let Ok(n) = i64::try_from(allowed.len()) else { return };
        if n < 2 {
            return;
        }
        // Enough digits for the share of a pair in the largest radius.
        let weight = weight.saturating_mul(1 << 20);
        for node in allowed {
            add(&mut self.nodes, *node, weight / n);
        }
        if allowed.len() <= MAX_RADIUS {
            for (idx, node) in allowed.iter().enumerate() {
                for other in allowed.iter().skip(idx + 1) {
                    add(&mut self.pairs, ordered(*node, *other), weight / (n * (n - 1)));
                }
            }
        }
    }

    fn rank(&self, cost: i128, primary: NodeSlot, backup: NodeSlot) -> Rank {
        let node = |node| self.nodes.get(&node).copied().unwrap_or(0);
        let (grows, pair) = if cost > 0 {
            (node(backup), 0)
        } else {
            (0, self.pairs.get(&ordered(primary, backup)).copied().unwrap_or(0))
        };
        (cost, Reverse(grows), pair, node(primary), primary, backup)
    }
}

fn ordered(a: NodeSlot, b: NodeSlot) -> (NodeSlot, NodeSlot) {
    if a < b { (a, b) } else { (b, a) }
}

/// What is wanted no longer takes no memory.
fn add<K: Eq + Hash>(map: &mut HashMap<K, i64>, key: K, amount: i64) {
    match map.entry(key) {
        Entry::Occupied(mut entry) => {
            *entry.get_mut() += amount;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        Entry::Vacant(entry) => {
            if amount != 0 {
                entry.insert(amount);
            }
        }
    }
}

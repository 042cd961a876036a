//! Choosing the backup node of a pod.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Book, Kind};
use crate::model::Resources;
use crate::placement::NodeSlot;

/// A node that a pod may have its backup on, as far as everything but room is concerned.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The node.
    pub node: NodeSlot,
    /// What its pods may request in all.
    pub allocatable: &'a Resources,
    /// What of that is really free: neither requested by a pod of any scheduler nor reserved already.
    pub free: Resources,
}

/// The backup node that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The node.
    pub node: NodeSlot,
    /// By how much its reserve has to grow; nothing at best.
    pub increment: Resources,
}

/// Chooses the backup of a pod on `primary`: of the candidates that `admits` the node whose reserve has to grow
/// least, and among equal ones the least loaded, then that of the lowest slot. None if none has room for what its
/// reserve would grow by. `admits` is asked of the best first and of no more than it takes.
///
/// Several resources are made comparable by what the candidates have of them together, so that the resource
/// that there is less of is the dearer one. `primary` itself is never chosen. A pod that is in the book already
/// has to be removed before.
pub fn choose(
    book: &Book,
    primary: NodeSlot,
    demand: &Resources,
    candidates: &[Candidate<'_>],
    mut admits: impl FnMut(NodeSlot) -> bool,
) -> Option<Choice> {
    let mut total = Resources::default();
    for candidate in candidates {
        total.add(candidate.allocatable);
    }
    let others = candidates.iter().filter(|candidate| candidate.node != primary);
    let ranked = others.filter_map(|candidate| {
        let increment = book.increment(primary, candidate.node, demand);
        let rank = || Reverse((cost(&increment, &total), candidate.load(), candidate.node));
        candidate.has_room_for(&increment).then(rank)
    });
    let mut ranked: BinaryHeap<_> = ranked.collect();
    loop {
        let Reverse((_, _, node)) = ranked.pop()?;
        if admits(node) {
            return Some(Choice { node, increment: book.increment(primary, node, demand) });
        }
    }
}

/// Whether there is room for an increment. What is not needed does not matter, even where a node is overfull.
pub fn fits(increment: &Resources, free: &Resources) -> bool {
    let mut grown = Kind::all_in(increment);
    grown.all(|kind| kind.of(increment) <= kind.of(free))
}

/// An increment as the sum of its shares of `total`, in billionths.
fn cost(increment: &Resources, total: &Resources) -> i128 {
    Kind::all_in(increment).map(|kind| billionths(kind.of(increment), kind.of(total))).sum()
}

fn billionths(part: i64, whole: i64) -> i128 {
    i128::from(part) * 1_000_000_000 / i128::from(whole.max(1))
}

// === impl Candidate ===

impl Candidate<'_> {
    /// Whether the reserve can grow by an increment.
    pub fn has_room_for(&self, increment: &Resources) -> bool {
        fits(increment, &self.free)
    }

    /// How much of the node's fullest resource is taken, in billionths. CPU and memory alone count, as they do in
    /// scores: of other resources most nodes have none.
    fn load(&self) -> i128 {
        let taken = |kind: Kind| {
            let whole = kind.of(self.allocatable);
            billionths(whole.saturating_sub(kind.of(&self.free)), whole)
        };
        taken(Kind::Cpu).max(taken(Kind::Memory))
    }
}

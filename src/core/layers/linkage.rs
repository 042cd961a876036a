//! Complete linkage: of all clusters the two are joined whose farthest members are nearest to each other.
//!
//! That distance only grows from join to join, so that all joins up to a delay value make its layer, layers are
//! nested, and no two clusters of a layer could be joined within its value. The tree is found by the
//! nearest-neighbour chain (Murtagh 1983; Müllner, arXiv 1109.2378): O(n²), and less where few pairs are known.

use super::delays::{Form, PairDelays};
use crate::model::Delay;

/// Distances between clusters, each of which is named by one of its members.
pub(super) trait Distances {
    /// How many members there are.
    fn len(&self) -> usize;

    /// The nearest of the `live` clusters; none if it has no known distance. Of equal ones `preferred` wins, then
    /// the one with the smallest number.
    fn nearest(&self, from: u32, live: &[u32], preferred: Option<u32>) -> Option<Nearest>;

    /// Joins two clusters under the name of the first. The distance to it is that to its farthest member.
    fn join(&mut self, kept: u32, joined: u32, live: &[u32]);
}

/// The nearest cluster, and how far it is in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nearest {
    pub(super) cluster: u32,
    pub(super) height: u32,
}

/// The tree: all joins in ascending order of height. What is not joined at the end has no known distance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dendrogram {
    n: usize,
    joins: Vec<Join>,
}

/// Two clusters joined, each named by one of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Join {
    kept: u32,
    joined: u32,
    height: u32,
}

// === impl Dendrogram ===

impl Dendrogram {
    /// The tree over the slots of a table. Equal distances are decided by slot.
    pub(super) fn of(delays: PairDelays) -> Self {
        match delays.form {
            Form::Dense(dense) => chain(dense),
            Form::Sparse(sparse) => chain(sparse),
        }
    }

    /// The layers of several delay values, in ascending order of value: for each slot the smallest of its cluster.
    pub(super) fn cut(&self, bounds: &[Delay]) -> Vec<Vec<u32>> {
        let mut roots: Vec<u32> = (0..).take(self.n).collect();
        let mut joins = self.joins.iter().peekable();
        let layer = |bound: &Delay| {
            while let Some(join) = joins.next_if(|join| join.height <= bound.as_micros()) {
                let (a, b) = (root(&mut roots, join.kept), root(&mut roots, join.joined));
                if let Some(entry) = roots.get_mut(a.max(b) as usize) {
                    *entry = a.min(b);
                }
            }
            (0..).take(self.n).map(|slot| root(&mut roots, slot)).collect()
        };
        bounds.iter().map(layer).collect()
    }
}

/// The cluster that a member is in, and shorter ways to it.
fn root(roots: &mut [u32], member: u32) -> u32 {
    let mut at = member;
    while let Some(next) = roots.get(at as usize).copied().filter(|next| *next != at) {
        let after = roots.get(next as usize).copied().unwrap_or(next);
        if let Some(entry) = roots.get_mut(at as usize) {
            *entry = after;
        }
        at = next;
    }
    at
}

/// From any cluster goes on to its nearest until two are each other's nearest, and joins those. A step goes on
/// only to a smaller distance, and a join leaves the rest of the chain true, so there are at most three steps a
/// member.
fn chain(mut distances: impl Distances) -> Dendrogram {
    let n = distances.len();
    let mut live: Vec<u32> = (0..).take(n).collect();
    let mut chain: Vec<u32> = Vec::new();
    let mut joins = Vec::with_capacity(n);
    while let Some(last) = chain.pop().or_else(|| live.first().copied()) {
        let before = chain.last().copied();
        match distances.nearest(last, &live, before) {
            Some(Nearest { cluster, height }) if Some(cluster) == before => {
                chain.pop();
                let (kept, joined) = (cluster.min(last), cluster.max(last));
                distances.join(kept, joined, &live);
                remove(&mut live, joined);
                joins.push(Join { kept, joined, height });
            }
            Some(Nearest { cluster, .. }) => chain.extend([last, cluster]),
            // Nothing will ever be near it.
            None => remove(&mut live, last),
        }
    }
    // Stable, so that of equal heights the parts stay before the whole.
    joins.sort_by_key(|join| join.height);
    Dendrogram { n, joins }
}

fn remove(live: &mut Vec<u32>, cluster: u32) {
    if let Ok(idx) = live.binary_search(&cluster) {
        live.remove(idx);
    }
}

//! Layers: for a delay value, a partition of the nodes in which every pair of a cluster is within it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::delay::file::DelayFiles;
use crate::model::{Delay, NodeName};

/// The layers of some delay values.
///
/// They are cut out of one tree, made by complete linkage: of all clusters the two are joined whose farthest
/// members are nearest to each other. That distance only grows from join to join, so all joins up to a delay
/// value make its layer, and no two clusters of a layer could be joined within it.
#[derive(Debug)]
pub struct Layers {
    idx_by_name: HashMap<NodeName, usize>,
    /// For each delay value the cluster of each node, named by one of its members.
    clusters: BTreeMap<Delay, Vec<usize>>,
}

/// Delays between clusters, in rows; a cluster is named by one of its members.
struct Distances {
    rows: Vec<Vec<Delay>>,
}

/// Two clusters joined, with the delay between their farthest members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Join {
    kept: usize,
    joined: usize,
    height: Delay,
}

// === impl Layers ===

impl Layers {
    /// Makes the layers of `bounds` over the nodes that have a row. A node without one is a cluster of its own.
    pub fn new(delays: &DelayFiles, nodes: &[&NodeName], bounds: impl IntoIterator<Item = Delay>) -> Self {
        let known: Vec<(&NodeName, usize)> =
            nodes.iter().filter_map(|name| Some((*name, delays.metadata.idx(name.as_str())?))).collect();
        let row = |(_, from): &(&NodeName, usize)| {
            let cells = delays.rows.row(*from).unwrap_or(&[]);
            known.iter().map(|(_, to)| cells.get(*to).copied().unwrap_or(Delay::MAX)).collect()
        };
        let joins = Distances { rows: known.iter().map(row).collect() }.join_all();
        let bounds: BTreeSet<Delay> = bounds.into_iter().collect();
        let cut = |bound: Delay| (bound, clusters_within(known.len(), &joins, bound));
        Self {
            clusters: bounds.into_iter().map(cut).collect(),
            idx_by_name: known.iter().enumerate().map(|(idx, (name, _))| ((*name).clone(), idx)).collect(),
        }
    }

    /// Whether two nodes are in one cluster of the layer of `bound`.
    pub fn are_together(&self, a: &NodeName, b: &NodeName, bound: Delay) -> bool {
        a == b || self.cluster(a, bound).is_some_and(|cluster| Some(cluster) == self.cluster(b, bound))
    }

    fn cluster(&self, node: &NodeName, bound: Delay) -> Option<usize> {
        self.clusters.get(&bound)?.get(*self.idx_by_name.get(node)?).copied()
    }
}

/// The clusters that the joins up to `bound` make.
fn clusters_within(n_nodes: usize, joins: &[Join], bound: Delay) -> Vec<usize> {
    let mut clusters: Vec<usize> = (0..n_nodes).collect();
    for Join { kept, joined, height } in joins {
        if *height <= bound {
            let (Some(kept), Some(joined)) = (clusters.get(*kept).copied(), clusters.get(*joined).copied())
            else {
                continue;
            };
            clusters.iter_mut().filter(|cluster| **cluster == joined).for_each(|cluster| *cluster = kept);
        }
    }
    clusters
}

// === impl Distances ===

impl Distances {
    /// Joins clusters until one is left, by the nearest-neighbour chain: from any cluster go on to its nearest
    /// until two are each other's nearest, and join those. Each step of the chain costs one row, and there are
    /// at most three per node, so all takes O(n²). The joins come in no order of height.
    fn join_all(mut self) -> Vec<Join> {
        let mut live: Vec<usize> = (0..self.rows.len()).collect();
        let mut chain: Vec<usize> = Vec::new();
        let mut joins = Vec::new();
        while live.len() > 1 {
            let Some(last) = chain.pop().or_else(|| live.first().copied()) else { break };
            let before = chain.last().copied();
            let Some((nearest, height)) = self.nearest(last, &live, before) else { break };
            if before == Some(nearest) {
                chain.pop();
                self.join(nearest, last, &live);
                live.retain(|cluster| *cluster != last);
                joins.push(Join { kept: nearest, joined: last, height });
            } else {
                chain.extend([last, nearest]);
            }
        }
        joins
    }

    /// The nearest other cluster. Of several `preferred` wins, or the chain would run in a circle.
    fn nearest(&self, from: usize, live: &[usize], preferred: Option<usize>) -> Option<(usize, Delay)> {
        let row = self.rows.get(from)?;
        let others = live.iter().filter(|cluster| **cluster != from);
        let measured = others.filter_map(|cluster| Some((*cluster, *row.get(*cluster)?)));
        measured.min_by_key(|(cluster, delay)| (*delay, Some(*cluster) != preferred))
    }

    /// The delay to a joined cluster is that to its farthest member.
    fn join(&mut self, kept: usize, joined: usize, live: &[usize]) {
        for other in live {
            let farther = self.get(kept, *other).max(self.get(joined, *other));
            self.set(kept, *other, farther);
            self.set(*other, kept, farther);
        }
    }

    fn get(&self, from: usize, to: usize) -> Delay {
        self.rows.get(from).and_then(|row| row.get(to)).copied().unwrap_or(Delay::MAX)
    }

    fn set(&mut self, from: usize, to: usize, delay: Delay) {
        if let Some(cell) = self.rows.get_mut(from).and_then(|row| row.get_mut(to)) {
            *cell = delay;
        }
    }
}

//! In which order pods are moved that wait for one another.

use std::collections::{BTreeMap, BTreeSet};

/// Something that may have to be moved, and what it is measured from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link<W> {
    /// What it is.
    pub workload: W,
    /// Its anchors.
    pub anchors: BTreeSet<W>,
}

/// Orders workloads so that anchors come before those that are measured from them: who follows an anchor that moves
/// is judged by where that has gone. Of several that could come next the lowest does. In a cycle somebody has to be
/// first: the one that waits for the fewest others, and of these the lowest.
///
/// Each workload comes once. Anchors that are not listed themselves don't count.
pub fn in_order<W: Ord + Clone>(links: &[Link<W>]) -> Vec<W> {
    let mut anchors: BTreeMap<&W, BTreeSet<&W>> = BTreeMap::new();
    for link in links {
        anchors.entry(&link.workload).or_default().extend(&link.anchors);
    }
    let listed: BTreeSet<&W> = anchors.keys().copied().collect();
    let mut followers: BTreeMap<&W, Vec<&W>> = BTreeMap::new();
    for (workload, anchors) in &mut anchors {
        anchors.retain(|anchor| anchor != workload && listed.contains(anchor));
        for anchor in anchors.iter() {
            followers.entry(anchor).or_default().push(workload);
        }
    }
    let mut waiting: BTreeSet<(usize, &W)> =
        anchors.iter().map(|(workload, anchors)| (anchors.len(), *workload)).collect();
    let mut order = Vec::new();
    while let Some((_, next)) = waiting.pop_first() {
        order.push(next.clone());
        for follower in followers.get(next).into_iter().flatten().copied() {
            let Some(anchors) = anchors.get_mut(follower) else { continue };
            // One that came before its anchor waits no more.
            if waiting.remove(&(anchors.len(), follower)) {
                anchors.remove(next);
                waiting.insert((anchors.len(), follower));
            }
        }
    }
    order
}

//! Cover for pods that find no backup: others make room for it.
//!
//! What a node can cover of another one is what its own pods leave of its room, whatever it covers of third ones. So
//! a backup fits nowhere for one of two reasons: other pods of the same node are covered where this one could be, and
//! some of them can be covered elsewhere; or there are too many pods where the backup could be, or on the pod's
//! own node, and some of them can be elsewhere. The first costs nobody anything and is tried before.

use super::Problem;
use super::layout::{Layout, Pair};
use super::problem::{Item, NOWHERE};
use crate::random::Random;

/// So many other pods in a row get another backup for one that has none.
const MAX_SHIFTS: usize = 2;
/// So many changes are tried for a pod, each of which looks at all nodes that a pod may be on.
const TRIES: usize = 4_000;
/// The same for all pods together: where there is no room for many, this takes some seconds.
const TRIES_IN_ALL: usize = 20_000;

/// Finds backups for pods that have none, as many as it can. For each of them so many pods at most go elsewhere: the
/// fewest, and the smallest of those. By the seed it begins with any of them, so that each gets its turn at last.
pub(super) fn mend<'a>(problem: &'a Problem, layout: &mut Layout<'a>, moves: usize, seed: u64) {
    let is_uncovered = |pod: &usize| layout.pair(*pod).is_some_and(|(_, backup)| backup == NOWHERE);
    let mut uncovered: Vec<usize> = (0..problem.pods.len()).filter(is_uncovered).collect();
    if uncovered.is_empty() {
        return;
    }
    let first = Random(seed).below(uncovered.len());
    uncovered.rotate_left(first);
    let mut left = TRIES_IN_ALL;
    for pod in uncovered {
        let tries = TRIES.min(left);
        let mut mender = Mender { problem, layout: &mut *layout, journal: Vec::new(), left: tries };
        let _ = mender.cover(pod, MAX_SHIFTS) || (1..=moves).any(|moves| mender.make_room(pod, moves));
        left -= tries - mender.left;
    }
}

/// Who looks for one pod's backup.
struct Mender<'a, 'l> {
    problem: &'a Problem,
    layout: &'l mut Layout<'a>,
    /// Where pods were before they were changed.
    journal: Vec<(usize, Option<Pair>)>,
    left: usize,
}

// === impl Mender ===

impl<'a> Mender<'a, '_> {
    /// Gives a pod a backup, and others of its node another one if need be; so many of them in a row at most. All is as it
    /// was if that can't be.
    fn cover(&mut self, pod: usize, shifts: usize) -> bool {
        let Some((primary, _)) = self.layout.pair(pod) else { return false };
        if let Some(backup) = self.best_backup(pod, primary) {
            self.set(pod, Some((primary, backup)));
            return true;
        }
        if shifts == 0 {
            return false;
        }
        for other in self.layout.on(primary).to_vec() {
            let Some((_, backup)) = self.layout.pair(other) else { continue };
            let may = self.item(pod).is_some_and(|item| self.problem.may_be_on(item, backup));
            if other == pod || !may || !self.try_again() {
                continue;
            }
            let mark = self.journal.len();
            self.set(other, None);
            if self.layout.increment(pod, (primary, backup), false).is_some() {
                self.set(pod, Some((primary, backup)));
                self.set(other, Some((primary, NOWHERE)));
                if self.cover(other, shifts - 1) {
                    return true;
                }
            }
            self.undo(mark);
        }
        false
    }

    /// Has so many pods go elsewhere, one after the other, so that a pod can have a backup. All is as it was if that can't
    /// be.
    fn make_room(&mut self, pod: usize, moves: usize) -> bool {
        for mover in self.movers(pod) {
            if !self.try_again() {
                return false;
            }
            if moves == 1 && !self.would_help(pod, mover) {
                continue;
            }
            for pair in self.ways(mover) {
                if !self.try_again() {
                    return false;
                }
                let mark = self.journal.len();
                self.set(mover, Some(pair));
                let helps = if moves > 1 {
                    mover != pod && self.make_room(pod, moves - 1)
                } else {
                    mover == pod || self.cover(pod, 1)
                };
                if helps {
                    return true;
                }
                self.undo(mark);
            }
        }
        false
    }

    /// Whether a pod could get a backup if another one were nowhere.
    fn would_help(&mut self, pod: usize, mover: usize) -> bool {
        let mark = self.journal.len();
        self.set(mover, None);
        let helps = mover == pod || self.cover(pod, 1);
        self.undo(mark);
        helps
    }

    /// The pods by whose going a pod could get a backup, the smallest first: those on its own node, itself included, and
    /// on the nodes where the backup could be.
    fn movers(&self, pod: usize) -> Vec<usize> {
        let (Some(item), Some((primary, _))) = (self.item(pod), self.layout.pair(pod)) else {
            return Vec::new();
        };
        let nodes = self.problem.allowed(item).iter().copied().filter(|node| *node != primary);
        let on = nodes.chain([primary]).flat_map(|node| self.layout.on(node).iter().copied());
        let mut movers: Vec<usize> =
            on.filter(|other| self.item(*other).is_some_and(|it| it.movable)).collect();
        movers.sort_by_key(|other| self.size(*other));
        movers
    }

    /// Where a pod can go while it is still where it is: for each node the backup by which least has to grow, the
    /// nodes first where that is least.
    fn ways(&self, mover: usize) -> Vec<Pair> {
        let (Some(item), Some((from, _))) = (self.item(mover), self.layout.pair(mover)) else {
            return Vec::new();
        };
        let class = self.problem.allowed(item);
        let best = |to: u32| {
            let backups = class.iter().filter(|backup| **backup != to);
            let grown =
                |backup: &u32| Some((self.layout.increment(mover, (to, *backup), true)?, (to, *backup)));
            backups.filter_map(grown).min()
        };
        let nodes = class.iter().copied().filter(|to| *to != from);
        let mut ways: Vec<(i128, Pair)> = nodes.filter_map(best).collect();
        ways.sort_unstable();
        ways.into_iter().map(|(_, pair)| pair).collect()
    }

    /// The node whose reserve grows least by the pod's backup.
    fn best_backup(&self, pod: usize, primary: u32) -> Option<u32> {
        let nodes = self.problem.allowed(self.item(pod)?).iter().filter(|node| **node != primary);
        let grown = |node: &u32| Some((self.layout.increment(pod, (primary, *node), false)?, *node));
        nodes.filter_map(grown).min().map(|(_, node)| node)
    }

    /// Whether anything more is tried.
    fn try_again(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    fn set(&mut self, pod: usize, to: Option<Pair>) {
        self.journal.push((pod, self.layout.take(pod)));
        if let Some(pair) = to {
            self.layout.put(pod, pair);
        }
    }

    fn undo(&mut self, mark: usize) {
        while self.journal.len() > mark {
            let Some((pod, before)) = self.journal.pop() else { return };
            self.layout.take(pod);
            if let Some(pair) = before {
                self.layout.put(pod, pair);
            }
        }
    }

    fn item(&self, pod: usize) -> Option<&'a Item> {
        self.problem.pods.get(pod)
    }

    /// What a pod demands, all resources alike.
    fn size(&self, pod: usize) -> i128 {
        let Some(item) = self.item(pod) else { return 0 };
        let kinds = item.demand.iter().zip(&self.problem.kinds);
        kinds.map(|(demand, measure)| i128::from(*demand) * i128::from(measure.price)).sum()
    }
}

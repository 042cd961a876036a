//! The search for less reserve: local search over the maxima that reserves are.
//!
//! A reserve is the maximum over nodes that could fail, so moving one backup rarely makes it smaller: every node at the
//! maximum has to shed something. Because nodes don't disturb each other (what one of them sheds fits elsewhere or
//! not whatever the others do), that is tried node by node: give a pod another backup whose reserve has room for
//! it, or exchange it with a pod that has, or move the pod itself. A reserve that could be lowered is lowered
//! further, until none can be. To get away from there, one reserve is raised, its neighbours are lowered as far as that
//! allows, and what came of it is kept unless it is dearer.

use super::Problem;
use super::layout::{Layout, Pair};
use super::problem::Item;
use crate::random::Random;

/// So many neighbours are looked at around a reserve that was raised.
const MAX_NEIGHBOURS: usize = 24;

/// A search under way.
pub(super) struct Search<'a> {
    problem: &'a Problem,
    layout: Layout<'a>,
    /// What each node may reserve, in grains: a list for each resource.
    caps: Vec<Vec<i64>>,
    /// What was changed since the last arrangement that was kept.
    journal: Vec<(usize, Pair)>,
    /// How many pods are elsewhere than at first, and how many may be.
    moved: usize,
    moves: usize,
    dice: Dice,
}

/// What is left to chance, by seed.
struct Dice(Random);

/// What is to be shed: `goal` at most shall be covered of this resource by this pair.
#[derive(Clone, Copy)]
struct Excess {
    kind: usize,
    pair: Pair,
    goal: i64,
}

// === impl Search ===

impl<'a> Search<'a> {
    pub(super) fn new(problem: &'a Problem, moves: usize, seed: u64) -> Self {
        let layout = Layout::present(problem);
        let reserves = |kind| problem.numbers().map(|node| layout.reserve(kind, node)).collect();
        let caps = (0..problem.kinds.len()).map(reserves).collect();
        Self { problem, layout, caps, journal: Vec::new(), moved: 0, moves, dice: Dice(Random(seed)) }
    }

    /// Searches for so many steps.
    pub(super) fn run(mut self, steps: usize) -> Layout<'a> {
        self.descend(self.problem.numbers().collect());
        let neighbours = neighbours(self.problem);
        for _ in 0..steps {
            let node = self.dice.0.below(neighbours.len());
            if let (Some(near), Ok(node)) = (neighbours.get(node), u32::try_from(node)) {
                self.kick(node, near);
            }
        }
        self.layout
    }

    /// Raises the reserve of a node and lowers those near it; undone if that gets dearer.
    fn kick(&mut self, node: u32, near: &[u32]) {
        self.journal.clear();
        let Some(raised) = self.raised(node, near) else { return };
        let (before, caps) = (self.price(), self.caps.clone());
        for (kind, cap) in raised.into_iter().enumerate() {
            self.set_cap(kind, node, cap);
        }
        let reserves = |near: u32| (0..self.problem.kinds.len()).any(|kind| self.cap(kind, near) > 0);
        let mut order: Vec<u32> = near.iter().copied().filter(|it| *it != node && reserves(*it)).collect();
        self.dice.0.shuffle(&mut order);
        order.truncate(MAX_NEIGHBOURS);
        for near in &order {
            while self.lower(*near) {}
        }
        order.push(node);
        self.descend(order);
        if self.price() > before {
            self.undo(0);
            self.caps = caps;
        }
    }

    /// What a node's reserve is raised to: by what a pod demands, or by what a neighbour reserves, so that it could
    /// take its place. None if there is no room for that.
    fn raised(&mut self, node: u32, near: &[u32]) -> Option<Vec<i64>> {
        let by: Vec<i64> = if self.dice.0.below(3) == 0 {
            let near = *near.get(self.dice.0.below(near.len()))?;
            (0..self.problem.kinds.len()).map(|kind| self.cap(kind, near)).collect()
        } else {
            self.problem.pods.get(self.dice.0.below(self.problem.pods.len()))?.demand.clone()
        };
        let kinds = by.into_iter().enumerate().map(|(kind, by)| {
            let raised = self.cap(kind, node) + by;
            let row = u32::try_from(kind).ok()?;
            (raised + self.layout.load(kind, node) <= self.problem.room.get(row, node)).then_some(raised)
        });
        kinds.collect()
    }

    /// Lowers reserves until none of these can be lowered.
    fn descend(&mut self, mut order: Vec<u32>) {
        let mut again = true;
        while again {
            again = false;
            self.dice.0.shuffle(&mut order);
            for node in &order {
                while self.lower(*node) {
                    again = true;
                }
            }
        }
    }

    /// Lowers a node's reserve of any resource by a grain or more, if that can be.
    fn lower(&mut self, node: u32) -> bool {
        let mut lowered = false;
        for kind in 0..self.problem.kinds.len() {
            let top = self.layout.reserve(kind, node);
            self.set_cap(kind, node, top);
            lowered |= top > 0 && self.lower_kind(kind, node, top);
        }
        lowered
    }

    fn lower_kind(&mut self, kind: usize, node: u32, top: i64) -> bool {
        let mark = self.journal.len();
        let goal = top - 1;
        self.set_cap(kind, node, goal);
        for failing in self.problem.numbers() {
            let excess = Excess { kind, pair: (failing, node), goal };
            if !self.shed(excess) {
                self.undo(mark);
                self.set_cap(kind, node, top);
                return false;
            }
        }
        self.set_cap(kind, node, self.layout.reserve(kind, node));
        true
    }

    /// Has a pair cover no more than its goal.
    fn shed(&mut self, excess: Excess) -> bool {
        loop {
            let need = self.layout.share(excess.kind, excess.pair) - excess.goal;
            if need <= 0 {
                return true;
            }
            let pods = self.candidates(excess, need);
            if !(pods.iter().any(|pod| self.give_another_backup(*pod, excess))
                || pods.iter().any(|pod| self.exchange(*pod, excess))
                || pods.iter().any(|pod| self.move_away(*pod, excess)))
            {
                return false;
            }
        }
    }

    /// The pods that a pair covers: first the smallest of those that suffice alone, then the larger ones of the others.
    fn candidates(&mut self, excess: Excess, need: i64) -> Vec<usize> {
        let (failing, backup) = excess.pair;
        let covered = |pod: &usize| self.layout.pair(*pod).is_some_and(|pair| pair.1 == backup);
        let mut pods: Vec<usize> = self.layout.on(failing).iter().copied().filter(covered).collect();
        pods.retain(|pod| self.demand(*pod, excess.kind) > 0);
        self.dice.0.shuffle(&mut pods);
        pods.sort_by_key(|pod| {
            let demand = self.demand(*pod, excess.kind);
            if demand >= need { (0, demand) } else { (1, -demand) }
        });
        pods
    }

    /// Gives a pod the backup whose reserve it fills up best, without any growing.
    fn give_another_backup(&mut self, pod: usize, excess: Excess) -> bool {
        let (failing, backup) = excess.pair;
        let Some(item) = self.item(pod) else { return false };
        let others = self.problem.allowed(item).iter().filter(|node| **node != failing && **node != backup);
        let fitting = others.filter_map(|node| Some((self.slack(item, (failing, *node))?, *node)));
        let Some((_, best)) = self.dice.least(fitting.collect()) else { return false };
        self.change(pod, (failing, best));
        true
    }

    /// Gives a pod the backup of another one of its node, which gets a third, or this one's if it is smaller.
    fn exchange(&mut self, pod: usize, excess: Excess) -> bool {
        let (failing, backup) = excess.pair;
        let Some(item) = self.item(pod) else { return false };
        let mut others = self.layout.on(failing).to_vec();
        self.dice.turn(&mut others);
        for other in others {
            let (Some((_, taken)), Some(leaving)) = (self.layout.pair(other), self.item(other)) else {
                continue;
            };
            let may = taken != backup && taken != failing && self.problem.may_be_on(item, taken);
            if !may || !self.fits_instead(item, leaving, (failing, taken), None) {
                continue;
            }
            let is_smaller = self.demand(other, excess.kind) < self.demand(pod, excess.kind);
            let back = is_smaller
                && self.problem.may_be_on(leaving, backup)
                && self.fits_instead(leaving, item, excess.pair, Some(excess.kind));
            let third = || {
                let mut nodes = self.problem.allowed(leaving).iter().copied();
                nodes.find(|node| {
                    ![failing, backup, taken].contains(node)
                        && self.slack(leaving, (failing, *node)).is_some()
                })
            };
            if let Some(to) = if back { Some(backup) } else { third() } {
                self.change(pod, (failing, taken));
                self.change(other, (failing, to));
                return true;
            }
        }
        false
    }

    /// Moves a pod to another node, with whatever backup it fills up best there.
    fn move_away(&mut self, pod: usize, excess: Excess) -> bool {
        let Some(item) = self.item(pod).filter(|item| item.movable) else { return false };
        let (failing, _) = excess.pair;
        if item.primary == failing && self.moved >= self.moves {
            return false;
        }
        let class = self.problem.allowed(item);
        let mut best: Option<(i128, Pair)> = None;
        for to in class.iter().filter(|node| **node != failing && self.has_room(item, **node)) {
            for backup in class.iter().filter(|node| *node != to) {
                if let Some(slack) = self.slack(item, (*to, *backup))
                    && best.is_none_or(|(least, _)| slack < least)
                {
                    best = Some((slack, (*to, *backup)));
                }
            }
        }
        let Some((_, pair)) = best else { return false };
        self.change(pod, pair);
        true
    }

    /// Whether a node takes a pod besides its own and what it may reserve.
    fn has_room(&self, item: &Item, node: u32) -> bool {
        let mut kinds = (0..).zip(item.demand.iter().enumerate());
        kinds.all(|(row, (kind, demand))| {
            let taken = self.layout.load(kind, node) + self.cap(kind, node);
            *demand == 0 || taken + demand <= self.problem.room.get(row, node)
        })
    }

    /// How much of what may be reserved is left, once the pod is covered by this pair too; none if it does not fit.
    fn slack(&self, item: &Item, pair: Pair) -> Option<i128> {
        let mut slack = 0;
        for ((kind, demand), measure) in item.demand.iter().enumerate().zip(&self.problem.kinds) {
            let left = self.cap(kind, pair.1) - self.layout.share(kind, pair) - demand;
            if left < 0 && *demand > 0 {
                return None;
            }
            slack += i128::from(left) * i128::from(measure.price);
        }
        Some(slack)
    }

    /// Whether a pod fits in the place of another one that a pair covers. Of the resource that is to get less it
    /// need not.
    fn fits_instead(&self, item: &Item, leaving: &Item, pair: Pair, less: Option<usize>) -> bool {
        let mut kinds = item.demand.iter().zip(&leaving.demand).enumerate();
        kinds.all(|(kind, (demand, left))| {
            let share = self.layout.share(kind, pair) + demand - left;
            Some(kind) == less || demand <= left || share <= self.cap(kind, pair.1)
        })
    }

    fn change(&mut self, pod: usize, to: Pair) {
        if let Some(from) = self.set(pod, to) {
            self.journal.push((pod, from));
        }
    }

    fn undo(&mut self, mark: usize) {
        while self.journal.len() > mark {
            if let Some((pod, pair)) = self.journal.pop() {
                self.set(pod, pair);
            }
        }
    }

    fn set(&mut self, pod: usize, to: Pair) -> Option<Pair> {
        let home = self.item(pod)?.primary;
        let from = self.layout.take(pod)?;
        self.layout.put(pod, to);
        self.moved = self.moved + usize::from(to.0 != home) - usize::from(from.0 != home);
        Some(from)
    }

    fn item(&self, pod: usize) -> Option<&'a Item> {
        self.problem.pods.get(pod)
    }

    fn demand(&self, pod: usize, kind: usize) -> i64 {
        self.item(pod).and_then(|item| item.demand.get(kind)).copied().unwrap_or(0)
    }

    fn cap(&self, kind: usize, node: u32) -> i64 {
        self.caps.get(kind).and_then(|caps| caps.get(node as usize)).copied().unwrap_or(0)
    }

    fn set_cap(&mut self, kind: usize, node: u32, cap: i64) {
        if let Some(slot) = self.caps.get_mut(kind).and_then(|caps| caps.get_mut(node as usize)) {
            *slot = cap;
        }
    }

    /// What all that may be reserved counts together.
    fn price(&self) -> i128 {
        let price = |caps: &Vec<i64>| caps.iter().map(|cap| i128::from(*cap)).sum::<i128>();
        let kinds = self.caps.iter().zip(&self.problem.kinds);
        kinds.map(|(caps, measure)| price(caps) * i128::from(measure.price)).sum()
    }
}

/// For each node those that share a set of allowed nodes with it.
fn neighbours(problem: &Problem) -> Vec<Vec<u32>> {
    let mut neighbours = vec![Vec::new(); problem.nodes.len()];
    for class in &problem.classes {
        for node in class {
            if let Some(near) = neighbours.get_mut(*node as usize) {
                near.extend(class);
                near.sort_unstable();
                near.dedup();
            }
        }
    }
    neighbours
}

// === impl Dice ===

impl Dice {
    /// Has a list begin anywhere.
    fn turn<T>(&mut self, list: &mut [T]) {
        let by = self.0.below(list.len());
        if by < list.len() {
            list.rotate_left(by);
        }
    }

    /// The least, any of those that are equal.
    fn least(&mut self, mut list: Vec<(i128, u32)>) -> Option<(i128, u32)> {
        self.turn(&mut list);
        list.into_iter().min_by_key(|(rank, _)| *rank)
    }
}

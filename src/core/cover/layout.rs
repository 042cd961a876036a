//! Who is where and covered where, with all sums kept as pods are put and taken.

use super::Problem;
use super::grid::Grid;
use super::problem::{Item, NOWHERE};

/// A pod's node and its backup's.
pub(super) type Pair = (u32, u32);

/// An arrangement of the pods of a problem.
#[derive(Clone, Debug)]
pub(super) struct Layout<'a> {
    problem: &'a Problem,
    pairs: Vec<Option<Pair>>,
    /// The pods on each node that have a place.
    on: Vec<Vec<usize>>,
    kinds: Vec<Sums>,
}

/// The sums of one resource, in grains.
#[derive(Clone, Debug)]
struct Sums {
    /// A row for each backup node, a column for each node that could fail.
    shares: Grid,
    /// The maximum of each row.
    reserves: Vec<i64>,
    /// What the pods on each node demand.
    loads: Vec<i64>,
}

// === impl Layout ===

impl<'a> Layout<'a> {
    /// No pod has a place.
    pub(super) fn empty(problem: &'a Problem) -> Self {
        let n = problem.nodes.len();
        let sums = Sums { shares: Grid::new(n, n), reserves: vec![0; n], loads: vec![0; n] };
        Self {
            problem,
            pairs: vec![None; problem.pods.len()],
            on: vec![Vec::new(); n],
            kinds: vec![sums; problem.kinds.len()],
        }
    }

    /// As the problem has it.
    pub(super) fn present(problem: &'a Problem) -> Self {
        let mut layout = Self::empty(problem);
        for (pod, item) in problem.pods.iter().enumerate() {
            layout.put(pod, (item.primary, item.backup));
        }
        layout
    }

    pub(super) fn pair(&self, pod: usize) -> Option<Pair> {
        self.pairs.get(pod).copied().flatten()
    }

    /// The pods on a node.
    pub(super) fn on(&self, node: u32) -> &[usize] {
        self.on.get(node as usize).map_or(&[], Vec::as_slice)
    }

    fn item(&self, pod: usize) -> Option<&'a Item> {
        self.problem.pods.get(pod)
    }

    /// Puts a pod that has no place.
    pub(super) fn put(&mut self, pod: usize, pair: Pair) {
        let Some(item) = self.item(pod) else { return };
        if let Some(place) = self.pairs.get_mut(pod) {
            *place = Some(pair);
        }
        if let Some(on) = self.on.get_mut(pair.0 as usize) {
            on.push(pod);
        }
        for (sums, amount) in self.kinds.iter_mut().zip(&item.demand) {
            sums.add(pair, *amount);
        }
    }

    /// Takes a pod from its place.
    pub(super) fn take(&mut self, pod: usize) -> Option<Pair> {
        let item = self.item(pod)?;
        let pair = self.pairs.get_mut(pod)?.take()?;
        if let Some(on) = self.on.get_mut(pair.0 as usize) {
            on.retain(|other| *other != pod);
        }
        for (sums, amount) in self.kinds.iter_mut().zip(&item.demand) {
            sums.subtract(pair, *amount);
        }
        Some(pair)
    }

    /// How much dearer the reserves get if a pod is put there; none if there is no room for it.
    pub(super) fn increment(&self, pod: usize, pair: Pair, moves: bool) -> Option<i128> {
        let item = self.item(pod)?;
        let mut dearer = 0;
        for (row, ((sums, measure), amount)) in
            (0..).zip(self.kinds.iter().zip(&self.problem.kinds).zip(&item.demand))
        {
            let grown = sums.growth(pair, *amount);
            let room = |node| self.problem.room.get(row, node) - sums.taken(node);
            if grown > 0 && grown > room(pair.1) || moves && *amount > 0 && *amount > room(pair.0) {
                return None;
            }
            dearer += i128::from(grown) * i128::from(measure.price);
        }
        Some(dearer)
    }

    /// How many pods have no backup.
    pub(super) fn uncovered(&self) -> usize {
        self.pairs.iter().flatten().filter(|pair| pair.1 == NOWHERE).count()
    }

    /// What all reserves count together.
    pub(super) fn price(&self) -> i128 {
        let price = |sums: &Sums| sums.reserves.iter().map(|it| i128::from(*it)).sum::<i128>();
        let kinds = self.kinds.iter().zip(&self.problem.kinds);
        kinds.map(|(sums, measure)| price(sums) * i128::from(measure.price)).sum()
    }

    /// All reserves of a resource, by its row, in grains.
    pub(super) fn reserved(&self, kind: usize) -> i64 {
        self.kinds.get(kind).map_or(0, |sums| sums.reserves.iter().sum())
    }

    pub(super) fn reserve(&self, kind: usize, node: u32) -> i64 {
        self.kinds.get(kind).map_or(0, |sums| sums.reserve(node))
    }

    pub(super) fn load(&self, kind: usize, node: u32) -> i64 {
        self.kinds.get(kind).and_then(|sums| sums.loads.get(node as usize)).copied().unwrap_or(0)
    }

    /// What a backup node covers of a node, in grains.
    pub(super) fn share(&self, kind: usize, (primary, backup): Pair) -> i64 {
        self.kinds.get(kind).map_or(0, |sums| sums.shares.get(backup, primary))
    }
}

// === impl Sums ===

impl Sums {
    fn add(&mut self, (primary, backup): Pair, amount: i64) {
        self.shares.add(backup, primary, amount);
        let share = self.shares.get(backup, primary);
        if let Some(reserve) = self.reserves.get_mut(backup as usize) {
            *reserve = share.max(*reserve);
        }
        if let Some(load) = self.loads.get_mut(primary as usize) {
            *load += amount;
        }
    }

    fn subtract(&mut self, (primary, backup): Pair, amount: i64) {
        let share = self.shares.get(backup, primary);
        self.shares.add(backup, primary, -amount);
        if let Some(reserve) = self.reserves.get_mut(backup as usize)
            && share == *reserve
        {
            *reserve = self.shares.row(backup).iter().copied().max().unwrap_or(0);
        }
        if let Some(load) = self.loads.get_mut(primary as usize) {
            *load -= amount;
        }
    }

    fn reserve(&self, node: u32) -> i64 {
        self.reserves.get(node as usize).copied().unwrap_or(0)
    }

    /// By how much the reserve grows.
    fn growth(&self, (primary, backup): Pair, amount: i64) -> i64 {
        (self.shares.get(backup, primary) + amount - self.reserve(backup)).max(0)
    }

    /// What is taken on a node by pods and reserve.
    fn taken(&self, node: u32) -> i64 {
        self.reserve(node) + self.loads.get(node as usize).copied().unwrap_or(0)
    }
}

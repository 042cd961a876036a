//! Delays in a cell a pair, for tables that are well filled.

use super::delays::UNKNOWN;
use super::linkage::{Distances, Nearest};

/// Microseconds by pair: all pairs of 0, then those of 1 with later ones, and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dense {
    n: usize,
    cells: Vec<u32>,
}

// === impl Dense ===

impl Dense {
    /// How many cells `n` nodes take.
    pub(super) fn cells_of(n: usize) -> usize {
        n * n.saturating_sub(1) / 2
    }

    pub(super) fn new(n: usize) -> Self {
        Self { n, cells: vec![UNKNOWN; Self::cells_of(n)] }
    }

    /// Where the cell of two different nodes is.
    fn cell(&self, a: usize, b: usize) -> usize {
        let (first, second) = if a < b { (a, b) } else { (b, a) };
        first * (2 * self.n - first - 1) / 2 + second - first - 1
    }

    pub(super) fn get(&self, a: usize, b: usize) -> u32 {
        if a == b || a.max(b) >= self.n {
            return UNKNOWN;
        }
        self.cells.get(self.cell(a, b)).copied().unwrap_or(UNKNOWN)
    }

    pub(super) fn set(&mut self, a: usize, b: usize, micros: u32) {
        if a == b || a.max(b) >= self.n {
            return;
        }
        let cell = self.cell(a, b);
        if let Some(cell) = self.cells.get_mut(cell) {
            *cell = micros;
        }
    }

    pub(super) fn known_pairs(&self) -> usize {
        self.cells.iter().filter(|micros| **micros != UNKNOWN).count()
    }

    pub(super) fn each_known(&self, from: usize, each: &mut dyn FnMut(usize, u32)) {
        for to in 0..self.n {
            let micros = self.get(from, to);
            if micros != UNKNOWN {
                each(to, micros);
            }
        }
    }
}

impl Distances for Dense {
    fn len(&self) -> usize {
        self.n
    }

    fn nearest(&self, from: u32, live: &[u32], preferred: Option<u32>) -> Option<Nearest> {
        let at = from as usize;
        let start = preferred.map_or(UNKNOWN, |it| self.get(at, it as usize));
        let mut best = Nearest { cluster: preferred.unwrap_or(from), height: start };
        let mut look = |cluster: u32, height: u32| {
            if height < best.height {
                best = Nearest { cluster, height };
            }
        };
        let (before, rest) = live.split_at(live.partition_point(|cluster| *cluster < from));
        for cluster in before {
            look(*cluster, self.get(*cluster as usize, at));
        }
        // The cells with later ones stand in a row.
        let row = if at + 1 < self.n { self.cells.get(self.cell(at, at + 1)..).unwrap_or(&[]) } else { &[] };
        for cluster in rest.iter().filter(|cluster| **cluster != from) {
            look(*cluster, row.get((*cluster - from - 1) as usize).copied().unwrap_or(UNKNOWN));
        }
        (best.height != UNKNOWN).then_some(best)
    }

    fn join(&mut self, kept: u32, joined: u32, live: &[u32]) {
        let (kept, joined) = (kept as usize, joined as usize);
        for other in live.iter().map(|other| *other as usize).filter(|it| *it != kept && *it != joined) {
            let farther = self.get(kept, other).max(self.get(joined, other));
            self.set(kept, other, farther);
        }
    }
}

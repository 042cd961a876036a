//! Delays in a list a node, for tables in which most pairs are unknown.
//!
//! Complete linkage keeps such a table sparse: a joined cluster has a distance only to clusters to which both its
//! parts had one.

use super::delays::UNKNOWN;
use super::linkage::{Distances, Nearest};

/// By node the others it has a delay with, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sparse {
    rows: Vec<Row>,
}

/// What one node has delays with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    cells: Vec<Cell>,
    /// How many of the cells are unknown: they are taken out when they are half of all.
    unknown: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    to: u32,
    micros: u32,
}

// === impl Row ===

impl Row {
    fn find(&self, to: u32) -> Result<usize, usize> {
        self.cells.binary_search_by_key(&to, |cell| cell.to)
    }

    fn get(&self, to: u32) -> u32 {
        self.find(to).ok().and_then(|idx| self.cells.get(idx)).map_or(UNKNOWN, |cell| cell.micros)
    }

    fn set(&mut self, to: u32, micros: u32) {
        match self.find(to) {
            Ok(idx) => {
                if let Some(cell) = self.cells.get_mut(idx) {
                    let (was, is) = (cell.micros == UNKNOWN, micros == UNKNOWN);
                    cell.micros = micros;
                    self.unknown = self.unknown + usize::from(is) - usize::from(was);
                }
                if self.unknown * 2 > self.cells.len() {
                    self.cells.retain(|cell| cell.micros != UNKNOWN);
                    self.unknown = 0;
                }
            }
            Err(idx) if micros != UNKNOWN => self.cells.insert(idx, Cell { to, micros }),
            Err(_) => (),
        }
    }

    fn known(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.micros != UNKNOWN)
    }
}

// === impl Sparse ===

impl Sparse {
    pub(super) fn new(n: usize) -> Self {
        Self { rows: vec![Row::default(); n] }
    }

    pub(super) fn get(&self, a: usize, b: usize) -> u32 {
        let to = u32::try_from(b).unwrap_or(UNKNOWN);
        self.rows.get(a).map_or(UNKNOWN, |row| row.get(to))
    }

    pub(super) fn set(&mut self, a: usize, b: usize, micros: u32) {
        if a == b || a.max(b) >= self.rows.len() {
            return;
        }
        for (from, to) in [(a, b), (b, a)] {
            if let (Some(row), Ok(to)) = (self.rows.get_mut(from), u32::try_from(to)) {
                row.set(to, micros);
            }
        }
    }

    pub(super) fn known_pairs(&self) -> usize {
        self.rows.iter().map(|row| row.cells.len() - row.unknown).sum::<usize>() / 2
    }

    pub(super) fn each_known(&self, from: usize, each: &mut dyn FnMut(usize, u32)) {
        let known = self.rows.get(from).into_iter().flat_map(Row::known);
        known.for_each(|cell| each(cell.to as usize, cell.micros));
    }
}

impl Distances for Sparse {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn nearest(&self, from: u32, _: &[u32], preferred: Option<u32>) -> Option<Nearest> {
        let known = self.rows.get(from as usize)?.known();
        let nearest = known.min_by_key(|cell| (cell.micros, Some(cell.to) != preferred, cell.to))?;
        Some(Nearest { cluster: nearest.to, height: nearest.micros })
    }

    fn join(&mut self, kept: u32, joined: u32, _: &[u32]) {
        let take =
            |rows: &mut Vec<Row>, at: u32| rows.get_mut(at as usize).map(std::mem::take).unwrap_or_default();
        let (own, others) = (take(&mut self.rows, kept), take(&mut self.rows, joined));
        let mut both = Row::default();
        for Cell { to, micros } in own.known().filter(|cell| cell.to != joined) {
            let farther = others.get(*to).max(*micros);
            if farther != UNKNOWN {
                both.cells.push(Cell { to: *to, micros: farther });
            }
            if let Some(row) = self.rows.get_mut(*to as usize) {
                row.set(kept, farther);
            }
        }
        for Cell { to, .. } in others.known() {
            if let Some(row) = self.rows.get_mut(*to as usize) {
                row.set(joined, UNKNOWN);
            }
        }
        if let Some(row) = self.rows.get_mut(kept as usize) {
            *row = both;
        }
    }
}

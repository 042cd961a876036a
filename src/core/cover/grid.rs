//! A table of amounts with a row and a column for each node.

/// Amounts by two nodes. What is outside the table is 0 and can't be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grid {
    width: usize,
    cells: Vec<i64>,
}

// === impl Grid ===

impl Grid {
    pub(super) fn new(height: usize, width: usize) -> Self {
        Self { width, cells: vec![0; height * width] }
    }

    pub(super) fn get(&self, row: u32, column: u32) -> i64 {
        self.cells.get(row as usize * self.width + column as usize).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, row: u32, column: u32, amount: i64) {
        if let Some(cell) = self.cells.get_mut(row as usize * self.width + column as usize) {
            *cell += amount;
        }
    }

    pub(super) fn set(&mut self, row: u32, column: u32, amount: i64) {
        if let Some(cell) = self.cells.get_mut(row as usize * self.width + column as usize) {
            *cell = amount;
        }
    }

    pub(super) fn row(&self, row: u32) -> &[i64] {
        let start = row as usize * self.width;
        self.cells.get(start..start + self.width).unwrap_or(&[])
    }
}

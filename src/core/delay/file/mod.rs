//! The file formats of the BME edge scheduler, as pure parsers: the caller opens the files.
//!
//! | file | content |
//! |---|---|
//! | delay matrix | round-trip times in ms, separated by white space, one row a line, square |
//! | metadata | JSON object: node name → index of its row |
//! | nodes | JSON list of `{"name", "allocatable_memory": "8Gi", "cloud": bool}`, or one such object a file |
//! | pods | YAML manifests of Deployments and other workloads |
//!
//! A file is taken whole or not at all: the first mistake ends the reading with a [`FileError`] that names
//! line and column where there is one, so that the last good matrix can stay in force.

mod error;
mod matrix;
mod metadata;
mod nodes;
mod pods;
mod workload;

use std::io::BufRead;

pub use error::{FileError, InputFile, Position, Problem};
pub use matrix::MatrixRows;
pub use metadata::Metadata;
pub use nodes::{UNLIMITED_CPU, UNLIMITED_PODS, UNLIMITED_STORAGE, merge_nodes, parse_nodes};
pub use pods::{Manifests, make_pods, parse_pods};
pub use workload::{Copies, ManifestWorkload};

use super::DelayRow;
use crate::model::NodeName;

/// A matrix and its metadata, which match.
#[derive(Debug)]
pub struct DelayFiles {
    /// Whose rows they are.
    pub metadata: Metadata,
    /// The rows in use.
    pub rows: MatrixRows,
}

/// Reads the delays from each of the `wanted` nodes out of a matrix and its metadata: the larger of both
/// directions, to every other node that has a row.
///
/// The whole matrix is checked, but only the wanted rows are kept. A wanted node without a row gets an
/// empty [`DelayRow`]: it was asked for, and nothing is known.
pub fn read_rows(
    matrix: impl BufRead,
    metadata: &str,
    wanted: &[NodeName],
) -> Result<Vec<DelayRow>, FileError> {
    let files = DelayFiles::read(matrix, Metadata::parse(metadata)?, wanted)?;
    Ok(wanted.iter().map(|name| files.row(name)).collect())
}

// === impl DelayFiles ===

impl DelayFiles {
    /// Reads the rows of the `wanted` nodes.
    pub fn read(matrix: impl BufRead, metadata: Metadata, wanted: &[NodeName]) -> Result<Self, FileError> {
        let idxs: Vec<usize> = wanted.iter().filter_map(|name| metadata.idx(name.as_str())).collect();
        let rows = MatrixRows::read(matrix, &idxs)?;
        metadata.check(rows.size())?;
        Ok(Self { metadata, rows })
    }

    /// The delays from one of the wanted nodes; none if it has no row.
    pub fn row(&self, from: &NodeName) -> DelayRow {
        let cells = self.metadata.idx(from.as_str()).and_then(|idx| self.rows.row(idx)).unwrap_or(&[]);
        let others = self.metadata.iter().filter(|(name, _)| *name != from);
        let to = others.filter_map(|(name, idx)| Some((name.clone(), *cells.get(idx)?))).collect();
        DelayRow { from: from.clone(), to }
    }
}

#[cfg(test)]
mod tests;

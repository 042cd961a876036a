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

use std::io::BufRead;

pub use error::{FileError, InputFile, Position, Problem};
pub use matrix::MatrixRows;
pub use metadata::Metadata;
pub use nodes::{UNLIMITED_CPU, UNLIMITED_PODS, UNLIMITED_STORAGE, merge_nodes, parse_nodes};

use super::DelayRow;
use crate::model::NodeName;

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
    let metadata = Metadata::parse(metadata)?;
    let idxs: Vec<usize> = wanted.iter().filter_map(|name| metadata.idx(name.as_str())).collect();
    let rows = MatrixRows::read(matrix, &idxs)?;
    metadata.check(rows.size())?;
    Ok(wanted.iter().map(|name| delay_row(name, &metadata, &rows)).collect())
}

fn delay_row(from: &NodeName, metadata: &Metadata, rows: &MatrixRows) -> DelayRow {
    let row = metadata.idx(from.as_str()).and_then(|idx| rows.row(idx)).unwrap_or(&[]);
    let others = metadata.iter().filter(|(name, _)| *name != from);
    let to = others.filter_map(|(name, idx)| Some((name.clone(), *row.get(idx)?))).collect();
    DelayRow { from: from.clone(), to }
}

#[cfg(test)]
mod tests;

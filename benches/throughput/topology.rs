//! Nodes in a plane and the delays between them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use edge_core::random::Random;
use serde_json::{Map, Value};
use tempfile::TempDir;

/// Nodes as points in a square of 100 ms by 100 ms whose opposite sides touch, so that no node is at an edge and
/// all radii hold about the same number of nodes.
///
/// A pair's delay is a base, its distance, and a little that differs by direction; kept in tenths of a millisecond,
/// which is how the matrix file has it. The same for the same number of nodes, on every machine.
#[derive(Debug)]
pub(crate) struct Topology {
    /// Coordinates in ms.
    points: Vec<(f64, f64)>,
}

/// The delay matrix and its metadata as files; removed with the value.
#[derive(Debug)]
pub(crate) struct DelayFiles {
    folder: TempDir,
}

/// The bound of every delay constraint. A radius of 14 ms around an anchor is 6 % of the square: about 300 nodes
/// of 5,000, and 60 of 1,000.
pub(crate) const BOUND_MS: u32 = 15;

/// How many nodes serve as anchors.
pub(crate) const ANCHORS: usize = 50;

const SIDE: f64 = 100.0;
const BASE: f64 = 1.0;
/// The most that one direction is slower than the other.
const ASYMMETRY: f64 = 0.2;

// === impl Topology ===

impl Topology {
    /// So many nodes.
    pub(crate) fn new(nodes: usize) -> Self {
        let coordinate = |seed: usize| SIDE * Random(seed as u64).unit();
        Self { points: (0..nodes).map(|idx| (coordinate(2 * idx), coordinate(2 * idx + 1))).collect() }
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// The name of the node at `idx`.
    #[expect(clippy::unused_self, reason = "a name belongs to its topology")]
    pub(crate) fn name(&self, idx: usize) -> String {
        format!("node-{idx:05}")
    }

    /// The node that pod number `pod` has to be near.
    pub(crate) fn anchor(&self, pod: usize) -> usize {
        let anchors = ANCHORS.min(self.len()).max(1);
        pod % anchors * self.len() / anchors
    }

    /// Whether both directions are within [`BOUND_MS`].
    pub(crate) fn within_bound(&self, from: usize, to: usize) -> bool {
        self.tenths(from, to).max(self.tenths(to, from)) <= BOUND_MS * 10
    }

    /// The delay from one node to another in tenths of a millisecond.
    fn tenths(&self, from: usize, to: usize) -> u32 {
        let (Some(a), Some(b)) = (self.points.get(from), self.points.get(to)) else { return u32::MAX };
        if from == to {
            return 0;
        }
        let distance = around(a.0 - b.0).hypot(around(a.1 - b.1));
        let millis = BASE + distance + ASYMMETRY * Random(((from as u64) << 32) | to as u64).unit();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        let tenths = (millis * 10.0).round() as u32;
        tenths
    }

    /// Writes the files that edge-scheduler reads.
    pub(crate) fn write(&self) -> anyhow::Result<DelayFiles> {
        let files = DelayFiles { folder: tempfile::tempdir()? };
        let names: Map<String, Value> = (0..self.len()).map(|idx| (self.name(idx), idx.into())).collect();
        std::fs::write(files.metadata(), Value::Object(names).to_string())?;
        self.write_matrix(&files.matrix()).context("writing the delay matrix")?;
        Ok(files)
    }

    fn write_matrix(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        for from in 0..self.len() {
            for to in 0..self.len() {
                let tenths = self.tenths(from, to);
                let end = if to + 1 == self.len() { '\n' } else { ' ' };
                write!(file, "{}.{}{end}", tenths / 10, tenths % 10)?;
            }
        }
        file.flush()
    }
}

// === impl DelayFiles ===

impl DelayFiles {
    /// The delay matrix.
    pub(crate) fn matrix(&self) -> PathBuf {
        self.folder.path().join("delays.txt")
    }

    /// Which row is whose.
    pub(crate) fn metadata(&self) -> PathBuf {
        self.folder.path().join("metadata.json")
    }
}

/// The shorter way around.
fn around(difference: f64) -> f64 {
    let direct = difference.abs();
    direct.min(SIDE - direct)
}

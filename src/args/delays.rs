//! Flags of the sources of delays.

use std::path::PathBuf;

use clap::Args;

use crate::delays::{FileSource, Source};

/// Where delays come from.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Delay flags")]
pub struct DelayArgs {
    /// File with the delays between nodes in ms: a square of numbers, one row a line.
    #[arg(long, value_name = "FILE", requires = "metadata")]
    pub delay_matrix: Option<PathBuf>,
    /// File that names the rows of the delay matrix: a JSON object from node name to index.
    #[arg(long, value_name = "FILE", requires = "delay_matrix")]
    pub metadata: Option<PathBuf>,
}

// === impl DelayArgs ===

impl DelayArgs {
    /// The source that the flags ask for.
    pub fn source(self) -> Source {
        let Self { delay_matrix, metadata } = self;
        match (delay_matrix, metadata) {
            (Some(matrix), Some(metadata)) => Source::File(FileSource { matrix, metadata }),
            (None, _) | (_, None) => Source::None,
        }
    }
}

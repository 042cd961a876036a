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
    /// The source that the flags ask for, if they do.
    pub fn source(self) -> Option<Source> {
        let Self { delay_matrix, metadata } = self;
        Some(Source::File(FileSource { matrix: delay_matrix?, metadata: metadata? }))
    }
}

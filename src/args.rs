//! The command line of `edge-scheduler`.

mod duration;
mod leader_election;

use std::path::PathBuf;

use clap::{Args, Parser};

pub use leader_election::LeaderElectionArgs;

use crate::delays::{FileSource, Source};

/// A compact, delay-aware Kubernetes scheduler for edge clusters.
///
/// Binds pods within the delays that their `delay_<anchor>: "<ms>"` labels ask for. Pods choose it by
/// `schedulerName: edge-scheduler`, or `custom-scheduler` for the rules of the BME edge scheduler.
#[derive(Clone, Debug, Parser)]
#[command(name = "edge-scheduler", version)]
pub struct Cli {
    /// Path to a kubeconfig file. Without it, the service account of the pod or the user's kubeconfig.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The address of the Kubernetes API server (overrides any value in kubeconfig).
    #[arg(long, value_name = "URL")]
    pub master: Option<String>,
    /// Where delays come from.
    #[command(flatten)]
    pub delays: DelayArgs,
    /// How many bindings may be on their way to the API server at once.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel_bindings: u16,
    /// How the replica that binds is found.
    #[command(flatten)]
    pub leader_election: LeaderElectionArgs,
    /// How the log is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub logging_format: LogFormat,
    /// How much is logged: 0 is what an operator needs, 2 every decision, 4 everything.
    #[arg(short, long, value_name = "LEVEL", default_value_t = 0)]
    pub v: u8,
}

/// Flags of the delay sources.
#[derive(Args, Clone, Debug)]
pub struct DelayArgs {
    /// File with the delays between nodes in ms: a square of numbers, one row a line.
    #[arg(long, value_name = "FILE", requires = "metadata")]
    pub delay_matrix: Option<PathBuf>,
    /// File that names the rows of the delay matrix: a JSON object from node name to index.
    #[arg(long, value_name = "FILE", requires = "delay_matrix")]
    pub metadata: Option<PathBuf>,
}

/// Forms of the log, as kube-scheduler has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON objects, one a line.
    Json,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}

//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::contender::Contender;
use crate::workload::Workload;

/// Compares how quickly schedulers bind a backlog of pods, on this machine, against a real API server.
#[derive(Debug, Parser)]
#[command(name = "throughput")]
pub(crate) struct Cli {
    /// What the bench starts itself again for.
    #[command(subcommand)]
    pub(crate) binder: Option<Hidden>,
    /// What to compare.
    #[command(flatten)]
    pub(crate) plan: Plan,
}

/// What to compare.
#[derive(Args, Debug)]
pub(crate) struct Plan {
    /// How many nodes there are; each number makes tables of its own.
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 5000])]
    pub(crate) nodes: Vec<usize>,
    /// How many pods wait when a scheduler starts; at 5,000 a run takes ten seconds and more.
    #[arg(long, default_value_t = 5000)]
    pub(crate) pods: usize,
    /// How often each scheduler runs, in turn with the others.
    #[arg(long, default_value_t = 6)]
    pub(crate) rounds: usize,
    /// What the pods ask for.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Workload::ALL)]
    pub(crate) workloads: Vec<Workload>,
    /// Who takes part, in this order; every second round goes backwards.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Contender::ALL)]
    pub(crate) schedulers: Vec<Contender>,
    /// How many bindings the plain binder and edge-scheduler may have in flight.
    #[arg(long, default_value_t = 64)]
    pub(crate) in_flight: usize,
    /// Also writes the report to this file, as Markdown.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Commands for the bench's own use.
#[derive(Debug, Subcommand)]
pub(crate) enum Hidden {
    /// The plain binder, in a process of its own.
    #[command(hide = true)]
    PlainBinder(PlainBinder),
}

/// What the plain binder has to know.
#[derive(Args, Debug)]
pub(crate) struct PlainBinder {
    /// How to reach the API server.
    #[arg(long)]
    pub(crate) kubeconfig: PathBuf,
    /// How many bindings may be in flight.
    #[arg(long)]
    pub(crate) in_flight: usize,
}

// === impl Plan ===

impl Plan {
    /// Who runs in this round, in order: every second round goes backwards, so that in an even number of rounds the first
    /// and the last have come equally often after each other one. What one leaves behind for the servers to clear away slows
    /// down the next.
    pub(crate) fn turn(&self, round: usize) -> Vec<Contender> {
        let mut order = self.schedulers.clone();
        if round.is_multiple_of(2) {
            order.reverse();
        }
        order
    }
}

//! `kubectl edge delay`: the delay constraints of workloads.

mod edit;
mod fit;
mod get;
mod lint;
mod offline;
mod set;
mod text;
mod words;
mod workload;

pub(crate) use fit::pod_of;
pub(crate) use words::Target;
pub(crate) use workload::Workload;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;

use crate::commands::label::DryRun;
use crate::completing::workloads;
use crate::failure::Failure;
use crate::session::Session;
use crate::view::Output;

/// Show and change the delay constraints of workloads
#[derive(Debug, Args)]
pub(crate) struct Delay {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Get(Get),
    Set(Set),
    Unset(Unset),
    Lint(Lint),
}

/// Show the delay constraints of workloads
#[derive(Debug, Args)]
pub(super) struct Get {
    /// One workload; all that have a constraint if there is none
    #[arg(value_name = "KIND/NAME", add = ArgValueCompleter::new(workloads))]
    target: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Workloads whose labels this selector matches
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
}

/// Bind a workload's pods to be within a delay of a node or another workload
///
/// Deployments and StatefulSets are changed in place, which restarts their pods; a CronJob's next run
/// and a ReplicaSet's next pods follow it. A Job or a bare pod can't be changed: the edited manifest is
/// printed. FROM is a node or a workload, WORKLOAD.NAMESPACE for one elsewhere, or KIND/WORKLOAD.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = SET_EXAMPLES)]
pub(super) struct Set {
    /// The workload and its constraints: values as 25, 25ms or 2.5ms
    #[arg(value_name = "KIND/NAME FROM=DELAY", required = true, add = ArgValueCompleter::new(workloads))]
    words: Vec<String>,
    #[command(flatten)]
    how: How,
    /// The scheduler of the pods, where they have none of ours
    #[arg(long, value_name = "NAME")]
    scheduler: Option<String>,
}

/// Take delay constraints from a workload
#[derive(Debug, Args)]
#[command(after_long_help = UNSET_EXAMPLES)]
pub(super) struct Unset {
    /// The workload and the anchors of the constraints
    #[arg(value_name = "KIND/NAME FROM", required = true, add = ArgValueCompleter::new(workloads))]
    words: Vec<String>,
    /// All constraints
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    how: How,
}

/// How a change is made.
#[derive(Debug, Args)]
pub(super) struct How {
    /// Change manifests in a file, comments and order kept; - reads standard input and prints
    #[arg(short, long, value_name = "FILE")]
    filename: Option<PathBuf>,
    /// Change a DaemonSet all the same: a node outside the delay is left without its pod
    #[arg(long)]
    force: bool,
    /// Go on without a question
    #[arg(short, long)]
    yes: bool,
    /// Only say what would be done; "server" has the server check it
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    dry_run: DryRun,
}

/// Look for mistakes in delay constraints
///
/// Exits with 3 if there are any. Without a name all workloads of the namespace are looked at.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Lint {
    /// One workload
    #[arg(value_name = "KIND/NAME", conflicts_with = "filename")]
    target: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Manifests in a file or folder; no cluster is asked
    #[arg(short, long, value_name = "PATH")]
    filename: Option<PathBuf>,
}

const SET_EXAMPLES: &str = "\
Examples:
  kubectl edge delay set deploy/video edge-1=25ms
  kubectl edge delay set sts/db edge-1=10 web.shop=2.5ms -n data --yes
  kubectl edge delay set -f video.yaml edge-1=25";

const UNSET_EXAMPLES: &str = "\
Examples:
  kubectl edge delay unset deploy/video edge-1
  kubectl edge delay unset deploy/video --all";

// === impl Delay ===

impl Delay {
    pub(super) fn run(&self, session: &Session) -> Result<Output, Failure> {
        match &self.verb {
            Verb::Get(get) => session.online(get.run(session)),
            Verb::Set(set) => set.run(session),
            Verb::Unset(unset) => unset.run(session),
            Verb::Lint(lint) => lint.run(session),
        }
    }
}

//! `kubectl edge latency`: what was measured between nodes.

mod bounds;
mod cells;
mod groups;
mod html;
mod matrix;
mod nodes;
mod pairs;
mod probe;
mod scene;
mod summary;
mod top;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::args::Format;
use crate::completing::nodes as node_names;
use crate::failure::Failure;
use crate::session::Session;
use crate::view::{Output, to_stdout};
use crate::world::Statistic;
use scene::Scene;

/// Show the delays between nodes
///
/// Without a name: the whole table up to 12 nodes, above that one row a node. With one, what that node
/// measures; with two, both directions between them. ~ is stale, - not measured, ✕ not answered.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, after_long_help = EXAMPLES)]
pub(crate) struct Latency {
    #[command(subcommand)]
    view: Option<Subview>,
    /// From this node
    #[arg(value_name = "FROM", add = ArgValueCompleter::new(node_names))]
    from: Option<String>,
    /// To this node
    #[arg(value_name = "TO", add = ArgValueCompleter::new(node_names))]
    to: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Subcommand)]
enum Subview {
    Matrix(Matrix),
    Top(Top),
    Probe(Probe),
    Export(Export),
}

/// What every view has.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct How {
    /// What is told of the samples [default: what constraints are judged by]
    #[arg(long, value_enum, value_name = "WHICH")]
    statistic: Option<Statistic>,
    /// Show it again when it changes
    #[arg(short, long)]
    watch: bool,
}

/// Show who is how far from whom, as a heat map
#[derive(Debug, Args)]
pub(super) struct Matrix {
    /// What a row is: a node, a site (its zone), or a cluster of the layer of a delay
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    by: By,
    /// The layer's delay in ms, for --by layer
    #[arg(long, value_name = "MS", default_value = "10")]
    layer: String,
    #[command(flatten)]
    how: How,
}

/// What a row of a matrix is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum By {
    #[default]
    Node,
    Site,
    Layer,
}

/// Show the worst and the asymmetric pairs, and bounds of pods at risk or broken
///
/// Exits with 3 if a bound is broken.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Top {
    /// How many of each
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    limit: usize,
    #[command(flatten)]
    how: How,
}

/// Measure now, from one node to another
#[derive(Debug, Args)]
pub(super) struct Probe {
    /// From this node
    #[arg(value_name = "FROM", add = ArgValueCompleter::new(node_names))]
    from: String,
    /// To this node
    #[arg(value_name = "TO", add = ArgValueCompleter::new(node_names))]
    to: String,
    /// How many probes
    #[arg(long, default_value_t = 10, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// How long to wait for the result
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = crate::args::timeout)]
    timeout: Duration,
}

/// Write what is known into one file for a browser
#[derive(Debug, Args)]
pub(super) struct Export {
    /// As one HTML file that needs nothing else
    #[arg(long, required = true)]
    html: bool,
    /// Where to; standard output if it is not given
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  kubectl edge latency
  kubectl edge latency edge-17
  kubectl edge latency matrix --by site
  kubectl edge latency export --html > latency.html";

/// How often a watched view looks for changes.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Clears the screen and goes to its beginning.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[3J";

// === impl Latency ===

impl Latency {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        if let Some(Subview::Probe(probe)) = &self.view {
            return probe.run(session).await;
        }
        let how = match &self.view {
            Some(Subview::Matrix(matrix)) => &matrix.how,
            Some(Subview::Top(top)) => &top.how,
            Some(Subview::Probe(_) | Subview::Export(_)) | None => &self.how,
        };
        let cluster = session.connect().await?;
        let mut shown = String::new();
        loop {
            let needs_pods = matches!(&self.view, Some(Subview::Top(_) | Subview::Export(_)));
            let mut scene = Scene::read(&cluster, how.statistic, needs_pods).await?;
            if matches!(&self.view, Some(Subview::Matrix(Matrix { by: By::Layer, .. }))) {
                scene = scene.with_layers(&cluster).await;
            }
            let output = self.show(&scene, session.options.output)?;
            if !how.watch {
                return Ok(output);
            }
            let text = session.view.render(&output)?;
            if text != shown {
                let is_terminal = session.view.look().is_terminal();
                to_stdout(&if is_terminal { format!("{CLEAR}{text}") } else { format!("{text}\n") })?;
                shown = text;
            }
            session.talk.done();
            tokio::time::sleep(WATCH_EVERY).await;
        }
    }

    fn show(&self, scene: &Scene, format: Format) -> Result<Output, Failure> {
        match (&self.view, &self.from, &self.to) {
            (Some(Subview::Matrix(matrix)), ..) => matrix.show(scene, format),
            (Some(Subview::Top(top)), ..) => Ok(top.show(scene)),
            (Some(Subview::Export(export)), ..) => export.show(scene),
            (Some(Subview::Probe(_)), ..) => Ok(Output::nothing()),
            (None, Some(from), to) => pairs::show(scene, from, to.as_deref()),
            (None, None, _) => Ok(summary::show(scene)),
        }
    }
}

//! Flags of the metrics (upstream: `component-base/metrics/options.go`).

use std::path::PathBuf;

use clap::Args;

/// Which metrics are shown.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics flags")]
pub struct MetricsArgs {
    /// Show metrics that were hidden since this version, such as 1.35. Nothing is hidden so far.
    #[arg(long, value_name = "VERSION")]
    pub show_hidden_metrics_for_version: Option<String>,
    /// Metrics that are not to be kept, by their full names.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub disabled_metrics: Vec<String>,
    /// The values that a label may have, others becoming "unexpected". May be given several times.
    #[arg(long, value_name = "METRIC,LABEL=VALUES")]
    pub allow_metric_labels: Vec<String>,
    /// A file that says the same; the flag goes before it.
    #[arg(long, value_name = "FILE")]
    pub allow_metric_labels_manifest: Option<PathBuf>,
}

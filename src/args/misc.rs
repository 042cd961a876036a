//! Flags that belong to no group (upstream: `cmd/kube-scheduler/app/options/options.go`).

use std::path::PathBuf;

use clap::Args;

/// Where the configuration comes from and goes to.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Misc flags")]
pub struct MiscArgs {
    /// The configuration file: a KubeSchedulerConfiguration. Without it the profiles edge-scheduler,
    /// custom-scheduler and contrail-scheduler are served.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write the configuration, complete with defaults, to this file and exit.
    #[arg(long, value_name = "FILE")]
    pub write_config_to: Option<PathBuf>,
    /// The address of the Kubernetes API server (overrides any value in kubeconfig).
    #[arg(long, value_name = "URL")]
    pub master: Option<String>,
    /// How many bindings may be on their way to the API server at once.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel_bindings: u16,
    /// Print the version and exit; `raw` prints all that is known of the build.
    #[arg(long, value_name = "true|raw", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub version: Option<VersionForm>,
}

/// How the version is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum VersionForm {
    /// Name and version.
    True,
    /// Not at all.
    False,
    /// All that is known of the build.
    Raw,
}

// === impl VersionForm ===

impl VersionForm {
    /// The text to print, if any.
    pub fn text(self) -> Option<String> {
        let version = env!("CARGO_PKG_VERSION");
        match self {
            Self::True => Some(format!("edge-scheduler v{version}")),
            Self::False => None,
            Self::Raw => Some(format!(
                "version.Info{{GitVersion:\"v{version}\", Platform:\"{}/{}\"}}",
                std::env::consts::OS,
                std::env::consts::ARCH,
            )),
        }
    }
}

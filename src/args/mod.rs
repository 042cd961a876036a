//! The command line of `edge-scheduler`: kube-scheduler's flags, one file a group, and ours.

mod authentication;
mod authorization;
mod bool;
mod delays;
mod deprecated;
mod feature_gates;
mod leader_election;
mod logs;
mod metrics;
mod misc;
mod probe;
mod serving;

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory, Parser, Subcommand};

pub use authentication::AuthenticationArgs;
pub use authorization::AuthorizationArgs;
pub use delays::DelayArgs;
pub use deprecated::DeprecatedArgs;
pub use feature_gates::{FeatureGateArgs, Gate};
pub use leader_election::LeaderElectionArgs;
pub use logs::{LogArgs, LogFormat};
pub use metrics::MetricsArgs;
pub use misc::{MiscArgs, VersionForm};
pub use probe::{AloneArgs, ProbeArgs, TransportArg};
pub use serving::ServingArgs;

/// A compact, delay-aware Kubernetes scheduler for edge clusters.
///
/// Binds pods within the delays that their `delay_<anchor>: "<ms>"` labels ask for. Pods choose it by
/// `schedulerName: edge-scheduler`, or `custom-scheduler` for the rules of the BME edge scheduler, or
/// `contrail-scheduler` for those of the Contrail CN2 scheduler. Flags are those of kube-scheduler.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "edge-scheduler",
    disable_version_flag = true,
    args_override_self = true,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to be instead of the scheduler.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What belongs to no group.
    #[command(flatten)]
    pub misc: MiscArgs,
    /// Where delays come from.
    #[command(flatten)]
    pub delays: DelayArgs,
    /// Where and how HTTPS is served.
    #[command(flatten)]
    pub serving: ServingArgs,
    /// Who requests are from.
    #[command(flatten)]
    pub authentication: AuthenticationArgs,
    /// What they may do.
    #[command(flatten)]
    pub authorization: AuthorizationArgs,
    /// How the replica that binds is found.
    #[command(flatten)]
    pub leader_election: LeaderElectionArgs,
    /// What the configuration file says too.
    #[command(flatten)]
    pub deprecated: DeprecatedArgs,
    /// Which features are on.
    #[command(flatten)]
    pub feature_gates: FeatureGateArgs,
    /// Which metrics are shown.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What to be instead of the scheduler.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// The probe agent.
    Probe(Box<ProbeArgs>),
    /// A pod that takes up room and does nothing: what backups run. It ends when it is asked to.
    Pause,
}

/// The command line with `_` in names of flags read as `-` (upstream: `WordSepNormalizeFunc`).
pub fn normalized(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    args.into_iter().map(|arg| arg.to_str().and_then(with_dashes).unwrap_or(arg)).collect()
}

/// The flags and their values, given or by default, for `/flagz`. Secrets are in files, not in flags.
pub fn in_force(matches: &ArgMatches) -> BTreeMap<String, String> {
    let value = |id: &str| {
        let values = matches.get_raw(id)?;
        let values: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        Some(values.join(","))
    };
    let command = Cli::command();
    let flags = command.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg.get_id().as_str())));
    flags.map(|(long, id)| (long.to_owned(), value(id).unwrap_or_default())).collect()
}

fn with_dashes(arg: &str) -> Option<OsString> {
    let flag = arg.strip_prefix("--")?;
    let (name, value) = flag.split_at(flag.find('=').unwrap_or(flag.len()));
    Some(format!("--{}{value}", name.replace('_', "-")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(args: &[&str]) -> Cli {
        let args = [&["edge-scheduler"], args].concat().into_iter().map(OsString::from);
        Cli::try_parse_from(normalized(args)).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_are_written_as_for_kube_scheduler() {
        let cli =
            parse(&["--leader-elect=false", "--secure_port=0", "--bind-address", "::", "-v=3", "--v=2"]);
        assert_eq!(cli.leader_election.leader_elect, Some(false));
        assert_eq!((cli.serving.secure_port, cli.log.v), (0, 2));
        let paths = parse(&["--authorization-always-allow-paths=/healthz,/metrics"]).authorization;
        assert_eq!(paths.authorization_always_allow_paths, ["/healthz", "/metrics"]);
        assert_eq!(parse(&["--version"]).misc.version, Some(VersionForm::True));
        assert_eq!(parse(&["--version=raw"]).misc.version, Some(VersionForm::Raw));
    }
}

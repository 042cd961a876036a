//! From the command line to what is run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use edge_core::delay::DelaySource;
use tracing::info;

use crate::args::{Cli, ProbeArgs};
use crate::cluster::{self, Clients, ConnectError};
use crate::config::{ConfigError, Configuration};
use crate::delays::Source;
use crate::lease;
use crate::metrics::{ClientMetrics, Metrics};
use crate::probe::{Alone, ProbeConfigError, ProbeConfiguration, Service};
use crate::run::{Options, Serving};

/// How long a binding may wait for its turn under the limit of requests.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Why the scheduler doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The configuration file can't be read.
    #[error("--config {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The configuration file can't be used.
    #[error("--config {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ConfigError,
    },
    /// The flags can't be used.
    #[error(transparent)]
    Flags(ConfigError),
    /// The probe agent's configuration file can't be used.
    #[error("--config {}", path.display())]
    ProbeFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ProbeConfigError,
    },
    /// The probe agent's settings can't be used.
    #[error(transparent)]
    ProbeSettings(#[from] ProbeConfigError),
    /// The probe agent's flags or environment can't be used.
    #[error("{0}")]
    Probe(String),
    /// The configuration can't be written.
    #[error("--write-config-to {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// The configuration that the command line asks for, checked (upstream: `Options.ApplyTo`). With a file the
/// deprecated flags are ignored.
pub fn configuration(cli: &Cli) -> Result<Configuration, SetupError> {
    let Some(path) = &cli.misc.config else {
        let mut config = Configuration::bare();
        cli.deprecated.apply_to(&mut config);
        cli.leader_election.apply_to(&mut config.leader_election);
        check(&config).map_err(SetupError::Flags)?;
        return Ok(config);
    };
    let text = fs::read_to_string(path).map_err(|source| SetupError::Read { path: path.clone(), source })?;
    let at_fault = |source| SetupError::File { path: path.clone(), source };
    let mut config = Configuration::read(&text).map_err(at_fault)?;
    cli.leader_election.apply_to(&mut config.leader_election);
    check(&config).map_err(at_fault)?;
    Ok(config)
}

fn check(config: &Configuration) -> Result<(), ConfigError> {
    config.validate()?;
    config.profiles().map(drop)
}

/// Writes the configuration, complete with defaults, to a file.
pub fn write(config: &Configuration, path: &Path) -> Result<(), SetupError> {
    fs::write(path, config.to_yaml())
        .map_err(|source| SetupError::Write { path: path.to_owned(), source })?;
    info!(file = %path.display(), "wrote the configuration");
    Ok(())
}

/// Connects to the API server as the configuration has it.
pub async fn connect(
    config: &Configuration,
    cli: &Cli,
    metrics: &ClientMetrics,
) -> Result<Clients, ConnectError> {
    let client = &config.client_connection;
    let kubeconfig = Some(Path::new(&client.kubeconfig)).filter(|path| !path.as_os_str().is_empty());
    cluster::connect(kubeconfig, cli.misc.master.as_deref(), (client.qps, client.burst), metrics).await
}

/// What is to be run. The file of the flags stands in for that of the configuration, and goes before all sources.
pub fn options(
    config: &Configuration,
    cli: Cli,
    serving: Option<Serving>,
    metrics: Metrics,
) -> Result<Options, ConfigError> {
    let mut delay_rules = config.delay_rules();
    let mut delays = config.delays();
    if let Some(file) = cli.delays.source() {
        delays.retain(|source| !matches!(source, Source::File(_)));
        delays.insert(0, file);
        delay_rules.sources.retain(|source| *source != DelaySource::File);
        delay_rules.sources.insert(0, DelaySource::File);
    }
    Ok(Options {
        profiles: config.profiles()?,
        backoff: config.backoff(),
        max_unschedulable: cli.deprecated.pod_max_in_unschedulable_pods_duration,
        delays,
        delay_rules,
        backup_image: config.backup_image().map(ToOwned::to_owned),
        parallel_bindings: parallel_bindings(cli.misc.parallel_bindings, config.client_connection.qps),
        leader_election: election(config),
        watch_when_leading: config.delay_cache_until_active,
        serving,
        metrics,
    })
}

/// The configuration of the probe agent that the command line asks for.
fn probe_configuration(args: &ProbeArgs) -> Result<ProbeConfiguration, SetupError> {
    let flags = args.configuration().map_err(SetupError::Probe)?;
    let Some(path) = &args.config else { return Ok(flags) };
    let text = fs::read_to_string(path).map_err(|source| SetupError::Read { path: path.clone(), source })?;
    let file = ProbeConfiguration::read(&text)
        .map_err(|source| SetupError::ProbeFile { path: path.clone(), source })?;
    Ok(flags.or(file))
}

/// The probe agent in a cluster.
pub fn agent(args: &ProbeArgs) -> Result<Service, SetupError> {
    let config = probe_configuration(args)?;
    Ok(Service {
        me: args.node_name().map_err(SetupError::Probe)?,
        transport: config.transport()?,
        listen: config.listen(true)?,
        keys: config.key_directory(),
        timeout: config.timeout()?,
        health: config.health()?,
    })
}

/// The probe agent without Kubernetes. It answers if it is told where, or if it is to do nothing else.
pub fn alone(args: &ProbeArgs) -> Result<Alone, SetupError> {
    let config = probe_configuration(args)?;
    let answers = args.alone.standalone || !args.listen.is_empty();
    Ok(Alone {
        me: args.node_name().map_err(SetupError::Probe)?,
        peers: args.alone.peers.clone(),
        transport: config.transport()?,
        listen: if answers { config.listen(false)? } else { Vec::new() },
        keys: config.key_directory.clone(),
        period: args.alone.period,
        timeout: config.timeout()?,
        once: args.alone.once,
    })
}

/// Connects a probe agent to the API server. It says little there, and never waits for its turn.
pub async fn connect_agent(args: &ProbeArgs, metrics: &ClientMetrics) -> Result<kube::Client, ConnectError> {
    let clients = cluster::connect(args.kubeconfig.as_deref(), None, (0.0, 1), metrics).await?;
    Ok(clients.api)
}

/// How the replica that binds is found; none if there is no election.
fn election(config: &Configuration) -> Option<lease::Settings> {
    config.leader_election.leader_elect.then(|| lease::Settings::of(&config.leader_election))
}

/// How many bindings may be on their way: not so many that one waits for its turn until it is given up.
fn parallel_bindings(wanted: u16, per_second: f32) -> usize {
    let wanted = usize::from(wanted);
    if per_second <= 0.0 {
        return wanted;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is small and positive")]
    let in_time = (per_second * LONGEST_WAIT.as_secs_f32()).min(f32::from(u16::MAX)) as usize;
    wanted.min(in_time.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_that_could_not_be_sent_in_time_are_not_begun() {
        for (per_second, expected) in [(50.0, 100), (10_000.0, 100), (5.0, 15), (0.1, 1), (-1.0, 100)] {
            assert_eq!(parallel_bindings(100, per_second), expected, "{per_second}");
        }
    }
}

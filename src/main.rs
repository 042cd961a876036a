//! `edge-scheduler`, the binary: reads the command line, sets up the log, and runs.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use edge_scheduler::args::{self, Cli, Command, LogArgs, LogFormat, ProbeArgs, VersionForm};
use edge_scheduler::config::Configuration;
use edge_scheduler::metrics::{ClientMetrics, Metrics, ProbeMetrics};
use edge_scheduler::run::Serving;
use edge_scheduler::serving::Pages;
use edge_scheduler::{cluster, probe, run, setup};
use k8s_openapi::jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

/// One thread: the core decides in order anyway, and a single allocator arena keeps memory small.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let matches = Cli::command().get_matches_from(args::normalized(std::env::args_os()));
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Some(version) = cli.misc.version.and_then(VersionForm::text) {
        return print(&version);
    }
    match &cli.command {
        Some(Command::Probe(probe)) => {
            set_up_log(&probe.log);
            return end(Box::pin(measure(probe)).await);
        }
        Some(Command::Pause) => {
            set_up_log(&cli.log);
            return end(pause().await);
        }
        None => (),
    }
    set_up_log(&cli.log);
    // Boxed: the two are of very different size, and one of them never runs.
    end(Box::pin(schedule(cli, args::in_force(&matches))).await.map(|()| ExitCode::SUCCESS))
}

fn end(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does nothing until it is asked to end.
async fn pause() -> anyhow::Result<ExitCode> {
    shutdown()?.await;
    Ok(ExitCode::SUCCESS)
}

async fn measure(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    if args.is_alone() {
        let all_answered = probe::run_alone(setup::alone(args)?, shutdown()?).await?;
        return Ok(if all_answered { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let (service, metrics) = (setup::agent(args)?, ProbeMetrics::new()?);
    let client = setup::connect_agent(args, &metrics.client).await?;
    probe::serve(service, client, metrics, shutdown()?).await?;
    Ok(ExitCode::SUCCESS)
}

async fn schedule(cli: Cli, flags: BTreeMap<String, String>) -> anyhow::Result<()> {
    let config = setup::configuration(&cli)?;
    if let Some(path) = &cli.misc.write_config_to {
        return Ok(setup::write(&config, path)?);
    }
    if !cli.metrics.allow_metric_labels.is_empty() || cli.metrics.allow_metric_labels_manifest.is_some() {
        warn!("--allow-metric-labels has no effect: all values of labels are shown");
    }
    let metrics = Metrics::new(cli.metrics.disabled_metrics.clone())?;
    let serving = serve(&config, &cli, flags, &metrics.client).await?;
    let clients = setup::connect(&config, &cli, &metrics.client).await?;
    let options = setup::options(&config, cli, serving, metrics)?;
    Ok(run::run(clients, options, shutdown()?).await?)
}

/// Completes when the process is asked to end.
fn shutdown() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        info!("ending");
    })
}

async fn serve(
    config: &Configuration,
    cli: &Cli,
    flags: BTreeMap<String, String>,
    metrics: &ClientMetrics,
) -> anyhow::Result<Option<Serving>> {
    let (authentication, authorization) = (cli.authentication.clone(), cli.authorization.clone());
    let Some(settings) = cli.serving.clone().settings().map_err(anyhow::Error::msg)? else { return Ok(None) };
    let authenticates =
        cluster::delegate(authentication.authentication_kubeconfig.as_deref(), metrics).await?;
    let authorizes = cluster::delegate(authorization.authorization_kubeconfig.as_deref(), metrics).await?;
    let guard = authentication.settings(authorization);
    let pages = Pages { configuration: config.to_json(), flags, started: Timestamp::now() };
    Ok(Some(Serving { settings, guard, authentication: authenticates, authorization: authorizes, pages }))
}

fn set_up_log(args: &LogArgs) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(args.filter())
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match args.logging_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

fn print(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

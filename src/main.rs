//! `edge-scheduler`, the binary: reads the command line, sets up the log, and runs.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use edge_scheduler::args::{self, Cli, LogArgs, LogFormat, VersionForm};
use edge_scheduler::cluster;
use edge_scheduler::run::{self, Options};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

/// One thread: the core decides in order anyway, and a single allocator arena keeps memory small.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse_from(args::normalized(std::env::args_os()));
    if let Some(version) = cli.misc.version.and_then(VersionForm::text) {
        return print(&version);
    }
    set_up_log(&cli.log);
    match schedule(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn schedule(cli: Cli) -> anyhow::Result<()> {
    let Cli { misc, delays, deprecated, leader_election, .. } = cli;
    let client = cluster::connect(deprecated.kubeconfig.as_deref(), misc.master.as_deref()).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        info!("ending");
    };
    let options = Options {
        delays: delays.source(),
        parallel_bindings: misc.parallel_bindings.into(),
        leader_election: leader_election.settings(),
    };
    Ok(run::run(client, options, shutdown).await?)
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

//! `edge-scheduler`, the binary: reads the command line, sets up the log, and runs.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use edge_scheduler::args::{Cli, LogFormat};
use edge_scheduler::cluster;
use edge_scheduler::run::{self, Options};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

/// One thread: the core decides in order anyway, and a single allocator arena keeps memory small.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    set_up_log(cli.logging_format, cli.v);
    match schedule(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn schedule(cli: Cli) -> anyhow::Result<()> {
    let Cli { kubeconfig, master, delays, parallel_bindings, leader_election, logging_format: _, v: _ } = cli;
    let client = cluster::connect(kubeconfig.as_deref(), master.as_deref()).await?;
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
        parallel_bindings: parallel_bindings.into(),
        leader_election: leader_election.settings(),
    };
    Ok(run::run(client, options, shutdown).await?)
}

/// Our own words first: what libraries say of each request is only for `-v 4`.
fn set_up_log(format: LogFormat, verbosity: u8) {
    let filter = match verbosity {
        0 | 1 => "info",
        2 | 3 => "info,edge_scheduler=debug",
        _ => "trace",
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

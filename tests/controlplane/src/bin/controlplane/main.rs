//! A real control plane from the shell: `controlplane up`, `controlplane down`, `controlplane build`.
//!
//! Standard output carries data alone (the kubeconfig's path); all talk goes to standard error.

mod down;
mod up;

use clap::{Parser, Subcommand};
use controlplane::Error;
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Starts and stops real Kubernetes control planes on this machine, for tests, demos and benchmarks.
#[derive(Debug, Parser)]
#[command(name = "controlplane", version)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds every program that is not in the cache yet.
    Build,
    /// Starts a control plane and prints the path of its kubeconfig.
    Up(up::Args),
    /// Stops control planes that `up` started.
    Down(down::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Task::Build => controlplane::build_all().map(drop),
        Task::Up(args) => up::run(args),
        Task::Down(args) => down::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Whether anybody listens does not matter.
fn say(words: &str) {
    let _ = writeln!(io::stderr(), "controlplane: {words}");
}

/// An I/O error with what was being done.
fn at(what: &str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { what: what.to_owned(), source }
}

//! `kubectl edge`, a kubectl plugin for delay-aware scheduling at the edge.
//!
//! ```text
//! args       what was said on the command line; `args::Connection`: the flags of `kubectl options`
//! commands   one file and one line each; a command takes a Session and returns data, an Output
//! completing what is typed: asked by kubectl and by shells
//! session    what a command runs in: its name, its options, Talk; connects to the cluster when asked to
//! world      the cluster as the core sees it, and what the scheduler would say of a pod
//! cluster    the connection as kubectl makes it; lists in pages; what a kube::Error means to the user
//! talk       standard error: notes, warnings, what goes on, questions (never without a terminal)
//! view       standard output, the one place that prints results: table, wide, JSON, YAML, names
//! look       colour, width, columns
//! installation  what is installed: deploy/, and what there is of it in a cluster
//! files      what the user names is read here
//! failure    errors with their causes and a hint, and the exit codes
//! ```
//!
//! A command that needs the cluster is an `async fn run(&self, session: &Session) -> Result<Output, Failure>`, run
//! by [`session::Session::online`], which ends it at SIGINT. It begins with `session.connect().await?`. What can't be seen
//! for want of a permission is collected in [`cluster::Gaps`] and given to `Output::with_gaps`: exit code 4.

mod args;
mod cluster;
mod commands;
mod completing;
mod failure;
mod files;
mod installation;
mod look;
mod session;
mod talk;
mod view;
mod world;

use std::panic;
use std::process::ExitCode;

use failure::Ending;

fn main() -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let options = args::Options::default();
        talk::Talk::new(options).note(&format!("error: internal error at {location}; please report it"));
    }));
    panic::catch_unwind(run).unwrap_or_else(|_| Ending::Failed.into())
}

fn run() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(served) = completing::serve(&args) {
        return served;
    }
    let invocation = match args::parse(&args) {
        Ok(invocation) => invocation,
        Err(told) => return view::usage(&told),
    };
    let args::Invocation { name, options, connection, command } = invocation;
    let session = session::Session::new(name, options, connection);
    match command.run(&session) {
        Ok(output) => session.view.output(&output),
        Err(failure) => session.view.failure(&failure),
    }
}

//! `kubectl edge`, a kubectl plugin for delay-aware scheduling at the edge.
//!
//! ```text
//! args       what was said on the command line
//! commands   one file and one line each; a command returns data
//! view       the one place that prints: as a table, JSON or YAML
//! files      what the user names is read here
//! failure    errors with their causes and a hint, and the exit codes
//! ```

mod args;
mod commands;
mod failure;
mod files;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let invocation = match args::parse(&args) {
        Ok(invocation) => invocation,
        Err(told) => return view::usage(&told),
    };
    let args::Invocation { name, options, command } = invocation;
    let view = view::View::new(options);
    match command.run(&name) {
        Ok(output) => view.output(&output),
        Err(failure) => view.failure(&failure),
    }
}

//! The commands: one file each, one line each in [`Command`].

mod simulate;
mod version;

use clap::Subcommand;

use crate::failure::Failure;
use crate::view::Output;

/// A command.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, disable_help_subcommand = false)]
pub(crate) enum Command {
    Simulate(simulate::Simulate),
    Version(version::Version),
}

impl Command {
    /// Does what was asked; `name` is what the plugin was called by.
    pub(crate) fn run(&self, name: &str) -> Result<Output, Failure> {
        match self {
            Self::Simulate(command) => command.run(),
            Self::Version(command) => command.run(name),
        }
    }
}

//! The commands: one file each, one line each in [`Command`].

mod label;
mod label_cloud;
mod label_dpdk;
mod options;
mod simulate;
mod version;

use clap::Subcommand;

use crate::failure::Failure;
use crate::session::Session;
use crate::view::Output;

/// A command.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, disable_help_subcommand = false)]
pub(crate) enum Command {
    LabelCloud(label_cloud::LabelCloud),
    LabelDpdk(label_dpdk::LabelDpdk),
    Options(options::Options),
    Simulate(simulate::Simulate),
    Version(version::Version),
}

impl Command {
    /// Does what was asked.
    pub(crate) fn run(&self, session: &Session) -> Result<Output, Failure> {
        match self {
            Self::LabelCloud(command) => session.online(command.run(session)),
            Self::LabelDpdk(command) => session.online(command.run(session)),
            Self::Options(command) => command.run(),
            Self::Simulate(command) => command.run(),
            Self::Version(command) => session.online(command.run(session)),
        }
    }
}

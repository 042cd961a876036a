//! The commands: one file each, one line each in [`Command`].

mod install;
mod label;
mod label_cloud;
mod label_dpdk;
mod options;
mod simulate;
mod uninstall;
mod version;

use clap::Subcommand;

use crate::failure::Failure;
use crate::session::Session;
use crate::view::Output;

/// A command.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, disable_help_subcommand = false)]
pub(crate) enum Command {
    Install(install::Install),
    LabelCloud(label_cloud::LabelCloud),
    LabelDpdk(label_dpdk::LabelDpdk),
    Options(options::Options),
    Simulate(simulate::Simulate),
    Uninstall(uninstall::Uninstall),
    Version(version::Version),
}

impl Command {
    /// Does what was asked.
    pub(crate) fn run(&self, session: &Session) -> Result<Output, Failure> {
        match self {
            Self::Install(command) if command.is_offline() => command.offline(session),
            Self::Install(command) => session.online(command.run(session)),
            Self::LabelCloud(command) => session.online(command.run(session)),
            Self::LabelDpdk(command) => session.online(command.run(session)),
            Self::Options(command) => command.run(),
            Self::Simulate(command) => command.run(),
            Self::Uninstall(command) => session.online(command.run(session)),
            Self::Version(command) => session.online(command.run(session)),
        }
    }
}

//! The commands: one file each, one line each in [`Command`].

mod check;
mod completion;
mod delay;
mod drill;
mod explain;
mod failover;
mod install;
mod label;
mod label_cloud;
mod label_dpdk;
mod latency;
mod man;
mod options;
mod simulate;
mod status;
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
    Check(check::Check),
    Completion(completion::Completion),
    Delay(delay::Delay),
    Drill(drill::Drill),
    Explain(explain::Explain),
    Failover(failover::Failover),
    Install(install::Install),
    LabelCloud(label_cloud::LabelCloud),
    LabelDpdk(label_dpdk::LabelDpdk),
    Latency(latency::Latency),
    #[command(hide = true)]
    Man(man::Man),
    Options(options::Options),
    Simulate(simulate::Simulate),
    Status(status::Status),
    Uninstall(uninstall::Uninstall),
    Version(version::Version),
}

impl Command {
    /// Does what was asked.
    pub(crate) fn run(&self, session: &Session) -> Result<Output, Failure> {
        match self {
            Self::Check(command) => session.online(command.run(session)),
            Self::Completion(command) => command.run(session),
            Self::Delay(command) => command.run(session),
            Self::Drill(command) => session.online(command.run(session)),
            Self::Explain(command) => session.online(command.run(session)),
            Self::Failover(command) => session.online(command.run(session)),
            Self::Install(command) if command.is_offline() => command.offline(session),
            Self::Install(command) => session.online(command.run(session)),
            Self::LabelCloud(command) => session.online(command.run(session)),
            Self::LabelDpdk(command) => session.online(command.run(session)),
            Self::Latency(command) => session.online(command.run(session)),
            Self::Man(command) => command.run(),
            Self::Options(command) => command.run(),
            Self::Simulate(command) => command.run(),
            Self::Status(command) => session.online(command.run(session)),
            Self::Uninstall(command) => session.online(command.run(session)),
            Self::Version(command) => session.online(command.run(session)),
        }
    }
}

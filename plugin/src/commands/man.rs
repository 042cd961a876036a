//! `kubectl edge man`: for packaging, so not in the list of commands.

use std::path::PathBuf;

use clap::{Args, Command};

use crate::args;
use crate::failure::{Failure, Hint};
use crate::view::Output;

/// Write a man page for each command into a folder
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder
    folder: PathBuf,
}

// === impl Man ===

impl Man {
    pub(super) fn run(&self) -> Result<Output, Failure> {
        // Pages are named as files are, whatever the plugin is called by.
        let command = args::definition("kubectl edge");
        self.write(&command, "kubectl-edge")?;
        Ok(Output::nothing())
    }

    /// Writes the page of a command and of those below it.
    fn write(&self, command: &Command, name: &str) -> Result<(), Failure> {
        // clap keeps names for ever; there are a dozen, and the program ends.
        let shown: &'static str = Box::leak(name.to_owned().into_boxed_str());
        let page = clap_mangen::Man::new(command.clone().name(shown).disable_help_subcommand(true));
        let path = self.folder.join(format!("{name}.1"));
        let mut text = Vec::new();
        page.render(&mut text)?;
        std::fs::write(&path, text).hint(format!("{} can't be written", path.display()))?;
        for inner in command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help") {
            self.write(inner, &format!("{name}-{}", inner.get_name()))?;
        }
        Ok(())
    }
}

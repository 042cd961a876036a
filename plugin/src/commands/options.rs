//! `kubectl edge options`.

use clap::Args;

use crate::args::Connection;
use crate::failure::Failure;
use crate::view::{Output, to_stdout};

/// List the flags of kubectl that every command takes
#[derive(Debug, Args)]
pub(crate) struct Options {}

// === impl Options ===

impl Options {
    pub(super) fn run(&self) -> Result<Output, Failure> {
        let Self {} = self;
        let head = "Flags that every command takes which talks to a cluster:\n\n";
        to_stdout(&format!("{head}{}", Connection::help()))?;
        Ok(Output::nothing())
    }
}

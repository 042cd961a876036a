//! What can go wrong, by what the caller does next.

use std::io;

/// Why hosts could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process may not make network namespaces: give it the right.
    #[error(
        "{what} is not permitted: run as root, or in a user namespace of your own (unshare --user --map-root-user --net)"
    )]
    NotPermitted {
        /// What was tried.
        what: String,
    },
    /// A program of the machine is missing: install it.
    #[error("{program} could not be run: {source}; it is part of {package}")]
    Install {
        /// The program's name.
        program: String,
        /// Where it comes from.
        package: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A command failed: read its words.
    #[error("{command} on host {host} failed: {output}")]
    Command {
        /// The host's name.
        host: String,
        /// The command.
        command: String,
        /// What it wrote to standard error.
        output: String,
    },
    /// An argument makes no sense: change it.
    #[error("{0}")]
    Invalid(String),
    /// The thread of a host or of the links is gone, which happens only if it failed.
    #[error("the thread of {0} is gone")]
    Gone(String),
    /// A file, socket or device could not be used: see to the machine.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Names the operation that an I/O error belongs to.
pub(crate) trait Context<T> {
    /// Turns the error into [`Error::NotPermitted`] or [`Error::Io`] with the words of `what`.
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

// === impl Context ===

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|error| match error.into() {
            denied if denied.kind() == io::ErrorKind::PermissionDenied => {
                Error::NotPermitted { what: what() }
            }
            source => Error::Io { what: what(), source },
        })
    }
}

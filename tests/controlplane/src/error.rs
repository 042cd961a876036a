//! What can go wrong, by what the caller does next.

use std::{fs, io, path::Path, path::PathBuf};

/// Why a control plane could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program of the machine is missing: install it.
    #[error("{program} could not be run: {source}; {hint}")]
    Install {
        /// The program's name.
        program: String,
        /// Where it comes from.
        hint: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A tool's module does not build: read the compiler's words.
    #[error("building {tool} failed:\n{output}")]
    Build {
        /// The tool.
        tool: String,
        /// The end of the compiler's output.
        output: String,
    },
    /// A component, or a program of a real node, ended or did not get ready: read its log.
    #[error("{component} {reason}; the end of {}:\n{tail}", log.display())]
    Component {
        /// The component's name.
        component: String,
        /// What happened to it.
        reason: String,
        /// Its whole log, kept after this error.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The server refused a request: change the request.
    #[error("{method} {path}: {status}: {message}")]
    Refused {
        /// The HTTP method.
        method: String,
        /// The path and query.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The server's reason.
        message: String,
    },
    /// The server did not answer: try again, or see whether it runs.
    #[error("{method} {path}: no answer: {reason}")]
    Unreachable {
        /// The HTTP method.
        method: String,
        /// The path and query.
        path: String,
        /// What the connection said.
        reason: String,
    },
    /// Something did not come true in its time: look at what was last seen.
    #[error("waited {seconds} s in vain for {what}")]
    Late {
        /// What was awaited.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// A command ended with a failure: read its words.
    #[error("{command} failed: {output}")]
    Command {
        /// The command and its arguments.
        command: String,
        /// What it wrote to standard error.
        output: String,
    },
    /// An argument makes no sense: change it.
    #[error("{0}")]
    Invalid(String),
    /// A file, folder or socket could not be used: see to the machine.
    #[error("{what}: {source}")]
    Io {
        /// What was done to which file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Names the operation that an I/O error belongs to.
pub(crate) trait Context<T> {
    /// Turns the I/O error into [`Error::Io`] with the words of `what`.
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

/// The last lines of a file, for a message.
pub(crate) fn tail(file: &Path) -> String {
    const LINES: usize = 15;
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

// === impl Context ===

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|error| Error::Io { what: what(), source: error.into() })
    }
}

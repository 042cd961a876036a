//! Errors with their causes and a hint, and the exit codes.

use std::process::ExitCode;

/// How a run ended, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All is well.
    Ok,
    /// It could not be done.
    Failed,
    /// It was asked for wrongly.
    Usage,
    /// It was done, and the result is not as one would wish.
    Findings,
}

/// Something that could not be done.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What, with its causes.
    pub(crate) error: anyhow::Error,
    /// What may help.
    pub(crate) hint: Option<String>,
}

/// Says what may help against an error.
pub(crate) trait Hint<T> {
    /// Turns an error into a failure with this hint.
    fn hint(self, hint: impl Into<String>) -> Result<T, Failure>;
}

// === impl Ending ===

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Ok => 0,
            Ending::Failed => 1,
            Ending::Usage => 2,
            Ending::Findings => 3,
        })
    }
}

// === impl Failure ===

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hint: None }
    }
}

// === impl Hint ===

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure { error: error.into(), hint: Some(hint.into()) })
    }
}

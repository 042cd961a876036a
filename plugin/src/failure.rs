//! Errors with their causes and a hint, and the exit codes.

use std::fmt;
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
    /// It was done in part: a permission is missing, or something did not answer.
    Partial,
    /// It was not done in time.
    TimedOut,
    /// The user ended it.
    Interrupted,
}

/// Something that could not be done.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What, with its causes.
    pub(crate) error: anyhow::Error,
    /// What may help.
    pub(crate) hint: Option<String>,
    /// How the run ends by it.
    pub(crate) ending: Ending,
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
            Ending::Partial => 4,
            Ending::TimedOut => 124,
            Ending::Interrupted => 130,
        })
    }
}

// === impl Failure ===

impl Failure {
    /// Something that could not be done, in one line.
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self { error: anyhow::Error::msg(message.to_string()), hint: None, ending: Ending::Failed }
    }

    /// It was asked for wrongly.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(message).ending(Ending::Usage)
    }

    /// The user ended it.
    pub(crate) fn interrupted() -> Self {
        Self::new("interrupted").ending(Ending::Interrupted)
    }

    /// The same with what may help.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same with another ending.
    pub(crate) fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hint: None, ending: Ending::Failed }
    }
}

// === impl Hint ===

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure::from(error).with_hint(hint))
    }
}

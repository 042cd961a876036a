//! What a look at a cluster finds, under codes that stay.

use serde::Serialize;

use crate::look::Look;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Level {
    /// It is as it should be.
    Passed,
    /// There is nothing to look at, because of what another finding says.
    Skipped,
    /// It could not be seen.
    Unknown,
    /// It may be in the way.
    Warning,
    /// It is in the way.
    Failed,
}

/// What a look found. What the codes mean is in docs/codes.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The code, such as `EDGE-P01`.
    pub(crate) code: &'static str,
    /// How bad it is.
    pub(crate) level: Level,
    /// What is the case.
    pub(crate) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

// === impl Level ===

impl Level {
    /// The mark before a line; it says all without its colour.
    pub(crate) fn mark(self, look: Look) -> String {
        match self {
            Self::Passed => look.good("✓"),
            Self::Skipped => look.faint("-"),
            Self::Unknown => look.warning("?"),
            Self::Warning => look.warning("!"),
            Self::Failed => look.error("✗"),
        }
    }
}

// === impl Finding ===

impl Finding {
    /// It is as it should be.
    pub(crate) fn passed(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, level: Level::Passed, message: message.into(), fix: None }
    }

    /// There is nothing to look at.
    pub(crate) fn skipped(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, level: Level::Skipped, message: message.into(), fix: None }
    }

    /// It could not be seen for want of a permission.
    pub(crate) fn unknown(code: &'static str, needs: &str) -> Self {
        let message = format!("could not be looked at: no permission to {needs}");
        let fix = Some(format!("ask for the permission to {needs}"));
        Self { code, level: Level::Unknown, message, fix }
    }

    /// It may be in the way.
    pub(crate) fn warning(code: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code, level: Level::Warning, message: message.into(), fix: Some(fix.into()) }
    }

    /// It is in the way.
    pub(crate) fn failed(code: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code, level: Level::Failed, message: message.into(), fix: Some(fix.into()) }
    }

    /// One or two lines: what, and what to do.
    pub(crate) fn lines(&self, look: Look) -> String {
        let head = format!("{} {}  {}", self.level.mark(look), self.code, self.message);
        let fix = self.fix.iter().map(|fix| format!("            {} {fix}", look.hint("fix:")));
        let lines = [(head, 12)].into_iter().chain(fix.map(|fix| (fix, 17)));
        lines.map(|(line, hang)| look.fold(&line, hang) + "\n").collect()
    }
}

/// How many findings there are of each level, such as `3 passed, 1 warning`.
pub(crate) fn summary(findings: &[Finding]) -> String {
    let count = |level: Level| findings.iter().filter(|it| it.level == level).count();
    let plural = if count(Level::Warning) == 1 { "warning" } else { "warnings" };
    let levels = [
        (Level::Skipped, "skipped"),
        (Level::Warning, plural),
        (Level::Unknown, "unknown"),
        (Level::Failed, "failed"),
    ];
    let others = levels.map(|(level, word)| (count(level), word)).into_iter().filter(|(count, _)| *count > 0);
    let parts = [(count(Level::Passed), "passed")].into_iter().chain(others);
    parts.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

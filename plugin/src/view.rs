//! The one place that prints results, to standard output; talk goes by [`Talk`].

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::args::{Format, Options};
use crate::failure::{Ending, Failure};
use crate::look::{Look, plain};
use crate::talk::Talk;

/// The version of the objects that `-o json` and `-o yaml` print.
pub(crate) const API_VERSION: &str = edge_api::API_VERSION;

/// What a command found out: an object, and how to show it to people.
pub(crate) trait Report: Serialize {
    /// The table, ending with a line end; with more columns if the look is wide.
    fn table(&self, look: Look) -> String;

    /// What `-o name` prints, such as `node/edge-1`; none where the report has no names.
    fn names(&self) -> Option<Vec<String>> {
        None
    }
}

/// A report of any type.
pub(crate) trait AnyReport {
    /// Renders it.
    fn render(&self, format: Format, look: Look) -> Result<String, Failure>;
}

/// What a command has to say.
pub(crate) struct Output {
    report: Option<Box<dyn AnyReport>>,
    notes: Vec<String>,
    warnings: Vec<String>,
    failures: Vec<Failure>,
    ending: Ending,
}

/// A printer.
pub(crate) struct View {
    format: Format,
    stdout: Look,
    talk: Talk,
}

// === impl Output ===

impl Output {
    /// A report that all is well.
    pub(crate) fn ok(report: impl Report + 'static) -> Self {
        Self {
            report: Some(Box::new(report)),
            notes: Vec::new(),
            warnings: Vec::new(),
            failures: Vec::new(),
            ending: Ending::Ok,
        }
    }

    /// All is well, and there is nothing to show.
    pub(crate) fn nothing() -> Self {
        Self {
            report: None,
            notes: Vec::new(),
            warnings: Vec::new(),
            failures: Vec::new(),
            ending: Ending::Ok,
        }
    }

    /// The same with something to tell.
    pub(crate) fn with_notes(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }

    /// The same with warnings.
    pub(crate) fn with_warnings(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }

    /// The same with what could not be seen. If there is any, the result is partial.
    pub(crate) fn with_gaps(self, gaps: Vec<String>) -> Self {
        let ending = if gaps.is_empty() { self.ending } else { Ending::Partial };
        let warnings = self.warnings.into_iter().chain(gaps).collect();
        Self { warnings, ending, ..self }
    }

    /// The same with what failed beside it. If anything did, the run failed.
    pub(crate) fn with_failures(self, failures: Vec<Failure>) -> Self {
        let ending = failures.first().map_or(self.ending, |first| first.ending);
        Self { failures, ending, ..self }
    }

    /// The same with another ending.
    pub(crate) fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

// === impl AnyReport ===

impl<R: Report> AnyReport for R {
    fn render(&self, format: Format, look: Look) -> Result<String, Failure> {
        Ok(match format {
            Format::Table | Format::Wide => self.table(look),
            Format::Json => serde_json::to_string_pretty(self)? + "\n",
            Format::Yaml => serde_yaml::to_string(self)?,
            Format::Name => {
                let names = self.names().ok_or_else(|| Failure::usage("this result has no names"))?;
                names.iter().map(|name| plain(name) + "\n").collect()
            }
        })
    }
}

// === impl View ===

impl View {
    /// A printer for these options.
    pub(crate) fn new(options: Options, talk: &Talk) -> Self {
        let stdout = Look::new(options, io::stdout().is_terminal());
        console::set_colors_enabled(stdout.has_colors());
        Self { format: options.output, stdout, talk: talk.clone() }
    }

    /// How results look.
    pub(crate) fn look(&self) -> Look {
        self.stdout
    }

    /// Prints what a command has to say.
    pub(crate) fn output(&self, output: &Output) -> ExitCode {
        match self.print(output) {
            Ok(()) => output.ending.into(),
            Err(failure) => self.failure(&failure),
        }
    }

    /// The result as text, of a command that shows it again and again.
    pub(crate) fn render(&self, output: &Output) -> Result<String, Failure> {
        let report = output.report.as_ref().map(|report| report.render(self.format, self.stdout));
        report.unwrap_or_else(|| Ok(String::new()))
    }

    /// Prints what a command has to say so far, of a command that goes on.
    pub(crate) fn print(&self, output: &Output) -> Result<(), Failure> {
        self.talk.done();
        for warning in &output.warnings {
            self.talk.warning(warning);
        }
        if let Some(report) = &output.report {
            to_stdout(&report.render(self.format, self.stdout)?)?;
        }
        for note in &output.notes {
            self.talk.note(note);
        }
        for failure in &output.failures {
            self.failure(failure);
        }
        Ok(())
    }

    /// Prints what went wrong.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        let Failure { error, hint, ending } = failure;
        self.talk.done();
        let look = self.talk.look();
        let mut lines = vec![format!("{} {}", look.error("error:"), plain(&error.to_string()))];
        lines
            .extend(error.chain().skip(1).map(|cause| format!("  caused by: {}", plain(&cause.to_string()))));
        lines.extend(hint.iter().map(|hint| format!("{} {hint}", look.hint("hint:"))));
        self.talk.note(&lines.join("\n"));
        (*ending).into()
    }
}

/// Prints help or a usage error, as clap tells them.
pub(crate) fn usage(told: &clap::Error) -> ExitCode {
    // Nothing is left to be told if even this fails.
    _ = told.print();
    if told.use_stderr() { Ending::Usage.into() } else { Ending::Ok.into() }
}

/// Prints text that is no report, such as a script. A reader that has seen enough, such as `head`, is no error.
pub(crate) fn to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

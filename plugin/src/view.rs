//! The one place that prints: data to standard output, talk to standard error.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use owo_colors::{OwoColorize, Style};
use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::{Padding, Style as Borders};

use crate::args::{Format, Options, When};
use crate::failure::{Ending, Failure};

/// The version of the objects that `-o json` and `-o yaml` print.
pub(crate) const API_VERSION: &str = "kubectl-edge.dev/v1alpha1";

/// What a command found out: an object, and how to show it to people.
pub(crate) trait Report: Serialize {
    /// The table, ending with a line end.
    fn table(&self, paint: Paint) -> String;
}

/// A report of any type.
pub(crate) trait AnyReport {
    /// Renders it.
    fn render(&self, format: Format, paint: Paint) -> anyhow::Result<String>;
}

/// What a command has to say.
pub(crate) struct Output {
    report: Box<dyn AnyReport>,
    warnings: Vec<String>,
    ending: Ending,
}

/// Whether to colour, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    colors: bool,
}

/// A printer.
pub(crate) struct View {
    format: Format,
    stdout: Paint,
    stderr: Paint,
}

// === impl Output ===

impl Output {
    /// A report that all is well.
    pub(crate) fn ok(report: impl Report + 'static) -> Self {
        Self { report: Box::new(report), warnings: Vec::new(), ending: Ending::Ok }
    }

    /// The same with warnings.
    pub(crate) fn with_warnings(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }

    /// The same with another ending.
    pub(crate) fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

// === impl AnyReport ===

impl<R: Report> AnyReport for R {
    fn render(&self, format: Format, paint: Paint) -> anyhow::Result<String> {
        Ok(match format {
            Format::Table => self.table(paint),
            Format::Json => serde_json::to_string_pretty(self)? + "\n",
            Format::Yaml => serde_yaml::to_string(self)?,
        })
    }
}

// === impl Paint ===

impl Paint {
    fn new(when: When, is_terminal: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colors = match when {
            When::Always => true,
            When::Never => false,
            When::Auto => is_terminal && !dumb && !set("NO_COLOR"),
        };
        Self { colors }
    }

    /// What stands out.
    pub(crate) fn strong(self, text: &str) -> String {
        self.apply(text, Style::new().bold())
    }

    /// What is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.apply(text, Style::new().green())
    }

    /// What needs attention.
    pub(crate) fn warning(self, text: &str) -> String {
        self.apply(text, Style::new().yellow())
    }

    fn error(self, text: &str) -> String {
        self.apply(text, Style::new().red().bold())
    }

    fn hint(self, text: &str) -> String {
        self.apply(text, Style::new().cyan())
    }

    fn apply(self, text: &str, style: Style) -> String {
        if self.colors { text.style(style).to_string() } else { text.to_owned() }
    }

    /// Columns as kubectl prints them, with the heads in bold. Colour comes after the widths are known, or it
    /// would count.
    pub(crate) fn columns<const N: usize>(self, heads: [&str; N], rows: Vec<[String; N]>) -> String {
        let mut table = Builder::with_capacity(rows.len() + 1, N);
        table.push_record(heads);
        for row in rows {
            table.push_record(row);
        }
        let text = table.build().with(Borders::empty()).with(Padding::new(0, 3, 0, 0)).to_string();
        let mut lines = text.lines().map(str::trim_end);
        let head = lines.next().map(|head| self.strong(head));
        head.into_iter().chain(lines.map(str::to_owned)).map(|line| line + "\n").collect()
    }
}

// === impl View ===

impl View {
    /// A printer for these options.
    pub(crate) fn new(options: Options) -> Self {
        let Options { output, color } = options;
        Self {
            format: output,
            stdout: Paint::new(color, io::stdout().is_terminal()),
            stderr: Paint::new(color, io::stderr().is_terminal()),
        }
    }

    /// Prints what a command has to say.
    pub(crate) fn output(&self, output: &Output) -> ExitCode {
        for warning in &output.warnings {
            to_stderr(&format!("{} {warning}\n", self.stderr.warning("warning:")));
        }
        let printed = output.report.render(self.format, self.stdout).map_err(Failure::from);
        match printed.and_then(|text| to_stdout(&text).map_err(Failure::from)) {
            Ok(()) => output.ending.into(),
            Err(failure) => self.failure(&failure),
        }
    }

    /// Prints what went wrong.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        let Failure { error, hint } = failure;
        let mut lines = vec![format!("{} {error}\n", self.stderr.error("error:"))];
        lines.extend(error.chain().skip(1).map(|cause| format!("  caused by: {cause}\n")));
        lines.extend(hint.iter().map(|hint| format!("{} {hint}\n", self.stderr.hint("hint:"))));
        to_stderr(&lines.concat());
        Ending::Failed.into()
    }
}

/// Prints help or a usage error, as clap tells them.
pub(crate) fn usage(told: &clap::Error) -> ExitCode {
    // Nothing is left to be told if even this fails.
    _ = told.print();
    if told.use_stderr() { Ending::Usage.into() } else { Ending::Ok.into() }
}

/// A reader that has seen enough, such as `head`, is no error.
fn to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn to_stderr(text: &str) {
    // There is no place left to tell that this failed.
    _ = io::stderr().lock().write_all(text.as_bytes());
}

//! How text looks: colour, width, columns.

use owo_colors::{OwoColorize, Style};
use tabled::builder::Builder;
use tabled::settings::{Padding, Style as Borders};

use crate::args::{Format, Options, When};

/// How text looks on one stream.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a choice of the user's, independent of the others"
)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    colors: bool,
    is_terminal: bool,
    headers: bool,
    /// Whether more columns are wanted.
    pub(crate) wide: bool,
    /// Columns of the terminal, if it is one.
    pub(crate) width: Option<usize>,
}

/// How a row stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It does not.
    None,
    /// It needs attention.
    Warning,
    /// Something is wrong with it.
    Error,
    /// It is beside the point.
    Faint,
}

// === impl Look ===

impl Look {
    /// The look these options give a stream. `--color` wins over the environment, where kubectl's rule for
    /// `NO_COLOR` holds: that it is there is enough.
    pub(crate) fn new(options: Options, is_terminal: bool) -> Self {
        let Options { output, no_headers, color } = options;
        let is_there = |name: &str| std::env::var_os(name).is_some();
        let is_on = |name: &str| std::env::var_os(name).is_some_and(|it| !it.is_empty() && it != "0");
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colors = match color {
            When::Always => true,
            When::Never => false,
            When::Auto if is_there("NO_COLOR") => false,
            When::Auto => is_on("CLICOLOR_FORCE") || is_on("FORCE_COLOR") || is_terminal && !is_dumb,
        };
        let size = if is_terminal { terminal_size::terminal_size() } else { None };
        let width = size.map(|(width, _)| usize::from(width.0));
        Self { colors, is_terminal, headers: !no_headers, wide: output == Format::Wide, width }
    }

    /// Whether there is colour.
    pub(crate) fn has_colors(self) -> bool {
        self.colors
    }

    /// Whether it is seen on a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        self.is_terminal
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

    /// What went wrong.
    pub(crate) fn error(self, text: &str) -> String {
        self.apply(text, Style::new().red().bold())
    }

    /// What may help.
    pub(crate) fn hint(self, text: &str) -> String {
        self.apply(text, Style::new().cyan())
    }

    /// What is beside the point.
    pub(crate) fn faint(self, text: &str) -> String {
        self.apply(text, Style::new().dimmed())
    }

    /// Lines above or below a table that say what it is of; none where heads are not wanted either.
    pub(crate) fn caption(self, text: &str) -> String {
        if !self.headers {
            return String::new();
        }
        let lines = text.lines().flat_map(|line| wrapped(line, self.width.unwrap_or(usize::MAX)));
        lines.map(|line| self.faint(&line) + "\n").collect()
    }

    fn apply(self, text: &str, style: Style) -> String {
        if self.colors { text.style(style).to_string() } else { text.to_owned() }
    }

    /// Columns as kubectl prints them, with the heads in bold. Colour comes after the widths are known, or it
    /// would count.
    pub(crate) fn columns<const N: usize>(self, heads: [&str; N], rows: Vec<[String; N]>) -> String {
        let heads = heads.map(str::to_owned).to_vec();
        self.table(heads, rows.into_iter().map(Vec::from).collect())
    }

    /// The same with rows that stand out.
    pub(crate) fn marked<const N: usize>(self, heads: [&str; N], rows: Vec<(Mark, [String; N])>) -> String {
        let (marks, rows): (Vec<Mark>, Vec<[String; N]>) = rows.into_iter().unzip();
        let text = self.columns(heads, rows);
        let heads = std::iter::once(Mark::None).filter(|_| self.headers);
        let lines = text.lines().zip(heads.chain(marks));
        let paint = |(line, mark): (&str, Mark)| match mark {
            Mark::None => format!("{line}\n"),
            Mark::Warning => self.warning(line) + "\n",
            Mark::Error => self.error(line) + "\n",
            Mark::Faint => self.faint(line) + "\n",
        };
        lines.map(paint).collect()
    }

    /// The same as [`Self::columns`] where the number of columns is not known beforehand.
    pub(crate) fn table(self, heads: Vec<String>, rows: Vec<Vec<String>>) -> String {
        let mut table = Builder::with_capacity(rows.len() + 1, heads.len());
        if self.headers {
            table.push_record(heads);
        }
        for row in rows {
            table.push_record(row.iter().map(|cell| plain(cell)));
        }
        let text = table.build().with(Borders::empty()).with(Padding::new(0, 3, 0, 0)).to_string();
        let mut lines = text.lines().map(str::trim_end);
        let head = if self.headers { lines.next().map(|head| self.strong(head)) } else { None };
        head.into_iter().chain(lines.map(str::to_owned)).map(|line| line + "\n").collect()
    }
}

/// The text without what would steer a terminal: names and labels come from others.
pub(crate) fn plain(text: &str) -> String {
    let is_control = |it: char| it.is_control() && it != '\n' && it != '\t';
    if !text.contains(is_control) {
        return text.to_owned();
    }
    text.chars()
        .map(|it| if is_control(it) { it.escape_default().to_string() } else { it.to_string() })
        .collect()
}

/// The line in lines of this width, broken at spaces.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in line.split(' ') {
        let Some(last) = lines.last_mut() else { continue };
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrapped("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrapped("long-word b", 4), ["long-word", "b"]);
        assert_eq!(wrapped("a  b", 80), ["a  b"]);
    }
}

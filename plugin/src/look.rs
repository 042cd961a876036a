//! How text looks: colour, width, columns.

use console::measure_text_width;
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

/// Between columns.
const GAP: usize = 3;
/// Less than this is too little for text.
const LEAST: usize = 24;

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
        let lines = text.lines().flat_map(|line| wrapped(line, self.width.unwrap_or(usize::MAX), 0));
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
        let heads = heads.map(str::to_owned).to_vec();
        let lines = self.lines(heads, rows.into_iter().map(Vec::from).collect());
        let heads = std::iter::once(Mark::None).filter(|_| self.headers);
        let paint = |(line, mark): (String, Mark)| match mark {
            Mark::None => line + "\n",
            Mark::Warning => self.warning(&line) + "\n",
            Mark::Error => self.error(&line) + "\n",
            Mark::Faint => self.faint(&line) + "\n",
        };
        lines.into_iter().zip(heads.chain(marks)).map(paint).collect()
    }

    /// The same as [`Self::columns`] where the number of columns is not known beforehand.
    pub(crate) fn table(self, heads: Vec<String>, rows: Vec<Vec<String>>) -> String {
        self.lines(heads, rows).into_iter().map(|line| line + "\n").collect()
    }

    /// A line for the heads, if they are wanted, and one a row; on a terminal that is too narrow for the last column a
    /// line is several.
    fn lines(self, heads: Vec<String>, rows: Vec<Vec<String>>) -> Vec<String> {
        let mut table = Builder::with_capacity(rows.len() + 1, heads.len());
        let last = heads.len().saturating_sub(1);
        let mut widths = vec![0; heads.len()];
        let mut push = |cells: Vec<String>| {
            for (width, cell) in widths.iter_mut().zip(&cells) {
                *width = cell.chars().count().max(*width);
            }
            table.push_record(cells);
        };
        if self.headers {
            push(heads);
        }
        for row in rows {
            push(row.iter().map(|cell| plain(cell)).collect());
        }
        let text = table.build().with(Borders::empty()).with(Padding::new(0, GAP, 0, 0)).to_string();
        let hang: usize = widths.iter().take(last).map(|width| width + GAP).sum();
        // Where too little is left beside the others it goes on below them.
        let is_narrow = self.width.is_some_and(|width| (hang..hang + LEAST).contains(&width));
        let hang = if is_narrow { GAP } else { hang };
        let mut lines = text.lines().map(|line| self.fold(line.trim_end(), hang));
        let head = if self.headers { lines.next().map(|head| self.strong(&head)) } else { None };
        head.into_iter().chain(lines).collect()
    }

    /// A line in lines that fit the terminal, all but the first of them indented by `hang`. Where there is no terminal,
    /// or too little of it, the line is left as it is.
    pub(crate) fn fold(self, line: &str, hang: usize) -> String {
        match self.width {
            Some(width) if width >= hang + LEAST && measure_text_width(line) > width => {
                let lines = wrapped(line, width, hang);
                let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
                lines.join(&format!("\n{:hang$}", ""))
            }
            Some(_) | None => line.to_owned(),
        }
    }

    /// The same of several lines of prose; those that are indented are laid out already.
    pub(crate) fn fold_all(self, text: &str) -> String {
        const HANG: usize = 2;
        let fold = |line: &str| if line.starts_with(' ') { line.to_owned() } else { self.fold(line, HANG) };
        text.split('\n').map(fold).collect::<Vec<_>>().join("\n")
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

/// The line in lines of this width, broken at spaces; all but the first are narrower by `hang`.
fn wrapped(line: &str, width: usize, hang: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let limit = if lines.len() <= 1 { width } else { width.saturating_sub(hang) };
        match lines.last_mut() {
            Some(last) if measure_text_width(last) + 1 + measure_text_width(word) <= limit => {
                last.push(' ');
                last.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrapped("a bc def", 4, 0), ["a bc", "def"]);
        assert_eq!(wrapped("long-word b", 4, 0), ["long-word", "b"]);
        assert_eq!(wrapped("a  b", 80, 0), ["a  b"]);
        assert_eq!(wrapped("  ab cd ef", 5, 2), ["  ab", "cd", "ef"]);
        assert_eq!(wrapped("ab \u{1b}[1mcd\u{1b}[0m ef", 5, 1), ["ab \u{1b}[1mcd\u{1b}[0m", "ef"]);
    }
    #[test]
    fn a_narrow_terminal_breaks_the_last_column_alone() {
        let options = Options { output: Format::Table, no_headers: false, color: When::Never };
        let look = Look { width: Some(40), ..Look::new(options, false) };
        let row = ["edge-1".to_owned(), "nothing makes it anew: it has no controller".to_owned()];
        let shown = "NODE     WHY\nedge-1   nothing makes it anew: it has\n         no controller\n";
        assert_eq!(look.columns(["NODE", "WHY"], vec![row.clone()]), shown);
        assert_eq!(look.marked(["NODE", "WHY"], vec![(Mark::Error, row.clone())]), shown);
        let narrower = Look { width: Some(20), ..look };
        assert_eq!(narrower.columns(["NODE", "WHY"], vec![row]).lines().count(), 2, "it would not help");
    }
}

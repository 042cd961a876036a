//! What can be wrong with a file.

use std::{fmt, io};

use crate::model::DelayError;

/// Which of the files it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputFile {
    /// The delay matrix.
    Matrix,
    /// The names of its rows.
    Metadata,
    /// The nodes.
    Nodes,
    /// The pods.
    Pods,
}

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in bytes.
    pub column: usize,
}

/// A file that can't be used.
#[derive(Debug)]
pub struct FileError {
    /// Which one.
    pub file: InputFile,
    /// Where in it, if the mistake is at one place.
    pub position: Option<Position>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It could not be read to its end.
    #[error("can't be read: {0}")]
    Read(io::Error),
    /// Nothing but white space is in it.
    #[error("is empty; it should hold {expected}")]
    Empty {
        /// What should be in it.
        expected: &'static str,
    },
    /// A cell of the matrix is no delay.
    #[error("{text:?} {error}{}", advice(text))]
    NotADelay {
        /// The cell, shortened if it is long.
        text: String,
        /// What is wrong.
        error: DelayError,
    },
    /// A line of the matrix that no matrix of use can have.
    #[error("the line is longer than {limit} bytes; write one row of the matrix a line")]
    LongLine {
        /// The limit.
        limit: usize,
    },
    /// A blank line has rows after it.
    #[error("the line is blank; only the end of the matrix may have blank lines")]
    BlankRow,
    /// A row is longer or shorter than the first.
    #[error("the row has {values} values, but the first has {columns}; all rows must have the same number")]
    Ragged {
        /// How many values it has.
        values: usize,
        /// How many the first row has.
        columns: usize,
    },
    /// The matrix is wider than high.
    #[error("the matrix ends after {rows} of {columns} rows; it must be square")]
    TooFewRows {
        /// How many rows it has.
        rows: usize,
        /// How many it should have.
        columns: usize,
    },
    /// The matrix is higher than wide.
    #[error("row {} is more than the {columns} columns of the matrix; it must be square", .columns + 1)]
    TooManyRows {
        /// How many columns it has.
        columns: usize,
    },
    /// It is no JSON, or JSON of another form.
    #[error("{0}")]
    Json(String),
    /// The object is there, but it has no entry.
    #[error("names no node; write {{\"<node name>\": <row index>, …}}")]
    NoNames,
    /// A key of the JSON object is there twice, and JSON readers would take the last silently.
    #[error("{name:?} is there twice; each node has one row")]
    RepeatedKey {
        /// The name.
        name: String,
    },
    /// The value of a name is no row index.
    #[error("{name:?}: {value} is no row index; give a whole number, 0 for the first row")]
    NotAnIndex {
        /// The node.
        name: String,
        /// What stands there, as JSON.
        value: String,
    },
    /// Two nodes share a row.
    #[error("{second:?} has row index {idx}, but so has {first:?}; each node has its own row")]
    SharedIndex {
        /// The node that has the row.
        first: String,
        /// The node that claims it too.
        second: String,
        /// The row.
        idx: usize,
    },
    /// A row that the matrix doesn't have.
    #[error("{name:?} has row index {idx}, but the matrix has {rows} rows; the last is {}", .rows.saturating_sub(1))]
    OutOfRange {
        /// The node.
        name: String,
        /// The row.
        idx: usize,
        /// How many rows the matrix has.
        rows: usize,
    },
    /// Two nodes of one name.
    #[error("node {name:?} is there twice; names must be unique over all files")]
    RepeatedNode {
        /// The name.
        name: String,
    },
    /// A value of a field that can't be used.
    #[error("{object}: {field} {problem}")]
    Field {
        /// The object, such as `node "edge-1"`.
        object: String,
        /// The field's path.
        field: String,
        /// What is wrong and how to mend it.
        problem: String,
    },
    /// It is no YAML, or a manifest of another form.
    #[error("{0}")]
    Yaml(String),
    /// Two pods of one name.
    #[error("{object} is there twice; names must be unique over all files")]
    RepeatedWorkload {
        /// The object.
        object: String,
    },
}

// === impl InputFile ===

impl fmt::Display for InputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Matrix => "delay matrix",
            Self::Metadata => "metadata",
            Self::Nodes => "nodes",
            Self::Pods => "pods",
        })
    }
}

// === impl FileError ===

impl FileError {
    pub(super) fn whole(file: InputFile, problem: Problem) -> Self {
        Self { file, position: None, problem }
    }

    pub(super) fn at(file: InputFile, line: usize, column: usize, problem: Problem) -> Self {
        Self { file, position: Some(Position { line, column }), problem }
    }

    /// An error of `serde_json`, told as a problem unless the visitor left a better one.
    pub(super) fn json(file: InputFile, error: &serde_json::Error, told: Option<Problem>) -> Self {
        let text = error.to_string();
        // The position is appended to the message; it is told once, in front.
        let message = text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message);
        let problem = told.unwrap_or_else(|| Problem::Json(message.to_owned()));
        Self::at(file, error.line(), error.column().max(1), problem)
    }

    /// The message with the file's name in front, in the form that editors jump to:
    /// `delays.txt:3:17: "abc" is not a number of milliseconds`.
    pub fn within(&self, name: &str) -> String {
        match self.position {
            Some(Position { line, column }) => format!("{name}:{line}:{column}: {}", self.problem),
            None => format!("{name}: {}", self.problem),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.within(&self.file.to_string()))
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Read(error) => Some(error),
            _ => None,
        }
    }
}

/// The commonest mistake gets a word of advice.
fn advice(text: &str) -> &'static str {
    if text.contains([',', ';']) { "; separate the values with spaces" } else { "" }
}

//! What can be wrong with an object.

use std::fmt;

/// Why an object can't be used: which object, which of its fields, what is wrong and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name}: {field} {problem}")]
pub struct WireError {
    /// `pod` or `node`.
    pub kind: &'static str,
    /// The object's name, with its namespace if it has one.
    pub name: String,
    /// The field's path, such as `spec.containers[0].resources.requests.cpu`.
    pub field: String,
    /// What is wrong with the field.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A field without which the object means nothing.
    #[error("is missing; every object has it")]
    Missing,
    /// An amount that can't be read.
    #[error("is {0:?}; write a decimal number with a suffix such as m, k, Mi, Gi or e3")]
    Quantity(String),
    /// An amount below zero.
    #[error("is {0:?}; an amount must be 0 or more")]
    Negative(String),
    /// A number that is out of range.
    #[error("is {value}; it must be from {least} to {most}")]
    Range {
        /// The number.
        value: i64,
        /// The least that is valid.
        least: i64,
        /// The greatest that is valid.
        most: i64,
    },
    /// A list of values that the operator beside it has to have, or can't have.
    #[error("{}", if *.wanted { "is empty; In and NotIn list at least one value" } else { "lists values; Exists and DoesNotExist have none" })]
    Values {
        /// Whether there have to be some.
        wanted: bool,
    },
    /// A word that the API doesn't know.
    #[error("is {value:?}; it must be one of {valid}")]
    Word {
        /// The word.
        value: String,
        /// Those that are valid.
        valid: &'static str,
    },
}

/// A problem and the path to it, seen from the part that is being read.
#[derive(Debug)]
pub(super) struct Fault {
    path: String,
    problem: Problem,
}

// === impl Problem ===

impl Problem {
    /// Checks that `value` is from `least` to `most`.
    pub(super) fn check_range(value: i64, least: i64, most: i64) -> Result<i64, Self> {
        if (least..=most).contains(&value) { Ok(value) } else { Err(Self::Range { value, least, most }) }
    }

    pub(super) fn word(value: &str, valid: &'static str) -> Self {
        Self::Word { value: value.to_owned(), valid }
    }

    pub(super) fn at(self, path: impl Into<String>) -> Fault {
        Fault { path: path.into(), problem: self }
    }
}

// === impl Fault ===

impl Fault {
    /// The same fault, seen from the part that holds this one at `parent`.
    pub(super) fn under(self, parent: fmt::Arguments<'_>) -> Self {
        Self { path: format!("{parent}.{}", self.path), problem: self.problem }
    }

    pub(super) fn of(self, kind: &'static str, name: String) -> WireError {
        WireError { kind, name, field: self.path, problem: self.problem }
    }
}

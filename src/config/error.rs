//! What can be wrong with a configuration, in upstream's words
//! (`apimachinery/pkg/util/validation/field/errors.go`).

use std::fmt;

use edge_core::placement::ProfileError;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is no YAML, or says something twice.
    #[error("strict decoding error: {0}")]
    Syntax(String),
    /// It is no KubeSchedulerConfiguration of a known version.
    #[error("{0}")]
    Kind(String),
    /// It has fields that don't exist or hold something else.
    #[error("strict decoding error: {}", .0.join(", "))]
    Decoding(Vec<String>),
    /// Fields hold what they can't.
    #[error(transparent)]
    Invalid(#[from] FieldErrors),
    /// A profile can't be set up.
    #[error("initializing profiles: creating profile for scheduler name {scheduler_name}: {why}")]
    Profile {
        /// The profile.
        scheduler_name: String,
        /// Why not.
        why: ProfileError,
    },
}

/// Where a field is, such as `profiles[0].schedulerName`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    path: Path,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Invalid(String, String),
    Required(String),
    Duplicate(String),
    Unsupported(String, Vec<&'static str>),
    Forbidden(String),
}

/// All that is wrong with the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<FieldError>);

// === impl Path ===

impl Path {
    /// A field of the whole.
    pub fn new(field: &str) -> Self {
        Self(field.to_owned())
    }

    /// A field of this one.
    #[must_use]
    pub fn child(&self, field: &str) -> Self {
        if self.0.is_empty() { Self::new(field) } else { Self(format!("{}.{field}", self.0)) }
    }

    /// An element of this list.
    #[must_use]
    pub fn index(&self, idx: usize) -> Self {
        Self(format!("{}[{idx}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl FieldError ===

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.problem {
            Problem::Invalid(value, detail) => write!(f, "Invalid value: {value}: {detail}"),
            Problem::Required(detail) if detail.is_empty() => f.write_str("Required value"),
            Problem::Required(detail) => write!(f, "Required value: {detail}"),
            Problem::Duplicate(value) => write!(f, "Duplicate value: {value}"),
            Problem::Unsupported(value, valid) => {
                let valid: Vec<String> = valid.iter().map(|it| format!("{it:?}")).collect();
                write!(f, "Unsupported value: {value}: supported values: {}", valid.join(", "))
            }
            Problem::Forbidden(detail) => write!(f, "Forbidden: {detail}"),
        }
    }
}

// === impl FieldErrors ===

impl FieldErrors {
    /// The field holds `value`, which it can't.
    pub fn invalid(&mut self, path: Path, value: impl serde::Serialize, detail: impl Into<String>) {
        self.add(path, Problem::Invalid(shown(value), detail.into()));
    }

    /// The field is missing.
    pub fn required(&mut self, path: Path, detail: &str) {
        self.add(path, Problem::Required(detail.to_owned()));
    }

    /// The field holds what another one holds.
    pub fn duplicate(&mut self, path: Path, value: impl serde::Serialize) {
        self.add(path, Problem::Duplicate(shown(value)));
    }

    /// The field holds none of the values that it can.
    pub fn unsupported(&mut self, path: Path, value: impl serde::Serialize, valid: &[&'static str]) {
        self.add(path, Problem::Unsupported(shown(value), valid.to_vec()));
    }

    /// The field may not be there.
    pub fn forbidden(&mut self, path: Path, detail: &str) {
        self.add(path, Problem::Forbidden(detail.to_owned()));
    }

    fn add(&mut self, path: Path, problem: Problem) {
        self.0.push(FieldError { path, problem });
    }

    /// Whether something is wrong.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

/// A value as upstream shows it, which is as JSON.
fn shown(value: impl serde::Serialize) -> String {
    serde_json::to_string(&value).unwrap_or_default()
}

/// Several errors stand in brackets, each distinct one once (upstream: `utilerrors.Aggregate`).
impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts: Vec<String> = Vec::new();
        for text in self.0.iter().map(ToString::to_string) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        match &texts[..] {
            [text] => f.write_str(text),
            texts => write!(f, "[{}]", texts.join(", ")),
        }
    }
}

impl std::error::Error for FieldErrors {}

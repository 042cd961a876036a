//! Where delays come from, as it is configured.

use std::path::PathBuf;
use std::time::Duration;

/// Where delays come from. Several may run; which goes before which is the core's rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The probe agents of the nodes, by their `NodeDelays`.
    Probe,
    /// A matrix and its metadata, in the BME formats.
    File(FileSource),
    /// Goldpinger, which is asked again and again.
    Goldpinger(GoldpingerSource),
}

/// A delay matrix and its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSource {
    /// The matrix: round-trip times in ms.
    pub matrix: PathBuf,
    /// The metadata: node name to row.
    pub metadata: PathBuf,
}

/// How Goldpinger is found and asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldpingerSource {
    /// The namespace of its pods; empty for all.
    pub namespace: String,
    /// Their labels, as a selector.
    pub selector: String,
    /// The port they serve.
    pub port: u16,
    /// How often it is asked.
    pub every: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

//! Arguments of NetworkDelay.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Args;
use crate::config::error::{FieldErrors, Path};
use crate::delays::{FileSource, Source};

/// Where delays come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NetworkDelayArgs {
    /// In order of precedence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceArgs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_after: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hysteresis: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor_grace: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Value>,
}

/// A source; one of the fields is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct SourceArgs {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileArgs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goldpinger: Option<Value>,
}

/// The files of the BME edge scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FileArgs {
    delay_matrix: PathBuf,
    metadata: PathBuf,
}

const NOT_YET: &str = "this version does not measure delays; remove it and give a source `file`";

impl Args for NetworkDelayArgs {
    const PLUGIN: &'static str = "NetworkDelay";

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        let measured = [
            ("statistic", &self.statistic),
            ("staleAfter", &self.stale_after),
            ("hysteresis", &self.hysteresis),
            ("anchorGrace", &self.anchor_grace),
            ("layers", &self.layers),
        ];
        for (field, _) in measured.into_iter().filter(|(_, value)| value.is_some()) {
            errors.forbidden(path.child(field), NOT_YET);
        }
        for (idx, source) in self.sources.iter().enumerate() {
            source.validate(idx, &path.child("sources").index(idx), errors);
        }
    }

    fn delays(&self) -> Option<Source> {
        let FileArgs { delay_matrix, metadata } = self.sources.first()?.file.clone()?;
        Some(Source::File(FileSource { matrix: delay_matrix, metadata }))
    }
}

// === impl SourceArgs ===

impl SourceArgs {
    fn validate(&self, idx: usize, path: &Path, errors: &mut FieldErrors) {
        for (field, _) in
            [("probe", &self.probe), ("goldpinger", &self.goldpinger)].into_iter().filter(|it| it.1.is_some())
        {
            errors.forbidden(path.child(field), NOT_YET);
        }
        if idx > 0 {
            errors.forbidden(path.clone(), "this version reads delays from one source");
        }
        match &self.file {
            Some(file) => {
                let path = path.child("file");
                let files = [("delayMatrix", &file.delay_matrix), ("metadata", &file.metadata)];
                for (field, _) in files.into_iter().filter(|(_, file)| file.as_os_str().is_empty()) {
                    errors.required(path.child(field), "the path of a file");
                }
            }
            None if self.probe.is_none() && self.goldpinger.is_none() => {
                errors.required(path.child("file"), "a source is `file`");
            }
            None => (),
        }
    }
}

//! Arguments of VolumeBinding.

use std::time::Duration;

use edge_core::placement::Plugin;
use edge_core::placement::plugins::volume_binding::VolumeBinding;
use serde::{Deserialize, Serialize};

use super::Args;
use super::shape::Point;
use crate::error::{FieldErrors, Path};

/// How long is waited for volumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct VolumeBindingArgs {
    bind_timeout_seconds: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<Vec<Point>>,
}

// === impl VolumeBindingArgs ===

impl Default for VolumeBindingArgs {
    fn default() -> Self {
        Self { bind_timeout_seconds: 600, shape: None }
    }
}

impl Args for VolumeBindingArgs {
    const PLUGIN: &'static str = "VolumeBinding";

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if self.bind_timeout_seconds < 0 {
            let detail = "invalid BindTimeoutSeconds, should not be a negative value";
            errors.invalid(path.child("bindTimeoutSeconds"), self.bind_timeout_seconds, detail);
        }
        if let Some(shape) = &self.shape {
            let detail =
                "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring";
            errors.invalid(path.child("shape"), shape, detail);
        }
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        let bind_timeout = Duration::from_secs(self.bind_timeout_seconds.max(0).unsigned_abs());
        Some(Box::new(VolumeBinding { bind_timeout }))
    }
}

//! Arguments of `DynamicResources`.

use serde::{Deserialize, Serialize};

use super::Args;
use crate::duration::GoDuration;
use crate::error::{FieldErrors, Path};

/// How long is looked for devices and waited for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DynamicResourcesArgs {
    filter_timeout: GoDuration,
    binding_timeout: GoDuration,
}

// === impl DynamicResourcesArgs ===

impl Default for DynamicResourcesArgs {
    fn default() -> Self {
        Self { filter_timeout: GoDuration::from_secs(10), binding_timeout: GoDuration::from_secs(600) }
    }
}

impl Args for DynamicResourcesArgs {
    const PLUGIN: &'static str = "DynamicResources";

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if self.filter_timeout < GoDuration::default() {
            errors.invalid(path.child("filterTimeout"), self.filter_timeout, "must be zero or positive");
        }
        if self.binding_timeout < GoDuration::from_secs(1) {
            errors.invalid(path.child("bindingTimeout"), self.binding_timeout, "must be at least 1 second");
        }
    }
}

//! `clientConnection` (upstream: `component-base/config/v1alpha1`, `config/validation`).

use serde::{Deserialize, Serialize};

use super::error::{FieldErrors, Path};

/// How the API server is spoken to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClientConnectionConfiguration {
    /// A kubeconfig file; empty for the service account of the pod or the user's kubeconfig.
    pub kubeconfig: String,
    /// Accepted; JSON is asked for.
    pub accept_content_types: String,
    /// Accepted; JSON is sent.
    pub content_type: String,
    /// How many requests a second are sent in the long run; below 0 there is no limit.
    pub qps: f32,
    /// How many requests may be sent at once.
    pub burst: i32,
}

// === impl ClientConnectionConfiguration ===

impl Default for ClientConnectionConfiguration {
    fn default() -> Self {
        Self {
            kubeconfig: String::new(),
            accept_content_types: String::new(),
            content_type: "application/vnd.kubernetes.protobuf".to_owned(),
            qps: 50.0,
            burst: 100,
        }
    }
}

impl ClientConnectionConfiguration {
    /// What was set to nothing is what it is by default.
    pub(super) fn complete(&mut self) {
        let default = Self::default();
        if self.content_type.is_empty() {
            self.content_type = default.content_type;
        }
        if self.qps == 0.0 {
            self.qps = default.qps;
        }
        if self.burst == 0 {
            self.burst = default.burst;
        }
    }

    pub(super) fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if self.burst < 0 {
            errors.invalid(path.child("burst"), self.burst, "must be non-negative");
        }
    }
}

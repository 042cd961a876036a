//! Arguments of CloudOffload.

use std::collections::BTreeMap;

use edge_core::placement::Plugin;
use edge_core::placement::plugins::cloud_offload::{CloudOffload, CloudOffloadMode};
use serde::{Deserialize, Serialize};

use super::{Args, Context};
use crate::error::{FieldErrors, Path};
use crate::names;

/// Whether pods without a delay constraint go to cloud nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CloudOffloadArgs {
    mode: String,
    /// The labels of a cloud node.
    node_selector: BTreeMap<String, String>,
}

impl Args for CloudOffloadArgs {
    const PLUGIN: &'static str = "CloudOffload";

    fn complete(&mut self, profile: &Context<'_>) {
        if self.mode.is_empty() {
            let mode = match CloudOffloadMode::default_of_profile(profile.scheduler_name) {
                // Who names the plugin wants it to do something.
                CloudOffloadMode::Disabled if profile.enabled => CloudOffloadMode::Preferred,
                mode => mode,
            };
            mode.name().clone_into(&mut self.mode);
        }
        if self.node_selector.is_empty() {
            let (key, value) = CloudOffload::DEFAULT_LABEL;
            self.node_selector.insert(key.to_owned(), value.to_owned());
        }
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if CloudOffloadMode::from_name(&self.mode).is_none() {
            errors.unsupported(
                path.child("mode"),
                &self.mode,
                &CloudOffloadMode::ALL.map(CloudOffloadMode::name),
            );
        }
        names::validate_labels(&self.node_selector, &path.child("nodeSelector"), errors);
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        Some(Box::new(CloudOffload {
            mode: CloudOffloadMode::from_name(&self.mode)?,
            node_selector: self.node_selector.iter().map(|(key, value)| (&**key, &**value)).collect(),
        }))
    }
}

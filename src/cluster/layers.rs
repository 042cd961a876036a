//! The ConfigMap in which layers are published.

use std::collections::BTreeMap;
use std::time::Duration;

use edge_api::PublishedLayers;
use edge_api::names::{LAYERS, LAYERS_KEY, NAMESPACE, SCHEDULER_MANAGER};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::ObjectMeta;

use super::answer::within;
use super::node_delays::Written;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where layers are published.
pub struct LayerStore {
    api: Api<ConfigMap>,
}

// === impl LayerStore ===

impl LayerStore {
    /// That of an installation. Nothing is sent yet.
    pub fn new(client: kube::Client) -> Self {
        Self { api: Api::namespaced(client, NAMESPACE) }
    }

    /// Writes them; the ConfigMap is made if it is not there.
    pub async fn publish(&self, layers: &PublishedLayers) -> Written {
        let text = match serde_json::to_string(layers) {
            Ok(text) => text,
            Err(error) => return Written::Refused(error.to_string()),
        };
        let labels = BTreeMap::from([("app.kubernetes.io/part-of".to_owned(), "edge-scheduler".to_owned())]);
        let metadata =
            ObjectMeta { name: Some(LAYERS.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
        let data = Some(BTreeMap::from([(LAYERS_KEY.to_owned(), text)]));
        let object = ConfigMap { metadata, data, ..ConfigMap::default() };
        let params = PatchParams::apply(SCHEDULER_MANAGER).force();
        Written::of(within(TIMEOUT, self.api.patch(LAYERS, &params, &Patch::Apply(object))).await)
    }
}

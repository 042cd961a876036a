//! Nodes as data.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::state::push;

/// A `Node` object as it will be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Node(pub Value);

/// A node of this name with 4 processors, 8 GiB of memory, 20 GiB of storage and room for 110 pods. Like every real
/// node it has its host name as a label.
pub fn node(name: &str) -> Node {
    let node = Node(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
    }));
    let node =
        node.label("kubernetes.io/hostname", name).allocatable("cpu", "4").allocatable("memory", "8Gi");
    node.allocatable("ephemeral-storage", "20Gi").allocatable("pods", "110")
}

// === impl Node ===

impl Node {
    /// Its name.
    pub fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.0["metadata"]["labels"][key] = value.into();
        self
    }

    /// Adds a taint with an effect such as `NoSchedule`.
    #[must_use]
    pub fn taint(mut self, key: &str, value: &str, effect: &str) -> Self {
        push(&mut self.0["spec"]["taints"], json!({"key": key, "value": value, "effect": effect}));
        self
    }

    /// Declares a feature.
    #[must_use]
    pub fn declares(mut self, feature: &str) -> Self {
        push(&mut self.0["status"]["declaredFeatures"], feature.into());
        self
    }

    /// Cordons it. The taint that the node controller would add is not there, as in the first moment.
    #[must_use]
    pub fn cordoned(mut self) -> Self {
        self.0["spec"]["unschedulable"] = true.into();
        self
    }

    /// Sets how much of a resource pods may have.
    #[must_use]
    pub fn allocatable(mut self, resource: &str, quantity: &str) -> Self {
        self.0["status"]["allocatable"][resource] = quantity.into();
        self
    }

    /// Takes a resource away altogether, which differs from having 0 of it.
    #[must_use]
    pub fn without(mut self, resource: &str) -> Self {
        if let Some(amounts) = self.0["status"]["allocatable"].as_object_mut() {
            amounts.remove(resource);
        }
        self
    }

    /// Adds an image that is there already, under all of its names.
    #[must_use]
    pub fn image(mut self, names: &[&str], bytes: i64) -> Self {
        push(&mut self.0["status"]["images"], json!({"names": names, "sizeBytes": bytes}));
        self
    }
}

//! The shape of a fake node.

use crate::proc::Bytes;
use serde_json::{Map, Value, json};

/// A node to be made. Until told otherwise it has 4 processors, 8 GiB of memory and room for 110 pods.
#[derive(Clone, Debug)]
pub struct FakeNode {
    name: String,
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
    taints: Vec<Value>,
    allocatable: Map<String, Value>,
    capacity: Map<String, Value>,
    unschedulable: bool,
    images: Vec<Value>,
    addresses: Vec<Value>,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// None is bound to the node.
    NoSchedule,
    /// Other nodes are preferred.
    PreferNoSchedule,
    /// None is bound to the node and those on it are evicted.
    NoExecute,
}

// === impl FakeNode ===

impl FakeNode {
    /// A node with this name.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let mut node = Self {
            labels: Map::new(),
            annotations: Map::new(),
            taints: Vec::new(),
            allocatable: Map::new(),
            capacity: Map::new(),
            unschedulable: false,
            images: Vec::new(),
            addresses: Vec::new(),
            name: name.clone(),
        };
        for (key, value) in [
            ("kubernetes.io/hostname", name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
        ] {
            node = node.label(key, value);
        }
        node.cpu("4").memory("8Gi").pods(110)
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into().into());
        self
    }

    /// Sets an annotation.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into().into());
        self
    }

    /// Adds a taint.
    #[must_use]
    pub fn taint(mut self, key: &str, value: &str, effect: Effect) -> Self {
        self.taints.push(json!({"key": key, "value": value, "effect": format!("{effect:?}")}));
        self
    }

    /// Sets what is there of a resource, and as much is allocatable; extended resources have a domain, as in
    /// `example.com/gpu`.
    #[must_use]
    pub fn resource(mut self, name: impl Into<String>, quantity: impl Into<String>) -> Self {
        let (name, quantity) = (name.into(), Value::from(quantity.into()));
        self.capacity.insert(name.clone(), quantity.clone());
        self.allocatable.insert(name, quantity);
        self
    }

    /// Sets what pods may have of a resource, when that is less than what is there.
    #[must_use]
    pub fn allocatable(mut self, name: impl Into<String>, quantity: impl Into<String>) -> Self {
        self.allocatable.insert(name.into(), quantity.into().into());
        self
    }

    /// Sets the processors, e.g. `2` or `1500m`.
    #[must_use]
    pub fn cpu(self, quantity: impl Into<String>) -> Self {
        self.resource("cpu", quantity)
    }

    /// Sets the memory, e.g. `8Gi`.
    #[must_use]
    pub fn memory(self, quantity: impl Into<String>) -> Self {
        self.resource("memory", quantity)
    }

    /// Sets the number of pods there is room for.
    #[must_use]
    pub fn pods(self, count: u32) -> Self {
        self.resource("pods", count.to_string())
    }

    /// Cordons it.
    #[must_use]
    pub fn unschedulable(mut self) -> Self {
        self.unschedulable = true;
        self
    }

    /// Adds an image that the node has already.
    #[must_use]
    pub fn image(mut self, name: &str, size: Bytes) -> Self {
        self.images.push(json!({"names": [name], "sizeBytes": size.0}));
        self
    }

    /// Adds an address in the cluster, which nobody answers at.
    #[must_use]
    pub fn internal_ip(mut self, address: &str) -> Self {
        self.addresses.push(json!({"type": "InternalIP", "address": address}));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own, and the one that the controller manager would add to a cordoned node a moment later.
    pub(crate) fn all_taints(&self) -> Vec<Value> {
        let cordon = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
        self.taints.iter().cloned().chain(self.unschedulable.then_some(cordon)).collect()
    }

    /// The `Node` object, Ready as if a kubelet had said so. KWOK would do it node by node, and the controller manager
    /// would meanwhile taint those that wait.
    pub(crate) fn object(&self) -> Value {
        let Self {
            name,
            labels,
            annotations,
            taints: _,
            allocatable,
            capacity,
            unschedulable,
            images,
            addresses,
        } = self;
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "spec": {"unschedulable": unschedulable, "taints": self.all_taints()},
            "status": {
                // KWOK sends heartbeats for running nodes.
                "phase": "Running",
                "capacity": capacity,
                "allocatable": allocatable,
                "images": images,
                "addresses": addresses,
                "conditions": [condition("True", "KubeletReady")],
            },
        })
    }
}

/// The condition by which a kubelet says whether it is well.
pub(crate) fn condition(status: &str, reason: &str) -> Value {
    json!({"type": "Ready", "status": status, "reason": reason, "message": ""})
}

//! Cluster states as data.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bed::NODE_LABEL;
use crate::{Error, Node, Object, Pod, Storage, pod};

/// A cluster and a pod to judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterState {
    /// The nodes, in the order in which they are made.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// Claims, volumes and what else there is of storage, in the order in which it is made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<Storage>,
    /// Other objects that pods are judged by, made before all others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Object>,
    /// Pods that are placed already, in the order in which they are made.
    #[serde(default)]
    pub placed: Vec<Pod>,
    /// The pod to judge.
    pub pod: Pod,
}

/// A cluster of these nodes and a pod that requests nothing.
pub fn state(nodes: impl IntoIterator<Item = Node>) -> ClusterState {
    ClusterState {
        nodes: nodes.into_iter().collect(),
        storage: Vec::new(),
        objects: Vec::new(),
        placed: Vec::new(),
        pod: pod(),
    }
}

/// Appends to a list, which is made if it is not there.
pub(crate) fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        other => *other = Value::Array(vec![item]),
    }
}

// === impl ClusterState ===

impl ClusterState {
    /// Adds a pod that is placed on this node.
    #[must_use]
    pub fn placed(mut self, node: &str, pod: Pod) -> Self {
        self.placed.push(pod.with("nodeName", node.into()));
        self
    }

    /// Adds objects of storage.
    #[must_use]
    pub fn storage(mut self, objects: impl IntoIterator<Item = Storage>) -> Self {
        self.storage.extend(objects);
        self
    }

    /// Adds an object.
    #[must_use]
    pub fn object(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    /// Sets the pod to judge.
    #[must_use]
    pub fn pod(mut self, pod: Pod) -> Self {
        self.pod = pod;
        self
    }

    /// The same cluster with the pod pinned to this node, so that the verdict tells whether the node is feasible.
    #[must_use]
    pub fn pinned_to(&self, node: &str) -> Self {
        // A selector, because it holds beside any affinity; terms are alternatives.
        Self { pod: self.pod.clone().select(NODE_LABEL, node), ..self.clone() }
    }

    /// The state as YAML, from which it can be read again.
    pub fn to_yaml(&self) -> String {
        serde_yaml::to_string(self).unwrap_or_else(|error| error.to_string())
    }

    /// Reads a state from YAML.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|error| Error::File(path.display().to_string(), error))?;
        Ok(serde_yaml::from_str(&text)?)
    }
}

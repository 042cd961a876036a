//! Other objects that pods are judged by, as data.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An object of one of the kinds in `KINDS`, as it will be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(pub Value);

/// The kinds that a state may have: where each is, and under which plural.
const KINDS: [(&str, &str, &str); 5] = [
    ("Namespace", "/api/v1", "namespaces"),
    ("Service", "/api/v1/namespaces/default", "services"),
    ("ReplicationController", "/api/v1/namespaces/default", "replicationcontrollers"),
    ("ReplicaSet", "/apis/apps/v1/namespaces/default", "replicasets"),
    ("StatefulSet", "/apis/apps/v1/namespaces/default", "statefulsets"),
];

/// A namespace with these labels beside its name.
pub fn namespace(name: &str, labels: &[(&str, &str)]) -> Object {
    object("v1", "Namespace", name, json!({})).with("metadata", "labels", map(labels))
}

/// A Service of the pods with these labels; with none, of no pods.
pub fn service(name: &str, labels: &[(&str, &str)]) -> Object {
    let selector = if labels.is_empty() { Value::Null } else { map(labels) };
    let ports = json!([{"port": 80}]);
    object("v1", "Service", name, json!({"clusterIP": "None", "selector": selector, "ports": ports}))
}

/// A ReplicationController of the pods with these labels. Nobody plays the controller.
pub fn replication_controller(name: &str, labels: &[(&str, &str)]) -> Object {
    let spec = json!({"replicas": 0, "selector": map(labels), "template": template(labels)});
    object("v1", "ReplicationController", name, spec)
}

/// A ReplicaSet of the pods with these labels. Nobody plays the controller.
pub fn replica_set(name: &str, labels: &[(&str, &str)]) -> Object {
    let selector = json!({"matchLabels": map(labels)});
    let spec = json!({"replicas": 0, "selector": selector, "template": template(labels)});
    object("apps/v1", "ReplicaSet", name, spec)
}

/// A StatefulSet of the pods with these labels. Nobody plays the controller.
pub fn stateful_set(name: &str, labels: &[(&str, &str)]) -> Object {
    let selector = json!({"matchLabels": map(labels)});
    let spec =
        json!({"replicas": 0, "serviceName": name, "selector": selector, "template": template(labels)});
    object("apps/v1", "StatefulSet", name, spec)
}

fn object(version: &str, kind: &str, name: &str, spec: Value) -> Object {
    let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}});
    object["spec"] = spec;
    Object(object)
}

fn template(labels: &[(&str, &str)]) -> Value {
    let container = json!({"name": "main", "image": "example.com/app:1"});
    json!({"metadata": {"labels": map(labels)}, "spec": {"containers": [container]}})
}

/// Labels as an object.
pub(crate) fn map(labels: &[(&str, &str)]) -> Value {
    labels.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
}

// === impl Object ===

impl Object {
    /// Sets a field of a part of the object.
    #[must_use]
    pub fn with(mut self, part: &str, field: &str, value: Value) -> Self {
        self.0[part][field] = value;
        self
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Where it is created.
    pub(crate) fn collection(&self) -> String {
        let kind = KINDS.iter().find(|(kind, _, _)| *kind == self.kind());
        kind.map_or_else(String::new, |(_, parent, plural)| format!("{parent}/{plural}"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name())
    }
}

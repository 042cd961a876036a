//! What several tests need.

use controlplane::{ControlPlane, NODE_IMAGE, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

/// How long anything may take, on a machine that does something else as well.
pub(crate) const SOON: Duration = Duration::from_mins(2);

pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

pub(crate) fn run_pod(cluster: &ControlPlane, name: &str, node: &str) {
    let spec = json!({"nodeName": node, "containers": [{"name": "main", "image": NODE_IMAGE}]});
    cluster.client().create(PODS, &json!({"metadata": {"name": name}, "spec": spec})).unwrap();
}

/// Waits until an object is as wanted, and gives it.
pub(crate) fn wait(cluster: &ControlPlane, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let found = wait_for(path, SOON, || {
        last = cluster.client().get(path)?;
        Ok(wanted(&last).then(|| last.clone()))
    });
    found.unwrap_or_else(|error| panic!("{error}, last seen as {last:#}"))
}

pub(crate) fn condition(object: &Value, kind: &str) -> String {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition["type"] == kind);
    found.map_or_else(String::new, |found| found["status"].as_str().unwrap_or_default().to_owned())
}

pub(crate) fn ready_pod(cluster: &ControlPlane, name: &str) -> Value {
    wait(cluster, &format!("{PODS}/{name}"), |pod| condition(pod, "Ready") == "True")
}

pub(crate) fn exec(cluster: &ControlPlane, pod: &str, args: &[&str]) -> String {
    cluster.kubectl(&[&["exec", pod, "--", "/node"], args].concat()).unwrap()
}

pub(crate) fn address(pod: &Value) -> String {
    pod["status"]["podIP"].as_str().unwrap().to_owned()
}

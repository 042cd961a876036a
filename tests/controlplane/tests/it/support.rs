//! What several tests need.

use controlplane::{Client, Error, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

/// No test waits longer for one thing, on a machine that does something else as well.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// A pod of one container; `spec` is merged into its spec.
pub(crate) fn pod(name: &str, spec: &Value) -> Value {
    let mut all = json!({"containers": [{"name": "main", "image": "example.com/none"}]});
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": all})
}

pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

pub(crate) fn await_running(client: &Client, pod: &str) -> Value {
    await_object(client, &format!("{PODS}/{pod}"), |pod| pod["status"]["phase"] == "Running")
}

/// Waits until an object is as wanted, and gives it.
pub(crate) fn await_object(client: &Client, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let found = wait_for(path, SOON, || {
        last = client.get(path)?;
        Ok(wanted(&last).then(|| last.clone()))
    });
    found.unwrap_or_else(|error| panic!("{error}, last seen as {last:#}"))
}

pub(crate) fn status_of<T: std::fmt::Debug>(outcome: Result<T, Error>) -> u16 {
    match outcome {
        Err(Error::Refused { status, .. }) => status,
        other => panic!("not refused: {other:?}"),
    }
}

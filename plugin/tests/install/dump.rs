//! Everything that the API server has, without what it writes of itself as time goes by.

use std::collections::BTreeMap;

use controlplane::wait_for;
use serde_json::Value;

use crate::bed::{Bed, DEADLINE};

/// Written by the server, and other each time.
const METADATA: [&str; 5] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"];
/// Kinds that tell what happened, or how things are just now.
const PASSING: [&str; 4] =
    ["events", "events.events.k8s.io", "componentstatuses", "leases.coordination.k8s.io"];

/// Objects by kind, namespace and name.
pub(crate) type Dump = BTreeMap<String, Value>;

/// Everything that there is, once the controllers have made what they make of themselves.
pub(crate) fn settled(bed: &Bed) -> Dump {
    let mut last = Dump::new();
    let is_settled = || {
        let now = dump(bed);
        let is_settled = now == last;
        last = now;
        Ok(is_settled.then(|| last.clone()))
    };
    wait_for("a cluster in which nothing happens", DEADLINE, is_settled).unwrap()
}

/// Everything that there is.
pub(crate) fn dump(bed: &Bed) -> Dump {
    let names = bed.kubectl(&["api-resources", "--verbs=list", "-o", "name"], "");
    assert_eq!(names.code, 0, "{}", names.stderr);
    let kinds: Vec<&str> = names.stdout.lines().filter(|name| !PASSING.contains(name)).collect();
    let said = bed.kubectl(&["get", &kinds.join(","), "-A", "-o", "json"], "");
    assert_eq!(said.code, 0, "{}", said.stderr);
    let list: Value = serde_json::from_str(&said.stdout).unwrap();
    list["items"].as_array().unwrap().iter().map(steady).collect()
}

fn steady(object: &Value) -> (String, Value) {
    let mut object = object.clone();
    for field in METADATA {
        object["metadata"].as_object_mut().unwrap().remove(field);
    }
    // KWOK's nodes send heartbeats, and a workload counts its generations.
    object.as_object_mut().unwrap().remove("status");
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let key = format!("{} {}/{}", object["kind"], text("namespace"), text("name"));
    (key, object)
}

/// Where two dumps differ.
pub(crate) fn differences(before: &Dump, after: &Dump) -> Vec<String> {
    let keys = before.keys().chain(after.keys());
    let differs = |key: &&String| before.get(*key) != after.get(*key);
    let mut found: Vec<String> = keys
        .filter(differs)
        .map(|key| format!("{key}: {:?} became {:?}", before.get(key), after.get(key)))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

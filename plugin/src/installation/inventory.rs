//! What there is of an installation in a cluster, whatever it was installed by, and what depends on it.

use std::collections::{BTreeMap, BTreeSet};

use edge_api::names::{
    NAMESPACE, PLUGIN_MANAGER, PROBE_KEY, PROBE_MANAGER, SCHEDULER, SCHEDULER_CONFIG, SCHEDULER_MANAGER,
};
use kube::Error;
use serde_json::{Value, json};

use super::manifests::{DEFAULT_PROFILE, OWN_PROFILE, PART_OF, profiles};
use super::object::{KINDS, Kind, Object};
use super::store::Store;

/// Labels that the plugin gave a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeLabels {
    /// The node.
    pub(crate) node: String,
    /// The labels' keys.
    pub(crate) keys: Vec<String>,
}

/// A workload whose pods ask for one of our profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependent {
    /// Such as `deployment default/video`.
    pub(crate) shown: String,
    /// Where it is.
    pub(crate) path: String,
    /// Where its pods' specification is in it; none for a pod, which can't be changed.
    pub(crate) pod_spec: Option<&'static str>,
}

/// A kind of objects with pods' specifications in them.
struct Workloads {
    name: &'static str,
    path: &'static str,
    pod_spec: Option<&'static str>,
}

const WORKLOADS: [Workloads; 8] = [
    workloads("deployment", "/apis/apps/v1/deployments", Some("/spec/template/spec")),
    workloads("statefulset", "/apis/apps/v1/statefulsets", Some("/spec/template/spec")),
    workloads("daemonset", "/apis/apps/v1/daemonsets", Some("/spec/template/spec")),
    workloads("replicaset", "/apis/apps/v1/replicasets", Some("/spec/template/spec")),
    workloads("replicationcontroller", "/api/v1/replicationcontrollers", Some("/spec/template/spec")),
    workloads("cronjob", "/apis/batch/v1/cronjobs", Some("/spec/jobTemplate/spec/template/spec")),
    workloads("job", "/apis/batch/v1/jobs", None),
    workloads("pod", "/api/v1/pods", None),
];

/// What of others may be in our namespace. The API server itself makes one ConfigMap in each.
const TENANTS: [(&str, &str); 6] = [
    ("pod", "pods"),
    ("configmap", "configmaps"),
    ("secret", "secrets"),
    ("service", "services"),
    ("persistentvolumeclaim", "persistentvolumeclaims"),
    ("replicationcontroller", "replicationcontrollers"),
];

const fn workloads(name: &'static str, path: &'static str, pod_spec: Option<&'static str>) -> Workloads {
    Workloads { name, path, pod_spec }
}

/// The query for what has the installation's label.
pub(crate) fn part_of() -> String {
    format!("labelSelector={}%3D{}", PART_OF.0.replace('/', "%2F"), PART_OF.1)
}

/// Everything that has the installation's label, and what the scheduler made for itself, in the order in which it goes.
pub(crate) async fn objects(store: Store<'_>) -> Result<Vec<Object>, Error> {
    let mut found = Vec::new();
    for kind in KINDS.iter().rev() {
        let own = match kind.name {
            "Lease" => Some(SCHEDULER),
            "Secret" => Some(PROBE_KEY),
            _ => None,
        };
        if let Some(name) = own {
            let path = format!("{}/{name}", kind.path(Some(NAMESPACE)));
            found.extend(store.get(&path).await?.and_then(|it| Object::new(it).ok()));
        } else {
            found.extend(store.objects(kind, &part_of()).await?);
        }
    }
    Ok(found)
}

/// What one of our programs wrote and is still there, by what the server keeps of who wrote what.
pub(crate) async fn written(store: Store<'_>) -> Result<Vec<Object>, Error> {
    let mut found = Vec::new();
    for kind in
        KINDS.iter().rev().filter(|kind| !kind.is_namespaced || kind.group() == "rbac.authorization.k8s.io")
    {
        let objects = store.objects(kind, "").await?;
        found.extend(objects.into_iter().filter(|object| {
            let managers = object.value().pointer("/metadata/managedFields").and_then(Value::as_array);
            managers.into_iter().flatten().any(|entry| is_ours(entry) && entry["operation"] == "Apply")
        }));
    }
    Ok(found)
}

fn is_ours(entry: &Value) -> bool {
    let manager = entry["manager"].as_str().unwrap_or_default();
    [PLUGIN_MANAGER, SCHEDULER_MANAGER, PROBE_MANAGER].contains(&manager)
}

/// The profiles that are served, by the configuration that is there.
pub(crate) fn served(objects: &[Object]) -> Vec<String> {
    let has_config = objects.iter().any(|it| it.name() == SCHEDULER_CONFIG);
    let found = if has_config { profiles(objects).ok() } else { None };
    found.unwrap_or_else(|| vec![OWN_PROFILE.to_owned()])
}

/// The labels that the plugin gave nodes and nobody else claims.
pub(crate) async fn node_labels(store: Store<'_>) -> Result<Vec<NodeLabels>, Error> {
    let nodes = store.list("/api/v1/nodes", "").await?;
    Ok(nodes.iter().filter_map(labels_of).collect())
}

fn labels_of(node: &Value) -> Option<NodeLabels> {
    let entries = node.pointer("/metadata/managedFields").and_then(Value::as_array)?;
    let mut claimed: BTreeMap<&str, bool> = BTreeMap::new();
    for entry in entries {
        let is_plugin = entry["manager"] == PLUGIN_MANAGER;
        let labels = entry.pointer("/fieldsV1/f:metadata/f:labels").and_then(Value::as_object);
        let keys = labels.into_iter().flat_map(|it| it.keys()).filter_map(|key| key.strip_prefix("f:"));
        for key in keys {
            let only_ours = claimed.entry(key).or_insert(true);
            *only_ours &= is_plugin;
        }
    }
    let keys: Vec<String> =
        claimed.into_iter().filter(|(_, only_ours)| *only_ours).map(|(key, _)| key.to_owned()).collect();
    let node = node.pointer("/metadata/name")?.as_str()?.to_owned();
    (!keys.is_empty()).then_some(NodeLabels { node, keys })
}

/// Takes away labels.
pub(crate) fn without(labels: &NodeLabels) -> Value {
    let nulls: serde_json::Map<String, Value> =
        labels.keys.iter().map(|key| (key.clone(), Value::Null)).collect();
    json!({"metadata": {"labels": nulls}})
}

/// The workloads whose pods ask for one of these profiles. What a controller makes is not named beside it.
pub(crate) async fn dependents(store: Store<'_>, served: &[String]) -> Result<Vec<Dependent>, Error> {
    let ours: BTreeSet<&str> =
        served.iter().map(String::as_str).filter(|name| *name != DEFAULT_PROFILE).collect();
    let mut found = Vec::new();
    for kind in &WORKLOADS {
        // Of pods there are many, so the server is to choose.
        let queries: Vec<String> = match kind.name {
            "pod" => ours.iter().map(|name| format!("fieldSelector=spec.schedulerName%3D{name}")).collect(),
            _ => vec![String::new()],
        };
        for query in queries {
            let items = store.list(kind.path, &query).await?;
            found.extend(items.iter().filter_map(|item| dependent(kind, item, &ours)));
        }
    }
    Ok(found)
}

fn dependent(kind: &Workloads, item: &Value, ours: &BTreeSet<&str>) -> Option<Dependent> {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let owners = item.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let is_controlled = owners.into_iter().flatten().any(|owner| owner["controller"] == true);
    let pod_spec = match kind.name {
        "job" => "/spec/template/spec",
        "pod" => "/spec",
        _ => kind.pod_spec?,
    };
    let is_ended = ["Succeeded", "Failed"].contains(&text("/status/phase"))
        || item.pointer("/status/completionTime").is_some();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let is_own = namespace == NAMESPACE;
    let names_us = ours.contains(text(&format!("{pod_spec}/schedulerName")));
    (names_us && !is_controlled && !is_ended && !is_own).then(|| {
        let (root, plural) = kind.path.rsplit_once('/').unwrap_or_default();
        Dependent {
            shown: format!("{} {namespace}/{name}", kind.name),
            path: format!("{root}/namespaces/{namespace}/{plural}/{name}"),
            pod_spec: kind.pod_spec,
        }
    })
}

/// A change that gives a workload's pods back to the default scheduler; none where that can't be done.
pub(crate) fn given_back(dependent: &Dependent) -> Option<Value> {
    let inner = json!({"schedulerName": DEFAULT_PROFILE});
    let keys = dependent.pod_spec?.trim_start_matches('/').rsplit('/');
    Some(keys.fold(inner, |value, key| json!({ key: value })))
}

/// What of others is in our namespace and would go with it.
pub(crate) async fn tenants(store: Store<'_>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for (kind, plural) in TENANTS {
        for item in store.list(&format!("/api/v1/namespaces/{NAMESPACE}/{plural}"), "").await? {
            let name = item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            let label = item.pointer("/metadata/labels/app.kubernetes.io~1part-of");
            let is_ours = label.is_some_and(|it| *it == PART_OF.1) || name == PROBE_KEY;
            if !is_ours && name != "kube-root-ca.crt" {
                found.push(format!("{kind}/{name}"));
            }
        }
    }
    Ok(found)
}

/// How many objects of kinds of ours there are; they go with the definition.
pub(crate) async fn node_delays(store: Store<'_>) -> Result<usize, Error> {
    Ok(store.list("/apis/kubectl-edge.dev/v1alpha1/nodedelays", "").await?.len())
}

/// The kind of namespaces.
pub(crate) fn is_namespace(kind: &Kind) -> bool {
    kind.name == "Namespace"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_ours_if_nobody_else_claims_it() {
        let entry = |manager: &str, keys: &[&str]| {
            let labels: serde_json::Map<String, Value> =
                keys.iter().map(|key| (format!("f:{key}"), json!({}))).collect();
            json!({"manager": manager, "fieldsV1": {"f:metadata": {"f:labels": labels}}})
        };
        let managers = [entry("kubectl-edge", &["a", "kubernetes.io/role"]), entry("kubelet", &["a", "os"])];
        let node = json!({"metadata": {"name": "n", "managedFields": managers}});
        let labels = labels_of(&node).unwrap();
        assert_eq!(labels.keys, ["kubernetes.io/role"]);
        assert_eq!(without(&labels), json!({"metadata": {"labels": {"kubernetes.io/role": null}}}));
        assert_eq!(
            labels_of(&json!({"metadata": {"name": "n", "managedFields": [entry("x", &["a"])]}})),
            None
        );
    }

    #[test]
    fn workloads_that_name_a_profile_depend_on_it() {
        let ours = BTreeSet::from(["edge-scheduler"]);
        let check = |kind: usize, item: Value, expected: Option<&str>| {
            let found = dependent(&WORKLOADS[kind], &item, &ours);
            assert_eq!(found.map(|it| it.path).as_deref(), expected, "{item}");
        };
        let template = json!({"template": {"spec": {"schedulerName": "edge-scheduler"}}});
        let named = json!({"name": "a", "namespace": "b"});
        check(
            0,
            json!({"metadata": named, "spec": template}),
            Some("/apis/apps/v1/namespaces/b/deployments/a"),
        );
        let controlled = json!({"name": "a", "namespace": "b", "ownerReferences": [{"controller": true}]});
        check(3, json!({"metadata": controlled, "spec": template}), None);
        check(0, json!({"metadata": {"name": "a", "namespace": "edge-system"}, "spec": template}), None);
        let pod = json!({"schedulerName": "edge-scheduler"});
        check(7, json!({"metadata": named, "spec": pod}), Some("/api/v1/namespaces/b/pods/a"));
        check(7, json!({"metadata": named, "spec": pod, "status": {"phase": "Succeeded"}}), None);
        check(0, json!({"metadata": named, "spec": {"template": {"spec": {"schedulerName": "x"}}}}), None);
    }

    #[test]
    fn pods_are_given_back_where_the_kind_has_them() {
        let dependent = |pod_spec| Dependent { shown: String::new(), path: String::new(), pod_spec };
        assert_eq!(
            given_back(&dependent(Some("/spec/template/spec"))),
            Some(json!({"spec": {"template": {"spec": {"schedulerName": "default-scheduler"}}}}))
        );
        assert_eq!(given_back(&dependent(None)), None);
    }
}

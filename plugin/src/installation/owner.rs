//! Who else looks after an object.

use std::fmt;

use edge_api::names::PLUGIN_MANAGER;
use serde_json::{Value, json};

/// A tool that would undo what we do, or be undone by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The tool.
    tool: &'static str,
    /// What it calls what the object belongs to.
    name: String,
}

/// Where a tool writes that an object is its own.
struct Mark {
    tool: &'static str,
    pointer: &'static str,
    /// What stands there, if that matters.
    value: Option<&'static str>,
}

/// In the order in which they say most.
const MARKS: [Mark; 7] = [
    mark("Helm release", "/metadata/annotations/meta.helm.sh~1release-name", None),
    mark("Argo CD application", "/metadata/annotations/argocd.argoproj.io~1tracking-id", None),
    mark("Argo CD application", "/metadata/labels/argocd.argoproj.io~1instance", None),
    mark("Flux Kustomization", "/metadata/labels/kustomize.toolkit.fluxcd.io~1name", None),
    mark("Flux HelmRelease", "/metadata/labels/helm.toolkit.fluxcd.io~1name", None),
    mark("Fleet bundle", "/metadata/annotations/objectset.rio.cattle.io~1id", None),
    mark("tool", "/metadata/labels/app.kubernetes.io~1managed-by", Some("Helm")),
];

const fn mark(tool: &'static str, pointer: &'static str, value: Option<&'static str>) -> Mark {
    Mark { tool, pointer, value }
}

/// Who else looks after an object, by its marks.
pub(crate) fn owner_of(live: &Value) -> Option<Owner> {
    MARKS.iter().find_map(|mark| {
        let found = live.pointer(mark.pointer)?.as_str()?;
        let is_it = mark.value.is_none_or(|value| value == found);
        is_it.then(|| Owner { tool: mark.tool, name: found.to_owned() })
    })
}

/// What we said of an object, as the server keeps it; none if we said nothing.
pub(crate) fn our_fields(live: &Value) -> Option<&Value> {
    let is_ours = |entry: &&Value| {
        entry["manager"] == PLUGIN_MANAGER
            && entry["operation"] == "Apply"
            && entry.get("subresource").is_none()
    };
    managers(live).iter().find(is_ours).map(|entry| &entry["fieldsV1"])
}

/// A change that makes what another tool said ours, so that what we don't say again goes; none where there is nothing to
/// take over.
pub(crate) fn handed_over(live: &Value) -> Option<Value> {
    if our_fields(live).is_some() {
        return None;
    }
    let is_foreign = |entry: &&mut Value| {
        entry.get("subresource").is_none() && entry["manager"] != "kube-controller-manager"
    };
    let mut entries = managers(live).to_vec();
    let largest =
        entries.iter_mut().filter(is_foreign).max_by_key(|entry| entry["fieldsV1"].to_string().len())?;
    largest["manager"] = PLUGIN_MANAGER.into();
    largest["operation"] = "Apply".into();
    let version = live.pointer("/metadata/resourceVersion")?;
    Some(json!({"metadata": {"managedFields": entries, "resourceVersion": version}}))
}

fn managers(live: &Value) -> &[Value] {
    let list = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

// === impl Owner ===

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.tool, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_known_by_their_marks() {
        let check = |metadata: Value, expected: Option<&str>| {
            let owner = owner_of(&json!({"metadata": metadata}));
            assert_eq!(owner.map(|it| it.to_string()).as_deref(), expected);
        };
        check(json!({"labels": {"app.kubernetes.io/part-of": "edge-scheduler"}}), None);
        check(json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}), Some("tool Helm"));
        check(json!({"annotations": {"meta.helm.sh/release-name": "edge"}}), Some("Helm release edge"));
        check(
            json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "infra"}}),
            Some("Flux Kustomization infra"),
        );
    }

    #[test]
    fn what_another_tool_said_becomes_ours() {
        let entry = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "fieldsV1": fields});
        let entries = json!([entry("helm", json!({"f:spec": {"f:replicas": {}}})), entry("x", json!({}))]);
        let live = json!({"metadata": {"resourceVersion": "7", "managedFields": entries}});
        let change = handed_over(&live).unwrap();
        assert_eq!(change["metadata"]["managedFields"][0]["manager"], PLUGIN_MANAGER);
        assert_eq!(change["metadata"]["managedFields"][0]["operation"], "Apply");
        assert_eq!(change["metadata"]["managedFields"][1]["manager"], "x");
        let mut ours = live;
        ours["metadata"]["managedFields"] = change["metadata"]["managedFields"].clone();
        assert_eq!(handed_over(&ours), None);
        assert!(our_fields(&ours).is_some());
    }
}

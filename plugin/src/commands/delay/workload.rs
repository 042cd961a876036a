//! Workloads in the cluster.

use http::Request;
use serde_json::Value;

use edge_api::names::PLUGIN_MANAGER;

use super::edit::Template;
use super::words::{Kind, Target};
use crate::cluster::Cluster;
use crate::commands::label::DryRun;
use crate::failure::Failure;

/// A workload as the API has it, with nothing left out.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) object: Value,
}

// === impl Workload ===

impl Workload {
    /// Makes sense of an object; none if it is no workload.
    pub(super) fn of(object: Value, kind: Option<Kind>, namespace: &str) -> Option<Self> {
        let kind = kind.or_else(|| Kind::of_manifest(object["kind"].as_str()?))?;
        let name = object["metadata"]["name"].as_str()?.to_owned();
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or(namespace).to_owned();
        Some(Self { kind, namespace, name, object })
    }

    /// Reads one from the cluster.
    pub(crate) async fn read(cluster: &Cluster, target: &Target) -> Result<Self, Failure> {
        let path = path(target.kind, Some(&cluster.namespace), Some(&target.name));
        let request = Request::get(path).body(Vec::new())?;
        let object: Value = cluster.client.request(request).await.map_err(|error| cluster.problem(error))?;
        let workload = Self::of(object, Some(target.kind), &cluster.namespace);
        workload.ok_or_else(|| Failure::new(format!("{target} can't be read")))
    }

    /// What describes its pods.
    pub(super) fn template_object(&self) -> &Value {
        self.kind.template().iter().fold(&self.object, |value, field| &value[*field])
    }

    /// The part of that which matters.
    pub(super) fn template(&self) -> Template {
        Template::of(self.template_object())
    }

    /// What controls it, if anything does.
    pub(super) fn controller(&self) -> Option<(&str, &str)> {
        let owners = self.object["metadata"]["ownerReferences"].as_array()?;
        let owner = owners.iter().find(|owner| owner["controller"] == true)?;
        Some((owner["kind"].as_str()?, owner["name"].as_str()?))
    }

    /// As kubectl prints it.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.kind.word(), self.name)
    }

    /// Changes it by a merge patch, unless it is not any more as it was read.
    pub(super) async fn patch(
        &self,
        cluster: &Cluster,
        mut patch: Value,
        dry_run: DryRun,
    ) -> Result<(), Failure> {
        let version = &self.object["metadata"]["resourceVersion"];
        super::edit::merge(&mut patch, &serde_json::json!({"metadata": {"resourceVersion": version}}), false);
        let path = path(self.kind, Some(&self.namespace), Some(&self.name));
        let dry_run = if dry_run == DryRun::Server { "&dryRun=All" } else { "" };
        let request = Request::patch(format!("{path}?fieldManager={PLUGIN_MANAGER}{dry_run}"))
            .header("content-type", "application/merge-patch+json")
            .header("accept", "application/json")
            .body(serde_json::to_vec(&patch)?)?;
        let answer = cluster.client.request::<Value>(request).await;
        answer.map(|_| ()).map_err(|error| cluster.problem(error))
    }
}

/// Where objects of a kind are in the API.
pub(super) fn path(kind: Kind, namespace: Option<&str>, name: Option<&str>) -> String {
    let (group, plural) = kind.path();
    let namespace = namespace.map(|it| format!("/namespaces/{it}")).unwrap_or_default();
    let name = name.map(|it| format!("/{it}")).unwrap_or_default();
    format!("{group}{namespace}/{plural}{name}")
}

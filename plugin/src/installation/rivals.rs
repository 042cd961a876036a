//! Other schedulers of the cluster, as far as they can be told.

use std::collections::BTreeSet;
use std::time::Duration;

use edge_api::names::NAMESPACE;
use kube::Error;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::manifests::PART_OF;
use super::object::Kind;
use super::store::Store;

/// Another scheduler.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rival {
    /// What it is, such as `deployment kube-system/contrail-scheduler`.
    pub(crate) workload: String,
    /// The profiles it serves, as far as they can be told.
    pub(crate) profiles: BTreeSet<String>,
    /// Whether it is an edge-scheduler too.
    pub(crate) is_edge: bool,
}

/// How often a Lease is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// The Lease that says that kube-scheduler runs.
const KUBE_SCHEDULER_LEASE: &str =
    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler";

/// The schedulers that run as Deployments, without our own.
pub(crate) async fn find(store: Store<'_>) -> Result<Vec<Rival>, Error> {
    let Some(kind) = Kind::named("Deployment") else { return Ok(Vec::new()) };
    let mut rivals = Vec::new();
    for deployment in store.objects(kind, "").await? {
        let value = deployment.value();
        let is_ours = deployment.namespace() == Some(NAMESPACE) && deployment.name() == "edge-scheduler";
        if is_ours || !is_scheduler(value) || value.pointer("/spec/replicas") == Some(&0.into()) {
            continue;
        }
        let namespace = deployment.namespace().unwrap_or_default();
        let mut profiles = named_by_flags(value);
        profiles.insert(deployment.name().to_owned());
        for config in configs(value) {
            let path = format!("/api/v1/namespaces/{namespace}/configmaps/{config}");
            profiles.extend(store.get(&path).await?.iter().flat_map(named_by_config));
        }
        let workload = format!("deployment {namespace}/{}", deployment.name());
        rivals.push(Rival { workload, profiles, is_edge: is_edge(value) });
    }
    Ok(rivals)
}

/// Whether kube-scheduler's Lease is being renewed. That is seen by watching it, because its clock is not ours.
pub(crate) async fn is_kube_scheduler_alive(store: Store<'_>) -> Result<bool, Error> {
    let Some(first) = store.get(KUBE_SCHEDULER_LEASE).await? else { return Ok(false) };
    let holder = first.pointer("/spec/holderIdentity").and_then(Value::as_str).unwrap_or_default();
    if holder.is_empty() {
        return Ok(false);
    }
    let seconds = first.pointer("/spec/leaseDurationSeconds").and_then(Value::as_u64).unwrap_or(15);
    let end = Instant::now() + Duration::from_secs(seconds.min(60));
    while Instant::now() < end {
        sleep(LOOK).await;
        let now = store.get(KUBE_SCHEDULER_LEASE).await?;
        if now.as_ref().and_then(|it| it.pointer("/spec/renewTime")) != first.pointer("/spec/renewTime") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn containers(workload: &Value) -> impl Iterator<Item = &Value> {
    workload.pointer("/spec/template/spec/containers").and_then(Value::as_array).into_iter().flatten()
}

fn words(workload: &Value) -> impl Iterator<Item = &str> {
    containers(workload).flat_map(|container| {
        let lists = ["command", "args"].into_iter().filter_map(|key| container[key].as_array());
        lists.flatten().filter_map(Value::as_str)
    })
}

/// Whether it looks like a scheduler of pods.
fn is_scheduler(workload: &Value) -> bool {
    let program =
        |container: &Value| container["image"].as_str().is_some_and(|it| base_name(it).contains("scheduler"));
    containers(workload).any(program) || words(workload).any(|word| base_name(word) == "kube-scheduler")
}

fn is_edge(workload: &Value) -> bool {
    let label = PART_OF.0.replace('/', "~1");
    let labelled = workload.pointer(&format!("/metadata/labels/{label}")).is_some_and(|it| *it == PART_OF.1);
    labelled
        || containers(workload)
            .any(|it| it["image"].as_str().is_some_and(|it| base_name(it) == "edge-scheduler"))
}

/// The last part of a path or an image, without tag and digest.
fn base_name(reference: &str) -> &str {
    let last = reference.rsplit('/').next().unwrap_or_default();
    last.split(['@', ':']).next().unwrap_or_default()
}

fn named_by_flags(workload: &Value) -> BTreeSet<String> {
    let names =
        words(workload).filter_map(|word| word.trim_start_matches('-').strip_prefix("scheduler-name="));
    names.map(ToOwned::to_owned).collect()
}

fn configs(workload: &Value) -> Vec<&str> {
    let volumes = workload.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    volumes.into_iter().flatten().filter_map(|it| it.pointer("/configMap/name")?.as_str()).collect()
}

/// The profiles that a KubeSchedulerConfiguration in a ConfigMap names.
fn named_by_config(config: &Value) -> Vec<String> {
    let texts =
        config["data"].as_object().into_iter().flat_map(|data| data.values().filter_map(Value::as_str));
    let configurations = texts.filter(|text| text.contains("KubeSchedulerConfiguration"));
    let names = configurations.flat_map(str::lines).filter_map(|line| {
        let name = line.trim_start_matches([' ', '-']).strip_prefix("schedulerName:")?;
        Some(name.trim().trim_matches(['"', '\'']).to_owned())
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workload(container: &Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": [container]}}}})
    }

    #[test]
    fn a_scheduler_is_known_by_its_image_or_program() {
        let check = |container: Value, scheduler: bool, edge: bool| {
            let workload = workload(&container);
            assert_eq!((is_scheduler(&workload), is_edge(&workload)), (scheduler, edge), "{workload}");
        };
        check(json!({"image": "nginx:1"}), false, false);
        check(json!({"image": "hub.juniper.net:5000/contrail-scheduler:22.2"}), true, false);
        check(json!({"image": "x", "command": ["/usr/local/bin/kube-scheduler"]}), true, false);
        check(json!({"image": "example.com/a/edge-scheduler@sha256:00"}), true, true);
    }

    #[test]
    fn profiles_are_read_from_flags_and_configurations() {
        let flags = workload(&json!({"args": ["--scheduler-name=my-scheduler", "--v=2"]}));
        assert_eq!(named_by_flags(&flags), BTreeSet::from(["my-scheduler".to_owned()]));
        let text = "kind: KubeSchedulerConfiguration\nprofiles:\n- schedulerName: a\n- plugins: {}\n  schedulerName: \"b\"\n";
        assert_eq!(named_by_config(&json!({"data": {"config": text}})), ["a", "b"]);
        assert_eq!(named_by_config(&json!({"data": {"other": "schedulerName: c"}})), [""; 0]);
    }
}

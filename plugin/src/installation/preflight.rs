//! What is looked at before anything is installed.

use std::collections::BTreeSet;

use edge_api::names::NAMESPACE;
use kube::Error;
use serde_json::Value;

use super::finding::Finding;
use super::manifests::{DEFAULT_PROFILE, Settings};
use super::object::Object;
use super::rivals;
use super::store::Store;
use crate::cluster::is_forbidden;

/// The oldest server whose tokens say on which node their pod runs, which the admission policy asks.
const OLDEST: u64 = 32;
/// A label's name has 63 characters, of which `delay_` takes 6.
const LONGEST_NAME: usize = 57;
/// The platforms that images are made for.
const PLATFORMS: [&str; 2] = ["amd64", "arm64"];

/// What is to be installed.
pub(crate) struct Wanted<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) objects: &'a [Object],
    /// The profiles that will be served.
    pub(crate) profiles: &'a [String],
}

/// Looks at the cluster.
pub(crate) async fn look(store: Store<'_>, wanted: &Wanted<'_>) -> Result<Vec<Finding>, Error> {
    let mut findings = vec![version(store).await?];
    findings.push(permissions(store, wanted.objects).await?);
    findings.push(namespace(store).await?);
    findings.extend(nodes(store, wanted.settings).await?);
    findings.extend(rivals(store, wanted).await?);
    if wanted.profiles.iter().any(|name| name == DEFAULT_PROFILE) {
        findings.push(replacing(store).await?);
    }
    Ok(findings)
}

/// Whether the server is new enough.
pub(crate) async fn version(store: Store<'_>) -> Result<Finding, Error> {
    let version = store.get("/version").await?.unwrap_or_default();
    let digits = |field: &str| {
        let text = version[field].as_str().unwrap_or_default();
        text.trim_end_matches(|it: char| !it.is_ascii_digit()).parse::<u64>().unwrap_or_default()
    };
    let shown = version["gitVersion"].as_str().unwrap_or("of unknown version");
    let is_new = (digits("major"), digits("minor")) >= (1, OLDEST);
    Ok(if is_new {
        Finding::passed("EDGE-P01", format!("Kubernetes {shown}"))
    } else {
        let message = format!("Kubernetes {shown} is too old: v1.{OLDEST} is needed");
        Finding::failed("EDGE-P01", message, format!("upgrade the cluster to v1.{OLDEST} or newer"))
    })
}

async fn permissions(store: Store<'_>, objects: &[Object]) -> Result<Finding, Error> {
    let mut asked = BTreeSet::new();
    let mut missing = Vec::new();
    for object in objects {
        let kind = object.kind();
        if !asked.insert((kind.plural, object.namespace())) {
            continue;
        }
        for verb in ["create", "patch"] {
            if !store.may(verb, kind, object.namespace()).await? {
                let place = object.namespace().map(|it| format!(" in {it}")).unwrap_or_default();
                missing.push(format!("{verb} {}{place}", kind.plural));
            }
        }
    }
    Ok(if missing.is_empty() {
        Finding::passed("EDGE-P02", "all permissions that are needed")
    } else {
        let message = format!("no permission to {}", missing.join(", "));
        Finding::failed(
            "EDGE-P02",
            message,
            "install as an administrator: --user, --context or --as choose who",
        )
    })
}

async fn namespace(store: Store<'_>) -> Result<Finding, Error> {
    let found = match store.get(&format!("/api/v1/namespaces/{NAMESPACE}")).await {
        Err(error) if is_forbidden(&error) => return Ok(Finding::unknown("EDGE-P03", "get namespaces")),
        found => found?,
    };
    let phase = found.as_ref().and_then(|it| it.pointer("/status/phase")?.as_str());
    Ok(if phase == Some("Terminating") {
        let fix = format!("wait for it to be gone: kubectl wait --for=delete namespace/{NAMESPACE}");
        Finding::failed("EDGE-P03", format!("namespace {NAMESPACE} is being deleted"), fix)
    } else {
        Finding::passed("EDGE-P03", format!("namespace {NAMESPACE} can be used"))
    })
}

async fn nodes(store: Store<'_>, settings: &Settings) -> Result<Vec<Finding>, Error> {
    let nodes = match store.list("/api/v1/nodes", "").await {
        Err(error) if is_forbidden(&error) => return Ok(vec![Finding::unknown("EDGE-P04", "list nodes")]),
        nodes => nodes?,
    };
    let mut findings = vec![names(&nodes), platforms(&nodes)];
    let usable = nodes.iter().filter(|node| is_usable(node)).count();
    if settings.ha {
        findings.push(if usable < 2 {
            let message = format!("--ha needs 2 nodes that take pods; there are {usable}");
            Finding::warning("EDGE-P06", message, "the second replica waits until there is another node")
        } else {
            Finding::passed("EDGE-P06", format!("{usable} nodes take the scheduler's replicas"))
        });
    }
    Ok(findings)
}

fn names(nodes: &[Value]) -> Finding {
    let name =
        |node: &Value| node.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let long: Vec<String> = nodes.iter().map(name).filter(|name| name.len() > LONGEST_NAME).collect();
    let Some(first) = long.first() else {
        return Finding::passed(
            "EDGE-P04",
            format!("{} nodes, whose names fit into delay labels", nodes.len()),
        );
    };
    let message =
        format!("{} node names are longer than {LONGEST_NAME} characters, such as {first}", long.len());
    let fix = "pods name them in the annotation kubectl-edge.dev/delay instead of a label";
    Finding::warning("EDGE-P04", message, fix)
}

fn platforms(nodes: &[Value]) -> Finding {
    let of = |node: &Value| {
        let info = node.pointer("/status/nodeInfo")?;
        let (os, architecture) = (info["operatingSystem"].as_str()?, info["architecture"].as_str()?);
        (os == "linux" && !PLATFORMS.contains(&architecture) && !architecture.is_empty())
            .then(|| architecture.to_owned())
    };
    let others: BTreeSet<String> = nodes.iter().filter_map(of).collect();
    if others.is_empty() {
        return Finding::passed("EDGE-P05", "the image runs on every Linux node");
    }
    let others = others.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!("the image is not made for nodes of {others}: probes can't start there");
    Finding::warning(
        "EDGE-P05",
        message,
        "keep agents off them by a nodeSelector of daemonset/edge-probe (-f)",
    )
}

/// Whether a node takes the scheduler.
fn is_usable(node: &Value) -> bool {
    let is_cordoned = node.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or_default();
    !is_cordoned && super::rollout::is_ready(node)
}

async fn rivals(store: Store<'_>, wanted: &Wanted<'_>) -> Result<Vec<Finding>, Error> {
    let rivals = match rivals::find(store).await {
        Err(error) if is_forbidden(&error) => {
            return Ok(vec![Finding::unknown("EDGE-P07", "list deployments and get configmaps")]);
        }
        rivals => rivals?,
    };
    let mut findings = Vec::new();
    for rival in &rivals {
        let shared: Vec<&str> = wanted
            .profiles
            .iter()
            .filter(|name| rival.profiles.contains(*name))
            .map(String::as_str)
            .collect();
        if rival.is_edge {
            let message = format!("{} is another edge-scheduler", rival.workload);
            let fix = "remove it first: two installations would write the same objects";
            findings.push(Finding::failed("EDGE-P08", message, fix));
        } else if !shared.is_empty() {
            let message = format!("{} serves {} already", rival.workload, shared.join(", "));
            let fix = "stop it, or leave this profile out: two schedulers would place the same pods";
            findings.push(Finding::failed("EDGE-P07", message, fix));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::passed("EDGE-P07", "no other scheduler serves these profiles"));
    }
    Ok(findings)
}

/// Whether kube-scheduler's place is free, and somebody is there to place the scheduler itself.
async fn replacing(store: Store<'_>) -> Result<Finding, Error> {
    if rivals::is_kube_scheduler_alive(store).await? {
        let message = "kube-scheduler runs: its Lease in kube-system is being renewed";
        let fix = "stop it on every control-plane node, such as by moving kube-scheduler.yaml out of /etc/kubernetes/manifests";
        return Ok(Finding::failed("EDGE-P09", message, fix));
    }
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/edge-scheduler");
    let running = store.get(&path).await?;
    let available = running.as_ref().and_then(|it| it.pointer("/status/availableReplicas")?.as_i64());
    Ok(if available.unwrap_or_default() > 0 {
        Finding::passed("EDGE-P09", "kube-scheduler has stopped, and edge-scheduler places itself")
    } else {
        let message = "kube-scheduler has stopped and edge-scheduler does not run: nobody would place it";
        let fix =
            "start kube-scheduler, install without --replace-default, stop kube-scheduler, install again";
        Finding::failed("EDGE-P09", message, fix)
    })
}

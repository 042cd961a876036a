//! Who has which room on a site, by its pods and the set delays alone.

use crate::site::{APPS, App, EDGE_CPU, EDGES, FILLERS, Site, UNIT};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const ALL: &str = "/api/v1/pods";
const COVERED: &str = "/api/v1/namespaces/default/pods?labelSelector=covered";

/// A covered pod.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) app: &'static App,
    /// None while it is not bound.
    pub(crate) node: Option<String>,
    pub(crate) is_ready: bool,
    backup: Option<String>,
}

/// The covered pods that neither end nor have ended.
pub(crate) fn covered(site: &Site) -> Vec<Seen> {
    let pods = site.list(COVERED);
    let live = pods.iter().filter(|pod| lives(pod) && pod["metadata"]["deletionTimestamp"].is_null());
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    live.map(|pod| Seen {
        name: text(&pod["metadata"]["name"]).unwrap(),
        app: APPS.iter().find(|app| pod["metadata"]["labels"]["app"] == app.name).unwrap(),
        node: text(&pod["spec"]["nodeName"]),
        is_ready: is_ready(pod),
        backup: text(&pod["metadata"]["annotations"]["kubectl-edge.dev/backup-node"]),
    })
    .collect()
}

/// The pods that a kubelet refused, or that failed in another way and don't end.
pub(crate) fn refused(site: &Site) -> BTreeSet<String> {
    let all = site.list(ALL);
    let failed = all.iter().filter(|pod| pod["status"]["phase"] == "Failed");
    let stays = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    failed
        .filter(stays)
        .map(|pod| format!("{}: {}", pod["metadata"]["name"], pod["status"]["message"]))
        .collect()
}

/// Nothing, if all workloads are placed and covered: each pod is ready within its bound, and has its backup within it too,
/// on another node; and on each node backups keep just what is needed for the loss of any other one.
pub(crate) fn whole(site: &Site) -> Result<Vec<Seen>, String> {
    let pods = covered(site);
    let mut needed: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for Seen { name, app, node, backup, is_ready } in &pods {
        let (Some(node), Some(backup)) = (node, backup) else {
            return Err(format!("{name}: on {node:?}, backup {backup:?}"));
        };
        if !is_ready || !app.may_be_on(node) || !app.may_be_on(backup) || node == backup {
            return Err(format!("{name}: on {node}, ready {is_ready}, backup {backup}"));
        }
        *needed.entry(backup).or_default().entry(node).or_default() += app.units * UNIT;
    }
    let wanted: usize = APPS.iter().map(|app| app.replicas).sum();
    if pods.len() != wanted {
        return Err(format!("{} pods of {wanted}", pods.len()));
    }
    let all = site.list(ALL);
    for edge in EDGES {
        let needed = needed.get(edge).into_iter().flat_map(BTreeMap::values).max().copied().unwrap_or(0);
        let kept = all.iter().filter(|pod| is_backup(pod) && pod["spec"]["nodeName"] == edge);
        let kept: u64 =
            kept.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).map(requested).sum();
        if kept != needed {
            return Err(format!("{edge} keeps {kept}m of {needed}m"));
        }
    }
    Ok(pods)
}

/// Nothing, if no pod of kube-scheduler's finds room any more, some wait for it, and all others run.
pub(crate) fn full(site: &Site) -> Result<(), String> {
    let all = site.list(ALL);
    for edge in EDGES {
        let here = all.iter().filter(|pod| pod["spec"]["nodeName"] == edge && lives(pod));
        let taken: u64 = here.map(requested).sum();
        if taken + UNIT <= EDGE_CPU || taken > EDGE_CPU {
            return Err(format!("{taken}m of {EDGE_CPU}m are taken on {edge}"));
        }
    }
    let starting = all.iter().find(|pod| pod["spec"]["nodeName"].is_string() && lives(pod) && !is_ready(pod));
    if let Some(pod) = starting {
        return Err(format!("{} is not ready", pod["metadata"]["name"]));
    }
    let waits = site.list(FILLERS).iter().any(|pod| pod["spec"]["nodeName"].is_null());
    if waits { Ok(()) } else { Err("nobody waits for room".to_owned()) }
}

/// The applications of some pods, each with the place that `of` gives; sorted.
pub(crate) fn places<'a>(
    pods: impl Iterator<Item = &'a Seen>,
    of: impl Fn(&Seen) -> Option<String>,
) -> Vec<(&'static str, Option<String>)> {
    let mut places: Vec<_> = pods.map(|pod| (pod.app.name, of(pod))).collect();
    places.sort();
    places
}

/// Where the backup of a pod is.
pub(crate) fn backup(pod: &Seen) -> Option<String> {
    pod.backup.clone()
}

fn lives(pod: &Value) -> bool {
    pod["status"]["phase"] != "Failed" && pod["status"]["phase"] != "Succeeded"
}

fn is_backup(pod: &Value) -> bool {
    pod["metadata"]["labels"]["app.kubernetes.io/name"] == "edge-backup"
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Thousandths of a processor.
fn requested(pod: &Value) -> u64 {
    let containers = pod["spec"]["containers"].as_array().unwrap().iter();
    containers.filter_map(|it| it["resources"]["requests"]["cpu"].as_str()).map(milli).sum()
}

fn milli(quantity: &str) -> u64 {
    match quantity.strip_suffix('m') {
        Some(thousandths) => thousandths.parse().unwrap(),
        None => quantity.parse::<u64>().unwrap() * 1000,
    }
}

//! Whether what was bound is right, read from the API server and checked without the scheduler's code.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::bed::{Bed, EVENTS, PODS};
use crate::contender::Contender;
use crate::workload::{NODE_MEMORY_MIB, NODE_MILLI_CPU, NODE_PODS, POD_MEMORY_MIB, POD_MILLI_CPU, Workload};

/// How many pods have exactly one `Scheduled` event; an error if one has several, for it was bound several times.
pub(crate) fn events(bed: &Bed) -> anyhow::Result<usize> {
    let mut seen = HashSet::new();
    for event in items(bed, EVENTS)?.iter().filter(|event| event["reason"] == "Scheduled") {
        let pod = event["regarding"]["uid"].as_str().context("an event names no pod")?;
        if !seen.insert(pod.to_owned()) {
            bail!("two events say that {} was bound", event["regarding"]["name"]);
        }
    }
    Ok(seen.len())
}

/// Checks that all pods are bound to nodes that have room, and that ours are within their delays.
///
/// The API server accepts one binding a pod, so a pod with a node was bound once.
pub(crate) fn placements(bed: &Bed, contender: Contender) -> anyhow::Result<()> {
    let nodes: HashMap<String, usize> =
        (0..bed.topology.len()).map(|idx| (bed.topology.name(idx), idx)).collect();
    let pods = items(bed, PODS)?;
    ensure!(pods.len() == bed.pods, "there are {} pods instead of {}", pods.len(), bed.pods);
    let mut pods_of = vec![0_u64; nodes.len()];
    for pod in &pods {
        let name = &pod["metadata"]["name"];
        let node = pod["spec"]["nodeName"].as_str().with_context(|| format!("{name} is not bound"))?;
        let node = *nodes.get(node).with_context(|| format!("{name} is on {node}, which does not exist"))?;
        if let Some(count) = pods_of.get_mut(node) {
            *count += 1;
        }
        if contender == Contender::EdgeScheduler && bed.workload == Workload::Delay {
            check_delay(bed, pod, node).with_context(|| format!("{name} is wrongly placed"))?;
        }
    }
    let room = (NODE_MILLI_CPU / POD_MILLI_CPU).min(NODE_MEMORY_MIB / POD_MEMORY_MIB).min(NODE_PODS.into());
    match pods_of.iter().position(|count| *count > room) {
        None => Ok(()),
        Some(node) => bail!("{} holds more than {room} pods", bed.topology.name(node)),
    }
}

fn check_delay(bed: &Bed, pod: &Value, node: usize) -> anyhow::Result<()> {
    let labels = pod["metadata"]["labels"].as_object().context("it has no labels")?;
    let anchor = labels.keys().find_map(|key| key.strip_prefix("delay_")).context("it has no delay label")?;
    let from = (0..bed.topology.len())
        .find(|idx| bed.topology.name(*idx) == anchor)
        .context("its anchor is gone")?;
    let node_name = bed.topology.name(node);
    ensure!(bed.topology.within_bound(from, node), "{node_name} is too far from {anchor}");
    Ok(())
}

fn items(bed: &Bed, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut list = bed.cluster.client().get(path)?;
    match list["items"].take() {
        Value::Array(items) => Ok(items),
        _ => bail!("{path} has no list"),
    }
}

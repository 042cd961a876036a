//! What kube-scheduler decides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use controlplane::{ControlPlane, wait_for};
use serde_json::{Value, json};

use crate::Error;
use crate::bed::{LAST_CLASS, LIMIT, MARK_LABEL};
use crate::log::{Attempts, Log};
use crate::profiles::CANARY;
use crate::verdict::{Judgement, Outcome};

/// Where all pods are.
pub(crate) const NAMESPACE: &str = "default";
/// The collection of all pods.
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";
/// Whether kube-scheduler has taken in everything that was written so far.
///
/// Nodes and pods come by two watches. Within each, kube-scheduler's cache is changed in the order of the writes (its
/// informers keep it, and each of the two has one handler), but the one may lag behind the other. So a canary, a pod of
/// another profile, asks for the mark that the last node written bears: if it is bound, all nodes are known, and with
/// the pods before it all placed ones. It is gone again before a pod that comes after it is seen, because that comes by
/// the same watch.
///
/// Without a mark there is no node, and if kube-scheduler says that it knows of none, that proves the same.
pub(crate) fn has_seen(
    cluster: &ControlPlane,
    canary: &str,
    mark: Option<&str>,
) -> Result<bool, controlplane::Error> {
    let spec = json!({
        "schedulerName": CANARY,
        "priorityClassName": LAST_CLASS,
        "nodeSelector": {MARK_LABEL: mark.unwrap_or("none")},
        "containers": [{"name": "main", "image": "example.com/canary:1"}],
    });
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": canary}, "spec": spec});
    cluster.client().create(PODS, &pod)?;
    let outcome = await_outcome(cluster, canary)?;
    delete(cluster, canary)?;
    Ok(match (outcome, mark) {
        (Outcome::Bound(_), _) => true,
        (Outcome::Waits { message, .. }, None) => message == "no nodes available to schedule pods",
        (Outcome::Waits { .. } | Outcome::Gated, _) => false,
    })
}

/// kube-scheduler's judgement of this pod, which was created a moment ago.
pub(crate) fn judge(
    cluster: &ControlPlane,
    log: &mut Log,
    pod: &Value,
    mark: Option<&str>,
) -> Result<Judgement, Error> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let to_be_left_alone = read_outcome(pod).is_some();
    let outcome = await_outcome(cluster, name)?;
    if to_be_left_alone {
        // That it was is known once a pod was judged that came later and goes last.
        has_seen(cluster, &format!("{name}-canary"), mark)?;
    }
    let mut attempts = log.read(&format!("{NAMESPACE}/{name}"))?;
    let preemption = match nominated(&cluster.client().get(&format!("{PODS}/{name}"))?) {
        Some(node) if matches!(outcome, Outcome::Waits { .. }) => {
            await_preemption(cluster, log, name, mark, &mut attempts)?;
            [(node.to_owned(), victims(cluster)?)].into()
        }
        _ => BTreeMap::new(),
    };
    let Attempts { count, scores, .. } = attempts;
    if (count == 0) != to_be_left_alone {
        return Err(Error::Log(format!("pod {name} was tried {count} times, which can't be")));
    }
    let mut feasible = scores.nodes();
    // A single feasible node is not scored.
    if let Outcome::Bound(node) = &outcome {
        feasible.insert(node.clone());
    }
    Ok(Judgement { outcome, feasible, scores, preemption })
}

/// Waits until kube-scheduler has asked for the deletion of every victim. It says in its log when it begins with that
/// and when it is done, and begins before it tries another pod, if there is somebody to delete at all.
fn await_preemption(
    cluster: &ControlPlane,
    log: &mut Log,
    name: &str,
    mark: Option<&str>,
    attempts: &mut Attempts,
) -> Result<(), Error> {
    has_seen(cluster, &format!("{name}-after"), mark)?;
    let pod = format!("{NAMESPACE}/{name}");
    let begin = Instant::now();
    loop {
        attempts.add(log.read(&pod)?);
        if attempts.preempted || !attempts.preempts {
            return Ok(());
        }
        if begin.elapsed() > LIMIT {
            return Err(Error::Log(format!("the preemption for pod {name} does not end")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The placed pods that kube-scheduler takes away, whatever namespace they are in.
fn victims(cluster: &ControlPlane) -> Result<BTreeSet<String>, controlplane::Error> {
    let pods = cluster.client().get("/api/v1/pods")?;
    let is_victim = |pod: &&Value| {
        let conditions = pod["status"]["conditions"].as_array();
        let is_it = |condition: &Value| condition["reason"] == "PreemptionByScheduler";
        conditions.is_some_and(|conditions| conditions.iter().any(is_it))
            && pod["metadata"]["deletionTimestamp"] != Value::Null
    };
    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    Ok(pods["items"].as_array().into_iter().flatten().filter(is_victim).map(name).collect())
}

fn nominated(pod: &Value) -> Option<&str> {
    pod["status"]["nominatedNodeName"].as_str()
}

/// Whether this pod, of which there is a verdict, waits for its volumes.
pub(crate) fn binds_volumes(cluster: &ControlPlane, name: &str) -> Result<bool, controlplane::Error> {
    Ok(reserved(&cluster.client().get(&format!("{PODS}/{name}"))?).is_some())
}

/// The node that a pod will be bound to once its volumes are, which kube-scheduler tells before it begins with them.
fn reserved(pod: &Value) -> Option<&str> {
    let is_judged = |condition: &Value| condition["type"] == "PodScheduled";
    let judged =
        pod["status"]["conditions"].as_array().is_some_and(|conditions| conditions.iter().any(is_judged));
    if judged { None } else { pod["status"]["nominatedNodeName"].as_str() }
}

/// Deletes a pod at once; nobody plays the kubelet, which would confirm that it has ended.
pub(crate) fn delete(cluster: &ControlPlane, name: &str) -> Result<(), controlplane::Error> {
    cluster.client().delete(&format!("{PODS}/{name}?gracePeriodSeconds=0")).map(drop)
}

fn await_outcome(cluster: &ControlPlane, name: &str) -> Result<Outcome, controlplane::Error> {
    wait_for(&format!("a verdict on pod {name}"), LIMIT, || {
        Ok(read_outcome(&cluster.client().get(&format!("{PODS}/{name}"))?))
    })
}

fn read_outcome(pod: &Value) -> Option<Outcome> {
    if let Some(node) = pod["spec"]["nodeName"].as_str() {
        return Some(Outcome::Bound(node.to_owned()));
    }
    if let Some(node) = reserved(pod) {
        return Some(Outcome::Bound(node.to_owned()));
    }
    let conditions = pod["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == "PodScheduled")?;
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    // This condition the API server writes when the pod is created, the others kube-scheduler.
    if condition["reason"] == "SchedulingGated" {
        return Some(Outcome::Gated);
    }
    Some(Outcome::Waits { reason: text("reason"), message: text("message") })
}

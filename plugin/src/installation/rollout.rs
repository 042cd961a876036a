//! How far the pods of an installation are, and what holds them up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// How far one workload is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rollout {
    /// As kubectl names it.
    pub(crate) workload: String,
    /// How many pods are ready and as they should be.
    pub(crate) ready: i64,
    /// How many there are to be.
    pub(crate) wanted: i64,
    /// How many are on nodes that are not ready; nobody waits for these.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) on_lost_nodes: i64,
    /// Whether it is as it should be.
    pub(crate) is_done: bool,
    /// What holds it up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) blockers: Vec<String>,
}

/// How many pods are named one by one in a message.
const NAMED: usize = 3;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &i64) -> bool {
    *count == 0
}

// === impl Rollout ===

impl Rollout {
    /// How far a Deployment is. `pods` are its own.
    pub(crate) fn of_deployment(deployment: &Value, pods: &[Value]) -> Self {
        let wanted = deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
        let number = |field: &str| number(deployment, &format!("/status/{field}"));
        let ready = number("availableReplicas").min(number("updatedReplicas"));
        let is_seen = is_seen(deployment);
        let is_done = is_seen && ready >= wanted && number("replicas") == wanted;
        let mut blockers = Vec::new();
        if !is_done {
            let conditions = deployment.pointer("/status/conditions").and_then(Value::as_array);
            let failure = conditions.into_iter().flatten().find(|it| it["type"] == "ReplicaFailure");
            blockers.extend(failure.and_then(|it| it["message"].as_str()).map(ToOwned::to_owned));
            blockers.extend(blockers_of(pods));
            blockers.extend(unseen(is_seen));
        }
        Self {
            workload: name_of("deployment", deployment),
            ready,
            wanted,
            on_lost_nodes: 0,
            is_done,
            blockers,
        }
    }

    /// How far a DaemonSet is. `failures` is what its controller says of pods that it could not make.
    pub(crate) fn of_daemon_set(
        daemon_set: &Value,
        pods: &[Value],
        lost_nodes: &BTreeSet<String>,
        failures: &[String],
    ) -> Self {
        let number = |field: &str| number(daemon_set, &format!("/status/{field}"));
        let wanted = number("desiredNumberScheduled");
        let ready = number("numberAvailable").min(number("updatedNumberScheduled"));
        let is_lost = |pod: &&Value| lost_nodes.contains(text(pod, "/spec/nodeName")) && !is_ready(pod);
        let on_lost_nodes = i64::try_from(pods.iter().filter(is_lost).count()).unwrap_or(i64::MAX);
        let is_seen = is_seen(daemon_set);
        let is_done = is_seen && ready + on_lost_nodes >= wanted;
        let mut blockers = Vec::new();
        if !is_done {
            let others: Vec<Value> = pods.iter().filter(|pod| !is_lost(pod)).cloned().collect();
            blockers.extend(blockers_of(&others));
            if number("currentNumberScheduled") < wanted {
                blockers.extend(failures.iter().cloned());
            }
            blockers.extend(unseen(is_seen));
        }
        Self { workload: name_of("daemonset", daemon_set), ready, wanted, on_lost_nodes, is_done, blockers }
    }
}

/// Whether the controller has seen the object as it is now.
fn is_seen(object: &Value) -> bool {
    let seen = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
    seen.is_some_and(|seen| seen >= number(object, "/metadata/generation"))
}

fn unseen(is_seen: bool) -> Option<String> {
    (!is_seen).then(|| "kube-controller-manager has not seen it yet".to_owned())
}

/// What holds pods up, each reason once.
fn blockers_of(pods: &[Value]) -> Vec<String> {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| !is_ready(pod)) {
        let node = text(pod, "/spec/nodeName");
        let who = if node.is_empty() { text(pod, "/metadata/name") } else { node };
        reasons.entry(reason_of(pod)).or_default().push(who);
    }
    let told = reasons.into_iter().map(|(reason, mut who)| {
        who.sort_unstable();
        let more = who.len().saturating_sub(NAMED);
        let named = who.iter().take(NAMED).copied().collect::<Vec<_>>().join(" ");
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{named}{more}: {reason}")
    });
    told.collect()
}

/// Why a pod is not ready.
fn reason_of(pod: &Value) -> String {
    if let Some(condition) = condition(pod, "PodScheduled").filter(|it| it["status"] == "False") {
        return format!("not placed: {}", text(condition, "/message"));
    }
    if text(pod, "/spec/nodeName").is_empty() {
        return format!("waits for {}", text(pod, "/spec/schedulerName"));
    }
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    if let Some(reason) = statuses.into_iter().flatten().find_map(waiting) {
        return reason;
    }
    match text(pod, "/status/phase") {
        "Running" => "started, not ready yet".to_owned(),
        "Failed" => format!("{} {}", text(pod, "/status/reason"), text(pod, "/status/message")),
        _ => "starting".to_owned(),
    }
}

/// Why a container does not run; none if it is only young.
fn waiting(status: &Value) -> Option<String> {
    let reason = text(status, "/state/waiting/reason");
    if reason.is_empty() || reason == "ContainerCreating" {
        return None;
    }
    let message = text(status, "/lastState/terminated/message");
    let message = if message.is_empty() { text(status, "/state/waiting/message") } else { message };
    let line = message.lines().next().filter(|line| !line.is_empty());
    Some(line.map_or_else(|| reason.to_owned(), |line| format!("{reason}: {line}")))
}

/// Whether a pod is ready.
pub(crate) fn is_ready(object: &Value) -> bool {
    condition(object, "Ready").is_some_and(|it| it["status"] == "True")
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array)?;
    conditions.iter().find(|it| it["type"] == kind)
}

fn name_of(kind: &str, object: &Value) -> String {
    format!("{kind}/{}", text(object, "/metadata/name"))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

// === impl Display ===

impl fmt::Display for Rollout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{} ready", self.workload, self.ready, self.wanted)?;
        if self.on_lost_nodes > 0 {
            write!(f, ", {} on nodes that are not ready", self.on_lost_nodes)?;
        }
        for (idx, blocker) in self.blockers.iter().enumerate() {
            write!(f, "{}{blocker}", if idx == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(node: &str, ready: bool, waiting: Option<&str>) -> Value {
        let ready = if ready { "True" } else { "False" };
        let state = waiting.map_or(json!({"running": {}}), |reason| json!({"waiting": {"reason": reason}}));
        json!({
            "metadata": {"name": format!("p-{node}")},
            "spec": {"nodeName": node, "schedulerName": "default-scheduler"},
            "status": {
                "phase": "Running", "conditions": [{"type": "Ready", "status": ready}],
                "containerStatuses": [{"state": state}],
            },
        })
    }

    #[track_caller]
    fn check_daemon_set(status: &Value, pods: &[Value], failures: &[&str], shown: &str, is_done: bool) {
        let daemon_set = json!({"metadata": {"name": "edge-probe", "generation": 2}, "status": status});
        let lost = BTreeSet::from(["lost".to_owned()]);
        let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
        let rollout = Rollout::of_daemon_set(&daemon_set, pods, &lost, &failures);
        assert_eq!((rollout.to_string().as_str(), rollout.is_done), (shown, is_done));
    }

    fn counts(wanted: i64, current: i64, available: i64) -> Value {
        json!({
            "observedGeneration": 2, "desiredNumberScheduled": wanted, "currentNumberScheduled": current,
            "numberAvailable": available, "updatedNumberScheduled": current,
        })
    }

    #[test]
    fn a_daemon_set_says_what_holds_it_up() {
        let pods =
            [pod("a", true, None), pod("b", false, Some("ImagePullBackOff")), pod("lost", false, None)];
        check_daemon_set(
            &counts(3, 3, 1),
            &pods,
            &[],
            "daemonset/edge-probe 1/3 ready, 1 on nodes that are not ready: b: ImagePullBackOff",
            false,
        );
        check_daemon_set(
            &counts(2, 2, 1),
            &[pod("a", true, None), pod("lost", false, None)],
            &[],
            "daemonset/edge-probe 1/2 ready, 1 on nodes that are not ready",
            true,
        );
        check_daemon_set(
            &counts(2, 0, 0),
            &[],
            &["exceeded quota"],
            "daemonset/edge-probe 0/2 ready: exceeded quota",
            false,
        );
        let old = json!({"observedGeneration": 1});
        let shown = "daemonset/edge-probe 0/0 ready: kube-controller-manager has not seen it yet";
        check_daemon_set(&old, &[], &[], shown, false);
        let many: Vec<Value> = ["e", "d", "c", "b"].map(|it| pod(it, false, None)).to_vec();
        let shown = "daemonset/edge-probe 0/4 ready: b c d and 1 more: started, not ready yet";
        check_daemon_set(&counts(4, 4, 0), &many, &[], shown, false);
    }

    #[test]
    fn a_deployment_says_what_holds_it_up() {
        let check = |status: Value, pods: &[Value], shown: &str, is_done: bool| {
            let deployment = json!({"metadata": {"name": "s", "generation": 1}, "spec": {"replicas": 2}, "status": status});
            let rollout = Rollout::of_deployment(&deployment, pods);
            assert_eq!((rollout.to_string().as_str(), rollout.is_done), (shown, is_done));
        };
        let counts = |all: i64, updated: i64, available: i64| json!({"observedGeneration": 1, "replicas": all, "updatedReplicas": updated, "availableReplicas": available});
        check(counts(2, 2, 2), &[], "deployment/s 2/2 ready", true);
        // One of the version before is still there.
        check(counts(3, 2, 3), &[], "deployment/s 2/2 ready", false);
        let mut unplaced = pod("", false, None);
        unplaced["status"] = json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"},
        ]});
        check(
            counts(2, 2, 1),
            &[unplaced],
            "deployment/s 1/2 ready: p-: not placed: 0/3 nodes are available",
            false,
        );
        let mut failing = counts(0, 0, 0);
        failing["conditions"] = json!([{"type": "ReplicaFailure", "message": "violates PodSecurity"}]);
        check(failing, &[], "deployment/s 0/2 ready: violates PodSecurity", false);
    }
}

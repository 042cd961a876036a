//! Pods are taken off failed nodes.
//!
//! Whatever was decided was decided from what the watches told. So right before anything is written the node's Lease
//! is read once more, from the server's store and not from a cache: if it was renewed the node lives.

use std::time::Duration;

use edge_core::model::Version;
use edge_core::state::{EvictOutcome, Eviction};
use kube::api::GetParams;
use kube::core::Request;
use serde::Deserialize;
use tracing::{info, warn};

use super::answer::{Failure, within};
use super::condition::is_another_pod;
use super::preempt::{Disruption, delete, write_condition};

/// How long a request may take. What fails is decided anew, so nothing is tried twice here.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often a Job's pods may fail if it doesn't say (upstream: `batch/v1.JobSpec.BackoffLimit`).
const BACKOFF_LIMIT: i64 = 6;
/// How long a pod is given that nobody can end any more.
const AT_ONCE: u32 = 0;

/// What is read of a Lease.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Lease {
    metadata: LeaseMeta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LeaseMeta {
    resource_version: String,
}

/// What is read of a Job.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Job {
    spec: JobSpec,
    status: JobStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JobSpec {
    backoff_limit: Option<i64>,
    backoff_limit_per_index: Option<i64>,
    pod_failure_policy: Option<FailurePolicy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobStatus {
    failed: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FailurePolicy {
    rules: Vec<FailureRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FailureRule {
    action: String,
    on_pod_conditions: Vec<PodCondition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodCondition {
    #[serde(rename = "type")]
    kind: String,
}

/// Takes a pod off a failed node, as long as `may` says that this may be done; what came of it.
pub(super) async fn evict(
    client: &kube::Client,
    eviction: &Eviction,
    may: impl Fn() -> bool,
) -> EvictOutcome {
    match try_evict(client, eviction, may).await {
        Ok(outcome) => outcome,
        Err(failure) if is_another_pod(&failure) => EvictOutcome::Gone,
        Err(Failure::Refused(status)) => {
            warn!(pod = %eviction.pod.key, node = %eviction.node, error = %status.message, "the pod can't be taken off the failed node");
            EvictOutcome::Refused(status.message)
        }
        Err(failure) => {
            warn!(pod = %eviction.pod.key, node = %eviction.node, error = %failure, "the pod was not taken off the failed node");
            EvictOutcome::Failed(failure.to_string())
        }
    }
}

async fn try_evict(
    client: &kube::Client,
    eviction: &Eviction,
    may: impl Fn() -> bool,
) -> Result<EvictOutcome, Failure> {
    let Eviction { pod, generation, scheduler_name, node, lease, job, is_fenced } = eviction;
    let not_sent = || EvictOutcome::Failed("it was not sent: the lease may be another replica's".to_owned());
    if !may() {
        return Ok(not_sent());
    }
    if let Some(seen) = lease
        && let Some(version) = renewed(client, node.as_str(), *seen).await?
    {
        info!(pod = %pod.key, %node, "the node's Lease was renewed: the pod stays");
        return Ok(EvictOutcome::Renewed(version));
    }
    if let Some(job) = job
        && let Some(why) = would_fail(client, &pod.key.namespace, job).await?
    {
        return Ok(EvictOutcome::Refused(why));
    }
    let disruption = Disruption {
        generation: *generation,
        reason: "NodeLost",
        message: format!("{scheduler_name}: node {node} is lost"),
    };
    within(TIMEOUT, write_condition(client, pod, &disruption)).await?;
    if !may() {
        return Ok(not_sent());
    }
    within(TIMEOUT, delete(client, pod, is_fenced.then_some(AT_ONCE))).await?;
    info!(pod = %pod.key, %node, "taken off the failed node");
    Ok(EvictOutcome::Deleted)
}

/// The version of the node's Lease, if that is another one than was seen.
async fn renewed(client: &kube::Client, node: &str, seen: Version) -> Result<Option<Version>, Failure> {
    let request = Request::new("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
        .get_metadata(node, &GetParams::default());
    let answer = async { client.request::<Lease>(request.map_err(kube::Error::BuildRequest)?).await };
    match within(TIMEOUT, answer).await {
        Ok(Lease { metadata: LeaseMeta { resource_version } }) => {
            let version = resource_version.parse().map_or(Version::UNKNOWN, Version);
            Ok((version != seen).then_some(version))
        }
        // Nobody renews it any more.
        Err(Failure::Gone) => Ok(None),
        // It is the reading that may not be done, not the eviction.
        Err(Failure::Refused(status)) => Err(Failure::Throttled { status, retry_after: Duration::ZERO }),
        Err(failure) => Err(failure),
    }
}

/// Why the end of one more pod would be the end of its Job, if so.
async fn would_fail(client: &kube::Client, namespace: &str, name: &str) -> Result<Option<String>, Failure> {
    let request =
        Request::new(format!("/apis/batch/v1/namespaces/{namespace}/jobs")).get(name, &GetParams::default());
    let answer = async { client.request::<Job>(request.map_err(kube::Error::BuildRequest)?).await };
    match within(TIMEOUT, answer).await {
        Ok(job) => Ok(job.why_not(name)),
        Err(Failure::Gone) => Ok(Some(format!("its Job {name} is not there"))),
        Err(Failure::Refused(status)) => {
            Ok(Some(format!("its Job {name} can't be read: {}", status.message)))
        }
        Err(failure) => Err(failure),
    }
}

// === impl Job ===

impl Job {
    fn why_not(&self, name: &str) -> Option<String> {
        let JobSpec { backoff_limit, backoff_limit_per_index, pod_failure_policy } = &self.spec;
        let ignores = |rule: &FailureRule| {
            let is_ours = |condition: &PodCondition| condition.kind == "DisruptionTarget";
            rule.action == "Ignore" && rule.on_pod_conditions.iter().any(is_ours)
        };
        if pod_failure_policy.as_ref().is_some_and(|policy| policy.rules.iter().any(ignores)) {
            return None;
        }
        if backoff_limit_per_index.is_some() {
            return Some(format!("Job {name} has a backoffLimitPerIndex, which this might use up"));
        }
        let limit = backoff_limit.unwrap_or(BACKOFF_LIMIT);
        (self.status.failed >= limit).then(|| {
            format!(
                "Job {name} has {} failed pods of {limit} that its backoffLimit allows",
                self.status.failed
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(spec: &Value, failed: i64, may: bool) {
        let job: Job = serde_json::from_value(json!({"spec": spec, "status": {"failed": failed}})).unwrap();
        assert_eq!(job.why_not("j").is_none(), may, "{spec} {failed}");
    }

    #[test]
    fn a_job_keeps_its_last_chance() {
        check(&json!({}), 5, true);
        check(&json!({}), 6, false);
        check(&json!({"backoffLimit": 0}), 0, false);
        check(&json!({"backoffLimit": 1}), 0, true);
        check(&json!({"backoffLimit": 1}), 1, false);
        check(&json!({"backoffLimitPerIndex": 1}), 0, false);
        let rules = |action: &str, kind: &str| {
            let rule = json!({"action": action, "onPodConditions": [{"type": kind}]});
            json!({"backoffLimit": 0, "podFailurePolicy": {"rules": [rule]}})
        };
        check(&rules("Ignore", "DisruptionTarget"), 0, true);
        check(&rules("Count", "DisruptionTarget"), 0, false);
        check(&rules("Ignore", "ConfigIssue"), 0, false);
    }
}

//! Pods are evicted so that they are made anew elsewhere, as far as their PodDisruptionBudgets allow it.

use std::time::Duration;

use edge_core::state::{MoveNotice, MoveTurn, RelocateOutcome, Relocation};
use kube::api::PostParams;
use kube::core::Status;
use serde::de::IgnoredAny;
use serde_json::json;
use tracing::{info, warn};

use super::act::pods;
use super::answer::{Failure, within};
use super::condition::is_another_pod;
use super::notice::Notice;

/// How long a request may take. What fails is decided anew, so nothing is tried twice here.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What the server gives as the cause where a budget is in the way (upstream: `policy/v1.DisruptionBudgetCause`).
const BUDGET: &str = "DisruptionBudget";

/// Asks for an eviction; what came of it. The server gives the pod the condition `DisruptionTarget` itself.
pub(super) async fn relocate(client: &kube::Client, relocation: &Relocation) -> RelocateOutcome {
    let Relocation { pod, scheduler_name: _, from, to, reason } = relocation;
    match within(TIMEOUT, evict(client, relocation)).await {
        Ok(IgnoredAny) => {
            info!(pod = %pod.key, %from, %to, reason = reason.as_str(), "evicted, to be moved");
            RelocateOutcome::Evicted
        }
        Err(failure) if is_another_pod(&failure) => RelocateOutcome::Gone,
        Err(Failure::Throttled { status, .. }) if is_of_budget(&status) => {
            RelocateOutcome::Budget(status.message)
        }
        Err(Failure::Refused(status)) => {
            warn!(pod = %pod.key, %from, error = %status.message, "the pod can't be moved");
            RelocateOutcome::Refused(status.message)
        }
        // Two budgets for one pod: the server can't tell which one counts, and says that it failed.
        Err(Failure::Unknown(error)) if matches!(&*error, kube::Error::Api(status) if status.code == 500) => {
            warn!(pod = %pod.key, %from, %error, "the pod can't be moved");
            RelocateOutcome::Refused(error.to_string())
        }
        Err(failure) => {
            warn!(pod = %pod.key, %from, error = %failure, "the pod was not moved");
            RelocateOutcome::Failed(failure.to_string())
        }
    }
}

/// Whether a budget is in the way, and not a server that has too much to do.
fn is_of_budget(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == BUDGET)
}

async fn evict(client: &kube::Client, relocation: &Relocation) -> kube::Result<IgnoredAny> {
    let key = &relocation.pod.key;
    let body = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"namespace": &*key.namespace, "name": &*key.name},
        "deleteOptions": {"preconditions": {"uid": relocation.pod.uid.as_str()}},
    });
    let body = serde_json::to_vec(&body).map_err(kube::Error::SerdeError)?;
    let request =
        pods(&key.namespace).create_subresource("eviction", &key.name, &PostParams::default(), body);
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}

// === impl Notice ===

impl<'a> Notice<'a> {
    /// The pod is moved, or is not though it should be.
    pub(super) fn moved(told: &'a MoveNotice) -> Self {
        let MoveNotice { pod, scheduler_name, turn, .. } = told;
        let severity = if matches!(turn, MoveTurn::Moved { .. }) { "Normal" } else { "Warning" };
        Self::of_pod(pod, scheduler_name, severity, turn.reason(), "Moving", &told.note())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(details: &serde_json::Value, expected: bool) {
        let status = json!({"status": "Failure", "message": "no", "reason": "TooManyRequests", "code": 429, "details": details});
        let status: Status = serde_json::from_value(status).unwrap();
        assert_eq!(is_of_budget(&status), expected, "{details}");
    }

    #[test]
    fn a_budget_in_the_way_is_not_a_server_that_is_busy() {
        let cause = |reason| json!({"causes": [{"reason": reason, "message": "needs 2", "field": ""}]});
        check(&cause("DisruptionBudget"), true);
        check(&cause("Other"), false);
        check(&json!({"retryAfterSeconds": 1}), false);
    }
}

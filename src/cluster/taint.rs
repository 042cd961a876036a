//! The taint of a handover is set on nodes and taken away.
//!
//! The API has taints as one list without keys to merge by. So the Node is read, and the new list is written against
//! the version that was read.

use std::time::Duration;

use edge_core::placement::HANDOVER_TAINT;
use edge_core::state::{CoverOutcome, HandoverTaint};
use kube::api::{GetParams, Patch, PatchParams};
use kube::core::Request;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tracing::{debug, warn};

use super::answer::{Failure, within};

/// How long a request may take, and how often a version that is not the last one any more is read again.
const TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: u32 = 5;

/// What is read of a Node.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeTaints {
    metadata: Meta,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Meta {
    uid: String,
    resource_version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    taints: Option<Vec<Value>>,
}

/// Sets the taint or takes it away, as long as `may` says that this may be done; what came of it.
pub(super) async fn taint(
    client: &kube::Client,
    wanted: &HandoverTaint,
    may: impl Fn() -> bool,
) -> CoverOutcome {
    for _ in 0..TRIES {
        if !may() {
            return CoverOutcome::Unknown("it was not sent: the lease may be another replica's".to_owned());
        }
        match try_taint(client, wanted).await {
            Ok(()) => {
                debug!(node = %wanted.node, stands = wanted.stands, "the taint of a handover");
                return CoverOutcome::Done;
            }
            // There is nothing to keep anybody off.
            Err(Failure::Gone) => return CoverOutcome::Done,
            Err(Failure::Conflict(_)) => (),
            Err(Failure::Refused(status)) => {
                warn!(node = %wanted.node, error = %status.message, "the taint of a handover can't be written; others may take the room meanwhile");
                return CoverOutcome::Refused(status.message);
            }
            Err(failure) => {
                warn!(node = %wanted.node, error = %failure, "the taint of a handover was not written");
                return CoverOutcome::Unknown(failure.to_string());
            }
        }
    }
    CoverOutcome::Unknown("the Node changes too often".to_owned())
}

async fn try_taint(client: &kube::Client, wanted: &HandoverTaint) -> Result<(), Failure> {
    let read: NodeTaints = within(TIMEOUT, async {
        let request = nodes().get(wanted.node.as_str(), &GetParams::default());
        client.request(request.map_err(kube::Error::BuildRequest)?).await
    })
    .await?;
    let Some(body) = read.with(wanted) else { return Ok(()) };
    within(TIMEOUT, async {
        let patch = Patch::Merge(body);
        let request = nodes().patch(wanted.node.as_str(), &PatchParams::default(), &patch);
        client.request::<IgnoredAny>(request.map_err(kube::Error::BuildRequest)?).await
    })
    .await
    .map(|IgnoredAny| ())
}

fn nodes() -> Request {
    Request::new("/api/v1/nodes")
}

// === impl NodeTaints ===

impl NodeTaints {
    /// What is to be written; none if there is nothing to write.
    fn with(self, wanted: &HandoverTaint) -> Option<Value> {
        let Self { metadata: Meta { uid, resource_version }, spec: Spec { taints } } = self;
        if uid != *wanted.uid {
            return None;
        }
        let before = taints.unwrap_or_default();
        let is_ours = |taint: &&Value| taint["key"] == HANDOVER_TAINT;
        let mut taints: Vec<Value> = before.iter().filter(|taint| !is_ours(taint)).cloned().collect();
        if wanted.stands {
            if let Some(there) = before.iter().find(is_ours)
                && there["effect"] == "NoSchedule"
            {
                return None;
            }
            taints.push(json!({"key": HANDOVER_TAINT, "effect": "NoSchedule"}));
        }
        (taints != before)
            .then(|| json!({"metadata": {"resourceVersion": resource_version}, "spec": {"taints": taints}}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &Value, stands: bool, after: Option<Value>) {
        let read: NodeTaints = serde_json::from_value(json!({
            "metadata": {"uid": "u", "resourceVersion": "7"}, "spec": {"taints": before},
        }))
        .unwrap();
        let wanted = HandoverTaint { node: "a".into(), uid: "u".into(), stands };
        let expected =
            after.map(|taints| json!({"metadata": {"resourceVersion": "7"}, "spec": {"taints": taints}}));
        assert_eq!(read.with(&wanted), expected);
    }

    #[test]
    fn other_taints_stay() {
        let ours = json!({"key": HANDOVER_TAINT, "effect": "NoSchedule"});
        let other =
            json!({"key": "a", "value": "b", "effect": "NoExecute", "timeAdded": "2024-01-01T00:00:00Z"});
        check(&Value::Null, true, Some(json!([ours])));
        check(&json!([other]), true, Some(json!([other, ours])));
        check(&json!([other, ours]), true, None);
        check(&json!([ours, other]), false, Some(json!([other])));
        check(&json!([ours]), false, Some(json!([])));
        check(&Value::Null, false, None);
    }

    #[test]
    fn a_later_node_of_the_name_is_left_alone() {
        let read: NodeTaints = serde_json::from_value(json!({"metadata": {"uid": "v"}})).unwrap();
        let wanted = HandoverTaint { node: "a".into(), uid: "u".into(), stands: true };
        assert_eq!(read.with(&wanted), None);
    }
}

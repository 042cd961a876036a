//! Our taints are set on nodes and taken away: that of a handover, and that of a fence.
//!
//! The API has taints as one list without keys to merge by. So the Node is read, and the new list is written against
//! the version that was read.

use std::time::Duration;

use edge_core::model::NodeName;
use edge_core::placement::HANDOVER_TAINT;
use edge_core::state::{CoverOutcome, FENCED_BY_US, Fence, HandoverTaint, OUT_OF_SERVICE};
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

/// A taint that is to be on a node, or not.
pub(super) struct Wanted {
    node: NodeName,
    /// The UID of the node's object.
    uid: String,
    key: &'static str,
    /// By which ours is known where others may set the same.
    value: Option<&'static str>,
    effect: &'static str,
    stands: bool,
}

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
pub(super) async fn taint(client: &kube::Client, wanted: &Wanted, may: impl Fn() -> bool) -> CoverOutcome {
    for _ in 0..TRIES {
        if !may() {
            return CoverOutcome::Unknown("it was not sent: the lease may be another replica's".to_owned());
        }
        match try_taint(client, wanted).await {
            Ok(()) => {
                debug!(node = %wanted.node, taint = wanted.key, stands = wanted.stands, "a taint is written");
                return CoverOutcome::Done;
            }
            // There is no node that could have it.
            Err(Failure::Gone) => return CoverOutcome::Done,
            Err(Failure::Conflict(_)) => (),
            Err(Failure::Refused(status)) => {
                warn!(node = %wanted.node, taint = wanted.key, error = %status.message, "a taint can't be written");
                return CoverOutcome::Refused(status.message);
            }
            Err(failure) => {
                warn!(node = %wanted.node, taint = wanted.key, error = %failure, "a taint was not written");
                return CoverOutcome::Unknown(failure.to_string());
            }
        }
    }
    CoverOutcome::Unknown("the Node changes too often".to_owned())
}

async fn try_taint(client: &kube::Client, wanted: &Wanted) -> Result<(), Failure> {
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
    fn with(self, wanted: &Wanted) -> Option<Value> {
        let Self { metadata: Meta { uid, resource_version }, spec: Spec { taints } } = self;
        if uid != wanted.uid {
            return None;
        }
        let before = taints.unwrap_or_default();
        let mut taints: Vec<Value> = before.iter().filter(|taint| !wanted.is_ours(taint)).cloned().collect();
        if wanted.stands {
            // Whoever set it, and with whatever value, it does what it is wanted for.
            if before.iter().any(|taint| wanted.does_the_same(taint)) {
                return None;
            }
            taints.push(wanted.taint());
        }
        (taints != before)
            .then(|| json!({"metadata": {"resourceVersion": resource_version}, "spec": {"taints": taints}}))
    }
}

// === impl Wanted ===

impl Wanted {
    /// The taint of a handover.
    pub(super) fn of_handover(taint: &HandoverTaint) -> Self {
        let HandoverTaint { node, uid, stands } = taint;
        let (node, uid, stands) = (node.clone(), uid.to_string(), *stands);
        Self { node, uid, key: HANDOVER_TAINT, value: None, effect: "NoSchedule", stands }
    }

    /// The taint of a node that is off and stays off.
    pub(super) fn of_fence(fence: &Fence) -> Self {
        let Fence { node, uid, stands } = fence;
        let (node, uid, stands) = (node.clone(), uid.to_string(), *stands);
        Self { node, uid, key: OUT_OF_SERVICE, value: Some(FENCED_BY_US), effect: "NoExecute", stands }
    }

    fn is_ours(&self, taint: &Value) -> bool {
        taint["key"] == self.key && self.value.is_none_or(|value| taint["value"] == value)
    }

    fn does_the_same(&self, taint: &Value) -> bool {
        taint["key"] == self.key && taint["effect"] == self.effect
    }

    fn taint(&self) -> Value {
        let mut taint = json!({"key": self.key, "effect": self.effect});
        if let Some(value) = self.value {
            taint["value"] = value.into();
        }
        taint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &Value, stands: bool, after: Option<Value>) {
        let handover = HandoverTaint { node: "a".into(), uid: "u".into(), stands };
        check_any(before, &Wanted::of_handover(&handover), after);
    }

    #[track_caller]
    fn check_any(before: &Value, wanted: &Wanted, after: Option<Value>) {
        let read: NodeTaints = serde_json::from_value(json!({
            "metadata": {"uid": "u", "resourceVersion": "7"}, "spec": {"taints": before},
        }))
        .unwrap();
        let expected =
            after.map(|taints| json!({"metadata": {"resourceVersion": "7"}, "spec": {"taints": taints}}));
        assert_eq!(read.with(wanted), expected);
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
    fn a_fence_of_others_is_as_good_and_stays() {
        let fence = |stands| Wanted::of_fence(&Fence { node: "a".into(), uid: "u".into(), stands });
        let ours = json!({"key": OUT_OF_SERVICE, "value": FENCED_BY_US, "effect": "NoExecute"});
        let theirs = json!({"key": OUT_OF_SERVICE, "value": "nodeshutdown", "effect": "NoExecute"});
        check_any(&Value::Null, &fence(true), Some(json!([ours])));
        check_any(&json!([theirs]), &fence(true), None);
        check_any(&json!([ours]), &fence(true), None);
        check_any(&json!([ours, theirs]), &fence(false), Some(json!([theirs])));
        check_any(&json!([theirs]), &fence(false), None);
    }

    #[test]
    fn a_later_node_of_the_name_is_left_alone() {
        let read: NodeTaints = serde_json::from_value(json!({"metadata": {"uid": "v"}})).unwrap();
        let wanted = HandoverTaint { node: "a".into(), uid: "u".into(), stands: true };
        assert_eq!(read.with(&Wanted::of_handover(&wanted)), None);
    }
}

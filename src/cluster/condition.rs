//! What is written of a waiting pod's status: the condition `PodScheduled=False`, which tells its owner why it
//! waits, and the node it is nominated to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use edge_core::model::{NodeName, PodUid};
use edge_core::state::{NominatedNode, PodRef, Report};
use kube::api::{Patch, PatchParams};
use serde::Serialize;
use serde::de::IgnoredAny;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::act::pods;
use super::answer::{Failure, within};
use super::timestamp;

/// How many are written at once.
const PARALLEL: usize = 16;
/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often one is tried, and the pause after the first failure; each further one is twice as long.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Below this many pods nothing is swept.
const SWEEP_LEAST: usize = 64;
/// From so many on, failures are forgotten too: their pods may be gone.
const FAILED_KEPT: usize = 8192;

/// What is to be written of a pod's status.
pub(super) struct StatusWrite {
    pod: PodRef,
    condition: Option<Report>,
    nominated: NominatedNode,
}

/// Writes what pods wait for, of one pod in order.
pub(super) struct Conditions {
    client: kube::Client,
    permits: Arc<Semaphore>,
    tasks: JoinSet<()>,
    /// For each pod the last writing that was begun.
    last: HashMap<PodUid, Last>,
    sweep_at: usize,
}

/// What became of a writing.
enum Last {
    /// It is on its way; in the end it says whether it came about.
    Underway(oneshot::Receiver<bool>),
    /// It came about.
    Written,
    /// It did not come about.
    Failed,
}

// === impl StatusWrite ===

impl StatusWrite {
    /// The condition, and with it the nomination if that changed.
    pub(super) fn of(report: Report) -> Self {
        Self { pod: report.pod.clone(), nominated: report.nominated_node.clone(), condition: Some(report) }
    }

    /// The nomination alone.
    pub(super) fn nomination(pod: PodRef, node: Option<NodeName>) -> Self {
        Self { pod, condition: None, nominated: node.map_or(NominatedNode::None, NominatedNode::Is) }
    }
}

// === impl Conditions ===

impl Conditions {
    pub(super) fn new(client: kube::Client) -> Self {
        let permits = Arc::new(Semaphore::new(PARALLEL));
        Self { client, permits, tasks: JoinSet::new(), last: HashMap::new(), sweep_at: SWEEP_LEAST }
    }

    /// Completes when no condition of the pod is on its way any more; none if there is none.
    pub(super) fn last_of(&mut self, pod: &PodUid) -> Option<oneshot::Receiver<bool>> {
        match self.last.remove(pod)? {
            Last::Underway(end) => Some(end),
            Last::Written | Last::Failed => None,
        }
    }

    /// Whether there is something to write: it changed, or was not written after all.
    pub(super) fn is_due(&mut self, report: &Report) -> bool {
        let last = self.last.get_mut(&report.pod.uid);
        report.condition_changed
            || report.nominated_node != NominatedNode::Unchanged
            || last.is_some_and(|last| matches!(last.look(), Last::Failed))
    }

    /// Begins to write it.
    pub(super) fn write(&mut self, status: StatusWrite) {
        self.sweep();
        let (ended, end) = oneshot::channel();
        let previous = self.last_of(&status.pod.uid);
        self.last.insert(status.pod.uid.clone(), Last::Underway(end));
        let client = self.client.clone();
        let permits = Arc::clone(&self.permits);
        self.tasks.spawn(async move {
            if let Some(previous) = previous {
                _ = previous.await;
            }
            if let Ok(_permit) = permits.acquire_owned().await {
                // Boxed, as thousands may wait for a permit.
                let written = Box::pin(write(&client, &status)).await;
                _ = ended.send(written);
            }
        });
    }

    fn sweep(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        if self.last.len() >= self.sweep_at {
            let keep_failed = self.last.len() < FAILED_KEPT;
            self.last.retain(|_, last| match last.look() {
                Last::Underway(_) => true,
                Last::Written => false,
                Last::Failed => keep_failed,
            });
            self.sweep_at = self.last.len().saturating_mul(2).max(SWEEP_LEAST);
        }
    }
}

// === impl Last ===

impl Last {
    /// What has become of it by now.
    fn look(&mut self) -> &Self {
        if let Self::Underway(end) = self {
            match end.try_recv() {
                Ok(true) => *self = Self::Written,
                Ok(false) | Err(oneshot::error::TryRecvError::Closed) => *self = Self::Failed,
                Err(oneshot::error::TryRecvError::Empty) => (),
            }
        }
        self
    }
}

/// Whether it was written, or need not be.
async fn write(client: &kube::Client, status: &StatusWrite) -> bool {
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=TRIES {
        match within(TIMEOUT, patch(client, status)).await {
            Ok(IgnoredAny) => return true,
            Err(failure) if is_another_pod(&failure) => {
                debug!(pod = %status.pod.key, "the pod is gone; its status is not written");
                return true;
            }
            Err(failure) if failure.is_passing() && attempt < TRIES => {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
            Err(failure) => {
                warn!(pod = %status.pod.key, error = %failure, "the status was not written");
                return false;
            }
        }
    }
    false
}

/// Whether there is no pod any more, or a later one of the same name: then the UID would change, which the
/// server refuses.
pub(super) fn is_another_pod(failure: &Failure) -> bool {
    match failure {
        Failure::Gone | Failure::Conflict(_) => true,
        Failure::Refused(status) => status.message.contains("metadata.uid"),
        Failure::Throttled { .. } | Failure::Unknown(_) | Failure::TimedOut(_) => false,
    }
}

async fn patch(client: &kube::Client, status: &StatusWrite) -> kube::Result<IgnoredAny> {
    let StatusWrite { pod: PodRef { key, uid }, condition, nominated } = status;
    let condition = condition.as_ref().map(|report| Condition {
        kind: "PodScheduled",
        status: "False",
        reason: report.reason.as_str(),
        message: &report.message,
        observed_generation: report.generation,
        last_probe_time: None,
        // Left out later, the server keeps the one that is there.
        last_transition_time: report.first.then(timestamp::seconds),
    });
    let body = PodPatch {
        // With the UID, a later pod of the same name is left alone.
        metadata: PatchMeta { uid: uid.as_str() },
        status: PatchStatus {
            conditions: condition.into_iter().collect(),
            nominated_node_name: Nominated(nominated),
        },
    };
    let patch = Patch::Strategic(body);
    let request =
        pods(&key.namespace).patch_subresource("status", &key.name, &PatchParams::default(), &patch);
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}

#[derive(Serialize)]
struct PodPatch<'a> {
    metadata: PatchMeta<'a>,
    status: PatchStatus<'a>,
}

#[derive(Serialize)]
struct PatchMeta<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PatchStatus<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Condition<'a>>,
    #[serde(skip_serializing_if = "Nominated::is_unchanged")]
    nominated_node_name: Nominated<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Condition<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: &'a str,
    observed_generation: i64,
    last_probe_time: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_transition_time: Option<String>,
}

/// The name of the node, or null, which takes away what is there.
struct Nominated<'a>(&'a NominatedNode);

// === impl Nominated ===

impl Nominated<'_> {
    fn is_unchanged(&self) -> bool {
        *self.0 == NominatedNode::Unchanged
    }
}

impl Serialize for Nominated<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            NominatedNode::Is(node) => serializer.serialize_str(node.as_str()),
            NominatedNode::None | NominatedNode::Unchanged => serializer.serialize_none(),
        }
    }
}

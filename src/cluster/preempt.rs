//! Pods are taken away for another one (upstream: `framework/preemption/executor.go`).

use std::time::Duration;

use edge_core::state::{PodRef, PreemptOutcome, Preemption, Victim};
use futures::StreamExt;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde::de::IgnoredAny;
use serde_json::json;
use tracing::{debug, warn};

use super::act::pods;
use super::answer::{Failure, within};
use super::condition::is_another_pod;
use super::timestamp;

/// How many victims of one pod are taken away at once.
const PARALLEL: usize = 16;
/// How long a request may take, how often it is tried, and the pause after the first failure; each further one
/// is twice as long.
const TIMEOUT: Duration = Duration::from_secs(10);
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Takes the victims away, as long as `may` says that this may be done; what came of it.
///
/// The last one goes last, and stays if another one could not be taken away: then the pod that needs the room
/// is tried again, and perhaps elsewhere.
pub(super) async fn preempt(
    client: &kube::Client,
    preemption: &Preemption,
    may: impl Fn() -> bool,
) -> PreemptOutcome {
    let mut outcome = PreemptOutcome { deleted: Vec::new(), failed: false };
    let Some((last, others)) = preemption.victims.split_last() else { return outcome };
    let take = async |victim: &Victim| {
        let taken = if may() { take_away(client, preemption, victim).await } else { Err(()) };
        (victim.pod.clone(), taken)
    };
    let mut taken = futures::stream::iter(others).map(&take).buffer_unordered(PARALLEL);
    while let Some((pod, taken)) = taken.next().await {
        outcome.note(pod, taken);
    }
    if !outcome.failed {
        let (pod, taken) = take(last).await;
        outcome.note(pod, taken);
    }
    outcome
}

/// What is noted of each victim.
trait Note {
    /// Notes whether the server has begun to delete a pod, or that nobody knows.
    fn note(&mut self, pod: PodRef, taken: Result<bool, ()>);
}

impl Note for PreemptOutcome {
    fn note(&mut self, pod: PodRef, taken: Result<bool, ()>) {
        match taken {
            Ok(true) => self.deleted.push(pod),
            Ok(false) => (),
            Err(()) => self.failed = true,
        }
    }
}

/// Why a pod is disrupted, for its condition.
#[derive(Clone, Debug)]
pub(super) struct Disruption {
    /// The pod's generation.
    pub(super) generation: i64,
    /// In one word.
    pub(super) reason: &'static str,
    /// For people.
    pub(super) message: String,
}

/// Whether the server has begun to delete the pod; else it was gone already.
async fn take_away(client: &kube::Client, preemption: &Preemption, victim: &Victim) -> Result<bool, ()> {
    let PodRef { key, uid: _ } = &victim.pod;
    let scheduler = &preemption.scheduler_name;
    let disruption = Disruption {
        generation: victim.generation,
        reason: "PreemptionByScheduler",
        message: format!("{scheduler}: preempting to accommodate a higher priority pod"),
    };
    let write = || write_condition(client, &victim.pod, &disruption);
    if !victim.has_condition && !try_often(write, victim).await? {
        return Ok(false);
    }
    let deleted = try_often(|| delete(client, &victim.pod, None), victim).await?;
    if deleted {
        debug!(victim = %key, preemptor = %preemption.preemptor.key, node = %preemption.node, "preempted");
    }
    Ok(deleted)
}

/// Whether the request succeeded; else the pod is gone.
async fn try_often<F>(request: impl Fn() -> F, victim: &Victim) -> Result<bool, ()>
where
    F: Future<Output = kube::Result<IgnoredAny>>,
{
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=TRIES {
        match within(TIMEOUT, request()).await {
            Ok(IgnoredAny) => return Ok(true),
            Err(failure) if is_another_pod(&failure) => return Ok(false),
            Err(failure) if failure.is_passing() && attempt < TRIES => {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
            Err(failure) => {
                tell(victim, &failure);
                return Err(());
            }
        }
    }
    Err(())
}

fn tell(victim: &Victim, failure: &Failure) {
    warn!(victim = %victim.pod.key, error = %failure, "the pod could not be preempted");
}

/// Says in the pod's status that it is disrupted, and why.
pub(super) async fn write_condition(
    client: &kube::Client,
    pod: &PodRef,
    disruption: &Disruption,
) -> kube::Result<IgnoredAny> {
    let PodRef { key, uid } = pod;
    let Disruption { generation, reason, message } = disruption;
    let condition = json!({
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastProbeTime": null,
        "lastTransitionTime": timestamp::seconds(),
    });
    // With the UID, a later pod of the same name is left alone.
    let body = json!({"metadata": {"uid": uid.as_str()}, "status": {"conditions": [condition]}});
    let patch = Patch::Strategic(body);
    let request =
        pods(&key.namespace).patch_subresource("status", &key.name, &PatchParams::default(), &patch);
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}

/// Deletes the pod, within this many seconds if it isn't to have the time that it asks for.
pub(super) async fn delete(
    client: &kube::Client,
    pod: &PodRef,
    grace: Option<u32>,
) -> kube::Result<IgnoredAny> {
    let PodRef { key, uid } = pod;
    let preconditions = Preconditions { uid: Some(uid.to_string()), resource_version: None };
    let params = DeleteParams {
        preconditions: Some(preconditions),
        grace_period_seconds: grace,
        ..DeleteParams::default()
    };
    let request = pods(&key.namespace).delete(&key.name, &params);
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}

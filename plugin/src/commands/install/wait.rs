//! Waiting for the pods of an installation, saying what holds them up.

use std::collections::BTreeSet;
use std::time::Duration;

use edge_api::names::{NAMESPACE, PROBE, SCHEDULER};
use kube::Error;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::cluster::is_forbidden;
use crate::failure::{Ending, Failure};
use crate::installation::rollout::{Rollout, is_ready};
use crate::installation::store::Store;
use crate::session::Session;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Waits until scheduler and agents are as they should be.
pub(super) async fn until_ready(
    session: &Session,
    store: Store<'_>,
    timeout: Duration,
) -> Result<Vec<Rollout>, Failure> {
    let began = Instant::now();
    loop {
        let rollouts = rollouts(store).await.map_err(|error| store.cluster.problem(error))?;
        let open: Vec<String> = rollouts.iter().filter(|it| !it.is_done).map(ToString::to_string).collect();
        if open.is_empty() {
            return Ok(rollouts);
        }
        // A time-out of 0 waits for ever, as kubectl has it.
        if !timeout.is_zero() && began.elapsed() >= timeout {
            let failure = Failure::new(format!("not ready after {timeout:?}: {}", open.join(" | ")));
            let hint = format!("\"{} check\" looks closer; --timeout waits longer", session.name);
            return Err(failure.with_hint(hint).ending(Ending::TimedOut));
        }
        session.talk.waiting(&format!("waiting    {}", open.join(" | ")));
        sleep(LOOK).await;
    }
}

/// How far scheduler and agents are.
pub(crate) async fn rollouts(store: Store<'_>) -> Result<Vec<Rollout>, Error> {
    let base = format!("/apis/apps/v1/namespaces/{NAMESPACE}");
    let mut rollouts = Vec::new();
    if let Some(deployment) = store.get(&format!("{base}/deployments/{SCHEDULER}")).await? {
        let pods = pods(store, SCHEDULER).await?;
        rollouts.push(Rollout::of_deployment(&deployment, &pods));
    }
    if let Some(daemon_set) = store.get(&format!("{base}/daemonsets/{PROBE}")).await? {
        let pods = pods(store, PROBE).await?;
        let (lost, failures) = (lost_nodes(store).await?, failures(store).await?);
        rollouts.push(Rollout::of_daemon_set(&daemon_set, &pods, &lost, &failures));
    }
    Ok(rollouts)
}

/// What can't be seen is left out.
fn visible(answer: Result<Vec<Value>, Error>) -> Result<Vec<Value>, Error> {
    match answer {
        Err(error) if is_forbidden(&error) => Ok(Vec::new()),
        answer => answer,
    }
}

async fn pods(store: Store<'_>, name: &str) -> Result<Vec<Value>, Error> {
    let query = format!("labelSelector=app.kubernetes.io%2Fname%3D{name}");
    visible(store.list(&format!("/api/v1/namespaces/{NAMESPACE}/pods"), &query).await)
}

async fn lost_nodes(store: Store<'_>) -> Result<BTreeSet<String>, Error> {
    let nodes = visible(store.list("/api/v1/nodes", "").await)?;
    let lost = nodes.iter().filter(|node| !is_ready(node));
    Ok(lost.filter_map(|node| node.pointer("/metadata/name")?.as_str().map(ToOwned::to_owned)).collect())
}

/// What the DaemonSet's controller says of pods that it could not make.
async fn failures(store: Store<'_>) -> Result<Vec<String>, Error> {
    let query = format!("fieldSelector=reason%3DFailedCreate%2CinvolvedObject.name%3D{PROBE}");
    let events = visible(store.list(&format!("/api/v1/namespaces/{NAMESPACE}/events"), &query).await)?;
    let messages = events.iter().filter_map(|event| event["message"].as_str());
    Ok(messages.map(ToOwned::to_owned).collect::<BTreeSet<_>>().into_iter().collect())
}

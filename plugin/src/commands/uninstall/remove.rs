//! Taking an installation away, in an order in which nothing makes it anew.

use std::time::Duration;

use kube::Error;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Found;
use crate::failure::{Ending, Failure};
use crate::installation::inventory::{self, Dependent, given_back, is_namespace, without};
use crate::installation::object::Object;
use crate::installation::store::{Mode, Store};
use crate::session::Session;

/// How often it is looked whether something is gone.
const LOOK: Duration = Duration::from_millis(500);

/// Asks the server whether it would do all of it.
pub(super) async fn try_all(store: Store<'_>, found: &Found) -> Result<(), Error> {
    for object in &found.objects {
        store.delete(&object.path(), Mode::DryRun).await?;
    }
    for labels in &found.labels {
        store.merge(&format!("/api/v1/nodes/{}", labels.node), &without(labels), Mode::DryRun).await?;
    }
    Ok(())
}

/// Gives workloads back to the default scheduler.
pub(super) async fn reset(
    session: &Session,
    store: Store<'_>,
    dependents: &[Dependent],
) -> Result<(), Failure> {
    for dependent in dependents {
        let Some(change) = given_back(dependent) else { continue };
        let changed = store.merge(&dependent.path, &change, Mode::Real).await;
        changed.map_err(|error| store.cluster.problem(error))?;
        session.talk.note(&format!("{}: schedulerName is default-scheduler", dependent.shown));
    }
    Ok(())
}

/// Deletes everything; first what would write, then what it is allowed to, and the namespace at the end.
pub(super) async fn all(
    session: &Session,
    store: Store<'_>,
    found: &Found,
    timeout: Duration,
) -> Result<(), Failure> {
    let is_workload = |object: &&Object| ["Deployment", "DaemonSet"].contains(&object.kind().name);
    let workloads: Vec<&Object> = found.objects.iter().filter(is_workload).collect();
    for object in &workloads {
        delete(session, store, object).await?;
    }
    let paths: Vec<String> = workloads.iter().map(|it| it.path()).collect();
    until_gone(session, store, paths, timeout).await?;
    for labels in &found.labels {
        let path = format!("/api/v1/nodes/{}", labels.node);
        store
            .merge(&path, &without(labels), Mode::Real)
            .await
            .map_err(|error| store.cluster.problem(error))?;
    }
    for object in found.objects.iter().filter(|it| !is_workload(it)) {
        delete(session, store, object).await?;
    }
    let paths = found.objects.iter().map(Object::path).collect();
    until_gone(session, store, paths, timeout).await
}

async fn delete(session: &Session, store: Store<'_>, object: &Object) -> Result<(), Failure> {
    session.talk.busy(&format!("deleting {object}"));
    store.delete(&object.path(), Mode::Real).await.map(drop).map_err(|error| store.cluster.problem(error))
}

/// Waits until nothing is at these paths.
async fn until_gone(
    session: &Session,
    store: Store<'_>,
    mut paths: Vec<String>,
    timeout: Duration,
) -> Result<(), Failure> {
    let began = Instant::now();
    while let Some(path) = paths.last() {
        let found = store.get(path).await.map_err(|error| store.cluster.problem(error))?;
        let Some(found) = found else {
            paths.pop();
            continue;
        };
        let name = path.rsplit('/').take(2).collect::<Vec<_>>();
        let shown = format!("{}/{}", name.get(1).unwrap_or(&""), name.first().unwrap_or(&""));
        let finalizers = found.pointer("/metadata/finalizers").filter(|it| **it != json!([]));
        let held = finalizers.map(|it| format!(", held by {it}")).unwrap_or_default();
        if !timeout.is_zero() && began.elapsed() >= timeout {
            let failure = Failure::new(format!("{shown} is still there after {timeout:?}{held}"));
            let hint = "run uninstall again: it goes on where it stopped";
            return Err(failure.with_hint(hint).ending(Ending::TimedOut));
        }
        session.talk.waiting(&format!("waiting for {shown} to be gone{held}"));
        sleep(LOOK).await;
    }
    Ok(())
}

/// Looks whether anything of ours is left: by label, by who wrote it, and on nodes.
pub(super) async fn prove(session: &Session, store: Store<'_>, timeout: Duration) -> Result<(), Failure> {
    let problem = |error| store.cluster.problem(error);
    let began = Instant::now();
    loop {
        let mut left = inventory::objects(store).await.map_err(problem)?;
        left.extend(inventory::written(store).await.map_err(problem)?);
        let Some(first) = left.iter().find(|it| !is_namespace(it.kind())).or(left.first()) else {
            session.talk.note("scan by label and by field manager: nothing is left");
            return Ok(());
        };
        if began.elapsed() >= timeout {
            let failure = Failure::new(format!("{} objects are left, such as {first}", left.len()));
            return Err(failure.with_hint("run uninstall again").ending(Ending::TimedOut));
        }
        sleep(LOOK).await;
    }
}

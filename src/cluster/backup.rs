//! Backups: pods that take up room and do nothing, and where pods' backups are, written into them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use edge_api::names::{BACKUP_PRIORITY, NAMESPACE, SCHEDULER};
use edge_core::model::{ResourceName, Resources};
use edge_core::placement::{BACKUP_LABEL, BACKUP_NODE_ANNOTATION};
use edge_core::state::{BackupPod, CoverOutcome, CoverWrite, PodRef};
use kube::api::{DeleteParams, GetParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tracing::{debug, warn};

use super::act::pods;
use super::answer::{Failure, within};
use super::condition::is_another_pod;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long what is known of our own Deployment is good for.
const HOME_LIFE: Duration = Duration::from_mins(1);
/// The image of backups where neither the Deployment nor the configuration names one.
const PAUSE_IMAGE: &str = "registry.k8s.io/pause:3.10";
/// Autoscalers leave a node alone whose pods are not safe to evict; backups are.
const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";

/// Makes backups and takes them away.
#[derive(Clone)]
pub(super) struct Backups {
    client: kube::Client,
    /// The image, where the Deployment can't be read.
    image: String,
    home: Arc<Mutex<Option<(Instant, Home)>>>,
}

/// Whom backups belong to, and what they run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Home {
    /// The UID of our Deployment, if there is one.
    deployment: Option<String>,
    image: String,
}

// === impl Backups ===

impl Backups {
    /// Nothing is sent yet. `image` is used where the scheduler's own Deployment can't be read.
    pub(super) fn new(client: kube::Client, image: Option<String>) -> Self {
        let image = image.unwrap_or_else(|| PAUSE_IMAGE.to_owned());
        Self { client, image, home: Arc::default() }
    }

    /// Makes a backup.
    pub(super) async fn create(&self, backup: &BackupPod) -> CoverOutcome {
        let body = body(backup, &self.home().await);
        let request = pods(NAMESPACE).create(&PostParams::default(), body.to_string().into_bytes());
        match self.send(request).await {
            Ok(()) => {
                debug!(backup = %backup.key, node = %backup.node, "a backup is made");
                CoverOutcome::Done
            }
            // An earlier request was written after all.
            Err(Failure::Conflict(status)) if status.reason == "AlreadyExists" => CoverOutcome::Done,
            Err(Failure::Gone) => refused(backup, format!("there is no namespace {NAMESPACE}")),
            Err(Failure::Refused(status)) => refused(backup, status.message),
            Err(failure) => unknown("a backup was not made", &failure),
        }
    }

    /// Takes a backup away at once: there is nothing in it that needs time to end.
    pub(super) async fn delete(&self, pod: &PodRef) -> CoverOutcome {
        let PodRef { key, uid } = pod;
        let preconditions = Preconditions { uid: Some(uid.to_string()), resource_version: None };
        let params =
            DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }.grace_period(0);
        match self.send(pods(&key.namespace).delete(&key.name, &params)).await {
            Ok(()) => CoverOutcome::Done,
            Err(failure) if is_another_pod(&failure) => CoverOutcome::Done,
            Err(Failure::Refused(status)) => {
                warn!(backup = %key, error = %status.message, "a backup was not taken away");
                CoverOutcome::Refused(status.message)
            }
            Err(failure) => unknown("a backup was not taken away", &failure),
        }
    }

    /// Writes where a pod's backup is. It goes through the pod's status, whose permission is needed anyway.
    pub(super) async fn write(&self, write: &CoverWrite) -> CoverOutcome {
        let CoverWrite { pod: PodRef { key, uid }, backup } = write;
        let node = backup.as_ref().map(ToString::to_string);
        let metadata = json!({"uid": uid.as_str(), "annotations": {BACKUP_NODE_ANNOTATION: node}});
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        let request =
            pods(&key.namespace).patch_subresource("status", &key.name, &PatchParams::default(), &patch);
        match self.send(request).await {
            Ok(()) => CoverOutcome::Done,
            Err(failure) if is_another_pod(&failure) => CoverOutcome::Done,
            Err(Failure::Refused(status)) => {
                warn!(pod = %key, error = %status.message, "the node of its backup was not written");
                CoverOutcome::Refused(status.message)
            }
            Err(failure) => unknown("the node of a pod's backup was not written", &failure),
        }
    }

    async fn send(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<(), Failure> {
        let answer = async {
            let request = request.map_err(kube::Error::BuildRequest)?;
            self.client.request::<IgnoredAny>(request).await.map(|IgnoredAny| ())
        };
        within(TIMEOUT, answer).await
    }

    /// Our Deployment, as far as it can be read.
    async fn home(&self) -> Home {
        let mut known = self.home.lock().await;
        if let Some((read, home)) = known.as_ref()
            && read.elapsed() < HOME_LIFE
        {
            return home.clone();
        }
        let found = match within(TIMEOUT, deployment(&self.client)).await {
            Ok(deployment) => Home::of(&deployment),
            Err(Failure::Gone) => None,
            Err(failure) => {
                warn!(error = %failure, "Deployment {NAMESPACE}/{SCHEDULER} can't be read; backups belong to nobody");
                None
            }
        };
        let home = found.unwrap_or_else(|| Home { deployment: None, image: self.image.clone() });
        *known = Some((Instant::now(), home.clone()));
        home
    }
}

async fn deployment(client: &kube::Client) -> kube::Result<Value> {
    let request = Request::new(format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments"));
    let request = request.get(SCHEDULER, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
    client.request(request).await
}

fn refused(backup: &BackupPod, why: String) -> CoverOutcome {
    warn!(backup = %backup.key, node = %backup.node, error = %why, "a backup was refused");
    CoverOutcome::Refused(why)
}

fn unknown(what: &str, failure: &Failure) -> CoverOutcome {
    warn!(error = %failure, "{what}");
    CoverOutcome::Unknown(failure.to_string())
}

// === impl Home ===

impl Home {
    fn of(deployment: &Value) -> Option<Self> {
        let containers = deployment.pointer("/spec/template/spec/containers")?.as_array()?;
        let own = containers.iter().find(|container| container["name"] == SCHEDULER).or(containers.first())?;
        Some(Self {
            deployment: Some(deployment.pointer("/metadata/uid")?.as_str()?.to_owned()),
            image: own["image"].as_str()?.to_owned(),
        })
    }
}

/// A backup as the API has it: within the restricted Pod Security Standard, and tolerant of everything, because its
/// node is chosen already and it goes when that is no good any more.
fn body(backup: &BackupPod, home: &Home) -> Value {
    let BackupPod { key, node, requests } = backup;
    let (label, value) = BACKUP_LABEL;
    let (requests, limits) = (quantities(requests), scalars(requests));
    let mut container = json!({
        "name": "backup",
        "image": home.image,
        "resources": {"requests": requests, "limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
    });
    let mut metadata = json!({
        "namespace": key.namespace.to_string(),
        "name": key.name.to_string(),
        "labels": {label: value, "app.kubernetes.io/part-of": SCHEDULER},
        "annotations": {SAFE_TO_EVICT: "true"},
    });
    if let Some(uid) = &home.deployment {
        container["args"] = json!(["pause"]);
        metadata["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": "Deployment", "name": SCHEDULER, "uid": uid, "controller": true,
        }]);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": node.as_str(),
            // Nobody places it: its node is chosen already.
            "schedulerName": value,
            "priorityClassName": BACKUP_PRIORITY,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "tolerations": [{"operator": "Exists"}],
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    })
}

/// Amounts as the API has them.
fn quantities(resources: &Resources) -> Map<String, Value> {
    let Resources { cpu, memory, ephemeral_storage, scalars: _ } = resources;
    let mut map = scalars(resources);
    let plain = [
        ("cpu", cpu.0, format!("{}m", cpu.0)),
        ("memory", memory.0, memory.0.to_string()),
        ("ephemeral-storage", ephemeral_storage.0, ephemeral_storage.0.to_string()),
    ];
    for (name, amount, text) in plain {
        if amount > 0 {
            map.insert(name.to_owned(), text.into());
        }
    }
    map
}

/// Those resources of which the API wants a limit that equals the request.
fn scalars(resources: &Resources) -> Map<String, Value> {
    let of =
        |(name, amount): &(ResourceName, i64)| (name.as_str().to_owned(), Value::from(amount.to_string()));
    resources.scalars.iter().filter(|(_, amount)| *amount > 0).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_core::model::{Bytes, MilliCpu, PodKey};

    fn backup() -> BackupPod {
        let mut requests = Resources { cpu: MilliCpu(250), memory: Bytes(1 << 30), ..Resources::default() };
        requests.set_scalar("example.com/gpu".into(), 2);
        BackupPod { key: PodKey::new(NAMESPACE, "edge-backup-a-1"), node: "a".into(), requests }
    }

    #[test]
    fn a_backup_requests_what_it_is_to_hold_and_limits_what_must_be_limited() {
        let home = Home { deployment: None, image: "pause:1".to_owned() };
        let body = body(&backup(), &home);
        let resources = &body["spec"]["containers"][0]["resources"];
        assert_eq!(
            resources["requests"],
            json!({"cpu": "250m", "memory": "1073741824", "example.com/gpu": "2"})
        );
        assert_eq!(resources["limits"], json!({"example.com/gpu": "2"}));
        assert_eq!(body["spec"]["nodeName"], "a");
        assert_eq!(body["metadata"].get("ownerReferences"), None);
        assert_eq!(body["spec"]["containers"][0].get("args"), None);
    }

    #[test]
    fn a_backup_belongs_to_the_deployment_and_runs_its_image() {
        let containers = json!([{"name": "sidecar", "image": "x:1"}, {"name": SCHEDULER, "image": "edge:7"}]);
        let deployment = json!({
            "metadata": {"uid": "u-1"}, "spec": {"template": {"spec": {"containers": containers}}},
        });
        let home = Home::of(&deployment).unwrap();
        let body = body(&backup(), &home);
        assert_eq!(body["metadata"]["ownerReferences"][0]["uid"], "u-1");
        assert_eq!(body["spec"]["containers"][0]["image"], "edge:7");
        assert_eq!(body["spec"]["containers"][0]["args"], json!(["pause"]));
        assert_eq!(Home::of(&json!({})), None);
    }
}

//! Writing what a pod's claims need before it is bound.
//!
//! Each write names the version of the object that it was decided from, so the server refuses it if the object
//! has changed since. That makes a write whose outcome is not known harmless: it is decided anew from what the
//! watch tells.

use std::time::Duration;

use edge_core::model::{Claim, ClaimKey, NodeName, PersistentVolume, Version};
use edge_core::placement::VolumeWrite;
use edge_core::state::{VolumesOutcome, WriteVolumes};
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::{debug, warn};

use super::answer::{Failure, within};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Writes one after the other, until one can't be written.
pub(super) async fn write(client: &kube::Client, wanted: &WriteVolumes) -> VolumesOutcome {
    let mut outcome = VolumesOutcome::default();
    for write in &wanted.writes {
        match within(TIMEOUT, patch(client, write)).await {
            Ok(version) => outcome.written.push(version),
            Err(failure) => {
                let message = describe(write, &failure);
                warn!(pod = %wanted.pod.key, error = %message, "volumes not written");
                outcome.failed = Some(message);
                return outcome;
            }
        }
    }
    debug!(pod = %wanted.pod.key, count = outcome.written.len(), "volumes written");
    outcome
}

/// What the server says, in its words where it has some.
fn describe(write: &VolumeWrite, failure: &Failure) -> String {
    match (failure, write) {
        (Failure::Gone, VolumeWrite::Bind { volume, .. }) => {
            format!("persistentvolumes {:?} not found", volume.name)
        }
        (Failure::Gone, VolumeWrite::Provision { claim, .. }) => {
            format!("persistentvolumeclaims {:?} not found", claim.key.name)
        }
        (failure, _) => failure.to_string(),
    }
}

async fn patch(client: &kube::Client, write: &VolumeWrite) -> kube::Result<Version> {
    let (path, name, body) = match write {
        VolumeWrite::Bind { volume, claim } => {
            let path = "/api/v1/persistentvolumes".to_owned();
            (path, &volume.name, bound(volume, claim, write.marks_volume()))
        }
        VolumeWrite::Provision { claim, node } => {
            let path = format!("/api/v1/namespaces/{}/persistentvolumeclaims", claim.key.namespace);
            (path, &claim.key.name, selected(claim, node))
        }
    };
    let request = Request::new(path).patch(name, &PatchParams::default(), &Patch::Merge(body));
    let answer: Answer = client.request(request.map_err(kube::Error::BuildRequest)?).await?;
    let version = answer.metadata.resource_version.parse();
    Ok(version.map_or(Version::UNKNOWN, Version))
}

fn bound(volume: &PersistentVolume, claim: &Claim, mark: bool) -> Value {
    let ClaimKey { namespace, name } = &claim.key;
    let mut reference = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": &**namespace,
        "name": &**name,
        "uid": &*claim.uid,
    });
    if let Some(version) = version(claim.version) {
        reference["resourceVersion"] = version;
    }
    let mut body =
        json!({"metadata": metadata(&volume.uid, volume.version), "spec": {"claimRef": reference}});
    if mark {
        body["metadata"]["annotations"] = json!({"pv.kubernetes.io/bound-by-controller": "yes"});
    }
    body
}

fn selected(claim: &Claim, node: &NodeName) -> Value {
    let mut metadata = metadata(&claim.uid, claim.version);
    metadata["annotations"] = json!({"volume.kubernetes.io/selected-node": node.as_str()});
    json!({"metadata": metadata})
}

fn metadata(uid: &str, read: Version) -> Value {
    let mut metadata = json!({"uid": uid});
    if let Some(version) = version(read) {
        metadata["resourceVersion"] = version;
    }
    metadata
}

fn version(version: Version) -> Option<Value> {
    (version != Version::UNKNOWN).then(|| version.0.to_string().into())
}

#[derive(Deserialize)]
struct Answer {
    metadata: AnswerMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerMeta {
    resource_version: String,
}

//! Questions to the API server about those who ask us: who they are, and what they may do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube::api::{GetParams, PostParams};
use kube::core::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::warn;

use super::answer::{Failure, within};
use super::shortfall;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the configuration of the authentication is called where it is missing.
const CONFIG_MAP: &str = "configmap extension-apiserver-authentication";

/// Somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(default)]
pub struct User {
    /// The name.
    #[serde(rename = "username")]
    pub name: String,
    /// What tells users of the same name apart.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// What else is known.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Whether somebody may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Access {
    /// Whether.
    pub allowed: bool,
    /// Why, or why not, if the server says so.
    pub reason: String,
}

/// The cluster's way to authenticate could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(String);

/// Whose token it is; none if it is nobody's (upstream: `plugin/pkg/authenticator/token/webhook`).
pub async fn review_token(client: &kube::Client, token: &str) -> Result<Option<User>, String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Status {
        authenticated: bool,
        user: User,
    }

    static TOLD: AtomicBool = AtomicBool::new(false);
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token},
    });
    let answer = post(client, "/apis/authentication.k8s.io/v1/tokenreviews", &review).await;
    let status: Status = read_status(answer.map_err(|failure| tell(&failure, &TOLD, "tokenreviews"))?)?;
    Ok(status.authenticated.then_some(status.user))
}

/// Whether somebody may see a path (upstream: `plugin/pkg/authorizer/webhook`).
pub async fn review_access(
    client: &kube::Client,
    user: &User,
    verb: &str,
    path: &str,
) -> Result<Access, String> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user.name,
            "uid": user.uid,
            "groups": user.groups,
            "extra": user.extra,
            "nonResourceAttributes": {"path": path, "verb": verb},
        },
    });
    let answer = post(client, "/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).await;
    read_status(answer.map_err(|failure| tell(&failure, &TOLD, "subjectaccessreviews"))?)
}

/// The authorities and headers by which the cluster authenticates. Empty if it has none.
pub async fn authentication_config(client: &kube::Client) -> Result<BTreeMap<String, String>, LookupError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct ConfigMap {
        data: BTreeMap<String, String>,
    }

    let request = Request::new("/api/v1/namespaces/kube-system/configmaps")
        .get("extension-apiserver-authentication", &GetParams::default())
        .map_err(|error| LookupError(error.to_string()))?;
    match within(TIMEOUT, client.request::<ConfigMap>(request)).await {
        Ok(config) => {
            shortfall::note_forbidden(CONFIG_MAP, false);
            Ok(config.data)
        }
        Err(Failure::Gone) => Ok(BTreeMap::new()),
        Err(failure) => {
            if matches!(failure, Failure::Refused(_)) {
                shortfall::note_forbidden(CONFIG_MAP, true);
            }
            Err(LookupError(failure.to_string()))
        }
    }
}

async fn post(client: &kube::Client, path: &str, review: &Value) -> Result<Value, Failure> {
    within(TIMEOUT, async {
        let body = serde_json::to_vec(review).map_err(kube::Error::SerdeError)?;
        let request = Request::new(path).create(&PostParams::default(), body);
        client.request(request.map_err(kube::Error::BuildRequest)?).await
    })
    .await
}

fn read_status<T: Default + for<'de> Deserialize<'de>>(mut review: Value) -> Result<T, String> {
    match review.get_mut("status").map(Value::take) {
        Some(status) => serde_json::from_value(status).map_err(|error| error.to_string()),
        None => Ok(T::default()),
    }
}

/// Tells once that a permission is missing, which nobody who asks us could know.
fn tell(failure: &Failure, told: &AtomicBool, resource: &'static str) -> String {
    if matches!(failure, Failure::Refused(_)) && !told.swap(true, Ordering::Relaxed) {
        shortfall::note_forbidden(resource, true);
        warn!(
            error = %failure,
            "{resource} can't be made, so nobody but the privileged sees /metrics; bind the cluster role system:auth-delegator"
        );
    }
    failure.to_string()
}

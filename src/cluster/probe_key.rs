//! The Secret with the keys by which probe agents know each other.

use std::collections::BTreeMap;
use std::time::Duration;

use edge_api::names::{NAMESPACE, PROBE_KEY, PROBE_KEY_CURRENT, PROBE_KEY_OTHER};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;

use super::answer::{Failure, within};
use crate::survey::{Key, Keys, Phase};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How far a rotation is.
const PHASE: &str = "kubectl-edge.dev/key-phase";
/// Since when.
const SINCE: &str = "kubectl-edge.dev/key-since";
/// Set by who asks for a rotation, to anything.
const ROTATE: &str = "kubectl-edge.dev/rotate-key";

/// Why the Secret was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not as it was read.
    #[error("the Secret changed meanwhile")]
    Conflict,
    /// A permission is missing.
    #[error("{0}; allow to create Secrets in {NAMESPACE}, and to get and update {PROBE_KEY}")]
    Refused(String),
    /// The namespace is not there.
    #[error("there is no namespace {NAMESPACE}; it is where the Secret {PROBE_KEY} belongs")]
    NoNamespace,
    /// It may go well a little later.
    #[error("Secret {NAMESPACE}/{PROBE_KEY}: {0}")]
    Passing(String),
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] std::io::Error),
}

/// Where the keys are kept.
pub struct KeyStore {
    api: Api<Secret>,
}

/// What was read, so that no other state is written over.
pub struct SeenSecret(Secret);

// === impl KeyStore ===

impl KeyStore {
    /// The Secret of an installation. Nothing is sent yet.
    pub fn new(client: kube::Client) -> Self {
        Self { api: Api::namespaced(client, NAMESPACE) }
    }

    /// What is there; none if there is no Secret, no keys if agents could do nothing with it.
    pub async fn read(&self) -> Result<Option<(Option<Keys>, SeenSecret)>, KeyError> {
        match within(TIMEOUT, self.api.get(PROBE_KEY)).await {
            Ok(secret) => Ok(Some((read(&secret), SeenSecret(secret)))),
            Err(Failure::Gone) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Makes the Secret.
    pub async fn create(&self, keys: &Keys) -> Result<(), KeyError> {
        let metadata = ObjectMeta {
            namespace: Some(NAMESPACE.to_owned()),
            name: Some(PROBE_KEY.to_owned()),
            labels: Some([("app.kubernetes.io/part-of".to_owned(), "edge-scheduler".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let secret = write(keys, Secret { metadata, ..Secret::default() });
        match within(TIMEOUT, self.api.create(&PostParams::default(), &secret)).await {
            Ok(_) => Ok(()),
            Err(Failure::Gone) => Err(KeyError::NoNamespace),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Writes over what was seen.
    pub async fn replace(&self, SeenSecret(seen): SeenSecret, keys: &Keys) -> Result<(), KeyError> {
        let secret = write(keys, seen);
        within(TIMEOUT, self.api.replace(PROBE_KEY, &PostParams::default(), &secret)).await?;
        Ok(())
    }
}

// === impl KeyError ===

impl From<Failure> for KeyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Gone | Failure::Conflict(_) => Self::Conflict,
            Failure::Refused(status) => Self::Refused(status.message),
            Failure::Throttled { .. } | Failure::Unknown(_) | Failure::TimedOut(_) => {
                Self::Passing(failure.to_string())
            }
        }
    }
}

fn read(secret: &Secret) -> Option<Keys> {
    let key = |name| secret.data.as_ref()?.get(name).map(|bytes| Key(bytes.0.clone()));
    let annotation = |name| secret.metadata.annotations.as_ref()?.get(name);
    Some(Keys {
        current: key(PROBE_KEY_CURRENT).filter(|key| !key.0.is_empty())?,
        other: key(PROBE_KEY_OTHER),
        phase: match annotation(PHASE).map(String::as_str) {
            Some("spreading") => Phase::Spreading,
            Some("retiring") => Phase::Retiring,
            Some(_) | None => Phase::Settled,
        },
        since: annotation(SINCE).and_then(|since| since.parse::<Timestamp>().ok()),
        requested: annotation(ROTATE).is_some(),
    })
}

/// The Secret with these keys; what others wrote beside them stays.
fn write(keys: &Keys, mut secret: Secret) -> Secret {
    let Keys { current, other, phase, since, requested } = keys;
    let data = secret.data.get_or_insert_with(BTreeMap::new);
    data.insert(PROBE_KEY_CURRENT.to_owned(), ByteString(current.0.clone()));
    match other {
        Some(other) => _ = data.insert(PROBE_KEY_OTHER.to_owned(), ByteString(other.0.clone())),
        None => _ = data.remove(PROBE_KEY_OTHER),
    }
    let annotations = secret.metadata.annotations.get_or_insert_with(BTreeMap::new);
    let mut note = |name: &str, text: Option<String>| match text {
        Some(text) => _ = annotations.insert(name.to_owned(), text),
        None => _ = annotations.remove(name),
    };
    note(
        PHASE,
        match phase {
            Phase::Settled => None,
            Phase::Spreading => Some("spreading".to_owned()),
            Phase::Retiring => Some("retiring".to_owned()),
        },
    );
    note(SINCE, since.map(|since| since.to_string()));
    if !requested {
        note(ROTATE, None);
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_written_and_what_is_beside_them_stays() {
        let key = |id| Key(vec![id; 32]);
        let mut secret = Secret::default();
        secret.metadata.annotations =
            Some([("team".to_owned(), "edge".to_owned()), (ROTATE.to_owned(), String::new())].into());
        assert_eq!(read(&secret), None, "there is no key to send with");
        for (other, phase) in
            [(Some(key(2)), Phase::Spreading), (Some(key(1)), Phase::Retiring), (None, Phase::Settled)]
        {
            let since = Some(Timestamp::UNIX_EPOCH);
            let keys = Keys { current: key(1), other, phase, since, requested: false };
            secret = write(&keys, secret);
            assert_eq!(read(&secret), Some(keys));
        }
        let annotations = secret.metadata.annotations.unwrap();
        assert_eq!(annotations.keys().collect::<Vec<_>>(), [SINCE, "team"]);
    }
}
